"""Processes that cost nothing to begin: forks of one that has imported everything already.

A new interpreter that imports torch takes two CPU seconds, a fork of one that has done so takes
milliseconds. PyTorch has not computed anything in the process that is forked, so a fork is whole.
Nor has it when tests were collected: so that process is a fork of the tests' own as they were then.
Tests of how processes begin, or of what they import, still begin their own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, resource_tracker, util
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["nasbench.building", "nasbench.device.measure", "nasbench.proxy.scoring", "scipy.stats"]
)


STOPPED = 130
"""How a process ends that Ctrl-C stops."""

LIMIT = 300
"""Seconds that a test waits for a process, which take one at most on a free machine."""

Event = CONTEXT.Event
"""Tells the test that a process got so far."""


def begin() -> None:
    """Begin the process that is forked, as a fork of this one; else its first use does, anew."""
    if not Path("/proc/self/fd").exists():
        return
    resource_tracker.ensure_running()  # that is a program of its own
    spawn = util.spawnv_passfds
    util.spawnv_passfds = _fork
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = spawn


def _fork(path: object, words: Sequence[str], kept: Sequence[int]) -> int:
    """In the place of a program that runs `words[-1]` and has these files open alone."""
    if process := os.fork():
        return process
    try:
        signal.alarm(0)  # it lives as long as the tests
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in map(int, os.listdir("/proc/self/fd")):
            if number > 2 and number not in kept:
                os.dup2(nothing, number)  # whose objects still hold the number
        exec(words[-1], {})
    finally:
        os._exit(1)


def run(function: Callable[..., Any], *args: Any, **given: Any) -> None:
    """Run a function of a test module in a process of its own, which must end well."""
    with begun(function, *args, **given) as (process, stderr):
        process.join(LIMIT)
        assert process.exitcode == 0, stderr.read_text(encoding="utf-8")


@contextmanager
def begun(
    function: Callable[..., Any], *args: Any, **given: Any
) -> Iterator[tuple[ForkServerProcess, Path]]:
    """A process that runs the function, and the file of its stderr; it is killed at the end.

    It leads a process group of its own, which a test may signal as a terminal does.
    """
    with TemporaryDirectory() as folder:
        stderr = Path(folder) / "stderr"
        stderr.touch()
        process = CONTEXT.Process(target=_child, args=(str(stderr), function, args, given))
        process.start()
        try:
            yield process, stderr
        finally:
            if process.is_alive():
                process.kill()
            process.join()


def _child(stderr: str, function: Callable[..., Any], args: Any, given: Any) -> None:
    os.setpgrp()
    # Whoever started the tests may have begun them deaf to signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(2 * LIMIT)  # where the test that would kill it is gone
    descriptor = os.open(stderr, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (till the end)
    try:
        function(*args, **given)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
