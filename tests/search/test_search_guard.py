"""What interrupts a call that takes too long, and that nothing of it comes afterwards."""

from __future__ import annotations

import math
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import numpy as np
import pytest
import zygote

from nasbench.errors import StrategyError
from nasbench.search import guard
from nasbench.search.guard import Watch, failed


def _take(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def late(listens: bool) -> None:
    """Calls that end as they become late; in a process of its own."""
    handler = signal.default_int_handler if listens else signal.SIG_IGN
    signal.signal(signal.SIGINT, handler)
    alarms = signal.getsignal(signal.SIGALRM)
    guard.PATIENCE = 0.002
    rng = np.random.default_rng(0)
    told = 0
    for seconds in (*rng.uniform(0.0018, 0.0028, 40), 60.0):  # the last is surely late
        try:
            with Watch("mine") as watch:
                watch.since = time.perf_counter()
                try:
                    _take(seconds)
                except BaseException as error:
                    watch.since = math.inf
                    raise failed("mine", "ask", error) from error
                watch.since = math.inf
                if watch.flagged:
                    watch.settle()
        except StrategyError as error:
            told += str(error) == "strategy mine gave no answer for 0.002 s"
        assert signal.getsignal(signal.SIGINT) is handler
        assert signal.getsignal(signal.SIGALRM) == alarms
    assert told > 0


@pytest.mark.process
@pytest.mark.parametrize("listens", [True, False], ids=["heard", "ignored"])
def test_calls_that_end_as_they_become_late_are_told_or_done(listens: bool) -> None:
    """No signal and no exception comes later, where nobody knows what it is.

    Whatever runs in the background of a shell ignores Ctrl-C.
    """
    zygote.run(late, listens)


def test_ctrl_c_as_a_call_is_late_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 60.0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Watch("mine") as watch:  # noqa: PT012
            watch.since = time.perf_counter()
            with suppress(KeyboardInterrupt):  # as a strategy may
                signal.raise_signal(signal.SIGINT)
            watch.since = math.inf
            assert watch.flagged
            watch.settle()
    finally:
        signal.signal(signal.SIGINT, before)


def traced() -> None:
    """Late calls, then what a debugger or a profiler does; in a process of its own."""
    guard.PATIENCE = 0.002
    for _ in range(3):
        with suppress(StrategyError), Watch("mine") as watch:
            watch.since = time.perf_counter()
            with suppress(guard.Overdue):
                _take(60.0)
            watch.since = math.inf
            watch.settle()
    lines: list[int] = []

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        lines.append(frame.f_lineno)
        return trace

    sys.settrace(trace)
    _take(0.0)
    sys.settrace(None)
    assert lines


@pytest.mark.process
def test_code_is_traced_after_a_search_that_was_interrupted() -> None:
    zygote.run(traced)
