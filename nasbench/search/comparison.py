"""What searches that were run side by side found, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_json
from nasbench._journal import integer
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.search.curves import Curves, common_grid
from nasbench.search.fronts import Fronts
from nasbench.search.oracle import Oracle, column_of
from nasbench.search.protocol import SearchProtocol
from nasbench.search.setting import Setting, header_of
from nasbench.search.strategy import Goal, Outcome
from nasbench.search.trace import Trace, read_traces
from nasbench.stats import (
    Estimate,
    Friedman,
    SeedNoise,
    expected_incumbent,
    friedman,
    reached,
    seed_noise,
    summarize,
)
from nasbench.table import Table, trained_seeds

__all__ = ["WITHIN", "Comparison"]

WITHIN = (0.5, 0.2, 0.1)
"""Points of validation accuracy within which a search is said to have reached the optimum."""


class Comparison:
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
    """

    def __init__(
        self,
        table: Table,
        setting: Setting,
        traces: Mapping[str, Sequence[Trace]],
        broken: Mapping[str, str] | None = None,
        oracle: Oracle | None = None,
    ) -> None:
        self.broken = broken or {}
        self._opened = oracle
        self.table = table
        self.setting = setting
        self.traces = traces

    @classmethod
    def load(cls, folder: Path) -> Comparison:
        """The comparison that `compare` kept in a folder."""
        path = folder / "comparison.json"
        several = [] if path.exists() else sorted(folder.glob("tables/*/comparison.json"))
        if several:
            raise NasbenchError(
                f"{folder} compares on several tables: name one of them, such as "
                f"{several[0].parent}"
            )
        if not path.exists():
            raise NasbenchError(f"{folder} holds no comparison")
        kept = read_json(path, "comparison")
        try:
            names, seeds, broken = _kept_runs(kept)
            setting = Setting.from_json(kept["setting"])
            table = Table(setting.table)
            oracle = setting.oracle(table)
            traces = {}
            for name in names:
                runs = folder / "runs" / f"{name}.jsonl"
                found = read_traces(runs, header_of(setting, name, oracle), oracle)
                traces[name] = [found[seed] for seed in seeds]
        except NasbenchError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DamagedFile(f"the comparison in {folder} is not finished or damaged") from error
        return cls(table, setting, traces, broken, oracle)

    @property
    def protocol(self) -> SearchProtocol:
        """How was searched."""
        return self.setting.protocol

    @cached_property
    def oracle(self) -> Oracle:
        """What was searched."""
        return self._opened or self.setting.oracle(self.table)

    @cached_property
    def report_recipe(self) -> str:
        """What incumbents are looked up by."""
        return self.table.recipe(self.protocol.report_recipe)

    @cached_property
    def goal(self) -> Goal:
        """What was searched for."""
        return self.protocol.goal()

    @cached_property
    def optimum(self) -> float:
        """The goal's metric at its best among rows within the limits; softened by its targets."""
        return self._best if self.goal.maximize else -self._best

    @cached_property
    def _best(self) -> float:
        """The highest reward among rows within the limits; NaN without any."""
        allowed = np.isfinite(self._reward) & self.allowed
        return float(self._reward[allowed].max()) if allowed.any() else float("nan")

    @cached_property
    def _reward(self) -> NDArray[np.float64]:
        """What the goal rewards each row with at the end of the report recipe; limits apart."""
        goal = replace(self.goal, limits=(), objectives=())
        recipe = self.report_recipe
        columns = [column_of(self.table, metric, recipe).tolist() for metric in goal.metrics]
        rewards = [
            goal.reward(Outcome(dict(zip(goal.metrics, values, strict=True)), 0.0))
            for values in zip(*columns, strict=True)
        ]
        return np.asarray(rewards, dtype=np.float64)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """The rows within the limits, by the search recipe: a search sees no other."""
        recipe = self.protocol.search_recipe or self.report_recipe
        allowed = np.ones(len(self.table.rows), dtype=bool)
        for limit in self.protocol.limits:
            allowed &= limit.kept(column_of(self.table, limit.metric, recipe))
        return allowed

    @cached_property
    def one_draw(self) -> dict[str, tuple[float, float]]:
        """What one architecture drawn at random is worth: by metric, exact mean and deviation.

        All architectures are equally likely; those that break a limit are drawn again.
        """
        rows = self.table.row_of[self.table.row_of >= 0]
        regret = self._best - self._reward
        reward = np.where(self.allowed & np.isfinite(regret), 0.0, -np.inf)[rows]
        recipe = self.report_recipe
        worth = {m: column_of(self.table, m, recipe) for m in self.judged}
        worth["regret"] = np.where(np.isfinite(regret), regret, np.nan)
        found = {}
        for metric, column in worth.items():
            mean, std = expected_incumbent(reward, column[rows], 1)
            found[metric] = float(mean), float(std)
        return found

    @cached_property
    def noise(self) -> SeedNoise | None:
        """What seeds leave uncertain of the report recipe; None where the table has one seed.

        It is that of validation accuracy: None, too, where regret is of anything else.
        """
        recipe = self.report_recipe
        if not self.of_accuracy or not self.table.has_seeds("valid_accuracy", recipe=recipe):
            return None
        found = seed_noise(trained_seeds(self.table, "valid_accuracy", recipe=recipe))
        return found if np.isfinite(found.floor) else None

    @cached_property
    def also(self) -> dict[str, Table]:
        """The other tables to look incumbents up in, by name, by path where names are equal."""
        tables = [Table(path) for path in self.protocol.also]
        named = {table.name: table for table in tables}
        return named if len(named) == len(tables) else {str(t.path): t for t in tables}

    def worth(self, metric: str, architectures: NDArray[np.int64]) -> NDArray[np.float64]:
        """A metric at the end of the report recipe, mean over the seeds that exist; NaN for -1."""
        column = column_of(self.table, metric, self.report_recipe)
        return self._gather(column, architectures)

    def _regret_of(self, architectures: NDArray[np.int64]) -> NDArray[np.float64]:
        regret = self._best - self._gather(self._reward, architectures)
        return np.where(np.isfinite(regret), regret, np.nan)

    def _gather(
        self, column: NDArray[np.float64], architectures: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """A column at the rows of architectures; NaN for -1 and those without a row."""
        rows = np.where(architectures >= 0, self.table.row_of[architectures], -1)
        return np.where(rows >= 0, column[rows], np.nan)

    @property
    def of_accuracy(self) -> bool:
        """Whether regret is of validation accuracy, in points."""
        goal = self.goal
        return (goal.metric, goal.targets, goal.maximize) == ("valid_accuracy", (), True)

    @property
    def rewarded(self) -> str:
        """What regret is of, in words, and which of it is better where that may be asked."""
        if self.of_accuracy:
            return "validation accuracy"
        rewarded = " × ".join([self.goal.metric, *map(str, self.goal.targets)])
        return f"{rewarded} ({'more' if self.goal.maximize else 'less'} is better)"

    @property
    def judged(self) -> tuple[str, ...]:
        """What incumbents are looked up in: both accuracies, and what the goal speaks of."""
        known = self.table.metrics[self.report_recipe]
        accuracies = [m for m in ("valid_accuracy", "test_accuracy") if m in known]
        return tuple(dict.fromkeys([*accuracies, *self.goal.judged]))

    @cached_property
    def fronts(self) -> Fronts | None:
        """The Pareto fronts that were found; None where the goal has one objective."""
        return Fronts(self) if self.goal.objectives else None

    @cached_property
    def last(self) -> dict[str, NDArray[np.int64]]:
        """The last incumbent of each run, `[seeds]` for each strategy; -1 where there is none."""
        return {
            name: np.asarray([trace.incumbents()[-1] for trace in traces], dtype=np.int64)
            for name, traces in self.traces.items()
        }

    def elsewhere(self, name: str, strategy: str) -> dict[str, NDArray[np.float64]]:
        """What the last incumbent of each run is worth on another table, `[seeds]` by metric.

        It is looked up by the report recipe where that table has it, else by its only one.
        """
        table, recipe = self.also[name], self.report_recipe
        recipe = recipe if recipe in table.recipes else table.recipe(None)
        last = self.last[strategy]
        metrics = ("valid_accuracy", "test_accuracy")
        known = [metric for metric in metrics if metric in table.metrics[recipe]]
        return {metric: _worth(table, recipe, metric, last) for metric in known}

    def finals(self, strategy: str) -> dict[str, NDArray[np.float64]]:
        """For each run `[seeds]`: what was paid for, and what the last incumbent is worth.

        `evaluations` counts every training and every continuation of one, `distinct` the
        architectures of which any was asked for.
        """
        traces = self.traces[strategy]
        last = self.last[strategy]
        return {
            "evaluations": np.asarray([trace.evaluations for trace in traces], dtype=float),
            "distinct": np.asarray([self._distinct(trace) for trace in traces], dtype=float),
            **{metric: self.worth(metric, last) for metric in self.judged},
            "regret": self._regret_of(last),
            **({"hypervolume": self.fronts.shares(strategy)} if self.fronts else {}),
        }

    def _distinct(self, trace: Trace) -> int:
        return len(np.unique(self.table.row_of[trace.architectures]))

    def regret(self, strategy: str, grid: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
        """Regret of the incumbent at each point of a grid, `[seeds, points]`; NaN before any.

        Args:
            strategy: one of `traces`.
            grid: ascending simulated seconds, or numbers of evaluations.
            axis: `seconds` or `evaluations`.
        """
        curves = []
        for trace in self.traces[strategy]:
            regret = self._regret_of(trace.incumbents())
            at = trace.at(grid, axis)
            curves.append(np.where(at >= 0, regret[at], np.nan))
        return np.asarray(curves)

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """Regret of every run on common grids, by axis; of seconds only where training takes any.

        See `common_grid` for where they end.
        """
        traces = [trace for runs in self.traces.values() for trace in runs]
        ends = {
            "seconds": np.asarray([trace.finished[-1] for trace in traces]),
            "evaluations": np.asarray([trace.evaluations for trace in traces], dtype=float),
        }
        found = {}
        for axis in ends if (ends["seconds"] > 0).all() else ["evaluations"]:
            grid = common_grid(axis, getattr(self.protocol.budget, axis), ends[axis])
            regret = {name: self.regret(name, grid, axis) for name in self.traces}
            found[axis] = Curves(axis, grid, regret)
        return found

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Regret that is worth reaching, in points of validation accuracy, by name."""
        if not self.of_accuracy:
            return {}
        known = {f"{within:g}": within for within in WITHIN}
        return {**known, "noise_floor": self.noise.floor} if self.noise else known

    def reached(self, strategy: str) -> dict[str, Estimate]:
        """The probability that a run ends within each of `thresholds`, Wilson's interval (95 %)."""
        final = self.finals(strategy)["regret"][:, None]
        found = {}
        for name, within in self.thresholds.items():
            share, low, high = (float(of[0]) for of in reached(final, within))
            found[name] = Estimate(share, low, high, len(final))
        return found

    @property
    def scored(self) -> str:
        """What strategies are told apart by."""
        return "missing hypervolume" if self.fronts else "final regret"

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """What is `scored`, `[runs]`, the less the better; NaN of runs that found nothing."""
        if self.fronts:
            return {name: 1 - self.fronts.shares(name) for name in self.traces}
        return {name: self.finals(name)["regret"] for name in self.traces}

    @cached_property
    def ranks(self) -> Friedman | None:
        """Friedman's test with the runs of each seed as a block; None of one strategy or seed.

        It speaks of this table only: `Comparisons.ranks` has tables as blocks.
        """
        if len(self.traces) < 2 or len(next(iter(self.traces.values()))) < 2:
            return None
        return friedman(self.scores)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds: five numbers over the seeds for each strategy and measure.

        Runs that found nothing (every training diverged or broke a limit) are counted as
        `failed`; accuracies and regret are of the others, as are `quartiles` (lower and upper)
        and `areas` (mean regret over each axis). In what is `reached` they count: as runs that
        did not. `ranks` has the seeds as blocks. What is `broken` has no runs here.
        """
        return deepcopy(self._summary)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        """The summary, with its bootstraps: pages and tables ask for it several times."""
        strategies, found_nothing, quartiles, areas = {}, {}, {}, {}
        for strategy, traces in self.traces.items():
            finals = self.finals(strategy)
            failed = int(np.isnan(finals["regret"]).sum())
            strategies[strategy] = {"n": len(traces), **_stats(finals)}
            found_nothing[strategy] = failed
            under = {axis: of.areas(strategy) for axis, of in self.curves.items()}
            areas[strategy] = _stats(under)
            spread = {**finals, **{f"area_{axis}": of for axis, of in under.items()}}
            quartiles[strategy] = {name: _quartiles(values) for name, values in spread.items()}
        return {
            "table": self.table.name,
            "budget_seconds": self.protocol.budget.seconds,
            "budget_evaluations": self.protocol.budget.evaluations,
            "strategies": strategies,
            "failed": found_nothing,
            "also": {
                name: {strategy: _stats(self.elsewhere(name, strategy)) for strategy in self.traces}
                for name in self.also
            },
            "quartiles": quartiles,
            "areas": areas,
            "thresholds": self.thresholds,
            "reached": {
                strategy: {name: e.describe() for name, e in self.reached(strategy).items()}
                for strategy in self.traces
            },
            "ranks": self.ranks.describe() if self.ranks else None,
            "goal": self.protocol.describe_goal(),
            "fronts": self.fronts.describe() if self.fronts else None,
            "broken": dict(self.broken),
        }


def _kept_runs(kept: Any) -> tuple[list[str], list[int], dict[str, str]]:
    """The strategies that ran, their seeds, and what is broken; ValueError for anything else."""
    names, seeds, broken = kept["strategies"], kept["seeds"], kept.get("broken", {})
    if not (type(names) is type(seeds) is list and type(broken) is dict and names and seeds):
        raise ValueError
    if set(map(type, [*names, *broken, *broken.values()])) != {str}:
        raise ValueError
    return names, [integer(seed) for seed in seeds], broken


def _worth(
    table: Table, recipe: str, metric: str, architectures: NDArray[np.int64]
) -> NDArray[np.float64]:
    found = np.full(architectures.shape, np.nan)
    some = architectures >= 0
    found[some] = table.values(metric, architectures[some], recipe=recipe)
    return found


def _stats(found: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, float] | None]:
    """Five numbers over the runs that found something; None where none did."""
    return {
        name: summarize(known).describe() if len(known := values[np.isfinite(values)]) else None
        for name, values in found.items()
    }


def _quartiles(values: NDArray[np.float64]) -> list[float] | None:
    """The lower and the upper quartile of the runs that found something."""
    known = values[np.isfinite(values)]
    return np.quantile(known, (0.25, 0.75)).tolist() if len(known) else None
