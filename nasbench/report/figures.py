"""The figures of a report; each is a pure function of runs and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nasbench._words import counted, rounded
from nasbench.report.clouds import MOST_POINTS, cloud
from nasbench.report.judged import Judged
from nasbench.report.text import first_words
from nasbench.report.theme import COLOURS, figure, styled
from nasbench.stats import pareto_front
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Score

__all__ = [
    "Drawing",
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
        values = f"{judged.text(accuracy[place])}, {rounded(cost[place])} {unit}"
        return f"{table.space.string(architecture)}\narchitecture {architecture}\n{values}"

    # All devices of a page have one axis, whichever rows they know.
    every = judged.column[np.isfinite(judged.column)]
    end = judged.bulk(every)
    shown = np.flatnonzero(judged.sign * accuracy >= judged.sign * end)
    drawn, axes = figure()
    x, y = cost[shown], accuracy[shown]
    tips = cloud(
        axes,
        x,
        y,
        lambda n: tip(int(shown[n])),
        lambda x, y: f"{judged.text(y)}, {rounded(x, 3)} {unit}",
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
    caption += (
        " The stronger the colour, the more architectures." if len(shown) > MOST_POINTS else ""
    )
    caption += judged.beyond(accuracy, end)
    if len(seen) < len(front):
        out = len(front) - len(seen)
        caption += f" {out} of the front {'is' if out == 1 else 'are'} among them."
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
