"""The same key draws the same numbers on every road, and no key draws none."""

import jax
import numpy as np

from laws.case import Case, loop
from laws.harness import HOLES, close, law, same_bits, stepping

KEY = jax.random.key(3)


@law(covered=True, needs=(stepping,))
def test_steps_draw_what_a_scan_draws(case: Case) -> None:
    close(case.unroll(key=KEY), loop(case, key=KEY)[:2])


@law(covered=True, needs=(stepping,))
def test_chunks_draw_what_the_whole_draws(case: Case) -> None:
    whole = case.unroll(key=KEY)
    carry, begun = case.steps(slice(3)).unroll(key=KEY)
    later = case.steps(slice(3, None)).but(carry=carry)
    carry, ended = later.unroll(key=KEY, start=3)
    ys = jax.tree.map(lambda a, b: np.concatenate([a, b]), begun, ended)
    close((carry, ys), whole)


@law(covered=True, needs=(stepping,))
def test_checkpointed_draws_what_the_whole_draws(case: Case) -> None:
    close(case.unroll(key=KEY, checkpoint=3), case.unroll(key=KEY))


@law(cheap=True)
def test_without_a_key_every_run_gives_the_same_bits(case: Case) -> None:
    same_bits(case.unroll(mask=HOLES), case.unroll(mask=HOLES, key=None))


@law(dear=True)
def test_no_key_is_used_twice(case: Case) -> None:
    with jax.debug_key_reuse(True):
        case.unroll(key=KEY)
