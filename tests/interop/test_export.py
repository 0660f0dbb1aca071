"""Models as StableHLO, run where there is JAX alone."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.interop import export

pytest.importorskip("flatbuffers")

SMALL = jr.Stack(jr.Embed(11, 4), jr.LSTM(5), jr.Dense(2))
LARGE = jr.Stack(
    jr.Embed(11, 4),
    jr.LSTM(5),
    jr.LearnedCarry(jr.GRU(3)),
    jr.Dropout(0.5),
    jr.Dense(2),
)

ELSEWHERE = """
import sys, zipfile
import jax, numpy as np
from jax import export

path, arrays, out = sys.argv[1:]
with np.load(arrays) as file:
    given = dict(file)
with zipfile.ZipFile(path) as archive:
    start, sequence, step = (
        export.deserialize(bytearray(archive.read(name)))
        for name in ("start", "sequence", "step")
    )
results = {}
for number in given["numbers"]:
    xs, lengths = given["xs" + number], given["lengths" + number]
    carry, ys = sequence.call(start.call(lengths), xs, lengths)
    results["ys" + number] = ys
    results["hidden" + number] = carry[1]["hidden"]
carry, steps = start.call(lengths), []
for x in xs:
    carry, y = step.call(carry, x)
    steps.append(y)
np.savez(out, steps=np.stack(steps), **results)
assert "jaxrnn" not in sys.modules
"""


@pytest.mark.parametrize(
    "model, numbers",
    [(SMALL, "1"), pytest.param(LARGE, "12", marks=pytest.mark.slow)],
    ids=["small", "large"],
)
def test_a_process_without_the_library_runs_it(
    model, numbers, tmp_path, standard_promotion
):
    with jax.enable_x64(False):
        params = model.init(jax.random.key(0))
        export.save(tmp_path / "model.zip", model, params)
        rng = np.random.default_rng(1)
        arrays = {
            "numbers": list(numbers),
            "xs1": rng.integers(0, 11, (7, 4)).astype(np.int32),
            "lengths1": np.array([7, 0, 3, 5], np.int32),
            "xs2": rng.integers(0, 11, (5, 9)).astype(np.int32),
            "lengths2": np.full(9, 5, np.int32),
        }
        np.savez(tmp_path / "given.npz", **arrays)
        paths = (tmp_path / name for name in ("model.zip", "given.npz", "out.npz"))
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE, *map(str, paths)], check=True, timeout=120
        )
        with np.load(tmp_path / "out.npz") as file:
            got = dict(file)
        for number in numbers:
            xs, lengths = arrays[f"xs{number}"], arrays[f"lengths{number}"]
            last, ys = jr.unroll(model, params, xs, lengths=lengths)
            np.testing.assert_allclose(got[f"ys{number}"], ys, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(
                got[f"hidden{number}"], last[1].hidden, rtol=1e-5, atol=1e-6
            )
        real = np.arange(len(xs))[:, None, None] < lengths[:, None]
        np.testing.assert_allclose(got["steps"] * real, ys, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_exported_is_told():
    cell = jr.GRU(3)
    with pytest.raises(ValueError, match=r"`input_size` is needed: the inputs of GRU"):
        export.functions(cell, {})
    cell = jr.Attend(jr.GRU(3), memory_size=2)
    kinds = jax.eval_shape(lambda key: cell.init(key, 2), jax.random.key(0))
    params = jax.tree.map(lambda a: np.ones(a.shape, a.dtype), kinds)
    with pytest.raises(ValueError, match="`Attend` needs a memory: give `context="):
        export.functions(cell, params, 2)


@pytest.mark.slow
def test_both_directions_have_no_step():
    cell = jr.Bidirectional(jr.Elman(3), jr.GRU(4))
    params = cell.init(jax.random.key(0), 2)
    made = export.functions(cell, params, 2)
    assert list(made) == ["start", "sequence"]
    xs = jax.random.normal(jax.random.key(1), (6, 3, 2), jnp.float32)
    lengths = jnp.array([6, 2, 4], jnp.int32)
    carry, ys = made["sequence"].call(made["start"].call(lengths), xs, lengths)
    last, expected = jr.unroll(cell, params, xs, lengths=lengths)
    np.testing.assert_allclose(ys, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(carry["backward"], last.backward, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [jr.DiagonalLinear(4), jr.QRNN(4)], ids=str)
def test_linear_cells_run_step_by_step(cell):
    params = cell.init(jax.random.key(0), 2)
    sequence = export.functions(cell, params, 2)["sequence"]
    assert [str(size) for size in sequence.in_avals[-1].shape] == ["B"]
