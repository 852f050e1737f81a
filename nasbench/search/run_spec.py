"""What a run is a function of."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nasbench._limits import LARGEST_SEED, MOST_WORKERS
from nasbench._version import __version__
from nasbench.errors import BadValue, NasbenchError, shown, unknown
from nasbench.search.among import searched_rows
from nasbench.search.growing import SmallerSpace
from nasbench.search.oracle import Oracle
from nasbench.search.prior import Prior, begin_known
from nasbench.search.strategy import Goal, Strategy

__all__ = ["RunSpec", "plain"]


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them: arrays become lists."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in parameters.items()
    }


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run is a function of.

    Attributes:
        strategy: its registered name.
        goal: what is searched for, and the budget.
        seed: of the strategy's random numbers.
        parameters: the strategy's own.
        workers: how many trainings run at a time in simulated time.
        repeats: `paid` or `free`: whether an architecture that was trained this far before
            is paid again. Free ones do not count as evaluations.
        schedule: `asynchronous`: a worker that ends gets the next query at once;
            `synchronous`: all wait for the last of them.
        failures: the share of trainings that a dying worker takes with it, at a random moment:
            its seconds are paid, the outcome is NaN, and nothing is left to continue.
        start: architectures that come before anything else, such as the winners of earlier tasks.
        prior: a proxy's scores, for strategies that take them, and as a filter for all.
        among_rows: whether the search is among the architectures that the table has, see
            `nasbench.search.among`; else it is of the whole space.
        begin_in: smaller spaces that are searched first, the smallest first, see
            `nasbench.search.growing`.

    Example:
        >>> from nasbench.search import Budget, Fidelity
        >>> goal = Goal("valid_accuracy", Budget(evaluations=3), (Fidelity("12ep", 12),))
        >>> RunSpec("regularized_evolution", goal, 0, {"population_size": 10}).parameters
        {'population_size': 10}
    """

    strategy: str
    goal: Goal
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    repeats: str = "paid"
    schedule: str = "asynchronous"
    failures: float = 0.0
    start: tuple[int, ...] = ()
    prior: Prior | None = None
    among_rows: bool = False
    begin_in: tuple[SmallerSpace, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= LARGEST_SEED:
            raise BadValue(f"a seed is 0 or more and below 2**32, got {shown(self.seed)}")
        if not 1 <= self.workers <= MOST_WORKERS:
            raise BadValue(
                f"simulated workers are 1 to {MOST_WORKERS:,}, got {shown(self.workers)}"
            )
        if self.repeats not in ("paid", "free"):
            raise unknown("way to count repeats", self.repeats, ("paid", "free"))
        if self.schedule not in ("asynchronous", "synchronous"):
            raise unknown("schedule", self.schedule, ("asynchronous", "synchronous"))
        if not 0 <= self.failures < 1:
            raise NasbenchError(f"the share of failures is from 0 to below 1, got {self.failures}")

    def describe(self, oracle: Oracle) -> dict[str, Any]:
        """The spec with its oracle and the version of the code; plain JSON values.

        A start, a prior and smaller spaces are in it only where there are, and so is a search
        among rows, so that old runs go on.
        """
        rare = ("start", "prior", "among_rows", "begin_in")
        absent = [name for name in rare if not getattr(self, name)]
        return {
            **{name: value for name, value in asdict(self).items() if name not in absent},
            "goal": self.goal.describe(),
            "parameters": plain(self.parameters),
            "oracle": oracle.describe(),
            "space": dict(oracle.space.describe()),
            "version": __version__,
        }

    def begin(self, oracle: Oracle) -> Strategy:
        """The strategy at its start."""
        return begin_known(**self.known(oracle))

    def known(self, oracle: Oracle) -> dict[str, Any]:
        """All that the strategy may know: the arguments of `begin_known`."""
        scores = None if self.prior is None else self.prior.scores(getattr(oracle, "table", None))
        return {
            "name": self.strategy,
            "space": oracle.space,
            "goal": self.goal,
            "rng": self.rng(),
            "parameters": self.parameters,
            "start": self.start,
            "scores": scores,
            "keep": 1.0 if self.prior is None else self.prior.keep,
            "rows": searched_rows(oracle, among_rows=self.among_rows),
            "begin_in": self.begin_in,
        }

    def rng(self) -> np.random.Generator:
        """The strategy's generator; strategies of one seed draw independently of each other."""
        return self._rng()

    def failure_rng(self) -> np.random.Generator:
        """The generator of failures, so that they leave what the strategy draws alone."""
        return self._rng(1)

    def _rng(self, *further: int) -> np.random.Generator:
        # The words that `SeedSequence(seed, spawn_key=...)` puts together, which takes as long as
        # an evaluation: the seed, padded to its pool of four, and the key.
        strategy = zlib.crc32(self.strategy.encode())
        words = np.array([self.seed, 0, 0, 0, strategy, *further], dtype=np.uint32)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
