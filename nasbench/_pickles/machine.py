"""A machine for pickles that imports nothing and calls nothing but what an allow-list makes.

Python's own unpickler, even with `find_class` restricted, can be made to take any amount of
memory by a few bytes (a memo index of 2**31), to overflow the C stack (the hash of a deep
tuple), to run for ever (the hash of a tuple that shares its parts) and to change the
attributes of what was let in (BUILD). This one knows the operations that protocols 0 to 5
write data with, as the standard library documents them in `pickletools`; any other is refused.
"""

from __future__ import annotations

import codecs
import pickletools
import re
from collections.abc import Callable, Mapping
from itertools import chain
from struct import Struct, calcsize, unpack
from typing import Any

from nasbench._pickles.names import Name, Names, RefusedError, Weights, fill, is_key

__all__ = ["MOST_BYTES", "MOST_OBJECTS", "OPCODES", "Machine", "Reader"]

MOST_BYTES = 256 << 20
"""How many bytes of a pickle, after decompression, may become objects in memory at once."""
MOST_OBJECTS = 8_000_000
"""How many containers, unfinished items and memo entries may be in memory at once."""
OPCODES = {opcode.name: ord(opcode.code) for opcode in pickletools.opcodes}

_BLOCK = 1 << 16
_MARGIN = 1 << 10  # more than any operation takes that does not ask for its bytes
_LONGEST_LINE = 1 << 24
_LONGEST_INTEGER = 9  # bytes: 64 bits and a sign

_CURVE = re.compile(rb"(?:K.G.{8})++", re.DOTALL)
"""A run of BININT1 and BINFLOAT: a number for each epoch."""

_BINFLOAT, _MEMOIZE, _MARK, _STOP = (
    OPCODES[name] for name in ("BINFLOAT", "MEMOIZE", "MARK", "STOP")
)
_BININT1, _SHORT_BINUNICODE, _BINUNICODE = (
    OPCODES[name] for name in ("BININT1", "SHORT_BINUNICODE", "BINUNICODE")
)
_BINGET, _LONG_BINGET, _BINPUT, _LONG_BINPUT = (
    OPCODES[name] for name in ("BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT")
)


