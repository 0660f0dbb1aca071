"""Cells as a user writes them, from the docs alone: they state what they must."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

import jaxrnn as jr
from jaxrnn.product import matmul, zeros


class TracedCarry(NamedTuple):
    """The hidden state, a slow trace of it, and what is heard a step late."""

    hidden: jax.Array
    trace: jax.Array
    heard: jax.Array


@jax.jit
def squash(sum_: jax.Array) -> jax.Array:
    return jnp.tanh(sum_)


class Traced(jr.Cell):
    """h = tanh(z' + U^T h' + V (h' * m')), m = (m' + h) / 2, z = W x + noise."""

    hidden_size: int
    noise: float = 0.1

    def init(self, key, input_size=None):
        W, U, V = jax.random.split(key, 3)
        H, dtype = self.hidden_size, self.param_dtype or jnp.float32
        draw = lambda key, n: jax.random.normal(key, (n, H), dtype) / n
        return {"kernel": draw(W, input_size), "into": draw(U, H), "mixed": draw(V, H)}

    def initial_carry(self, ready, batch_shape):
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return TracedCarry(hidden=start, trace=start, heard=start)

    def project(self, ready, x, *, key=None):
        z = matmul(x, ready["kernel"])
        if key is None:
            return z
        return z + self.noise * jax.random.normal(key, z.shape, z.dtype)

    def recur(self, ready, carry, z):
        fed_back = matmul(carry.hidden, ready["into"].T) + carry.heard
        mixed = matmul(carry.hidden * carry.trace, ready["mixed"])
        h = squash(fed_back + mixed)
        return TracedCarry(hidden=h, trace=(carry.trace + h) / 2, heard=z), h


class CountingCarry(NamedTuple):
    """The running mean, and the number of steps, an integer for every row."""

    hidden: jax.Array
    steps: jax.Array


class Counting(jr.Cell):
    """h = h' + (s * x - h') / n, n = n' + 1: the mean of all inputs so far, scaled."""

    hidden_size: int

    def init(self, key, input_size=None):
        return {"scale": jnp.ones(self.hidden_size, self.param_dtype or jnp.float32)}

    def initial_carry(self, ready, batch_shape):
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return CountingCarry(hidden=start, steps=jnp.zeros(batch_shape, jnp.int32))

    def project(self, ready, x, *, key=None):
        return x.astype(ready["scale"].dtype) * ready["scale"]

    def recur(self, ready, carry, z):
        steps = carry.steps + 1
        h = carry.hidden + (z - carry.hidden) / steps[..., None].astype(z.dtype)
        return CountingCarry(hidden=h, steps=steps), h


class Labelled(jr.Cell):
    """h = tanh(W x + E[token] + U h'): its input is a tree, a vector and a token id."""

    hidden_size: int
    vocab_size: int
    input_ndim: ClassVar = {"vector": 1, "token": 0}

    def init(self, key, input_size=None):
        W, E, U = jax.random.split(key, 3)
        H, dtype = self.hidden_size, self.param_dtype or jnp.float32
        draw = lambda key, n: jax.random.normal(key, (n, H), dtype) / n
        return {
            "kernel": draw(W, input_size),
            "embedding": draw(E, self.vocab_size),
            "recurrent_kernel": draw(U, H),
        }

    def project(self, ready, x, *, key=None):
        label = jax.nn.one_hot(x["token"], self.vocab_size, dtype=x["vector"].dtype)
        return matmul(x["vector"], ready["kernel"]) + matmul(label, ready["embedding"])

    def recur(self, ready, carry, z):
        h = jnp.tanh(z + matmul(carry, ready["recurrent_kernel"]))
        return h, h
