"""A strategy in a process of its own, which has neither the table nor the oracle.

The process is given the space, the goal, the seed and what is known beforehand, and talks over a
socket: the harness asks and tells, and lines of JSON come back, whose types and bounds are
checked. It is fresh for every run. Its environment is empty but for what Python needs, its
folder is an empty one, it inherits no file, and it is ended where it takes too long or too much
memory. What the kernel keeps from it besides is in `confinement`.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nasbench.errors import NasbenchError, StrategyError, Unsupported
from nasbench.search import guard
from nasbench.search.arrival import NotAQuery
from nasbench.search.confinement import readable
from nasbench.search.given import given_strategy, spoken
from nasbench.search.oracle import Oracle
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import Outcome, Query
from nasbench.table import shipped_tables

__all__ = ["Absent", "Isolated", "Isolation", "end_idle"]

LONGEST = 1 << 16
"""Bytes of an answer."""

Told = tuple[int, dict[str, float], float]
"""The number of an ask, the values that its query showed, and the seconds paid."""

KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "PYTHONHASHSEED", "LD_LIBRARY_PATH")
"""What the environment keeps, beside locales and numbers of threads."""

_decode = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a strategy in a process of its own may use.

    Attributes:
        answer_seconds: wall time of one answer; None is the patience that all strategies have.
        cpu_seconds: CPU time of a run.
        memory_mib: memory that it takes beside what it has at its start.
        confined: whether files are out of its reach; False for what is merely to be repeated in
            a fresh process.

    Example:
        >>> from nasbench.search import Isolation
        >>> Isolation(memory_mib=512).cpu_seconds
        7200
    """

    answer_seconds: float | None = None
    cpu_seconds: int = 7200
    memory_mib: int = 4096
    confined: bool = True

    @classmethod
    def of_machine(cls) -> Isolation:
        """Not confined, and with all the memory that the machine has."""
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(memory_mib=memory // 2**20, confined=False)


class Absent(StrategyError):  # noqa: N818 (named as readers say it)
    """A strategy that its own process does not find, or cannot import."""


_SAID: dict[str, type[NasbenchError]] = {"refused": NasbenchError, "absent": Absent}
"""What is raised for what a process says; StrategyError for all else."""


class Isolated:
    """A strategy in a process of its own, as a strategy: `with Isolated(spec, oracle) as one`.

    Args:
        spec: the run.
        oracle: gives the space, and what is known beforehand; it stays here.
        limits: what the process may use.

    Raises:
        StrategyError: where the strategy fails, does not answer, or ends its process.
        NasbenchError: what it refuses.
    """

    def __init__(self, spec: RunSpec, oracle: Oracle, limits: Isolation) -> None:
        if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
            raise Unsupported("a process for a strategy needs a system with fork: Linux or macOS")
        self._name = spec.strategy
        given = given_strategy(self._name)
        if given is not None and not given.place:
            raise Unsupported(
                f"strategy {self._name} cannot have a process of its own: no other process can "
                f"import it; write it into a module"
            )
        self._patience = limits.answer_seconds or guard.PATIENCE
        self._numbers: dict[int, int] = {}
        self._asks = 0
        self._told: list[Told] = []
        self._doing = "its __init__"
        try:
            known = pickle.dumps(spec.known(oracle))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise Unsupported(
                f"strategy {self._name} cannot have a process of its own: what it is given cannot "
                f"be sent there ({guard.in_a_sentence(error)})"
            ) from error
        hidden = {path.parent for path in shipped_tables().values()}
        table = getattr(oracle, "table", None)
        if table is not None:
            hidden.add(table.path)
        self._server = _server(self._name, limits, frozenset(hidden))
        self._socket = self._server.begin()
        self.wait(self._patience)
        self._send(known)

    def __enter__(self) -> Self:
        try:
            self._answer()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()  # which ends the run's process, where it still listens

    def wait(self, seconds: float) -> None:
        """So long for each answer; kept by the kernel, which takes no call more."""
        self._patience = seconds
        timeval = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, way, timeval)

    def end(self) -> None:
        """Tell it the last; what that raises is raised now."""
        self._send(pickle.dumps((False, self._told)))
        self._answer()

    def ask(self) -> Query | None:
        """The strategy's next query; all that it is to be told before goes with it."""
        self._doing = "ask or tell"
        self._send(pickle.dumps((True, self._told)))
        self._told.clear()
        answer = self._answer()
        if answer is None:
            return None
        if type(answer) is not list or len(answer) != len(Query._fields):
            raise NotAQuery(guard.in_a_sentence(answer))
        query = Query(*answer)
        self._numbers[id(query)] = self._asks  # the run keeps the query, and so its id
        self._asks += 1
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Keep it for the next ask, which takes it along."""
        values, seconds = outcome
        number = self._numbers.pop(id(query))
        self._told.append((number, dict(values), seconds))

    def _send(self, message: bytes) -> None:
        try:
            self._socket.sendall(len(message).to_bytes(8, "little") + message)
        except BlockingIOError:
            raise self._overdue() from None
        except OSError:  # nobody is there: the answer says why
            return

    def _answer(self) -> Any:
        """What comes back: plain JSON values, or the error that they tell of."""
        try:
            line = self._socket.recv(LONGEST)
            if line[-1:] != b"\n":
                line = self._rest(line)
            answer = _decode(line.decode())
        except BlockingIOError:
            raise self._overdue() from None
        except ConnectionError:
            raise self._dead() from None
        except (ValueError, RecursionError) as error:
            self._server.kill()
            raise StrategyError(f"strategy {self._name} sent what is no answer") from error
        if type(answer) is dict:
            for kind, said in answer.items():
                text = guard.in_a_sentence(said)
                if kind == "no_query":
                    raise NotAQuery(text)
                raise _SAID.get(str(kind), StrategyError)(text)
        return answer

    def _rest(self, line: bytes) -> bytes:
        """The line to its end, which came in several parts."""
        ends = time.monotonic() + self._patience
        while line[-1:] != b"\n":
            if len(line) > LONGEST:
                raise ValueError("too long")
            if time.monotonic() > ends:
                raise BlockingIOError
            part = self._socket.recv(LONGEST)
            if not part:
                raise ConnectionResetError
            line += part
        return line

    def _overdue(self) -> StrategyError:
        self._server.kill()
        return StrategyError(f"strategy {self._name} gave no answer for {self._patience:g} s")

    def _dead(self) -> StrategyError:
        status = self._server.status()
        how = "ended its process"
        if status is not None and status < 0:
            how = f"lost its process to signal {-status}"
            with suppress(ValueError):
                how += f" ({signal.Signals(-status).name})"
        elif status is not None:
            how += f" with exit status {status}"
        return StrategyError(f"strategy {self._name} {how} in {self._doing}")


class _Server:
    """The process that imports a strategy and forks for its runs, one at a time."""

    def __init__(self, name: str, limits: Isolation, hidden: frozenset[Path]) -> None:
        self.key = name, limits, hidden
        self._running = False
        self._folder = tempfile.mkdtemp(prefix="nasbench-")
        self._control, theirs = socket.socketpair()
        environment = _environment(self._folder) if limits.confined else dict(os.environ)
        path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nasbench.search.isolated", spoken(name)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder if limits.confined else None,
            env={**environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        theirs.close()
        setup = {
            "places": readable(hidden) if limits.confined else [],
            "confined": limits.confined,
            "cpu_seconds": limits.cpu_seconds,
            "memory_mib": limits.memory_mib,
        }
        message = json.dumps(setup).encode()
        self._control.sendall(len(message).to_bytes(8, "little") + message)

    def begin(self) -> socket.socket:
        """Have it fork; the socket to the new process."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"r"], [theirs.fileno()])
        self._running = True
        return ours

    def status(self) -> int | None:
        """How the last run's process ended, below 0 a signal's number; None: nobody knows."""
        self._running = False
        self._control.settimeout(5)
        try:
            found = self._control.recv(4, socket.MSG_WAITALL)
        except OSError:
            found = b""
        if len(found) == 4:
            return int(struct.unpack("<i", found)[0])
        self.kill()
        return None

    def ready(self) -> bool:
        """Whether it can run once more."""
        if self._running:
            self.status()
        return self._process.poll() is None

    def kill(self) -> None:
        """End it with all that it started."""
        global _idle
        if _idle is self:
            _idle = None
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._control.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_idle: _Server | None = None  # of the last strategy: the next run is most likely of it, too


def _server(name: str, limits: Isolation, hidden: frozenset[Path]) -> _Server:
    global _idle
    if _idle is not None and (_idle.key != (name, limits, hidden) or not _idle.ready()):
        _idle.kill()
    if _idle is None:
        _idle = _Server(name, limits, hidden)
    return _idle


def _environment(folder: str) -> dict[str, str]:
    """Of this process's environment what computing depends on; no path of a user's."""
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if name in KEPT or name.startswith("LC_") or name.endswith("_NUM_THREADS")
        },
        "HOME": folder,
        "TMPDIR": folder,
    }


@atexit.register
def end_idle() -> None:
    """End the process that waits for the next run, so that this has one of its own."""
    if _idle is not None:
        _idle.kill()
