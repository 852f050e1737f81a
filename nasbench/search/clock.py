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

    Attributes:
        now: simulated seconds since the start.
        idle: workers that have no job.
        running: the jobs that have not ended, as a heap: when each ends, and its place among all.

    Example:
        >>> clock = Clock(workers=2)
        >>> clock.start("long", 5.0)
        >>> clock.start("short", 2.0)
        >>> clock.next(), clock.now
        ('short', 2.0)
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise NasbenchError(f"a search needs 1 worker or more, got {workers}")
        self.now = 0.0
        self.idle = workers
        self._started = 0
        self.running: list[tuple[float, int, Job]] = []

    def start(self, job: Job, finished: float) -> None:
        """Give an idle worker a job that ends at that time."""
        heapq.heappush(self.running, (finished, self._started, job))
        self._started += 1
        self.idle -= 1

    def next(self) -> Job:
        """Go on to the end of the job that ends first."""
        self.now, _, job = heapq.heappop(self.running)
        self.idle += 1
        return job
