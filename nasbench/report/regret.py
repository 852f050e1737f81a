"""Figures of how soon search strategies find something good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from nasbench._words import counted, rounded
from nasbench.report.figures import Drawing
from nasbench.report.latex import readable
from nasbench.report.theme import FAINT, INK, figure, label, plain_numbers, series, styled
from nasbench.search import Comparison
from nasbench.search.curves import AXES, Curves
from nasbench.stats import reached

__all__ = [
    "best_curves",
    "legend",
    "mean_curves",
    "over_runs",
    "reach_curves",
    "regret_curves",
    "threshold",
]

MOST_BANDS = 6
"""Of more strategies the intervals would hide each other: the curves stand alone."""
MOST_NAMED = 4
"""Strategies beside random search where each is named at its curve."""
LINE = 0.065
"""The height of such a name, as a share of the axes'."""
DECADES = 3
"""How far below the highest mean regret is told apart from none."""


@styled
def regret_curves(comparison: Comparison, axis: str) -> Drawing:
    """Mean regret of the incumbents over one of `AXES`, with intervals."""
    drawn, axes = mean_curves(comparison, comparison.curves[axis])
    noise = comparison.noise
    if noise:
        # What lies in the band is not told apart by the table, however the curves are ordered.
        axes.axhspan(0, noise.floor, color=FAINT, alpha=0.22, linewidth=0, gid="noise-band")
        look: dict[str, Any] = {"color": FAINT, "linewidth": 1.5, "gid": "noise"}
        axes.axhline(noise.floor, **look, label="noise of the seeds")
    # Below the curves: of a search that found it the line would hide all.
    axes.axhline(0, color=INK, linewidth=1, label="optimum", clip_on=False, zorder=1)
    unit = "reward" if comparison.goal.targets else comparison.protocol.metric
    unit = "points" if comparison.of_accuracy else unit
    axes.set_ylabel(f"mean regret, {unit}")
    legend(drawn, axes)
    best = (
        f"{comparison.optimum:.2f} %" if comparison.of_accuracy else rounded(comparison.optimum, 6)
    )
    within = " within the limits" if comparison.protocol.limits else ""
    more = (
        f"Regret is the best "
        f"{comparison.rewarded} of the table{within}, {best}, against that of the incumbent "
        f"({comparison.report_recipe}); 0 is the optimum. A curve starts where every run "
        f"has an incumbent; runs that never have one are left out."
        f" The axis is logarithmic, and linear below its smallest step."
    )
    caption = f"{over_runs(comparison)}."
    caption += " In the grey band regret fits the noise of the table's seeds." if noise else ""
    title = f"Regret over {AXES[axis]}"
    return Drawing(f"regret-{axis}", title, caption, drawn, more=more)


@styled
def best_curves(comparison: Comparison, axis: str) -> Drawing:
    """Mean regret of random search and the best few others, each named at the end of its curve.

    For slides and front pages, where there is no room for a legend.
    """
    curves = comparison.curves[axis]
    ends = {name: float(curves.band(name).mean[-1]) for name in curves.regret}
    ranked = sorted(ends, key=lambda name: (np.isnan(ends[name]), ends[name]))
    best = [name for name in ranked if name != "random_search"][:MOST_NAMED]
    names = best + [name for name in ranked if name == "random_search"]
    drawn, axes = mean_curves(comparison, curves, dict.fromkeys(names, 2.2), size=(8.4, 4.0))
    if comparison.noise:
        axes.axhspan(0, comparison.noise.floor, color=FAINT, alpha=0.22, linewidth=0)
        at = (0.02 * float(curves.grid[-1]), 0.4 * comparison.noise.floor)
        axes.text(*at, "in the grey, regret fits the noise of the table's seeds")
    axes.set_ylabel("mean regret, points" if comparison.of_accuracy else "mean regret")
    _name_lines(axes, {f"strategy-{place}": name for place, name in enumerate(names)})
    title = f"The best over {AXES[axis]}"
    return Drawing(f"best-{axis}", title, f"{over_runs(comparison)}.", drawn)


