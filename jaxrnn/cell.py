"""The contract of every recurrent cell: one step, and what can be done around it."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxrnn import checks, product
from jaxrnn.spec import Spec
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class Cell(Spec):
    """One step of a recurrence, as pure functions of parameters, carry and input.

    A cell is a frozen description of hyper-parameters and holds no array. Run by hand,
    a sequence is this loop; `jaxrnn.unroll` is the same, compiled::

      ready = cell.prepare(params)
      carry = cell.initial_carry(ready, batch_shape)
      for x in xs:
          carry, y = cell.step(ready, carry, x)

    A cell of your own needs `init` and `recur`, and `initial_carry` unless its carry is
    one array `[*batch, hidden_size]` of zeros. The other methods have defaults; state
    one where it saves work.

    A field of type `int` is a size and must be at least 1.

    Attributes:
      dtype: what products compute in and outputs are cast to; None: the parameters'.
      param_dtype: what `init` makes parameters in; None: float32. A container hands
        both to those of its cells that state none.

    Example:
      A leaky integrator, h = a h' + (1 - a) W x:

      >>> import jaxrnn as jr
      >>> class Leaky(jr.Cell):
      ...     hidden_size: int
      ...     rate: float = 0.9
      ...
      ...     def init(self, key, input_size=None):
      ...         shape = (input_size, self.hidden_size)
      ...         return {"kernel": jax.random.normal(key, shape)}
      ...
      ...     def project(self, ready, x, *, key=None):
      ...         return x @ ready["kernel"]
      ...
      ...     def recur(self, ready, carry, z):
      ...         h = self.rate * carry + (1 - self.rate) * z
      ...         return h, h
      >>> cell = Leaky(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))  # [T, B, input]
      >>> ys.shape
      (7, 2, 4)
    """

    dtype: Any = dataclasses.field(default=None, kw_only=True)
    param_dtype: Any = dataclasses.field(default=None, kw_only=True)

    input_ndim: ClassVar[Any] = 1
    """Rank of one input of one row: 0 for token ids, 1 for vectors."""

    input_kernel: ClassVar[Any] = None
    """Where in `ready` the matrix K stands that reads the input, such as `("kernel",)`.

    Who states it claims that the floating leaves of `project(ready, x)`, side by side,
    are x K + b, whatever the key. Inputs that are fed back, such as a context vector,
    then meet their rows of K inside the loop, and the others theirs before it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Another `project` reads its input in another way, unless it says that it does.
        if "project" in cls.__dict__ and "input_kernel" not in cls.__dict__:
            cls.input_kernel = None
        super().__init_subclass__(**kwargs)

    def __post_init__(self) -> None:
        for name in ("dtype", "param_dtype"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, jnp.dtype(getattr(self, name)).name)
        if self.dtype is not None or self.param_dtype is not None:
            for field in dataclasses.fields(self):
                value = getattr(self, field.name)
                object.__setattr__(self, field.name, self._hand_down(value))
        for field in dataclasses.fields(self):
            if field.type in (int, "int"):
                checks.positive(**{field.name: getattr(self, field.name)})
        super().__post_init__()

    def _hand_down(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._hand_down(v) for v in value)
        if not isinstance(value, Cell):
            return value
        dtype, param_dtype = (
            value.dtype or self.dtype,
            value.param_dtype or self.param_dtype,
        )
        if (dtype, param_dtype) == (value.dtype, value.param_dtype):
            return value
        return value.replace(dtype=dtype, param_dtype=param_dtype)

    @property
    def causal(self) -> bool:
        """Whether an output depends on no later input, so that the cell can `step`."""
        return all(part.causal for part in self.parts())

    @property
    def has_memory(self) -> bool:
        """Whether a step leaves anything to the next: whether the carry has leaves."""
        return True

    def parts(self) -> Iterator["Cell"]:
        """The cells in the fields of this one."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Cell):
                    yield part

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, "Cell", PyTree, Size | None]]:
        """The cells inside, each as `(name, cell, params, input_size)`, for a summary.

        A container states them; the params of each are a part of its own.
        """
        yield from ()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        """Random parameters, once per model: a dict of arrays or a tuple of them."""
        raise NotImplementedError(f"{type(self).__name__} must define `init`")

    def output_size(self, input_size: Size | None) -> Size:
        """The size of one output of one row, for inputs of `input_size`."""
        return _output_size(self, input_size)

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        context: PyTree = None,
    ) -> PyTree:
        """What no step changes, once per sequence: casts, built matrices, drawn masks.

        Args:
          params: what `init` returned.
          input_shape: the shape of one step's input, batch axes included.
          key: randomness of this sequence; None means evaluation.
          context: what the whole sequence may look at, such as a memory to attend to.
        """
        return product.cast(params, self.dtype)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        """The state before the first step; every leaf starts with the batch axes."""
        size = getattr(self, "hidden_size", None)
        if size is None:
            raise NotImplementedError(
                f"{type(self).__name__} must define `initial_carry`, or have a field "
                "`hidden_size`"
            )
        return product.zeros(ready, (*batch_shape, size))

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        """All of a step that needs no carry; `x` may have any leading axes."""
        return x

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        """The rest of the step: `(next carry, output)`. Pure; draws nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define `recur`")

    def step(
        self, ready: PyTree, carry: PyTree, x: PyTree, *, key: Key | None = None
    ) -> tuple[PyTree, PyTree]:
        """One step: `recur` of `project`. For streaming, decoding and acting.

        Args:
          ready: what `prepare` returned.
          carry: the state so far.
          x: one step's input, `[*batch, ...]`.
          key: randomness of this step: `jax.random.fold_in(key, t)` gives the numbers
            that `unroll` draws under `key`.
        """
        carry, y = self.recur(ready, carry, self.project(ready, x, key=key))
        return carry, self.cast_output(y)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        """The cell through time; a container says here how its cells are run.

        Args:
          ready: what `prepare` returned.
          carry: the state before the first step.
          xs: inputs, time first.
          run: the engine: `run(cell, ready, carry, xs)` runs a cell inside this one.
        """
        return run.scan(self, ready, carry, xs)

    def hidden(self, carry: PyTree) -> Array:
        """The leaf of the carry that the recurrent product reads."""
        return carry.hidden if hasattr(carry, "hidden") else carry

    def with_hidden(self, carry: PyTree, hidden: Array) -> PyTree:
        """The carry with another hidden state."""
        return carry._replace(hidden=hidden) if hasattr(carry, "hidden") else hidden

    def cast_output(self, y: PyTree) -> PyTree:
        """Outputs in `dtype`, where one is stated."""
        dtype = self.dtype or self.param_dtype
        if dtype is None:
            return y
        floating = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
        return jax.tree.map(lambda a: a.astype(dtype) if floating(a) else a, y)

    def check_input(self, xs: PyTree) -> None:
        """Raise for values that this cell cannot take, where they are concrete."""
        for part in self.parts():
            part.check_input(xs)
            break


class Memoryless(Cell):
    """A cell without a carry: all its work is in `project`, one call for all steps."""

    @property
    def has_memory(self) -> bool:
        return False

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        return ()

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        return carry, z

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        return carry, run.project(self, ready, xs)


def sequence_key(key: Key | None) -> Key | None:
    """The part of a sequence's key that `prepare` gets; step t gets `fold_in(key, t)`.

    Stepping by hand with these two draws the numbers that `unroll(key=key)` draws.
    """
    return None if key is None else jax.random.fold_in(key, 0xFFFFFFFF)


@functools.lru_cache(maxsize=1024)
def _output_size(cell: Cell, input_size: Size | None) -> Size:
    def one_output(key: Key) -> Array:
        x = jnp.zeros(input_size if isinstance(input_size, tuple) else (input_size,))
        ready = cell.prepare(cell.init(key, input_size), input_shape=x.shape)
        return cell.step(ready, cell.initial_carry(ready, ()), x)[1]

    shape = jax.eval_shape(one_output, jax.random.key(0)).shape
    return shape[0] if len(shape) == 1 else shape
