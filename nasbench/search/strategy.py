"""What a search strategy is: it asks for trainings, and what they showed is all that it sees."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from nasbench._code import place_of
from nasbench.errors import BadValue, NasbenchError, Unsupported, unknown
from nasbench.search.given import GivenStrategy, give, given_strategy, is_instance
from nasbench.search.goal import (
    Budget,
    Fidelity,
    Goal,
    Limit,
    Objective,
    Outcome,
    Query,
    SoftTarget,
)
from nasbench.search.guard import failed, in_a_sentence, place
from nasbench.space import Space

__all__ = [
    "Budget",
    "Fidelity",
    "Goal",
    "Limit",
    "Objective",
    "Outcome",
    "Query",
    "SoftTarget",
    "Strategy",
    "is_instance",
    "make_strategy",
    "strategy_class",
    "strategy_names",
]

GROUP = "nasbench.strategies"
DISTRIBUTION = "nasbench-harness"

T = TypeVar("T")


@runtime_checkable
class Strategy(Protocol):
    """A search strategy.

    Its constructor takes `(space, goal, rng, **own parameters)`. It does no input or output,
    keeps no clock and draws from `rng` alone. Several asks may come before the first tell,
    and outcomes may come in another order than they were asked for.

    A class says what it is by attributes that may be left out: `multi_fidelity = True` where it
    asks for parts of trainings, `several_objectives = True` where it searches for a front,
    `shares_weights = True` where it asks for steps of a supernet, see
    `nasbench.search.step.SharingStrategy`.

    Example:
        >>> from nasbench.search import Budget, Fidelity
        >>> from nasbench.space import get
        >>> class First:
        ...     def __init__(self, space, goal, rng):
        ...         self.goal = goal
        ...     def ask(self):
        ...         return self.goal.query(0)
        ...     def tell(self, query, outcome):
        ...         pass
        >>> goal = Goal("valid_accuracy", Budget(evaluations=3), (Fidelity("12ep", 12),))
        >>> First(get("nb201"), goal, np.random.default_rng(0)).ask().architecture
        0
    """

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None: ...

    def ask(self) -> Query | None:
        """The next query; None while it waits for outcomes, or when it has no more to ask."""

    def tell(self, query: Query, outcome: Outcome) -> None:
        """What a query showed."""


AnyStrategy = str | type[Strategy] | Callable[..., Strategy]
"""A registered name, a class, or what makes a strategy when it is called with
`(space, goal, rng, **own parameters)`."""


@cache
def _registered() -> dict[str, EntryPoint]:
    """Entry points by name, read once: a look through all packages takes milliseconds."""
    return {point.name: point for point in entry_points(group=GROUP)}


_loaded: dict[str, tuple[object, type[Strategy]]] = {}
"""What an entry point gave: to load it again takes as long as several evaluations."""


def strategy_names() -> tuple[str, ...]:
    """Every registered strategy: packages name theirs in the entry point group.

    Example:
        >>> "hybrid" in strategy_names()
        True
    """
    return tuple(sorted(_registered()))


def is_known(name: str) -> bool:
    """Whether there is a strategy of that name in this process."""
    return name in _registered() or given_strategy(name) is not None


def check_name(name: str) -> None:
    """Refuse what is no registered strategy, without a look at its code."""
    _point(name)


def _point(name: str) -> EntryPoint | GivenStrategy:
    if (given := given_strategy(name)) is not None:
        return given
    found = _registered()
    if name not in found:
        raise unknown("strategy", name, found)
    return found[name]


def name_of(strategy: object) -> str:
    """The name under which a strategy runs: its own, or from here on that of a class.

    Raises:
        NasbenchError: for what is neither a name nor makes strategies, and for an instance.
    """
    if isinstance(strategy, str):
        return strategy
    place = place_of(strategy)
    for name, point in _registered().items():
        if place and getattr(point, "value", "") == place:
            return name
    return give(strategy, place, _registered())


def names_of(strategies: Iterable[AnyStrategy]) -> list[str]:
    """The names under which strategies run, each once.

    Raises:
        NasbenchError: as `name_of`, and where two that differ have one name.
    """
    named: dict[str, AnyStrategy] = {}
    for strategy in strategies:
        name = name_of(strategy)
        other = named.setdefault(name, strategy)
        if other is not strategy and not isinstance(other, str) and not isinstance(strategy, str):
            raise BadValue(f"two strategies are called {name}: give one another __name__")
    return list(named)


def is_ours(name: str) -> bool:
    """Whether a registered strategy comes with this distribution: our tests hold it to the
    contract, and strangers' are looked at when they run."""
    dist = getattr(_point(name), "dist", None)
    return dist is not None and str(dist.name).lower().replace("_", "-") == DISTRIBUTION


