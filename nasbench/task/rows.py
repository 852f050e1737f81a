"""Rows of a table in their splits: out of one file, or of a folder with a file a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue, unknown
from nasbench.task.base import SPLITS
from nasbench.task.cells import SUFFIXES, Room, read_cells
from nasbench.task.columns import is_missing
from nasbench.task.unread import counted, named

__all__ = ["RowOptions", "Rows", "read_rows"]


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
    room = Room()
    tables = {
        split: read_cells(file, room, options.columns, options.separator)
        for split, file in files.items()
    }
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
