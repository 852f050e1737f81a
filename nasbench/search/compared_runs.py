"""Runs of several strategies side by side, and what their incumbents are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.search.catalog import cautions, parameters_of
from nasbench.search.curves import Curves, common_grid
from nasbench.search.fronts import Fronts
from nasbench.search.goal import Goal
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import Oracle
from nasbench.search.protocol import SearchProtocol
from nasbench.search.setting import Setting
from nasbench.search.shares import Shares
from nasbench.search.strategy import is_known
from nasbench.search.trace import Trace
from nasbench.space import Architectures
from nasbench.stats import SeedNoise
from nasbench.table import Table

__all__ = ["ComparedRuns"]

HERE = (
    "{} ran in the calling process, since no other can import what a notebook, a script or "
    "standard input defines: that its seed alone decides what it asks was tried there only"
)


class ComparedRuns:
    """Runs of several strategies, and what their incumbents are worth.

    Incumbents are the best seen on the search recipe; what they are worth is the mean over
    seeds at the end of the report recipe, looked up in the table after the runs. Regret is of
    the goal's own reward: of its metric, weighed by its soft targets where it has some.

    Attributes:
        table: where incumbents are looked up.
        setting: what the runs share.
        traces: for each strategy its runs, in the order of the seeds.
        broken: strategies that do not keep their contract, which have no runs here, and what
            each did, in a sentence.
        given: strategies that were given as classes or functions, and whether other processes
            can import each.
        shared: runs that share weights, priced by the table, which stand beside.
    """

    def __init__(
        self,
        table: Table,
        setting: Setting,
        traces: Mapping[str, Sequence[Trace]],
        broken: Mapping[str, str] | None = None,
        oracle: Oracle | None = None,
        given: Mapping[str, bool] | None = None,
        shared: Sequence[Shares] = (),
    ) -> None:
        self.shared = shared
        self.given = given or {}
        self.broken = broken or {}
        self._opened = oracle
        self.table = table
        self.setting = setting
        self.traces = traces

    @property
    def here(self) -> tuple[str, ...]:
        """Strategies that no other process can import: one process ran them all.

        Whether they ask the same for the same seed was tried in that one alone.
        """
        return tuple(name for name, anywhere in self.given.items() if not anywhere)

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Of each strategy its own parameters, by name, as it ran with them."""
        given = self.protocol.parameters
        return {name: parameters_of(name, given.get(name, {})) for name in self.traces}

    @property
    def protocol(self) -> SearchProtocol:
        """How the searches were run."""
        return self.setting.protocol

    @cached_property
    def oracle(self) -> Oracle:
        """What was searched."""
        return self._opened or self.setting.oracle(self.table)

    @cached_property
    def lookup(self) -> LookUp:
        """What incumbents are looked up in."""
        return LookUp.of(self.table, self.protocol)

    @property
    def report_recipe(self) -> str:
        """The recipe by which incumbents are looked up."""
        return self.lookup.report_recipe

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that were known before the first run and help to read the numbers."""
        names = [name for name in self.traces if is_known(name)]
        here = (HERE.format(", ".join(self.here)),) if self.here else ()
        return (
            *here,
            *cautions(names, self.goal),
            *self.lookup.check(self.oracle, self.also.values()),
        )

    @cached_property
    def goal(self) -> Goal:
        """What was searched for."""
        return self.protocol.goal()

    @property
    def optimum(self) -> float:
        """The goal's metric at its best among rows within the limits; softened by its targets."""
        return self.lookup.best if self.goal.maximize else -self.lookup.best

    @property
    def has_regret(self) -> bool:
        """Whether the report recipe knows what the goal rewards."""
        return self.lookup.has_regret

    @property
    def one_draw(self) -> dict[str, tuple[float, float]]:
        """What one architecture drawn at random is worth: by metric, exact mean and deviation."""
        return self.lookup.one_draw

    @property
    def noise(self) -> SeedNoise | None:
        """What seeds leave uncertain of validation accuracy; None where it is not known."""
        return self.lookup.noise

    @cached_property
    def also(self) -> dict[str, Table]:
        """The other tables to look incumbents up in, by name, by path where names are equal."""
        tables = [Table(path) for path in self.protocol.also]
        named = {table.name: table for table in tables}
        return named if len(named) == len(tables) else {str(t.path): t for t in tables}

    @property
    def of_accuracy(self) -> bool:
        """Whether regret is of validation accuracy, in points."""
        return self.lookup.of_accuracy

    @property
    def rewarded(self) -> str:
        """What regret is measured in, in words, and whether more or less of it is better."""
        if self.of_accuracy:
            return "validation accuracy"
        rewarded = " × ".join([self.goal.metric, *map(str, self.goal.targets)])
        return f"{rewarded} ({'more' if self.goal.maximize else 'less'} is better)"

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that are looked up of incumbents."""
        return self.lookup.metrics

    @cached_property
    def fronts(self) -> Fronts | None:
        """The Pareto fronts that were found; None where the goal has one objective."""
        return Fronts(self) if self.goal.objectives else None

    @cached_property
    def last(self) -> dict[str, Architectures]:
        """The last incumbent of each run, `[seeds]` for each strategy; -1 where there is none."""
        kind = self.table.space.check([]).dtype
        return {
            name: np.asarray([trace.incumbents()[-1] for trace in traces], dtype=kind)
            for name, traces in self.traces.items()
        }

    @cached_property
    def failed(self) -> dict[str, NDArray[np.bool_]]:
        """The runs that found nothing, `[seeds]`: every training diverged or broke a limit."""
        return {name: last < 0 for name, last in self.last.items()}

    @cached_property
    def unjudged(self) -> dict[str, NDArray[np.bool_]]:
        """The runs whose find the table cannot judge, `[seeds]`: they are not looked up."""
        found = {}
        for name, last in self.last.items():
            if self.fronts and self.fronts.has_volume:
                known = np.isfinite(self.fronts.shares(name))
            elif self.has_regret:
                known = np.isfinite(self.lookup.regret(last))
            else:
                known = np.zeros(len(last), dtype=bool)
                for metric in self.judged:
                    known |= np.isfinite(self.lookup.worth(metric, last))
            found[name] = (last >= 0) & ~known
        return found

    def elsewhere(self, name: str, strategy: str) -> dict[str, NDArray[np.float64]]:
        """What the last incumbent of each run is worth on another table, `[seeds]` by metric."""
        return self.lookup.elsewhere(self.also[name], self.last[strategy])

    def finals(self, strategy: str) -> dict[str, NDArray[np.float64]]:
        """For each run `[seeds]`: what was paid for, and what the last incumbent is worth.

        `evaluations` counts every training and every continuation of one, `epochs` what they
        trained, where that is the budget, `distinct` the architectures of which any was asked
        for.
        """
        traces = self.traces[strategy]
        last = self.last[strategy]
        paid = ("evaluations", "epochs") if self.protocol.budget.epochs else ("evaluations",)
        return {
            **{axis: np.asarray([trace.end(axis) for trace in traces]) for axis in paid},
            "distinct": np.asarray([self._distinct(trace) for trace in traces], dtype=float),
            **{metric: self.lookup.worth(metric, last) for metric in self.judged},
            **({"regret": self.lookup.regret(last)} if self.has_regret else {}),
            **({"hypervolume": self.fronts.shares(strategy)} if self.fronts else {}),
        }

    def _distinct(self, trace: Trace) -> int:
        return len(np.unique(self.table.row(trace.architectures)))

    def regret(self, strategy: str, grid: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
        """Regret of the incumbent at each point of a grid, `[seeds, points]`; NaN before any.

        Args:
            strategy: one of `traces`.
            grid: ascending simulated seconds, or numbers of evaluations or epochs.
            axis: `seconds`, `evaluations` or `epochs`.
        """
        curves = []
        for trace in self.traces[strategy]:
            regret = self.lookup.regret(trace.incumbents())
            at = trace.at(grid, axis)
            curves.append(np.where(at >= 0, regret[at], np.nan))
        return np.asarray(curves)

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """Regret of every run on common grids, by axis.

        Over seconds only where training takes any, over epochs where they are the budget.
        See `common_grid` for where they end. There are none without regret.
        """
        if not self.has_regret:
            return {}
        traces = [trace for runs in self.traces.values() for trace in runs]
        budget = self.protocol.budget
        axes = ["seconds"] if all(trace.end("seconds") > 0 for trace in traces) else []
        axes += ["epochs"] if budget.epochs else []
        # Parts of trainings are what a budget in epochs is for: their number says little there.
        axes += ["evaluations"] if budget.evaluations or not budget.epochs else []
        found = {}
        for axis in axes:
            ends = np.asarray([trace.end(axis) for trace in traces])
            grid = common_grid(axis, getattr(budget, axis), ends)
            regret = {name: self.regret(name, grid, axis) for name in self.traces}
            found[axis] = Curves(axis, grid, regret)
        return found
