"""Runs and curves as CSV: what the figures are drawn from, for other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nasbench._files import write_csv
from nasbench.search import Comparison
from nasbench.search.curves import AXES

__all__ = ["write_sheets"]

_UNITS = {"valid_accuracy": "valid_accuracy_percent", "test_accuracy": "test_accuracy_percent"}


def write_sheets(comparisons: Mapping[str, Comparison], out: Path) -> None:
    """Write `runs.csv`, `curves.csv` and `thinking.csv`; what is unknown is empty.

    `runs.csv` has a line a run: `area_over_*` is its mean regret over that axis. `curves.csv` has
    a line a grid point of each strategy and axis: `at` is in the unit that `axis` names.
    `thinking.csv` has the wall time that strategies took, which no two runs share; the other
    two are the same bytes for the same runs.

    Args:
        comparisons: by table.
        out: a folder that exists.
    """
    metrics = list(dict.fromkeys(m for of in comparisons.values() for m in of.judged))
    if any(of.fronts for of in comparisons.values()):
        metrics.append("hypervolume")
    in_epochs = any("epochs" in of.curves for of in comparisons.values())
    axes = [axis for axis in AXES if axis != "epochs" or in_epochs]
    accuracy = all(of.of_accuracy for of in comparisons.values())
    regret = "regret_points" if accuracy else "regret"
    areas = [f"area_over_{axis}_points" if accuracy else f"area_over_{axis}" for axis in axes]
    counted = ["evaluations", "distinct_architectures", "simulated_seconds", "architecture"]
    judged = [_UNITS.get(metric, metric) for metric in metrics]
    head = ["table", "strategy", "seed", *counted, "architecture_string", *judged, regret, *areas]
    write_csv(out / "runs.csv", head, _runs(comparisons, metrics, axes))
    numbers = [f"{name}_{regret}" for name in _NUMBERS]
    write_csv(
        out / "curves.csv",
        ["table", "strategy", "axis", "at", "runs", *numbers],
        _curves(comparisons),
    )

    thinking = [
        (table, strategy, trace.seed, len(trace.architectures), trace.thinking_seconds)
        for table, comparison in comparisons.items()
        for strategy, traces in comparison.traces.items()
        for trace in traces
    ]
    head = ["table", "strategy", "seed", "queries", "thinking_wall_seconds"]
    write_csv(out / "thinking.csv", head, thinking)


_NUMBERS = ("mean", "low", "high", "q25", "median", "q75")

Cell = str | int | float
Row = Sequence[Cell]


def _runs(
    comparisons: Mapping[str, Comparison], metrics: Sequence[str], axes: Sequence[str]
) -> Iterator[Row]:
    for table, comparison in comparisons.items():
        for strategy, traces in comparison.traces.items():
            finals = comparison.finals(strategy)
            unknown = np.full(len(traces), np.nan)
            areas = [
                comparison.curves[axis].areas(strategy) if axis in comparison.curves else unknown
                for axis in axes
            ]
            columns = [finals.get(metric, unknown) for metric in (*metrics, "regret")] + areas
            for place, trace in enumerate(traces):
                last = int(comparison.last[strategy][place])
                found = [last, comparison.table.space.string(last)] if last >= 0 else ["", ""]
                yield (
                    table,
                    strategy,
                    trace.seed,
                    trace.evaluations,
                    int(finals["distinct"][place]),
                    float(trace.finished[-1]),
                    *found,
                    *(float(column[place]) for column in columns),
                )


def _curves(comparisons: Mapping[str, Comparison]) -> Iterator[Row]:
    for table, comparison in comparisons.items():
        for strategy in comparison.traces:
            for axis, curves in comparison.curves.items():
                band = curves.band(strategy)
                numbers = np.stack([getattr(band, name) for name in _NUMBERS], axis=1).tolist()
                for at, line in zip(curves.grid.tolist(), numbers, strict=True):
                    yield (table, strategy, axis, at, band.runs, *line)
