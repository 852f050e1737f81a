"""Which decisions matter, and what the best architectures chose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasbench._words import rounded
from nasbench.errors import BadValue
from nasbench.report.figures import Drawing
from nasbench.report.judged import Judged
from nasbench.report.sections import Section
from nasbench.report.text import TextTable
from nasbench.report.theme import COLOURS, figure, styled
from nasbench.validity.decisions import Decision, decision_effects

if TYPE_CHECKING:
    from nasbench.surrogate import DecisionImportance

__all__ = ["best_choices", "decision_section", "importance_table"]

MOST_DECISIONS = 15
"""Those that explain most are shown, of a space with more."""


def best_choices(judged: Judged, k: int = 3) -> TextTable | None:
    """What the best rows chose, decision by decision; None of cells, which are drawn."""
    table, space = judged.table, judged.table.space
    merit = np.nan_to_num(judged.sign * judged.column, nan=-np.inf)
    best = np.argsort(-merit, kind="stable")[: min(k, int(np.isfinite(merit).sum()))].tolist()
    if not best or space.drawn_graph(int(table.rows[best[0]])):
        return None
    chosen = [space.choices_of(int(table.rows[row])) for row in best]
    heads = [f"{place}. {judged.text(judged.column[row])}" for place, row in enumerate(best, 1)]
    rows = [
        (name, *(str(of[name]) if name in of else "–" for of in chosen)) for name in space.decisions
    ]
    numbers = ", ".join(str(table.rows[row]) for row in best)
    note = f"Architectures {numbers}. A dash: the decision does not count there."
    return TextTable("The best architectures", ("decision", *heads), rows, note)


def decision_section(judged: Judged, of: str = "") -> Section:
    """Marginal effects on what the page judges by, or why there are none."""
    title = f"Which decisions matter{of}"
    try:
        found = decision_effects(judged.table, judged.column)
    except BadValue as untold:
        return Section(title, f"Not said here: {untold}.")
    if not found:
        return Section(
            title, f"Not said here: no decision of {judged.table.space.name} has choices."
        )
    shown = found[:MOST_DECISIONS]
    lead = (
        f"Means over the rows of the table, of {judged.words}: what a choice gains where its "
        f"decision counts, and how much of the variance each decision explains by itself. What "
        f"decisions do only together is in neither, and where the rows are no random sample, "
        f"decisions may stand for one another."
    )
    if len(found) > len(shown):
        lead += f" Of {len(found)} decisions the {len(shown)} that explain most are shown."
    return Section(
        title,
        lead,
        [_shares_drawing(shown)],
        [_shares_table(judged, shown), _effects_table(judged, shown)],
    )


def importance_table(found: Sequence[DecisionImportance], metric: str) -> TextTable:
    """Which decisions matter to a surrogate that predicts this metric."""
    rows = [
        (d.name, f"{100 * d.share:.1f}", f"[{100 * d.low:.1f}, {100 * d.high:.1f}]")
        for d in found[:MOST_DECISIONS]
    ]
    more = f" Of {len(found)} the {len(rows)} largest." if len(found) > len(rows) else ""
    note = (
        f"The share of the variance of {metric}, as it is predicted over the space, that is lost "
        f"where the decision alone is drawn anew, be it by itself or together with others; "
        f"bootstrap 95 % intervals over what was drawn. What the surrogate did not learn is in no "
        f"interval.{more}"
    )
    columns = ("decision", "variance lost, %", "95 % interval")
    return TextTable("Which decisions matter to the surrogate", columns, rows, note)


@styled
def _shares_drawing(found: list[Decision]) -> Drawing:
    drawn, axes = figure(4.6, 0.9 + 0.24 * len(found))
    places = np.arange(len(found))[::-1]
    share = 100 * np.asarray([decision.share for decision in found])
    low, high = (100 * np.asarray([getattr(d, end) for d in found]) for end in ("low", "high"))
    off = np.maximum(np.stack([share - low, high - share]), 0)
    axes.barh(places, share, color=COLOURS[0], height=0.6)
    axes.errorbar(share, places, xerr=off, fmt="none", ecolor=COLOURS[1], linewidth=1.2)
    axes.set_yticks(places, [decision.name for decision in found])
    axes.set_xlabel("variance explained, %")
    axes.set_xlim(left=0)
    caption = "Each decision by itself; lines are bootstrap 95 % intervals over rows."
    return Drawing("decisions", "What each decision explains", caption, drawn)


def _shares_table(judged: Judged, found: list[Decision]) -> TextTable:
    rows = []
    for decision in found:
        known = [c for c in decision.choices if math.isfinite(c.mean)]
        best = max(known, key=lambda choice: judged.sign * choice.mean)
        interval = f"[{100 * decision.low:.1f}, {100 * decision.high:.1f}]"
        rows.append((decision.name, f"{100 * decision.share:.1f}", interval, best.name))
    note = "Epsilon squared; basic bootstrap 95 % intervals over rows. The best choice by its mean."
    columns = ("decision", "variance explained, %", "95 % interval", "best choice")
    return TextTable("What each decision explains", columns, rows, note)


def _effects_table(judged: Judged, found: list[Decision]) -> TextTable:
    rows = []
    for decision in found:
        for choice in decision.choices:
            effect, low, high = (
                _signed(judged, v) for v in (choice.effect, choice.low, choice.high)
            )
            mean = judged.text(choice.mean) if math.isfinite(choice.mean) else "–"
            interval = f"[{low}, {high}]" if math.isfinite(choice.low) else "–"
            name = f"{decision.name} = {choice.name}"
            rows.append((name, f"{choice.rows:,.0f}", mean, effect, interval))
    unit = "in points" if judged.accuracy else "in its unit"
    note = (
        f"The effect is the mean of {judged.words} over rows with the choice, less that "
        f"of all for which the decision counts, {unit}; bootstrap 95 % intervals. A row of several "
        f"architectures is in each of their choices with its share."
    )
    columns = ("choice", "rows", "mean", "effect", "95 % interval")
    return TextTable("What each choice gains", columns, rows, note)


def _signed(judged: Judged, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:+.2f}" if judged.accuracy else f"{'+' if value >= 0 else ''}{rounded(value, 3)}"
