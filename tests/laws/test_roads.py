"""However a cell is run, the numbers are the same."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from laws.case import Case, in_time, loop
from laws.gradients import gradients
from laws.harness import (
    BATCH,
    BY_LENGTHS,
    HOLES,
    LENGTHS,
    RESETS,
    STEPS,
    close,
    law,
    same_bits,
    stepping,
)


@law(cheap=True, needs=(stepping,))
def test_a_scan_is_its_steps(case: Case) -> None:
    close(case.unroll(mask=HOLES), loop(case, mask=HOLES)[:2])


@law(covered=True, needs=(stepping,))
def test_a_scan_is_its_steps_backwards_with_resets(case: Case) -> None:
    options = {"mask": HOLES, "reset": RESETS, "reverse": True}
    close(case.unroll(**options), loop(case, **options)[:2])


@law(dear=True)
def test_jit_is_eager(case: Case) -> None:
    few = case.steps(slice(3))
    compiled = few.unroll(mask=HOLES[:3])
    with jax.disable_jit():
        close(few.unroll(mask=HOLES[:3]), compiled)


@law
def test_vmap_is_a_batch(case: Case) -> None:
    def one(xs, carry, context, lengths):
        return case.unroll(xs=xs, carry=carry, context=context, lengths=lengths)

    alone = jax.vmap(one, in_axes=(1, 0, 0, 0), out_axes=(0, 1))
    carry, ys = alone(case.xs, case.carry, case.context, LENGTHS)
    close((carry, ys), case.unroll(mask=BY_LENGTHS))


@law(covered=True)
def test_several_batch_axes_are_one_flattened(case: Case) -> None:
    fold = lambda a: a.reshape(2, BATCH // 2, *a.shape[1:])
    folded = case.rows(fold).unroll(lengths=fold(LENGTHS))
    carry, ys = case.unroll(mask=BY_LENGTHS)
    close(folded, (jax.tree.map(fold, carry), in_time(fold, ys)))


@law
def test_a_batch_is_its_rows_alone(case: Case) -> None:
    carry, ys = case.unroll(mask=HOLES)
    for row in range(BATCH):
        pick = lambda a, row=row: a[row]
        alone = case.rows(pick).unroll(mask=HOLES[:, row])
        close(alone, (jax.tree.map(pick, carry), in_time(pick, ys)))


@law(covered=True)
def test_no_batch_axis_is_a_batch_of_one(case: Case) -> None:
    carry, ys = case.rows(lambda a: a[2:3]).unroll()
    squeeze = lambda a: np.asarray(a)[0]
    alone = jax.tree.map(squeeze, carry), in_time(squeeze, ys)
    close(case.rows(lambda a: a[2]).unroll(), alone)


@law(covered=True)
def test_batch_major_is_time_major(case: Case) -> None:
    swap = lambda a: np.swapaxes(a, 0, 1)
    options = {"mask": HOLES.T, "reset": RESETS.T, "time_axis": 1}
    carry, ys = case.unroll(xs=jax.tree.map(swap, case.xs), **options)
    expected = case.unroll(mask=HOLES, reset=RESETS)
    same_bits((carry, jax.tree.map(swap, ys)), expected)


@law(needs=(stepping,))
def test_chunks_are_the_whole(case: Case) -> None:
    begun, ended = slice(0, 3), slice(3, STEPS)
    for backwards, order in ((False, (begun, ended)), (True, (ended, begun))):
        carry, outputs = case.carry, {}
        for part in order:
            chunk = case.steps(part).but(carry=carry)
            carry, outputs[part.start] = chunk.unroll(reverse=backwards)
        ys = jax.tree.map(lambda a, b: np.concatenate([a, b]), outputs[0], outputs[3])
        close((carry, ys), case.unroll(reverse=backwards))


@law(needs=(stepping,))
def test_checkpointed_is_not(case: Case) -> None:
    flags = {"mask": HOLES, "reset": RESETS}
    roots = (("checkpoint", "sqrt"),)  # 7 = 2 * 3 + 1: a chunk is left over
    close(gradients(case, static=roots, **flags), gradients(case, **flags))


@law(covered=True, needs=(stepping,))
def test_checkpointed_backwards_is_not(case: Case) -> None:
    flags = {"mask": HOLES, "reset": RESETS, "reverse": True}
    for size in (1, 2, 100):
        close(case.unroll(checkpoint=size, **flags), case.unroll(**flags))


@law
def test_sharded_over_eight_devices_is_one(case: Case) -> None:
    assert len(jax.devices()) == 8, "see tests/conftest.py"
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    place = lambda *axes: NamedSharding(mesh, PartitionSpec(*axes))
    sharded = case.but(
        xs=jax.device_put(case.xs, place(None, "batch")),
        carry=jax.device_put(case.carry, place("batch")),
        context=jax.device_put(case.context, place("batch")),
        params=jax.device_put(case.params, place()),
    )
    flags = {"mask": HOLES, "reset": RESETS}
    placed = jax.device_put(flags, place(None, "batch"))
    value, grads = gradients(sharded, **placed)
    close((value, grads), gradients(case, **flags))
    assert not any(g.sharding.is_fully_replicated for g in jax.tree.leaves(grads[1:]))
