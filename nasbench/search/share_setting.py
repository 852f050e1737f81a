"""What the runs of several seeds that share weights have in common, and how each begins."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nasbench._limits import LARGEST_SEED, MOST_EPOCHS, MOST_SECONDS
from nasbench._version import __version__
from nasbench.errors import BadValue, shown
from nasbench.search.feasibility import check_feasible
from nasbench.search.goal import Budget, Goal, Limit, SoftTarget
from nasbench.search.oracle import Oracle, TableOracle, column_of, recipe_of
from nasbench.search.run_spec import plain
from nasbench.search.share_columns import ColumnOracle, ScoreColumns
from nasbench.search.share_costs import Costs
from nasbench.search.share_prices import Prices, tells_prices
from nasbench.search.step import Schedule, SharingStrategy
from nasbench.search.strategy import make_strategy, strategy_class
from nasbench.search.supernet_oracle import StepOracle, SupernetOracle
from nasbench.search.trainer_oracle import TrainerOracle
from nasbench.space import Space
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.task import Task
    from nasbench.train.recipe import Recipe

__all__ = ["METRIC", "ShareSetting"]

METRIC = "valid_accuracy"
"""That is searched for."""


@dataclass(frozen=True)
class ShareSetting:
    """What the runs of several seeds share.

    Attributes:
        strategy: registered, and one that shares weights.
        space: of the architectures.
        task: to train on.
        name: of the recipe.
        recipe: gives batches and SGD; its learning rate and epochs are for single networks.
        table: judges the choices, prices the steps, and shows what training the best alone does.
            Where there is none, or it does not say what trainings took, measured seconds are the
            price, and the best are really trained.
        report_recipe: of the table; by default the one of the recipe's name, or its only one.
        epochs: passes over the training examples.
        parameters: the strategy's own.
        norm: whose statistics BatchNorm takes in a score, see `nasbench.train.shared_passes.NORMS`.
        affine: whether scales and shifts inside cells are trained.
        engine: of the shared weights, or `auto`.
        budget_seconds: an end in seconds paid.
        limits: bounds that choices keep, of columns of the table.
        targets: soft bounds, which weigh inherited accuracy.
        preset: the name of the published protocol that it follows, see
            `nasbench.search.share_presets`; empty for none.
        columns: scores that stand in the place of shared weights; None: these are trained.
    """

    strategy: str
    space: Space
    task: Task
    name: str
    recipe: Recipe
    table: Table | None = None
    report_recipe: str | None = None
    epochs: int = 10
    parameters: Mapping[str, Any] = field(default_factory=dict)
    norm: str = "batch"
    affine: bool = False
    engine: str = "auto"
    budget_seconds: float | None = None
    limits: tuple[Limit, ...] = ()
    targets: tuple[SoftTarget, ...] = ()
    preset: str = ""
    columns: ScoreColumns | None = None

    def __post_init__(self) -> None:
        cls = strategy_class(self.strategy)
        if not getattr(cls, "shares_weights", False):
            raise BadValue(
                f"{self.strategy} shares no weights: nasbench search and nasbench compare run it"
            )
        if "schedule" in self.parameters:
            raise BadValue("the schedule follows from the epochs: set epochs, not schedule")
        if "costs" in self.parameters:
            raise BadValue("costs are read from the table: set limits, or cost")
        if type(self.epochs) is not int or not 1 <= self.epochs <= MOST_EPOCHS:
            raise BadValue(
                f"shared weights are trained 1 to {MOST_EPOCHS:,} epochs, got {shown(self.epochs)}"
            )
        table = self.table
        if table is not None and table.space.describe() != self.space.describe():
            raise BadValue(
                f"{table.name} is of {table.space.name}, and the recipe of {self.space.name}: "
                f"name a table of that space"
            )
        if table is None and self.report_recipe is not None:
            raise BadValue(f"recipe {shown(self.report_recipe)} is of a table: name one")
        self._check_costs()
        if self.columns is not None:
            self._check_columns(self.columns)

    @cached_property
    def judged_by(self) -> str | None:
        """The table's recipe; None without a table.

        Raises:
            NasbenchError: where it has no such recipe, or several and none is named.
        """
        if self.table is None:
            return None
        named = self.report_recipe
        if named is None and self.name in self.table.recipes:
            named = self.name
        return recipe_of(self.table, named)

    @cached_property
    def by_table(self) -> bool:
        """Whether a table prices and answers; else the clock does, and real trainings."""
        return self.table is not None and tells_prices(self.table, str(self.judged_by))

    @property
    def priced(self) -> tuple[str, ...]:
        """The columns of costs that the run reads."""
        named = self.parameters.get("cost")
        own = (named,) if isinstance(named, str) and named else ()
        return tuple(dict.fromkeys((*self._bounded, *own)))

    @property
    def _bounded(self) -> list[str]:
        """The columns that have limits or soft targets."""
        return [*(one.metric for one in self.limits), *(one.metric for one in self.targets)]

    def _check_costs(self) -> None:
        """Refuse limits and costs that nothing can be known of, before anything is trained."""
        if not self.priced:
            return
        cls = strategy_class(self.strategy)
        takes = "costs" in inspect.signature(cls).parameters
        if not takes or (self._bounded and not getattr(cls, "heeds_limits", True)):
            raise BadValue(
                f"{self.strategy} heeds no limits{'' if takes else ' and no costs'}: strategies "
                f"that rank candidates do, such as ofa, spos and fairnas"
            )
        if self.table is None:
            raise BadValue(
                f"{self.priced[0]} is a column of a table: name a table that has it, in place of "
                f"none"
            )
        table, recipe = self.table, str(self.judged_by)

        def column(metric: str) -> NDArray[np.float64]:
            return column_of(table, metric, recipe)

        goal = Goal(METRIC, Budget(evaluations=1), (), limits=self.limits, targets=self.targets)
        check_feasible(goal, column, table.name)

    def _check_columns(self, columns: ScoreColumns) -> None:
        """Refuse scores of other weights than would be shared here, and without a price."""
        if not self.by_table:
            raise BadValue(
                "steps on scores are priced by a table that says what trainings took: name one"
            )
        if columns.space != dict(self.space.describe()):
            raise BadValue(f"the scores of {columns.name} are not of {self.space.name}")
        recipe = {"name": self.name, **self.recipe.describe()}
        task = {"name": self.task.name, "hash": self.task.hash}
        sharing = {**columns.sharing, "norm": self.norm, "affine": self.affine}
        fits = {"task": task, "recipe": recipe, "sharing": sharing}
        columns.check(self.strategy, self.epochs, self.parameters, fits)
        if columns.trained is None and self.targets:
            raise BadValue("a soft target weighs accuracy, and a proxy's scores are none")

    def make(self, seed: int) -> tuple[StepOracle, Goal]:
        """The oracle of one seed, and the goal."""
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise BadValue(f"a seed is 0 or more and below 2**32, got {shown(seed)}")
        oracle: StepOracle = self.supernet(seed) if self.columns is None else self._of_columns(seed)
        return oracle, self.goal(oracle)

    def goal(self, oracle: StepOracle) -> Goal:
        """What is searched for, and how single architectures are trained."""
        budget = Budget(seconds=self.budget_seconds or MOST_SECONDS)
        fidelities = oracle.queries.fidelities
        return Goal(METRIC, budget, fidelities, limits=self.limits, targets=self.targets)

    def supernet(self, seed: int) -> SupernetOracle:
        """Weights that are really shared."""
        from nasbench.train.shared_native import make_shared
        from nasbench.train.shared_passes import Sharing

        sharing = Sharing(self.norm, self.affine)
        shared = make_shared(self.space, self.task, self.recipe, seed, sharing, self.engine)
        queries = self._queries(seed)
        return SupernetOracle(shared, queries, self._prices(queries))

    def _of_columns(self, seed: int) -> ColumnOracle:
        columns, queries = self.columns, self._queries(seed)
        prices = self._prices(queries)
        assert columns is not None
        assert prices is not None
        steps = self.epochs * columns.steps_per_epoch
        return ColumnOracle(columns, seed, steps, queries, prices)

    def _prices(self, queries: Oracle) -> Prices | None:
        if self.table is None or not self.by_table:
            return None
        return Prices(self.table, queries.fidelities[0].recipe, self.recipe.batch_size)

    def begin(self, seed: int, oracle: StepOracle, goal: Goal) -> SharingStrategy:
        """The strategy at its start."""
        # Apart from the seeds of weights and batches, which are the supernet's own.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6,)))
        schedule = Schedule(self.epochs, oracle.steps_per_epoch)
        parameters = {**self.parameters, "schedule": schedule}
        if self.priced:
            assert self.table is not None
            parameters["costs"] = Costs(self.table, self.priced, str(self.judged_by))
        begun = make_strategy(self.strategy, oracle.space, goal, rng, parameters)
        return cast("SharingStrategy", begun)

    def _queries(self, seed: int) -> Oracle:
        if self.table is None or not self.by_table:
            return TrainerOracle(self.space, self.task, self.name, self.recipe, seeds=(seed,))
        return TableOracle(self.table, recipe=self.judged_by, costs=self._bounded)

    def describe(self, seed: int, oracle: StepOracle) -> dict[str, Any]:
        """What a run is a function of; plain JSON values."""
        # What is new stands in it only where it is used, so that old runs go on.
        goal = {
            "limits": [asdict(limit) for limit in self.limits],
            "targets": [asdict(target) for target in self.targets],
            "preset": self.preset,
            "columns": self.columns and self.columns.describe(),
        }
        return {
            **{name: value for name, value in goal.items() if value},
            "kind": "share",
            "strategy": self.strategy,
            "seed": seed,
            "parameters": plain(self.parameters),
            "schedule": {"epochs": self.epochs, "steps_per_epoch": oracle.steps_per_epoch},
            "sharing": dict(oracle.sharing),
            "space": dict(self.space.describe()),
            "task": {"name": self.task.name, "hash": self.task.hash},
            "recipe": {"name": self.name, **self.recipe.describe()},
            "prices": oracle.prices.describe() if oracle.prices else {"kind": "measured"},
            "queries": oracle.queries.describe(),
            "budget_seconds": self.budget_seconds,
            "version": __version__,
        }
