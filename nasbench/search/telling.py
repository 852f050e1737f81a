"""What is said of a finished search: as a document, in rows, as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbench._words import counted, rounded
from nasbench.search.oracle import COSTS_ALONE, ListedOracle, Oracle

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.search.goal import Goal
    from nasbench.search.loop import Evaluation
    from nasbench.search.run import Run

__all__ = ["document_of", "frame_of", "rows_of"]

UNTIMED = "unknown: there are no training times (assume them by --seconds-per-epoch)"

ENDED = {
    "epochs": "the budget in epochs is spent",
    "evaluations": "the budget in evaluations is spent",
    "seconds": "the budget in seconds is spent",
}
"""What the phrases say that name a budget."""


def document_of(run: Run) -> dict[str, Any]:
    """A run and what it found, by name; plain JSON values."""
    oracle, trace, goal = run.oracle, run.trace(), run.spec.goal
    document: dict[str, Any] = {
        "spec": run.spec.describe(oracle),
        "ended": run.ended,
        "evaluations": trace.evaluations,
        "distinct": _distinct(run),
        "trained_epochs": int(trace.end("epochs")),
        "simulated_seconds": None if _untimed(oracle) else float(trace.finished[-1]),
        "incumbent": run.best,
        "string": oracle.space.string(run.best),
        **run.values,
    }
    if goal.objectives:
        front = sorted(run.front(), key=lambda e: goal.rewards(e.outcome), reverse=True)
        document["front"] = [_point(e, goal, oracle) for e in front]
    return document


def rows_of(run: Run) -> list[tuple[str, str]]:
    """The same in words: names and what stands beside them."""
    goal, found = run.spec.goal, document_of(run)
    seconds = found["simulated_seconds"]
    tags = run.oracle.describe().get("tags")
    return [
        ("strategy", f"{run.spec.strategy}, seed {run.spec.seed}"),
        ("goal", f"{goal.metric}, {'more' if goal.maximize else 'less'} is better"),
        *([("estimated", f"{tags['device']}, by its tags: no measurement")] if tags else []),
        (
            "evaluations",
            f"{found['evaluations']} paid, {found['distinct']} distinct architectures; "
            f"{ENDED.get(run.ended, f'it ended: {run.ended}')}",
        ),
        ("trained", _trainings(found["trained_epochs"], run.oracle)),
        ("simulated", UNTIMED if seconds is None else _seconds(seconds)),
        ("best", f"{found['incumbent']} = {found['string']}"),
        *((name, rounded(value, 6)) for name, value in run.values.items()),
        *(("front", _point_text(point, goal)) for point in found.get("front", ())),
    ]


def frame_of(run: Run) -> pd.DataFrame:
    """A row an evaluation, in the order of telling: what was asked, shown, paid and best by then.

    Columns: `ask`, `architecture`, `string`, `recipe`, `epochs`, the metrics that were shown,
    `seconds`, `started`, `finished`, `repeat`, `incumbent` (-1 before any).
    """
    import pandas as pd

    space = run.oracle.space
    rows = [
        {
            "ask": done.ask,
            "architecture": done.query.architecture,
            "string": space.string(done.query.architecture),
            "recipe": done.query.recipe,
            "epochs": done.query.epochs,
            **done.outcome.values,
            "seconds": done.outcome.seconds,
            "started": done.started,
            "finished": done.finished,
            "repeat": done.repeat,
            "incumbent": incumbent,
        }
        for done, incumbent in zip(run.evaluations, run.trace().incumbents().tolist(), strict=True)
    ]
    return pd.DataFrame(rows)


def _untimed(oracle: Oracle) -> bool:
    return isinstance(oracle, ListedOracle) and not oracle.timed


def _distinct(run: Run) -> int:
    return len({run.oracle.key(e.query.architecture) for e in run.evaluations})


def _seconds(simulated: float) -> str:
    return f"{simulated:,.1f} s" if simulated >= 10 else f"{rounded(simulated, 3)} s"


def _trainings(epochs: int, oracle: Oracle) -> str:
    """Epochs that were trained, in whole trainings."""
    if oracle.fidelities[0].recipe == COSTS_ALONE:
        return "nothing: the table holds costs alone"
    whole = oracle.fidelities[0].epochs
    return f"{counted(epochs, 'epoch')}, {rounded(epochs / whole)} whole trainings of {whole}"


def _point(evaluation: Evaluation, goal: Goal, oracle: Oracle) -> dict[str, Any]:
    """A point of a front, with what it is worth in each objective."""
    architecture = int(evaluation.query.architecture)
    return {
        "architecture": architecture,
        "string": oracle.space.string(architecture),
        **{of.metric: evaluation.outcome.values[of.metric] for of in goal.every_objective},
    }


def _point_text(point: dict[str, Any], goal: Goal) -> str:
    numbers = ", ".join(rounded(point[of.metric], 6) for of in goal.every_objective)
    return f"{numbers}: {point['architecture']} = {point['string']}"
