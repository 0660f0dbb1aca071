"""A bridge, against its equation, between states of any sizes, depths, directions."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.seq2seq.bridge import states_of, with_states
from jaxrnn.spec import Spec
from laws.harness import close

B, S, N = 3, 4, 2
RNG = np.random.default_rng(0)
ENCODER = jr.Stack(jr.Elman(2), jr.Bidirectional(jr.LSTM(3), jr.GRU(4)))
ATTEND = jr.Attend(jr.GRU(6), memory_size=7, look="after", size=5)
DECODER = jr.Stack(ATTEND, jr.LSTM(8), jr.Dense(2))
MODEL = jr.EncoderDecoder(
    DECODER, encoder=ENCODER, source_size=N, bridge=jr.Bridge(), param_dtype="float64"
)
PARAMS = parameters(MODEL, 9)
CONTEXT = {"source": RNG.normal(size=(B, S, N)), "lengths": np.array([4, 0, 2])}


@functools.partial(jax.jit, static_argnums=0)
def begun(model, params, context):
    ready = model.prepare(params, context=context)
    return ready, model.initial_carry(ready, (B,))


def test_is_its_equation():
    ready, carry = begun(MODEL, PARAMS, CONTEXT)
    last, (forward, backward) = ready["start"]
    e = np.concatenate([last, *forward, backward], axis=-1)
    bridge = PARAMS["bridge"]
    d = np.tanh(e @ np.asarray(bridge["kernel"]) + np.asarray(bridge["bias"]))
    attend, lstm, dense = carry
    close(np.concatenate([attend.cell, *lstm], axis=-1), d)
    assert e.shape[-1] == 2 + 3 + 3 + 4
    assert dense == ()


def test_where_an_attend_looked_is_left_at_its_start():
    _, (attend, *_) = begun(MODEL, PARAMS, CONTEXT)
    assert attend.alignment.shape == (B, S)
    assert attend.fed.shape == (B, 5)
    assert not np.any(attend.alignment)
    assert not np.any(attend.fed)


def test_an_empty_source_gives_what_the_encoder_starts_from():
    _, carry = begun(MODEL, PARAMS, CONTEXT)
    other = CONTEXT | {"source": 7 + CONTEXT["source"]}
    second = lambda carry: jax.tree.map(lambda a: a[1], carry)
    close(second(carry), second(begun(MODEL, PARAMS, other)[1]))


def test_any_activation():
    model = MODEL.replace(bridge=jr.Bridge("relu"))
    _, (attend, *_) = begun(model, PARAMS, CONTEXT)
    assert np.all(attend.cell >= 0)
    with pytest.raises(ValueError, match="activation"):
        jr.Bridge("no such")


def test_images_are_states_too():
    cell = jr.ConvLSTM(2)
    ready = cell.prepare(parameters(cell, (3, 4, 1)), input_shape=(3, 4, 1))
    last, first = cell.initial_carry(ready, (B,)), jnp.ones((B, 5, 2, 3))
    one_row = jax.tree.map(lambda a: a[0], (last, first))
    own = jr.Bridge().init(jax.random.key(0), *one_row, jnp.float64)
    assert own["kernel"].shape == (2 * 3 * 4 * 2, 5 * 2 * 3)
    assert jr.Bridge()(own, last, first, 1).shape == first.shape


def test_states_can_be_taken_out_and_put_back():
    carry = begun(MODEL, PARAMS, CONTEXT)[1]
    leaves = jax.tree.leaves(states_of(carry))
    assert len(leaves) == 3
    close(with_states(carry, leaves), carry)
    twice = with_states(carry, [2 * a for a in leaves])
    close(twice[0].look, carry[0].look)
    close(twice[1].hidden, 2 * carry[1].hidden)


def test_it_travels(tmp_path):
    assert Spec.from_json(json.loads(json.dumps(jr.Bridge().to_json()))) == jr.Bridge()
    jr.save(tmp_path / "model", MODEL, PARAMS)
    model, params = jr.load(tmp_path / "model")
    assert model == MODEL
    close(params, PARAMS)
    assert "bridge" in str(jr.summary(MODEL, 9))
