"""The oracle that predicts: of a small space everything at once, of any other what is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.errors import NasbenchError, unknown
from nasbench.search.goal import Fidelity, Goal, Outcome, Query
from nasbench.search.oracle import COSTS_ALONE, ListedOracle, column_of, known_column
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.surrogate import Surrogate

__all__ = ["SurrogateOracle"]


class SurrogateOracle(ListedOracle):
    """Answers from a surrogate: predicted values at the predicted price of one training.

    Of a space that is too large to be predicted as a whole, each architecture is predicted when
    it is first asked for, and a goal is not checked against what limits leave.

    Args:
        surrogate: fitted on a table.
        training_seed: None shows the predicted mean; a number adds the noise that a training
            with that seed would have, drawn from the surrogate's noise model.
        table: to look up what is not predicted, since no training tells it: costs of devices
            and of the network. Architectures without a row have NaN.
        costs: such costs, as `TableOracle` takes them; what trainings tell is left out.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.search import Query
        >>> oracle = SurrogateOracle(nb.fit("nb201-fashion16", train=20, metric="parameters"))
        >>> oracle.fidelities[0].recipe
        '10ep'
    """

    def __init__(
        self,
        surrogate: Surrogate,
        *,
        training_seed: int | None = None,
        table: Table | None = None,
        costs: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.name = f"the predictor of {surrogate.name}"
        self.table = table
        self.space = surrogate.space
        self.fidelities: tuple[Fidelity, ...] = (
            Fidelity(surrogate.recipe, surrogate.epochs, (surrogate.epochs,)),
        )
        self._seed = training_seed
        self._costs: dict[str, list[float]] = {}
        if table is not None:
            trained = {metric for metrics in table.metrics.values() for metric in metrics}
            recipe = next(iter(table.recipes), COSTS_ALONE)
            for cost in [cost for cost in costs if cost not in trained.union(surrogate.metrics)]:
                self._costs[cost] = column_of(table, cost, recipe).tolist()
        self._row = table.row_finder() if self._costs and table is not None else None
        self._answers: dict[int, Outcome] = {}
        self._whole = self._predicted_whole() if surrogate.listable else {}

    def _predicted_whole(self) -> dict[str, list[float]]:
        """Every metric of every architecture."""
        predicted = self.surrogate.predict_all(self._seed)
        found = {metric: column.tolist() for metric, column in predicted.items()}
        rows = [self._row(a) for a in range(self.space.size)] if self._row else []
        for cost, column in self._costs.items():
            found[cost] = [column[row] if row >= 0 else math.nan for row in rows]
        # A table without training times gives a surrogate without: budgets in evaluations.
        found.setdefault("train_seconds", [math.nan] * self.space.size)
        return found

    @property
    def _shown(self) -> list[str]:
        """The metrics of an outcome."""
        return [m for m in (*self.surrogate.metrics, *self._costs) if m != "train_seconds"]

    @property
    def timed(self) -> bool:
        return "train_seconds" in self.surrogate.metrics

    def check(self, goal: Goal) -> None:
        if self._whole:
            super().check(goal)
            return
        for metric in goal.metrics:
            if metric not in self._shown:
                raise unknown("metric", metric, self._shown)
        if goal.budget.seconds is not None and not self.timed:
            raise self._untimed()

    def key(self, architecture: int) -> int:
        return int(self.space.canonical(architecture))

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "surrogate",
            "name": self.surrogate.name,
            "sha256": self.surrogate.sha256,
            "recipe": self.surrogate.recipe,
            "training_seed": self._seed,
        }

    def evaluate(self, query: Query) -> Outcome:
        """Raises NasbenchError for anything but the end of the recipe it was fitted on."""
        if (query.recipe, query.epochs) != (self.surrogate.recipe, self.surrogate.epochs):
            raise NasbenchError(
                f"this surrogate predicts recipe {self.surrogate.recipe} after "
                f"{counted(self.surrogate.epochs, 'epoch')}, not {query.recipe} after "
                f"{query.epochs}"
            )
        architecture = query.architecture
        if self._whole:
            shown = {metric: self._whole[metric][architecture] for metric in self._shown}
            return Outcome(shown, self._whole["train_seconds"][architecture])
        if architecture not in self._answers:
            self._answers[architecture] = self._predicted(architecture)
        return self._answers[architecture]

    def _predicted(self, architecture: int) -> Outcome:
        """The answer for one architecture."""
        shown = self.surrogate.predict_one(architecture, self._seed)
        seconds = shown.pop("train_seconds", math.nan)
        row = self._row(architecture) if self._row else -1
        for cost, column in self._costs.items():
            shown[cost] = column[row] if row >= 0 else math.nan
        return Outcome(shown, seconds)

    def column(self, metric: str) -> NDArray[np.float64]:
        """What is predicted of each architecture, float64 `[space.size]`.

        Raises:
            Unsupported: where the space is too large for that.
        """
        if not self._whole:
            self.surrogate.predict_all()  # which says why not
        return known_column(metric, {name: self._whole[name] for name in self._shown})
