"""Tables of numbers and categories: csv, tsv or parquet, with missing values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue, shown
from nasbench.task.base import Task, check_names, check_room
from nasbench.task.columns import as_numbers, code_categories, is_missing, is_number
from nasbench.task.examples import as_float32, label_rows, task_name
from nasbench.task.rows import RowOptions, Rows, read_rows
from nasbench.task.signal import Signal
from nasbench.task.splitting import SplitPlan
from nasbench.task.unread import counted

__all__ = ["table", "table_of"]

_FEW = 20
"""Categories that a column may always have."""


def table(
    path: str | Path,
    *,
    name: str = "",
    categories: tuple[str, ...] = (),
    leave_out: tuple[str, ...] = (),
    rows: RowOptions | None = None,
    plan: SplitPlan | None = None,
) -> Task:
    """The columns of a csv, tsv or parquet file, or of a folder with a file a split.

    A column is numbers where all its training cells are numbers or missing, else categories; one
    with another text in nearly every row (names, say) is left out, and that is said.

    Args:
        path: of the file or the folder.
        name: the task's name; the file's by default.
        categories: columns of numbers that are categories, as post codes are.
        leave_out: columns that are no inputs.
        rows: what else the columns are; with a target.
        plan: of the splits.

    Raises:
        NasbenchError: where a file is damaged or too large, or a column is not there.
    """
    path = Path(path)
    name = task_name(name, path)
    check_names(name, None)
    rows = rows or RowOptions()
    if not rows.target:
        raise BadValue(
            "[task] with source 'table' needs a target: the column of what is to be answered"
        )
    read = read_rows(path, rows)
    for option, columns in (("categories", categories), ("leave_out", leave_out)):
        for column in columns:
            read.column(column, option)
    about = {"source": utf8(path.name)}
    return table_of(
        name,
        read,
        rows,
        plan or SplitPlan(),
        categories=categories,
        leave_out=leave_out,
        about=about,
    )


def table_of(
    name: str,
    read: Rows,
    options: RowOptions,
    plan: SplitPlan,
    *,
    categories: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    about: Mapping[str, Any],
) -> Task:
    """The task that rows are; see `table`."""
    kept, labelled = label_rows(name, read, options, plan)
    apart = {options.target, options.group, options.time, *leave_out}
    features = [column for column in kept.columns if column not in apart]
    n = sum(map(len, kept.columns[options.target].values()))
    check_room(n, 4 * len(features), f"rows of {len(features):,} columns", "use fewer columns")
    found = _Columns(name, kept, frozenset(categories))
    for column in features:
        found.add(column)
    if not found.inputs:
        raise BadValue(f"task {name}: no column of {read.source} is left as an input")
    notes = [f"left out: {counted(list(leave_out), 'column')}"] if leave_out else []
    return labelled.task(
        name,
        Signal("features", (len(found.inputs),), "float32", categories=tuple(found.counts)),
        {s: np.stack([column[s] for column in found.inputs], 1) for s in labelled.splits},
        about=about,
        legend={"columns": tuple(found.names), **found.legend},
        notes=[*notes, *found.notes()],
    )


class _Columns:
    """The columns that are inputs, and what is to be said of the others."""

    def __init__(self, name: str, rows: Rows, categories: frozenset[str]) -> None:
        self._name, self._rows, self._categories = name, rows, categories
        self.names: list[str] = []
        self.inputs: list[dict[str, NDArray[np.float32]]] = []
        self.counts: list[int] = []
        self.legend: dict[str, tuple[str, ...]] = {}
        self._texts: list[str] = []
        self._empty: list[str] = []
        self._strange: list[str] = []

    def add(self, column: str) -> None:
        """Read one column, as numbers or as categories."""
        cells = self._rows.columns[column]
        there = [cell for cell in cells["train"] if not is_missing(cell)]
        if not there:
            self._empty.append(column)
        elif column not in self._categories and all(map(is_number, there)):
            self._add_numbers(column, cells)
        elif self._is_text(column, there):
            self._texts.append(column)
        else:
            coded = code_categories(cells)
            self._keep(column, {split: of.astype(np.float32) for split, of in coded.codes.items()})
            self.counts.append(len(coded.names))
            self.legend[f"columns/{column}"] = coded.names
            if any((of == 0).any() for of in coded.codes.values()):
                self._strange.append(column)

    def notes(self) -> list[str]:
        """A sentence on each kind of thing that was not read."""
        kinds = {
            "not read: {} with another text in nearly every row": self._texts,
            "not read: {} without a value in the training split": self._empty,
            "{} with categories that the training split does not have: these are `unknown`": (
                self._strange
            ),
        }
        return [text.format(counted(of, "column")) for text, of in kinds.items() if of]

    def _is_text(self, column: str, cells: Sequence[str]) -> bool:
        """Whether most rows have a text of their own, as names are.

        Raises:
            BadValue: where most are numbers: a slip would make categories of them unsaid.
        """
        if column in self._categories:
            return False
        texts = [cell for cell in cells if not is_number(cell)]
        if 2 * len(texts) < len(cells):
            raise BadValue(
                f"task {self._name}: column {column} has numbers and {shown(texts[0])} among "
                f"them: mend it, or name the column in categories or leave_out of [task]"
            )
        counts = Counter(texts)
        return len(counts) > _FEW and 2 * list(counts.values()).count(1) > len(cells)

    def _add_numbers(self, column: str, cells: Mapping[str, Sequence[str]]) -> None:
        where = f"task {self._name}: column {column}"
        expected = f"a number, as all of its training cells are (or categories = [{column!r}])"
        values = {split: as_numbers(where, of, expected) for split, of in cells.items()}
        self._keep(column, {split: as_float32(where, of) for split, of in values.items()})
        self.counts.append(0)

    def _keep(self, column: str, inputs: dict[str, NDArray[np.float32]]) -> None:
        self.names.append(column)
        self.inputs.append(inputs)
