"""Timing in turn, under a clock that only the runs move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nasbench.device import timing
from nasbench.device.timing import time_in_turn


class Clock:
    """Stands still but for what runs take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.order: list[str] = []
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def run(self, name: str, seconds: Callable[[int], float]) -> Callable[[], None]:
        def work() -> None:
            self.now += seconds(self.order.count(name))
            self.order.append(name)

        return work


def test_every_round_runs_each_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    runs = [clock.run(name, lambda _: 1.0) for name in "abc"]
    seconds = time_in_turn(runs, warm_up=2, repeats=4, seconds=100)
    assert "".join(clock.order) == "aabbcc" + 4 * "abc"
    assert seconds.shape == (3, 4)


def test_each_run_is_timed_alone_and_after_its_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    runs = [
        clock.run("slow", lambda done: 100.0 if done < 3 else 2.0**-done),
        clock.run("fast", lambda done: 50.0 if done < 3 else 2.0 ** -(done + 10)),
    ]
    seconds = time_in_turn(runs, warm_up=3, repeats=6, seconds=1e9)
    rounds = np.arange(3, 9)
    np.testing.assert_allclose(seconds, [2.0**-rounds, 2.0 ** -(rounds + 10)], rtol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "repeats", "rounds"),
    [
        (0.001, 50, 5),  # the least
        (0.001, 3, 3),  # but never more than asked for
        (10.0, 50, 14),  # two runs of 1 s and 0.5 s: 20 s hold 13.3 rounds, the 14th started
        (1000.0, 50, 50),
    ],
)
def test_budget_ends_the_rounds(
    seconds: float, repeats: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    runs = [clock.run("a", lambda _: 1.0), clock.run("b", lambda _: 0.5)]
    taken = time_in_turn(runs, warm_up=1, repeats=repeats, seconds=seconds)
    assert taken.shape == (2, rounds)
