"""How well cost predictors do by how much was measured, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbench._words import counted
from nasbench.report.text import TextTable, number_text
from nasbench.surrogate.cost_scoring import HELP

if TYPE_CHECKING:
    from nasbench.surrogate.cost_scoring import CostScores

__all__ = ["cost_table"]

FEWEST = 10
"""Draws; of fewer a bootstrap interval says little."""


def cost_table(scores: CostScores) -> TextTable:
    """Spearman's rho and the median error of each predictor at each size, beside HELP's."""
    about = scores.about
    rows = [
        (name, *(_cell(scores, name, size) for size in about["sizes"]))
        for name in about["predictors"]
    ]
    device, _, metric = about["metric"].rpartition("/")
    published = HELP.get(device)
    space = about["space"] == "nb201" and metric == "latency_ms"
    if published is not None and space and 10 in about["sizes"]:
        shown = (number_text(published, 3) if size == 10 else "–" for size in about["sizes"])
        rows.append(("HELP, as published", *shown))
    late = f", from {FEWEST} draws on" if about["draws"] < FEWEST else ""
    note = (
        f"Spearman's rho on all other of {about['rows']:,} rows, mean over "
        f"{counted(about['draws'], 'draw')}{late} with the bootstrap 95 % interval of "
        f"the mean; then the median error; then the share of rows within the "
        f"{100 * about['level']:.0f} % interval."
    )
    if "cost" in about["predictors"]:
        ran = (
            f"{size}: {', '.join(f'{graph} {n}x' for graph, n in scores.graphs(size).items())}"
            for size in about["sizes"]
        )
        note += f" What the device ran, by how many draws say so: {'; '.join(ran)}."
    if published is not None and space:
        note += " HELP's figure (Lee et al., NeurIPS 2021) is of its own nine other devices."
    columns = ("predictor", *(f"{size:,} measured" for size in about["sizes"]))
    return TextTable(f"{about['metric']} of {about['table']}", columns, rows, note)


def _cell(scores: CostScores, name: str, size: int) -> str:
    found = scores.summary(name, size, "spearman")
    text = number_text(found.mean, 3)
    if scores.about["draws"] >= FEWEST:
        text += f" [{number_text(found.low, 3)}, {number_text(found.high, 3)}]"
    text += f", {100 * scores.summary(name, size, 'error').mean:.1f} %"
    coverage = scores.summary(name, size, "coverage").mean
    return text if coverage != coverage else f"{text}, {100 * coverage:.0f} %"
