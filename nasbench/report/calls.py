"""Calls of Python that make a result again, for results whose page no command writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nasbench._names import printable
from nasbench.search import CostModel, Limit, Objective, Run, SearchProtocol, strategy_names
from nasbench.search.choosing import ChosenArchitecture
from nasbench.search.goal import more_is_better
from nasbench.surrogate import Score, Surrogate
from nasbench.table import name_of_hash, table_name
from nasbench.table.metrics import COSTS_ALONE

if TYPE_CHECKING:
    from nasbench.building.exporting import Exported

__all__ = [
    "call",
    "choose_call",
    "export_call",
    "fit_call",
    "score_call",
    "search_call",
    "unusual",
]


def call(name: str, given: Iterable[str], named: Mapping[str, Any], out: str = "DIR") -> str:
    """`nb.NAME(...).report(DIR)` on one line; what is given by place is written already."""
    words = [*given, *(f"{of}={_written(value)}" for of, value in named.items())]
    return printable(f"nb.{name}({', '.join(words)}).report({out!r})")


def unusual(protocol: SearchProtocol) -> dict[str, Any]:
    """The fields of a protocol that are not as they are by default."""
    usual = SearchProtocol(budget_epochs=1)
    said = {of.name: getattr(protocol, of.name) for of in fields(SearchProtocol)}
    absent = {name: getattr(usual, name) for name in said} | {"budget_epochs": None}
    return {name: value for name, value in said.items() if value != absent[name]}


def search_call(run: Run) -> str:
    """`nb.search` with all that is not as it is by default; in capitals what the reader names."""
    spec, goal, of = run.spec, run.spec.goal, run.oracle.describe()
    protocol = SearchProtocol(
        **{f"budget_{name}": value for name, value in goal.budget.describe().items()},
        metric=goal.metric,
        maximize=None if goal.maximize == more_is_better(goal.metric) else goal.maximize,
        limits=goal.limits,
        objectives=goal.objectives,
        targets=goal.targets,
        training_seed=of.get("training_seed"),
        cost_model=CostModel(**of["cost_model"]) if of.get("cost_model") else None,
        **{name: getattr(spec, name) for name in _OF_RUNS},
    )
    known = spec.strategy in strategy_names()
    given = [repr(spec.strategy) if known else spec.strategy]
    named = unusual(protocol)
    if of["kind"] == "table":
        table = run.oracle.table  # type: ignore[attr-defined]
        given.append(repr(table_name(table)))
        named |= {"search_recipe": of["recipe"]} if len(table.recipes) > 1 else {}
    else:
        named |= (
            {"surrogate": "SURROGATE.json"} if of["kind"] == "surrogate" else {"train": "RECIPE"}
        )
    named |= {"tags": "TAGS.json"} if "tags" in of else {}
    named |= {"parameters": dict(spec.parameters)} if spec.parameters else {}
    return call("search", given, {**named, "seed": spec.seed})


_OF_RUNS = (
    "workers",
    "repeats",
    "schedule",
    "failures",
    "start",
    "prior",
    "among_rows",
    "begin_in",
)
"""What a run keeps under the names that its protocol has for it."""


def fit_call(fitted: Surrogate) -> str:
    """`nb.fit` on the table that ships; another, of which a hash is known, the reader names."""
    named: dict[str, Any] = {} if fitted.recipe == COSTS_ALONE else {"recipe": fitted.recipe}
    named |= {"train": len(fitted.trained_on), "seed": fitted.document["seed"]}
    named |= {"features": list(fitted.features.names), "metric": fitted.primary}
    table = name_of_hash(fitted.document["table"]["sha256"]) or "TABLE.h5"
    return call("fit", [repr(table)], named)


def score_call(score: Score) -> str:
    """`nb.score` of a surrogate, which the reader names, on the table."""
    given = [repr("SURROGATE.json"), repr(table_name(score.table))]
    return call("score", given, {"metric": score.metric})


def choose_call(found: ChosenArchitecture) -> str:
    """`nb.choose` as it was asked."""
    return call("choose", [repr(table_name(found.among.table))], found.asked)


def export_call(made: Exported) -> str:
    """`nb.export`: of a table, or of a build recipe, which the reader names."""
    chosen = made.chosen
    of = repr(table_name(chosen.table)) if chosen.table else repr(None)
    named: dict[str, Any] = {} if chosen.table else {"recipe": "RECIPE"}
    named |= {"train": True} if made.trained else {}
    named |= {"int8": True} if made.int8 else {}
    named |= {"verify": [one.runtime for one in made.verified]} if made.verified else {}
    named |= {"recipe_name": chosen.recipe_name, "seed": chosen.seed}
    return call("export", [of, str(chosen.architecture), repr(made.path.name)], named)


def _written(value: Any) -> str:
    """A value as a program has it: bounds and objectives without their classes."""
    if isinstance(value, Sequence) and value and isinstance(value[0], Limit):
        # Two bounds of one metric are two limits, which one mapping cannot hold.
        bounds = {one.metric: (one.at_least, one.at_most) for one in value}
        return repr(bounds) if len(bounds) == len(value) else repr(value)
    if isinstance(value, Sequence) and value and isinstance(value[0], Objective):
        usual = all(one.maximize == more_is_better(one.metric) for one in value)
        return repr([one.metric for one in value]) if usual else repr(value)
    return repr(value)
