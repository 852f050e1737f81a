"""Worker processes, Ctrl-C, and threads that somebody leaves in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context

import pytest

from nasbench._pool import in_processes
from nasbench._processes import deaf_to_ctrl_c, fresh_context, leave_threads_behind, submit
from nasbench.errors import NasbenchError

CHILD = """
from nasbench._processes import end_on_ctrl_c
import sys
print("up", flush=True)
sys.stdin.readline()
end_on_ctrl_c()
print("went on", flush=True)
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks here")
def test_a_process_that_still_imports_ends_on_ctrl_c_without_a_word() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with deaf_to_ctrl_c():
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    child.send_signal(signal.SIGINT)  # while Python starts
    out, said = child.communicate(b"\n", timeout=300)
    assert (child.returncode, out, said) == (-signal.SIGINT, b"up\n", b"")


def _leave_a_thread() -> None:
    leave_threads_behind()
    threading.Thread(target=threading.Event().wait).start()


@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="no forks here")
def test_a_worker_ends_with_its_work_whatever_threads_are_left_in_it() -> None:
    child = get_context("fork").Process(target=_leave_a_thread)
    child.start()
    child.join(300)
    status = child.exitcode
    child.kill()
    assert status == 0


MORE_THAN_A_PIPE_TAKES = bytes(1 << 20)


class Deadly:
    """Ends the process that reads it, as a module can that does not import there."""

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (3,)


@pytest.mark.process
def test_a_process_that_dies_before_it_has_read_all_is_noticed() -> None:
    child = fresh_context().Process(target=print, args=(Deadly(), MORE_THAN_A_PIPE_TAKES))
    child.start()
    child.join(300)
    assert child.exitcode == 3


@pytest.mark.process
def test_workers_that_die_in_their_imports_end_the_work_in_a_sentence() -> None:
    given = (Deadly(), MORE_THAN_A_PIPE_TAKES)
    with pytest.raises(NasbenchError, match=r"a training process died .*the same command goes on"):
        list(in_processes(len, ["one", "two"], 1, print, given))


class Closed:
    """A pool that cannot begin a process."""

    def __init__(self, broken: bool) -> None:
        self._broken = broken

    def submit(self, *given: object) -> None:
        raise OSError("handle is closed")


@pytest.mark.parametrize(("broken", "error"), [(True, BrokenProcessPool), (False, OSError)])
def test_a_process_that_dies_while_another_begins_breaks_the_pool(
    broken: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        submit(Closed(broken), len, "")  # type: ignore[arg-type]
