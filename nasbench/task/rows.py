"""Rows of a table in a file: csv, tsv and parquet, all cells as texts, none of them trusted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nasbench._files import open_file, utf8
from nasbench._names import is_name
from nasbench._processes import memory
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported, unknown
from nasbench.task.base import SPLITS
from nasbench.task.columns import is_missing
from nasbench.task.signal import MOST_COLUMNS
from nasbench.task.unread import counted, named

__all__ = ["SUFFIXES", "RowOptions", "Rows", "read_rows"]

SUFFIXES = (".csv", ".tsv", ".parquet")
"""Files that rows are read from, by what they are called."""
_CELL = 64
"""Bytes that a cell takes beside its letters."""
_LONGEST_CELL = 1 << 24
_MOST = 1 << 40
"""Bytes where a machine does not say how much memory it has."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What `[task]` says of rows, whatever their columns become.

    Attributes:
        target: the column of what is to be answered.
        kind_of_target: `classes`, `number`, or nothing: see `kind_of_target`.
        columns: the columns' names, for a file that does not begin with them.
        separator: between cells; by default a comma, in .tsv a tab.
        splits: the column that says each row's split: train, valid or test.
        group: the column whose values no two splits may share.
        time: the column by whose order train comes before valid, and valid before test.
        groups: columns that are kept for evaluation, by group.
    """

    target: str = ""
    kind_of_target: str = ""
    columns: tuple[str, ...] = ()
    separator: str = ""
    splits: str = ""
    group: str = ""
    time: str = ""
    groups: tuple[str, ...] = ()

    @classmethod
    def known(cls) -> frozenset[str]:
        """What `[task]` may say."""
        return frozenset(field.name for field in fields(cls))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of all splits that come apart, or all as `train`.

    Attributes:
        source: the file, or the folder with a file a split.
        columns: by its name each column's cells by split.
        unread: what was not read, a sentence each.
    """

    source: Path
    columns: Mapping[str, Mapping[str, Sequence[str]]]
    unread: tuple[str, ...] = ()

    def column(self, name: str, option: str) -> Mapping[str, Sequence[str]]:
        """The cells of the column that an option of `[task]` names.

        Raises:
            UnknownName: where there is none; the near ones are named.
        """
        if name not in self.columns:
            raise unknown(f"column of {self.source.name} that {option} names:", name, self.columns)
        return self.columns[name]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that come apart, `train` among them."""
        return tuple(next(iter(self.columns.values())))

    def without(self, missing: str) -> tuple[Rows, int]:
        """The rows that have a value in a column, and how many have none."""
        there = {
            split: [row for row, cell in enumerate(cells) if not is_missing(cell)]
            for split, cells in self.columns[missing].items()
        }
        lost = sum(len(cells) for cells in self.columns[missing].values())
        lost -= sum(map(len, there.values()))
        return (self._chosen(there, self.splits) if lost else self), lost

    def divided(self, there: Mapping[str, Sequence[int] | NDArray[Any]]) -> Rows:
        """The rows in splits: those that come apart in their new order, others out of `train`."""
        apart = set(self.splits)
        return self._chosen(there, [split if split in apart else "train" for split in there])

    def _chosen(
        self, there: Mapping[str, Sequence[int] | NDArray[Any]], parts: Sequence[str]
    ) -> Rows:
        columns = {
            name: {
                split: [by[part][row] for row in rows]
                for part, (split, rows) in zip(parts, there.items(), strict=True)
            }
            for name, by in self.columns.items()
        }
        return Rows(self.source, columns, self.unread)


def read_rows(path: Path, options: RowOptions) -> Rows:
    """The rows of a file, or of a folder with a file a split.

    Args:
        path: a .csv, .tsv or .parquet file; or a folder with `train.csv` and, where they come
            apart, `valid.csv` (or `val`, `validation`) and `test.csv`.
        options: see `RowOptions`.

    Raises:
        NasbenchError: where a file is damaged or too large, rows differ in length, or files in
            their columns.
    """
    files, unread = _files(path)
    if options.splits and len(files) > 1:
        raise BadValue(f"{path} has a file for each split: leave splits out of [task]")
    room = _Room()
    tables = {split: _read(file, options, room) for split, file in files.items()}
    names = list(tables["train"])
    for split, table in tables.items():
        if lacking := [name for name in names if name not in table]:
            raise BadValue(f"{files[split]} has no column {named(lacking)}, which train has")
        if more := [name for name in table if name not in names]:
            unread.append(f"not read: {counted(more, 'column')} that only {split} has")
    rows = Rows(
        path,
        {name: {split: tables[split][name] for split in tables} for name in names},
        tuple(unread),
    )
    if not all(len(cells) for cells in rows.columns[names[0]].values()):
        empty = next(split for split, cells in rows.columns[names[0]].items() if not cells)
        raise BadValue(f"{files[empty]} has no rows below its columns' names")
    return _by_split(rows, options) if options.splits else rows


def _by_split(rows: Rows, options: RowOptions) -> Rows:
    """The rows of one file, by the split that a column says."""
    there: dict[str, list[int]] = {}
    for row, cell in enumerate(rows.column(options.splits, "splits")["train"]):
        split = SPLITS.get(cell.strip().lower())
        if split is None:
            raise BadValue(
                f"{rows.source}: {options.splits} says each row's split, which is train, valid or "
                f"test, got {cell[:80]!r}"
            )
        there.setdefault(split, []).append(row)
    if "train" not in there:
        raise BadValue(f"{rows.source}: {options.splits} names no row of the train split")
    columns = {name: by for name, by in rows.columns.items() if name != options.splits}
    return Rows(rows.source, columns, rows.unread)._chosen(there, ["train"] * len(there))


def _files(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The file of each split, and what else is there."""
    if not path.is_dir():
        return {"train": path}, []
    found: dict[str, Path] = {}
    other: list[str] = []
    for file in sorted(path.iterdir()):
        split = SPLITS.get(file.stem.lower())
        if split is None or file.suffix.lower() not in SUFFIXES or file.is_dir():
            other.append(utf8(file.name))
        elif split in found:
            raise BadValue(
                f"{path} has {split} rows twice, in {named([found[split].name, file.name])}: "
                f"leave one out"
            )
        else:
            found[split] = file
    if "train" not in found:
        held = f"; it holds {named(other + [f.name for f in found.values()])}" if other else ""
        raise BadValue(f"{path} has no train.csv, train.tsv or train.parquet{held}")
    return found, [f"not read: {counted(other, 'file')} beside the splits"] if other else []


class _Room:
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


def _read(path: Path, options: RowOptions, room: _Room) -> dict[str, list[str]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        if options.columns or options.separator:
            raise BadValue(f"{path} knows its columns: leave columns and separator out of [task]")
        return _read_parquet(path, room)
    if suffix not in SUFFIXES:
        raise BadValue(f"rows are read from {', '.join(SUFFIXES)} files, got {path}")
    return _read_csv(path, options, room)


def _read_csv(path: Path, options: RowOptions, room: _Room) -> dict[str, list[str]]:
    """Cells by column. In .tsv a tab separates and quotes are letters; in .csv they quote."""
    tabs = path.suffix.lower() == ".tsv"
    separator = options.separator or ("\t" if tabs else ",")
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
        names = list(options.columns) or [name.strip() for name in next(lines, [])]
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
    before = csv.field_size_limit(_LONGEST_CELL)
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


def _read_parquet(path: Path, room: _Room) -> dict[str, list[str]]:
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
