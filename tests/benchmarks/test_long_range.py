"""The long-range benchmark: what is run, what is kept, and what is claimed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import tree_leaves_with_path

import jaxrnn as jr
from benchmarks.long_range import experiments
from benchmarks.long_range.experiments import CELLS, CLAIMED, experiment
from benchmarks.long_range.picture import draw
from benchmarks.long_range.report import CLAIMS, judged, lines, mostly_stays, sooner
from benchmarks.long_range.tasks import DIGITS, TASKS, held_out
from benchmarks.long_range.training import Outcome, batches, run, save, saved

SHORT = {"hidden": 4, "batch": 3, "updates": 4, "every": 2}


def short(task, steps, learner, **changes):
    one = experiment(task, steps, learner)
    return one._replace(recipe=one.recipe._replace(**SHORT | changes))


def outcome(name, *curves, every=10):
    """What an experiment would have come to that measured so at its tests."""
    task, steps, learner = name.split("-", 2)
    one = experiment(task, int(steps), learner)
    updates = [every * i for i in range(len(curves[0]))]
    one = one._replace(recipe=one.recipe._replace(updates=updates[-1], every=every))
    return Outcome(one, [*range(len(curves))], updates, [*map(list, curves)], 1.0)


@pytest.mark.slow
def test_a_seed_does_not_depend_on_the_others(tmp_path):
    one = short("adding", 10, "irnn")
    # optax counts in integers, and mixes them with floats.
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        alone, among = run(one, [5]), run(one, [3, 5])
    assert among.updates == alone.updates == [0, 2, 4]
    np.testing.assert_allclose(among.curves[1], alone.curves[0], rtol=1e-5)
    assert among.curves[0] != among.curves[1]
    save(tmp_path, among)
    assert saved(tmp_path, one, [3, 5]).curves == among.curves
    assert saved(tmp_path, one, [3]) is None
    assert saved(tmp_path, short("adding", 10, "irnn", rate=1.0), [3, 5]) is None


def test_an_outcome_is_not_taken_for_another_cells(tmp_path, monkeypatch):
    found = outcome("adding-200-gru", [0.2, 0.01])
    save(tmp_path, found)
    assert saved(tmp_path, found.experiment, [0]).curves == found.curves
    monkeypatch.setitem(CELLS, "gru", lambda size: jr.GRU(size, reset="after"))
    assert saved(tmp_path, found.experiment, [0]) is None


def test_noise_is_new_on_every_input_and_the_same_again():
    plain, noisy = (short("permuted", 64, "gru", noise=noise) for noise in (0.0, 0.5))
    (xs, targets), (others, same) = (batches(one, [0, 1], 2) for one in (plain, noisy))
    added = others - xs
    np.testing.assert_array_equal(targets, same)
    assert added.dtype == np.float32 and abs(added.std() - 0.5) < 0.05
    assert len(np.unique(added)) > 0.99 * added.size
    np.testing.assert_array_equal(others, batches(noisy, [0, 1], 2)[0])


def test_digits_held_out_are_some_of_those_to_train_on():
    pytest.importorskip("sklearn")
    rows = lambda xs: {tuple(x) for x in xs[..., 0].T.tolist()}
    for name, parts in DIGITS.items():
        train, test = parts(64)
        for steps in (64, 256):
            assert held_out(parts)(steps)[1].xs.shape == (steps, 287, 1)
        own, judged_by = held_out(parts)(64)
        assert rows(own.xs) | rows(judged_by.xs) == rows(train.xs)
        assert not rows(judged_by.xs) & rows(test.xs), name
    with pytest.raises(ValueError, match=r"digits have 64 steps, 256, 576 .*got 100"):
        TASKS["digits"].test(100)


def test_the_state_may_have_a_rate_of_its_own():
    recipe = experiment("adding", 200, "orthogonal-slow").recipe
    model = TASKS["adding"].model(jr.OrthogonalRNN(3))
    params = model.init(jax.random.key(0), 2)
    optimizer = recipe.transformation()
    slopes = jax.tree.map(jnp.ones_like, params)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integers with floats
        start = lambda given: optimizer.update(slopes, optimizer.init(given), given)
        steps, _ = jax.jit(start)(params)
    taken = {path[-1].key: float(-a.mean()) for path, a in tree_leaves_with_path(steps)}
    ratio = recipe.recurrent_rate / recipe.rate
    assert taken.pop("skew_kernel") == pytest.approx(ratio * taken["kernel"], rel=1e-4)
    assert len(set(np.round([*taken.values()], 6))) == 1


@pytest.mark.parametrize("task", ["adding", "copy", "order"])
def test_batches_are_new_and_apart(task):
    one = short(task, 20, "tanh")
    (xs, targets), (later, _) = (batches(one, [0, 1], done) for done in (2, 4))
    first, _ = TASKS[task].test(20)
    assert xs.shape == (2, 2, len(first), 3, *first.shape[2:])
    assert not np.array_equal(xs, later) and not np.array_equal(xs[:, 0], xs[:, 1])
    drawn = TASKS[task].draw(20, 6, (1, 2))
    np.testing.assert_array_equal(xs[1, 1, :, 2], drawn.xs[:, 5])
    time_first = targets.shape[2] == len(first)
    last = targets[1, 1, :, 2] if time_first else targets[1, 1, 2]
    np.testing.assert_array_equal(
        last, drawn.targets[:, 5] if time_first else drawn.targets[5]
    )


def test_as_many_rows_as_steps_are_no_riddle():
    one = short("copy", 20, "tanh", batch=20)
    xs, targets = batches(one, [0], 2)
    assert xs.shape == targets.shape == (1, 2, 40, 20)
    one = short("order", 40, "tanh", batch=20)
    xs, targets = batches(one, [0], 2)
    assert xs.shape == (1, 2, 40, 20) and targets.shape == (1, 2, 20)


def test_what_is_asked_for():
    claims = {name for claim in CLAIMS for name in claim.experiments}
    assert claims <= {one.name for one in experiments.claimed(TASKS)}
    assert {one.task for one in experiments.claimed(["copy"])} == {"copy"}
    learners = {one.learner.split("+")[0] for one in experiments.quick()}
    assert learners == set(CELLS)
    own = [*experiments.crossed(["copy"], [7], ["gru", "mut1"])]
    assert [one.name for one in own] == ["copy-7-gru", "copy-7-mut1"]
    for task, steps in CLAIMED:
        everything = {one.name for one in experiments.crossed([task], [steps])}
        assert {n for n in claims if n.startswith(f"{task}-{steps}-")} <= everything


def test_a_task_is_solved_when_its_bar_is_reached():
    found = outcome("adding-200-gru", [0.2, 0.01, 0.3], [0.2, 0.02, 0.001])
    assert found.solved_at == [10, 20] and found.last == [0.3, 0.001]
    never = outcome("adding-200-lstm-0", [0.2, np.nan, 0.1], [0.2, 0.02, 0.001])
    assert never.solved_at == [None, 20]
    assert sooner(found, never) and not sooner(never, found)


def test_staying_near_the_baseline():
    steps = [0.173] * 6
    assert mostly_stays(outcome("copy-100-lstm-1", [*steps, 0.1]))
    assert not mostly_stays(outcome("copy-100-lstm-1", [*steps[:3], *[0.1] * 4]))


def test_claims_are_told(tmp_path):
    bad, good = [0.9, 0.9], [0.9, 0.0001]
    found = {}
    for one in experiments.claimed(TASKS):
        curve = bad if "tanh" in one.learner and "omega" not in one.learner else good
        if one.name == "copy-100-lstm-1":
            curve = bad
        slow = [*bad, *curve] if one.learner == "lstm-0" else curve
        found[one.name] = outcome(one.name, slow, slow, slow)
    assert all(claim.seen(found) for claim in CLAIMS)
    assert "\n".join(judged(found)).count(" yes |") == len(CLAIMS)
    assert "3 of 3" in "\n".join(lines(found))
    del found["copy-100-unitary"]
    assert "not run |" in "\n".join(judged(found))
    draw(tmp_path / "picture.png", [*found.values()][:2], title="two")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
