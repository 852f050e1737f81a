"""The best networks as pictures: cells as graphs, what a space says of stages as boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from nasbench.report.figures import Drawing
from nasbench.report.judged import Judged
from nasbench.report.theme import COLOURS, FAINT, INK, figure, styled
from nasbench.space import SHIFT, CellGraph, Space
from nasbench.space.drawing import drawn_stages

__all__ = ["best_networks"]

WIDEST = 7.4
"""Inches of a picture of many stages, which has the page to itself."""


class _Pictured(NamedTuple):
    """One of the best rows: its architecture, and what stands above its picture."""

    architecture: int
    title: str


def best_networks(judged: Judged, k: int = 3) -> Drawing | None:
    """The best rows' networks; None of spaces that do not say how theirs are drawn."""
    table, space = judged.table, judged.table.space
    merit = np.nan_to_num(judged.sign * judged.column, nan=-np.inf)
    k = min(k, int(np.isfinite(merit).sum()))
    order = np.argsort(-merit, kind="stable")[:k]
    best = [
        _Pictured(
            int(table.rows[row]),
            f"{place}. {judged.text(judged.column[row])}, architecture {table.rows[row]}",
        )
        for place, row in enumerate(order.tolist(), 1)
    ]
    if not best:
        return None
    graphs = [graph for one in best if (graph := space.drawn_graph(one.architecture))]
    if graphs:
        return _best_cells(graphs, [one.title for one in best])
    return _best_stages(space, best) if space.stages else None


@styled
def _best_cells(graphs: list[CellGraph], titles: list[str]) -> Drawing:
    width, pitch = 4.6, 1.45
    x_range = (-0.25, max(graphs[0].nodes - 0.75, 3.25))
    y_range = (pitch * (1 - len(graphs)) - 0.5, 0.95)
    scale = width / (x_range[1] - x_range[0])
    drawn, axes = figure(width, scale * (y_range[1] - y_range[0]))
    axes.set_axis_off()
    axes.set_aspect("equal")  # arcs are bent in inches, their labels placed in nodes
    axes.set_xlim(x_range)
    axes.set_ylim(y_range)
    for place, (graph, title) in enumerate(zip(graphs, titles, strict=True)):
        _draw_cell(axes, graph, -pitch * place, title)
    caption = (
        "Live edges only, from the cell's input (0) to its output; each node sums what enters it."
    )
    if any(edge.operation == SHIFT for graph in graphs for edge in graph.edges):
        caption += " A shift is what is left of a convolution of zeros."
    return Drawing("cells", "The best cells", caption, drawn)


_LINE, _GAP = 0.15, 0.08
"""Inches of a line of text, and between boxes."""


@styled
def _best_stages(space: Space, best: list[_Pictured]) -> Drawing:
    chains = [drawn_stages(space, architecture) for architecture, _ in best]
    columns = len(space.stages)
    width = min(WIDEST, 1.05 * columns + 0.2)
    # Of boxes and titles the most lines; each picture is as high as its highest column.
    below = max(title.count("\n") + 1 for chain in chains for title, _ in chain)
    highest = [max(sum(map(_height, boxes)) for _, boxes in chain) for chain in chains]
    heights = [0.25 + high + _LINE * below + 0.2 for high in highest]
    drawn, axes = figure(width, sum(heights) + 0.1)
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(-sum(heights) - 0.05, 0.05)
    top = 0.0
    for (_, title), chain, high, height in zip(best, chains, highest, heights, strict=True):
        axes.text(0.04, top - 0.12, title, va="center")
        for column, (name, boxes) in enumerate(chain):
            middle = top - 0.25 - high / 2
            if column and space.stages[column].follows:
                look = {"arrowstyle": "-|>", "color": FAINT, "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", (column + 0.05, middle), (column - 0.05, middle), arrowprops=look)
            _draw_boxes(axes, column, middle + sum(map(_height, boxes)) / 2, boxes)
            axes.text(
                column + 0.5,
                top - 0.27 - high,
                name,
                ha="center",
                va="top",
                fontsize=6.5,
            )
        top -= height
    caption = (
        "From left to right, and in each stage from top to bottom; a colour is one choice of the "
        "decision that a box shows. What does not count is not drawn."
    )
    return Drawing("networks", "The best networks", caption, drawn)


def _height(box: tuple[str, int | None]) -> float:
    """Inches, with the gap above and below."""
    return _LINE * (box[0].count("\n") + 1) + _GAP + 0.06


def _draw_boxes(axes: Axes, column: int, top: float, boxes: list[tuple[str, int | None]]) -> None:
    """Boxes of a stage one below the other."""
    for box in boxes:
        text, choice = box
        height = _height(box)
        colour = INK if choice is None else COLOURS[choice % len(COLOURS)]
        low = top - height + _GAP / 2
        outline = Rectangle(
            (column + 0.08, low),
            0.84,
            height - _GAP,
            facecolor="none",
            edgecolor=colour,
            linewidth=1.4 if choice is not None else 0.8,
        )
        axes.add_patch(outline)
        text = "\n".join(line.replace("_", " ") for line in text.split("\n"))
        axes.text(
            column + 0.5,
            low + (height - _GAP) / 2,
            text,
            ha="center",
            va="center",
            fontsize=6,
            linespacing=1.15,
        )
        top -= height


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
