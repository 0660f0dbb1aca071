"""Ctrl-C that waits for a good moment."""

import signal
import threading
from typing import Any


class Interrupt:
    """While it is entered, Ctrl-C is a flag to look at; a second one strikes at once.

    A step takes over the arrays of its state: an exception in the middle of the call
    could lose both the old state and the new one.

    Attributes:
      requested: whether Ctrl-C was pressed.

    Example:
      >>> with Interrupt() as interrupt:
      ...     signal.raise_signal(signal.SIGINT)
      ...     print(interrupt.requested)
      True
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __enter__(self) -> "Interrupt":
        handler = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and handler not in (signal.SIG_IGN, None):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