def is_loaded(name: str) -> bool:
    """Whether a registered strategy's code has run in this process."""
    point = _point(name)
    return not _installed(point) or getattr(point, "module", "") in sys.modules


def importable(name: str) -> bool:
    """Whether another process finds the strategy: it is installed, or a module has it."""
    point = _point(name)
    return _installed(point) or bool(getattr(point, "place", ""))


def _installed(point: object) -> bool:
    """Whether it is an entry point: Python's own, or that of the package `importlib_metadata`.

    Once any package loads that one, what is installed is found by it, too.
    """
    return hasattr(point, "group") and hasattr(point, "module")


def strategy_class(name: str) -> type[Strategy]:
    """The registered strategy of that name.

    Example:
        >>> strategy_class("random_search").__name__
        'RandomSearch'
    """
    point = _point(name)
    known = _loaded.get(name)
    if known and known[0] is point:
        return known[1]
    try:
        loaded: type[Strategy] = point.load()
    except BaseException as error:  # a third party's module can fail in any way
        if isinstance(error, KeyboardInterrupt):
            raise
        why = in_a_sentence(error) or type(error).__name__
        raise NasbenchError(f"strategy {name} cannot be loaded: {why}{place(error)}") from error
    _loaded[name] = point, loaded
    return loaded


def make_strategy(
    name: str,
    space: Space,
    goal: Goal,
    rng: np.random.Generator,
    parameters: Mapping[str, Any] | None = None,
) -> Strategy:
    """The strategy of that name with these parameters of its own; unknown ones are refused.

    Example:
        >>> from nasbench.search import Budget, Fidelity
        >>> from nasbench.space import get
        >>> goal = Goal("valid_accuracy", Budget(evaluations=3), (Fidelity("12ep", 12),))
        >>> made = make_strategy("random_search", get("nb201"), goal, np.random.default_rng(0))
        >>> made.ask().recipe
        '12ep'
    """
    cls = strategy_class(name)
    if getattr(cls, "shares_weights", False) and "schedule" not in (parameters or {}):
        raise Unsupported(
            f"{name} shares weights: nasbench share {name} RECIPE runs it, and nasbench compare "
            f"--share puts its runs on the page"
        )
    if parameters:  # to look at a signature takes as long as several evaluations
        own = list(inspect.signature(cls).parameters)[3:]
        for key in parameters:
            if key not in own:
                raise unknown(f"parameter of {name}", key, own)
    own_goal = _copied(goal)
    own_parameters = deepcopy(dict(parameters)) if parameters else {}
    try:
        return cls(space, own_goal, rng, **own_parameters)
    except TypeError as error:
        if place(error) and not parameters:
            raise failed(name, "its __init__", error) from error
        given = ", ".join(f"{key}={value!r}" for key, value in (parameters or {}).items())
        raise NasbenchError(
            f"strategy {name} does not take {given or space}: {in_a_sentence(error)}{place(error)}"
        ) from error
    except NasbenchError:
        raise
    except BaseException as error:  # a third party's code can fail in any way
        raise failed(name, "its __init__", error) from error


def _copied(goal: Goal) -> Goal:
    """A goal of the strategy's own: what it does to it changes nothing for anybody else."""
    own = _twin(goal)
    object.__setattr__(own, "budget", _twin(goal.budget))
    for name in ("recipes", "limits", "objectives", "targets"):
        if several := getattr(goal, name):
            object.__setattr__(own, name, tuple(map(_twin, several)))
    return own


def _twin(value: T) -> T:
    """Another of a frozen dataclass with slots; what was checked once is not checked again."""
    twin = object.__new__(type(value))
    for name in value.__slots__:  # type: ignore[attr-defined]
        object.__setattr__(twin, name, getattr(value, name))
    return twin