class Reader:
    """A stream in blocks: `block` from place `at` on is what comes next.

    Up to place `safe` the block holds all of an operation that does not ask for its bytes.

    Args:
        read: the next bytes of the stream, as many as it is asked for unless the stream ends.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._before = 0
        self._ended = False
        self.block = b""
        self.at = 0
        self.safe = -1

    @property
    def offset(self) -> int:
        """Bytes of the stream before `at`."""
        return self._before + self.at

    def more(self, at: int) -> tuple[bytes, int, int]:
        """Drop the block up to a place and read on: `block`, `at` and `safe` anew."""
        if at > len(self.block):
            raise RefusedError("ends too early")
        fresh = self._read(_BLOCK)
        self._before += at
        self._ended = not fresh
        self.block, self.at = self.block[at:] + fresh, 0
        self.safe = len(self.block) - (_MARGIN if fresh else 0)
        return self.block, self.at, self.safe

    def take(self, at: int, n: int) -> bytes:
        """The `n` bytes at a place; then `at` is behind them."""
        if n > MOST_BYTES:
            raise RefusedError(f"has one value of more than {MOST_BYTES >> 20} MiB")
        taken = self.block[at : at + n]
        self.at = at + len(taken)
        missing = n - len(taken)
        if missing:
            rest = self._read(missing)
            if len(rest) < missing:
                raise RefusedError("ends too early")
            self._before += len(self.block) + missing
            self.block, self.at, self.safe = b"", 0, -1
            taken += rest
        return taken

    def line(self, at: int) -> bytes:
        """The bytes up to a newline, without it; then `at` is behind it."""
        while (end := self.block.find(b"\n", at)) < 0:
            if self._ended or len(self.block) - at > _LONGEST_LINE:
                raise RefusedError("has a line without an end")
            at = self.more(at)[1]
        self.at = end + 1
        return self.block[at:end]


class Machine:
    """Runs one pickle.

    Args:
        reader: where it comes from; left behind its end.
        names: what it may name; see `names.NAMES`.
    """

    def __init__(self, reader: Reader, names: Names) -> None:
        self._reader = reader
        self._names = names
        self._memo: dict[int, Any] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []  # where on the stack each open group of items begins
        self._made = 0  # containers since memory was last known to be free of them
        self._base = reader.offset  # where in the stream that was

    def run(self) -> Any:
        """The object that the pickle writes.

        Raises:
            RefusedError: where it asks for what it does not get.
            LookupError, TypeError, ValueError, struct.error: where it is damaged.
        """
        reader, stack, marks, memo = self._reader, self._stack, self._marks, self._memo
        push, double, word = stack.append, Struct(">d").unpack_from, Struct("<I").unpack_from
        pairs = Struct(">xBxd").iter_unpack
        memoized = 0
        block, at, safe = reader.block, reader.at, reader.safe
        while True:
            while at > safe:
                block, at, safe = reader.more(at)
                self._check()
            code = block[at]
            at += 1
            # What a record of a benchmark consists of comes first, the most frequent at the top.
            if code == _BINFLOAT:
                push(double(block, at)[0])
                at += 8
            elif code == _SHORT_BINUNICODE:
                end = at + 1 + block[at]
                text = block[at + 1 : end].decode()
                push(text)
                at = end
            elif code == _MEMOIZE:
                memo[memoized] = stack[-1]
                memoized += 1
            elif code == _BININT1:
                push(block[at])
                at += 1
            elif code == _LONG_BINGET:
                push(memo[word(block, at)[0]])
                at += 4
            elif code == _BINGET:
                push(memo[block[at]])
                at += 1
            elif code == _LONG_BINPUT:
                memo[word(block, at)[0]] = stack[-1]
                at += 4
            elif code == _BINPUT:
                memo[block[at]] = stack[-1]
                at += 1
            elif code == _BINUNICODE:
                push(reader.take(at + 4, word(block, at)[0]).decode())
                block, at, safe = reader.block, reader.at, reader.safe
            elif code == _MARK:
                if len(marks) == 2:
                    reader.at = at
                    self._within()
                marks.append(len(stack))
                if curve := _CURVE.match(block, at):
                    stack.extend(chain.from_iterable(pairs(curve[0])))
                    at = curve.end()
            elif code == _STOP:
                reader.at = at
                if len(stack) != 1 or marks:
                    raise RefusedError("ends with more or less than one object")
                return stack[0]
            elif code in _OPERATIONS:
                reader.at = at
                _OPERATIONS[code](self)
                block, at, safe = reader.block, reader.at, reader.safe
            else:
                raise RefusedError(f"has an operation that data does not need, {chr(code)!a}")

    def _within(self) -> None:
        """Told that a group of items begins within one that is within one; see `Drain`."""

    def _check(self) -> None:
        """Asked once a block, in which little can be made."""
        if self._reader.offset - self._base > MOST_BYTES:
            raise RefusedError(f"has more than {MOST_BYTES >> 20} MiB in one piece")
        if self._made + len(self._stack) + len(self._marks) + len(self._memo) > MOST_OBJECTS:
            raise RefusedError(f"has more than {MOST_OBJECTS:,} objects in one piece")

    # Values.

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _read(self, kind: str) -> Any:
        """The number that comes next, in a format of `struct`."""
        return unpack(kind, self._reader.take(self._reader.at, calcsize(kind)))[0]

    def _bytes(self, size: str) -> bytes:
        """The bytes that come next; how many they are stands before them in this format."""
        n = self._read(size)
        if n < 0:
            raise RefusedError("has a value of less than no bytes")
        return self._reader.take(self._reader.at, n)

    def _line(self, encoding: str = "ascii") -> str:
        return self._reader.line(self._reader.at).decode(encoding)

    def _integer(self, size: str) -> int:
        raw = self._bytes(size)
        if len(raw) > _LONGEST_INTEGER:
            raise RefusedError("has an integer of more than 64 bits")
        return int.from_bytes(raw, "little", signed=True)

    def _decimal(self) -> int:
        text = self._line()
        if len(text) > 3 * _LONGEST_INTEGER:
            raise RefusedError("has an integer of more than 64 bits")
        return {"00": False, "01": True}[text] if text in ("00", "01") else int(text.rstrip("L"))

    def _quoted(self) -> str:
        text = self._line()
        if len(text) < 2 or text[0] not in "'\"" or text[0] != text[-1]:
            raise RefusedError("has a string without quotes")
        raw, _ = codecs.escape_decode(text[1:-1])
        decoded: str = raw.decode("latin-1")
        return decoded

    # Containers.

    def _make(self, container: object) -> None:
        self._made += 1
        self._stack.append(container)

    def _last(self, n: int) -> list[Any]:
        """The top `n` items of the stack, taken off it."""
        if n > len(self._stack):
            raise RefusedError("takes more than there is")
        items = self._stack[-n:]
        del self._stack[-n:]
        return items

    def _group(self) -> list[Any]:
        """The group of items on top of the stack, taken off it."""
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _append(self, items: list[Any]) -> None:
        self._target(list).extend(items)

    def _add(self, items: list[Any]) -> None:
        if not all(map(is_key, items)):
            raise RefusedError("has something else than strings and numbers in a set")
        self._target(set).update(items)

    def _store(self, items: list[Any]) -> None:
        """Put items, keys and values in turn, into the dict on top of the stack."""
        target = self._target(dict)
        keys = items[::2]
        if not set(map(type, keys)) <= {str, int} and not all(map(is_key, keys)):
            raise RefusedError("has something else than a string or a number as a key")
        size = len(target)
        target.update(zip(keys, items[1::2], strict=True))
        if len(target) != size + len(keys):
            raise RefusedError("has a key twice in one dict")

    def _store_anew(self, items: list[Any]) -> None:
        self._make({})
        self._store(items)

    def _target(self, kind: type) -> Any:
        target = self._stack[-1]
        if type(target) is not kind:
            raise RefusedError(f"adds items of a {kind.__name__} to a {type(target).__name__}")
        return target

    # Names and what they make.

    def _name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise RefusedError("has a name that is not a string")
        text = f"{module}.{name}"
        if (module, name) not in self._names:
            raise RefusedError(f"names {ascii(text)[1:-1][:100]}, which no measured data needs")
        self._make(Name(text, self._names[module, name]))

    def _call(self) -> None:
        called, arguments = self._last(2)
        if type(called) is not Name or called.make is None or type(arguments) is not tuple:
            what = called.text if type(called) is Name else f"a {type(called).__name__}"
            raise RefusedError(f"calls {what}")
        self._make(called.make(*arguments))

    def _fill(self) -> None:
        made, state = self._last(2)
        fill(made, state)
        self._stack.append(made)

    def _pass_over_tensor(self) -> None:
        self._last(1)
        self._make(Weights())


_OPERATIONS: Mapping[int, Callable[[Machine], object]] = {
    OPCODES[name]: operation
    for name, operation in {
        "PROTO": lambda m: m._read("B"),
        "FRAME": lambda m: m._read("<Q"),
        "NONE": lambda m: m._push(None),
        "NEWTRUE": lambda m: m._push(True),
        "NEWFALSE": lambda m: m._push(False),
        "INT": lambda m: m._push(m._decimal()),
        "LONG": lambda m: m._push(m._decimal()),
        "BININT": lambda m: m._push(m._read("<i")),
        "BININT2": lambda m: m._push(m._read("<H")),
        "LONG1": lambda m: m._push(m._integer("B")),
        "LONG4": lambda m: m._push(m._integer("<i")),
        "FLOAT": lambda m: m._push(float(m._line())),
        "STRING": lambda m: m._push(m._quoted()),
        "BINSTRING": lambda m: m._push(m._bytes("<i").decode("latin-1")),
        "SHORT_BINSTRING": lambda m: m._push(m._bytes("B").decode("latin-1")),
        "UNICODE": lambda m: m._push(m._line("raw-unicode-escape")),
        "BINUNICODE8": lambda m: m._push(m._bytes("<Q").decode()),
        "BINBYTES": lambda m: m._push(m._bytes("<I")),
        "SHORT_BINBYTES": lambda m: m._push(m._bytes("B")),
        "BINBYTES8": lambda m: m._push(m._bytes("<Q")),
        "BYTEARRAY8": lambda m: m._make(bytearray(m._bytes("<Q"))),
        "EMPTY_LIST": lambda m: m._make([]),
        "EMPTY_DICT": lambda m: m._make({}),
        "EMPTY_SET": lambda m: m._make(set()),
        "EMPTY_TUPLE": lambda m: m._push(()),
        "TUPLE1": lambda m: m._make(tuple(m._last(1))),
        "TUPLE2": lambda m: m._make(tuple(m._last(2))),
        "TUPLE3": lambda m: m._make(tuple(m._last(3))),
        "TUPLE": lambda m: m._make(tuple(m._group())),
        "LIST": lambda m: m._make(m._group()),
        "DICT": lambda m: m._store_anew(m._group()),
        "APPEND": lambda m: m._append(m._last(1)),
        "APPENDS": lambda m: m._append(m._group()),
        "SETITEM": lambda m: m._store(m._last(2)),
        "SETITEMS": lambda m: m._store(m._group()),
        "ADDITEMS": lambda m: m._add(m._group()),
        "POP": lambda m: m._last(1),
        "PUT": lambda m: m._memo.__setitem__(int(m._line()), m._stack[-1]),
        "GET": lambda m: m._push(m._memo[int(m._line())]),
        "GLOBAL": lambda m: m._name(m._line(), m._line()),
        "STACK_GLOBAL": lambda m: m._name(*m._last(2)),
        "REDUCE": lambda m: m._call(),
        "NEWOBJ": lambda m: m._call(),
        "BUILD": lambda m: m._fill(),
        "BINPERSID": lambda m: m._pass_over_tensor(),
    }.items()
}
