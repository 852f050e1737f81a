"""Surrogate tables: what was trained as it is, the rest predicted and marked as such."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, Unsupported
from nasbench.surrogate.fitting import target_of
from nasbench.surrogate.surrogate import Surrogate
from nasbench.table import (
    Dataset,
    Table,
    trained_column,
    trained_seeds,
    trained_values,
    write_table,
)
from nasbench.table.format import mark_of
from nasbench.table.schema import covers, scopes_of

__all__ = ["check_completable", "write_completed"]

KEPT = ("family", "task", "hardware", "versions", "source", "sources", "history", "engine")
"""What a completed table goes on saying of where its trainings come from."""


def write_completed(
    table: Table,
    surrogate: Surrogate,
    path: Path,
    *,
    name: str | None = None,
    trained: NDArray[np.int64] | None = None,
    about: Mapping[str, Any] | None = None,
    new: bool = False,
) -> Table:
    """Write a table of the whole space from what a surrogate was fitted on, and open it.

    It holds the surrogate's recipe at its last epoch. Rows that were fitted on keep the values
    of their trainings, seed by seed, and so do those of which a training got lost, which have no
    mean to fit on; the others, also those whose trainings gave nothing, have the surrogate's,
    with the noise of a training for each seed that the table has (`Surrogate.predict_all`).
    Where the noise is not known, seeds of a predicted row are equal. Data sets with predicted
    values have the kind `predicted`, and `predicted/<recipe>/<metric>` marks their rows. What is
    not predicted, test metrics above all, is NaN there.

    Args:
        table: that the surrogate was fitted on.
        surrogate: what predicts.
        path: of the file.
        name: of the new table; `<name>-completed` where left out.
        trained: the rows that keep what their trainings gave, be it nothing, whether they were
            fitted on or held out to score the surrogate; those fitted on, and those of which
            a training got lost, where left out.
        about: further entries of the manifest.
        new: nothing was at `path` when the work on it began: see `nasbench.table.write_table`.

    Example:
        >>> import nasbench as nb, tempfile
        >>> table = nb.load("policy-cartpole")
        >>> fitted = nb.fit(table, train=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     completed = write_completed(table, fitted, Path(folder) / "whole.h5")
        ...     print(len(completed.rows), int(completed.predicted("return").sum()))
        180 160
    """
    if surrogate.document["table"]["sha256"] != table.sha256:
        raise NasbenchError(
            f"the surrogate was fitted on another file than {table.path}: fit it on this one"
        )
    check_completable(table, surrogate.recipe, surrogate.primary)
    space, recipe = table.space, surrogate.recipe
    shared = table.manifest["sharing"] == "canonical"
    rows = space.representatives if shared else np.arange(space.size)
    if trained is None:
        trained = np.union1d(surrogate.trained_on, _partly_lost(table, surrogate))
    kept = np.isin(rows, trained)
    datasets = _trained_or_predicted(table, surrogate, rows, kept)
    datasets |= _others(table, rows)
    missing = _missing(table, surrogate, rows, kept, datasets)
    said = {
        "table": surrogate.document["table"],
        "surrogate_sha256": surrogate.sha256,
        "recipe": recipe,
        "rows_trained": int(kept.sum()),
        "rows_fitted": len(surrogate.trained_on),
        "rows_predicted": int((~kept).sum()),
        "metrics": list(surrogate.metrics),
    }
    manifest = table.manifest
    inherited = {key: manifest[key] for key in KEPT if key in manifest}
    devices = {
        device: {key: value for key, value in entry.items() if key != "kinds"}
        for device, entry in manifest["devices"].items()
    }
    return write_table(
        path,
        name=name or f"{table.name}-completed",
        space=space,
        rows=rows,
        sharing=manifest["sharing"],
        recipes={recipe: manifest["recipes"][recipe]},
        datasets=datasets,
        devices=devices,
        missing=missing,
        about={**inherited, "predicted": said, **(about or {})},
        new=new,
    )


def check_completable(table: Table, recipe: str | None, metric: str | None) -> None:
    """Refuse what no training tells: rows of a completed table have trainings, or stand for one."""
    recipe, target = target_of(table, recipe, metric)
    if target not in table.metrics.get(recipe, ()):
        raise Unsupported(f"{target} is of no recipe: only what trainings tell is completed")


def _partly_lost(table: Table, surrogate: Surrogate) -> NDArray[np.int64]:
    """The rows of which some seeds have a value and no mean, since another training diverged."""
    metric, recipe = surrogate.primary, surrogate.recipe
    some = np.isfinite(trained_seeds(table, metric, recipe=recipe)).any(1)
    mean = trained_column(table, metric, recipe=recipe)
    return np.asarray(table.rows[some & np.isnan(mean)], dtype=np.int64)


def _trained_or_predicted(
    table: Table,
    surrogate: Surrogate,
    rows: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> dict[str, Dataset]:
    """The recipe's metrics at its last epoch: kept rows as trained, the others as predicted."""
    recipe = surrogate.recipe
    last, seeds = table.manifest["recipes"][recipe]["epochs"], table.seeds[recipe]
    means = surrogate.predict_all()
    noisy = [surrogate.predict_all(seed) for seed in seeds]
    datasets: dict[str, Dataset] = {}
    place = table.row(rows)
    for metric in table.metrics[recipe]:
        dataset = f"recipe/{recipe}/{metric}"
        if last not in table.epochs(metric, recipe=recipe):
            continue
        has_seeds = table.has_seeds(metric, recipe=recipe)
        values = np.full((len(rows), len(seeds) if has_seeds else 1), np.nan)
        values[kept] = trained_values(table, metric, rows[kept], recipe=recipe)
        about = {**table.dataset(dataset).about, "epochs": [last]}
        mark = mark_of(recipe, metric)
        if metric in surrogate.metrics:
            # Rows of which the table itself has no more than a prediction get a new one.
            filled = ~kept | ((place >= 0) & table.predicted(metric, recipe=recipe)[place])
            for column, drawn in enumerate(noisy if has_seeds else [means]):
                values[filled, column] = drawn[metric][rows[filled]]
            about["kind"] = "predicted"
            about["note"] = f"rows with 1 in {mark} are predicted, the others not"
            datasets[mark] = Dataset(filled.astype(np.uint8), {"kind": "derived"})
        shaped = values[:, :, None] if has_seeds else values[:, 0]
        datasets[dataset] = Dataset(shaped.astype(table.dataset(dataset).values.dtype), about)
    return datasets


def _others(table: Table, rows: NDArray[np.int64]) -> dict[str, Dataset]:
    """What no training tells, of the rows that the table has; the others stay missing."""
    place = table.row(rows)
    datasets = {}
    for dataset in table.manifest["datasets"]:
        if dataset.partition("/")[0] not in ("network", "device", "proxy"):
            continue
        found = table.dataset(dataset)
        values = found.values[place]
        if (place < 0).any():
            values = values.astype(np.promote_types(values.dtype, np.float32))
            values[place < 0] = np.nan
        datasets[dataset] = Dataset(values, found.about)
    return datasets


def _missing(
    table: Table,
    surrogate: Surrogate,
    rows: NDArray[np.int64],
    kept: NDArray[np.bool_],
    datasets: Mapping[str, Dataset],
) -> list[dict[str, Any]]:
    """Why values are missing; what the table itself was asked for keeps its reason."""
    trained = {name for name in datasets if name.startswith("recipe/")}
    predicted = {f"recipe/{surrogate.recipe}/{metric}" for metric in surrogate.metrics}
    others = {name for name in datasets if name.startswith(("network/", "device/", "proxy/"))}
    absent = rows[table.row(rows) < 0]
    found = [
        {"scope": scope, "reason": reason, "architectures": of.tolist()}
        for names, reason, of in (
            (trained - predicted, "not trained, and not predicted", rows[~kept]),
            (others, "the table has no such row", absent),
        )
        if len(of)
        for scope in scopes_of(names, datasets)
    ]
    # An entry that names none is of all rows of the table, and here there may be others.
    every = table.rows.tolist() if len(absent) else []
    return found + [
        {**entry, "architectures": entry["architectures"] or every}
        for entry in table.manifest["missing"]
        if any(covers(entry["scope"], name) for name in datasets)
    ]
