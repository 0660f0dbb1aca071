"""Cells as they are known by a name: a cell of the library, its fields set."""

from typing import Any

from jaxrnn import checks
from jaxrnn.cells.elman import Elman
from jaxrnn.cells.gru import GRU
from jaxrnn.cells.lstm import LSTM
from jaxrnn.initializers import (
    GlorotUniform,
    Identity,
    Initializer,
    Normal,
    NormalizedPositive,
    Orthogonal,
    Uniform,
    Whole,
)

_ALIKE = Normal(0.001)


def IRNN(
    hidden_size: int, scale: float = 1.0, *, kernel_init: Initializer = _ALIKE
) -> Elman:
    """A relu network that starts by handing its state on as it is: U = scale * I.

    Args:
      hidden_size: H.
      scale: 1 remembers longest; less forgets, 0.01 for short dependencies.
      kernel_init: of W. As in the paper it is so small that all units start alike;
        wider, such as Normal(0.03), learns several times sooner with Adam.

    References:
      Le, Jaitly, Hinton 2015; lecture 000.

    Example:
      >>> import jaxrnn as jr
      >>> jr.IRNN(100).activation
      'relu'
    """
    return Elman(
        hidden_size,
        activation="relu",
        kernel_init=kernel_init,
        recurrent_init=Identity(scale),
    )


def NPRNN(hidden_size: int) -> Elman:
    """A relu network whose U starts positive-definite, with 1 as largest eigenvalue.

    Args:
      hidden_size: H.

    References:
      Talathi, Vartak 2016 (np-RNN).

    Example:
      >>> import jaxrnn as jr
      >>> jr.NPRNN(100)
      Elman(100, activation='relu', recurrent_init=NormalizedPositive())
    """
    return Elman(hidden_size, activation="relu", recurrent_init=NormalizedPositive())


def KerasLSTM(hidden_size: int) -> LSTM:
    """An LSTM that starts as Keras' does.

    W is uniform and U orthogonal over all gates together, not each gate on its own; b_f
    is 1 and the other biases are 0.

    Args:
      hidden_size: H.

    Example:
      >>> import jaxrnn as jr
      >>> jr.KerasLSTM(100).kernel_init
      Whole(GlorotUniform())
    """
    return LSTM(hidden_size, **_KERAS)


def KerasGRU(hidden_size: int) -> GRU:
    """A GRU that is Keras' and starts so, with the reset after the product.

    W is uniform and U orthogonal over all gates together, not each gate on its own; the
    biases, two in every gate, are 0.

    Args:
      hidden_size: H.

    Example:
      >>> import jaxrnn as jr
      >>> jr.KerasGRU(100).recurrent_init
      Whole(Orthogonal())
    """
    return GRU(hidden_size, reset="after", recurrent_bias=True, **_KERAS)


def TorchLSTM(hidden_size: int) -> LSTM:
    """An LSTM that is PyTorch's and starts so: all from U(-1/sqrt(H), 1/sqrt(H)).

    It has two biases, as PyTorch's: the sum of both is what the equations call b.

    Args:
      hidden_size: H.

    Example:
      >>> import jaxrnn as jr
      >>> jr.TorchLSTM(25).bias_init
      Uniform(bound=0.2)
    """
    return LSTM(hidden_size, forget_bias=0.0, **_torch(hidden_size))


def TorchGRU(hidden_size: int) -> GRU:
    """A GRU that is PyTorch's and starts so: all from U(-1/sqrt(H), 1/sqrt(H)).

    It has two biases, as PyTorch's, in every gate.

    Args:
      hidden_size: H.

    Example:
      >>> import jaxrnn as jr
      >>> jr.TorchGRU(25).bias_init
      Uniform(bound=0.2)
    """
    return GRU(hidden_size, reset="after", **_torch(hidden_size))


_KERAS: Any = {
    "kernel_init": Whole(GlorotUniform()),
    "recurrent_init": Whole(Orthogonal()),
}


def _torch(hidden_size: int) -> Any:
    """The initialisers, which need to know H, and the second bias."""
    checks.positive(hidden_size=hidden_size)
    uniform = Uniform(hidden_size**-0.5)
    draws = dict.fromkeys(("kernel_init", "recurrent_init", "bias_init"), uniform)
    return draws | {"recurrent_bias": True}
