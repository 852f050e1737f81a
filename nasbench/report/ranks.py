"""The critical-difference diagram, and tables of mean ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.report.figures import Drawing
from nasbench.report.strategies import PAIRS, pair_rows
from nasbench.report.text import TextTable
from nasbench.report.theme import INK, figure, series, styled
from nasbench.search import Comparisons
from nasbench.stats import Friedman

__all__ = ["critical_difference", "over_tables", "paired_table", "ranks_table"]

# In inches.
ROW = 0.2
BAR = 0.1
AXIS = 2.4
_LINE: Any = {"color": INK, "linewidth": 1.0, "solid_capstyle": "butt"}


@styled
def critical_difference(found: Friedman, order: Sequence[str], blocks: str) -> Drawing:
    """Mean ranks on a line, and bars over strategies that cannot be told apart.

    Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006,
    figure 1. Each name has a line of its own, so that none meets another, however close their
    ranks.

    Args:
        found: of two strategies or more.
        order: the strategies in the order of the other figures, whose colours they keep.
        blocks: what was ranked on, such as `tables`.
    """
    names, ranks = list(found.ranks), np.asarray(list(found.ranks.values()))
    k, left = len(names), (len(names) + 1) // 2
    labels = [f"{name}  {rank:.2f}" for name, rank in found.ranks.items()]
    margins = [max(map(_width, side)) + 0.25 for side in (labels[:left], labels[left:])]
    top = 0.65  # of the figure, down to the axis: the critical difference and the ticks
    bars = BAR * (len(found.groups) + 1)
    least, most = _shown(ranks, found.critical_difference)
    width, height = sum(margins) + AXIS, top + bars + ROW * left + 0.15
    drawn, axes = figure(width, height)
    drawn.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(top - height, top)  # inches; 0 is the axis of ranks

    def x(rank: float) -> float:
        return margins[0] + AXIS * (rank - least) / (most - least)

    axes.plot([x(least), x(most)], [0, 0], **_LINE)
    for rank in range(least, most + 1):
        axes.plot([x(rank)] * 2, [0, 0.07], **_LINE)
        axes.text(x(rank), 0.1, f"{rank}", ha="center", va="bottom")
    _ruler(axes, x, found.critical_difference, least, most)
    looks = dict(zip(order, series(len(order)), strict=True))
    for place, (name, rank) in enumerate(zip(names, ranks.tolist(), strict=True)):
        row = place if place < left else k - 1 - place
        y = -bars - ROW * (row + 0.5)
        end = margins[0] - 0.1 if place < left else margins[0] + AXIS + 0.1
        axes.plot([x(rank), x(rank), end], [0, y, y], color=INK, linewidth=0.7)
        axes.plot([x(rank)], [0], "o", markersize=5, color=looks[name][0], zorder=3)
        label = f"{name}  {rank:.2f}" if place < left else f"{rank:.2f}  {name}"
        side = "right" if place < left else "left"
        axes.text(end + (-0.05 if place < left else 0.05), y, label, ha=side, va="center")
    for number, group in enumerate(found.groups):
        ends = [x(found.ranks[name]) for name in (group[0], group[-1])]
        y = -BAR * (number + 1)
        axes.plot([ends[0] - 0.04, ends[1] + 0.04], [y, y], color=INK, linewidth=3)
    caption = (
        f"Mean rank over {found.blocks} {blocks}, 1 the best. A bar joins strategies that "
        f"Nemenyi's test at .05 does not tell apart: their ranks differ by less than the critical "
        f"difference (CD), {found.critical_difference:.2f}. {_verdict(found)}"
    )
    return Drawing("ranks", "Critical-difference diagram", caption, drawn)


def _width(text: str) -> float:
    """Of a text in the figure's font, in inches."""
    size = mpl.rcParams["font.size"]
    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72


def _shown(ranks: NDArray[np.float64], difference: float) -> tuple[int, int]:
    """The whole ranks at the axis's ends: what there are, with room for the critical difference."""
    k = len(ranks)
    least, most = int(ranks.min()), math.ceil(ranks.max())
    wanted = min(k - 1, max(2, math.ceil(difference) if math.isfinite(difference) else 2))
    while most - least < wanted:
        least, most = max(1, least - 1), min(k, most + 1)
    return least, most


def _ruler(
    axes: Axes, x: Callable[[float], float], difference: float, least: int, most: int
) -> None:
    """The critical difference as a length from the axis's start; cut where that is longer."""
    y, fits = 0.42, difference <= most - least
    end = x(min(least + difference, most))
    axes.plot([x(least), end], [y, y], **_LINE)
    for at in (x(least), end) if fits else (x(least),):
        axes.plot([at, at], [y - 0.04, y + 0.04], **_LINE)
    beyond = "" if fits else ", longer than the axis"
    axes.text(x(least), y + 0.06, f"CD {difference:.2f}{beyond}", ha="left", va="bottom")


