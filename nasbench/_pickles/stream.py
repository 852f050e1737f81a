"""Pickles larger than memory: a dict of records of which each is handed over and dropped.

A pickle's memo keeps every object alive, since anything later may refer to it. Reading twice
solves that: the first time counts what is asked for, the second keeps just that, and only until
it was asked for the last time.
"""

from __future__ import annotations

import pickletools
import re
from collections import Counter
from collections.abc import Callable
from struct import calcsize, unpack, unpack_from
from typing import Any

import numpy as np

from nasbench._pickles.machine import MOST_OBJECTS, OPCODES, Machine, Reader
from nasbench._pickles.names import Names, RefusedError

__all__ = ["Drain", "count_gets"]

_GLOBAL, _STOP = OPCODES["GLOBAL"], OPCODES["STOP"]
_BINGET, _LONG_BINGET, _GET = (OPCODES[name] for name in ("BINGET", "LONG_BINGET", "GET"))
_SMALL = 256  # bytes

_PASSED = re.compile(
    # BINFLOAT, BININT1, MEMOIZE, MARK, SETITEMS, and SHORT_BINUNICODE of up to 60 bytes: what
    # records are made of. They ask for nothing, and a regular expression passes them fastest.
    rb"(?:G.{8}|K.|[\x94(u]|\x8c(?:%s))*+"
    % b"|".join(re.escape(bytes([n])) + rb".{%d}" % n for n in range(61)),
    re.DOTALL,
)
_SIZES = {ord(code.code): code.arg.n if code.arg else 0 for code in pickletools.opcodes}
_SIZED = {
    pickletools.TAKEN_FROM_ARGUMENT1: "B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}


class Drain(Machine):
    """Runs a pickle of a dict, one entry of which is a dict that is not kept.

    The latter's keys are integers, and its values are not dicts of integers.

    Args:
        reader: see `Machine`.
        names: see `Machine`.
        uses: of the memo; see `count_gets`.
        under: the key of that entry.
        take: called with key and value of each pair of the dict under it, once it is complete.
    """

    def __init__(
        self,
        reader: Reader,
        names: Names,
        uses: Counter[int],
        under: str,
        take: Callable[[Any, Any], None],
    ) -> None:
        super().__init__(reader, names)
        self._memo = self._needed = _Needed(uses)
        self._under = under
        self._take = take

    def _within(self) -> None:
        # A pair is complete once the next integer follows it: what else does belongs to it.
        stack, start = self._stack, self._marks[1]
        ready = 0
        while start + ready + 2 < len(stack) and type(stack[start + ready + 2]) is int:
            ready += 2
        if ready and self._drains(start - 1):
            items = stack[start : start + ready]
            del stack[start : start + ready]
            self._pass_on(items)

    def _store(self, items: list[Any]) -> None:
        if not self._drains(len(self._stack) - 1):
            super()._store(items)
        elif len(self._marks) == 1:
            self._pass_on(items)
        else:
            raise RefusedError(f"has records in {self._under} that are dicts of integers")

    def _drains(self, place: int) -> bool:
        """Whether the dict at this place of the stack is the one that is not kept."""
        if self._marks[:1] != [1] or not 1 < place < len(self._stack):
            return False
        key, target = self._stack[place - 1], self._stack[place]
        return type(target) is dict and type(key) is str and key == self._under

    def _pass_on(self, items: list[Any]) -> None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._take(key, value)
        if not self._needed.held:
            self._made, self._base = 0, self._reader.offset


class _Needed(dict[int, Any]):
    """A memo that keeps what will be asked for, until it was asked for the last time.

    Attributes:
        held: how many values it holds that may be large.
    """

    def __init__(self, uses: Counter[int]) -> None:
        super().__init__()
        self._uses = uses
        self.held = 0

    def __setitem__(self, place: int, value: Any) -> None:
        if place in self._uses:
            if place in self:
                raise RefusedError("uses a place of its memo twice")
            super().__setitem__(place, value)
            self.held += _may_be_large(value)

    def __getitem__(self, place: int) -> Any:
        value = super().__getitem__(place)
        self._uses[place] -= 1
        if not self._uses[place]:
            del self[place], self._uses[place]
            self.held -= _may_be_large(value)
        return value


def _may_be_large(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) > _SMALL
    return isinstance(value, list | dict | set | tuple | bytearray | np.ndarray)


def count_gets(reader: Reader) -> Counter[int]:
    """How often a pickle asks for each place of its memo; nothing else of it is run.

    Raises:
        RefusedError: where it asks for too many.
        LookupError, ValueError, struct.error: where it is damaged.
    """
    uses: Counter[int] = Counter()
    block, at, safe = reader.block, reader.at, reader.safe
    while True:
        while at > safe:
            block, at, safe = reader.more(at)
            if len(uses) > MOST_OBJECTS:
                raise RefusedError(f"comes back to more than {MOST_OBJECTS:,} objects")
        if (passed := _PASSED.match(block, at)) and passed.end() > at:
            at = passed.end()
            continue
        code = block[at]
        at += 1
        if code == _LONG_BINGET:
            uses[unpack_from("<I", block, at)[0]] += 1
            at += 4
        elif code == _BINGET:
            uses[block[at]] += 1
            at += 1
        elif code == _STOP:
            reader.at = at
            return uses
        elif (size := _SIZES[code]) >= 0:
            at += size
        else:
            reader.at = at
            _skip(reader, code, uses)
            block, at, safe = reader.block, reader.at, reader.safe


def _skip(reader: Reader, code: int, uses: Counter[int]) -> None:
    """What stands behind an operation whose length is not fixed."""
    size = _SIZES[code]
    if size == pickletools.UP_TO_NEWLINE:
        line = reader.line(reader.at)
        if code == _GET:
            uses[int(line)] += 1
        if code == _GLOBAL:
            reader.line(reader.at)
        return
    kind = _SIZED[size]
    (n,) = unpack(kind, reader.take(reader.at, calcsize(kind)))
    reader.take(reader.at, max(n, 0))
