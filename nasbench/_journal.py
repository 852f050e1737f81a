"""Append-only journals: lines that each have a checksum, and survive a kill at any moment.

What becomes of a line is decided here, once for every journal:

- A line is `CRC32 JSON`: eight hexadecimal digits, a space, an object, a newline.
- The end that a kill or a full disk tore off is no line: the next one takes its place.
- A line whose checksum is wrong is damaged. Where lines stand for themselves (trainings, whole
  searches) it is passed over, and its work is done again; where each follows from those before
  it the journal is refused, by the number of the line.
- A line whose checksum is right and that says what is never written there is forged, or of
  another version: the journal is refused, by the number of the line.
- A file under another header is somebody else's: it is refused, and not one byte of it changed.
- So is one to which another process adds lines that follow from each other.
- A full disk is reported in one sentence: whole lines stay.
"""

from __future__ import annotations

import json
import math
import operator
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeVar

from nasbench._files import atomic_path, open_file
from nasbench.errors import DamagedFile, NasbenchError

__all__ = [
    "Journal",
    "Kind",
    "Line",
    "append",
    "checked",
    "integer",
    "line_of",
    "number",
    "read_journal",
    "read_lines",
]

Made = TypeVar("Made")

# numpy's floats are floats, its integers are no int.
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=operator.index)

MOST_LINE = 1 << 28
"""Bytes that a line may have: that of a search of a million evaluations has a quarter."""


class Line(NamedTuple):
    """What a line holds, and its number in the file, from 1."""

    number: int
    entry: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What journals of a kind have in common.

    Attributes:
        another: what a file under another header holds, as in `J holds another run`.
        remedy: what to do about a file that cannot be taken up.
        ordered: each line follows from those before it, and one process writes at a time.
            Otherwise lines stand for themselves, and several may add to one file.
    """

    another: str
    remedy: str
    ordered: bool = False

    def damaged(self, path: Path, line: int) -> DamagedFile:
        """The error for a line that is not as it was written."""
        return DamagedFile(f"{path} is damaged in line {line}: {self.remedy}")

    def forged(self, path: Path, line: int) -> DamagedFile:
        """The error for a line whose checksum is right and whose content is impossible."""
        return DamagedFile(
            f"{path} is damaged in line {line}: its checksum is right, but it says what is never "
            f"written there; {self.remedy}"
        )


def line_of(entry: Mapping[str, Any]) -> bytes:
    r"""An entry as a journal holds it: its checksum, its JSON, a newline.

    Example:
        >>> line_of({"ask": 0})
        b'b30c6e6e {"ask":0}\n'
    """
    text = _ENCODER.encode(entry).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _first_line(header: Mapping[str, Any]) -> bytes:
    """A header's line: the same for the same values, whatever their order."""
    return line_of(json.loads(json.dumps(header, sort_keys=True, default=operator.index)))


def append(file: BinaryIO, data: bytes, path: Path, *, sync: bool) -> None:
    """Write to the end of an unbuffered file.

    Args:
        file: to write to.
        data: whole lines.
        path: of the file, for the error.
        sync: what is added outlives the machine's end, not only this process's.

    Raises:
        NasbenchError: where the disk is full.
    """
    try:
        while data:
            data = data[file.write(data) :]
        if sync:
            os.fsync(file.fileno())
    except OSError as error:
        raise NasbenchError(
            f"cannot write {path}: {error.strerror}; what is finished is kept, and the same "
            f"command goes on from there"
        ) from error


def read_lines(path: Path, kind: Kind) -> Iterator[Line]:
    """The whole lines of a file without a header; what is torn or damaged is passed over.

    Raises:
        DamagedFile: for a line whose checksum is right, and which is no JSON object.
    """
    for line, data in enumerate(_whole(path), 1):
        entry = _entry(data, path, line, kind)
        if entry is not None:
            yield Line(line, entry)


def checked(
    lines: Iterable[Line], make: Callable[[dict[str, Any]], Made], path: Path, kind: Kind
) -> Iterator[Made]:
    """What is made of each line's entry.

    Raises:
        DamagedFile: where an entry lacks what is made of it, or holds what cannot be.
    """
    for line, entry in lines:
        try:
            yield make(entry)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise kind.forged(path, line) from error


def integer(value: Any, least: int = 0, most: float = math.inf) -> int:
    """A whole number within bounds, ends included; ValueError for anything else."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError
    return value


def number(value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number within bounds, ends included; ValueError for anything else."""
    if type(value) not in (int, float) or not (least <= value <= most and abs(value) < math.inf):
        raise ValueError
    return float(value)


def read_journal(path: Path, header: Mapping[str, Any], kind: Kind) -> list[Line]:
    """The lines under a header.

    Raises:
        NasbenchError: where the file cannot be read, has another header, or is damaged.
    """
    return _read(path, _first_line(header), kind).lines


