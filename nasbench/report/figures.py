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

from nasbench.errors import NasbenchError
from nasbench.report.theme import COLOURS, FAINT, figure, styled
from nasbench.space import SHIFT, CellGraph, CellSpace
from nasbench.stats import pareto_front
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Score

__all__ = [
    "Drawing",
    "accuracy_histogram",
    "best_cells",
    "cost_scatter",
    "predictor_scatter",
]


MOST_POINTS = 3_000

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
    """

    name: str
    title: str
    caption: str
    figure: Figure
    tips: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def inches(self) -> float:
        """Its width, by which a page shows it: letters of all figures are about as large."""
        return round(float(self.figure.get_figwidth()), 2)

    @property
    def wide(self) -> bool:
        """Whether it would be too small to read beside another."""
        return self.inches > WIDE


@styled
def accuracy_histogram(table: Table, recipe: str) -> Drawing:
    """How validation accuracy is spread over the rows."""
    accuracy = table.column("valid_accuracy", recipe=recipe)
    accuracy = accuracy[np.isfinite(accuracy)]
    if not len(accuracy):
        raise NasbenchError(f"{table.name} has no validation accuracy of recipe {recipe} to show")
    bottom = _bulk(accuracy)
    drawn, axes = figure()
    axes.hist(accuracy[accuracy >= bottom], bins=40, color=COLOURS[0])
    axes.axvline(accuracy.max(), color=COLOURS[1], linestyle="--", linewidth=1)
    mean = ", mean over seeds" if table.has_seeds("valid_accuracy", recipe=recipe) else ""
    axes.set_xlabel(f"validation accuracy, % ({recipe}{mean})")
    axes.set_ylabel("architectures")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    quartiles = np.quantile(accuracy, (0.25, 0.5, 0.75))
    caption = (
        f"{len(accuracy):,} rows; quartiles {quartiles[0]:.2f}, {quartiles[1]:.2f} and "
        f"{quartiles[2]:.2f} %; the dashed line is the best, {accuracy.max():.2f} %."
        f"{_below(accuracy, bottom)}"
    )
    return Drawing("accuracy", "Accuracy of the space", caption, drawn)


@styled
def cost_scatter(table: Table, recipe: str, device: str, metric: str = "latency_ms") -> Drawing:
    """Validation accuracy against what running costs, with the Pareto front."""
    accuracy = table.column("valid_accuracy", recipe=recipe)
    cost = table.device_column(device, metric)
    kind = table.manifest["devices"][device]["kinds"][metric]
    known = np.isfinite(cost) & np.isfinite(accuracy)
    rows, cost, accuracy = table.rows[known], cost[known], accuracy[known]
    front = pareto_front(cost, accuracy)
    drawn, axes = figure()
    # Beyond some thousands, points become pixels: a page of them would be slow to scroll.
    crowded = len(rows) > MOST_POINTS
    look: dict[str, Any] = {"s": 16, "color": COLOURS[0], "alpha": 0.75, "linewidths": 0}
    axes.scatter(cost, accuracy, **look, gid="rows", rasterized=crowded)
    axes.plot(cost[front], accuracy[front], color=COLOURS[1], drawstyle="steps-post", linewidth=1.2)
    axes.scatter(
        cost[front],
        accuracy[front],
        color=COLOURS[1],
        marker="s",
        s=20,
        gid="front",
        zorder=3,
        label=f"Pareto front ({len(front)})",
    )
    bottom = _bulk(accuracy)
    if (top := float(accuracy.max())) > bottom:
        axes.set_ylim(bottom, top + 0.05 * (top - bottom))
    axes.set_xlabel(f"{metric.replace('_', ', ')} ({device}, {kind})")
    axes.set_ylabel("validation accuracy, %")
    drawn.legend(loc="outside lower left")
    unit = metric.rsplit("_", 1)[1]

    def tips(places: Sequence[int]) -> list[str]:
        strings = (table.space.string(int(rows[i])) for i in places)
        return [
            f"{string}\n{accuracy[i]:.2f} %, {cost[i]:.3f} {unit}"
            for i, string in zip(places, strings, strict=True)
        ]

    shown: dict[str, Sequence[str]] = {"front": tips(front.tolist())}
    if not crowded:
        shown["rows"] = tips(range(len(rows)))
    which = "a point of the front" if crowded else "a point"
    caption = f"Hover over {which} for its architecture. {kind.capitalize()}."
    caption += _below(accuracy, bottom)
    title = f"Accuracy against {metric.rsplit('_', 1)[0]}"
    return Drawing(f"{metric}-{device}", title, caption, drawn, shown)


def _bulk(accuracy: NDArray[np.float64]) -> float:
    """Where an axis of accuracies starts, so that a few that learnt nothing do not stretch it."""
    low, high = np.nanquantile(accuracy, (0.05, 1.0))
    return float(low - 0.1 * (high - low))


def _below(accuracy: NDArray[np.float64], bottom: float) -> str:
    """A sentence on the rows that the axis leaves out."""
    count = int((accuracy < bottom).sum())
    return f" {count} rows of less than {bottom:.1f} % are not shown." if count else ""


@styled
def predictor_scatter(score: Score, table: Table) -> Drawing:
    """Predicted against measured, on rows that the predictor did not see."""
    drawn, axes = figure()
    axes.scatter(
        score.measured,
        score.predicted,
        s=16,
        color=COLOURS[0],
        alpha=0.75,
        linewidths=0,
        gid="rows",
    )
    ends = np.quantile(np.concatenate((score.measured, score.predicted)), (0.0, 1.0))
    axes.plot(ends, ends, color=COLOURS[1], linestyle="--", linewidth=1, label="equal")
    axes.set_xlabel("measured, %")
    axes.set_ylabel("predicted, %")
    axes.legend()
    tips = [
        f"{table.space.string(a)}\nmeasured {x:.2f} %, predicted {y:.2f} %"
        for a, x, y in zip(
            score.architectures.tolist(), score.measured, score.predicted, strict=True
        )
    ]
    caption = (
        f"{score.agreement.n:,} rows that none of the {score.trained_on:,} the predictor was "
        f"fitted on shares a network with; mean over seeds."
    )
    return Drawing("predictor", "The predictor on unseen rows", caption, drawn, {"rows": tips})


@styled
def best_cells(table: Table, recipe: str, k: int = 3) -> Drawing | None:
    """The best rows' cells as graphs; None for spaces that have no cells."""
    space = table.space
    if not isinstance(space, CellSpace):
        return None
    accuracy = table.column("valid_accuracy", recipe=recipe)
    k = min(k, int(np.isfinite(accuracy).sum()))
    order = np.argsort(-np.nan_to_num(accuracy, nan=-np.inf), kind="stable")[:k]
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
        title = f"{place + 1}. {accuracy[row]:.2f} %, architecture {table.rows[row]}"
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
