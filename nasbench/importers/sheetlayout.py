"""What the columns of a spreadsheet are; see `sheets` for what they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasbench.errors import NasbenchError, unknown
from nasbench.importers.quantities import NETWORK, RECIPE, check_name, is_metric
from nasbench.importers.sheetfile import Sheet

__all__ = ["PLACES", "TEXT", "Layout", "lay_out"]

TEXT = ("architecture", "string", "recipe")
PLACES = ("seed", "epoch")
_CANONICAL = "canonical"


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a sheet are.

    Attributes:
        old: for each column, named as we do, the sheet's name of it.
        trained: for each column with a value for each row, its data set; None where the
            row's recipe says which.
        single: for each column with one value for each architecture, its data set.
    """

    old: Mapping[str, str]
    trained: Mapping[str, str | None]
    single: Mapping[str, str]

    def read_for(self, values: Iterable[str]) -> tuple[list[str], list[str]]:
        """The sheet's columns of text and of numbers that hold these values and say of what."""
        text = [self.old[name] for name in TEXT if name in self.old]
        places = [self.old[name] for name in PLACES if name in self.old]
        return text, [*places, *(self.old[name] for name in values)]


def lay_out(sheet: Sheet, recipe: str | None, columns: Sequence[str]) -> Layout:
    """What the columns of a sheet are, under the names that the options give them.

    Args:
        sheet: the sheet.
        recipe: of the metrics, where no column says it.
        columns: `OLD=NEW` or `OLD=`, see `sheets.read`.

    Raises:
        NasbenchError: naming a column that is not understood, or one that is missing.
    """
    renamed = {}
    for pair in columns:
        before, equals, after = pair.rpartition("=")
        if not equals:
            raise NasbenchError(f"columns are renamed by OLD=NEW or left out by OLD=, not {pair!r}")
        if before not in sheet.columns:
            raise unknown(f"column of {sheet.source}", before, sheet.columns)
        renamed[before] = after
    old: dict[str, str] = {}
    for name in sheet.columns:
        new = renamed.get(name, name)
        if new in old:
            raise NasbenchError(f"{sheet.source} has two columns for {new}: {old[new]} and {name}")
        if new:
            old[new] = name
    if not {"architecture", "string"} & set(old):
        shown = ", ".join(sheet.columns)[:200]
        raise NasbenchError(
            f"{sheet.source} has no column `architecture`; it has {shown}; say which it is with "
            f"--column OLD=architecture"
        )
    if "recipe" in old and recipe is not None:
        raise NasbenchError(f"{sheet.source} has a column `recipe`: leave the option recipe out")
    trained: dict[str, str | None] = {}
    single: dict[str, str] = {}
    for new, name in old.items():
        if new in (*TEXT, *PLACES, _CANONICAL):
            continue
        if is_metric(new) and "recipe" in old:
            trained[new] = None
        elif is_metric(new):
            if recipe is None:
                raise NasbenchError(
                    f"{sheet.source}: {name} is of a recipe; name it with the option recipe, or "
                    f"in a column `recipe`"
                )
            trained[new] = f"recipe/{recipe}/{new}"
            check_name(f"recipe/{recipe}/{new}")
        elif new in NETWORK:
            single[new] = f"network/{new}"
        else:
            _check_column(sheet.source, name, new)
            by_row = new.startswith("recipe/") and "recipe" not in old
            (trained if by_row else single)[new] = new
    named = [name for name in (*trained.values(), *single.values()) if name]
    for name in named:
        if named.count(name) > 1:
            raise NasbenchError(f"{sheet.source} has two columns for {name}")
    if not trained and not single:
        raise NasbenchError(f"{sheet.source} has no column with values")
    return Layout(old, trained, single)


def _check_column(source: Path, name: str, new: str) -> None:
    try:
        if "/" not in new:
            raise unknown("column", new, (*TEXT, *PLACES, *RECIPE, *NETWORK))
        check_name(new)
    except NasbenchError as error:
        raise NasbenchError(
            f"{source}: {error}; say what it is with --column '{name}=NEW', or leave it out "
            f"with --column '{name}='"
        ) from None
