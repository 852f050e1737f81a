"""What stands between a run and its strategy's code, which can be a stranger's.

Whatever that code raises becomes one sentence, `StrategyError`, and code that never answers is
stopped. In one process this holds against faults, not against malice: a loop in C that never
returns to Python, or code that ends the process, is out of its reach. See `isolation`.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import os
import signal
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from nasbench._processes import awaited
from nasbench.errors import NasbenchError, StrategyError
from nasbench.search.listening import listener

__all__ = ["Overdue", "Watch", "failed", "in_a_sentence", "place"]

PATIENCE = 600.0
"""So many seconds of wall time in one call of a strategy end it."""

LOOKS = 8
"""So often within the patience is looked at a running call."""

LONGEST = 400
"""Letters of a stranger's text that a sentence repeats."""

NOT_ITS_OWN = (
    "<frozen ",
    os.path.join(os.path.dirname(importlib.__file__), ""),
    os.path.join(str(Path(__file__).resolve().parents[1]), ""),
)
"""How the files begin that call a strategy: this package and Python's imports."""

_interrupted = False  # whether Ctrl-C came in while a strategy ran
_forked = False  # whether a watched strategy forked this process: said by the first copy alone


class Overdue(BaseException):
    """Ends a call that takes too long; no Exception, so that strategies do not catch it."""


class Watch:
    """Watches the calls of one strategy while a search runs.

    A thread looks at the call that is running. Once that took longer than the patience, it is
    interrupted: by a signal in the main thread, which also ends a sleep, and then, wherever it
    runs and whatever it did to signals and timers, by an exception, again and again.

    Around each call its owner sets `since`, and calls `settle` where `flagged`:

        with Watch("mine") as watch:
            watch.since = time.perf_counter()
            strategy.ask()
            watch.since = math.inf
            if watch.flagged:
                watch.settle()

    Args:
        name: of the strategy.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.since = math.inf
        self.flagged = False
        self._process = os.getpid()
        self._late = 0
        self._thread = 0
        self._hears = False
        self._ended = False

    def __enter__(self) -> Self:
        global _interrupted
        _interrupted = False
        self._thread = threading.get_ident()
        self._hears = listener.begin()
        if self._hears:
            listener.watches.append(self)
        _watchdog.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        overdue = isinstance(error, Overdue)  # it came as the call had just ended
        while not self._ended:
            try:
                self._end()
            except Overdue:  # or just now; none comes once this is through
                overdue = True
        if overdue:
            raise _overdue(self.name) from None

    def _end(self) -> None:
        self.since = math.inf
        self._end_copy()
        _watchdog.end(self)
        if self._late:
            self._take_back()
        if self._hears:
            self._hears = False
            listener.watches.remove(self)
            listener.end()
        self._ended = True

    def settle(self) -> None:
        """Raise what a call of the strategy swallowed: Ctrl-C, or that it took too long.

        A copy of this process that the strategy made, and that came back from the call, ends.
        """
        self._end_copy()
        self.flagged = False
        if _interrupted:
            raise KeyboardInterrupt
        if self._late:
            raise _overdue(self.name)

    def _end_copy(self) -> None:
        """End this process where it is a copy of the one that searches: it would search, too."""
        if os.getpid() == self._process:
            return
        if not _forked:
            told = f"nasbench: strategy {self.name} forked the search (os.fork); the copy is ended"
            with suppress(OSError):
                os.write(2, f"{told}\n".encode())
        os._exit(1)

    def look(self, now: float) -> None:
        """Interrupt the running call, where it takes too long. From the watching thread."""
        if now - self.since <= PATIENCE:
            return
        self._late += 1
        self.flagged = True
        if self._late > LOOKS and awaited():
            os._exit(1)  # it swallows what interrupts it: who waits for this process notices
        if not (self._late == 1 and self._hears and listener.interrupt(self._thread)):
            self._interrupt()

    def _interrupt(self) -> None:
        """Have the thread raise it wherever it is, in place of what it has not raised yet."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread), ctypes.py_object(Overdue)
        )

    def _take_back(self) -> None:
        """Raise here, in the thread itself, what may be on its way.

        Python could forget it, too, but 3.11 then looks for it for ever: code runs slower from
        then on, and stands still under a tracer.
        """
        with suppress(Overdue):
            self._interrupt()
            while True:  # until it is raised
                pass

    def heard(self, interrupted: bool) -> None:
        """Ctrl-C came in, which is to end all; or what is to end the call that takes too long."""
        global _interrupted
        if interrupted:
            _interrupted = self.flagged = True
        elif self._late and self.since < math.inf:
            raise Overdue


class _Watchdog:
    """The thread that looks at every watched search of this process; none runs without one."""

    def __init__(self) -> None:
        self.watched: set[Watch] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._between = math.inf

    def add(self, watch: Watch) -> None:
        with self._lock:
            self.watched.add(watch)
            if self._thread is None:
                self._between = math.inf
                self._thread = threading.Thread(target=self._run, daemon=True, name="watchdog")
                self._thread.start()
            elif self._between > PATIENCE / LOOKS:
                self._wake.set()

    def end(self, watch: Watch) -> None:
        """Afterwards no signal is sent: it would meet whoever listens then, or end the process."""
        with self._lock:
            self.watched.discard(watch)

    def forget(self) -> None:
        """In a copy of this process, where the thread is not, and may have held the lock."""
        self._thread = None
        self._lock = threading.Lock()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self.watched:
                    self._thread = None
                    return
                self._between = PATIENCE / LOOKS
            self._wake.wait(self._between)
            self._wake.clear()
            now = time.perf_counter()
            with self._lock:
                for watch in tuple(self.watched):
                    watch.look(now)


_watchdog = _Watchdog()


def _flag_copy() -> None:
    _watchdog.forget()
    for watch in tuple(_watchdog.watched):
        watch.flagged = True


def _note_fork() -> None:
    global _forked
    _forked = _forked or bool(_watchdog.watched)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_note_fork, after_in_child=_flag_copy)


def failed(name: str, where: str, error: BaseException) -> StrategyError:
    """What a strategy of that name raised, in one sentence with its file and line.

    Raises:
        KeyboardInterrupt: where that was a real Ctrl-C, which ends the search.
    """
    if isinstance(error, KeyboardInterrupt) and (_interrupted or not _told_apart()):
        raise error
    if isinstance(error, StrategyError):
        return error
    if isinstance(error, Overdue):
        return _overdue(name)
    said = in_a_sentence(error)
    if not isinstance(error, NasbenchError):
        said = f"{type(error).__name__}{': ' if said else ''}{said}"
    return StrategyError(f"strategy {name} failed in {where}: {said}{place(error)}")


def _overdue(name: str) -> StrategyError:
    return StrategyError(f"strategy {name} gave no answer for {PATIENCE:g} s")


def _told_apart() -> bool:
    """Whether a real Ctrl-C would be known as one: it is watched for, or none can come."""
    return bool(_watchdog.watched) or signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def in_a_sentence(said: object) -> str:
    """Another's text in one line, cut where it is long; empty where it has none to give."""
    try:
        text = " ".join(str(said)[: 10 * LONGEST].split())
    except BaseException:  # an exception's own `__str__` can raise anything
        return ""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def place(error: BaseException) -> str:
    """The file and line of the strategy's own code that raised, in brackets; empty without.

    Of what the harness called, that is the first file outside this package, and the last line
    of it: what it called in turn, numpy say, is not where one has to look.
    """
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(NOT_ITS_OWN)
    ]
    own = [line for file, line in frames if file == frames[0][0]]
    return f" ({Path(frames[0][0]).name}, line {own[-1]})" if own else ""
