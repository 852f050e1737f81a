"""The figures of a report; each is a pure function of runs and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.report.clouds import MOST_POINTS, cloud
from nasbench.report.judged import Judged
from nasbench.report.text import first_words
from nasbench.report.theme import COLOURS, FAINT, figure, styled
from nasbench.space import SHIFT, CellGraph, CellSpace
from nasbench.stats import pareto_front
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Score

__all__ = [
    "Drawing",
    "best_cells",
    "cost_scatter",
    "histogram",
    "predictor_scatter",
]


WIDE = 6.5
"""Inches; a wider figure has the page to itself."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with what a reader needs around it.

    Attributes:
        name: of its files.
        title: above it.
        caption: below it.
        figure: drawn.
        tips: by gid, what each point shows when hovered over.
        more: how to read it, which a page folds.
    """

    name: str
    title: str
    caption: str
    figure: Figure
    tips: dict[str, Sequence[str]] = field(default_factory=dict)
    more: str = ""

    def __post_init__(self) -> None:
        if not self.more:
            caption, more = first_words(self.caption)
            object.__setattr__(self, "caption", caption)
            object.__setattr__(self, "more", more)

    @property
    def inches(self) -> float:
        """Its width, by which a page shows it: letters of all figures are about as large."""
        return round(float(self.figure.get_figwidth()), 2)

    @property
    def wide(self) -> bool:
        """Whether it would be too small to read beside another."""
        return self.inches > WIDE


@styled
def histogram(judged: Judged) -> Drawing:
    """How the metric is spread over the rows."""
    values = judged.column[np.isfinite(judged.column)]
    end = judged.bulk(values)
    drawn, axes = figure()
    shown = values[judged.sign * values >= judged.sign * end]
    axes.hist(shown, bins=_bins(shown), color=COLOURS[0])
    axes.axvline(judged.best, color=COLOURS[1], linestyle="--", linewidth=1)
    seeds = judged.table.has_seeds(judged.metric, recipe=judged.recipe)
    mean = ", mean over seeds" if seeds else ""
    axes.set_xlabel(f"{judged.label} ({judged.recipe}{mean})")
    axes.set_ylabel("architectures")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    first, second, third = (judged.text(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    if judged.accuracy:  # the unit once
        first, second = first.removesuffix(" %"), second.removesuffix(" %")
    caption = (
        f"{counted(len(values), 'row')}; quartiles {first}, {second} and {third}; the dashed "
        "line is the "
        f"best, {judged.text(judged.best)}.{judged.beyond(values, end)}"
    )
    title = f"{judged.short[0].upper()}{judged.short[1:]} of the space"
    return Drawing(judged.short.replace(" ", "_"), title, caption, drawn)


def _bins(values: NDArray[np.float64]) -> int | list[float]:
    """40, or one where all values are about the same."""
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-9 * abs(high):
        return 40
    margin = max(0.5, 1e-3 * abs(high))
    return [low - margin, high + margin]


@styled
def cost_scatter(judged: Judged, device: str, metric: str = "latency_ms") -> Drawing:
    """What architectures are judged by against what running costs, with the Pareto front."""
    table, accuracy = judged.table, judged.column
    cost = table.device_column(device, metric)
    kind = table.manifest["devices"][device]["kinds"][metric]
    known = np.isfinite(cost) & np.isfinite(accuracy)
    rows, cost, accuracy = table.rows[known], cost[known], accuracy[known]
    front = pareto_front(cost, judged.sign * accuracy)
    unit = metric.rsplit("_", 1)[1]

    def tip(place: int) -> str:
        architecture = int(rows[place])
        values = f"{judged.text(accuracy[place])}, {cost[place]:.4g} {unit}"
        return f"{table.space.string(architecture)}\narchitecture {architecture}\n{values}"

    # All devices of a page have one axis, whichever rows they know.
    every = judged.column[np.isfinite(judged.column)]
    end = judged.bulk(every)
    shown = np.flatnonzero(judged.sign * accuracy >= judged.sign * end)
    drawn, axes = figure()
    x, y = cost[shown], accuracy[shown]
    tips = cloud(
        axes, x, y, lambda n: tip(int(shown[n])), lambda x, y: f"{judged.text(y)}, {x:.3g} {unit}"
    )
    seen = front[np.isin(front, shown)]
    look: dict[str, Any] = {"color": COLOURS[1], "drawstyle": "steps-post", "linewidth": 1.2}
    axes.plot(cost[seen], accuracy[seen], **look, gid="front-line")
    axes.scatter(
        cost[seen],
        accuracy[seen],
        color=COLOURS[1],
        marker="s",
        s=20,
        gid="front",
        zorder=3,
        label=f"Pareto front ({len(front)})",
    )
    if judged.best != end:
        axes.set_ylim(*sorted((end, judged.best + 0.05 * (judged.best - end))))
    if len(x) and 0 < x.min() < x.max() / 2:
        axes.set_xlim(left=0)
    axes.set_xlabel(f"{metric.replace('_', ', ')} ({device}, {kind})")
    axes.set_ylabel(judged.label)
    drawn.legend(loc="outside lower left")
    points = {"rows": tips, "front": [tip(place) for place in seen.tolist()]}
    caption = f"{kind.capitalize()}."
    caption += " The darker, the more architectures." if len(shown) > MOST_POINTS else ""
    caption += judged.beyond(accuracy, end)
    if len(seen) < len(front):
        caption += f" {len(front) - len(seen)} of the front are among them."
    quantity = metric.rsplit("_", 1)[0].replace("_", " ")
    title = f"{judged.short[0].upper()}{judged.short[1:]} against {quantity} on {device}"
    return Drawing(f"{metric}-{device}", title, caption, drawn, points)


@styled
def predictor_scatter(score: Score, table: Table) -> Drawing:
    """Predicted against measured, on rows that the predictor did not see."""
    drawn, axes = figure()
    unit, digits = (" %", ".2f") if score.metric.endswith("accuracy") else ("", ".4g")
    architectures = score.architectures.tolist()

    def about(x: float, y: float) -> str:
        return f"measured {x:{digits}}{unit}, predicted {y:{digits}}{unit}"

    def tip(place: int) -> str:
        architecture = architectures[place]
        values = about(float(score.measured[place]), float(score.predicted[place]))
        return f"{table.space.string(architecture)}\narchitecture {architecture}\n{values}"

    tips = cloud(axes, score.measured, score.predicted, tip, about)
    ends = np.quantile(np.concatenate((score.measured, score.predicted)), (0.0, 1.0))
    axes.plot(ends, ends, color=COLOURS[1], linestyle="--", linewidth=1, label="equal")
    axis = ", %" if unit else f" {score.metric}"
    axes.set_xlabel(f"measured{axis}")
    axes.set_ylabel(f"predicted{axis}")
    axes.legend()
    caption = (
        f"{score.agreement.n:,} rows that none of the {score.trained_on:,} the predictor was "
        f"fitted on shares a network with; mean over seeds."
    )
    return Drawing("predictor", "The predictor on unseen rows", caption, drawn, {"rows": tips})


@styled
def best_cells(judged: Judged, k: int = 3) -> Drawing | None:
    """The best rows' cells as graphs; None for spaces that have no cells."""
    table, space = judged.table, judged.table.space
    if not isinstance(space, CellSpace):
        return None
    merit = np.nan_to_num(judged.sign * judged.column, nan=-np.inf)
    k = min(k, int(np.isfinite(merit).sum()))
    order = np.argsort(-merit, kind="stable")[:k]
    width, pitch = 4.6, 1.45
    x_range = (-0.25, max(space.nodes - 0.75, 3.25))
    y_range = (pitch * (1 - k) - 0.5, 0.95)
    scale = width / (x_range[1] - x_range[0])
    drawn, axes = figure(width, scale * (y_range[1] - y_range[0]))
    axes.set_axis_off()
    axes.set_aspect("equal")  # arcs are bent in inches, their labels placed in nodes
    axes.set_xlim(x_range)
    axes.set_ylim(y_range)
    for place, row in enumerate(order.tolist()):
        graph = space.live_graph(int(table.rows[row]))
        title = f"{place + 1}. {judged.text(judged.column[row])}, architecture {table.rows[row]}"
        _draw_cell(axes, graph, -pitch * place, title)
    caption = (
        "Live edges only, from the cell's input (0) to its output; each node sums what enters it. "
        "A shift is what is left of a convolution of zeros."
    )
    return Drawing("cells", "The best cells", caption, drawn)


