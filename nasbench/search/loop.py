"""The loop of a search: asks, answers, simulated time, and what is paid."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from nasbench._words import counted
from nasbench.errors import NasbenchError, StrategyError, unknown
from nasbench.search.arrival import NotAQuery, arrived, is_plain
from nasbench.search.clock import Clock
from nasbench.search.guard import Watch, failed
from nasbench.search.journal import RunJournal
from nasbench.search.oracle import ListedOracle, Oracle
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import Outcome, Query, Strategy

__all__ = ["Evaluation", "Loop"]

FREE_IN_A_ROW = 10_000
"""So many queries in a row that cost nothing end a search: it would go on for ever."""


class Evaluation(NamedTuple):
    """One query and its answer.

    Attributes:
        ask: the number of its ask in the run, from 0.
        query: what was asked.
        outcome: what was shown and paid.
        started: when a worker took it, in simulated seconds.
        finished: when it ended; what waited for a running training took no shorter than that.
        repeat: an architecture that was trained this far before in the run.
        trained: epochs that were trained for it: fewer than the query's where a training went
            on, 0 where nothing was trained.

    Example:
        >>> import nasbench as nb
        >>> run = nb.search("random_search", "nb201-fashion16", budget_evaluations=3)
        >>> first = run.evaluations[0]
        >>> first.ask, first.query.architecture, first.repeat
        (0, 405, False)
    """

    ask: int
    query: Query
    outcome: Outcome
    started: float
    finished: float
    repeat: bool
    trained: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; NaN is null."""
        values = {k: None if math.isnan(v) else float(v) for k, v in self.outcome.values.items()}
        return {
            "ask": self.ask,
            **self.query._asdict(),
            "values": values,
            "seconds": self.outcome.seconds,
            "started": self.started,
            "finished": self.finished,
            "repeat": self.repeat,
        }


_UNTRAINED = (0, 0.0, 0.0, 0)
"""Where an architecture stands that nobody paid for: see `Loop._trained`."""


