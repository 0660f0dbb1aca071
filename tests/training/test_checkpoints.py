"""Checkpoints: the same state back, or one clear error; and whole after a kill."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn.files import unsealed
from jaxrnn.training.checkpoints import Checkpoints
from kill.victims import Victims, needs_fork


def state_of(seed):
    """A state with a leaf of every sort."""
    rng = np.random.default_rng(seed)
    params = ({}, {"kernel": jnp.asarray(rng.standard_normal((5, 3)), jnp.float32)})
    return {
        "params": params,
        "opt": optax.adam(1e-3).init(params),
        "carry": (jnp.asarray(rng.standard_normal((2, 4)), jnp.bfloat16), None),
        "key": jax.random.key(seed),
        "keys": jax.random.split(jax.random.key(seed, impl="rbg"), 3),
        "empty": jnp.zeros((0, 3), jnp.float16),
        "numpy": rng.integers(100, size=4).astype(np.int8),
        "count": np.int64(seed),
        "epoch": seed,
        "rate": seed / 7,
        "done": bool(seed % 2),
        "odd / [name]": {".": jnp.asarray(seed == 3), "..": jnp.full((), np.nan)},
        "numbers": {7: jnp.full(2, seed), -1: 2.0},
    }


def data(leaf):
    is_key = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def assert_same(got, expected):
    """The same tree of leaves of the same sorts, and of the same bits."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert type(a) is type(b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        assert data(a).shape == data(b).shape and data(a).tobytes() == data(b).tobytes()


class Pair(NamedTuple):
    x: object
    y: object


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "run" / "checkpoints", keep=2)


def test_a_state_comes_back(checkpoints):
    checkpoints.save(1, state_of(1))
    checkpoints.save(2, state_of(2))
    like = state_of(0)
    assert_same(checkpoints.restore(like), state_of(2))
    assert_same(checkpoints.restore(like, step=1), state_of(1))
    assert_same(like, state_of(0))
    assert sorted(os.listdir(checkpoints.folder)) == ["1", "2"]


def test_of_shapes_alone_and_without_arrays(checkpoints):
    state = {"a": jnp.arange(3.0), "b": jnp.zeros((0, 2), jnp.bfloat16)}
    checkpoints.save(1, state)
    assert_same(checkpoints.restore(jax.eval_shape(lambda: state)), state)
    checkpoints.save(2, {"b": state["b"], "c": ()})
    assert_same(
        checkpoints.restore({"b": state["b"], "c": ()}), {"b": state["b"], "c": ()}
    )
    checkpoints.save(3, ())
    assert checkpoints.restore(()) == ()


def test_without_x64(checkpoints):
    with jax.enable_x64(False):
        state = {
            "a": jnp.arange(3.0),
            "count": np.int64(2**40),
            "score": np.float64(0.1),
        }
        checkpoints.save(1, state)
        assert_same(checkpoints.restore(state), state)


def test_arrays_are_put_where_they_were(checkpoints):
    devices = jax.devices()
    mesh = jax.sharding.Mesh(np.array(devices), "rows")
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    state = {
        "sharded": jax.device_put(jnp.arange(2.0 * len(devices)), rows),
        "here": jax.device_put(jnp.ones(2), devices[-1]),
        "anywhere": jnp.ones(2),
    }
    checkpoints.save(1, state)
    got = checkpoints.restore(state)
    assert_same(got, state)
    assert got["sharded"].sharding == rows and got["here"].devices() == {devices[-1]}
    assert not got["anywhere"].committed


def test_restored_arrays_can_be_donated(checkpoints):
    state = {"a": jnp.arange(1000.0)}
    checkpoints.save(1, state)
    got = checkpoints.restore(state)
    step = jax.jit(lambda s: jax.tree.map(lambda a: a + 1, s), donate_argnums=0)
    np.testing.assert_array_equal(step(got)["a"], np.arange(1000.0) + 1)
    assert_same(checkpoints.restore(state), state)


# Which ones stay.


def test_the_last_and_the_best_stay(checkpoints):
    state = {"a": jnp.zeros(2)}
    assert (checkpoints.steps(), checkpoints.latest(), checkpoints.best()) == (
        [],
        None,
        None,
    )
    expected = [[0], [0, 10], [10, 20], [10, 20, 30], [10, 30, 40], [40, 50]]
    for step, loss, steps in zip(
        range(0, 60, 10), [3, 1, 2, np.nan, 5, 0], expected, strict=True
    ):
        checkpoints.save(step, state, {"loss": loss, "other": -step})
        assert checkpoints.steps() == steps and checkpoints.latest() == step
    assert checkpoints.best() == 50
    assert sorted(os.listdir(checkpoints.folder)) == ["40", "50"]
    assert checkpoints.metrics(40) == {"loss": 5, "other": -40}
    assert checkpoints.metrics(10) == {}


