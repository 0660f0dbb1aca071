"""`jaxrnn sample`: a trained model writes."""

import argparse

from jaxrnn.cli.folder import read_run
from jaxrnn.cli.options import blaming
from jaxrnn.models.sampling import sample


def run_sample(options: argparse.Namespace) -> int:
    """Print text as it is drawn.

    Args:
      options: what the parser returned.

    Returns:
      The exit status.
    """
    run = read_run(options.run)
    model, params = run.best()
    with blaming():
        pieces = sample(
            model,
            params,
            run.vocabulary,
            length=options.length,
            prime=options.prime,
            temperature=options.temperature,
            seed=options.seed,
        )
    print(options.prime, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    return 0
