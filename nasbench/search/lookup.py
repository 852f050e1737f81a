"""What is looked up after a search: what architectures are worth in the table of a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, NasbenchError
from nasbench.search.goal import Goal, Outcome
from nasbench.search.oracle import (
    ListedOracle,
    Oracle,
    TableOracle,
    column_of,
    recipe_of,
)
from nasbench.search.protocol import SearchProtocol
from nasbench.search.surrogate_oracle import SurrogateOracle
from nasbench.stats import SeedNoise, expected_incumbent, seed_noise
from nasbench.table import Table, trained_seeds
from nasbench.table.metrics import is_test

__all__ = ["LookUp"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LookUp:
    """What architectures are worth, at the end of the recipes that a report names.

    The goal's metrics are those of the report recipe, means over the seeds that exist; test
    metrics are those of the test recipe, which may be another one. Regret is of the goal's own
    reward: of its metric, weighed by its soft targets where it has some.

    Attributes:
        table: to look up in.
        goal: what was searched for.
        search_recipe: what limits are judged by, for a search sees no other values.
        report_recipe: by which the goal's metrics are looked up.
        test_recipe: by which test metrics are looked up.
    """

    table: Table
    goal: Goal
    search_recipe: str
    report_recipe: str
    test_recipe: str

    @classmethod
    def of(cls, table: Table, protocol: SearchProtocol) -> LookUp:
        """What a protocol looks up in a table."""
        report = recipe_of(table, protocol.report_recipe or protocol.search_recipe)
        return cls(
            table,
            protocol.goal(),
            report if protocol.search_recipe is None else table.recipe(protocol.search_recipe),
            report,
            report if protocol.test_recipe is None else table.recipe(protocol.test_recipe),
        )

    def check(self, oracle: Oracle, also: Iterable[Table] = ()) -> tuple[str, ...]:
        """What must be known before the first run, in sentences; most often nothing.

        Args:
            oracle: that is searched.
            also: other tables to look up in.

        Raises:
            BadValue: where nothing that the search can find could be looked up.
        """
        if not self.allowed.any():
            limits = ", ".join(map(str, self.goal.limits))
            raise BadValue(f"no row of {self.table.name}, which judges finds, keeps {limits}")
        if not self.metrics:
            raise BadValue(
                f"recipe {self.report_recipe} of {self.table.name} has neither {self.goal.metric} "
                f"nor a test metric: name another report recipe"
            )
        found = []
        if not self.has_regret:
            missing = ", ".join(m for m in self.goal.judged if not self._knows(m))
            if self.goal.objectives:
                raise BadValue(
                    f"recipe {self.report_recipe} of {self.table.name} has no {missing}: without "
                    f"it there are no fronts to look up"
                )
            found.append(
                f"regret is left out: recipe {self.report_recipe} of table {self.table.name} has "
                f"no {missing}{self._better_recipe()}"
            )
        if isinstance(oracle, SurrogateOracle):
            found.append(self._unlisted())
        if isinstance(oracle, ListedOracle):
            rows = self._findable(oracle)
            # The goal's metrics come first: what they lack is not said again of the tests.
            for metric in sorted(self.metrics, key=lambda m: m not in self.goal.judged):
                found.append(self._gap(metric, rows))
                if metric in self.goal.judged:
                    rows &= np.isfinite(self.column(metric))
            for table in also:
                found += self._gaps_elsewhere(table, self._findable(oracle))
        return tuple(filter(None, found))

    def _better_recipe(self) -> str:
        """The longest recipe that has the goal's metrics, as advice; empty where there is none."""
        recipes = self.table.manifest["recipes"]
        having = [
            name
            for name in recipes
            if name != self.search_recipe and replace(self, report_recipe=name).has_regret
        ]
        if not having:
            return ""
        longest = max(having, key=lambda name: int(recipes[name]["epochs"]))
        return f" (with --report-recipe {longest} and --test-recipe {self.test_recipe} it is known)"

    def _findable(self, oracle: ListedOracle) -> NDArray[np.bool_]:
        """The rows that a search can find, `[rows]`: it sees all the goal's metrics of them."""
        rows = self.allowed.copy()
        if isinstance(oracle, TableOracle):
            for metric in self.goal.judged:
                rows &= np.isfinite(oracle.column(metric))
        return rows

    def _unlisted(self) -> str:
        """How many architectures a predictor can find that have no row; empty of none."""
        absent = self.table.space.size - len(self.table.architectures)
        if not absent:
            return ""
        return (
            f"table {self.table.name} has no row for {absent:,} of the {self.table.space.size:,} "
            f"architectures that the search can find: runs that end there are not looked up, and "
            f"counted apart"
        )

    def _gap(self, metric: str, rows: NDArray[np.bool_]) -> str:
        """How many rows that can be found lack a metric; empty where none does."""
        lacking = int((rows & ~np.isfinite(self.column(metric))).sum())
        if not lacking:
            return ""
        where = f"table {self.table.name} has no {metric} of recipe {self.recipe_of(metric)}"
        goal = metric in self.goal.judged
        if goal and lacking == rows.sum():
            raise BadValue(f"{where} for any row that the search can find: nothing could be judged")
        end = "are not looked up, and counted apart" if goal else "are left out of its means"
        return (
            f"{where} for {lacking:,} of the {int(rows.sum()):,} rows that the search can find: "
            f"runs that end there {end}"
        )

    def _gaps_elsewhere(self, table: Table, rows: NDArray[np.bool_]) -> list[str]:
        """How many of the rows that can be found another table lacks, by metric."""
        architectures = self.table.rows[rows]
        known = self.elsewhere(table, architectures)
        if not any(np.isfinite(values).any() for values in known.values()):
            raise BadValue(
                f"table {table.name} has none of {', '.join(self.metrics)} for any row that the "
                f"search can find: leave it out of --also"
            )
        lacking = {metric: int(np.isnan(values).sum()) for metric, values in known.items()}
        return [
            f"table {table.name} has no {metric} for {n:,} of the {len(architectures):,} rows that "
            f"the search can find: runs that end there are left out of its means"
            for metric, n in lacking.items()
            if n
        ]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """What is looked up: the goal's metrics and accuracy, each with what tests say of it."""
        goal = [metric for metric in self.goal.judged if self._knows(metric)]
        trained = self.table.metrics.get(self.report_recipe, ())
        first = ["valid_accuracy"] if "valid_accuracy" in trained else goal[:1]
        stems = {_stem(metric) for metric in ("valid_accuracy", *self.goal.judged)}
        known = self.table.metrics.get(self.test_recipe, ())
        tests = [metric for metric in known if is_test(metric) and _stem(metric) in stems]
        return tuple(dict.fromkeys([*first, *tests, *goal]))

    @cached_property
    def has_regret(self) -> bool:
        """Whether the report recipe knows all that the goal rewards."""
        return all(self._knows(metric) for metric in self.goal.judged)

    def _knows(self, metric: str) -> bool:
        try:
            column_of(self.table, metric, self.report_recipe)
        except NasbenchError:
            return False
        return True

    def recipe_of(self, metric: str) -> str:
        """The recipe by which a metric is looked up."""
        return self.test_recipe if is_test(metric) else self.report_recipe

    def column(self, metric: str) -> Floats:
        """A metric of every row, `[rows]`."""
        return column_of(self.table, metric, self.recipe_of(metric))

    def worth(self, metric: str, architectures: NDArray[np.int64]) -> Floats:
        """A metric of architectures; NaN for -1 and where the table does not have it."""
        return self._gather(self.column(metric), architectures)

    def elsewhere(self, table: Table, architectures: NDArray[np.int64]) -> dict[str, Floats]:
        """What architectures are worth on another table, by metric of trainings.

        They are looked up by the recipes of the same names where that table has them, else by
        its only one.
        """
        known = set(table.recipes)
        report = self.report_recipe if self.report_recipe in known else table.recipe(None)
        test = self.test_recipe if self.test_recipe in known else report
        there = replace(self, table=table, report_recipe=report, test_recipe=test)
        return {
            metric: there.worth(metric, architectures)
            for metric in self.metrics
            if metric in table.metrics[there.recipe_of(metric)]
        }

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """The rows within the limits, by the search recipe: a search sees no other."""
        allowed = np.ones(len(self.table.rows), dtype=bool)
        for limit in self.goal.limits:
            allowed &= limit.kept(column_of(self.table, limit.metric, self.search_recipe))
        return allowed

    @cached_property
    def reward(self) -> Floats:
        """What the goal rewards each row with, `[rows]`; limits apart. NaN without regret."""
        if not self.has_regret:
            return np.full(len(self.table.rows), np.nan)
        goal = replace(self.goal, limits=(), objectives=())
        columns = [self.column(metric).tolist() for metric in goal.metrics]
        rewards = [
            goal.reward(Outcome(dict(zip(goal.metrics, values, strict=True)), 0.0))
            for values in zip(*columns, strict=True)
        ]
        return np.asarray(rewards, dtype=np.float64)

    @cached_property
    def best(self) -> float:
        """The highest reward among rows within the limits; NaN without any."""
        allowed = np.isfinite(self.reward) & self.allowed
        return float(self.reward[allowed].max()) if allowed.any() else float("nan")

    def regret(self, architectures: NDArray[np.int64]) -> Floats:
        """What architectures lack to the best row; NaN for -1 and where it is not known."""
        regret = self.best - self._gather(self.reward, architectures)
        return np.where(np.isfinite(regret), regret, np.nan)

    def _gather(self, column: Floats, architectures: NDArray[np.int64]) -> Floats:
        """A column at the rows of architectures; NaN for -1 and those without a row."""
        found = self.table.row(np.maximum(architectures, 0))
        rows = np.where(architectures >= 0, found, -1)
        return np.where(rows >= 0, column[rows], np.nan)

    @cached_property
    def one_draw(self) -> dict[str, tuple[float, float]]:
        """What one architecture drawn at random is worth: by metric, exact mean and deviation.

        All architectures are equally likely; those that break a limit, or of which the metric
        is not known, are drawn again.
        """
        rows = self.table.row(self.table.architectures)
        worth = {metric: self.column(metric) for metric in self.metrics}
        possible = self.allowed
        if self.has_regret:
            worth["regret"] = np.where(np.isfinite(self.reward), self.best - self.reward, np.nan)
            possible = possible & np.isfinite(self.reward)
        found = {}
        for metric, column in worth.items():
            reward = np.where(possible & np.isfinite(column), 0.0, -np.inf)[rows]
            mean, std = expected_incumbent(reward, column[rows], 1)
            found[metric] = float(mean), float(std)
        return found

    @property
    def of_accuracy(self) -> bool:
        """Whether regret is of validation accuracy, in points."""
        goal = self.goal
        return (goal.metric, goal.targets, goal.maximize) == ("valid_accuracy", (), True)

    @cached_property
    def noise(self) -> SeedNoise | None:
        """What seeds leave uncertain under the report recipe; None where the table has one seed.

        It is that of validation accuracy: None, too, where regret is of anything else.
        """
        if not (self.of_accuracy and self.has_regret):
            return None
        if not self.table.has_seeds("valid_accuracy", recipe=self.report_recipe):
            return None
        seeds = trained_seeds(self.table, "valid_accuracy", recipe=self.report_recipe)
        found = seed_noise(seeds)
        return found if np.isfinite(found.floor) else None


def _stem(metric: str) -> tuple[str, ...]:
    """The words of a metric but those that name the split."""
    words: Sequence[str] = re.split(r"[^a-z0-9]+", metric.lower())
    return tuple(word for word in words if word not in _SPLITS)


_SPLITS = {"test", "valid", "val", "validation"}