class Journal:
    """A header, and the lines that are added under it: each is on its way to disk at once.

    A journal of the same header is taken up. Another file is refused and left as it is.

    Args:
        path: of the file; its folder is made.
        header: what the lines belong to; plain JSON values.
        kind: what is said of a file that cannot be taken up.
        sync: whether lines outlive the machine's end, not only this process's.
        accept: whether a journal of another header is taken up, too. It then stays as it is until
            a line is added to it, or `renew` is called: only then it gets its new header.

    Raises:
        NasbenchError: where the file cannot be written, is somebody else's or damaged; where
            another process writes it, and its lines are ordered.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, Any],
        kind: Kind,
        *,
        sync: bool = False,
        accept: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        self.path = path
        self._first = _first_line(header)
        self._kind = kind
        self._sync = sync
        found = _HeldLines([], 0, True)
        with ExitStack() as alone:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if kind.ordered:
                    path.touch()
                    alone.enter_context(_alone(path))
                if path.exists():
                    found = _read(path, self._first, kind, accept)
                self._lines, self._end = found.lines, found.end
                self._file = self._open() if found.current else None
            except OSError as error:
                raise NasbenchError(f"cannot write {path}: {error.strerror}") from error
            self._alone = alone.pop_all()  # until `close`

    def _open(self) -> BinaryIO:
        """The file, to add to; what is torn goes, and the header comes where there is none."""
        self.path.touch()
        # Lines that stand for themselves go to the end, which another process may have moved.
        with ExitStack() as opened:
            mode: Literal["r+b", "ab"] = "r+b" if self._kind.ordered else "ab"
            file = opened.enter_context(self.path.open(mode, buffering=0))
            file.truncate(self._end)
            file.seek(self._end)
            if not self._end:
                append(file, self._first, self.path, sync=self._sync)
            opened.pop_all()  # it stays open until `close`
        return file

    def read(self, make: Callable[[dict[str, Any]], Made]) -> list[Made]:
        """What is made of each line that the file held; see `checked`."""
        try:
            return list(checked(self._lines, make, self.path, self._kind))
        except NasbenchError:
            self.close()
            raise

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append an entry; plain JSON values.

        Raises:
            NasbenchError: where the disk is full.
        """
        file = self._file or self.renew()
        append(file, line_of(entry), self.path, sync=self._sync)

    def renew(self) -> BinaryIO:
        """Put the header that was asked for in the place of the one that was accepted."""
        if self._file is None:
            with (
                atomic_path(self.path) as partial,
                self.path.open("rb") as old,
                partial.open("wb") as new,
            ):
                kept = self._end - len(old.readline())
                new.write(self._first + old.read(kept))
                new.flush()
                os.fsync(new.fileno())
            self._end = len(self._first) + kept
            before = self._alone.pop_all()  # only once the new one is taken
            if self._kind.ordered:
                self._alone.enter_context(_alone(self.path))
            before.close()
            self._file = self._open()
        return self._file

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._alone.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from writing a file, which they may read.

    Raises:
        NasbenchError: where another process has it.
    """
    from filelock import lock_descriptor  # only who writes needs it

    with open_file(path, "journal") as file:
        locked = True
        if os.name == "posix":  # a lock of Windows would keep readers out, too
            with suppress(OSError):  # of file systems without locks
                locked = lock_descriptor(file.fileno(), blocking=False)
        # Another process may have put a renewed one in its place since it was opened.
        if not locked or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise NasbenchError(
                f"another process is at work on {path}: wait until it is done, or write elsewhere"
            )
        yield


class _HeldLines(NamedTuple):
    """The lines of a journal, where they end in bytes, and whether its header is the one given."""

    lines: list[Line]
    end: int
    current: bool


def _read(
    path: Path,
    first: bytes,
    kind: Kind,
    accept: Callable[[dict[str, Any]], bool] | None = None,
) -> _HeldLines:
    rows = _whole(path)
    head = next(rows, b"")
    if head != first and not _accepted(head, path, first, kind, accept):
        another = "lines without checksums, as of earlier versions" if head[:1] == b"{" else None
        raise NasbenchError(f"{path} holds {another or kind.another}: {kind.remedy}")
    lines, end = [], len(head)
    for line, data in enumerate(rows, 2):
        entry = _entry(data, path, line, kind)
        if entry is not None:
            lines.append(Line(line, entry))
        elif kind.ordered:
            raise kind.damaged(path, line)
        end += len(data)
    return _HeldLines(lines, end, head in (first, b""))


def _accepted(
    head: bytes,
    path: Path,
    first: bytes,
    kind: Kind,
    accept: Callable[[dict[str, Any]], bool] | None,
) -> bool:
    """Whether lines may be added under a first line that is not the header as it should be."""
    if not head:  # a kill tore the header off, or it is somebody else's
        with open_file(path, "journal") as file:
            return first.startswith(file.read(len(first)))
    entry = _entry(head, path, 1, kind)
    return entry is not None and accept is not None and accept(entry)


def _whole(path: Path) -> Iterator[bytes]:
    """The lines of a file that end, with their newlines."""
    with open_file(path, "journal") as file:
        for line, data in enumerate(iter(lambda: file.readline(MOST_LINE), b""), 1):
            if data.endswith(b"\n"):
                yield data
            elif len(data) == MOST_LINE:
                raise DamagedFile(f"{path} is no journal: line {line} has no end")


def _entry(data: bytes, path: Path, line: int, kind: Kind) -> dict[str, Any] | None:
    """What a line holds; None where its checksum is wrong."""
    checksum, _, text = data[:-1].partition(b" ")
    if not text or checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        entry = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise kind.forged(path, line) from error
    if type(entry) is not dict:
        raise kind.forged(path, line)
    return entry
