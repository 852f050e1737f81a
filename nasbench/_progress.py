"""How long work says how far it is: to who asked, as bars, or as a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Progress", "shown", "silent"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of its parts are done and how many there are."""

FIRST, EVERY = 10.0, 30.0
"""Seconds until the first line, where nothing draws bars, and between it and the next."""
REDRAWN = 0.2
"""Seconds between two looks of a bar in a notebook."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


@contextmanager
def shown(given: Progress | bool = True) -> Iterator[Progress]:
    """What work is to call: bars in a terminal or a notebook, else a line on stderr now and then.

    Args:
        given: the caller's own in place of that; False for none.

    Example:
        >>> with shown(print) as tell:
        ...     tell("searching", 1, 2)
        searching 1 2
    """
    if not isinstance(given, bool):
        yield given
    elif not given:
        yield silent
    elif (display := _notebook()) is not None:
        yield _Cell(display)
    elif sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        yield _Lines()


@contextmanager
def _bars() -> Iterator[Progress]:
    """Bars with the time left on stderr, one for each thing done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        known: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in known:  # what is done by then took no time of this run's
                known[what] = bars.add_task(what, total=total, completed=done)
            bars.update(known[what], completed=done, total=total)

        yield tell


class _Left:
    """How long work will take, by what it took since it was first heard of."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def of(self, what: str, done: int, total: int, now: float) -> str:
        """Such as `, 3 min left`; nothing before anything is done."""
        # What is done when work is first heard of took its start, too, which comes once.
        since, before = self._first.setdefault(what, (now, done))
        if done <= before:
            return ""
        return f", {_duration((now - since) / (done - before) * (total - done))} left"


class _Lines:
    """A line on stderr where no bar can be drawn, as in a log: not for what ends soon."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._left = _Left()
        self._last = time.monotonic()
        self._next = self._last + FIRST

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        began = self._began.setdefault(what, self._last)  # what comes first took time already
        self._last = now
        left = self._left.of(what, done, total, now)
        if now < self._next:
            return
        self._next = now + EVERY
        said = f"nasbench: {what} {done:,} of {total:,}, {_duration(now - began)} so far{left}"
        print(said, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    """Such as 12 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class _Cell:
    """Bars below the cell of a notebook, by what every front end draws.

    Args:
        display: IPython's module of that name.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._known: dict[str, tuple[int, int, str]] = {}
        self._left = _Left()
        self._handle: Any = None
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        left = self._left.of(what, done, total, now) if done < total else ""
        self._known[what] = done, total, left
        if now < self._next and done < total:
            return
        self._next = now + REDRAWN
        drawn = self._display.HTML("<br>".join(map(_bar, self._known, self._known.values())))
        if self._handle is None:
            self._handle = self._display.display(drawn, display_id=True)
        else:
            self._handle.update(drawn)


def _bar(what: str, far: tuple[int, int, str]) -> str:
    from html import escape

    done, total, left = far
    bar = f'<progress value="{done}" max="{total}" style="width:20em"></progress>'
    return f"{bar} {escape(what)} {done:,} of {total:,}{left}"


def _notebook() -> Any:
    """IPython's display where this process is a notebook's; None elsewhere."""
    ipython = sys.modules.get("IPython")  # who runs a notebook has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from importlib import import_module

    return import_module("IPython.display")
