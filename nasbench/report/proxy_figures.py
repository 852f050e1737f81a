"""How zero-cost proxies rank architectures, as figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.figure import Figure
from scipy.stats import rankdata

from nasbench.report.clouds import shades
from nasbench.report.figures import Drawing
from nasbench.report.text import estimate_text, number_text
from nasbench.report.theme import COLOURS, FAINT, figure, styled
from nasbench.stats import Estimate
from nasbench.validity.judgement import Judgement
from nasbench.validity.measures import Validity

__all__ = ["agreement", "dots", "matrix", "panels"]

MARKERS = "osD^"
FEW = 600
"""Up to so many architectures are shown one by one; of more, how many lie where."""
LETTER = 0.06
"""Inches that a letter of a small label takes, about."""
COLUMNS = 3
"""Of scatters side by side."""


@styled
def dots(found: Judgement, validity: Validity) -> Drawing:
    """Spearman of each score, from all architectures to the best hundredth."""
    over_all = validity.scopes["all"].figures["spearman"]
    names = sorted(found.scores, key=lambda name: over_all[name].value)
    drawn, axes = figure(4.6, 0.9 + 0.3 * len(names))
    for place, (scope, of) in enumerate(validity.scopes.items()):
        colour, shift = COLOURS[place], 0.27 - 0.18 * place
        at = np.arange(len(names)) + shift
        found_here = [of.figures["spearman"][name] for name in names]
        axes.hlines(at, [e.low for e in found_here], [e.high for e in found_here], color=colour)
        values = [e.value for e in found_here]
        marks = axes.scatter(
            values,
            at,
            s=14,
            color=colour,
            marker=MARKERS[place],
            zorder=3,
            gid=f"scope-{place}",
            label=f"{scope}, n = {of.n:,}",
        )
        if not np.isfinite(values).any():  # all of the best are equally good
            marks.set_label("_nothing to tell")
        if "spearman" in of.ceilings:
            axes.axvline(of.ceilings["spearman"].value, color=colour, linestyle=":", linewidth=1)
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"Spearman's ρ with {validity.target.name}")
    drawn.legend(loc="outside lower center", ncols=2, fontsize=8)
    tips: dict[str, Sequence[str]] = {
        f"scope-{place}": [
            f"{name}, {scope}\n{estimate_text(of.figures['spearman'][name])}, n = {of.n:,}"
            for name in names
        ]
        for place, (scope, of) in enumerate(validity.scopes.items())
    }
    caption = "Lines are 95 % intervals."
    if any(scope.ceilings for scope in validity.scopes.values()):
        caption += " Dotted lines: what seed noise leaves to be reached."
    return Drawing("ranking", "Over all, and among the best", caption, drawn, tips)


@styled
def panels(found: Judgement, validity: Validity) -> Drawing:
    """The metric against the place of each score."""
    names = list(found.scores)
    lines = math.ceil(len(names) / COLUMNS)
    drawn, first = figure(4.6, 0.4 + 1.3 * lines)
    first.remove()
    values = validity.target.values[validity.rows]
    low, high = np.quantile(values, (0.05, 1.0) if validity.target.maximize else (0.0, 0.95))
    room = 0.08 * (high - low)
    for place, name in enumerate(names):
        axes = drawn.add_subplot(lines, COLUMNS, place + 1)
        places = 100 * rankdata(found.scores[name][validity.rows]) / len(values)
        _cloud(axes, places, values)
        axes.set_title(name, fontsize=8)
        axes.set_xlim(0, 103)  # beyond 100, where the best stands as a whole point
        axes.set_ylim(low - room, high + room)
        axes.tick_params(labelsize=7)
        axes.set_xticks((0, 50, 100), ("0", "50", "100") if place >= len(names) - COLUMNS else ())
        if place % COLUMNS:
            axes.set_yticklabels([])
    drawn.supxlabel("place by score, % of architectures below", fontsize=8)
    drawn.supylabel(validity.target.name, fontsize=8)
    out = int(((values < low - room) | (values > high + room)).sum())
    caption = f"{len(values):,} architectures; scores by their place, the best on the right."
    caption += " The stronger the colour, the more of them." if len(values) > FEW else ""
    caption += f" {out:,} lie beyond the axis." if out else ""
    return Drawing("scatters", "Score against what it is to rank", caption, drawn)


def _cloud(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """A few as points, many as the number of those that lie where."""
    if len(x) <= FEW:
        axes.scatter(x, y, s=4, color=COLOURS[0], alpha=0.5, linewidths=0, rasterized=len(x) > 200)
        return
    inside = (y >= np.quantile(y, 0.03)) & (y <= np.quantile(y, 1.0))
    axes.hexbin(
        x[inside],
        y[inside],
        gridsize=24,
        mincnt=1,
        norm=LogNorm(),
        cmap=shades(),
        rasterized=True,
        linewidths=0,
    )


def agreement(found: Judgement) -> Drawing:
    """Spearman of each two proxies."""
    names = list(found.facts)
    cells = {(names.index(b) - 1, names.index(a)): of for (a, b), of in found.agreement.items()}
    drawn, tips = matrix(names[1:], names[:-1], cells)
    n = next(iter(found.agreement.values())).n
    caption = (
        f"Spearman's ρ of two proxies over the {n:,} architectures that have all of them; hover "
        f"over a field for its interval."
    )
    return Drawing("agreement", "Two proxies", caption, drawn, tips)


@styled
def matrix(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], Estimate]
) -> tuple[Figure, dict[str, Sequence[str]]]:
    """Correlations as coloured fields with their numbers, and what hovering over them shows."""
    side = 0.3
    left, below = (0.2 + LETTER * max(map(len, names)) for names in (rows, columns))
    drawn, axes = figure(left + side * len(columns), below + side * len(rows))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.tick_params(length=0)
    known = {place: of for place, of in cells.items() if math.isfinite(of.value)}
    # Blue for positive, vermilion for negative: told apart by colour-blind readers; the stronger,
    # the deeper, never so deep that the number on it could not be read.
    colours = [
        to_rgba(COLOURS[0] if of.value >= 0 else COLOURS[1], 0.75 * abs(of.value))
        for of in known.values()
    ]
    x, y = [column for _, column in known], [row for row, _ in known]
    axes.scatter(x, y, s=(0.92 * side * 72) ** 2, marker="s", c=colours, linewidths=0, gid="fields")
    for (row, column), of in known.items():
        text = number_text(of.value)
        axes.text(column, row, text, ha="center", va="center_baseline", fontsize=6.5)
    tips = [
        f"{rows[row]}, {columns[column]}\n{estimate_text(of)}, n = {of.n:,}"
        for (row, column), of in known.items()
    ]
    return drawn, {"fields": tips}
