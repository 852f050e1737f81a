"""Simulated time against a simulation that ticks second by second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import MadeUpOracle, Scripted, spec, whole

from nasbench.errors import NasbenchError
from nasbench.search import Budget, search


def _ticking(lengths: list[int], workers: int, limit: int, most: int) -> list[tuple[int, int, int]]:
    """(ask, started, finished) in the order of telling, found by counting every second."""
    told: list[tuple[int, int, int]] = []
    left: dict[int, int] = {}  # ask to the seconds it still needs
    started: dict[int, int] = {}
    todo = list(enumerate(lengths))[:most]

    def fill(now: int) -> None:
        while todo and len(left) < workers:
            ask, length = todo.pop(0)
            left[ask], started[ask] = length, now

    for now in range(limit + 1):
        fill(now)
        while 0 in left.values():
            ask = min(ask for ask, seconds in left.items() if seconds == 0)
            del left[ask]
            told.append((ask, started[ask], now))
            fill(now)
        left = {ask: seconds - 1 for ask, seconds in left.items()}
    return told


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    workers=st.integers(1, 6),
    limit=st.integers(1, 60),
    most=st.integers(1, 30),
)
def test_run_is_the_ticking_simulation(
    lengths: list[int], workers: int, limit: int, most: int
) -> None:
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: lengths[architecture])
    strategy = Scripted(whole(architecture) for architecture in range(len(lengths)))
    budget = Budget(evaluations=most, seconds=limit)
    run = search(spec(budget, workers=workers), oracle, strategy=strategy)
    done = [(e.ask, e.started, e.finished) for e in run.evaluations]
    assert done == _ticking(lengths, workers, limit, most)
    assert [query.architecture for query, _ in strategy.told] == [ask for ask, _, _ in done]


@pytest.mark.parametrize("workers", [0, -3])
def test_no_workers_are_refused(workers: int) -> None:
    with pytest.raises(NasbenchError, match=f"workers are 1 to 10,000, got {workers}"):
        search(spec(workers=workers), MadeUpOracle(), strategy=Scripted([]))
