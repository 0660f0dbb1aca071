"""A network in a library's own form, made ready to run and to be compared."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.typing import Array, PyTree


class Ready(NamedTuple):
    """A network with its parameters and inputs in place.

    Args:
      forward: gives its outputs.
      train: gives what it computes for a training step: the loss, the sum of squares
        of all outputs, and its gradient with respect to the parameters, not the inputs.
      outputs: those of `forward`, time-major.
      gradient: that of `train`, as a tree like the one that `Peer.fill` returns.
    """

    forward: Callable[[], Any]
    train: Callable[[], Any]
    outputs: Callable[[Any], np.ndarray]
    gradient: Callable[[Any], PyTree]


class Peer(NamedTuple):
    """A network of a library that computes with JAX.

    Args:
      fill: from jaxrnn's parameters to the library's; differentiable, so that a
        gradient can be taken the way back.
      run: from these and inputs to outputs.
      batch_major: whether it takes and gives `[B, T, ...]`.
      without: names of jaxrnn's parameters that the library has no place for.
    """

    fill: Callable[[PyTree], PyTree]
    run: Callable[[PyTree, Array], Array]
    batch_major: bool = False
    without: tuple[str, ...] = ()

    def ready(self, params: PyTree, xs: Array) -> Ready:
        arranged = (lambda a: a.swapaxes(0, 1)) if self.batch_major else (lambda a: a)
        given = jax.block_until_ready((jax.jit(self.fill)(params), arranged(xs)))
        loss = lambda own, xs: jnp.sum(self.run(own, xs) ** 2)
        forward, train = jax.jit(self.run), jax.jit(jax.value_and_grad(loss))
        return Ready(
            forward=lambda: forward(*given),
            train=lambda: train(*given),
            outputs=lambda ys: np.asarray(arranged(ys)),
            gradient=lambda done: done[1],
        )


class TorchPeer(NamedTuple):
    """A network of torch: a module, and its parameters by name from jaxrnn's."""

    fill: Callable[[PyTree], dict[str, Array]]
    module: Any
    without: tuple[str, ...] = ()

    def ready(self, params: PyTree, xs: Array) -> Ready:
        import torch

        cuda = torch.cuda.is_available()
        device = "cuda" if cuda else "cpu"
        done = torch.cuda.synchronize if cuda else lambda: None
        tensor = lambda a: torch.tensor(np.asarray(a), device=device)
        state = {name: tensor(value) for name, value in self.fill(params).items()}
        self.module.to(device).load_state_dict(state)
        weights, given = dict(self.module.named_parameters()), tensor(xs)

        def forward() -> Any:
            with torch.inference_mode():
                ys = self.module(given)[0]
            done()
            return ys

        def train() -> Any:
            self.module.zero_grad(set_to_none=True)
            self.module(given)[0].square().sum().backward()
            done()
            return weights

        numbers = lambda tensor: tensor.detach().cpu().numpy()
        gradient = lambda own: {name: numbers(w.grad) for name, w in own.items()}
        return Ready(forward, train, outputs=numbers, gradient=gradient)
