"""One strict session: what JAX and Python let pass by default fails here."""

import gc
import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import jax
import pytest
from hypothesis import settings

# A shell that starts a job in the background has it ignore Ctrl-C, and what the job
# starts inherits that; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same numbers on every machine, unless JAX_PLATFORMS asks for another.
if not jax.config.jax_platforms:
    jax.config.update("jax_platforms", "cpu")
# The laws compare in float64, where a wrong equation stands far above the rounding.
# So an array that must be float32 has to say so: jnp.zeros(3, jnp.float32).
jax.config.update("jax_enable_x64", True)
# No dtype changes unless the code says so. Ranks may differ: [B, H] + [H] is how the
# equations add a bias.
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Eight simulated devices, for the law that sharded equals whole. Not by XLA_FLAGS, for
# every subprocess of a test would inherit those.
jax.config.update("jax_num_cpu_devices", 8)
# Most of a test's time is compilation, and a third of that optimisation. Set the
# variable to 0 for programs as users run them; subprocesses of a test inherit it.
if os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1") not in ("0", "false"):
    jax.config.update("jax_disable_most_optimizations", True)
    if jax.__version_info__ < (0, 11):  # a later XLA refuses the flags
        # Each takes a fifth or more of what is left: one module a program, and XLA's
        # older generator of code.
        flags = "--xla_cpu_parallel_codegen_split_count=1"
        flags += " --xla_cpu_use_fusion_emitters=false"
        given = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = given if flags in given else f"{given} {flags}"
# JAX traces into many small objects; to look for cycles among them so often takes time.
gc.set_threshold(100_000, 50, 100)
# One compilation per shape is a law: a cache on disk would answer in its place.
jax.config.update("jax_enable_compilation_cache", False)

# A first example compiles, so none has a deadline; and no failure by chance.
settings.register_profile("jaxrnn", deadline=None, derandomize=True)
settings.load_profile("jaxrnn")

# Assertions in the helpers that tests share explain themselves as those in tests do.
pytest.register_assert_rewrite("laws")


@pytest.fixture
def standard_promotion() -> Iterator[None]:
    """JAX's usual promotion, for a test that runs optax's Adam or one of its schedules.

    Both combine a Python float with their int32 step count, which strict promotion
    forbids: `pytestmark = pytest.mark.usefixtures("standard_promotion")`.
    """
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def as_a_user_runs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """JAX's own settings, and a folder of one's own to stand in."""
    monkeypatch.chdir(tmp_path)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        yield


_finished = itertools.count(1)


@pytest.fixture(autouse=True)
def programs() -> Iterator[None]:
    """Compiled programs go after every 600 tests: a process may map only so many."""
    yield
    if next(_finished) % 600 == 0:
        jax.clear_caches()


class DoctestsAsTheirReaderRunsThem:
    """Examples in docstrings run with JAX's own settings, not with those above."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        if not isinstance(item, pytest.DoctestItem):
            return (yield)
        with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
            return (yield)


def pytest_configure(config: pytest.Config) -> None:
    # As a plugin the hook sees every item; in this file, only those below tests/.
    config.pluginmanager.register(DoctestsAsTheirReaderRunsThem())
