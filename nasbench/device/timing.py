"""Timing networks in turn, so that a slow moment of the machine falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIGH", "LOW", "time_in_turn"]

LOW, HIGH = 0.1, 0.9
"""The quantiles that sum up the runs: LOW is reported, HIGH - LOW is the spread."""

LEAST_ROUNDS = 5


def time_in_turn(
    runs: Sequence[Callable[[], object]], *, warm_up: int, repeats: int, seconds: float
) -> NDArray[np.float64]:
    """Run everything once a round and time each: seconds, float64 `[runs, rounds]`.

    Args:
        runs: what is timed; each returns when its work is done.
        warm_up: untimed runs of each.
        repeats: most rounds.
        seconds: for each of the runs; after `LEAST_ROUNDS` rounds no new one starts once
            all together have taken that long.
    """
    for run in runs:
        for _ in range(warm_up):
            run()
    rounds: list[list[float]] = []
    end = time.perf_counter() + seconds * len(runs)
    while len(rounds) < repeats and (len(rounds) < LEAST_ROUNDS or time.perf_counter() < end):
        taken: list[float] = []
        for run in runs:
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        rounds.append(taken)
    return np.asarray(rounds, dtype=np.float64).T
