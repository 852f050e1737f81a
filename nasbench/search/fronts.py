"""Which fronts the runs of a comparison found, and how much of the table's own that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.search.curves import Curves
from nasbench.search.strategy import Query
from nasbench.search.trace import Trace
from nasbench.stats import hypervolume, non_dominated

if TYPE_CHECKING:
    from nasbench.search.compared_runs import ComparedRuns

__all__ = ["Fronts"]


class Fronts:
    """The Pareto fronts that runs found, against the one of the table.

    A run's front is what it would hand over: of what it trained farthest, the architectures
    that none dominates by what the run was shown. What they are worth is then looked up at the
    end of the report recipe, as it is for incumbents; so that a hypervolume can fall, where the
    search recipe misleads.

    A hypervolume is a share of that of the table's front: 1 is all of it. The reference point has
    the worst value of the table in each objective; rows that break a limit, or lack an
    objective, are out of everything.

    Attributes:
        objectives: the goal's own metric first.
        signs: 1 where more of an objective is better, else -1; `[objectives]`.
        values: of every row, signed so that more is better, `[rows, objectives]`; NaN where
            a row is out.
        true_front: rows of the table that none dominates.
        reference: `[objectives]`, signed as `values`.
    """

    def __init__(self, comparison: ComparedRuns) -> None:
        self._comparison = comparison
        self.objectives = comparison.goal.every_objective
        table = comparison.table
        columns = [comparison.lookup.column(objective.metric) for objective in self.objectives]
        self.signs = np.asarray([1.0 if of.maximize else -1.0 for of in self.objectives])
        self.values = np.stack(columns, axis=1) * self.signs
        self.values[~(np.isfinite(self.values).all(1) & comparison.lookup.allowed)] = np.nan
        self.true_front = non_dominated(self.values)
        some = len(self.true_front) > 0
        self.reference = np.nanmin(self.values, 0) if some else np.full(len(columns), np.nan)
        self._whole = self._volume(self.true_front) if some else 0.0
        self._oracle = comparison.oracle
        self._row_of = table.row_finder()
        self._known: dict[tuple[int, int], tuple[float, ...]] = {}
        self._shares: dict[tuple[int, ...], float] = {}

    def found(self, strategy: str) -> list[NDArray[np.int64]]:
        """The rows on the last front of each run."""
        return [np.asarray(fronts[-1], dtype=np.int64) for fronts in self._fronts[strategy]]

    @property
    def has_volume(self) -> bool:
        """Whether there is a hypervolume to share: not where an objective is one value alone."""
        return self._whole > 0

    def shares(self, strategy: str) -> NDArray[np.float64]:
        """The hypervolume of the last front of each run, `[runs]`; NaN of runs without one."""
        return np.asarray([self._share(fronts[-1]) for fronts in self._fronts[strategy]])

    def typical(self, strategy: str) -> NDArray[np.int64]:
        """The rows on the front of the run whose hypervolume is the (lower) median."""
        shares = self.shares(strategy)
        known = int(np.isfinite(shares).sum())
        # In ascending order NaN is last.
        return self.found(strategy)[int(np.argsort(shares, kind="stable")[max(known - 1, 0) // 2])]

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """What is missing to the hypervolume of the table's front, as curves of regret are."""
        return {
            axis: Curves(
                axis,
                of.grid,
                {name: 1 - self._over(name, of.grid, axis) for name in self._fronts},
            )
            for axis, of in self._comparison.curves.items()
        }

    def describe(self) -> dict[str, Any]:
        """The reference point, None where the table has no front, and the table's front."""
        worst = (self.reference * self.signs).tolist()
        named = {of.metric: at for of, at in zip(self.objectives, worst, strict=True)}
        return {
            "reference": named if len(self.true_front) else None,
            "table_front": self._comparison.table.rows[self.true_front].tolist(),
        }

    @cached_property
    def _fronts(self) -> dict[str, list[list[tuple[int, ...]]]]:
        """For each run of each strategy the rows on its front after each evaluation."""
        return {
            name: [self._of_run(trace) for trace in traces]
            for name, traces in self._comparison.traces.items()
        }

    def _of_run(self, trace: Trace) -> list[tuple[int, ...]]:
        columns = (trace.architectures.tolist(), trace.epochs.tolist(), trace.rewards.tolist())
        front: dict[int, tuple[float, ...]] = {}  # what was shown of each architecture on it
        rows: tuple[int, ...] = ()
        farthest = 0
        found = []
        for architecture, epochs, reward in zip(*columns, strict=True):
            # A dying worker leaves no reward, whatever the oracle says.
            if reward > -math.inf and epochs >= farthest:
                shown = self._shown(architecture, epochs)
                if shown[0] > -math.inf:
                    if epochs > farthest:
                        front, farthest = {}, epochs
                    if not any(_no_worse(other, shown) for other in front.values()):
                        front = {a: s for a, s in front.items() if not _no_worse(shown, s)}
                        front[architecture] = shown
                        rows = tuple(row for a in front if (row := self._row_of(a)) >= 0)
            found.append(rows)
        return found

    def _shown(self, architecture: int, epochs: int) -> tuple[float, ...]:
        """What a run that trained it so far was shown, to keep high."""
        place = (architecture, epochs)
        if place not in self._known:
            recipe = self._oracle.fidelities[0].recipe
            outcome = self._oracle.evaluate(Query(architecture, recipe, epochs))
            self._known[place] = self._comparison.goal.rewards(outcome)
        return self._known[place]

    def _over(self, strategy: str, grid: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
        """The hypervolume at each point of a grid, `[runs, points]`; NaN before there is any."""
        curves = []
        for trace, fronts in zip(
            self._comparison.traces[strategy], self._fronts[strategy], strict=True
        ):
            at = trace.at(grid, axis)
            shares = np.asarray([self._share(rows) for rows in fronts])
            curves.append(np.where(at >= 0, shares[at], np.nan))
        return np.asarray(curves)

    def _share(self, rows: tuple[int, ...]) -> float:
        """The hypervolume of rows as a share of the table's front's; NaN where either is none.

        Nor is there one of rows of which no objective is known.
        """
        known = np.isfinite(self.values[list(rows)]).all(1)
        if not known.any() or not self._whole > 0:
            return math.nan
        if rows not in self._shares:
            self._shares[rows] = self._volume(rows) / self._whole
        return self._shares[rows]

    def _volume(self, rows: Sequence[int] | NDArray[np.int64]) -> float:
        return hypervolume(-self.values[np.asarray(rows)], -self.reference)


def _no_worse(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """In no objective."""
    return all(a >= b for a, b in zip(one, other, strict=True))
