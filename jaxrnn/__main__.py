"""The command line: `jaxrnn train`, `sample`, `translate` and `convert`."""

import os
import sys
from collections.abc import Sequence

from jaxrnn.cli.options import BadInput, parser
from jaxrnn.cli.translate_options import spoken


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
      argv: the words after `jaxrnn`; None: those of the process.

    Returns:
      The exit status: 0; 2 for bad input, which is told in one line; 1 where numbers
      ran out of range, 130 after Ctrl-C, 141 where nobody reads any more.
    """
    try:
        words = sys.argv[1:] if argv is None else [*argv]
        options = parser().parse_args(spoken(words))
        if options.command == "train":
            from jaxrnn.cli.train import run_train as run
        elif options.command == "sample":
            from jaxrnn.cli.sample import run_sample as run
        elif options.command == "convert":
            from jaxrnn.cli.convert import run_convert as run
        elif options.command == "translate train":
            from jaxrnn.cli.translate_train import run_translate_train as run
        else:
            from jaxrnn.cli.translate import run_translate as run
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
