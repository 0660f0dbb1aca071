"""The names of types that signatures use."""

from typing import Any

import jax

Array = jax.Array
Key = jax.Array
PyTree = Any
Shape = tuple[int, ...]
Size = int | tuple[int, ...]
