"""Where outcomes come from: one interface, and the table behind it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.search.cost_model import CostModel
from nasbench.search.feasibility import check_feasible
from nasbench.search.goal import Fidelity, Goal, Limit, Outcome, Query
from nasbench.space import Space
from nasbench.table import Table
from nasbench.table.metrics import COSTS_ALONE, is_test

__all__ = [
    "COSTS_ALONE",
    "Estimates",
    "ListedOracle",
    "Oracle",
    "TableOracle",
    "column_of",
    "declared_direction",
    "known_column",
    "recipe_of",
]


class Oracle(Protocol):
    """Answers queries; test accuracy is in none of its answers.

    The seconds of an answer are those of the training from its start to the query's epoch;
    the run charges a resumed query the difference to what was paid before.

    Example:
        >>> from nasbench.table import load
        >>> def best(oracle: Oracle) -> float:
        ...     found = [oracle.evaluate(Query(one, "10ep", 10)) for one in range(5)]
        ...     return max(outcome.values["valid_accuracy"] for outcome in found)
        >>> round(best(TableOracle(load("nb201-fashion16"))), 2)
        86.47
    """

    space: Space
    fidelities: tuple[Fidelity, ...]

    def evaluate(self, query: Query) -> Outcome:
        """What a query shows and what it costs; raises NasbenchError for one out of reach."""

    def key(self, architecture: int) -> int:
        """Equal for architectures that share what was trained."""

    def describe(self) -> dict[str, Any]:
        """What it is, with the hash of what it reads; plain JSON values."""


class Estimates(Protocol):
    """Costs that nobody measured: sums of tags, see `nasbench.building.sums.TagSums`."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """As `<device>/<metric_unit>`."""

    def of(self, architecture: int) -> Mapping[str, float]:
        """The estimates of an architecture, by metric."""

    def describe(self) -> dict[str, Any]:
        """Where they come from, and that they are estimated; plain JSON values."""


class ListedOracle(ABC):
    """An oracle that knows all its answers beforehand, and so whether a goal can be met."""

    name: str

    def __init__(self) -> None:
        self._feasible: set[tuple[tuple[str, ...], tuple[Limit, ...], bool]] = set()

    @abstractmethod
    def column(self, metric: str) -> NDArray[np.float64]:
        """What the end of the whole training shows of everything that can be found."""

    @property
    @abstractmethod
    def timed(self) -> bool:
        """Whether it knows what any training takes."""

    def check(self, goal: Goal) -> None:
        """Refuse a goal that nothing can meet: `BadValue` says why.

        What was found to be feasible is remembered: the runs of a comparison share their goal.
        """
        timed = goal.budget.seconds is not None
        asked = (goal.judged, goal.limits, timed)
        if asked not in self._feasible:
            if timed and not self.timed:
                raise self._untimed()
            check_feasible(goal, self.column, self.name)
            self._feasible.add(asked)

    def _untimed(self) -> BadValue:
        return BadValue(
            f"{self.name} has no training times: give --budget-evaluations in place of "
            f"a budget in seconds, or say what an epoch takes with --seconds-per-epoch"
        )


class _Shown(NamedTuple):
    """What a table shows at an epoch, by rows, for one row is asked for at a time."""

    metrics: tuple[str, ...]
    rows: list[tuple[float, ...]]
    seconds: list[float]


class TableOracle(ListedOracle):
    """Answers from a table: the price is what the training took when the table was made.

    Args:
        table: to read.
        recipe: to search on; may be left out where the table has one.
        costs: what outcomes show beside the recipe's metrics: `<device>/<metric_unit>`, a metric
            of the network (`flops`, `parameters`) or `proxy/<name>`. A goal's `metrics` will do:
            those of the recipe are shown anyway.
        training_seed: which training a query shows; None is the mean over the seeds that
            exist, at the mean price of one.
        cost_model: what training takes, in place of what the table says.
        estimates: of costs that the table does not have, such as sums of tags.

    Example:
        >>> from nasbench.table import load
        >>> oracle = TableOracle(load("nb201-fashion16"))
        >>> found = oracle.evaluate(Query(435, "10ep", 10))
        >>> round(found.values["valid_accuracy"], 2), found.seconds > 0
        (87.25, True)
    """

    def __init__(
        self,
        table: Table,
        *,
        recipe: str | None = None,
        costs: Sequence[str] = (),
        training_seed: int | None = None,
        cost_model: CostModel | None = None,
        estimates: Estimates | None = None,
    ) -> None:
        super().__init__()
        self.table = table
        self.name = table.name
        self.space = table.space
        name = recipe_of(table, recipe)
        self.fidelities: tuple[Fidelity, ...] = (_fidelity(table, name),)
        self._recipe = name
        self._seed = training_seed
        self._cost_model = cost_model
        self._size = self.space.size
        self._row = table.row_finder()
        self._costs: dict[str, list[float]] = {}
        self._estimates = estimates
        known = estimates.metrics if estimates else ()
        for cost in costs:
            if estimates and cost in known:
                rows = table.rows.tolist()
                self._costs[cost] = [estimates.of(row)[cost] for row in rows]
            elif cost not in table.metrics.get(name, ()):
                self._costs[cost] = column_of(table, cost, name).tolist()
        self._shown: dict[int, _Shown] = {}

    @property
    def key(self) -> Callable[[int], int]:
        """Equal for architectures that share what was trained: their row."""
        return self._row

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "table",
            "name": self.table.name,
            "sha256": self.table.sha256,
            "recipe": self.fidelities[0].recipe,
            "training_seed": self._seed,
            "cost_model": asdict(self._cost_model) if self._cost_model else None,
            **({"tags": self._estimates.describe()} if self._estimates else {}),
        }

    def evaluate(self, query: Query) -> Outcome:
        """Raises NasbenchError for an architecture, recipe or epoch that the table lacks."""
        architecture, recipe, epochs, _ = query
        if recipe != self._recipe:
            raise NasbenchError(f"this search is on recipe {self._recipe}, not on {recipe}")
        metrics, values, seconds = self._shown.get(epochs) or self._read(epochs)
        if not 0 <= architecture < self._size:
            self.space.check(architecture)  # which says what is wrong
        row = self._row(architecture)
        if row < 0:
            raise NasbenchError(
                f"{self.table.name} has no architecture {architecture}: search among those "
                f"that it has (among_rows), or on a surrogate fitted on it"
            )
        return Outcome(dict(zip(metrics, values[row])), seconds[row])  # noqa: B905 (it costs)

    def column(self, metric: str) -> NDArray[np.float64]:
        """What the whole training shows of each row, float64 `[rows]`."""
        epochs = self.fidelities[0].epochs
        shown = self._shown.get(epochs) or self._read(epochs)
        if metric not in shown.metrics:
            raise unknown("metric", metric, shown.metrics)
        place = shown.metrics.index(metric)
        return np.asarray([row[place] for row in shown.rows], dtype=np.float64)

    @property
    def timed(self) -> bool:
        return not np.isnan(self.seconds).all()

    @property
    def seconds(self) -> NDArray[np.float64]:
        """What the whole training of each row takes, `[rows]`; NaN where nothing says it."""
        epochs = self.fidelities[0].epochs
        shown = self._shown.get(epochs) or self._read(epochs)
        return np.asarray(shown.seconds, dtype=np.float64)

    @property
    def mean_seconds(self) -> float:
        """What the training of an average row takes.

        Raises:
            BadValue: where nothing says what trainings take.
        """
        if not self.timed:
            raise self._untimed()
        return float(np.nanmean(self.seconds))

    def _read(self, epochs: int) -> _Shown:
        """What the table shows at an epoch."""
        recipe = self.fidelities[0].recipe
        shown: dict[str, list[float]] = {}
        seconds = [math.nan] * len(self.table.rows)
        for metric in self.table.metrics.get(recipe, ()):
            if is_test(metric) or metric == "evaluation_seconds":
                continue
            if epochs not in self.table.epochs(metric, recipe=recipe):
                continue
            seed = self._seed if self.table.has_seeds(metric, recipe=recipe) else None
            column = self.table.column(metric, recipe=recipe, epoch=epochs, seed=seed).tolist()
            if metric == "train_seconds":
                seconds = column
            else:
                shown[metric] = column
        if not shown and recipe != COSTS_ALONE:
            raise NasbenchError(
                f"{self.table.name} shows nothing of recipe {recipe} after "
                f"{counted(epochs, 'epoch')}"
            )
        if self._cost_model:
            seconds = (epochs * self._cost_model.epoch_seconds(self.table)).tolist()
        shown |= self._costs
        rows: list[tuple[float, ...]] = [()] * len(seconds)
        if shown:
            rows = list(zip(*shown.values(), strict=True))
        self._shown[epochs] = _Shown(tuple(shown), rows, seconds)
        return self._shown[epochs]


def recipe_of(table: Table, name: str | None) -> str:
    """The table's recipe of that name, or its only one; `COSTS_ALONE` where it has no trainings."""
    if not table.recipes and name in (None, COSTS_ALONE):
        return COSTS_ALONE
    return table.recipe(name)


