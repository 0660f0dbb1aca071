"""Processes to kill: what they leave on disk must be whole."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

SCRIPT = """
import os, sys, traceback
{imports}

def work():
{body}

for _ in sys.stdin:
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Victims:
    """One process that has done the slow imports, and forks of it that work for ever.

    Args:
      imports: source, run once; it must not use JAX yet, whose threads survive no fork.
      body: source, what each fork does.
    """

    def __init__(self, imports: str, body: str) -> None:
        script = SCRIPT.format(
            imports=textwrap.dedent(imports),
            body=textwrap.indent(textwrap.dedent(body), "    "),
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def kill_one(self, after: float) -> None:
        """Lets a fork work for so many seconds, then kills it."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        assert int(self.process.stdout.readline()) == -signal.SIGKILL
