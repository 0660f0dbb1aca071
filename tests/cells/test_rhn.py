"""Recurrent highways carry on most of what they have at first."""

import jax
import numpy as np
import pytest

import jaxrnn as jr
from laws.harness import close

KEY = jax.random.key(0)
H = 4


@pytest.mark.parametrize("coupled", [True, False])
def test_the_transform_gates_start_with_their_bias(coupled):
    cell = jr.RHN(H, depth=3, coupled=coupled, transform_bias=-1.5)
    bias = cell.init(KEY, 2)["bias"].reshape(3, -1, H)
    assert bias.shape[1] == (2 if coupled else 3)
    assert (bias[:, 1] == -1.5).all()
    assert (bias[:, ::2] == 0).all()


def test_closed_transform_gates_carry_the_state_on():
    cell = jr.RHN(H, depth=5, transform_bias=-1e3, param_dtype="float64")
    rng = np.random.default_rng(0)
    start = rng.normal(size=H)
    carry, _ = jr.unroll(cell, cell.init(KEY, 2), rng.normal(size=(7, 2)), start)
    close(np.asarray(carry), start)


def test_every_block_is_drawn_alone():
    kernel = jr.RHN(H, depth=2, coupled=False).init(KEY, 2)["recurrent_kernel"]
    for block in np.split(np.asarray(kernel, float), 6, axis=-1):
        np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-6)


def test_a_depth_of_zero_is_an_error():
    with pytest.raises(ValueError, match="`depth` must be at least 1, got 0"):
        jr.RHN(H, depth=0)
