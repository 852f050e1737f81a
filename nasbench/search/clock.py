"""Simulated time: workers that finish in the order of their clocks, without anybody waiting."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

from nasbench.errors import NasbenchError

__all__ = ["Clock"]

Job = TypeVar("Job")


class Clock(Generic[Job]):
    """An event queue with a number of workers.

    Jobs that end at the same time end in the order in which they started.

    Args:
        workers: how many jobs run at a time.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise NasbenchError(f"a search needs 1 worker or more, got {workers}")
        self.now = 0.0
        self._idle = workers
        self._started = 0
        self._running: list[tuple[float, int, float, Job]] = []

    @property
    def idle(self) -> int:
        """Workers that have no job."""
        return self._idle

    @property
    def running(self) -> int:
        """Jobs that have not ended."""
        return len(self._running)

    def start(self, job: Job, seconds: float) -> None:
        """Give a job of that length to an idle worker, now."""
        heapq.heappush(self._running, (self.now + seconds, self._started, self.now, job))
        self._started += 1
        self._idle -= 1

    def next(self) -> tuple[Job, float, float]:
        """Go on to the end of the job that ends first: the job, its start and its end."""
        finished, _, started, job = heapq.heappop(self._running)
        self.now = finished
        self._idle += 1
        return job, started, finished
