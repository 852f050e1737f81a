"""Hearing Ctrl-C, or alarms, on behalf of the searches that run in the main thread."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol

__all__ = ["Listener", "listener", "listening"]


class Hears(Protocol):
    """What is told of a signal."""

    def heard(self, number: int) -> None:
        """A signal of that number came in; called in the main thread."""


class Listener:
    """Hears Ctrl-C for the watched searches of the main thread, or alarms where nobody hears that.

    Either interrupts a call. It takes over once from whoever listened before, however many
    searches begin and end meanwhile, and passes on to that what it heard.

    Attributes:
        number: of the signal that it hears; None where it hears none.
        watches: of the searches that it hears for, the innermost last.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.watches: list[Hears] = []
        self._before: Any = None
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
        if self._begun == 0 and self.number is not None:
            signal.signal(self.number, self._before)
            self.number = self._before = None

    def _take_over(self) -> None:
        number: int = signal.SIGINT
        before = signal.getsignal(number)
        if not callable(before) and hasattr(signal, "SIGALRM"):
            number = signal.SIGALRM
            before = signal.getsignal(number)
        elif not callable(before):
            return
        if before is not None:  # else it is not Python's, and could not be put back
            self.number, self._before = number, before
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        for watch in reversed(self.watches):
            watch.heard(number)
        if callable(self._before):
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
