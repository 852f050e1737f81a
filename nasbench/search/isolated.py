"""The process that runs a strategy by itself: `python -m nasbench.search.isolated NAME`.

It imports the strategy once and forks for each run, so that no run finds what another left. Its
standard input is a socket: first the limits, then, for each run, the end of a socket of its own.
On that come pickles: what the strategy may know, then what it is told and asked. Lines of JSON go
back, and nothing else. See `isolation` for the other end.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from nasbench.errors import NasbenchError, StrategyError
from nasbench.search.arrival import NotAQuery, arrived
from nasbench.search.confinement import (
    Place,
    confine,
    end_with_parent,
    limit_memory,
    limit_rest,
)
from nasbench.search.given import hear
from nasbench.search.guard import failed
from nasbench.search.prior import begin_known
from nasbench.search.strategy import Outcome, Query, Strategy, strategy_class

__all__ = ["main"]


def main() -> None:
    """Prepare, then fork for each run until the harness hangs up."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the harness
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    size = int.from_bytes(control.recv(8, socket.MSG_WAITALL), "little")
    limits = json.loads(control.recv(size, socket.MSG_WAITALL))  # no byte of what follows
    space = _address_space()
    if limits["confined"]:
        confine([Place(*place) for place in limits["places"]])
        limit_rest(limits["cpu_seconds"])
    limit_memory(limits["memory_mib"])
    name = hear(sys.argv[1])
    with suppress(NasbenchError):  # each run says it
        strategy_class(name)
    used = next(space)
    gc.freeze()  # runs that look for garbage would copy every page of this process
    while True:
        asked, ends, _, _ = socket.recv_fds(control, 1, 1)
        if not asked:
            return
        child = os.fork()
        if not child:
            try:
                end_with_parent()
                control.close()
                limit_memory(limits["memory_mib"], used)
                _serve(socket.socket(fileno=ends[0]))
            finally:
                os._exit(0)
        os.close(ends[0])
        _, status = os.waitpid(child, 0)
        control.sendall(struct.pack("<i", os.waitstatus_to_exitcode(status)))


def _address_space() -> Iterator[int]:
    """The bytes that this process has mapped, whenever asked; the file is opened at once."""
    try:
        file = open("/proc/self/statm", "rb", buffering=0)  # noqa: SIM115
    except OSError:  # no Linux
        file = None
    return _sizes(file)


def _sizes(file: Any) -> Iterator[int]:
    while True:
        if file is None:
            yield 0
        else:
            file.seek(0)
            yield int(file.read().split()[0]) * mmap.PAGESIZE


def _serve(connection: socket.socket) -> None:
    """A run: begin the strategy, then tell and ask it what comes."""
    known = pickle.loads(_message(connection))
    try:
        strategy_class(known["name"])
    except NasbenchError as error:
        return _reply(connection, {"absent": str(error)})
    try:
        strategy = begin_known(**known)
    except StrategyError as error:
        return _reply(connection, {"failed": str(error)})
    except NasbenchError as error:
        return _reply(connection, {"refused": str(error)})
    _reply(connection, True)
    return _Told(known["name"], strategy).follow(connection)


def _message(connection: socket.socket) -> bytes:
    """The next message, whole: its size in eight bytes, then itself; empty at the end of all."""
    read = connection.recv(1 << 16)
    size = 8 + int.from_bytes(read[:8], "little")
    if len(read) == size or not read:
        return read[8:]
    parts = bytearray(read)
    while len(parts) < size:  # the harness sends one message and waits
        read = connection.recv(1 << 20)
        if not read:
            return b""
        parts += read
        size = 8 + int.from_bytes(parts[:8], "little")
    return bytes(parts[8:])


class _Told:
    """A strategy, and the queries that it is still to be told of, by the number of their ask."""

    def __init__(self, name: str, strategy: Strategy) -> None:
        self._name = name
        self._strategy = strategy
        self._asked: dict[int, Query] = {}
        self._asks = 0
        self._quoted: dict[str, str] = {}

    def follow(self, connection: socket.socket) -> None:
        """Tell and ask, and reply once to each message, until one asks for nothing."""
        asks = True
        while asks and (message := _message(connection)):
            asks, told = pickle.loads(message)
            try:
                for number, values, seconds in told:
                    query = self._asked.pop(number)
                    self._strategy.tell(query, Outcome(MappingProxyType(values), seconds))
            except BaseException as error:
                return _reply(connection, {"failed": str(failed(self._name, "tell", error))})
            try:
                reply = self._ask() if asks else "true"
            except NotAQuery as error:
                return _reply(connection, {"no_query": str(error)})
            except BaseException as error:
                return _reply(connection, {"failed": str(failed(self._name, "ask", error))})
            connection.sendall(f"{reply}\n".encode())
        return None

    def _ask(self) -> str:
        """The next query as JSON."""
        query = arrived(self._strategy.ask())
        if query is None:
            return "null"
        self._asked[self._asks] = query
        self._asks += 1
        architecture, recipe, epochs, resume = query
        quoted = self._quoted.get(recipe) or self._quoted.setdefault(recipe, json.dumps(recipe))
        return f"[{architecture}, {quoted}, {epochs}, {'true' if resume else 'false'}]"


def _reply(connection: socket.socket, answer: Any) -> None:
    connection.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