def column_of(table: Table, metric: str, recipe: str) -> NDArray[np.float64]:
    """What any metric that a goal can name says of every row, float64 `[rows]`.

    Args:
        table: to read.
        metric: of the recipe (at its last epoch, the mean over seeds), of the network, or
            `<device>/<metric_unit>` or `proxy/<name>`.
        recipe: of the table.
    """
    room, _, name = metric.rpartition("/")
    network = f"network/{metric}" in table.manifest["datasets"]
    if metric in table.metrics.get(recipe, ()):
        return table.column(metric, recipe=recipe)
    if network or room == "proxy":
        return table.column(metric)
    if room:
        return table.device_column(room, name)
    rooms = (f"recipe/{recipe}/", "network/", "device/")
    names = table.manifest["datasets"]
    known = [name.removeprefix(r) for r in rooms for name in names if name.startswith(r)]
    shown = [name for name in known if not is_test(name) and not name.endswith("_seconds")]
    raise unknown("metric", metric, shown)


def declared_direction(table: Table, metric: str) -> bool | None:
    """Whether a table says that more of a column is better, as of a proxy; None where it does not.

    Its name seldom does.
    """
    datasets = table.manifest["datasets"]
    about = [datasets.get(name, {}) for name in (metric, f"device/{metric}")]
    return next((entry["better"] == "high" for entry in about if "better" in entry), None)


def _fidelity(table: Table, recipe: str) -> Fidelity:
    """The recipe, with the epochs after which the table knows what is optimised as a rule."""
    if recipe == COSTS_ALONE and not table.recipes:
        return Fidelity(recipe, 1)
    epochs = int(table.manifest["recipes"][recipe]["epochs"])
    metrics = [m for m in table.metrics[recipe] if not is_test(m) and not m.endswith("_seconds")]
    if "valid_accuracy" in metrics:
        metrics = ["valid_accuracy"]
    shown = sorted({e for metric in metrics for e in table.epochs(metric, recipe=recipe)})
    everywhere = len(shown) == epochs  # none is beyond the last
    return Fidelity(recipe, epochs, () if everywhere else tuple(shown))


def known_column(metric: str, shown: Mapping[str, list[float]]) -> NDArray[np.float64]:
    """A metric as an array; raises UnknownName for one that is not shown."""
    if metric not in shown:
        raise unknown("metric", metric, shown)
    return np.asarray(shown[metric], dtype=np.float64)