class Loop:
    """The state of a running search."""

    def __init__(
        self,
        spec: RunSpec,
        oracle: Oracle,
        strategy: Strategy,
        watch: Watch,
        journal: RunJournal | None,
        progress: Callable[[Evaluation], None] | None,
    ) -> None:
        self.spec = spec
        self.oracle = oracle
        self.strategy = strategy
        self.watch = watch
        self.journal = journal
        self.progress = progress
        self.evaluations: list[Evaluation] = []
        self.thinking_seconds = 0.0
        self._clock: Clock[Evaluation] = Clock(spec.workers)
        self._size = oracle.space.size
        self._key = oracle.key
        self._metrics = spec.goal.metrics
        # What is looked up is looked up again, and so the journal is checked.
        self._looks_up = isinstance(oracle, ListedOracle)
        self._epochs = {fidelity.recipe: fidelity.epochs for fidelity in oracle.fidelities}
        self._repeats_free = spec.repeats == "free"
        self._may_fail = spec.failures > 0
        self._limit = spec.goal.budget.seconds or math.inf
        self._most = spec.goal.budget.evaluations or math.inf
        self._most_epochs = spec.goal.budget.epochs or math.inf
        self._paid_epochs: float = 0
        self._asks = 0
        self._counted = 0  # evaluations started that count
        self._free_in_a_row = 0
        # What is paid for of an architecture by a recipe: the epochs where the training that can
        # be resumed stands, the seconds that it took from its start, when it gets there, and
        # the most epochs that any training of it reached. A plain tuple: one an evaluation.
        self._trained: dict[tuple[int, str], tuple[int, float, float, int]] = {}

    def run(self) -> str:
        """Search; the reason of the end."""
        clock = self._clock
        together = self.spec.schedule == "synchronous"
        while True:
            if not (together and clock.running):
                while clock.idle and not self._spent() and self._start():
                    pass
            if not clock.running:
                return self._spent() or "nothing left to ask"
            evaluation = clock.next()
            if clock.now > self._limit:
                return "seconds"
            self._finish(evaluation)

    def _spent(self) -> str:
        """Why nothing more may be asked; empty where something may."""
        if self._counted >= self._most:
            return "evaluations"
        if self._paid_epochs >= self._most_epochs:
            return "epochs"
        if self._free_in_a_row >= FREE_IN_A_ROW:
            return f"{FREE_IN_A_ROW:,} queries in a row that cost nothing"
        return ""

    def _start(self) -> bool:
        """Ask for a query and give it to a worker; False where there is none to ask."""
        watch = self.watch
        watch.since = before = time.perf_counter()
        try:
            query = self.strategy.ask()
            if not is_plain(query):
                query = arrived(query)
        except NotAQuery as error:
            raise self._no_query(str(error)) from None
        except BaseException as error:  # a third party's code can fail in any way
            watch.since = math.inf
            raise failed(self.spec.strategy, "ask", error) from error
        watch.since = math.inf
        self.thinking_seconds += time.perf_counter() - before
        if watch.flagged:
            watch.settle()
        if query is None:
            return False
        architecture, recipe, epochs, resume = query
        if not (0 <= architecture < self._size and 1 <= epochs <= self._epochs.get(recipe, 0)):
            raise self._refusal(query)
        key = (self._key(architecture), recipe)
        stands, paid_before, ends, farthest = self._trained.get(key, _UNTRAINED)
        resumes = resume and stands <= epochs
        if not resumes:
            stands, paid_before = 0, 0.0
        repeat = farthest >= epochs
        free = repeat and self._repeats_free
        nothing_to_train = free or (resumes and stands == epochs)
        trained = 0 if free else epochs - stands
        if self._paid_epochs + trained > self._most_epochs:
            self._paid_epochs = self._most_epochs  # what does not fit ends the search
            return False
        self._paid_epochs += trained
        recalled = self._recall(query) if self.journal else None
        outcome = recalled or self._evaluate(query, paid_before, free)
        fails = False
        if self._may_fail:
            dies, part = self._draw_failure()
            fails = dies and not nothing_to_train
            if fails and not recalled:
                outcome = Outcome(dict.fromkeys(outcome.values, math.nan), part * outcome.seconds)
        # A budget in seconds is not used up by what takes none.
        seconds = outcome.seconds
        timeless = self._limit < math.inf and not seconds > 0
        self._free_in_a_row = self._free_in_a_row + 1 if nothing_to_train or timeless else 0
        # What is known only once a running training ends is not seen before.
        begins = now = self._clock.now
        if resumes or nothing_to_train:
            begins = max(now, ends)
        finished = begins + seconds
        if not free:
            self._counted += 1
            if fails:
                self._trained[key] = (0, 0.0, finished, farthest)
            else:
                farthest = farthest if repeat else epochs
                self._trained[key] = (epochs, paid_before + seconds, finished, farthest)
        evaluation = Evaluation(self._asks, query, outcome, now, finished, repeat, trained)
        if self.journal:
            self.journal.keep(evaluation.to_json())
        self._clock.start(evaluation, finished)
        self._asks += 1
        return True

    @cached_property
    def _failures(self) -> np.random.Generator:
        return self.spec.failure_rng()

    def _draw_failure(self) -> tuple[bool, float]:
        """Whether a worker dies, and after which part of the training."""
        dies, part = self._failures.random(2).tolist()
        return dies < self.spec.failures, part

    def _refusal(self, query: Query) -> StrategyError:
        """Why a query of plain values is none of this search."""
        if not 0 <= query.architecture < self._size:
            return self._no_query(repr(query))
        recipes = " or ".join(f"{name} for 1 to {most}" for name, most in self._epochs.items())
        return StrategyError(
            f"strategy {self.spec.strategy} asked for {query.epochs!r} epochs of recipe "
            f"{query.recipe!r}: this search trains {recipes} epochs"
        )

    def _no_query(self, shown: str) -> StrategyError:
        return StrategyError(
            f"strategy {self.spec.strategy} asked for {shown}, "
            f"which is no query of {self.oracle.space.name}"
        )

    def _evaluate(self, query: Query, paid_before: float, free: bool) -> Outcome:
        """What the oracle shows, at the price of what it trains anew."""
        outcome = self.oracle.evaluate(query)
        values, seconds = outcome
        for metric in self._metrics:
            if metric not in values:
                if self._asks:
                    raise NasbenchError(
                        f"after {counted(query.epochs, 'epoch')} no {metric} is known"
                    )
                raise unknown("metric", metric, values)
        # A training that was timed anew may be shorter than what was paid for its first part.
        paid = seconds - paid_before if seconds > paid_before else 0.0
        if seconds != seconds:  # NaN
            if self._limit < math.inf:
                raise NasbenchError(
                    f"architecture {query.architecture} has no training time after "
                    f"{counted(query.epochs, 'epoch')}: give the budget in evaluations, or a "
                    "cost model"
                )
            paid = 0.0
        paid = 0.0 if free else paid
        return outcome if paid == seconds else Outcome(values, paid)

    def _recall(self, query: Query) -> Outcome | None:
        """What the journal knows of this ask, where that took a training."""
        assert self.journal
        known = self.journal.recall(query._asdict(), self._metrics)
        if known is None or self._looks_up:
            return None
        values = {k: math.nan if v is None else v for k, v in known["values"].items()}
        return Outcome(values, float(known["seconds"]))

    def _finish(self, evaluation: Evaluation) -> None:
        """Tell the strategy, and keep the evaluation."""
        watch = self.watch
        values, seconds = evaluation.outcome
        watch.since = before = time.perf_counter()
        try:
            # A copy that can be read: what was seen is the run's.
            self.strategy.tell(evaluation.query, Outcome(MappingProxyType({**values}), seconds))
        except BaseException as error:
            watch.since = math.inf
            raise failed(self.spec.strategy, "tell", error) from error
        watch.since = math.inf
        self.thinking_seconds += time.perf_counter() - before
        if watch.flagged:
            watch.settle()
        self.evaluations.append(evaluation)
        if self.progress:
            self.progress(evaluation)
