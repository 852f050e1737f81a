"""How searches are run and judged, in one object."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict, Unpack

import numpy as np

from nasbench._defaults import FAILURES, METRIC, REPEATS, SCHEDULE, WORKERS
from nasbench._journal import number
from nasbench._limits import MOST_EVALUATIONS, MOST_SECONDS
from nasbench.errors import BadValue, shown, unknown
from nasbench.search.cost_model import CostModel
from nasbench.search.goal import (
    Budget,
    Fidelity,
    Goal,
    Limit,
    Objective,
    SoftTarget,
    as_floats,
    more_is_better,
)
from nasbench.search.growing import SmallerSpace
from nasbench.search.oracle import Oracle
from nasbench.search.prior import Prior
from nasbench.search.run_spec import RunSpec, plain

__all__ = ["ProtocolFields", "SearchFields", "SearchProtocol", "protocol_with"]


Bounds = tuple[float | None, float | None]
"""At least, and at most; None where there is no such bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProtocol:
    """How searches are run and judged: what the runs of a comparison share beside their table.

    Attributes:
        budget_evaluations: evaluations of each run.
        budget_seconds: simulated seconds of each run.
        budget_epochs: epochs of training of each run, see `Budget`.
        budget_mean_trainings: in place of `budget_seconds`: on each table as many simulated
            seconds as so many trainings of its average row take. One of the four is needed.
        metric: what is optimised.
        maximize: whether more of it is better; None is what its name says, see
            `nasbench.table.direction`, and more where the name does not say.
        limits: bounds that architectures must keep; `{"raspi4/latency_ms": (None, 5)}` will do.
        objectives: what is optimised beside the metric, by strategies of several objectives; the
            names of metrics will do where they say what is better.
        targets: soft bounds, for strategies of one objective.
        search_recipe: what a query trains by; may be left out where the table has one.
        report_recipe: what incumbents are looked up by; the search recipe by default.
        test_recipe: what test metrics are looked up by; the report recipe by default. CIFAR-10's
            published protocol takes validation from trainings on half of the images, and test
            from trainings on all.
        surrogate: the file of one to search on instead of the table.
        training_seed: which training a query shows; None is the mean over seeds.
        repeats: `paid` or `free`, see `RunSpec`.
        workers: of each run, in simulated time.
        schedule: `asynchronous` or `synchronous`, see `RunSpec`.
        failures: the share of trainings that a dying worker takes with it, see `RunSpec`.
        parameters: for each strategy its own.
        cost_model: what training takes, in place of what the table says.
        among_rows: whether a table of a part of its space is searched among the architectures
            that it has, see `nasbench.search.among`; else such a table is refused.
        start: architectures that every run begins with, see `RunSpec`.
        prior: a proxy's scores that every run knows, see `RunSpec`.
        begin_in: smaller spaces that every run searches first, see `SmallerSpace`; `("small.toml",
            20, {"kernel": 5})` will do for 20 evaluations with that choice of what it lacks.
        also: other tables of the same space to look the incumbents up in, by name or path.

    Raises:
        NasbenchError: for a goal or a budget that no search could have.

    Example:
        >>> from nasbench.search import Limit, SearchProtocol
        >>> fast = SearchProtocol(budget_evaluations=50, limits=[Limit("raspi4/latency_ms", 5)])
        >>> fast.goal().metrics
        ('valid_accuracy', 'raspi4/latency_ms')
    """

    budget_evaluations: int | None = None
    budget_seconds: float | None = None
    budget_epochs: int | None = None
    budget_mean_trainings: float | None = None
    metric: str = METRIC
    maximize: bool | None = None
    limits: Sequence[Limit] = ()
    objectives: Sequence[Objective] = ()
    targets: Sequence[SoftTarget] = ()
    search_recipe: str | None = None
    report_recipe: str | None = None
    test_recipe: str | None = None
    surrogate: str | Path | None = None
    training_seed: int | None = None
    repeats: str = REPEATS
    workers: int = WORKERS
    schedule: str = SCHEDULE
    failures: float = FAILURES
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cost_model: CostModel | None = None
    among_rows: bool = False
    start: Sequence[int] = ()
    prior: Prior | None = None
    begin_in: Sequence[SmallerSpace] = ()
    also: Sequence[str | Path] = ()

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _SEQUENCES}
        given["limits"] = _limits(self.limits)
        given["objectives"] = _objectives(self.objectives)
        given["begin_in"] = _smaller(self.begin_in)
        exact = {name: _several(name, given[name], of) for name, of in _SEQUENCES.items()}
        exact["start"] = tuple(int(architecture) for architecture in self.start)
        for name, values in exact.items():
            object.__setattr__(self, name, values)
        own = {name: plain(values) for name, values in (self.parameters or {}).items()}
        _check_finite(own)
        object.__setattr__(self, "parameters", own)
        as_floats(self, "failures")
        if self.budget_mean_trainings is not None:
            _check_trainings(self.budget_mean_trainings, self.budget_seconds)
            as_floats(self, "budget_mean_trainings")
        self.goal()  # what no search could have is refused now

    @property
    def budget(self) -> Budget:
        """How much each run may use; before a table says what trainings take, any seconds."""
        seconds = self.budget_seconds
        if self.budget_mean_trainings is not None:
            seconds = MOST_SECONDS
        return Budget(self.budget_evaluations, seconds, self.budget_epochs)

    def goal(self, recipes: tuple[Fidelity, ...] = ()) -> Goal:
        """What is searched for, on these recipes."""
        return Goal(
            self.metric,
            self.budget,
            recipes,
            self.maximize,
            tuple(self.limits),
            tuple(self.objectives),
            tuple(self.targets),
        )

    def spec(self, strategy: str, seed: int, oracle: Oracle) -> RunSpec:
        """The run of that strategy with that seed."""
        return RunSpec(
            strategy,
            self.goal(oracle.fidelities),
            seed,
            parameters=self.parameters.get(strategy, {}),
            workers=self.workers,
            repeats=self.repeats,
            schedule=self.schedule,
            failures=self.failures,
            start=tuple(self.start),
            prior=self.prior,
            among_rows=self.among_rows,
            begin_in=tuple(self.begin_in),
        )

    def describe_goal(self) -> dict[str, Any]:
        """What is optimised, within which limits: plain JSON values."""
        return {
            "metric": self.metric,
            "maximize": self.goal().maximize,
            "limits": [asdict(limit) for limit in self.limits],
            "objectives": [asdict(objective) for objective in self.objectives],
            "targets": [asdict(target) for target in self.targets],
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back; budgets stand in `budget`.

        Smaller spaces, and trainings that a table has not made seconds of, are in it only where
        there are, so that old comparisons stay as they are.
        """
        values = {**asdict(self), "maximize": self.goal().maximize}
        for name in ("begin_in", "budget_mean_trainings"):
            if not values[name]:
                del values[name]
        for name in asdict(self.budget):
            del values[f"budget_{name}"]
        return {"budget": self.budget.describe(), **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SearchProtocol:
        """The protocol that `to_json` wrote; TypeError and its like for what it never writes."""
        _check_types(values)
        read = dict(values)
        read.update({f"budget_{name}": value for name, value in read.pop("budget").items()})
        for name, kind in _SEQUENCES.items():
            if kind is not None:
                read[name] = tuple(kind(**one) for one in read.get(name, ()))
        if read["maximize"] == more_is_better(read["metric"]):
            read["maximize"] = None  # so that it follows another metric
        read["prior"] = Prior(**read["prior"]) if read.get("prior") else None
        read["cost_model"] = CostModel(**read["cost_model"]) if read["cost_model"] else None
        return cls(**read)


_SEQUENCES: Mapping[str, type[Limit | Objective | SoftTarget | SmallerSpace] | None] = {
    "limits": Limit,
    "objectives": Objective,
    "targets": SoftTarget,
    "begin_in": SmallerSpace,
    "start": None,
    "also": None,
}
"""Fields of several, and the class of each that is no plain value."""


def _several(name: str, values: Any, kind: type[Any] | None) -> tuple[Any, ...]:
    """A field of several as a tuple; one that stands alone, or of another class, is refused."""
    if isinstance(values, str | Path) or not isinstance(values, Iterable):
        raise BadValue(f"{name} takes a list, got {values!r}")
    found = tuple(values)
    for value in found:
        if kind and not isinstance(value, kind):
            raise BadValue(f"{name} takes a list of {kind.__name__}, got {value!r}")
    return found


def _limits(given: Any) -> Any:
    """Limits; also as `{metric: (at least, at most)}`, where None is no bound."""
    if not isinstance(given, Mapping):
        return given
    found = []
    for metric, bounds in given.items():
        if not isinstance(bounds, tuple | list) or len(bounds) != 2:
            raise BadValue(
                f"a limit of {metric} is (at least, at most), one of them None where there is no "
                f"bound, as in (None, 5); got {shown(bounds)}"
            )
        low, high = bounds
        found += [Limit(metric, at_least=low)] if low is not None else []
        found += [Limit(metric, at_most=high)] if high is not None or low is None else []
    return found


def _objectives(given: Any) -> Any:
    """Objectives; also by the names of their metrics, which say what is better."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return given
    return [Objective(one) if isinstance(one, str) else one for one in given]


def _smaller(given: Any) -> Any:
    """Smaller spaces; also as tuples of space, evaluations, and choices."""
    if not isinstance(given, list | tuple):
        return given
    return [SmallerSpace.of(*one) if isinstance(one, tuple) else one for one in given]


def _check_trainings(trainings: float, seconds: float | None) -> None:
    """Refuse a budget in trainings of an average row that is none, or one beside seconds."""
    if not 0 < trainings <= MOST_EVALUATIONS:
        raise BadValue(
            f"a budget in mean trainings must be more than 0, and at most {MOST_EVALUATIONS:,}, "
            f"got {shown(trainings)}"
        )
    if seconds is not None:
        raise BadValue(
            "mean trainings are a budget in seconds: give budget_mean_trainings or budget_seconds"
        )


def _check_finite(parameters: Mapping[str, Mapping[str, Any]]) -> None:
    """NaN and infinities are no JSON: a comparison that had them could not be read again."""
    for strategy, given in parameters.items():
        for name, value in given.items():
            if not _is_finite(value):
                raise BadValue(
                    f"parameter {name} of strategy {strategy} must be finite, got {shown(value)}"
                )


def _is_finite(value: Any) -> bool:
    """Whether no number in it, however deep, is NaN or infinite."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float | np.floating) or math.isfinite(value)


_WRITTEN: Mapping[str, tuple[type, ...]] = {
    "metric": (str,),
    "maximize": (bool,),
    "search_recipe": (str, NoneType),
    "report_recipe": (str, NoneType),
    "test_recipe": (str, NoneType),
    "surrogate": (str, NoneType),
    "training_seed": (int, NoneType),
    "repeats": (str,),
    "workers": (int,),
    "schedule": (str,),
    "failures": (int, float),
    "parameters": (dict,),
}
"""What plain fields are in JSON."""


def _check_types(values: Mapping[str, Any]) -> None:
    """Refuse a stranger's values that would only be noticed where they are used."""
    numbers = [value for value in values["budget"].values() if value is not None]
    texts, starts = values.get("also", ()), values.get("start", ())
    known = {name: kinds for name, kinds in _WRITTEN.items() if name in values}
    if not all(type(values[name]) in kinds for name, kinds in known.items()):
        raise TypeError
    if not set(map(type, texts)) <= {str} or not set(map(type, starts)) <= {int}:
        raise TypeError
    for value in numbers:
        number(value, 0)


class SearchFields(TypedDict, total=False):
    """The fields of `SearchProtocol` that a single search has, as keywords."""

    budget_evaluations: int | None
    budget_seconds: float | None
    budget_epochs: int | None
    metric: str
    maximize: bool | None
    limits: Sequence[Limit] | Mapping[str, Bounds]
    objectives: Sequence[Objective | str]
    targets: Sequence[SoftTarget]
    search_recipe: str | None
    training_seed: int | None
    repeats: str
    workers: int
    schedule: str
    failures: float
    cost_model: CostModel | None
    among_rows: bool
    start: Sequence[int]
    prior: Prior | None
    begin_in: Sequence[SmallerSpace | tuple[Any, ...]]


class ProtocolFields(SearchFields, total=False):
    """The fields of `SearchProtocol` as keywords."""

    budget_mean_trainings: float | None
    report_recipe: str | None
    test_recipe: str | None
    surrogate: str | Path | None
    parameters: Mapping[str, Mapping[str, Any]]
    also: Sequence[str | Path]


def protocol_with(
    protocol: SearchProtocol | None, **changes: Unpack[ProtocolFields]
) -> SearchProtocol:
    """The protocol with some fields changed; None stands for one of defaults.

    Raises:
        UnknownName: for what is no field, naming the near ones.
        NasbenchError: as `SearchProtocol`.
    """
    known = [known.name for known in fields(SearchProtocol)]
    for name in changes:
        if name not in known:
            raise unknown("field of a search protocol", name, known)
    given: Any = changes  # the protocol makes limits and objectives of what stands for them
    return SearchProtocol(**given) if protocol is None else replace(protocol, **given)
