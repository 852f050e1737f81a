"""What the runs of a comparison share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nasbench.search.cost_model import CostModel
from nasbench.search.oracle import Oracle, SurrogateOracle, TableOracle
from nasbench.search.prior import Prior
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import Budget, Fidelity, Goal, Limit, Objective, Target
from nasbench.table import Table

__all__ = ["Setting", "header_of"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the runs of a comparison share; the fields are `compare`'s arguments.

    `table`, `surrogate` and `also` are paths: worker processes open the files themselves.
    """

    table: str
    surrogate: str | None
    budget: Budget
    metric: str
    maximize: bool
    limits: tuple[Limit, ...]
    search_recipe: str | None
    report_recipe: str
    training_seed: int | None
    repeats: str
    workers: int
    parameters: Mapping[str, Mapping[str, Any]]
    cost_model: CostModel | None
    schedule: str
    failures: float
    also: tuple[str, ...]
    objectives: tuple[Objective, ...] = ()
    targets: tuple[Target, ...] = ()
    start: tuple[int, ...] = ()
    prior: Prior | None = None

    def goal(self, recipes: tuple[Fidelity, ...] = ()) -> Goal:
        """What is searched for, on these recipes."""
        return Goal(
            self.metric,
            self.budget,
            recipes,
            self.maximize,
            self.limits,
            self.objectives,
            self.targets,
        )

    def oracle(self) -> Oracle:
        """The oracle that is searched: the surrogate where there is one, else the table."""
        table, costs = Table(self.table), self.goal().metrics
        if self.surrogate:
            from nasbench.surrogate import Surrogate

            return SurrogateOracle(
                Surrogate.load(self.surrogate),
                training_seed=self.training_seed,
                table=table,
                costs=costs,
            )
        return TableOracle(
            table,
            recipe=self.search_recipe,
            costs=costs,
            training_seed=self.training_seed,
            cost_model=self.cost_model,
        )

    def describe_goal(self) -> dict[str, Any]:
        """What is optimised, within which limits: plain JSON values."""
        return {
            "metric": self.metric,
            "maximize": self.maximize,
            "limits": [asdict(limit) for limit in self.limits],
            "objectives": [asdict(objective) for objective in self.objectives],
            "targets": [asdict(target) for target in self.targets],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Setting:
        """The setting whose fields were written as JSON."""
        budget = Budget(**values["budget"])
        limits = tuple(Limit(**limit) for limit in values["limits"])
        cost_model = CostModel(**values["cost_model"]) if values["cost_model"] else None
        also = tuple(str(path) for path in values["also"])
        read = {"budget": budget, "limits": limits, "cost_model": cost_model, "also": also}
        read["objectives"] = tuple(Objective(**o) for o in values.get("objectives", ()))
        read["targets"] = tuple(Target(**target) for target in values.get("targets", ()))
        read["start"] = tuple(values.get("start", ()))
        read["prior"] = Prior(**values["prior"]) if values.get("prior") else None
        return cls(**{**values, **read})

    def spec(self, strategy: str, seed: int, oracle: Oracle) -> RunSpec:
        """The run of that strategy with that seed."""
        goal = self.goal(oracle.fidelities)
        parameters = self.parameters.get(strategy, {})
        return RunSpec(
            strategy,
            goal,
            seed,
            parameters,
            self.workers,
            self.repeats,
            self.schedule,
            self.failures,
            self.start,
            self.prior,
        )


def header_of(setting: Setting, strategy: str, oracle: Oracle) -> str:
    """What the runs of a strategy share, with the hash of what they search."""
    return json.dumps(setting.spec(strategy, 0, oracle).describe(oracle), sort_keys=True)
