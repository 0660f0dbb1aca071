"""Models in files: the same bits back, or one clear error; and whole after a kill."""

import json
import os
import pickle
import random
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrnn as jr
from jaxrnn.files import load, save, sealed, unsealed, write
from kill.victims import Victims, needs_fork

MODEL = jr.Stack(
    jr.Embed(7, 3),
    jr.Dropout(0.5),
    jr.Stack(jr.LSTM(4), jr.GRU(5, reset="after"), param_dtype="bfloat16"),
    jr.Dense(7),
)
DTYPES = [
    *("bool", "bfloat16", "float16", "float32", "float64", "complex64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]


class Own(jr.Cell):
    """A cell of a user's, with a function of a user's."""

    squash: object = jnp.tanh

    def init(self, key, input_size=None):
        return {"bias": jnp.ones(3), "none": None}


def double(x):
    return 2 * x


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    draw = lambda a: jnp.asarray(rng.standard_normal(a.shape), a.dtype)
    params = jax.tree.map(draw, shapes)
    save(path, MODEL, params)
    return params


def assert_same(got, expected):
    """The same tree of the same bits."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert isinstance(a, jax.Array)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def exactly(message):
    return f"^{re.escape(message)}$"


def parts(path):
    """The arrays and the metadata of a file, as another program would read them."""
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays, file.metadata()


# Round trips.


def test_a_model_comes_back(path, saved):
    cell, params = load(path)
    assert cell == MODEL
    assert_same(params, saved)
    tokens = jnp.array([[1, 2], [6, 0], [3, 3]])
    _, expected = jr.unroll(MODEL, saved, tokens)
    np.testing.assert_array_equal(jr.unroll(cell, params, tokens)[1], expected)


@st.composite
def arrays(draw):
    """Random bits of any dtype: NaNs, infinities, -0.0, empty arrays, scalars."""
    dtype = jnp.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    bits = rng.bytes(int(np.prod(shape)) * dtype.itemsize)
    return np.frombuffer(bits, dtype).reshape(shape)


keys = st.text(min_size=1, max_size=4).filter(lambda key: "/" not in key)
trees = st.recursive(
    st.none() | arrays(),
    lambda inner: (
        st.dictionaries(keys, inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


@settings(max_examples=50)
@given(trees)
def test_every_tree_comes_back(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "tree.safetensors"
    save(path, MODEL, tree)
    assert_same(load(path)[1], tree)


def test_layout_and_order_of_memory(path):
    params = {
        "a": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "b": np.arange(8)[::2],
    }
    save(path, MODEL, params)
    assert_same(load(path)[1], params)


def test_same_model_same_bytes(path, saved):
    first = path.read_bytes()
    save(path, MODEL, saved)
    assert path.read_bytes() == first


def test_other_programs_can_read_it(path, saved):
    arrays, metadata = parts(path)
    assert set(arrays) == {
        *("0/embedding", "3/bias", "3/kernel"),
        *(f"2/0/{name}" for name in ("bias", "kernel", "recurrent_kernel")),
        *(f"2/1/{name}" for name in ("bias", "kernel", "recurrent_bias")),
        "2/1/recurrent_kernel",
    }
    np.testing.assert_array_equal(arrays["2/0/kernel"], saved[2][0]["kernel"])
    header = json.loads(metadata["jaxrnn"])
    assert header["format"] == 1 and header["cell"] == MODEL.to_json()
    assert header["jaxrnn"] == jr.__version__
    assert header["params"][3] == {"bias": "float32[7]", "kernel": "float32[5, 7]"}


def test_a_cell_and_a_function_of_a_user(path):
    cell = Own(squash=double)
    params = cell.init(jax.random.key(0))
    save(path, cell, params)
    name = f"{double.__module__}:double"
    message = (
        f"{path} holds a cell that cannot be made: unknown function {name!r}: pass it "
        "in `known`"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)
    loaded, loaded_params = load(path, known=[double])
    assert loaded == cell and loaded.squash is double
    assert_same(loaded_params, params)


# Files that are not what they should be.


def rewritten(path, change):
    """The file with changed arrays and header, sealed anew unless `change` seals it."""
    arrays, metadata = parts(path)
    header = unsealed(metadata["jaxrnn"], path)
    other = change(arrays, header)
    header = sealed(header) if other is None else other
    path.write_bytes(safetensors.numpy.save(arrays, {"jaxrnn": header}))


def test_every_difference_is_named(path):
    params = {"a": np.ones((2, 3), np.float32), "b": (np.ones(2), np.ones(4, np.int32))}
    save(path, MODEL, params)

    def change(arrays, header):
        arrays["a"] = arrays["a"].T.copy()
        del arrays["b/0"]
        arrays["b/1"] = arrays["b/1"].astype(np.float32)
        arrays["c"] = np.ones((), np.uint8)

    rewritten(path, change)
    message = (
        f"{path} holds other arrays than its header states:"
        "\n  a: expected float32[2, 3], got float32[3, 2]"
        "\n  b/0: expected float64[2], got nothing"
        "\n  b/1: expected int32[4], got float32[4]"
        "\n  c: expected nothing, got uint8[]"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


def test_a_dtype_that_jax_does_not_know(path):
    save(path, MODEL, {"a": np.ones(4, np.uint8)})
    data = path.read_bytes().replace(b'"U8"', b'"F8_E4M3"')
    size = int.from_bytes(data[:8], "little") + 5
    path.write_bytes(size.to_bytes(8, "little") + data[8:])
    message = (
        f"{path} holds other arrays than its header states:"
        "\n  a: expected uint8[4], got F8_E4M3[4]"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


def test_changed_content(path, saved):
    def change(arrays, header):
        arrays["3/kernel"] = arrays["3/kernel"] + 1

    rewritten(path, change)
    message = f"{path} is damaged: its checksum does not fit"
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


def test_a_newer_format(path, saved):
    newer = '{"format": 2, "anything": "else"}'
    rewritten(path, lambda arrays, header: newer)
    message = (
        f"{path} has format 2, but this jaxrnn reads up to 1: load it with a newer one"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": "1", "crc32": 0}',
        '{"format": null, "crc32": 0}',
        '{"format": 1, "cell": {}, "params": {}, "arrays": 0, "crc32": 0}',
    ],
)
def test_a_wrong_header(path, saved, header):
    rewritten(path, lambda arrays, _: header)
    message = f"{path} is damaged: its header is not as it was written"
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            {"type": "Transformer"},
            "unknown type 'Transformer': import the module that defines it before "
            "loading, or load with a newer jaxrnn",
        ),
        (
            {"type": "LSTM", "args": [0]},
            "`hidden_size` must be at least 1, got 0",
        ),
        (
            {"type": "LSTM", "args": [4], "kwargs": {"new": 1}},
            "LSTM.__init__() got an unexpected keyword argument 'new'",
        ),
    ],
)
def test_a_cell_that_cannot_be_made(path, saved, cell, reason):
    rewritten(path, lambda arrays, header: header.update(cell=cell))
    message = f"{path} holds a cell that cannot be made: {reason}"
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"Once upon a time there was a text.",
        pickle.dumps({"params": [1.0]}),
    ],
)
def test_no_safetensors_file(path, content):
    path.write_bytes(content)
    message = f"{path} is no safetensors file, or cut short or damaged"
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_a_safetensors_file_of_another_program(path, metadata):
    path.write_bytes(safetensors.numpy.save({"a": np.ones(3)}, metadata))
    message = f"{path} is a safetensors file, but none that jaxrnn wrote"
    with pytest.raises(ValueError, match=exactly(message)):
        load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'none'}")):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=re.escape(f"{tmp_path}")):
        load(tmp_path)


def damage(path, data, change):
    """Loads the changed file: the same model, or a ValueError that names the file."""
    path.write_bytes(change)
    try:
        cell, params = load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path} ")
        return
    path.write_bytes(data)
    assert cell == MODEL
    assert_same(params, load(path)[1])


def test_truncated_anywhere(path, saved):
    data = path.read_bytes()
    message = f"{path} is no safetensors file, or cut short or damaged"
    for size in range(0, len(data), 64):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=exactly(message)):
            load(path)


@pytest.mark.parametrize("where", ["header", "everything"])
def test_flipped_bits(path, saved, where):
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = random.Random(0)
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 5])):
            place = rng.randrange(header if where == "header" else len(data))
            changed[place] ^= 1 << rng.randrange(8)
        damage(path, data, changed)


def test_replaced_bytes_in_the_header(path, saved):
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = random.Random(1)
    for _ in range(400):
        changed = bytearray(data)
        changed[rng.randrange(header)] = rng.choice(b'0123456789{}[]",: \\aez')
        damage(path, data, changed)


# What a file cannot hold.


def test_float64_needs_x64(path):
    save(path, MODEL, {"a": np.ones(2), "b": np.ones(3, np.float32), "c": np.arange(4)})
    message = (
        f"{path} can only be loaded with jax_enable_x64 set:"
        "\n  a: expected float64[2], got float32[2]"
        "\n  c: expected int64[4], got int32[4]"
    )
    with jax.enable_x64(False), pytest.raises(ValueError, match=exactly(message)):
        load(path)


KNOWN = "`params` must hold arrays of dtypes that safetensors knows, got"
NESTED = (
    "`params` must be nested dicts and tuples of arrays, with strings without / for "
    "keys, got"
)


@pytest.mark.parametrize(
    ("cell", "params", "message"),
    [
        (3, {}, "`cell` must be a cell, got 3"),
        (MODEL, {"a": ({"b": 1.0},)}, f"{KNOWN} float at a/0/b"),
        (MODEL, {"a": np.ones(2, complex)}, f"{KNOWN} complex128[2] at a"),
        (MODEL, {"a": np.array(["x"])}, f"{KNOWN} <U1[1] at a"),
        (MODEL, [np.ones(2)], f"{NESTED} PyTreeDef([*])"),
        (MODEL, {1: np.ones(2)}, f"{NESTED} PyTreeDef({{1: *}})"),
        (
            MODEL,
            jr.LSTMCarry(np.ones(2), np.ones(2)),
            f"{NESTED} PyTreeDef(CustomNode(namedtuple[LSTMCarry], [*, *]))",
        ),
        (
            MODEL,
            {"a/b": np.ones(2), "a": {"b": np.ones(2)}},
            f"{NESTED} PyTreeDef({{'a': {{'b': *}}, 'a/b': *}})",
        ),
        (
            jr.Map(lambda x: x),
            {},
            "a function in a cell that is to be saved must stand at the top level of a "
            "module, so that it has a name; got <lambda>",
        ),
    ],
)
def test_what_a_file_cannot_hold(path, cell, params, message):
    path.write_bytes(b"old")
    with pytest.raises(TypeError, match=exactly(message)):
        save(path, cell, params)
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == [path.name]


def test_random_keys_are_no_parameters(path):
    message = f"{KNOWN} key<fry>[] at key"
    with pytest.raises(TypeError, match=exactly(message)):
        save(path, MODEL, {"key": jax.random.key(0)})


# Written as a whole.


def test_a_write_that_fails_leaves_the_old_file(path, saved, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, jr.LSTM(3), {})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_write_replaces(path):
    write(path, b"a longer one")
    write(str(path), b"short")
    assert path.read_bytes() == b"short" and os.listdir(path.parent) == [path.name]


@needs_fork
def test_killed_at_any_moment(path):
    imports = (
        "import itertools, numpy as np, jaxrnn as jr\nfrom jaxrnn.files import save"
    )
    body = f"""
        log = os.open({str(path) + ".log"!r}, os.O_CREAT | os.O_RDWR | os.O_APPEND)
        done = len(os.read(log, 10**6).split())
        for i in itertools.count(done):
            array = np.full((200, 300), i, np.float32)
            save({str(path)!r}, jr.LSTM(i + 1), {{"a": array, "b": (array,)}})
            os.write(log, b"%d\\n" % i)
    """
    rng = random.Random(0)
    with Victims(imports, body) as victims:
        for _ in range(60):
            victims.kill_one(after=rng.uniform(0, 0.03))
            log = path.with_name(path.name + ".log")
            done = len(log.read_text().split()) if log.exists() else 0
            if done:
                cell, params = load(path)
                # The last save that returned, or the one after it.
                assert cell.hidden_size in (done, done + 1)
                a, b = jax.tree.leaves(params)
                assert (a == cell.hidden_size - 1).all() and (a == b).all()
    assert done > 10
