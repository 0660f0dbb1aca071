"""The command line: `jaxrnn train` and `jaxrnn sample`."""

import os
import sys
from collections.abc import Sequence

from jaxrnn.cli.options import BadInput, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
      argv: the words after `jaxrnn`; None: those of the process.

    Returns:
      The exit status: 0, or 2 for bad input, which is told in one line.
    """
    try:
        options = parser().parse_args(argv)
        if options.command == "train":
            from jaxrnn.cli.train import run_train as run
        else:
            from jaxrnn.cli.sample import run_sample as run
        return run(options)
    except BadInput as error:
        print(f"jaxrnn: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"jaxrnn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("jaxrnn: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
