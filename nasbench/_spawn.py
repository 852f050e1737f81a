"""How a process begins that may die before it has read all that it is given."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from multiprocessing import reduction, resource_tracker, spawn, util
from multiprocessing.context import set_spawning_popen
from multiprocessing.popen_spawn_posix import Popen
from typing import Any

__all__ = ["Started"]


class Started(Popen):
    """A new interpreter, as Python's own `Popen` begins it, whose early end is noticed.

    Python keeps the end that the process reads from open while it writes: where the process dies,
    as in an import, and is given more than a pipe takes (64 kB), Python would wait for ever. Here
    the process alone has that end.
    """

    _fds: list[Any]

    def _launch(self, process_obj: Any) -> None:
        given = io.BytesIO()
        tracker = resource_tracker.getfd()
        set_spawning_popen(self)
        try:
            reduction.dump(spawn.get_preparation_data(process_obj.name), given)
            reduction.dump(process_obj, given)
        finally:
            set_spawning_popen(None)
        self.sentinel, held = os.pipe()  # the process holds it until it ends
        to_read, to_write = os.pipe()
        self.finalizer = util.Finalize(self, _close, (self.sentinel, to_write))
        try:
            command = spawn.get_command_line(tracker_fd=tracker, pipe_handle=to_read)
            self._fds += [tracker, to_read, held]
            python = os.fsencode(spawn.get_executable())
            self.pid = util.spawnv_passfds(python, command, self._fds)
        finally:
            _close(to_read, held)
        # Whoever waits for the process learns of its end from the sentinel.
        with suppress(BrokenPipeError), open(to_write, "wb", closefd=False) as file:
            file.write(given.getbuffer())


def _close(*descriptors: int) -> None:
    for one in descriptors:
        os.close(one)