def _name_lines(axes: Axes, names: Mapping[str, str]) -> None:
    """Write names right of where lines end, by the lines' gids, none over another."""
    lines = {str(line.get_gid()): line for line in axes.get_lines()}
    wanted = []
    for gid, name in names.items():
        y = float(np.asarray(lines[gid].get_ydata())[-1])
        place = axes.transAxes.inverted().transform(axes.transData.transform((0, y)))[1]
        wanted.append((float(place), name, str(lines[gid].get_color())))
    wanted.sort()
    ends = np.asarray([place for place, _, _ in wanted])
    heights = np.maximum.accumulate(ends - LINE * np.arange(len(ends))) + LINE * np.arange(
        len(ends)
    )
    for at, (_, name, colour) in zip(heights - (heights - ends).mean(), wanted, strict=True):
        axes.text(1.01, at, readable(name), color=colour, transform=axes.transAxes, va="center")


@styled
def reach_curves(comparison: Comparison, axis: str, within: float | None = None) -> Drawing | None:
    """The share of runs within some points of the optimum; None where regret has no points.

    Args:
        comparison: of the runs.
        axis: one of `AXES`.
        within: so many points; else what `threshold` finds for this comparison.
    """
    curves = comparison.curves[axis]
    if not comparison.thresholds:
        return None
    judged = {name: of[~comparison.unjudged[name]] for name, of in curves.regret.items()}
    judged = {name: of for name, of in judged.items() if len(of)}
    within = threshold([comparison]) if within is None else within
    drawn, axes = _axes(comparison, curves)
    looks = dict(zip(curves.regret, series(len(curves.regret)), strict=True))
    for name, of in judged.items():
        colour, dash = looks[name]
        share, low, high = reached(of, within)
        gid = f"strategy-{list(looks).index(name)}"
        axes.plot(curves.grid, share, color=colour, linestyle=dash, label=label(name), gid=gid)
        if len(looks) <= MOST_BANDS:
            look: dict[str, Any] = {"color": colour, "alpha": 0.2, "linewidth": 0}
            axes.fill_between(curves.grid, low, high, **look, gid=f"{gid}-band")
    axes.set_ylim(0, 1)
    axes.set_ylabel(f"runs within {rounded(within, 2)} points")
    legend(drawn, axes)
    n = len(next(iter(comparison.traces.values())))
    apart = (
        ", without those that are not looked up,"
        if any(of.any() for of in comparison.unjudged.values())
        else ""
    )
    interval = " with Wilson's 95 % interval" if len(looks) <= MOST_BANDS else ""
    caption = (
        f"Share of {n} run{'s' if n > 1 else ''}{apart} whose incumbent is within "
        f"{rounded(within, 2)} points of the optimum, {comparison.optimum:.2f} %{interval}."
    )
    more = (
        "Of the thresholds in the table it is the tightest that a strategy reaches in half of its "
        "runs in each comparison of the page, or the widest where there is none."
    )
    title = "Probability of being near the optimum"
    return Drawing(f"reached-{axis}", title, caption, drawn, more=more)


def threshold(comparisons: Sequence[Comparison]) -> float:
    """The points within which all comparisons of a page count runs as near the optimum.

    Of the thresholds that they share it is the tightest that a strategy reaches in half of its
    runs in each of them, or the widest where there is none.
    """
    shares: dict[float, list[float]] = {}
    for comparison in comparisons:
        for within in comparison.thresholds.values():
            of = [_share(comparison, name, within) for name in comparison.traces]
            shares.setdefault(within, []).append(max(of))
    shared = {within: min(of) for within, of in shares.items() if len(of) == len(comparisons)}
    return min((w for w, share in shared.items() if share >= 0.5), default=max(shared))


def _share(comparison: Comparison, name: str, within: float) -> float:
    """Of the runs that are judged; 0 where there are none."""
    final = comparison.finals(name)["regret"][~comparison.unjudged[name], None]
    return float(reached(final, within)[0][0]) if len(final) else 0.0


