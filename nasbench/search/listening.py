"""Hearing Ctrl-C, or alarms, on behalf of the searches that run in the main thread."""

from __future__ import annotations

# `signal` itself looks for each handler in an enumeration: that takes as long as two evaluations.
import _signal  # type: ignore[import-not-found]
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol

__all__ = ["Listener", "listener", "listening"]


class Hears(Protocol):
    """What is told of a signal."""

    def heard(self, interrupted: bool) -> None:
        """One came in, Ctrl-C or that of `interrupt`; called in the main thread."""


class Listener:
    """Hears Ctrl-C for the watched searches of the main thread, or alarms where nobody hears that.

    Either interrupts a call. It takes over once from whoever listened before, however many
    searches begin and end meanwhile, and passes on to that what it heard.

    Attributes:
        watches: of the searches that it hears for, the innermost last.
    """

    def __init__(self) -> None:
        self.watches: list[Hears] = []
        self._number: int | None = None  # of the signal that it hears
        self._before: Any = None
        self._sent = False  # whether a signal of ours is on its way
        self._begun = 0

    def begin(self) -> bool:
        """Listen, unless that began before; False outside the main thread, which hears nothing."""
        if threading.current_thread() is not threading.main_thread():
            return False
        self._begun += 1
        if self._begun == 1:
            self._take_over()
        return True

    def end(self) -> None:
        """As often as it began, and at last whoever listened before does so again."""
        self._begun -= 1
        self._sent = False  # it was heard by now, or nobody lets it in
        if self._begun == 0 and self._number is not None:
            if not callable(self._before):
                # One still on its way would end the process: so it is dropped.
                _signal.signal(self._number, _signal.SIG_IGN)
            _signal.signal(self._number, self._before)
            self._number = self._before = None

    def _take_over(self) -> None:
        number: int = signal.SIGINT
        before = _signal.getsignal(number)
        if not callable(before) and hasattr(signal, "SIGALRM"):
            number = signal.SIGALRM
            before = _signal.getsignal(number)
        elif not callable(before):
            return
        if before is not None:  # else it is not Python's, and could not be put back
            self._number, self._before = number, before
            _signal.signal(number, self._hear)

    def interrupt(self, thread: int) -> bool:
        """Send the signal to that thread, whatever sleeps there; False where none is heard.

        From another thread. One on its way is enough: those that come together are one.
        """
        if self._number is None or self._sent or not hasattr(signal, "pthread_kill"):
            return False
        self._sent = True
        signal.pthread_kill(thread, self._number)
        return True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        ours, self._sent = self._sent, False
        for watch in reversed(self.watches):
            watch.heard(not ours and number == signal.SIGINT)
        if not ours and callable(self._before):
            self._before(number, frame)


listener = Listener()


class listening:  # noqa: N801 (reads as the function that it could be)
    """Many searches after each other listen for Ctrl-C once.

    To take over and to give back costs as much as some evaluations. A search that is not in here
    listens for itself.
    """

    def __enter__(self) -> None:
        self._hears = listener.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._hears:
            listener.end()
