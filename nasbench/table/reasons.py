"""Why values are missing: what the manifest says of them, and what the curves show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasbench.table.schema import covers

if TYPE_CHECKING:
    from nasbench.table.table import Table

__all__ = ["ABSENT", "ENDED", "by_architecture", "of_absent", "of_cost", "of_metric"]

ABSENT = "not in the table"
NEVER = "never: the rules of its space say that it cannot be built"
ENDED = "a training ended early: it diverged or was cut"
"""Why there is no mean, and nothing of that training, where a curve has ended."""
_UNTOLD = "the source gives no reason"


def of_metric(
    table: Table, metric: str, *, recipe: str | None, epoch: int, seed: int | None
) -> list[str]:
    """Why `Table.column` is NaN, for each row; "" where it is not."""
    dataset = table.dataset_of(metric, recipe)
    column = table.column(metric, recipe=recipe, epoch=epoch, seed=seed)
    ended = np.zeros(len(column), dtype=np.bool_)
    if dataset.startswith("recipe/") and np.isnan(column).any():
        name = table.recipe(recipe)
        of_seeds = table.ended(metric, recipe=name, epoch=epoch)
        if seed is not None and table.has_seeds(metric, recipe=name):
            of_seeds = of_seeds[:, [table.seeds[name].index(seed)]]
        ended = np.asarray(of_seeds.any(axis=1))
    return _told(table, dataset, column, ended)


def of_cost(table: Table, device: str, metric: str) -> list[str]:
    """Why `Table.device_column` is NaN, for each row; "" where it is not."""
    column = table.device_column(device, metric)
    return _told(table, f"device/{device}/{metric}", column, np.zeros(len(column), dtype=np.bool_))


def by_architecture(table: Table, of_rows: Sequence[str]) -> dict[int, str]:
    """The reasons of the rows for every architecture of the space that has one."""
    if not table.space.listable:  # those that have no row are without number
        rows = table.rows.tolist()
        return {one: why for one, why in zip(rows, of_rows, strict=True) if why}
    rows_of_all = table.row(np.arange(table.space.size))
    reasons = {
        a: of_rows[row] for a, row in enumerate(rows_of_all.tolist()) if row >= 0 and of_rows[row]
    }
    absent = np.flatnonzero(rows_of_all < 0)
    built = table.space.allowed(absent).tolist()
    for architecture, can_be in zip(absent.tolist(), built, strict=True):
        reasons[architecture] = ABSENT if can_be else NEVER
    return dict(sorted(reasons.items()))


def of_absent(table: Table, architecture: int) -> str:
    """Why an architecture has no row."""
    return ABSENT if table.space.allowed(architecture) else NEVER


def _told(
    table: Table, dataset: str, column: NDArray[np.float64], ended: NDArray[np.bool_]
) -> list[str]:
    """What the manifest says has precedence over what curves show."""
    rows = table.rows.tolist()
    said: dict[int, str] = {}
    for entry in table.manifest["missing"]:
        if covers(entry["scope"], dataset):
            for architecture in entry["architectures"] or rows:
                said[architecture] = entry["reason"]
    return [
        said.get(row, ENDED if over else _UNTOLD) if missing else ""
        for row, missing, over in zip(rows, np.isnan(column).tolist(), ended.tolist(), strict=True)
    ]