_SHORT = {
    "nor_conv_1x1": ("conv 1×1", COLOURS[2]),
    "nor_conv_3x3": ("conv 3×3", COLOURS[0]),
    "avg_pool_3x3": ("pool", COLOURS[4]),
    "skip_connect": ("skip", COLOURS[3]),
    SHIFT: ("shift", COLOURS[5]),
}


def _draw_cell(axes: Axes, graph: CellGraph, y: float, title: str) -> None:
    """Nodes on a line; an edge that passes nodes by is an arc, above or below."""
    axes.text(-0.2, y + 0.78, title)
    for node in range(graph.nodes):
        axes.plot([node], [y], "o", markersize=13, color=FAINT)
        axes.annotate(str(node), (node, y), ha="center", va="center", fontsize=8)
    for edge in graph.edges:
        label, colour = _SHORT[edge.operation]
        length = edge.target - edge.source
        # Two arcs of length 2 would cross: they go to different sides.
        side = -1 if length == 2 and edge.source % 2 else 1
        lift = 0.0 if length == 1 else side * (0.28 * length - 0.22)
        arrow = FancyArrowPatch(
            (edge.source, y),
            (edge.target, y),
            # The middle of an arc lies half of `rad` times its length off the line.
            connectionstyle=f"arc3,rad={-2 * lift / length}",
            arrowstyle="-|>",
            mutation_scale=9,
            shrinkA=8,
            shrinkB=8,
            color=colour,
            linewidth=1.6,
        )
        axes.add_patch(arrow)
        middle = (edge.source + edge.target) / 2
        axes.text(
            middle,
            y + lift + (-0.04 if lift < 0 else 0.04),
            label,
            ha="center",
            va="top" if lift < 0 else "bottom",
            fontsize=7.5,
            color=colour,
        )
