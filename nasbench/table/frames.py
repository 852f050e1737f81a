"""What a table holds as pandas frames: to look at, to plot, to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench._words import counted
from nasbench.errors import NasbenchError
from nasbench.table.metrics import direction

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.table.table import Table

__all__ = ["Per", "curve", "frame", "top"]

Per = Literal["architecture", "seed", "epoch"]
"""What a row of a frame stands for."""


def frame(
    table: Table,
    per: Per,
    *,
    recipe: str | None = None,
    epoch: int = -1,
    seed: int | None = None,
    architectures: ArrayLike | None = None,
) -> pd.DataFrame:
    """See `Table.frame`."""
    import pandas as pd

    chosen = table.rows if architectures is None else table.space.check(architectures).ravel()
    if per == "architecture":
        return pd.DataFrame(_per_architecture(table, chosen, recipe, epoch, seed))
    if per not in ("seed", "epoch"):
        raise NasbenchError(f"a frame has a row per architecture, seed or epoch, not {per!r}")
    name = table.recipe(recipe)
    seeds = list(table.seeds[name]) if seed is None else [seed]
    metrics = [m for m in table.metrics[name] if table.has_seeds(m, recipe=name)]
    if not metrics:
        raise NasbenchError(
            f"recipe {name} has one number an architecture, no single trainings: take the frame "
            f"per architecture"
        )
    known = {metric: table.epochs(metric, recipe=name) for metric in metrics}
    last = int(table.manifest["recipes"][name]["epochs"])
    if per == "epoch" and epoch == -1:
        epochs = sorted({e for of_metric in known.values() for e in of_metric})
    else:
        epochs = [last if epoch == -1 else epoch]
    shape = (len(chosen), len(seeds), len(epochs))
    columns: dict[str, Any] = {
        "architecture": np.repeat(chosen, shape[1] * shape[2]),
        "string": np.repeat(np.asarray(_strings(table, chosen), object), shape[1] * shape[2]),
        "seed": np.tile(np.repeat(seeds, shape[2]), shape[0]),
        "epoch": np.tile(epochs, shape[0] * shape[1]),
    }
    for metric in metrics:
        here = [e for e in epochs if e in known[metric]]
        values = np.full(shape, np.nan)
        if here:
            places = [epochs.index(e) for e in here]
            values[:, :, places] = table.trainings(
                metric, chosen, recipe=name, seeds=seeds, epochs=here
            )
            columns[metric] = values.ravel()
    if len(columns) == 4:
        raise NasbenchError(f"recipe {name} shows nothing after {counted(epochs[0], 'epoch')}")
    return pd.DataFrame(columns)


def curve(
    table: Table, architecture: int, *, recipe: str | None = None, seed: int | None = None
) -> pd.DataFrame:
    """See `Table.curve`."""
    whole = frame(table, "epoch", recipe=recipe, seed=seed, architectures=[architecture])
    means = whole.drop(columns=["architecture", "string", "seed"]).groupby("epoch").mean()
    row, name = table.row(architecture), table.recipe(recipe)
    for metric in means.columns if row >= 0 else ():
        taken = table.epochs(metric, recipe=name)
        over = [e for e in taken if table.ended(metric, recipe=name, epoch=e)[row].any()]
        means.loc[over, metric] = [
            float(table.values(metric, architecture, recipe=name, epoch=epoch, seed=seed))
            for epoch in over
        ]
    return means


def top(
    table: Table,
    k: int,
    metric: str | None,
    *,
    recipe: str | None = None,
    epoch: int = -1,
    seed: int | None = None,
    maximize: bool | None = None,
) -> pd.DataFrame:
    """See `Table.top`."""
    import pandas as pd

    metric = table.primary(recipe) if metric is None else metric
    if metric is None:
        raise NasbenchError(f"{table.name} has no metric of the validation split: name one")
    if maximize is None:
        better = direction(metric)
        if better is None:
            raise NasbenchError(f"say with maximize=True or False which {metric} is better")
        maximize = better == "max"
    device, found, cost = metric.partition("/")
    if found and device != "proxy":
        column = table.device_column(device, cost)
    else:
        column = table.column(metric, recipe=recipe, epoch=epoch, seed=seed)
    # The lower number first among equals; NaN last, and out.
    order = np.lexsort((table.rows, -column if maximize else column))
    best = order[~np.isnan(column[order])][: max(k, 0)]
    return pd.DataFrame(
        {
            "architecture": table.rows[best],
            "string": _strings(table, table.rows[best]),
            metric: column[best],
        }
    )


def _per_architecture(
    table: Table,
    chosen: NDArray[np.integer[Any]],
    recipe: str | None,
    epoch: int,
    seed: int | None,
) -> dict[str, Any]:
    columns: dict[str, Any] = {"architecture": chosen, "string": _strings(table, chosen)}
    for name in table.recipes if recipe is None else [table.recipe(recipe)]:
        last = int(table.manifest["recipes"][name]["epochs"])
        for metric in table.metrics[name]:
            if (last if epoch == -1 else epoch) not in table.epochs(metric, recipe=name):
                continue
            if seed is not None and not table.has_seeds(metric, recipe=name):
                continue
            columns[f"{name}/{metric}"] = table.values(
                metric, chosen, recipe=name, epoch=epoch, seed=seed
            )
    if epoch != -1 and len(columns) == 2:
        raise NasbenchError(f"{table.name} shows nothing after {counted(epoch, 'epoch')}")
    for dataset in table.manifest["datasets"]:
        room, _, rest = dataset.partition("/")
        if room == "device":
            device, _, metric = rest.rpartition("/")
            columns[rest] = table.cost(device, metric, chosen)
        elif room == "proxy":
            columns[dataset] = table.values(dataset, chosen)
        elif room == "network":
            columns[rest] = table.values(rest, chosen)
    return columns


def _strings(table: Table, architectures: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
    return [table.space.string(int(architecture)) for architecture in architectures]
