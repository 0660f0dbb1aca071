"""The lectures' first example: a network reads "hell" and says "ello"."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr

pytestmark = pytest.mark.usefixtures("standard_promotion")


def test_hello_as_the_readme_has_it():
    letters = "helo"
    model = jr.Stack(jr.OneHot(4), jr.Elman(8), jr.Dense(4))
    params = model.init(jax.random.key(0))
    text = jnp.array([letters.index(c) for c in "hello"])
    optimizer = optax.adam(0.1)
    opt_state = optimizer.init(params)

    @jax.jit
    def update(params, opt_state):
        def objective(params):
            xs, targets = text[:-1], text[1:]
            return jr.unroll_loss(model, params, xs, targets, jr.cross_entropy)[0]

        loss, gradient = jax.value_and_grad(objective)(params)
        updates, opt_state = optimizer.update(gradient, opt_state)
        return optax.apply_updates(params, updates), opt_state, loss

    for _ in range(100):
        params, opt_state, loss = update(params, opt_state)
    _, logits = jr.unroll(model, params, text[:-1])
    assert "".join(letters[i] for i in logits.argmax(-1)) == "ello"
    assert loss < 0.05

    # And free running, a step at a time, from the "h" alone.
    ready = model.prepare(params)
    carry, symbol, said = model.initial_carry(ready, ()), text[0], ""
    for _ in range(4):
        carry, logit = model.step(ready, carry, symbol)
        symbol = jnp.argmax(logit)
        said += letters[int(symbol)]
    assert said == "ello"


def test_the_memory_is_needed():
    # After "l" comes "l" or "o": no function of the last letter alone says "ello".
    following = {}
    for before, after in zip("hell", "ello", strict=True):
        following.setdefault(before, set()).add(after)
    assert following["l"] == {"l", "o"}
    np.testing.assert_equal(sorted(following), ["e", "h", "l"])
