"""Figures and a table of the Pareto fronts that search strategies found."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted, rounded
from nasbench.report.clouds import MOST_POINTS
from nasbench.report.figures import Drawing
from nasbench.report.regret import legend, mean_curves, over_runs
from nasbench.report.strategies import runs_text
from nasbench.report.text import TextTable
from nasbench.report.theme import FAINT, INK, figure, label, series, styled
from nasbench.search import Comparison
from nasbench.search.curves import AXES
from nasbench.search.fronts import Fronts
from nasbench.stats import summarize

__all__ = ["front_curves", "fronts_table", "typical_fronts"]

MARKERS = "osD^vP"
SHOWN = 0.1
"""The quantile of the table's front, in each objective, at which an axis ends on its worse side."""


@styled
def front_curves(comparison: Comparison, fronts: Fronts, axis: str) -> Drawing:
    """What is missing to the table's hypervolume over one of `AXES`."""
    drawn, axes = mean_curves(comparison, fronts.curves[axis])
    axes.axhline(0, color=INK, linewidth=1, label="the table's front", clip_on=False, zorder=1)
    axes.set_ylabel("mean share of hypervolume missing")
    legend(drawn, axes)
    caption = (
        f"1 less the hypervolume of the front found so far, as a share of that of the table's "
        f"front; 0 is all of it. {over_runs(comparison)}. The axis is logarithmic, and linear "
        f"below its smallest step."
    )
    title = f"Hypervolume over {AXES[axis]}"
    return Drawing(f"hypervolume-{axis}", title, caption, drawn)


@styled
def typical_fronts(comparison: Comparison, fronts: Fronts) -> Drawing | None:
    """The table's front and that of a run of each strategy; None but for two objectives."""
    if len(fronts.objectives) != 2 or not len(fronts.true_front):
        return None
    points = fronts.values * fronts.signs
    known = points[np.isfinite(points).all(1)]
    drawn, axes = figure(height=3.2 + 0.09 * (len(comparison.traces) + 1))
    crowded = len(known) > MOST_POINTS
    rows: dict[str, Any] = {"color": FAINT, "alpha": 0.5, "linewidths": 0}
    axes.scatter(known[:, 1], known[:, 0], s=4, gid="others", rasterized=crowded, **rows)
    whole = points[fronts.true_front]
    whole = whole[np.argsort(whole[:, 1])]
    axes.plot(whole[:, 1], whole[:, 0], ".-", color=INK, linewidth=0.8, label="the table's front")
    looks = zip(comparison.traces, series(len(comparison.traces)), cycle(MARKERS), strict=False)
    for name, (colour, _), marker in looks:
        found = points[fronts.typical(name)]
        look: dict[str, Any] = {"facecolors": "none", "edgecolors": colour, "marker": marker}
        axes.scatter(found[:, 1], found[:, 0], s=22, label=label(name), zorder=3, **look)
    # An end of the front that is worth little in one objective would press the rest together.
    axes.set_ylim(_span(whole[:, 0], fronts.signs[0]))
    axes.set_xlim(_span(whole[:, 1], fronts.signs[1]))
    axes.set_ylabel(fronts.objectives[0].metric)
    axes.set_xlabel(fronts.objectives[1].metric)
    legend(drawn, axes)
    caption = (
        f"Of each strategy the run whose hypervolume is the median of its runs: what it found, "
        f"looked up at the end of {comparison.report_recipe}. The line joins the "
        f"{counted(len(whole), 'row')} that none dominates; grey are the other rows. Each axis "
        f"ends where a tenth of the table's front is worse; what lies beyond is not shown."
    )
    return Drawing("fronts", "The fronts that were found", caption, drawn)


def _span(front: NDArray[np.float64], sign: float) -> tuple[float, float]:
    """An axis from what a tenth of the front is worse than to its best, with a margin."""
    low, high = np.quantile(front, (SHOWN, 1.0) if sign > 0 else (0.0, 1 - SHOWN))
    # Where all of it is one value, the axis is around that.
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def fronts_table(comparison: Comparison, fronts: Fronts) -> TextTable:
    """How much of the table's hypervolume each strategy found."""
    rows = []
    summary = comparison.summary()
    for name in comparison.traces:
        shares = fronts.shares(name)
        known = shares[np.isfinite(shares)]
        cells = [name, runs_text(summary, name)]
        if len(known):
            found = summarize(known)
            sizes = np.asarray([len(front) for front in fronts.found(name)])
            cells += [f"{found.mean:.4f} ± {found.std:.4f}", f"[{found.low:.4f}, {found.high:.4f}]"]
            cells.append(f"{sizes[sizes > 0].mean():.1f}")
        else:
            cells += ["–"] * 3
        rows.append(cells)
    ways = [f"{of.metric} ({'max' if of.maximize else 'min'})" for of in fronts.objectives]
    worst = ", ".join(rounded(end, 6) for end in fronts.reference * fronts.signs)
    reference = worst if len(fronts.true_front) else "there are none"
    limited = " within the limits" if comparison.protocol.limits else ""
    note = (
        f"Objectives: {', '.join(ways)}. A run's front is what none dominates of the "
        f"architectures it trained, by what it was shown; it is looked up at the end of "
        f"{comparison.report_recipe}. Its hypervolume is a share of that of the front of "
        f"all rows{limited}, {len(fronts.true_front)} architectures: 1 is all of it. The "
        f"reference point has the worst of these rows in each objective: {reference}. Mean ± "
        f"standard deviation over n runs; the interval is the bootstrap 95 % interval of the "
        f"mean. Strategies of one objective search for the best {comparison.protocol.metric} "
        f"alone, softened by targets if there are any."
    )
    columns = ("strategy", "n", "hypervolume", "95 % interval", "on the front")
    return TextTable("How much of the front is found", columns, rows, note)
