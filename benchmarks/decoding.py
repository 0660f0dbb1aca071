"""Symbols a second: greedy decoding, beam search, and a beam search by hand in torch.

    python -m benchmarks.decoding [--quick]

A language model writes `STEPS` symbols a row: `jr.decode` in a batch of 512, and
`jr.beam_search` with a beam of 8 in a batch of 64, so that as many hypotheses go on at
a time. Where torch is installed, both are timed there too: an LSTM cell in a loop over
time, of the same sizes, the slots of a beam as rows of the batch.
"""

import argparse
import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from tqdm import tqdm

import jaxrnn as jr
from benchmarks.machine import describe, interleaved, median, record, table, versions

VOCABULARY, EMBEDDING, HIDDEN = 100, 64, 256
STEPS, BEAM, END = 64, 8, 0
ROWS = 512  # of the greedy batch, and slots of the beam's
Runs = dict[str, Callable[[], Any]]


def with_jaxrnn() -> Runs:
    """Both ways, as calls; no row ends before the last step."""
    model = jr.Stack(
        jr.Embed(VOCABULARY, EMBEDDING), jr.LSTM(HIDDEN), jr.Dense(VOCABULARY)
    )
    params = model.init(jax.random.key(0))
    limits = {"steps": STEPS, "min_steps": STEPS, "end": END}
    first = jnp.arange(ROWS) % VOCABULARY
    decode = functools.partial(jr.decode, model, params, first, **limits)
    search = functools.partial(
        jr.beam_search, model, params, first[: ROWS // BEAM], beam=BEAM, **limits
    )
    return {"jaxrnn, greedy": decode, f"jaxrnn, beam {BEAM}": search}


def with_torch() -> Runs:
    """The same by hand."""
    import torch

    torch.manual_seed(0)
    embed = torch.nn.Embedding(VOCABULARY, EMBEDDING)
    cell = torch.nn.LSTMCell(EMBEDDING, HIDDEN)
    head = torch.nn.Linear(HIDDEN, VOCABULARY)

    def step(x: Any, state: Any, t: int) -> Any:
        state = cell(embed(x), state)
        log_p = torch.log_softmax(head(state[0]), -1)
        if t + 1 < STEPS:
            log_p[:, END] = -torch.inf
        return state, log_p

    @torch.no_grad()
    def greedy() -> Any:
        x, state, ids = torch.arange(ROWS) % VOCABULARY, None, []
        for t in range(STEPS):
            state, log_p = step(x, state, t)
            x = log_p.argmax(-1)
            ids.append(x)
        return torch.stack(ids)

    @torch.no_grad()
    def beam() -> Any:
        batch = ROWS // BEAM
        x = (torch.arange(batch) % VOCABULARY).repeat_interleave(BEAM)
        scores = torch.full((batch, BEAM), -torch.inf)
        scores[:, 0] = 0
        offsets, state, pages = BEAM * torch.arange(batch)[:, None], None, []
        for t in range(STEPS):
            state, log_p = step(x, state, t)
            totals = scores[..., None] + log_p.view(batch, BEAM, -1)
            scores, at = totals.view(batch, -1).topk(BEAM)
            parents = (at // VOCABULARY + offsets).view(-1)
            x, state = (at % VOCABULARY).view(-1), [s[parents] for s in state]
            pages.append((parents, x))
        slots, ids = torch.arange(ROWS), []
        for parents, x in reversed(pages):
            ids.append(x[slots])
            slots = parents[slots]
        return torch.stack(ids[::-1])

    return {"torch, greedy": greedy, f"torch, beam {BEAM}": beam}


def measured(*, repeats: int) -> dict[str, float]:
    """Symbols a second: those of all slots count."""
    runs = with_jaxrnn()
    if importlib.util.find_spec("torch"):
        runs |= with_torch()
    turns = len(runs) * (repeats + 1)  # the first round is not timed
    with tqdm(total=turns, leave=False, dynamic_ncols=True) as bar:

        def counted(name: str, run: Callable[[], Any]) -> Any:
            bar.set_description(name, refresh=False)
            bar.update()
            return run()

        calls = [functools.partial(counted, *each) for each in runs.items()]
        seconds = interleaved(calls, repeats=repeats, pause=0.02)
    found = zip(runs, map(median, seconds), strict=True)
    return {name: STEPS * ROWS / own for name, own in found}


def lines(found: dict[str, float]) -> Iterator[str]:
    """A table, and what the beam costs beside greedy decoding."""
    yield (
        f"\nsymbols a second: LSTM {HIDDEN}, vocabulary {VOCABULARY}, {STEPS} steps; "
        f"greedy {ROWS} rows, beam {ROWS // BEAM} rows of {BEAM} slots"
    )
    rows = [["", "symbols a second", "beside greedy"]]
    for name, rate in found.items():
        greedy = found[f"{name.partition(',')[0]}, greedy"]
        rows.append([name, f"{rate:,.0f}", f"{rate / greedy:.2f}"])
    yield from table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", default="benchmarks-out/decoding.json")
    args = parser.parse_args()
    print(describe())
    found = measured(repeats=5 if args.quick else 21)
    print(*lines(found), sep="\n")
    installed = versions("jaxlib", "jaxrnn", "torch")
    record(args.json, versions=installed, symbols_a_second=found)
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
