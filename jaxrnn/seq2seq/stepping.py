"""What decoding runs: a model, several at once, or a step function of one's own."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.contract import first_difference
from jaxrnn.unroll.origin import Origin

Step = Callable[[PyTree, PyTree, Array], tuple[PyTree, Array]]
"""`step(params, carry, x) -> (carry, logits)`, with `x` `[*batch]` of ids."""

Model = Cell | Step
Collect = Callable[[PyTree], PyTree] | None


def ensemble(
    model: Model | tuple[Model, ...],
    params: PyTree,
    carry: PyTree,
    context: PyTree,
) -> tuple[tuple[Model, ...], tuple[Origin, ...]]:
    """The models, and what each of them begins with; one model is an ensemble of one.

    Args:
      model: a cell or a step function, or a tuple of them.
      params: of the model, or a tuple of as many.
      carry: the state to start from, or a tuple of as many, or None.
      context: what every model's `prepare` may look at.
    """
    if not isinstance(model, tuple):
        model, params, carry = (model,), (params,), (carry,)
    carries = (None,) * len(model) if carry is None else carry
    for name, given in (("params", params), ("carry", carries)):
        if not isinstance(given, tuple | list) or len(given) != len(model):
            raise ValueError(
                f"`{name}` must be a tuple with one entry a model, {len(model)}, "
                f"got {len(given) if hasattr(given, '__len__') else kind(given)}"
            )
    begun = zip(params, carries, strict=True)
    origins = tuple(Origin(own, start, None, 0, context) for own, start in begun)
    return model, origins


def check_models(
    models: tuple[Model, ...], origins: tuple[Origin, ...], first: Array
) -> None:
    """Raise unless every model can go on from `first`, a symbol a row."""
    if not models:
        raise ValueError("`model` must be a cell, or a tuple of at least one, got ()")
    if not jnp.issubdtype(first.dtype, jnp.integer):
        raise TypeError(f"`first` must be token ids, integers, got {kind(first)}")
    for model, origin in zip(models, origins, strict=True):
        if not isinstance(model, Cell):
            _check_step(model, origin)
            continue
        if not model.causal:
            raise ValueError(f"`model` must be able to step, got {model}")
        if model.input_ndim != 0:
            raise ValueError(f"`model` must read token ids, got {model}")
        model.check_input(first)


def _check_step(model: Any, origin: Origin) -> None:
    if not callable(model):
        raise TypeError(f"`model` must be a cell or a step function, got {model!r}")
    if origin.carry is None:
        raise ValueError(f"`carry` must be given for the step function {model!r}")


def begin(
    models: tuple[Model, ...], origins: tuple[Origin, ...], first: Array
) -> tuple[tuple[PyTree, ...], tuple[PyTree, ...]]:
    """Prepared parameters and the carry before the first step, of each model."""
    begun = []
    for model, origin in zip(models, origins, strict=True):
        if isinstance(model, Cell):
            begun.append(origin.begin(model, first[None], first.shape))
        else:
            begun.append((origin.params, jax.tree.map(_strong, origin.carry)))
    readies, carries = zip(*begun, strict=True)
    return readies, carries


def _strong(leaf: Any) -> Array:
    """An array of a dtype that a Python number cannot change."""
    leaf = jnp.asarray(leaf)
    return jax.lax.convert_element_type(leaf, leaf.dtype)


def advance(
    models: tuple[Model, ...],
    readies: tuple[PyTree, ...],
    carries: tuple[PyTree, ...],
    x: Array,
) -> tuple[tuple[PyTree, ...], Array]:
    """One step of all models: log p = log mean_m softmax(logits_m).

    Args:
      models: cells and step functions.
      readies: what each prepared.
      carries: of each.
      x: `[*batch]`, the symbols before.

    Returns:
      `(carries, log_probs)`: `[*batch, V]`, in float32 or float64; minus infinity where
      it would be no number, so that what cannot be is never chosen.
    """
    following, logits = [], []
    for model, ready, carry in zip(models, readies, carries, strict=True):
        step = model.step if isinstance(model, Cell) else model
        result = _checked(model, carry, step(ready, carry, x), x)
        following.append(result[0])
        logits.append(result[1])
    dtype = gate_dtype(*(y.dtype for y in logits))
    log_probs = [jax.nn.log_softmax(y.astype(dtype)) for y in logits]
    if len({y.shape for y in logits}) > 1:
        sizes = [y.shape[-1] for y in logits]
        raise ValueError(f"all models must have one vocabulary, got sizes {sizes}")
    if len(log_probs) > 1:
        total = jax.nn.logsumexp(jnp.stack(log_probs), axis=0)
        log_probs = [jnp.minimum(total - math.log(len(models)), 0)]
    impossible = jnp.isnan(log_probs[0])
    return tuple(following), jnp.where(impossible, -jnp.inf, log_probs[0])


def _checked(model: Model, carry: PyTree, result: Any, x: Array) -> tuple:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"a step of {model} must return a pair (carry, logits)")
    following, logits = result
    difference = first_difference(carry, following)
    if difference is not None:
        raise ValueError(
            f"a step of {model} must return a carry like the one it got; {difference}"
        )
    floating = jnp.issubdtype(jnp.result_type(logits), jnp.floating)
    if not floating or jnp.shape(logits)[:-1] != x.shape or jnp.ndim(logits) == 0:
        raise ValueError(
            f"a step of {model} must return floating logits (*batch, V), with *batch = "
            f"{x.shape}, got {kind(logits)}"
        )
    return following, logits


def collected(collect: Collect, carries: tuple[PyTree, ...]) -> PyTree:
    """What `collect` sees in one model's carry, or in a tuple of several; or None."""
    if collect is None:
        return None
    return collect(carries[0] if len(carries) == 1 else carries)
