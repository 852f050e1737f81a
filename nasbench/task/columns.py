"""Columns of texts as targets, groups, times, numbers and categories.

What a number in an input stands for is learned from the training split alone; the other splits
are read by it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, shown
from nasbench.task.signal import Target
from nasbench.task.unread import named

__all__ = [
    "MISSING",
    "Coded",
    "as_numbers",
    "code_categories",
    "code_groups",
    "code_targets",
    "code_times",
    "is_missing",
    "is_number",
    "kind_of_target",
]

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
"""How a missing value is written, in any case."""
KINDS_OF_TARGET = ("classes", "number")
_MONTH = re.compile(r"\d{4}-\d{2}")
_FEW = 20
"""Classes that are never taken for numbers."""

Texts = Mapping[str, Sequence[str]]
"""By split the cells of one column."""


class Coded(NamedTuple):
    """A column as numbers by split, and what they stand for."""

    names: tuple[str, ...]
    codes: dict[str, NDArray[np.int64]]


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    Example:
        >>> [is_missing(cell) for cell in ("", "?", "NaN", "0")]
        [True, True, True, False]
    """
    return cell.strip().lower() in MISSING


def as_number(cell: str) -> float | None:
    """The number that a cell is; None where it is none. Infinities are none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as well, which no table means.
    return value if math.isfinite(value) and "_" not in cell else None


def is_number(cell: str) -> bool:
    """Whether a cell is a number.

    Example:
        >>> [is_number(cell) for cell in ("3", "1e-3", "3,5", "inf")]
        [True, True, False, False]
    """
    return as_number(cell) is not None


def kind_of_target(cells: Sequence[str], asked: str = "") -> str:
    """`number` where all cells are numbers and one is written with a point or an exponent.

    Whole numbers and texts are classes, unless something else is asked for.

    Example:
        >>> kind_of_target(["1.5", "2"]), kind_of_target(["1", "2"]), kind_of_target(["1", "b"])
        ('number', 'classes', 'classes')
    """
    if asked:
        if asked not in KINDS_OF_TARGET:
            raise BadValue(f'[task]: kind_of_target is "classes" or "number", got {shown(asked)}')
        return asked
    fractional = any(not cell.strip().lstrip("+-").isdecimal() for cell in cells)
    numbers = fractional and all(map(is_number, cells))
    return "number" if numbers else "classes"


def code_targets(
    name: str, column: str, cells: Texts, asked: str = ""
) -> tuple[Target, dict[str, NDArray[Any]]]:
    """Targets by split, and what they are.

    Classes are those of the training split: sorted, whole numbers by their value.

    Args:
        name: of the task, for errors.
        column: that the target is in.
        cells: of it; none is missing.
        asked: `classes`, `number`, or nothing: see `kind_of_target`.

    Raises:
        BadValue: where a number is none, or a split has a class that `train` has not.
    """
    if kind_of_target(cells["train"], asked) == "number":
        return Target("number", (column,)), {
            split: as_numbers(f"task {name}: {column}", of, "a number")
            for split, of in cells.items()
        }
    classes = tuple(sorted(set(cells["train"]), key=_by_value))
    place = {cls: label for label, cls in enumerate(classes)}
    for split, of in cells.items():
        if strange := sorted(set(of) - set(place)):
            raise BadValue(
                f"task {name}: {split} has {column} {named(strange)}, which train has not"
            )
    once = sum(count == 1 for count in Counter(cells["train"]).values())
    if not asked and 2 * once > len(classes) > _FEW and _numeric(classes):
        raise BadValue(
            f"task {name}: {column} has {len(classes):,} whole numbers, most of them once: say "
            f'kind_of_target = "number", or "classes" if that is what they are'
        )
    codes = {split: np.array([place[cell] for cell in of], np.int64) for split, of in cells.items()}
    return Target("classes", classes), codes


def _numeric(cells: Sequence[str]) -> bool:
    return all(map(is_number, cells))


def _by_value(cell: str) -> tuple[bool, int, str]:
    """Whole numbers first and by their value, then texts."""
    whole = cell.lstrip("+-").isdecimal() and len(cell) < 19
    return not whole, int(cell) if whole else 0, cell


def as_numbers(where: str, cells: Sequence[str], expected: str) -> NDArray[np.float64]:
    """Cells as numbers, a missing one as NaN.

    Raises:
        BadValue: where one is neither.
    """
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        value = as_number(cell)
        if value is None and not is_missing(cell):
            raise BadValue(f"{where} must be {expected} in every row, got {shown(cell)}")
        values[row] = np.nan if value is None else value
    return values


def code_groups(cells: Texts) -> Coded:
    """Groups as numbers: all splits' names, sorted; a missing one is `missing`."""
    cells = {s: ["missing" if is_missing(cell) else cell for cell in of] for s, of in cells.items()}
    names = tuple(sorted({cell for of in cells.values() for cell in of}, key=_by_value))
    place = {group: code for code, group in enumerate(names)}
    return Coded(
        names, {split: np.array([place[c] for c in of], np.int64) for split, of in cells.items()}
    )


def code_times(name: str, column: str, cells: Texts) -> dict[str, NDArray[Any]]:
    """Times that can be put in order: numbers as they are, or dates as ISO 8601 writes them.

    Raises:
        BadValue: where one is neither, or is missing.
    """
    every = [cell for of in cells.values() for cell in of]
    if _numeric(every):
        return {split: np.array([float(cell) for cell in of]) for split, of in cells.items()}
    instants: dict[str, NDArray[Any]] = {}
    for split, of in cells.items():
        found = [instant(cell) for cell in of]
        if None in found:
            raise BadValue(
                f"task {name}: {column} is a number in every row, or a date as in 2026-01-31 or "
                f"2026-01-31T12:00, got {shown(of[found.index(None)])}"
            )
        instants[split] = np.array(found, np.int64)
    return instants


def instant(cell: str) -> int | None:
    """Microseconds from the year 1 to a date or time as ISO 8601 writes it; None for other texts.

    A month is its first day; a time without a zone is taken for UTC.

    Example:
        >>> instant("2026-01-01T02:00+02:00") == instant("2026-01") == instant("20260101")
        True
    """
    try:
        time = datetime.fromisoformat(f"{cell}-01" if _MONTH.fullmatch(cell) else cell)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
        return (time - datetime.min.replace(tzinfo=UTC)) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def code_categories(cells: Texts) -> Coded:
    """Categories as numbers: 0 is what the training split does not have, then its own, sorted.

    A missing value is a category of its own, `missing`, where the training split has one.

    Example:
        >>> code_categories({"train": ["b", "a", "?"], "test": ["c", "a", ""]}).names
        ('unknown', 'missing', 'a', 'b')
    """
    there = {cell for cell in cells["train"] if not is_missing(cell)}
    first = ("unknown", "missing") if any(map(is_missing, cells["train"])) else ("unknown",)
    names = (*first, *sorted(there, key=_by_value))
    place = {category: code for code, category in enumerate(names[len(first) :], len(first))}
    lost = len(first) - 1
    return Coded(
        names,
        {
            split: np.array([lost if is_missing(c) else place.get(c, 0) for c in of], np.int64)
            for split, of in cells.items()
        },
    )
