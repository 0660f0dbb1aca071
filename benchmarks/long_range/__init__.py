"""The papers' tasks with long dependencies, and which cells learn them.

    python -m benchmarks.long_range [--quick]

Alone it runs what `report.CLAIMS` is about: three seeds of each experiment, side by
side in one program. `--tasks`, `--cells` and `--lengths` ask for others, `--all` for
all of them. What is finished lies in the folder as JSON, and is not run again: a run
that was stopped goes on with the experiment that it was in.

`tasks` says what is read, answered and judged, `experiments` which cell learns it and
how, `training` runs an experiment, `report` makes the table and holds it against the
papers, `picture` draws the curves. A cell more is a line more in `experiments.CELLS`.
"""
