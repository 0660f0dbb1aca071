"""Both directions, against rows that are taken apart and read step by step."""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, INPUTS = 6, 4, 3
LENGTHS = np.array([6, 3, 0, 1])
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, INPUTS))
RESET = _rng.random((T, B)) < 0.4
NEVER = np.zeros((T, B), bool)
ALL = np.full(B, T)

MERGES = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "average": lambda a, b: (a + b) / 2,
}


@functools.cache
def one_step(cell):
    return jax.jit(lambda params, *rest: cell.step(cell.prepare(params), *rest))


def read(cell, params, xs):
    """The last carry, and the outputs of one row's steps in order."""
    carry, ys = jnp.zeros(cell.hidden_size), []
    for x in xs:
        carry, y = one_step(cell)(params, carry, x)
        ys.append(y)
    return carry, ys


def one_direction(cell, params, xs, starts):
    """A row whose segments begin at `starts`: a fresh start at each of them."""
    cuts = [0, *np.flatnonzero(starts), len(xs)]
    parts = [xs[a:b] for a, b in itertools.pairwise(cuts)]
    carries, outs = zip(*(read(cell, params, part) for part in parts), strict=True)
    return carries[-1], [y for ys in outs for y in ys]


def both_directions(layer, params, lengths, reset):
    """Final carries of all rows, and outputs `[T, B, ...]`, zero at padding."""
    carries, ys = [], np.zeros((T, B, layer.output_size(INPUTS)))
    for b, length in enumerate(lengths):
        xs, starts = XS[:length, b], reset[:length, b]
        # Backwards a segment starts where the following one starts forwards.
        ends = np.append(starts[1:], False)[:length]
        ahead = one_direction(layer.forward, params["forward"], xs, starts)
        behind = one_direction(layer.backward, params["backward"], xs[::-1], ends[::-1])
        carries.append(jr.BidirectionalCarry(ahead[0], behind[0]))
        for t, pair in enumerate(zip(ahead[1], behind[1][::-1], strict=True)):
            ys[t, b] = MERGES[layer.merge](*pair)
    return jax.tree.map(lambda *rows: np.stack(rows), *carries), ys


LAYERS = [
    jr.Bidirectional(jr.GRU(4), jr.Elman(5), param_dtype="float64"),
    jr.Bidirectional(jr.Elman(5), merge="sum", param_dtype="float64"),
    jr.Bidirectional(jr.Elman(5), merge="average", param_dtype="float64"),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.merge)
def test_is_each_row_read_both_ways(layer):
    params = parameters(layer, INPUTS)
    for lengths, reset in itertools.product((ALL, LENGTHS), (NEVER, RESET)):
        got = jr.unroll(layer, params, XS, lengths=lengths, reset=reset)
        close(got, both_directions(layer, params, lengths, reset))


def test_the_two_cells_have_parameters_of_their_own():
    params = jr.Bidirectional(jr.Dense(5)).init(jax.random.key(0), INPUTS)
    assert sorted(params) == ["backward", "forward"]
    assert np.all(params["forward"]["kernel"] != params["backward"]["kernel"])


def test_backwards_the_directions_change_places():
    layer = LAYERS[0]
    params = parameters(layer, INPUTS)
    mirrored = jr.Bidirectional(layer.backward, layer.forward, param_dtype="float64")
    swapped = {"forward": params["backward"], "backward": params["forward"]}
    options = {"lengths": LENGTHS, "reset": RESET}
    carry, ys = jr.unroll(layer, params, XS, reverse=True, **options)
    other, zs = jr.unroll(mirrored, swapped, XS, **options)
    # The outputs of the cell called forward still come first.
    close(ys, np.roll(zs, 4, axis=-1))
    close((carry.forward, carry.backward), (other.backward, other.forward))


DEEP = jr.Stack(
    jr.Bidirectional(jr.Elman(4), jr.Elman(2)),
    jr.Bidirectional(jr.Elman(5), merge="sum"),
    jr.Dense(7),
    param_dtype="float64",
)


def test_deep_layers_are_layers_one_after_another():
    params = parameters(DEEP, INPUTS)
    options = {"lengths": LENGTHS, "reset": RESET}
    xs, carries = XS, []
    for layer, own in zip(DEEP.cells, params, strict=True):
        carry, xs = jr.unroll(layer, own, xs, **options)
        carries.append(carry)
    close(jr.unroll(DEEP, params, XS, **options), (tuple(carries), xs))


@pytest.mark.parametrize("checkpoint", [None, pytest.param(4, marks=pytest.mark.slow)])
def test_each_output_sees_its_segment_and_nothing_else(checkpoint):
    """The gradient of an output by an input, for all pairs of steps."""
    params = parameters(DEEP, INPUTS)
    xs, reset = XS[:, 0], np.zeros(T, bool)
    reset[[2, 5]] = True
    segment = np.array([0, 0, 1, 1, 1, 2])
    mask = np.arange(T) != 3

    @jax.jit
    @jax.jacrev
    def slopes(xs):
        options = {"mask": mask, "reset": reset, "checkpoint": checkpoint}
        return jr.unroll(DEEP, params, xs, **options)[1].sum(-1)

    seen = np.any(slopes(xs) != 0, axis=-1)
    same = segment[:, None] == segment
    np.testing.assert_array_equal(seen, same & mask & mask[:, None])


def test_the_directions_draw_different_numbers():
    layer = jr.Bidirectional(jr.Dropout(0.5))
    params, ones = {"forward": {}, "backward": {}}, np.ones((T, B, 9))
    np.testing.assert_array_equal(jr.unroll(layer, params, ones)[1], 1)
    ys = np.asarray(jr.unroll(layer, params, ones, key=jax.random.key(1))[1])
    assert np.any(ys[..., :9] != ys[..., 9:])


@pytest.mark.parametrize("merge", ["sum", "average"])
@pytest.mark.parametrize(("ahead", "behind"), [(4, 5), (1, 5)])
def test_outputs_to_be_added_must_have_one_size(merge, ahead, behind):
    layer = jr.Bidirectional(jr.Elman(ahead), jr.Elman(behind), merge=merge)
    message = (
        f"`merge={merge!r}` needs outputs of one size, got {ahead} forward and "
        f"{behind} backward"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        layer.output_size(INPUTS)
    with pytest.raises(ValueError, match=re.escape(message)):
        jr.Stack(layer, jr.Dense(2)).init(jax.random.key(0), INPUTS)
    with pytest.raises(ValueError, match=re.escape(message)):
        jr.unroll(layer, parameters(layer, INPUTS), XS)


def test_it_cannot_step():
    layer = jr.Bidirectional(jr.Elman(4))
    assert not layer.causal and not jr.Stack(jr.Dense(2), layer).causal
    ready = layer.prepare(parameters(layer, INPUTS))
    carry = layer.initial_carry(ready, (B,))
    message = re.escape(f"{layer} cannot step: its outputs depend on later inputs")
    with pytest.raises(TypeError, match=f"^{message}"):
        layer.step(ready, carry, XS[0])
    with pytest.raises(TypeError, match=f"^layer 0 of Stack, .*: {message}"):
        jr.Stack(layer).step((ready,), (carry,), XS[0])


def test_unknown_merge():
    message = "`merge` must be one of 'concat', 'sum', 'average', got 'max'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        jr.Bidirectional(jr.Elman(4), merge="max")
