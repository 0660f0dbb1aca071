"""The command line: `python -m benchmarks.long_range --help`."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.long_range import experiments
from benchmarks.long_range.experiments import CELLS, CLAIMED, Experiment
from benchmarks.long_range.picture import draw
from benchmarks.long_range.report import judged, lines
from benchmarks.long_range.tasks import TASKS, held_out_tasks, mnist_tasks
from benchmarks.long_range.training import Outcome, run, save, saved
from benchmarks.machine import describe, record, versions

TASK_NAMES = [*dict.fromkeys(task for task, _ in CLAIMED)]
MNIST_LEARNERS = ("lstm-1", "gru", "irnn", "tanh")
LEARNERS = (*CELLS, *CLAIMED["order", 100])


def options() -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_range",
        description="Which cells learn tasks with long dependencies. What is done "
        "already, in the same way, is not done again.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="all once, too short to learn anything")
    add("--all", action="store_true", help="all tasks, lengths and cells")
    add("--tasks", nargs="+", choices=TASK_NAMES, help="all of these, as claimed")
    add("--cells", nargs="+", choices=LEARNERS, help="with these, whatever is claimed")
    add("--lengths", nargs="+", type=int, metavar="T", help="at these lengths")
    add("--seeds", type=int, default=3, metavar="N", help="runs side by side (3)")
    add("--mnist", metavar="FILE", help="MNIST's train-images-idx3-ubyte: its tasks")
    held = "digits: judge by a fifth of those to train on, to choose settings by"
    add("--held-out", action="store_true", help=held)
    add("--folder", type=Path, default=Path("benchmarks-out/long_range"))
    return parser.parse_args()


def asked(args: argparse.Namespace) -> list[Experiment]:
    """The experiments to run."""
    if args.mnist:
        TASKS.update(own := mnist_tasks(args.mnist))
        return [*experiments.crossed(own, None, args.cells or MNIST_LEARNERS)]
    if args.quick:
        return [*experiments.quick()]
    tasks = args.tasks or TASK_NAMES
    if args.all or args.cells or args.lengths:
        lengths = lambda task: TASKS[task].lengths if args.all else args.lengths
        each = (experiments.crossed([t], lengths(t), args.cells) for t in tasks)
        return [*itertools.chain(*each)]
    return [*experiments.claimed(tasks)]


def outcomes(
    asked: Sequence[Experiment], seeds: Sequence[int], folder: Path
) -> dict[str, Outcome]:
    """Run what was not run before, each result on disk as soon as it is there."""
    found = {}
    total = sum(one.recipe.updates for one in asked)
    with tqdm(total=total, unit="update", dynamic_ncols=True) as bar:
        for one in asked:
            begun = bar.n

            def tell(done: int, measured: list[float], one=one, begun=begun) -> None:
                told = " ".join(f"{each:.4f}" for each in measured)
                bar.set_description(f"{one.name}: {told}", refresh=False)
                bar.update(begun + done - bar.n)

            outcome = saved(folder, one, seeds) or run(one, seeds, tell=tell)
            save(folder, outcome)
            found[one.name] = outcome
            bar.update(begun + one.recipe.updates - bar.n)
    return found


def main() -> None:
    args = options()
    print(describe())
    part = "quick" if args.quick else "held-out" if args.held_out else ""
    folder = args.folder / part
    if args.held_out:
        TASKS.update(held_out_tasks())
    found = outcomes(asked(args), [*range(args.seeds)], folder)
    print(*lines(found), sep="\n")
    if not args.quick:
        print("", *judged(found), sep="\n")
    picture = folder / "curves.png"
    draw(picture, found.values(), title=f"{describe()}; {args.seeds} seeds")
    record(folder / "table.json", versions=versions("jaxlib", "jaxrnn", "optax"))
    print(f"\nwritten: {folder}")


if __name__ == "__main__":
    main()
