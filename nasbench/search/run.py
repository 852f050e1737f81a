"""One search: a strategy, an oracle, a budget and a seed, from the first ask to the last tell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench._result import Result
from nasbench._words import counted, rounded
from nasbench.errors import NasbenchError
from nasbench.search.catalog import parameters_of
from nasbench.search.guard import Watch
from nasbench.search.isolation import Isolated, Isolation
from nasbench.search.journal import RunJournal
from nasbench.search.loop import Evaluation, Loop
from nasbench.search.oracle import ListedOracle, Oracle
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import Strategy
from nasbench.search.telling import document_of, frame_of
from nasbench.search.trace import Trace
from nasbench.search.trainer_oracle import TrainerOracle
from nasbench.search.unchanged import unchanged
from nasbench.stats import non_dominated

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "search"]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Run(Result):
    """A finished search.

    Attributes:
        spec: what it was.
        evaluations: in the order of telling.
        ended: why it ended, in a phrase.
        thinking_seconds: wall time in the strategy's ask and tell.
        oracle: that answered.

    Example:
        >>> import nasbench as nb
        >>> run = nb.search("random_search", "nb201-fashion16", budget_evaluations=3)
        >>> shown = [one.outcome.values["valid_accuracy"] for one in run.evaluations]
        >>> run.values["valid_accuracy"] == max(shown), run.ended
        (True, 'evaluations')
    """

    spec: RunSpec
    evaluations: list[Evaluation]
    ended: str
    thinking_seconds: float
    oracle: Oracle

    def __repr__(self) -> str:
        done = counted(len(self.evaluations), "evaluation")
        found = self._incumbent()
        if found is None:
            return f"<Run {self.spec.strategy}, seed {self.spec.seed}: nothing found in {done}>"
        values = ", ".join(f"{name} {rounded(value, 6)}" for name, value in found[1].items())
        return f"<Run {self.spec.strategy}, seed {self.spec.seed}: {found[0]}, {values} in {done}>"

    @property
    def best(self) -> int:
        """The architecture that was the best in the end.

        Raises:
            NasbenchError: where every training diverged, or every architecture broke a limit.
        """
        return self._found()[0]

    @property
    def values(self) -> dict[str, float]:
        """What the best showed, by the goal's metrics."""
        return self._found()[1]

    @property
    def parameters(self) -> dict[str, Any]:
        """The strategy's own, by name: those that were given, the others as they are by default."""
        return parameters_of(self.spec.strategy, self.spec.parameters)

    def describe(self) -> dict[str, Any]:
        """What it was and what it found, by name; plain JSON values."""
        return document_of(self)

    def frame(self) -> pd.DataFrame:
        """A row an evaluation; see `nasbench.search.telling.frame_of`."""
        return frame_of(self)

    def _found(self) -> tuple[int, dict[str, float]]:
        found = self._incumbent()
        if found is None:
            raise NasbenchError(
                "nothing was found: every training diverged or every architecture broke a limit"
            )
        return found

    def _incumbent(self) -> tuple[int, dict[str, float]] | None:
        """The last incumbent, and what it showed; None where there is none."""
        incumbents = self.trace().incumbents()
        if not len(incumbents) or incumbents[-1] < 0:
            return None
        values = self.evaluations[int((incumbents == incumbents[-1]).argmax())].outcome.values
        shown = {name: float(values[name]) for name in self.spec.goal.metrics}
        return int(incumbents[-1]), shown

    def front(self) -> list[Evaluation]:
        """Of what was trained farthest what none dominates in the goal's objectives.

        Of equals it has the first; a training that diverged or breaks a limit is never on it.
        """
        goal = self.spec.goal
        rewards = np.asarray([goal.rewards(e.outcome) for e in self.evaluations])
        epochs = np.asarray([e.query.epochs for e in self.evaluations])
        counts = rewards[:, 0] > -math.inf
        rewards[epochs < epochs[counts].max(initial=0)] = -math.inf
        return [self.evaluations[place] for place in non_dominated(rewards)]

    def trace(self) -> Trace:
        """The run in arrays."""
        done = self.evaluations
        goal = self.spec.goal
        return Trace(
            seed=self.spec.seed,
            architectures=self.oracle.space.check([e.query.architecture for e in done]),
            epochs=np.asarray([e.query.epochs for e in done], dtype=np.int64),
            rewards=np.asarray([goal.reward(e.outcome) for e in done], dtype=np.float64),
            finished=np.asarray([e.finished for e in done], dtype=np.float64),
            repeats=np.asarray([e.repeat for e in done], dtype=bool),
            trained=np.asarray([e.trained for e in done], dtype=np.int64),
            free=self.spec.repeats == "free",
            thinking_seconds=round(self.thinking_seconds, 6),
        )


def search(
    spec: RunSpec,
    oracle: Oracle,
    *,
    journal: Path | None = None,
    strategy: Strategy | None = None,
    progress: Callable[[Evaluation], None] | None = None,
    isolate: Isolation | bool = False,
) -> Run:
    """Run a search to the end of its budget.

    An evaluation counts when it ends within the budget; the strategy does not see one that would
    end later.

    Args:
        spec: what to run.
        oracle: answers the queries.
        journal: a file that keeps every evaluation, shown or still running. Where it holds a
            part of this very run already, or all of one that differs in nothing but a smaller
            budget, that part is not trained again but replayed through the strategy, which must
            ask for the same: one that plans by its budget does not with a larger one.
        strategy: runs this one instead of the registered one, without a start.
        progress: called after each evaluation.
        isolate: run the strategy in a process of its own, see `nasbench guide isolation`; the
            results are the same.

    Raises:
        NasbenchError: also, before anything is asked, for limits that nothing of an oracle
            which knows all its answers can keep.

    Example:
        >>> from nasbench.search import Budget, Goal, RunSpec, TableOracle
        >>> from nasbench.table import load
        >>> oracle = TableOracle(load("nb201-fashion16"))
        >>> goal = Goal("valid_accuracy", Budget(evaluations=3), oracle.fidelities)
        >>> len(search(RunSpec("random_search", goal, seed=0), oracle).evaluations)
        3
    """
    if isinstance(oracle, ListedOracle):
        oracle.check(spec.goal)
    if strategy and (spec.start or spec.prior or spec.begin_in or isolate):
        raise NasbenchError(
            "starts, priors, smaller spaces and processes of their own are for registered "
            "strategies: leave strategy out"
        )
    trains = isinstance(oracle, TrainerOracle)
    limits = Isolation() if isolate is True else isolate
    with (
        Isolated(spec, oracle, limits)
        if limits
        else unchanged(spec.strategy, oracle.space) as isolated,
        Watch(spec.strategy) as watch,  # within: what ends after it is interrupted no more
    ):
        if isolated:
            strategy = isolated
        if strategy is None:
            watch.since = time.perf_counter()
            strategy = spec.begin(oracle)
            watch.since = math.inf
            if watch.flagged:
                watch.settle()
        kept = RunJournal(journal, spec.describe(oracle), sync=trains) if journal else None
        try:
            loop = Loop(spec, oracle, strategy, watch, kept, progress)
            ended = loop.run()
            if isolated:
                isolated.end()
            if kept:
                kept.finish()
        finally:
            if kept:
                kept.close()
    if kept:
        kept.note({"ended_by": ended, "thinking_seconds": round(loop.thinking_seconds, 6)})
    return Run(spec, loop.evaluations, ended, loop.thinking_seconds, oracle)
