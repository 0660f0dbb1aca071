"""How much of what the machine can do training did."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cli.folder import Run
from jaxrnn.combine.named import named
from jaxrnn.training import Callback, TrainState

SIZES = (512, 1024, 2048, 4096)


class Profile(Callback):
    """Times the windows of whole epochs, without compilation and validation.

    Args:
      run: of which model, in which windows.
    """

    def __init__(self, run: Run) -> None:
        self.operations = operations(run)
        self.windows = 0
        self.seconds = 0.0
        self._began: float | None = None

    def on_step(self, state: TrainState, batch: Any) -> None:
        if self._began is None:  # the first one is compiled, and on its way
            self._began = self._known = time.monotonic()
            self._count = 0

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        self._known = time.monotonic()
        self._count += 1

    def on_epoch(self, state: TrainState, row: dict[str, Any]) -> None:
        if self._began is not None:
            self.windows += self._count
            self.seconds += self._known - self._began
            self._began = None

    def report(self) -> str:
        """The peak of the machine, the rate of training, and the share, in a line."""
        if not self.seconds:
            return "profile: nothing was trained"
        peak, rate = peak_rate(), self.operations * self.windows / self.seconds
        return (
            f"profile: float32 matrix products peak at {peak / 1e9:.0f} GFLOP/s here, "
            f"training did {rate / 1e9:.0f} GFLOP/s in products, {rate / peak:.0%}"
        )


def operations(run: Run) -> int:
    """The floating-point operations of a window's matrix products, both ways.

    A kernel of n numbers takes 2 n a character forwards, 2 n for its own gradient and
    2 n for the gradient of its input; one-hot inputs need no gradient.

    Args:
      run: of which model, in which windows.
    """
    params = jax.eval_shape(run.model.init, jax.random.key(0))
    kernels = [
        leaf.size
        for path, leaf in jax.tree.leaves_with_path(params)
        if "kernel" in jax.tree_util.keystr(path)
    ]
    count = 6 * sum(kernels)
    if not run.config.embedding:
        count -= 2 * sum(kernel.size for kernel in named(params[1], "kernel").values())
    return count * run.config.window * run.config.batch_size


def peak_rate() -> float:
    """The floating-point operations a second of the best square float32 product."""
    best = 0.0
    for size in SIZES:
        square = jnp.ones((size, size), jnp.float32)
        product = jax.jit(jnp.matmul)
        product(square, square).block_until_ready()
        for _ in range(4):
            began = time.perf_counter()
            product(square, square).block_until_ready()
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best