def test_the_first_of_equals_is_best_and_another_metric(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=9, metric="error")
    state = {"a": jnp.zeros(2)}
    for step, error in enumerate(
        [None, 2.0, jnp.asarray(1.0), np.float32(1.0), np.nan]
    ):
        checkpoints.save(
            step, state, {} if error is None else {"error": error, "loss": 0}
        )
    assert checkpoints.best() == 2
    again = Checkpoints(tmp_path, keep=1, metric="error")
    again.save(5, state)
    assert again.steps() == [2, 5]


def test_a_step_saved_again_takes_the_place_of_the_first(checkpoints):
    for again in range(3):
        checkpoints.save(
            7, {"a": jnp.full(2, again)}, {f"{again}": again, "last": again}
        )
        assert checkpoints.steps() == [7]
        assert (
            checkpoints.restore({"a": jnp.zeros(2, int)})["a"].tolist() == [again] * 2
        )
    assert checkpoints.metrics(7) == {"0": 0, "1": 1, "2": 2, "last": 2}
    assert os.listdir(checkpoints.folder) == ["7-2"]


def test_other_things_in_the_folder_stay(checkpoints):
    for name in ("samples", "2024", "12-old"):
        (checkpoints.folder / name).mkdir(parents=True)
    (checkpoints.folder / "5").write_text("a file")
    (checkpoints.folder / "3.unfinished").mkdir()
    for step in range(9, 14):
        checkpoints.save(step, {"a": jnp.zeros(2)})
    names = ["12", "12-old", "13", "2024", "5", "samples"]
    assert sorted(os.listdir(checkpoints.folder)) == names


# Errors.


