"""Worker processes: how many, with how much, and that they do not outlive who started them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process, util
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

__all__ = [
    "awaited",
    "cores",
    "deaf_to_ctrl_c",
    "end_on_ctrl_c",
    "fresh_context",
    "leave_threads_behind",
    "leave_with_parent",
    "memory",
    "submit",
]

T = TypeVar("T")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory that this machine has; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


class FreshProcess(SpawnProcess):
    """A process that begins with an empty program, not with that of the user.

    Python runs the script of a parent again in each process that it spawns: one that is not
    written for that would begin its work anew there, and standard input cannot be read twice.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 (Python's name)
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            if sys.platform == "win32":
                return SpawnProcess._Popen(process_obj)
            from nasbench._spawn import Started

            return Started(process_obj)
        finally:
            sys.modules["__main__"] = main


class FreshContext(SpawnContext):
    """Begins a `FreshProcess` where Python's own would spawn one."""

    Process = FreshProcess


def fresh_context() -> FreshContext:
    """How processes begin here: as new interpreters; a fork would copy half of the threads."""
    return FreshContext()


_awaited = False  # whether this process works for one of this package's


def awaited() -> bool:
    """Whether this process works for one that waits for it, and says so where it ends early."""
    return _awaited


def leave_with_parent() -> None:
    """End this process when its parent is killed: nobody would take its results."""
    global _awaited
    parent = parent_process()
    if parent is None:
        return
    _awaited = True

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def leave_threads_behind() -> None:
    """End this worker of a pool when its work is done, whatever threads run in it still.

    Python waits at its end for each that is no daemon, and the pool waits for the worker. What
    it found it has sent by then; its exit status, which nobody reads, is 0.
    """

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    if parent_process() is not None:
        util.Finalize(None, end, exitpriority=0)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are begun here do not hear Ctrl-C, this one hears it afterwards.

    A terminal sends it to all of them; to answer is for the one that started the others. A
    process that still imports would answer with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_on_ctrl_c() -> None:
    """End this process at once, without a word, on Ctrl-C: also on one that came before.

    For a process that was begun deaf to it, and whose half-done work nobody wants.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def submit(pool: ProcessPoolExecutor, work: Callable[..., T], *given: Any) -> Future[T]:
    """Give work to a pool, whose processes begin with it, deaf to Ctrl-C.

    Raises:
        BrokenProcessPool: where a process has died, also while another one begins: Python closes
            what they share, and says of the other that its handle is closed.
    """
    with deaf_to_ctrl_c():
        try:
            return pool.submit(work, *given)
        except OSError as error:
            from concurrent.futures.process import BrokenProcessPool

            if not getattr(pool, "_broken", False):
                raise
            raise BrokenProcessPool("a process died while another one began") from error
