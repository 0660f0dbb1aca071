"""Bad inputs: an error in the user's words, or the documented result. Never garbage.

The numbers in the names are those of the list of thirty that the design started from.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from laws.harness import close, compilations, finite, same_bits

T, B, N, H = 7, 4, 3, 5
RNG = np.random.default_rng(0)
CELL, GRU, EMBED = jr.LSTM(H), jr.GRU(H), jr.Embed(11, 4)
PARAMS, GRU_PARAMS = (cell.init(jax.random.key(0), N) for cell in (CELL, GRU))
EMBEDDING = EMBED.init(jax.random.key(0))
XS = RNG.normal(size=(T, B, N)).astype(np.float32)
CARRY = jr.LSTMCarry(*RNG.normal(size=(2, B, H)).astype(np.float32))


def run(cell=CELL, params=PARAMS, xs=XS, *args, **options):
    return jr.unroll(cell, params, xs, *args, **options)


def carried(change):
    return run(CELL, PARAMS, XS, jax.tree.map(change, CARRY))


UNLIKE = "`carry` must be like the cell's initial carry; "
SWAPPED = XS.swapaxes(0, 1)

ERRORS = {
    "02_length_above_T": (
        lambda: run(lengths=[8, 1, 1, 1]),
        ValueError("`lengths` must lie in [0, T] = [0, 7], got 8"),
    ),
    "02_negative_length": (
        lambda: run(lengths=[1, 1, -1, 1]),
        ValueError("`lengths` must lie in [0, T] = [0, 7], got -1"),
    ),
    "06_lengths_and_mask": (
        lambda: run(lengths=[1, 1, 1, 1], mask=np.ones((T, B), bool)),
        ValueError("give `lengths` or `mask`, not both"),
    ),
    "06_mask_of_numbers": (
        lambda: run(mask=np.ones((T, B), np.float32)),
        TypeError("`mask` must be boolean, got float32"),
    ),
    "06_reset_of_numbers": (
        lambda: run(reset=np.zeros((T, B), np.int32)),
        TypeError("`reset` must be boolean, got int32"),
    ),
    "12_feature_width": (
        lambda: run(xs=np.ones((T, B, 9), np.float32)),
        ValueError(
            "`x` must have 3 features in its last axis, as the kernel [3, 20] has "
            "rows, got shape (7, 4, 9)"
        ),
    ),
    "12_feature_width_in_a_stack": (
        lambda: run(jr.Stack(CELL), (PARAMS,), np.ones((T, B, 9), np.float32)),
        ValueError(
            "layer 0 of Stack, LSTM(5): `x` must have 3 features in its last axis, as "
            "the kernel [3, 20] has rows, got shape (7, 4, 9)"
        ),
    ),
    "13_batch_major_with_lengths": (
        lambda: run(xs=SWAPPED, lengths=[1, 1, 1, 1]),
        ValueError("`lengths` must have the batch's shape (7,), got (4,)"),
    ),
    "13_batch_major_mask": (
        lambda: run(mask=np.ones((B, T), bool)),
        ValueError("`mask` must have shape (T, *batch) = (7, 4), got (4, 7)"),
    ),
    "13_batch_major_reset": (
        lambda: run(xs=SWAPPED, time_axis=1, reset=np.ones((T, B), bool)),
        ValueError("`reset` must have shape (T, *batch) = (7, 4), got (4, 7)"),
    ),
    "13_time_axis": (
        lambda: run(time_axis=2),
        ValueError("`time_axis` must be one of 0, 1, got 2"),
    ),
    "14_no_time_axis": (
        lambda: run(xs=XS[0, 0]),
        ValueError(
            "`xs` must have a time axis and 1 input axes for LSTM(5), got shape (3,)"
        ),
    ),
    "15_lengths_of_floats": (
        lambda: run(lengths=[1.0, 1.0, 1.0, 1.0]),
        TypeError("`lengths` must be integers, got float64"),
    ),
    "15_lengths_of_flags": (
        lambda: run(lengths=[True, True, True, True]),
        TypeError("`lengths` must be integers, got bool"),
    ),
    "15_lengths_in_two_axes": (
        lambda: run(lengths=[[1], [1], [1], [1]]),
        ValueError("`lengths` must have the batch's shape (4,), got (4, 1)"),
    ),
    "15_one_length": (
        lambda: run(lengths=3),
        ValueError("`lengths` must have the batch's shape (4,), got ()"),
    ),
    "16_integer_features": (
        lambda: run(xs=np.ones((T, B, N), np.uint8)),
        TypeError(
            "`x` must be floating, got uint8: cast it with `x.astype(float)`, or give "
            "token ids to `Embed` or `OneHot`"
        ),
    ),
    "18_carry_shape": (
        lambda: carried(lambda a: a[:2]),
        ValueError(
            UNLIKE + "at carry.hidden expected float32[4, 5], got float32[2, 5]"
        ),
    ),
    "18_carry_dtype": (
        lambda: carried(lambda a: a.astype(np.float64)),
        ValueError(
            UNLIKE + "at carry.hidden expected float32[4, 5], got float64[4, 5]"
        ),
    ),
    "18_carry_tree": (
        lambda: run(CELL, PARAMS, XS, CARRY.hidden),
        ValueError(UNLIKE + "expected the leaves carry.hidden, carry.cell, got carry"),
    ),
    "18_carry_in_a_stack": (
        lambda: run(jr.Stack(CELL), (PARAMS,), XS, (tuple(CARRY),)),
        ValueError(
            UNLIKE + "expected the leaves carry[0].hidden, carry[0].cell, got "
            "carry[0][0], carry[0][1]"
        ),
    ),
    "20_token_above_the_vocabulary": (
        lambda: run(EMBED, EMBEDDING, np.array([[1, 11]])),
        ValueError(
            "token ids must lie in [0, vocab_size) = [0, 11), got values from 1 to 11"
        ),
    ),
    "20_negative_token": (
        lambda: run(EMBED, EMBEDDING, np.array([[-1, 1]])),
        ValueError(
            "token ids must lie in [0, vocab_size) = [0, 11), got values from -1 to 1"
        ),
    ),
    "20_tokens_of_floats": (
        lambda: run(EMBED, EMBEDDING, np.ones((T, B))),
        TypeError("token ids must be integers, got float64"),
    ),
    "30_rate_above_one": (
        lambda: jr.Dropout(1.5),
        ValueError("`rate` must lie in [0, 1], got 1.5"),
    ),
    "30_rate_not_a_number": (
        lambda: jr.Dropout(float("nan")),
        ValueError("`rate` must lie in [0, 1], got nan"),
    ),
    "a_class_for_a_cell": (
        lambda: run(jr.LSTM),
        TypeError("`cell` must be a cell, got <class 'jaxrnn.cells.lstm.LSTM'>"),
    ),
    "checkpoint_of_no_steps": (
        lambda: run(checkpoint=0),
        ValueError("`checkpoint` must be at least 1, got 0"),
    ),
    "checkpoint_of_half_a_step": (
        lambda: run(checkpoint=2.5),
        TypeError("`checkpoint` must be an integer, got 2.5"),
    ),
    "checkpoint_by_another_name": (
        lambda: run(checkpoint="root"),
        ValueError("`checkpoint` must be a number of steps or 'sqrt', got 'root'"),
    ),
    "method_that_nobody_has": (
        lambda: run(method="magic"),
        ValueError(
            "`method` must be one of 'auto', 'scan', 'associative', got 'magic'"
        ),
    ),
}


@pytest.mark.parametrize("call, error", ERRORS.values(), ids=ERRORS)
def test_a_bad_input_is_an_error(call, error):
    with pytest.raises(type(error)) as raised:
        call()
    assert str(raised.value) == str(error)


# What is no error


def test_03_all_rows_of_length_zero():
    carry, ys = run(CELL, PARAMS, XS, CARRY, lengths=[0, 0, 0, 0])
    same_bits(carry, CARRY)
    assert not np.any(ys)
    loss = lambda params: run(CELL, params, XS, CARRY, lengths=[0] * B)[1].sum()
    assert not any(g.any() for g in jax.tree.leaves(jax.grad(loss)(PARAMS)))


def test_09_no_steps():
    for options in ({}, {"lengths": [0] * B}, {"checkpoint": 2}, {"reverse": True}):
        carry, ys = run(CELL, PARAMS, XS[:0], CARRY, **options)
        same_bits(carry, CARRY)
        assert ys.shape == (0, B, H)


def test_09_no_steps_have_no_gradients():
    loss = lambda params: run(CELL, params, XS[:0], CARRY)[0].hidden.sum()
    assert not any(g.any() for g in jax.tree.leaves(jax.grad(loss)(PARAMS)))


def test_10_no_rows():
    carry, ys = run(xs=XS[:, :0], lengths=np.zeros(0, int))
    assert carry.hidden.shape == (0, H)
    assert ys.shape == (T, 0, H)


def test_11_one_of_everything():
    cell = jr.Elman(1)
    params = {"kernel": [[2.0]], "recurrent_kernel": [[3.0]], "bias": [0.5]}
    params = jax.tree.map(jnp.asarray, params, is_leaf=lambda a: isinstance(a, list))
    carry, ys = run(cell, params, np.array([[[0.7]]]), np.array([[0.1]]))
    close((carry, ys), (np.tanh([[2.2]]), np.tanh([[[2.2]]])))


def test_14_no_batch_axis():
    _, ys = run(xs=XS[:, 0], lengths=3)
    assert ys.shape == (T, H)
    assert not np.any(ys[3:])


@pytest.mark.parametrize("dtype", [list, np.int64, np.int32, np.uint8])
def test_15_lengths_of_any_integers(dtype):
    lengths = [7, 3, 0, 5] if dtype is list else np.array([7, 3, 0, 5], dtype)
    same_bits(run(lengths=lengths), run(lengths=np.array([7, 3, 0, 5])))


def test_02_lengths_are_clipped_where_they_cannot_be_looked_at():
    clipped = jax.jit(lambda lengths: run(lengths=lengths))(jnp.array([9, -2, 3, 7]))
    close(clipped, run(lengths=[7, 0, 3, 7]), 1e-6)


def test_02_lengths_known_inside_jit_are_looked_at():
    lengths = jnp.array([7, 0, 3, 8])
    with pytest.raises(ValueError, match="got 8"):
        jax.jit(lambda params: run(CELL, params, lengths=lengths))(PARAMS)


def test_20_a_token_that_cannot_be_looked_at_is_a_zero():
    _, ys = jax.jit(lambda ids: run(EMBED, EMBEDDING, ids))(jnp.array([[-1, 11, 3]]))
    assert not np.any(ys[0, :2])
    same_bits(ys[0, 2], EMBEDDING["embedding"][3])


def test_19_a_carry_of_python_numbers():
    cell = Averaged()
    xs = np.arange(3, dtype=np.float32)
    carry, ys = jr.unroll(cell, {}, xs, 2.0)
    close((carry, ys), (np.float32(1.5), np.array([1.0, 1.0, 1.5], np.float32)))
    jr.unroll(cell, {}, xs, carry)
    other = ys[0]
    with compilations() as compiled:
        jr.unroll(cell, {}, xs, 3.0)
        jr.unroll(cell, {}, xs, other)
    assert compiled == []


class Averaged(jr.Cell):
    """The running mean h = (h' + x) / 2 of single numbers."""

    input_ndim = 0

    def init(self, key, input_size=None):
        return {}

    def initial_carry(self, ready, batch_shape):
        return jnp.zeros(batch_shape, jnp.float32)

    def recur(self, ready, carry, z):
        return (carry + z) / 2, (carry + z) / 2


def test_29_other_lengths_and_the_last_batch_compile_once():
    last = XS[:, :3]
    run(lengths=[1, 2, 3, 4])
    run(xs=last, lengths=[1, 2, 3])
    with compilations() as compiled:
        for lengths in ([7, 7, 7, 7], [0, 1, 0, 1], [4, 3, 2, 1]):
            run(lengths=lengths)
            run(xs=last, lengths=lengths[:3])
    assert compiled == []


def test_30_no_key_is_evaluation_and_rate_one_is_zero():
    same_bits(run(jr.Dropout(0.5), {})[1], XS)
    same_bits(run(jr.Dropout(1), {})[1], XS)
    assert not np.any(run(jr.Dropout(1), {}, key=jax.random.key(0))[1])


def test_24_saturated_gates_have_finite_gradients():
    loss = lambda params: run(CELL, params, 1e4 * XS)[1].sum()
    finite(jax.grad(loss)(PARAMS))
