"""One search: what it found, and when."""

from __future__ import annotations

import numpy as np

from nasbench.report.figures import Drawing
from nasbench.report.text import TextTable
from nasbench.report.theme import COLOURS, figure, styled
from nasbench.search import Run
from nasbench.search.telling import rows_of

__all__ = ["incumbent_curve", "run_table"]


def run_table(run: Run) -> TextTable:
    """What was searched, how far, and the best of it."""
    return TextTable("The search", ("", ""), rows_of(run), "", prose=True)


@styled
def incumbent_curve(run: Run) -> Drawing:
    """The goal's metric of each evaluation, and the best so far."""
    metric, trace = run.spec.goal.metric, run.trace()
    shown = np.asarray([e.outcome.values[metric] for e in run.evaluations])
    best, standing, value = np.empty(len(shown)), (0, -np.inf), np.nan
    for place, one in enumerate(zip(trace.epochs.tolist(), trace.rewards.tolist(), strict=True)):
        if one[1] > -np.inf and one > standing:  # as `Trace.incumbents` has it
            standing, value = one, shown[place]
        best[place] = value
    paid = np.arange(1, len(shown) + 1)
    drawn, axes = figure()
    axes.scatter(paid, shown, s=12, color=COLOURS[5], linewidths=0, label="shown", gid="shown")
    axes.step(paid, best, where="post", color=COLOURS[0], label="best so far")
    axes.set_xlabel("evaluations, in the order of telling")
    axes.set_ylabel(metric)
    axes.legend()
    caption = f"{run.spec.strategy} with seed {run.spec.seed}: what each evaluation showed."
    return Drawing("best", "What the search found", caption, drawn)
