"""Cells of a table in a file: csv, tsv and parquet, as texts by column, none of them trusted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasbench._files import open_file
from nasbench._names import is_name
from nasbench._processes import memory
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported
from nasbench.task.signal import MOST_COLUMNS

__all__ = ["SUFFIXES", "Room", "read_cells"]

SUFFIXES = (".csv", ".tsv", ".parquet")
"""Files that rows are read from, by what they are called."""
_CELL = 64
"""Bytes that a cell takes beside its letters."""
LONGEST_CELL = 1 << 24
_MOST = 1 << 40
"""Bytes where a machine does not say how much memory it has."""


class Room:
    """What cells take of the memory that there is."""

    def __init__(self) -> None:
        self._most, self._held = (memory() or _MOST) // 2, 0

    def take(self, path: Path, cells: int, letters: int) -> None:
        """Count more cells; refuse those that would not leave half of the memory."""
        self._held += _CELL * cells + letters
        if self._held > self._most:
            raise BadValue(
                f"{path} is too large: its cells take more than {self._most / 2**30:,.1f} GiB, "
                f"half of this machine's memory"
            )


def read_cells(
    path: Path, room: Room, columns: Sequence[str] = (), separator: str = ""
) -> dict[str, list[str]]:
    """The cells of a file by column.

    Args:
        path: of the file.
        room: that the cells are counted in.
        columns: the columns' names, for a file that does not begin with them.
        separator: between cells; by default a comma, in .tsv a tab.

    Raises:
        NasbenchError: where the file is damaged, too large, or of another kind.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        if columns or separator:
            raise BadValue(f"{path} knows its columns: leave columns and separator out of [task]")
        return _read_parquet(path, room)
    if suffix not in SUFFIXES:
        raise BadValue(f"rows are read from {', '.join(SUFFIXES)} files, got {path}")
    return _read_csv(path, room, columns, separator)


def _read_csv(
    path: Path, room: Room, columns: Sequence[str], separator: str
) -> dict[str, list[str]]:
    """Cells by column. In .tsv a tab separates and quotes are letters; in .csv they quote."""
    tabs = path.suffix.lower() == ".tsv"
    separator = separator or ("\t" if tabs else ",")
    if len(separator) != 1 or separator in '"\r\n':
        raise BadValue(f'[task]: separator is one letter, as in ";", got {separator!r}')
    with open_file(path, "rows") as file, _long_cells(), _told(path):
        room.take(path, 0, file.seek(0, 2))
        file.seek(0)
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        lines = csv.reader(
            text,
            delimiter=separator,
            quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
            strict=not tabs,
        )
        names = list(columns) or [name.strip() for name in next(lines, [])]
        _check_names(path, names)
        cells: list[list[str]] = [[] for _ in names]
        for row in lines:
            if not row:
                continue
            if len(row) != len(names):
                raise BadValue(
                    f"{path}, line {lines.line_num}: {len(row)} cells, and there are "
                    f"{len(names)} columns"
                )
            room.take(path, len(row), 0)
            for column, cell in zip(cells, row, strict=True):
                column.append(cell.strip())
        text.detach()
    return dict(zip(names, cells, strict=True))


@contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedFile(
            f"cannot read rows {path}: it is no UTF-8 text ({error.reason} at byte "
            f"{error.start}); save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise DamagedFile(f"cannot read rows {path}: {error}") from error


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names or not any(names):
        raise BadValue(f"{path} does not begin with the names of its columns")
    if len(names) > MOST_COLUMNS:
        raise BadValue(f"{path} has {len(names):,} columns; {MOST_COLUMNS:,} at most are read")
    for name in names:
        if not is_name(name):
            raise BadValue(
                f"{path}: a column's name has 1 to 200 printable letters, got {name[:99]!r}; "
                f"columns = [...] in [task] names the columns of a file without names"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadValue(f"{path}: two columns are called {twice!r}")


def _read_parquet(path: Path, room: Room) -> dict[str, list[str]]:
    try:
        from pyarrow import ArrowException, parquet, types
    except ImportError as error:
        raise Unsupported(
            f"{path} needs pyarrow: pip install 'nasbench-harness[parquet]', or save it as csv"
        ) from error
    with open_file(path, "rows") as file:
        try:
            source = parquet.ParquetFile(file)
            about = source.metadata
            groups = [about.row_group(k) for k in range(about.num_row_groups)]
            room.take(
                path, about.num_rows * about.num_columns, sum(g.total_byte_size for g in groups)
            )
            schema = source.schema_arrow
            names = list(schema.names)
            _check_names(path, names)
            for field in schema:
                kind = field.type
                plain = types.is_temporal(kind) or types.is_integer(kind) or types.is_boolean(kind)
                plain = plain or types.is_floating(kind) or types.is_decimal(kind)
                kind = kind.value_type if types.is_dictionary(kind) else kind
                if not (plain or types.is_string(kind) or types.is_large_string(kind)):
                    raise Unsupported(
                        f"{path}: column {field.name} is of {str(kind)[:60]}; numbers, texts, "
                        f"dates and booleans are read"
                    )
            return {
                name: [_text(value) for value in source.read([name]).column(0).to_pylist()]
                for name in names
            }
        except NasbenchError:
            raise
        except (ArrowException, OSError, ValueError, OverflowError) as error:
            said = " ".join(str(error).split())[:120]
            raise DamagedFile(f"cannot read rows {path} as parquet: {said}") from error


def _text(value: Any) -> str:
    """A value as a csv file would have it."""
    if value is None or value != value:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value).strip()
