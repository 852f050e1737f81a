"""One search: a strategy, an oracle, a budget and a seed, from the first ask to the last tell."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import nasbench
from nasbench.errors import NasbenchError, unknown
from nasbench.search.clock import Clock
from nasbench.search.journal import Journal
from nasbench.search.oracle import Oracle
from nasbench.search.strategy import Goal, Outcome, Query, Strategy, make_strategy
from nasbench.search.trace import Trace

__all__ = ["Evaluation", "Run", "RunSpec", "search"]

FREE_IN_A_ROW = 10_000
"""So many free repeats in a row end a search: it has nothing new to ask."""


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
    """

    strategy: str
    goal: Goal
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    repeats: str = "paid"

    def __post_init__(self) -> None:
        if self.repeats not in ("paid", "free"):
            raise unknown("way to count repeats", self.repeats, ("paid", "free"))

    def describe(self, oracle: Oracle) -> dict[str, Any]:
        """The spec with its oracle and the version of the code; plain JSON values."""
        return {
            **asdict(self),
            "parameters": dict(self.parameters),
            "oracle": oracle.describe(),
            "space": dict(oracle.space.describe()),
            "version": nasbench.__version__,
        }

    def rng(self) -> np.random.Generator:
        """The run's generator; strategies of one seed draw independently of each other."""
        strategy = zlib.crc32(self.strategy.encode())
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(strategy,)))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One query that was answered in time.

    Attributes:
        ask: the number of its ask in the run, from 0.
        query: what was asked.
        outcome: what was shown and paid.
        started: simulated seconds.
        finished: simulated seconds.
        repeat: an architecture that was trained this far before in the run.
    """

    ask: int
    query: Query
    outcome: Outcome
    started: float
    finished: float
    repeat: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; NaN is null."""
        values = {k: None if math.isnan(v) else v for k, v in self.outcome.values.items()}
        return {
            "ask": self.ask,
            **asdict(self.query),
            "values": values,
            "seconds": self.outcome.seconds,
            "started": self.started,
            "finished": self.finished,
            "repeat": self.repeat,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """A finished search.

    Attributes:
        spec: what it was.
        evaluations: in the order of telling.
        ended: why it ended, in a phrase.
        thinking_seconds: wall time in the strategy's ask and tell.
    """

    spec: RunSpec
    evaluations: list[Evaluation]
    ended: str
    thinking_seconds: float

    def trace(self) -> Trace:
        """The run in arrays."""
        done = self.evaluations
        goal = self.spec.goal
        return Trace(
            seed=self.spec.seed,
            architectures=np.asarray([e.query.architecture for e in done], dtype=np.int64),
            epochs=np.asarray([e.query.epochs for e in done], dtype=np.int64),
            rewards=np.asarray([goal.reward(e.outcome) for e in done], dtype=np.float64),
            finished=np.asarray([e.finished for e in done], dtype=np.float64),
            repeats=np.asarray([e.repeat for e in done], dtype=bool),
            free=self.spec.repeats == "free",
        )


def search(
    spec: RunSpec,
    oracle: Oracle,
    *,
    journal: Path | None = None,
    strategy: Strategy | None = None,
    progress: Callable[[Evaluation], None] | None = None,
) -> Run:
    """Run a search to the end of its budget.

    An evaluation counts when it ends within the budget; one that would end later is not told.

    Args:
        spec: what to run.
        oracle: answers the queries.
        journal: a file that keeps every evaluation. Where it holds a part of this very run
            already, that part is not evaluated again but replayed through the strategy.
        strategy: runs this one instead of the registered one.
        progress: called after each evaluation.
    """
    strategy = strategy or make_strategy(
        spec.strategy, oracle.space, spec.goal, spec.rng(), spec.parameters
    )
    kept = Journal(journal, spec.describe(oracle)) if journal else None
    loop = _Loop(spec, oracle, strategy, kept, progress)
    ended = loop.run()
    run = Run(spec, loop.evaluations, ended, loop.thinking_seconds)
    if kept:
        kept.close({"ended_by": ended, "thinking_seconds": round(loop.thinking_seconds, 6)})
    return run


@dataclass(frozen=True, slots=True)
class _Job:
    ask: int
    query: Query
    outcome: Outcome
    repeat: bool


class _Loop:
    """The state of a running search."""

    def __init__(
        self,
        spec: RunSpec,
        oracle: Oracle,
        strategy: Strategy,
        journal: Journal | None,
        progress: Callable[[Evaluation], None] | None,
    ) -> None:
        self.spec = spec
        self.oracle = oracle
        self.strategy = strategy
        self.journal = journal
        self.progress = progress
        self.evaluations: list[Evaluation] = []
        self.thinking_seconds = 0.0
        self._clock: Clock[_Job] = Clock(spec.workers)
        self._limit = spec.goal.budget.seconds or math.inf
        self._most = spec.goal.budget.evaluations or math.inf
        self._free = spec.repeats == "free"
        self._asks = 0
        self._counted = 0  # evaluations started that count
        self._free_in_a_row = 0
        # How far each training was taken, and how many seconds it took from its start.
        self._trained: dict[tuple[int, str], tuple[int, float]] = {}
        self._known = {e["ask"]: e for e in journal.evaluations} if journal else {}
        self._replayed = len(self._known)

    def run(self) -> str:
        """Search; the reason of the end."""
        clock = self._clock
        while True:
            while clock.idle and self._counted < self._most and self._start():
                pass
            if self._free_in_a_row >= FREE_IN_A_ROW:
                return f"{FREE_IN_A_ROW:,} free repeats in a row"
            if not clock.running:
                return "evaluations" if self._counted >= self._most else "nothing left to ask"
            job, started, finished = clock.next()
            if finished > self._limit:
                return "seconds"
            self._finish(job, started, finished)

    def _start(self) -> bool:
        """Ask for a query and give it to a worker; False where there is none to ask."""
        if self._free_in_a_row >= FREE_IN_A_ROW:
            return False
        before = time.perf_counter()
        query = self.strategy.ask()
        self.thinking_seconds += time.perf_counter() - before
        if query is None:
            return False
        if not isinstance(query, Query) or not 0 <= query.architecture < self.oracle.space.size:
            raise NasbenchError(
                f"strategy {self.spec.strategy} asked for {query!r}, "
                f"which is no query of {self.oracle.space.name}"
            )
        place = (self.oracle.key(query.architecture), query.recipe)
        done, before_it = self._trained.get(place, (0, 0.0))
        if query.resume and done > query.epochs:
            raise NasbenchError(
                f"strategy {self.spec.strategy} asked to resume architecture "
                f"{query.architecture} to {query.epochs} epochs; it was trained for {done}"
            )
        repeat = done >= query.epochs
        if not query.resume:
            before_it = 0.0
        known = self._known.get(self._asks)
        if known is not None:
            outcome = self._recall(query, known)
            total = before_it + outcome.seconds
        else:
            outcome = self.oracle.evaluate(query)
            total = outcome.seconds
        if not self._asks:
            for metric in self.spec.goal.metrics:
                if metric not in outcome.values:
                    raise unknown("metric", metric, outcome.values)
        if math.isnan(total):
            if self._limit < math.inf:
                raise NasbenchError(
                    f"architecture {query.architecture} has no training time: give the budget "
                    f"in evaluations"
                )
            total = before_it
        if repeat and self._free:
            self._free_in_a_row += 1
            paid = 0.0
        else:
            self._free_in_a_row = 0
            self._counted += 1
            paid = total - before_it
            self._trained[place] = (query.epochs, total)
        if paid != outcome.seconds:
            outcome = Outcome(outcome.values, paid)
        self._clock.start(_Job(self._asks, query, outcome, repeat), paid)
        self._asks += 1
        return True

    def _finish(self, job: _Job, started: float, finished: float) -> None:
        """Tell the strategy, and keep the evaluation."""
        before = time.perf_counter()
        self.strategy.tell(job.query, job.outcome)
        self.thinking_seconds += time.perf_counter() - before
        evaluation = Evaluation(job.ask, job.query, job.outcome, started, finished, job.repeat)
        self.evaluations.append(evaluation)
        if self.journal and len(self.evaluations) > self._replayed:
            self.journal.add(evaluation.to_json())
        if self.progress:
            self.progress(evaluation)

    def _recall(self, query: Query, known: Mapping[str, Any]) -> Outcome:
        """What the journal knows of this ask; the strategy must ask what it asked then."""
        if any(known[name] != value for name, value in asdict(query).items()):
            where = self.journal.path if self.journal else "the run"
            raise NasbenchError(
                f"cannot resume {where}: the strategy asks for something else than it did then; "
                f"start anew"
            )
        values = {k: math.nan if v is None else v for k, v in known["values"].items()}
        return Outcome(values, known["seconds"])
