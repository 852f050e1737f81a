"""The table out of what a build journaled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.building.entries import COUNTS
from nasbench.building.executor import Unit
from nasbench.building.spec import BuildSpec
from nasbench.building.sums import about_tags, sum_tags, summed_columns
from nasbench.device.base import METRICS
from nasbench.table import Dataset, Table, write_table
from nasbench.train import Record

__all__ = ["assemble", "measured_columns"]

_UNITS = {"loss": "nats", "accuracy": "percent", "seconds": "seconds, cumulative"}


def assemble(
    spec: BuildSpec,
    out: Path,
    records: Mapping[Unit, Record],
    measurements: Mapping[str, Mapping[int, Mapping[str, Any]]],
    counts: Mapping[int, Mapping[str, float]],
    about: Mapping[str, Any],
    architectures: NDArray[np.int64] | None = None,
    *,
    new: bool = False,
) -> Table:
    """Put every record in its place and write the table.

    Args:
        spec: what was built.
        out: the table.
        records: every training of the plan; what was not trained is NaN.
        measurements: by device and architecture, the fields of `Measurement`.
        counts: parameters and FLOPs by architecture.
        about: further entries of the manifest.
        architectures: the rows, distinct networks in ascending order; all where left out.
        new: nothing was at `out` when the build began: see `nasbench.table.write_table`.
    """
    rows = spec.space.representatives if architectures is None else architectures
    datasets: dict[str, Dataset] = {}
    missing: list[dict[str, Any]] = []
    for name in spec.recipes:
        datasets.update(_recipe(spec, name, rows.tolist(), records, missing))
    for metric in COUNTS:
        values = np.asarray([counts[a][metric] for a in rows.tolist()], dtype=np.float64)
        datasets[f"network/{metric}"] = Dataset(values, {"kind": "counted"})
    devices: dict[str, dict[str, Any]] = {}
    for device in spec.devices:
        columns, reasons = measured_columns(device.name, rows.tolist(), measurements[device.name])
        datasets |= columns
        missing += reasons
        devices[device.name] = about["device_descriptions"][device.name]
    for tags in spec.tags:
        datasets |= summed_columns(tags, sum_tags(spec, tags, rows.tolist()))
        devices[tags.device] = {"tags": about_tags(tags)}
    return write_table(
        out,
        name=spec.name,
        space=spec.space,
        rows=rows,
        sharing="canonical",
        recipes={
            name: {
                "epochs": recipe.epochs,
                "seeds": list(spec.seeds),
                "trained": recipe.describe(),
            }
            for name, recipe in spec.recipes.items()
        },
        datasets=datasets,
        devices=devices,
        missing=missing,
        about={
            **spec.describe_family(),
            **{key: value for key, value in about.items() if key != "device_descriptions"},
        },
        new=new,
    )


def measured_columns(
    device: str, rows: list[int], measurements: Mapping[int, Mapping[str, Any]]
) -> tuple[dict[str, Dataset], list[dict[str, Any]]]:
    """The data sets of a device, and why some of it is missing.

    Args:
        device: its name.
        rows: of the table.
        measurements: by architecture, the fields of `Measurement`.
    """
    found = [measurements[a] for a in rows]
    datasets = {}
    for metric in METRICS:
        values = np.asarray([m[metric] for m in found], dtype=np.float64)
        # What counts a metric's runs and tells their spread is as the metric itself.
        kind = next((m["kind"][metric] for m in found if metric in m["kind"]), "measured")
        datasets[f"device/{device}/{metric}"] = Dataset(values, {"kind": kind})
    return datasets, _reasons(f"device/{device}", rows, found)


def _reasons(
    device: str, rows: list[int], found: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Why a device's values are missing; what was not measured at all is said once."""
    affected: dict[tuple[str, str], list[int]] = {}
    for architecture, m in zip(rows, found, strict=True):
        said = m["reasons"]
        whole = len(said) == len(METRICS) and len(set(said.values())) == 1
        scopes = {device: said[METRICS[0]]} if whole else said
        for scope, reason in scopes.items():
            name = device if whole else f"{device}/{scope}"
            affected.setdefault((name, reason), []).append(architecture)
    return [
        {"scope": scope, "reason": why, "architectures": [] if len(of) == len(rows) else of}
        for (scope, why), of in affected.items()
    ]


def _recipe(
    spec: BuildSpec,
    name: str,
    rows: list[int],
    records: Mapping[Unit, Record],
    missing: list[dict[str, Any]],
) -> dict[str, Dataset]:
    """The data sets of one recipe, `[rows, seeds, epochs]`, and why some of it is missing."""
    seeds = spec.seeds
    epochs = spec.recipes[name].epochs
    known = [record for unit, record in records.items() if unit.recipe == name]
    shape = (len(rows), len(seeds), epochs)
    curves = {c: np.full(shape, np.nan, np.float32) for c in _names(r.curves for r in known)}
    tests = {
        test: np.full((*shape[:2], 1), np.nan, np.float32)
        for test in _names(r.tests for r in known)
    }
    tests["evaluation_seconds"] = np.full((*shape[:2], 1), np.nan, np.float32)
    diverged: dict[int, list[str]] = {}
    for i, architecture in enumerate(rows):
        for j, seed in enumerate(seeds):
            record = records.get(Unit(name, architecture, seed))
            if record is None:
                continue
            for curve, values in record.curves.items():
                curves[curve][i, j] = values
            for test, value in record.tests.items():
                tests[test][i, j] = value
            tests["evaluation_seconds"][i, j] = record.evaluation_seconds
            if record.diverged:
                diverged.setdefault(architecture, []).append(
                    f"seed {seed} in epoch {record.diverged}"
                )
    for architecture, when in diverged.items():
        reason = f"training diverged: {', '.join(when)}"
        missing.append(
            {"scope": f"recipe/{name}", "reason": reason, "architectures": [architecture]}
        )
    every, last = list(range(1, epochs + 1)), [epochs]
    datasets = {}
    for metrics, taken in ((curves, every), (tests, last)):
        for metric, values in metrics.items():
            kind = "measured" if metric.endswith("_seconds") else "trained"
            unit = _UNITS.get(metric.rsplit("_", 1)[-1])
            if spec.task.target.kind != "classes" and unit == "nats":
                unit = None
            datasets[f"recipe/{name}/{metric}"] = Dataset(
                values, {"kind": kind, **({"unit": unit} if unit else {}), "epochs": taken}
            )
    return datasets


def _names(shown: Iterable[Mapping[str, Any]]) -> list[str]:
    """All metrics that trainings showed, in the order in which they came."""
    return list(dict.fromkeys(metric for metrics in shown for metric in metrics))
