"""What gated cells share: their parameters, and how gates are squashed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.initializers import per_gate
from jaxrnn.typing import Array, Key, PyTree, Size


def gate_params(cell: Any, key: Key, input_size: Size | None, *, gates: int) -> PyTree:
    """Kernels of `gates` blocks side by side, and their biases, zero, a row a gate.

    Args:
      cell: has `hidden_size` H, `kernel_init`, `recurrent_init` and `param_dtype`.
      key: randomness.
      input_size: n.
      gates: G.

    Returns:
      `kernel` `[n, G*H]`, `recurrent_kernel` `[H, G*H]` and `bias` `[G, H]`.
    """
    kernel_key, recurrent_key = jax.random.split(key)
    size = one_size(input_size, cell)
    H, dtype = cell.hidden_size, cell.param_dtype or jnp.float32
    draw = lambda init, key, n: per_gate(init, key, (n, H), gates=gates, dtype=dtype)
    return {
        "kernel": draw(cell.kernel_init, kernel_key, size),
        "recurrent_kernel": draw(cell.recurrent_init, recurrent_key, H),
        "bias": jnp.zeros((gates, H), dtype),
    }


def one_size(input_size: Size | None, cell: Any) -> int:
    """The input size of a cell that reads vectors, or an error that names the cell."""
    if (
        isinstance(input_size, bool)
        or not isinstance(input_size, int)
        or input_size < 1
    ):
        raise ValueError(
            f"`input_size` of {type(cell).__name__} must be an integer of at least 1, "
            f"got {input_size!r}"
        )
    return input_size


def squash(gates: Array, *functions: str) -> list[Array]:
    """Gates that stand side by side, each through its function, in one pass.

    ::

      s(a) = 1 / (1 + exp(-a)) = tanh(a / 2) / 2 + 1 / 2

    so that logistic and tanh gates are one wide tanh: one vectorised loop instead of
    one per gate.

    Args:
      gates: `[..., G*H]`.
      *functions: "s" (logistic) or "tanh", one for each of the G gates.

    Returns:
      G arrays `[..., H]`.

    Example:
      >>> [gate.tolist() for gate in squash(jnp.zeros(4), "s", "tanh")]
      [[0.5, 0.5], [0.0, 0.0]]
    """
    size = gates.shape[-1] // len(functions)
    by_gate = lambda s, tanh: [s if f == "s" else tanh for f in functions]
    wide = lambda values: np.repeat(np.array(values, gates.dtype), size)
    scale, shift = wide(by_gate(0.5, 1.0)), wide(by_gate(0.5, 0.0))
    return jnp.split(jnp.tanh(gates * scale) * scale + shift, len(functions), axis=-1)
