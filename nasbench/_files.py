"""Files: written whole or not at all, read within bounds, always UTF-8.

Whatever reads a text that somebody wrote by hand, or that comes from elsewhere, reads it here, so
that size, depth, encoding and what is no file at all are checked in one place.
"""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from nasbench.errors import BadValue, DamagedFile, NasbenchError

__all__ = [
    "MOST_JSON",
    "atomic_path",
    "check_folder",
    "check_out",
    "csv_cell",
    "csv_value",
    "local",
    "open_file",
    "parse_json",
    "read_json",
    "read_text",
    "utf8",
    "write_csv",
    "write_json",
    "write_text",
]

MOST_JSON = 1 << 28
"""Bytes that a JSON document may have; surrogates are the largest, of some 20 MB."""

_LONGEST_NAME = 220
"""Bytes of a file's name: 255 is what file systems take, and beside ours there are `.build`,
`.NAME.PROCESS.partial` and `NAME.json`."""


@contextmanager
def open_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A regular file's bytes; pipes, devices and folders are refused, and never waited for.

    Args:
        path: of the file.
        what: the file is called in an error, as in `cannot read image x.png`.

    Raises:
        NasbenchError: where it cannot be opened, or is no regular file.
    """
    # Not to wait for whoever writes to a pipe: it is refused just below.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise NasbenchError(f"cannot read {what} {path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name, or letters that the locale does not have
        raise BadValue(f"cannot read {what} {str(path)!r}: {error}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise BadValue(f"cannot read {what} {path}: it is {kind}")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_text(path: Path, what: str, *, most: int = MOST_JSON) -> str:
    """The text of a file: UTF-8, with or without a byte order mark, any line ends.

    Args:
        path: of the file.
        what: the file is called in an error, as in `cannot read recipe r.toml`.
        most: bytes that it may have.

    Raises:
        NasbenchError: where it cannot be read, is no regular file, is larger, or is no UTF-8.
    """
    with open_file(path, what) as file:
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise NasbenchError(f"cannot read {what} {path}: {error.strerror}") from error
    if len(data) > most:
        raise BadValue(f"cannot read {what} {path}: it has more than {most:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedFile(
            f"cannot read {what} {path}: it is no UTF-8 text "
            f"({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, what: str, *, most: int = MOST_JSON) -> Any:
    """What a JSON document holds; NaN and infinities are no JSON.

    Raises:
        NasbenchError: as `read_text`, and where it is not JSON.
    """
    text = read_text(path, what, most=most)
    try:
        return parse_json(text)
    except ValueError as error:
        raise DamagedFile(f"{path} is damaged: it is not JSON ({error})") from error


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says; NaN and infinities are no JSON.

    Raises:
        ValueError: where it is not JSON, or nested more deeply than Python can read.

    Example:
        >>> parse_json('{"epochs": 5}')
        {'epochs': 5}
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def utf8(name: str) -> str:
    """The name of a file as texts have it, also where the locale knows only ASCII.

    What is no UTF-8 keeps its escapes, which no name of ours may have: see `is_name`.
    """
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def local(text: str) -> str:
    """A path that stands in a text, as the file system of any locale takes it; undoes `utf8`."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 with plain newlines, whatever the locale and the system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, values: Any, *, indent: int = 2, new: bool = False) -> None:
    """Write plain JSON values, with a newline at the end; NaN is refused.

    Args:
        path: of the file.
        values: of it.
        indent: of what is inside something else.
        new: as for `atomic_path`.
    """
    text = json.dumps(values, indent=indent, allow_nan=False)
    with atomic_path(path, new=new) as partial:
        write_text(partial, f"{text}\n")


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows below a header, whole: numbers as Python writes them, NaN as nothing."""
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(csv_cell, head))
        writer.writerows(map(csv_cell, row) for row in rows)


def csv_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, see `csv_value`; NaN is an empty one.

    Text that begins as one does gets an apostrophe, which spreadsheets do not show (OWASP, "CSV
    Injection").

    Example:
        >>> csv_cell("=1+1"), csv_cell("|skip|"), csv_cell(-0.5)
        ("'=1+1", '|skip|', -0.5)
    """
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return "" if value != value else value


