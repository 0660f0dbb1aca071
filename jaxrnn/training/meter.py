"""Numbers that the device computes, read without ever waiting for the step at hand."""

import time
from collections import deque

import jax

from jaxrnn.training.step import Metrics


class Meter:
    """The metrics of past steps, as numbers, once they are surely known.

    Reading a number waits for the step that computes it, and the device then waits for
    the next step to be sent. So metrics queue up here, and are read now and then, those
    that are finished. The queue is bounded, which also bounds how far the host can run
    ahead of the device.

    Args:
      every: seconds between two readings.
      limit: the most metrics that queue up; then `read` waits for the older half.

    Example:
      >>> import jax.numpy as jnp
      >>> meter = Meter()
      >>> for value in (3.0, 2.0):
      ...     meter.add({"loss": jnp.array(value)})
      >>> meter.read(wait=True)
      [{'loss': 3.0}, {'loss': 2.0}]
    """

    def __init__(self, *, every: float = 0.5, limit: int = 64) -> None:
        self.every, self.limit = every, limit
        self._queue: deque[Metrics] = deque()
        self._due = time.monotonic() + every

    def add(self, metrics: Metrics) -> None:
        """Queue the metrics of one step.

        Args:
          metrics: scalars on the device.
        """
        self._queue.append(metrics)

    def read(self, *, wait: bool = False) -> list[dict[str, float]]:
        """The metrics of steps that were not read before, oldest first.

        Args:
          wait: for all of them; otherwise only what is finished, and mostly nothing.

        Returns:
          A dict of numbers for each step.
        """
        full = len(self._queue) >= self.limit
        if not (wait or full or time.monotonic() >= self._due):
            return []
        if full:
            jax.block_until_ready(self._queue[self.limit // 2])
        finished = []
        while self._queue and (wait or _is_ready(self._queue[0])):
            finished.append(self._queue.popleft())
        self._due = time.monotonic() + self.every
        return [
            {name: float(value) for name, value in metrics.items()}
            for metrics in jax.device_get(finished)
        ]


def _is_ready(metrics: Metrics) -> bool:
    return all(value.is_ready() for value in metrics.values())  # type: ignore[attr-defined]