def mean_curves(
    comparison: Comparison,
    curves: Curves,
    shown: Mapping[str, float] | None = None,
    size: tuple[float, float] = (4.6, 3.2),
) -> tuple[Figure, Axes]:
    """The mean over the runs of each strategy with its interval, on an axis that reaches 0.

    Args:
        comparison: of the runs.
        curves: of all their regret.
        shown: the width of each strategy's line, of those to show; all where left out.
        size: of the figure, in inches.
    """
    drawn, axes = _axes(comparison, curves, size)
    widths = dict.fromkeys(curves.regret, None) if shown is None else shown
    looks = dict(zip(widths, series(len(widths)), strict=True))
    means = []
    for place, (name, (colour, dash)) in enumerate(looks.items()):
        band, gid = curves.band(name), f"strategy-{place}"
        means.append(band.mean)
        line: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": widths[name]}
        axes.plot(curves.grid, band.mean, label=label(name), gid=gid, **line)
        if len(looks) <= MOST_BANDS:
            look: dict[str, Any] = {"color": colour, "alpha": 0.2, "linewidth": 0}
            axes.fill_between(curves.grid, band.low, band.high, **look, gid=f"{gid}-band")
    _show_small(axes, np.concatenate(means))
    return drawn, axes


def _axes(
    comparison: Comparison, curves: Curves, size: tuple[float, float] = (4.6, 3.2)
) -> tuple[Figure, Axes]:
    """An empty figure of that size in inches, over the grid."""
    drawn, axes = figure(*size)
    assumed = ", assumed" if comparison.protocol.cost_model else ""
    labels = {
        "seconds": f"simulated seconds of training{assumed}",
        "epochs": "epochs of training paid",
        "evaluations": "evaluations paid",
    }
    axes.set_xlabel(labels[curves.axis])
    axes.set_xlim(0, float(curves.grid[-1]))
    return drawn, axes


def legend(drawn: Figure, axes: Axes) -> None:
    """Below the axes, where no curve is under it."""
    handles, labels = axes.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=2)


def over_runs(comparison: Comparison) -> str:
    """What the caption of curves says of the runs, and of the bands where there are some."""
    n = len(next(iter(comparison.traces.values())))
    if n == 1:
        return "One run of each strategy"
    shown = len(comparison.traces) <= MOST_BANDS
    bands = " with the bootstrap 95 % interval of the mean" if shown else ""
    curves = next(iter(comparison.curves.values()))
    fewer = {name: runs for name in curves.regret if (runs := curves.band(name).runs) < n}
    of = "".join(f", {runs} of {name}" for name, runs in fewer.items())
    return f"Mean over {counted(n, 'run')}{of}{bands}"


def _show_small(axes: Axes, means: NDArray[np.float64]) -> None:
    """A logarithmic axis that reaches 0: late differences are small beside the first draws.

    It is linear below the smallest mean, rounded down, or 10^-3 of the highest.
    """
    known = means[np.isfinite(means)]
    top = float(known.max()) if len(known) else 0.0
    if not top > 0:
        axes.set_ylim(0, 1)
        return
    least = float(known[known > 0].min())
    smallest = max(least, top / 10**DECADES)
    steps = list(_steps(smallest / 2.5, top))
    start = max((step for step in steps if step <= smallest), default=steps[0])
    axes.set_yscale("symlog", linthresh=start, linscale=0.3)
    axes.set_ylim(0, 1.1 * top)
    axes.yaxis.set_major_locator(FixedLocator([0, *(step for step in steps if step >= start)]))
    plain_numbers(axes.yaxis)
    axes.yaxis.set_minor_locator(NullLocator())


def _steps(low: float, high: float) -> Iterable[float]:
    """1, 2, 5, 10, ... between two numbers."""
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            if low <= (step := float(f"{digit}e{power}")) <= high:
                yield step
