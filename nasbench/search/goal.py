"""What is searched for: queries and their outcomes, budgets, limits, objectives and the goal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from nasbench._limits import MOST_EVALUATIONS, MOST_SECONDS
from nasbench.errors import BadValue, shown
from nasbench.table import direction
from nasbench.table.metrics import is_test

__all__ = [
    "Budget",
    "Fidelity",
    "Goal",
    "Limit",
    "Objective",
    "Outcome",
    "Query",
    "SoftTarget",
    "as_floats",
    "is_test",
    "more_is_better",
]


def more_is_better(metric: str) -> bool:
    """The direction that a metric's name says, see `nasbench.table.direction`; else more.

    Example:
        >>> more_is_better("valid_accuracy"), more_is_better("raspi4/latency_ms")
        (True, False)
    """
    return direction(metric) != "min"


class Query(NamedTuple):
    """Which training is asked for, and how far.

    Attributes:
        architecture: of the space.
        recipe: one of the goal's recipes.
        epochs: how far; at most the recipe's.
        resume: continue what an earlier query of this architecture and recipe left, and pay
            the difference. Otherwise, and where that one went further than `epochs`, the
            training starts anew and is paid in full.

    Example:
        >>> Query(7, "12ep", 3)._replace(epochs=12, resume=True)
        Query(architecture=7, recipe='12ep', epochs=12, resume=True)
    """

    architecture: int
    recipe: str
    epochs: int
    resume: bool = False


class Outcome(NamedTuple):
    """What a query showed: values by metric, never of the test split, and seconds paid.

    NaN stands for a training that diverged.

    Example:
        >>> Outcome({"valid_accuracy": 91.5}, seconds=60.0).values["valid_accuracy"]
        91.5
    """

    values: Mapping[str, float]
    seconds: float


def as_floats(one: object, *fields: str) -> None:
    """Make the whole numbers in these fields of a frozen dataclass floats: 5 is kept as 5.0 is."""
    for name in fields:
        if type(value := getattr(one, name)) is int:
            object.__setattr__(one, name, float(value))


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may use; it ends with the first bound that it reaches.

    Attributes:
        evaluations: trainings and parts of trainings.
        seconds: simulated seconds of training.
        epochs: epochs of training, all that were paid together: those of a training that goes
            on count once. A recipe of 12 epochs and 360 epochs make 30 whole trainings, whatever
            the parts.

    Example:
        >>> Budget(evaluations=50)
        Budget(evaluations=50, seconds=None, epochs=None)
    """

    evaluations: int | None = None
    seconds: float | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if not given:
            raise BadValue("a search needs a budget: in evaluations, in epochs or in seconds")
        for name, value in given.items():
            most = MOST_SECONDS if name == "seconds" else MOST_EVALUATIONS
            if not 0 < value <= most:
                raise BadValue(
                    f"a budget in {name} must be more than 0, and at most {most:,}, got "
                    f"{shown(value)}"
                )
        as_floats(self, "seconds")

    def describe(self) -> dict[str, Any]:
        """Plain JSON values; epochs only where they are bounded, so that old runs go on."""
        return {k: v for k, v in asdict(self).items() if v is not None or k != "epochs"}


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A recipe that can be searched on.

    Attributes:
        recipe: its name.
        epochs: how many it has.
        shown: after how many epochs a training shows anything, ascending, where that is not
            after each of them: tables may hold few, or the last alone.

    Example:
        >>> Fidelity("12ep", 12).epochs
        12
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
    """Bounds that an architecture must keep, ends included: at most, at least, or both.

    Example:
        >>> limit = Limit("raspi4/latency_ms", at_most=5)
        >>> str(limit), limit.kept(4.5)
        ('raspi4/latency_ms <= 5', True)
    """

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.at_most, self.at_least) if bound is not None]
        if not given or not all(map(math.isfinite, given)):
            got = ", ".join(map(str, given)) or "none"
            raise BadValue(f"a limit of {self.metric} needs a finite number, got {got}")
        as_floats(self, "at_most", "at_least")

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that keep it."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low, high

    def __str__(self) -> str:
        parts = ((">=", self.at_least), ("<=", self.at_most))
        return " and ".join(f"{self.metric} {s} {v:g}" for s, v in parts if v is not None)

    @overload
    def kept(self, value: float) -> bool: ...
    @overload
    def kept(self, value: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def kept(self, value: float | NDArray[np.float64]) -> bool | NDArray[np.bool_]:
        """Whether a value, or each of an array, keeps it; NaN does not."""
        low, high = self.bounds
        return (low <= value) & (value <= high)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is optimised beside a goal's own metric.

    Attributes:
        metric: its name.
        maximize: whether more of it is better; where it is left out, what the name says.

    Example:
        >>> Objective("raspi4/latency_ms").maximize, Objective("valid_accuracy").maximize
        (False, True)
    """

    metric: str
    maximize: bool | None = None

    def __post_init__(self) -> None:
        if self.maximize is None:
            object.__setattr__(self, "maximize", more_is_better(self.metric))

    def signed(self, value: float) -> float:
        """The value, so that more is better."""
        return value if self.maximize else -value


@dataclass(frozen=True, slots=True)
class SoftTarget:
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

    Example:
        >>> str(SoftTarget("raspi4/latency_ms", at=5))
        '(raspi4/latency_ms / 5)^-0.07'
    """

    metric: str
    at: float
    within: float = -0.07
    beyond: float = -0.07

    def __post_init__(self) -> None:
        if not 0 < self.at < math.inf:
            raise BadValue(f"the target of {self.metric} must be a number above 0, got {self.at}")
        for exponent in (self.within, self.beyond):
            if not -math.inf < exponent <= 0:
                raise BadValue(
                    f"the exponents of {self.metric} must be 0 or less, as -0.07 is: a higher "
                    f"cost is no reward; got {exponent}"
                )
        as_floats(self, "at", "within", "beyond")

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
        maximize: whether more of the metric is better; where it is left out, what the name says.
        limits: bounds that the architecture must keep.
        objectives: what to optimise beside the metric.
        targets: soft bounds, by which `reward` is multiplied.

    Example:
        >>> goal = Goal("valid_accuracy", Budget(evaluations=50), (Fidelity("12ep", 12),))
        >>> goal.query(7)
        Query(architecture=7, recipe='12ep', epochs=12, resume=False)
        >>> goal.reward(Outcome({"valid_accuracy": 91.5}, 60.0))
        91.5
    """

    metric: str
    budget: Budget
    recipes: tuple[Fidelity, ...]
    maximize: bool | None = None
    limits: tuple[Limit, ...] = ()
    objectives: tuple[Objective, ...] = ()
    targets: tuple[SoftTarget, ...] = ()

    def __post_init__(self) -> None:
        if self.maximize is None:
            object.__setattr__(self, "maximize", more_is_better(self.metric))
        for metric in self.metrics:
            if is_test(metric):
                raise BadValue(f"{metric} is kept for the report: no search may see it")
        optimised = [objective.metric for objective in self.every_objective]
        for metric in optimised:
            if optimised.count(metric) > 1:
                raise BadValue(f"{metric} is an objective twice: name it once")
        if self.targets and not self.maximize:
            raise BadValue(
                f"a soft target weighs a metric that is maximised, and {self.metric} is "
                f"minimised: give a limit, or a further objective"
            )
        if self.metric in (target.metric for target in self.targets):
            raise BadValue(f"{self.metric} is maximised: it cannot have a soft target, too")
        for metric in dict.fromkeys(limit.metric for limit in self.limits):
            bounds = [limit.bounds for limit in self.limits if limit.metric == metric]
            low, high = max(low for low, _ in bounds), min(high for _, high in bounds)
            if low > high:
                raise BadValue(
                    f"limits of {metric} contradict each other: at least {low:g} and at most "
                    f"{high:g}"
                )

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that are optimised, or have a soft target."""
        if not self.objectives and not self.targets:
            return (self.metric,)
        objectives = [objective.metric for objective in self.objectives]
        targets = [target.metric for target in self.targets]
        return tuple(dict.fromkeys((self.metric, *objectives, *targets)))

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
                raise BadValue(f"a soft target weighs what is 0 or more, not {value}")
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
        values = {**asdict(self), "budget": self.budget.describe()}
        return {k: v for k, v in values.items() if v or k not in ("objectives", "targets")}

    def query(self, architecture: int) -> Query:
        """The whole training of an architecture by the first recipe."""
        fidelity = self.recipes[0]
        return Query(architecture, fidelity.recipe, fidelity.epochs)
