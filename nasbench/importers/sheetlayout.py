"""What the columns of a spreadsheet are; see `sheets` for what they can be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.importers.quantities import (
    NETWORK,
    RECIPE,
    check_name,
    dataset_of,
    is_cost,
    is_dataset,
    is_metric,
)
from nasbench.importers.sheetfile import SheetFile, shown
from nasbench.space import ChoiceSpace, Space

__all__ = ["KEYS", "PLACES", "Layout", "lay_out"]

KEYS = ("architecture", "number", "string")
"""Columns that say the architecture, the first that there is before the others."""
PLACES = ("seed", "epoch")
_RECIPE = "recipe"
_CANONICAL = "canonical"
_INDEX = ("", "Unnamed: 0", "__index_level_0__")
"""What pandas calls the column of row numbers that it writes along."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a sheet are.

    Attributes:
        old: for each column, named as we do, the sheet's name of it.
        keys: which of the columns say the architecture: of `KEYS`, or the space's decisions.
        trained: for each column with a value for each row, its data set; None where the
            row's recipe says which.
        single: for each column with one value for each architecture, its data set.
        factors: by column, what its values are multiplied by.
        not_read: columns, as the sheet names them, that nothing is taken from.
    """

    old: Mapping[str, str]
    keys: tuple[str, ...]
    trained: Mapping[str, str | None]
    single: Mapping[str, str]
    factors: Mapping[str, float]
    not_read: tuple[str, ...]

    def read_for(self, values: Iterable[str]) -> tuple[list[str], list[str]]:
        """The sheet's columns of text and of numbers that hold these values and say of what."""
        text = [self.old[name] for name in (*self.keys, _RECIPE) if name in self.old]
        places = [self.old[name] for name in PLACES if name in self.old]
        return text, [*places, *(self.old[name] for name in values)]


def lay_out(
    sheet: SheetFile,
    space: Space,
    columns: Sequence[str],
    factors: Sequence[str],
    recipe: str | None = None,
    device: str | None = None,
) -> Layout:
    """What the columns of a sheet are, under the names that the options give them.

    Args:
        sheet: the sheet.
        space: of the architectures.
        columns: `OLD=NEW` or `OLD=`, see `sheets.read`.
        factors: `COLUMN=NUMBER`, likewise.
        recipe: of the metrics, where no column says it.
        device: of the costs, where their columns do not say it.

    Raises:
        NasbenchError: naming a column that is not understood, or one that is missing.
    """
    old, not_read = _names(sheet, columns)
    keys = _keys(sheet, space, old)
    if _RECIPE in old and recipe is not None:
        raise BadValue(f"{sheet.source} has a column `recipe`: leave the option recipe out")
    trained: dict[str, str | None] = {}
    single: dict[str, str] = {}
    for new, name in old.items():
        if new in (*keys, *KEYS, *PLACES, _RECIPE):
            continue
        if new == _CANONICAL:
            not_read.append(name)
        elif is_metric(new):
            trained[new] = None if _RECIPE in old else _of(sheet, name, new, "recipe", recipe)
        elif is_cost(new):
            single[new] = _of(sheet, name, new, "device", device)
        else:
            dataset = dataset_of(new)
            _check_column(sheet.source, name, dataset)
            by_row = dataset.startswith("recipe/") and _RECIPE not in old
            (trained if by_row else single)[new] = dataset
    if device is not None and not any(map(is_cost, single)):
        raise BadValue(
            f"{sheet.source} has no cost whose column names no device, as latency_ms: leave the "
            f"option device out"
        )
    for name, times in Counter(filter(None, (*trained.values(), *single.values()))).items():
        if times > 1:
            raise BadValue(f"{sheet.source} has two columns for {name[:80]}")
    if not trained and not single:
        raise BadValue(f"{sheet.source} has no column with values")
    by = _factors(sheet, factors, old, (*trained, *single))
    return Layout(old, keys, trained, single, by, tuple(not_read))


def _names(sheet: SheetFile, columns: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The sheet's columns by what we call them, and those that are left out."""
    known = set(sheet.columns)
    renamed = {}
    for pair in columns:
        before, equals, after = pair.rpartition("=")
        if not equals:
            raise BadValue(f"columns are renamed by OLD=NEW or left out by OLD=, not {pair!r}")
        if before not in known:
            raise unknown(f"column of {sheet.source}", before, sheet.columns)
        renamed[before] = after
    old: dict[str, str] = {}
    not_read = []
    for name in sheet.columns:
        new = renamed.get(name, "" if name in _INDEX else name)
        if new in old:
            raise BadValue(
                f"{sheet.source} has two columns for {new[:80]}: {shown([old[new], name])}"
            )
        if new:
            old[new] = name
        else:
            not_read.append(name)
    return old, not_read


def _keys(sheet: SheetFile, space: Space, old: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that say the architecture."""
    keys = tuple(key for key in KEYS if key in old)
    if {"architecture", "number"} <= set(keys):
        raise BadValue(f"{sheet.source} has both columns `architecture` and `number`: leave one")
    decisions = tuple(space.decisions) if isinstance(space, ChoiceSpace) else ()
    if keys or (decisions and all(decision in old for decision in decisions)):
        return keys or decisions
    each = f", or a column for each of {shown(decisions)}" if decisions else ""
    raise BadValue(
        f"{sheet.source} has no column `architecture`{each}; it has {shown(sheet.columns)}; say "
        f"which it is with --column OLD=architecture, or what separates cells with --separator"
    )


def _of(sheet: SheetFile, name: str, metric: str, room: str, of: str | None) -> str:
    """The data set of a column that does not say which recipe or device it is of."""
    if of is None:
        where = "a column `recipe`" if room == "recipe" else f"the column's name, phone/{metric}"
        raise BadValue(
            f"{sheet.source}: {name[:80]} is of a {room}; name it with the option {room}, or in "
            f"{where}"
        )
    check_name(f"{room}/{of}/{metric}")
    return f"{room}/{of}/{metric}"


def _factors(
    sheet: SheetFile, factors: Sequence[str], old: Mapping[str, str], values: Sequence[str]
) -> dict[str, float]:
    """What the values of columns are multiplied by; columns go by the sheet's name or ours."""
    ours = {old[new]: new for new in values} | {new: new for new in values}
    found: dict[str, float] = {}
    for pair in factors:
        name, equals, text = pair.rpartition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not equals or not 0 < number < math.inf:
            raise BadValue(f"a factor is COLUMN=NUMBER with a number above 0, not {pair[:80]!r}")
        if name not in ours:
            raise unknown(f"column with values of {sheet.source}", name, ours)
        if ours[name] in found:
            raise BadValue(f"{name[:80]} has two factors: one is enough")
        found[ours[name]] = number
    return found


def _check_column(source: Path, name: str, new: str) -> None:
    try:
        if "/" not in new:
            raise unknown("column", new, (*KEYS, _RECIPE, *PLACES, *RECIPE, *NETWORK))
        if not is_dataset(new):
            raise BadValue(
                f"{new[:80]!r} is no metric of a recipe or device: <recipe>/valid_accuracy, "
                f"<device>/latency_ms"
            )
        check_name(new)
    except NasbenchError as error:
        short = name if len(name) <= 80 else f"{name[:80]}..."
        told = f"{error} Say" if str(error).endswith("?") else f"{error}; say"
        raise BadValue(
            f"{source}: {told} what it is with --column '{short}=NEW', or leave it out "
            f"with --column '{short}='"
        ) from None
