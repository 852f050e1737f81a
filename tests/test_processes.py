"""Worker processes, Ctrl-C, and threads that somebody leaves in them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from multiprocessing import get_all_start_methods, get_context

import pytest

from nasbench._processes import deaf_to_ctrl_c, leave_threads_behind

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