def csv_value(cell: str) -> str:
    """The text that `csv_cell` made a cell of.

    Example:
        >>> [csv_value(csv_cell(text)) for text in ("=1", "'=1", "'a", "a")]
        ['=1', "'=1", "'a", 'a']
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


# Also what has an apostrophe already: so that what is written can be read back.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@contextmanager
def atomic_path(path: Path, *, new: bool = False) -> Iterator[Path]:
    """A path beside `path` that takes its place when the block ends well, and goes otherwise.

    Args:
        path: of the file to be.
        new: it must not be there: what appeared meanwhile stays, and is said.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if new:
            _move_where_none_is(partial, path)
        else:
            os.replace(partial, path)
    except OSError as error:
        raise NasbenchError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # mostly: it was renamed, or could not even be made
            partial.unlink()


def _move_where_none_is(partial: Path, path: Path) -> None:
    appeared = NasbenchError(
        f"{path} appeared meanwhile and was left as it is: move it away, and run the command again"
    )
    try:
        os.link(partial, path)  # unlike a rename, never in the place of another
    except FileExistsError:
        raise appeared from None
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise appeared from None
        os.replace(partial, path)


def check_out(out: Path, option: str = "--out", *, new: bool = False) -> bool:
    """Refuse at once what no file can be written to.

    Args:
        out: the file to be; its folder must be there.
        option: that named it, for the error.
        new: it must not be there yet.

    Returns:
        Whether it is there. Where it is not, `atomic_path` takes `new=True`.

    Raises:
        BadValue: in one sentence.
    """
    _check_name(out, option, "a file")
    mode = _mode(out)
    if mode is None:
        _check_holder(out, f"cannot write {out}")
        return False
    if stat.S_ISDIR(mode):
        raise BadValue(f"cannot write {out}: it is a folder; name a file")
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise BadValue(f"cannot write {out}: it is no regular file; name another")
    if new:
        raise BadValue(f"{out} is there already: give another {option} or remove it")
    _check_holder(out, f"cannot write {out}")
    return True


def check_folder(out: Path, option: str = "--out") -> None:
    """Refuse at once what cannot be a folder to write to; the one that holds it must be there.

    Args:
        out: the folder, which need not be there.
        option: that named it, for the error.

    Raises:
        BadValue: in one sentence.
    """
    if str(out) != os.curdir:
        _check_name(out, option, "a folder", also=(os.pardir,))
    mode = _mode(out)
    if mode is None:
        _check_holder(out, f"cannot write to {out}")
    elif not stat.S_ISDIR(mode):
        raise BadValue(f"cannot write to {out}: it is a file; name a folder")
    elif not os.access(out, os.W_OK):
        raise BadValue(f"cannot write to {out}: the folder is not yours to write")


def _check_name(out: Path, option: str, what: str, also: Sequence[str] = ()) -> None:
    name = out.name
    if not name.strip() or (name in (os.curdir, os.pardir) and name not in also):
        raise BadValue(f"{option} names {what}, got {str(out)!r}")
    if any(not letter.isprintable() and ord(letter) < 0xD800 for letter in name):
        raise BadValue(f"{option}: a name has no control characters, got {name[:99]!r}")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise BadValue(f"{option}: a name has at most {_LONGEST_NAME} bytes, got {name[:99]!r}...")


def _mode(out: Path) -> int | None:
    """What is there, a link's target if it has one; None where nothing is."""
    try:
        return out.stat().st_mode if out.exists() else out.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # no right to look; a NUL in a folder's name
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadValue(f"cannot write {str(out)[:999]!r}: {reason}") from error


def _check_holder(out: Path, failed: str) -> None:
    """Files and folders alike: a folder that a slip of the pen named is not made."""
    if not out.parent.is_dir():
        raise BadValue(f"{failed}: there is no folder {out.parent}; make it first")
    if not os.access(out.parent, os.W_OK):
        raise BadValue(f"{failed}: the folder {out.parent} is not yours to write")