def test_every_difference_is_named(checkpoints):
    saved = {
        "a": jnp.ones((2, 3), jnp.float32),
        "b": Pair(jnp.ones(2), 3),
        "key": jax.random.key(0),
        "same": jnp.ones(2),
    }
    like = {
        "a": jnp.ones((2, 3), jnp.bfloat16),
        "b": Pair(jnp.ones(3), 3.0),
        "c": jnp.ones(1),
        "key": jax.random.key_data(jax.random.key(0)),
        "same": jnp.zeros(2),
    }
    checkpoints.save(4, saved)
    message = (
        f"{checkpoints.folder / '4'} holds another state than `like`:"
        "\n  ['a']: expected bfloat16[2, 3], got float32[2, 3]"
        "\n  ['b'].x: expected float64[3], got float64[2]"
        "\n  ['b'].y: expected float, got int"
        "\n  ['c']: expected float64[1], got nothing"
        "\n  ['key']: expected uint32[2], got key<fry>[]"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        checkpoints.restore(like)
    message = (
        f"{checkpoints.folder / '4'} holds another state than `like`:"
        "\n  ['key']: expected key<rbg>[], got key<fry>[]"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        checkpoints.restore(saved | {"key": jax.random.key(0, impl="rbg")})


def test_steps_that_are_not_there(checkpoints):
    state = {"a": jnp.zeros(2)}
    message = f"{checkpoints.folder} holds no checkpoint"
    for step in (None, 3):
        with pytest.raises(ValueError, match=exactly(message)):
            checkpoints.restore(state, step)
    checkpoints.save(4, state)
    checkpoints.save(6, state)
    with pytest.raises(
        ValueError, match=exactly("`step` must be one of [4, 6], got 5")
    ):
        checkpoints.restore(state, 5)
    with pytest.raises(ValueError, match=exactly("`step` must be at least 6, got 5")):
        checkpoints.save(5, state)


def test_bad_arguments(tmp_path, checkpoints):
    with pytest.raises(ValueError, match=exactly("`keep` must be at least 1, got 0")):
        Checkpoints(tmp_path, keep=0)
    with pytest.raises(ValueError, match=exactly("`step` must be at least 0, got -1")):
        checkpoints.save(-1, {"a": jnp.zeros(2)})
    message = "`state` must hold arrays, random keys and numbers, got 'x' at ['a'][1]"
    with pytest.raises(TypeError, match=exactly(message)):
        checkpoints.save(1, {"a": (1, "x")})
    assert not checkpoints.folder.exists()


def test_a_newer_format(checkpoints):
    checkpoints.save(4, {"a": jnp.zeros(2)})
    path = checkpoints.folder / "4"
    (path / "manifest.json").write_text('{"format": 2}')
    message = (
        f"{path} has format 2, but this jaxrnn reads up to 1: load it with a newer one"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        checkpoints.restore({"a": jnp.zeros(2)})
    assert checkpoints.metrics(4) == {} and checkpoints.best() is None


def files_of(checkpoints, step):
    return sorted(p for p in (checkpoints.folder / f"{step}").rglob("*") if p.is_file())


def test_damage_names_the_files(checkpoints):
    state = {"a": jnp.arange(50.0)}
    checkpoints.save(1, state)
    path = checkpoints.folder / "1"
    lost, cut, *_ = (p for p in files_of(checkpoints, 1) if p.name != "manifest.json")
    before = unsealed((path / "manifest.json").read_text(), path)["files"]
    lost.unlink()
    cut.write_bytes(b"")
    name = lambda file: file.relative_to(path).as_posix()
    message = (
        f"{path} is damaged:"
        f"\n  {name(lost)}: expected {before[name(lost)]}, got nothing"
        f"\n  {name(cut)}: expected {before[name(cut)]}, got crc32 00000000"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        checkpoints.restore(state)
    # One that is damaged hinders no other.
    checkpoints.save(2, state)
    assert_same(checkpoints.restore(state), state)


def test_damage_of_any_file_is_found(checkpoints, capfd):
    state = state_of(1)
    checkpoints.save(1, state, {"loss": 1.0})
    path, rng = checkpoints.folder / "1", random.Random(0)
    for _ in range(300):
        file = rng.choice(files_of(checkpoints, 1))
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            del changed[rng.randrange(len(whole)) :]
        file.write_bytes(changed)
        with pytest.raises(
            ValueError, match=f"^{re.escape(str(path))} (is damaged|has format)"
        ):
            checkpoints.restore(state)
        file.write_bytes(whole)
    assert_same(checkpoints.restore(state), state)
    assert capfd.readouterr() == ("", "")


def test_a_manifest_of_another_state_is_not_believed(checkpoints):
    state = {"a": jnp.arange(4.0)}
    checkpoints.save(1, state)
    path = checkpoints.folder / "1" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["state"]["['a']"] = "int64[4]"
    path.write_text(json.dumps(manifest))
    message = f"{path.parent} is damaged: its header is not as it was written"
    with pytest.raises(ValueError, match=exactly(message)):
        checkpoints.restore({"a": jnp.arange(4)})


# Stops at bad moments.


@pytest.mark.parametrize("name", ["rename", "mkdir"])
def test_a_write_that_fails_leaves_the_others(checkpoints, monkeypatch, name):
    state = {"a": jnp.arange(4.0)}
    checkpoints.save(1, state)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, name, full)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(2, {"a": jnp.zeros(4)})
    assert checkpoints.steps() == [1]
    assert_same(checkpoints.restore(state), state)
    checkpoints.save(2, state)
    assert sorted(os.listdir(checkpoints.folder)) == ["1", "2"]


def kill_often(folder, times, seed):
    """Kills processes that save all the time, and looks at what each leaves."""
    imports = """
        import itertools, random
        import numpy as np, orbax.checkpoint
        from jaxrnn.training.checkpoints import Checkpoints
    """
    body = f"""
        checkpoints = Checkpoints({str(folder)!r}, keep=2)
        log = os.open({str(folder) + ".log"!r}, os.O_CREAT | os.O_RDWR | os.O_APPEND)
        for i in itertools.count(1 + (checkpoints.latest() or 0)):
            state = {{"a": np.full((200, 300), i), "b": (np.full(5, i, np.float32), i)}}
            checkpoints.save(i, state, {{"loss": random.random(), "i": i}})
            checkpoints.save(i, state)  # in its place
            os.write(log, b"%d\\n" % i)
    """
    rng, log = random.Random(seed), Path(f"{folder}.log")
    checkpoints = Checkpoints(folder, keep=2)
    like = {"a": np.zeros((200, 300), int), "b": (np.zeros(5, np.float32), 0)}
    with Victims(imports, body) as victims:
        for _ in range(times):
            victims.kill_one(after=rng.uniform(0.1, 0.5))
            done = (
                [int(line) for line in log.read_text().split()] if log.exists() else []
            )
            # No save that returned is lost.
            assert (checkpoints.latest() or 0) >= max(done, default=0)
            for step in checkpoints.steps():
                state = checkpoints.restore(like, step)
                assert all(np.all(leaf == step) for leaf in jax.tree.leaves(state))
                assert checkpoints.metrics(step)["i"] == step
    return checkpoints


@needs_fork
def test_killed_at_any_moment(tmp_path):
    checkpoints = kill_often(tmp_path / "run", times=12, seed=0)
    assert checkpoints.latest() > 0
    checkpoints.save(10**6, {"a": jnp.zeros(2)})
    assert len(os.listdir(checkpoints.folder)) <= 3  # nothing unfinished is left


@needs_fork
@pytest.mark.slow
def test_killed_at_very_many_moments(tmp_path):
    kill_often(tmp_path / "run", times=150, seed=1)


def test_says_nothing_of_its_own(tmp_path):
    code = f"""
import jax, jax.numpy as jnp
from jaxrnn.training.checkpoints import Checkpoints
checkpoints = Checkpoints({str(tmp_path / "run")!r})
state = {{"a": jnp.ones(3), "key": jax.random.key(0)}}
for step in range(5):
    checkpoints.save(step, state, {{"loss": 1.0}})
checkpoints.restore(state)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
