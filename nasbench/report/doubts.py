"""What the numbers of a page do not say, in sentences made from the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.report.judged import Judged
from nasbench.search import Comparison
from nasbench.table import Table

__all__ = ["FEW", "comparison_doubts", "elsewhere", "parts", "table_doubts"]

FEW = 10
"""Of fewer runs or tables a test finds large differences alone."""


def comparison_doubts(comparisons: Sequence[Comparison]) -> str:
    """What comparisons leave open: each point once, whichever table it is of."""
    said: dict[str, None] = {}
    for comparison in comparisons:
        protocol, table = comparison.protocol, comparison.table
        runs = len(next(iter(comparison.traces.values()), ()))
        points = {
            "Budgets count evaluations, whose training times differ.": (
                protocol.budget.seconds is None and not protocol.budget.epochs
            ),
            "Training times are assumed, not measured.": protocol.cost_model is not None,
            f"{counted(runs, 'run')} of each strategy: only large differences show.": runs < FEW,
            "Runs searched a predictor: they favour what it favours.": bool(protocol.surrogate),
            f"Without several seeds the noise of {table.name} is not known.": (
                comparison.of_accuracy and comparison.noise is None
            ),
        }
        said |= dict.fromkeys(point for point, holds in points.items() if holds)
        said |= dict.fromkeys(parts(table))
    tables = {comparison.table.sha256 for comparison in comparisons}
    if len(tables) == 1:
        said[elsewhere(comparisons[0].table)] = None
    elif len(tables) < FEW:
        said[f"Other tasks: {len(tables)} tables are few for a test."] = None
    return " ".join(said)


def table_doubts(table: Table, judged: Judged | None) -> str:
    """What a table leaves open of its best row, of rows that it has not, of other machines."""
    unknown = "No value of a training is shown here, so nothing is said of accuracy."
    said = _of_best(judged) if judged else [unknown]
    said += [*parts(table), *_of_costs(table)]
    return " ".join([*said, elsewhere(table)])


def _of_best(judged: Judged) -> list[str]:
    """That the row which was picked looks better than it is, and by how much where that is seen."""
    said = []
    if not (judged.noise and math.isfinite(judged.noise.floor)):
        said.append("Without several seeds the noise of a training is not known.")
    predicted = int(judged.table.predicted(judged.metric, recipe=judged.recipe).sum())
    if predicted:
        of = counted(len(judged.column), "row")
        said.append(f"{predicted:,} of {of} are predicted, not trained.")
    row = int(np.nanargmax(judged.sign * judged.column))
    picked = "The best was picked by the numbers that it is shown with, which flatters it"
    test = _on_test(judged)
    if test is None or not np.isfinite(test[row]):
        return [*said, f"{picked}; there is no test of it here."]
    better = int((judged.sign * test > judged.sign * test[row]).sum())
    others = f"{better:,} {'row has' if better == 1 else 'rows have'} better" if better else "first"
    return [*said, f"{picked}: on test it has {judged.text(float(test[row]))} ({others})."]


def _on_test(judged: Judged) -> NDArray[np.float64] | None:
    """The judged metric of the test split, of each row; None where the table has none."""
    name = f"test_{judged.metric.removeprefix('valid_')}"
    if name not in judged.table.metrics[judged.recipe]:
        return None
    return judged.table.column(name, recipe=judged.recipe)


def parts(table: Table) -> list[str]:
    """That a table holds a part of its space, or predictions."""
    said = []
    held, size = len(table.architectures), table.space.size
    if held < size:
        said.append(f"{table.name} has {held:,} of {size:,} architectures: others may be better.")
    if any(of.get("kind") == "predicted" for of in table.manifest["datasets"].values()):
        said.append(f"{table.name} holds predicted values.")
    return said


def _of_costs(table: Table) -> list[str]:
    """That costs are of some machines alone, and which of them nobody measured."""
    if not table.devices:
        return ["No device was measured: what running costs is not known."]
    said = [f"Costs are of {counted(len(table.devices), 'device')}: others may rank otherwise."]
    kinds = [table.manifest["devices"][name]["kinds"] for name in table.devices]
    guessed = dict.fromkeys(cost for of in kinds for cost in of if of[cost] == "estimated")
    if guessed:
        said.append(f"Estimated, not measured: {', '.join(guessed)}.")
    return said


def elsewhere(table: Table) -> str:
    """That all is of one table."""
    return f"Other tasks and spaces: all of this is of {table.name}."
