"""What `summary.json` holds of a comparison on one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.stats import summarize

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.search.comparison import Comparison

__all__ = ["frame_of", "summary_of"]


def summary_of(comparison: Comparison) -> dict[str, Any]:
    """Five numbers over the seeds for each strategy and measure, and what they rest on.

    Numbers are of the runs that found something which could be looked up: one of fewer runs than
    the strategy's `n` has an `n` of its own. Runs that found nothing (every training diverged or
    broke a limit) are counted as `failed`, those whose find the table cannot judge as
    `not_looked_up`; so are `quartiles` (lower and upper) and `areas` (mean regret over each
    axis). In what is `reached` the failed ones count as runs that did not get there. `ranks` has
    the seeds as blocks. What is `broken` has no runs here, and `remarks` say what was known
    before the first run. Without regret, where the report recipe lacks the goal's metric, there
    are no ranks and no areas.
    """
    strategies, quartiles, areas = {}, {}, {}
    for strategy, traces in comparison.traces.items():
        finals = comparison.finals(strategy)
        strategies[strategy] = {"n": len(traces), **_stats(finals)}
        under = {axis: of.areas(strategy) for axis, of in comparison.curves.items()}
        areas[strategy] = _stats(under)
        spread = {**finals, **{f"area_{axis}": of for axis, of in under.items()}}
        quartiles[strategy] = {name: _quartiles(values) for name, values in spread.items()}
    protocol = comparison.protocol
    return {
        "table": comparison.table.name,
        "budget_seconds": protocol.budget.seconds,
        "budget_evaluations": protocol.budget.evaluations,
        "budget_epochs": protocol.budget.epochs,
        "strategies": strategies,
        "failed": {name: int(runs.sum()) for name, runs in comparison.failed.items()},
        "not_looked_up": {name: int(runs.sum()) for name, runs in comparison.unjudged.items()},
        "also": {
            name: {
                strategy: _stats(comparison.elsewhere(name, strategy))
                for strategy in comparison.traces
            }
            for name in comparison.also
        },
        "quartiles": quartiles,
        "areas": areas,
        "thresholds": comparison.thresholds,
        "reached": {
            strategy: {name: e.describe() for name, e in comparison.reached(strategy).items()}
            for strategy in comparison.traces
        },
        "ranks": comparison.ranks.describe() if comparison.ranks else None,
        "goal": protocol.describe_goal(),
        "recipes": {
            "search": comparison.oracle.fidelities[0].recipe,
            "report": comparison.lookup.report_recipe,
            "test": comparison.lookup.test_recipe,
        },
        "fronts": comparison.fronts.describe() if comparison.fronts else None,
        "broken": dict(comparison.broken),
        "remarks": list(comparison.remarks),
    }


def frame_of(comparison: Comparison) -> pd.DataFrame:
    """A row a run; see `Comparison.frame`."""
    import pandas as pd

    space, rows = comparison.table.space, []
    for name, traces in comparison.traces.items():
        finals, last = comparison.finals(name), comparison.last[name].tolist()
        for place, trace in enumerate(traces):
            best = last[place]
            rows.append(
                {
                    "strategy": name,
                    "seed": trace.seed,
                    "architecture": best,
                    "string": space.string(best) if best >= 0 else "",
                    "seconds": float(trace.finished[-1]),
                    **{metric: values[place] for metric, values in finals.items()},
                }
            )
    return pd.DataFrame(rows)


def _stats(found: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, float | None] | None]:
    """Five numbers over the runs that are known, with their n where it is not all; else None."""
    stats: dict[str, dict[str, float | None] | None] = {}
    for name, values in found.items():
        known = values[np.isfinite(values)]
        stats[name] = summarize(known).describe() if len(known) else None
        if 0 < len(known) < len(values):
            stats[name] = {**(stats[name] or {}), "n": len(known)}
    return stats


def _quartiles(values: NDArray[np.float64]) -> list[float] | None:
    """The lower and the upper quartile of the runs that are known."""
    known = values[np.isfinite(values)]
    return np.quantile(known, (0.25, 0.75)).tolist() if len(known) else None
