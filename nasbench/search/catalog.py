"""What strategies there are, what they take, and what a goal means to them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasbench.search.goal import Goal
from nasbench.search.strategy import (
    is_known,
    is_loaded,
    is_ours,
    strategy_class,
    strategy_names,
)

__all__ = [
    "REQUIRED",
    "StrategyInfo",
    "cautions",
    "parameters_of",
    "searching_names",
    "strategy_info",
]

REQUIRED = "required"
"""Stands for the default of a parameter that has none."""


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """What is known of a strategy without running it.

    Attributes:
        name: registered.
        summary: its first line.
        parameters: its own, by name, with their defaults; `REQUIRED` where there is none.
        multi_fidelity: whether it asks for parts of trainings.
        several_objectives: whether it searches for a front; others see the goal's metric alone.
        shares_weights: whether it trains one set of weights: `nasbench share` runs it.

    Example:
        >>> from nasbench.search.catalog import strategy_info
        >>> info = strategy_info("hyperband")
        >>> info.multi_fidelity, info.parameters["eta"]
        (True, 3)
    """

    name: str
    summary: str
    parameters: Mapping[str, Any]
    multi_fidelity: bool
    several_objectives: bool
    shares_weights: bool = False


def strategy_info(name: str) -> StrategyInfo:
    """What is known of the strategy of that name.

    Args:
        name: registered, see `strategy_names`.

    Raises:
        NasbenchError: for an unknown name, with the near ones, or a class that cannot be loaded.

    Example:
        >>> info = strategy_info("hyperband")
        >>> dict(info.parameters), info.multi_fidelity
        ({'eta': 3, 'min_epochs': 1}, True)
    """
    cls = strategy_class(name)
    own = list(inspect.signature(cls).parameters.values())[3:]  # after space, goal and rng
    shares = bool(getattr(cls, "shares_weights", False))
    defaults = {
        p.name: REQUIRED if p.default is p.empty else p.default
        for p in own
        if not (shares and p.name == "schedule")  # which the harness gives
    }
    return StrategyInfo(
        name,
        (inspect.getdoc(cls) or "").partition("\n")[0],
        defaults,
        bool(getattr(cls, "multi_fidelity", False)),
        bool(getattr(cls, "several_objectives", False)),
        shares,
    )


def parameters_of(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A strategy's own parameters as it runs with these: the others are as they are by default.

    Example:
        >>> parameters_of("hyperband", {"eta": 4})
        {'eta': 4, 'min_epochs': 1}
    """
    known = strategy_info(name).parameters if is_known(name) else {}
    return {**known, **given}


def searching_names() -> tuple[str, ...]:
    """The strategies that ask for trainings alone: those that search and compare run.

    Example:
        >>> "hybrid" in searching_names(), "fairnas" in searching_names()
        (True, False)
    """
    return tuple(name for name in strategy_names() if not strategy_info(name).shares_weights)


def cautions(strategies: Sequence[str], goal: Goal) -> tuple[str, ...]:
    """What of a goal does not mean the same to all strategies, in sentences; often nothing."""
    # A stranger's code that this process has not run is not run to be asked: it may be isolated.
    known = [strategy_info(name) for name in strategies if is_ours(name) or is_loaded(name)]
    found = []
    in_parts = [info.name for info in known if info.multi_fidelity]
    budget = goal.budget
    if in_parts and budget.epochs is None and budget.seconds is None:
        found.append(
            f"each part of a training counts as an evaluation, and "
            f"{', '.join(in_parts)} {'trains' if len(in_parts) == 1 else 'train'} in parts: "
            f"a budget in epochs or seconds compares strategies by what they train"
        )
    single = [info.name for info in known if not info.several_objectives]
    if single and goal.objectives:
        found.append(
            f"only the best {goal.metric} is searched for by {', '.join(single)}: what is judged "
            f"as a front was met on the way"
        )
    return tuple(found)