def _verdict(found: Friedman) -> str:
    """What Friedman's test says."""
    if math.isnan(found.p):
        return f"No test: {found.note}."
    test = f"Friedman's test (F of Iman and Davenport, {found.blocks} blocks): p = {found.p:.2g}"
    if found.note:
        return f"{test}; it finds no difference, so one bar joins all."
    return f"{test}."


def ranks_table(found: Friedman, blocks: str, scored: str) -> TextTable:
    """Mean ranks, with the bars of the diagram in words."""
    rows = [(name, f"{rank:.2f}", _letters(found, name)) for name, rank in found.ranks.items()]
    note = (
        f"Mean rank of the {scored} over {found.blocks} {blocks}, 1 the best. "
        f"{_groups(found)}{_verdict(found)}"
    )
    columns = ("strategy", "mean rank", "group")
    return TextTable("Mean ranks", columns, rows, note, best=_with_the_best(found, 1))


def _with_the_best(found: Friedman, column: int) -> frozenset[tuple[int, int]]:
    """Where the best rank stands, and those that the test does not tell from it."""
    if math.isnan(found.p):
        return frozenset()
    first, *_ = found.ranks
    tied = {first, *(name for group in found.groups if first in group for name in group)}
    return frozenset((row, column) for row, name in enumerate(found.ranks) if name in tied)


def _groups(found: Friedman) -> str:
    if math.isnan(found.p):
        return ""
    return (
        f"Strategies that share a letter are not told apart (Nemenyi's test at .05, critical "
        f"difference {found.critical_difference:.2f}). "
    )


def _letters(found: Friedman, name: str) -> str:
    letters = [chr(ord("a") + n) for n, group in enumerate(found.groups) if name in group]
    return " ".join(letters) or "–"


def over_tables(comparisons: Comparisons) -> TextTable:
    """Mean score of each strategy on each table, and its mean rank, the best first.

    Those that ran on some of the tables only come last, without a rank.
    """
    ranks = comparisons.ranks.ranks if comparisons.strategies else {}
    rows = []
    for name in (*ranks, *comparisons.partial):
        score = [
            _mean_text(mean, comparisons.scores_on(table).get(name, np.empty(0)))
            for mean, table in zip(comparisons.means(name), comparisons.tables, strict=True)
        ]
        rank = (f"{ranks[name]:.2f}", _letters(comparisons.ranks, name)) if name in ranks else "––"
        rows.append((name, *score, *rank))
    n = max(len(runs) for of in comparisons.tables.values() for runs in of.traces.values())
    note = (
        f"Mean {comparisons.scored} over {counted(n, 'run')} of each strategy on each table; the "
        "mean rank is "
        "over tables, 1 the best. "
    )
    if ranks:
        note += f"{_groups(comparisons.ranks)}{_verdict(comparisons.ranks)}"
    if comparisons.partial:
        some = ", ".join(comparisons.partial)
        note += f" Not ranked, since they did not run on every table: {some}."
    columns = ("strategy", *comparisons.tables, "mean rank", "group")
    title = f"{comparisons.scored.capitalize()} on each table"
    best = _with_the_best(comparisons.ranks, len(columns) - 2) if ranks else frozenset()
    return TextTable(title, columns, rows, note, best=best)


def _mean_text(mean: float, scores: NDArray[np.float64]) -> str:
    """A mean, and of how many runs it is where that is not all of them."""
    known = int(np.isfinite(scores).sum())
    if not known:
        return "–"
    return f"{mean:.2f}" if known == len(scores) else f"{mean:.2f} (n = {known})"


def paired_table(comparisons: Comparisons) -> TextTable:
    """Which differences stand up over tables: signed ranks, corrected, with effect sizes."""
    rows, shown, notes = pair_rows(comparisons.pairs, comparisons.scores)
    note = (
        f"Mean {comparisons.scored} on {len(comparisons.tables)} tables, {shown}: mean difference; "
        f"the share of tables on which the first is lower, with Wilson's 95 % interval; p of "
        f"Wilcoxon's exact signed-rank test over tables, by Holm's correction over all "
        f"{len(comparisons.pairs)} pairs. A bootstrap interval is given from 10 tables on."
    )
    return TextTable("Which differences stand up", PAIRS, rows, " ".join([note, *notes]))
