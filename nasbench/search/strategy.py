"""What a search strategy is: it asks, it is told, and that is all it sees."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
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
    "Strategy",
    "Target",
    "make_strategy",
    "strategy_class",
    "strategy_names",
]

GROUP = "nasbench.strategies"


class Query(NamedTuple):
    """Which training is asked for, and how far.

    Attributes:
        architecture: of the space.
        recipe: one of the goal's recipes.
        epochs: how far; at most the recipe's.
        resume: continue what an earlier query of this architecture and recipe left, and pay
            the difference. Otherwise, and where that one went further than `epochs`, the
            training starts anew and is paid in full.
    """

    architecture: int
    recipe: str
    epochs: int
    resume: bool = False


class Outcome(NamedTuple):
    """What a query showed: values by metric, never of the test split, and seconds paid.

    NaN stands for a training that diverged.
    """

    values: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may use: evaluations, simulated seconds, or both."""

    evaluations: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.evaluations is None and self.seconds is None:
            raise NasbenchError("a search needs a budget: in evaluations or in seconds")
        for name in ("evaluations", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise NasbenchError(f"a budget in {name} must be more than 0, got {value}")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A recipe that can be searched on.

    Attributes:
        recipe: its name.
        epochs: how many it has.
        shown: after how many epochs a training shows anything, ascending, where that is not
            after each of them: tables may hold few, or the last alone.
    """

    recipe: str
    epochs: int
    shown: tuple[int, ...] = ()

    def at_least(self, epochs: float) -> int:
        """The fewest epochs, of those after which something is shown, that are no fewer."""
        if not self.shown:
            return min(max(math.ceil(epochs), 1), self.epochs)
        return next((known for known in self.shown if known >= epochs), self.epochs)


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds that an architecture must keep, ends included: at most, at least, or both."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.at_most, self.at_least) if bound is not None]
        if not given or not all(map(math.isfinite, given)):
            got = ", ".join(map(str, given)) or "none"
            raise NasbenchError(f"a limit of {self.metric} needs a finite number, got {got}")

    @overload
    def kept(self, value: float) -> bool: ...
    @overload
    def kept(self, value: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def kept(self, value: float | NDArray[np.float64]) -> bool | NDArray[np.bool_]:
        """Whether a value, or each of an array, keeps it; NaN does not."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return (low <= value) & (value <= high)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is optimised beside a goal's own metric."""

    metric: str
    maximize: bool = True

    def signed(self, value: float) -> float:
        """The value, so that more is better."""
        return value if self.maximize else -value


@dataclass(frozen=True, slots=True)
class Target:
    """A soft bound: the reward falls the more, the further a cost is above it.

    Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019,
    equations 2 and 3: the reward is accuracy x (cost / target)^w, with w = alpha where the
    target is kept and w = beta where it is not. The paper's soft constraint has
    alpha = beta = -0.07: twice the latency for a twentieth more accuracy is a draw. Its hard
    one has alpha = 0 and beta = -1.

    Attributes:
        metric: the cost: a metric of the recipe, or `<device>/<metric_unit>`.
        at: the target, in the cost's unit.
        within: alpha, 0 or less.
        beyond: beta, 0 or less.
    """

    metric: str
    at: float
    within: float = -0.07
    beyond: float = -0.07

    def __post_init__(self) -> None:
        if not 0 < self.at < math.inf:
            raise NasbenchError(
                f"the target of {self.metric} must be a number above 0, got {self.at}"
            )
        for exponent in (self.within, self.beyond):
            if not -math.inf < exponent <= 0:
                raise NasbenchError(
                    f"the exponents of {self.metric} must be 0 or less, as -0.07 is: a higher "
                    f"cost is no reward; got {exponent}"
                )

    def __str__(self) -> str:
        power = f"{self.within:g}"
        if self.within != self.beyond:
            power = f"({self.within:g} within it, {self.beyond:g} beyond)"
        return f"({self.metric} / {self.at:g})^{power}"

    def factor(self, cost: float) -> float:
        """What the reward is multiplied by; NaN of what is no cost, 0 or less."""
        if not cost > 0:
            return math.nan
        return float((cost / self.at) ** (self.within if cost <= self.at else self.beyond))


@dataclass(frozen=True, slots=True)
class Goal:
    """What is searched for.

    A strategy of one objective maximises `reward`, one of several `rewards`.

    Attributes:
        metric: what to optimise: a metric of the recipe, or `<device>/<metric_unit>`.
        budget: how much the search may use.
        recipes: the recipes to search on.
        maximize: False where less of the metric is better.
        limits: bounds that the architecture must keep.
        objectives: what to optimise beside the metric.
        targets: soft bounds, by which `reward` is multiplied.
    """

    metric: str
    budget: Budget
    recipes: tuple[Fidelity, ...]
    maximize: bool = True
    limits: tuple[Limit, ...] = ()
    objectives: tuple[Objective, ...] = ()
    targets: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        for metric in self.metrics:
            if is_test(metric):
                raise NasbenchError(f"{metric} is kept for the report: no search may see it")
        optimised = [objective.metric for objective in self.every_objective]
        for metric in optimised:
            if optimised.count(metric) > 1:
                raise NasbenchError(f"{metric} is an objective twice: name it once")
        if self.targets and not self.maximize:
            raise NasbenchError(
                f"a soft target weighs a metric that is maximised, and {self.metric} is "
                f"minimised: give a limit, or a further objective"
            )
        if self.metric in (target.metric for target in self.targets):
            raise NasbenchError(f"{self.metric} is maximised: it cannot have a soft target, too")

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that are optimised, or have a soft target."""
        objectives = (objective.metric for objective in self.every_objective)
        targets = (target.metric for target in self.targets)
        return tuple(dict.fromkeys((*objectives, *targets)))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that an outcome must show."""
        return (*self.judged, *(limit.metric for limit in self.limits))

    @property
    def every_objective(self) -> tuple[Objective, ...]:
        """What `rewards` has a number of: the goal's own metric first."""
        return (Objective(self.metric, self.maximize), *self.objectives)

    def reward(self, outcome: Outcome) -> float:
        """What to maximise: the metric, signed; -inf where it is NaN or a limit is broken.

        Soft targets multiply it.
        """
        value = outcome.values[self.metric]
        for limit in self.limits:
            if not limit.kept(outcome.values[limit.metric]):
                return -math.inf
        for target in self.targets:
            if value < 0:
                raise NasbenchError(f"a soft target weighs what is 0 or more, not {value}")
            value *= target.factor(outcome.values[target.metric])
        if value != value:  # NaN: the training diverged
            return -math.inf
        return value if self.maximize else -value

    def rewards(self, outcome: Outcome) -> tuple[float, ...]:
        """All to maximise: the metric and each further objective, signed; `(reward,)` of one.

        Where one of them is NaN, or there is no reward, all are -inf. Soft targets make one
        objective of several; here, where they are apart, they weigh nothing.
        """
        reward = self.reward(outcome)
        if not self.objectives:
            return (reward,)
        values = outcome.values
        own = values[self.metric]
        others = [objective.signed(values[objective.metric]) for objective in self.objectives]
        found = (own if self.maximize else -own, *others)
        if reward == -math.inf or any(map(math.isnan, found)):
            return (-math.inf,) * len(found)
        return found

    def describe(self) -> dict[str, Any]:
        """Plain JSON values; what is new in it only where it is used, so that old runs go on."""
        values = asdict(self)
        return {k: v for k, v in values.items() if v or k not in ("objectives", "targets")}

    def query(self, architecture: int) -> Query:
        """The whole training of an architecture by the first recipe."""
        fidelity = self.recipes[0]
        return Query(architecture, fidelity.recipe, fidelity.epochs)


@runtime_checkable
class Strategy(Protocol):
    """A search strategy.

    Its constructor takes `(space, goal, rng, **own parameters)`. It does no input or output,
    keeps no clock and draws from `rng` alone. Several asks may come before the first tell,
    and outcomes may come in another order than they were asked for.
    """

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None: ...

    def ask(self) -> Query | None:
        """The next query; None while it waits for outcomes, or when it has no more to ask."""

    def tell(self, query: Query, outcome: Outcome) -> None:
        """What a query showed."""


@cache
def _registered() -> dict[str, EntryPoint]:
    """Entry points by name, read once: a look through all packages takes milliseconds."""
    return {point.name: point for point in entry_points(group=GROUP)}


def is_test(metric: str) -> bool:
    """Whether a metric's name speaks of the test split: any of its words is `test`."""
    return "test" in re.split(r"[^a-z0-9]+", metric.lower())


def strategy_names() -> tuple[str, ...]:
    """Every registered strategy: packages name theirs in the entry point group."""
    return tuple(sorted(_registered()))


def strategy_class(name: str) -> type[Strategy]:
    """The registered strategy of that name."""
    found = _registered()
    if name not in found:
        raise unknown("strategy", name, found)
    try:
        loaded: type[Strategy] = found[name].load()
    except BaseException as error:  # a third party's module can fail in any way
        if isinstance(error, KeyboardInterrupt):
            raise
        why = in_a_sentence(error) or type(error).__name__
        raise NasbenchError(f"strategy {name} cannot be loaded: {why}{place(error)}") from error
    return loaded


def make_strategy(
    name: str,
    space: Space,
    goal: Goal,
    rng: np.random.Generator,
    parameters: Mapping[str, Any] | None = None,
) -> Strategy:
    """The strategy of that name with these parameters of its own; unknown ones are refused."""
    cls = strategy_class(name)
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
    return replace(
        goal,
        budget=replace(goal.budget),
        recipes=tuple(map(replace, goal.recipes)),
        limits=tuple(map(replace, goal.limits)),
        objectives=tuple(map(replace, goal.objectives)),
        targets=tuple(map(replace, goal.targets)),
    )
