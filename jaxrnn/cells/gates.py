"""What gated cells share: their parameters, and how gates are squashed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.activations import Activation, activation
from jaxrnn.initializers import Zeros, per_gate
from jaxrnn.standing import standing
from jaxrnn.typing import Array, Key, PyTree, Size


def gate_params(
    cell: Any,
    key: Key,
    input_size: Size | None,
    *,
    gates: int,
    rows: int | None = None,
    biases: int | None = None,
) -> PyTree:
    """Kernels of `gates` blocks side by side, and their biases, a row a gate.

    Args:
      cell: has `hidden_size` H, `kernel_init`, `recurrent_init` and `param_dtype`; the
        biases are zero where it has no `bias_init`.
      key: randomness.
      input_size: n.
      gates: G.
      rows: R, the size of what is fed back; None: H.
      biases: how many, where they are more than G.

    Returns:
      `kernel` `[n, G*H]`, `recurrent_kernel` `[R, G*H]` and `bias` `[biases, H]`.
    """
    kernel_key, recurrent_key, bias_key = jax.random.split(key, 3)
    size, bias_init = one_size(input_size, cell), getattr(cell, "bias_init", Zeros())
    H, dtype = cell.hidden_size, cell.param_dtype or jnp.float32
    draw = lambda init, key, n: per_gate(init, key, (n, H), gates=gates, dtype=dtype)
    return {
        "kernel": draw(cell.kernel_init, kernel_key, size),
        "recurrent_kernel": draw(cell.recurrent_init, recurrent_key, rows or H),
        "bias": bias_init(bias_key, (biases or gates, H), dtype),
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


def one_bias(ready: PyTree) -> PyTree:
    """Prepared parameters whose two biases, if there are two, are one: b + b_u.

    Example:
      >>> one_bias({"bias": 2, "recurrent_bias": 3, "kernel": 4})
      {'bias': 5, 'kernel': 4}
    """
    if "recurrent_bias" not in ready:
        return ready
    both = ready["bias"] + ready["recurrent_bias"]
    rest = {name: leaf for name, leaf in ready.items() if name != "recurrent_bias"}
    return rest | {"bias": both}


def squash(gates: Array, *functions: Activation, stand: bool = False) -> list[Array]:
    """Gates that stand side by side, each through its function, in one pass.

    ::

      s(a) = 1 / (1 + exp(-a)) = tanh(a / 2) / 2 + 1 / 2

    so that logistic and tanh gates are one wide tanh: one vectorised loop instead of
    one per gate. Where a gate has another function, they go one by one.

    Args:
      gates: `[..., G*H]`.
      *functions: "s" or "sigmoid" (logistic), "tanh" or any activation, one for each
        of the G gates.
      stand: write them down before anything reads them (`jaxrnn.standing`), where the
        same step reads them together with much else.

    Returns:
      G arrays `[..., H]`.

    Example:
      >>> [gate.tolist() for gate in squash(jnp.zeros(4), "s", "tanh")]
      [[0.5, 0.5], [0.0, 0.0]]
    """
    functions = tuple("s" if f == "sigmoid" else f for f in functions)
    if not {"s", "tanh"}.issuperset(functions):
        one = lambda a, f: squash(a, f)[0] if f == "s" else activation(f)(a)
        return list(map(one, jnp.split(gates, len(functions), axis=-1), functions))
    size = gates.shape[-1] // len(functions)
    by_gate = lambda s, tanh: [s if f == "s" else tanh for f in functions]
    wide = lambda values: np.repeat(np.array(values, gates.dtype), size)
    scale, shift = wide(by_gate(0.5, 1.0)), wide(by_gate(0.5, 0.0))
    squashed = jnp.tanh(gates * scale) * scale + shift
    squashed = standing(squashed) if stand else squashed
    return jnp.split(squashed, len(functions), axis=-1)
