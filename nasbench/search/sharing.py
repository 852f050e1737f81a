"""Runs that share weights: one strategy, supernet and seed, from the first step to a choice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, StrategyError, Unsupported, shown
from nasbench.search.goal import Outcome, Query
from nasbench.search.guard import Watch, failed
from nasbench.search.share_journal import ShareJournal, ShareLine, fingerprint, numbers_of
from nasbench.search.share_setting import ShareSetting
from nasbench.search.step import Schedule, SharingState, SharingStrategy, Step, StepOutcome
from nasbench.search.supernet_oracle import StepOracle
from nasbench.space import Space

__all__ = ["JUDGED", "JUDGED_IMAGES", "SharedRun", "judged_sample", "run_shared"]

JUDGED = 200
"""Distinct architectures whose inherited losses are compared with the table for reports."""

JUDGED_IMAGES = 1000
"""Validation examples that they are scored on, always the same."""

MOMENTS = 5
"""How often in a training they are."""


PATIENT = 2.0
"""Seconds of passes after which the weights are kept anew: so much is done again after a kill."""

Told = Callable[[int, int], None]
"""Called with the training steps that are done and those in all."""


class SharedRun(NamedTuple):
    """A run that shares weights, as its journal has it.

    Attributes:
        spec: what it was.
        lines: requests and what was judged, in their order.
        ended: why it ended, in a phrase.
    """

    spec: dict[str, Any]
    lines: list[ShareLine]
    ended: str

    @property
    def choice(self) -> int | None:
        """The architecture that was chosen at the end."""
        return self.lines[-1].choice if self.lines else None

    @property
    def seconds(self) -> float:
        """Paid in all."""
        return self.lines[-1].clock if self.lines else 0.0


def judged_sample(space: Space) -> NDArray[np.int64]:
    """The architectures whose inherited losses are judged: the same for all runs on a space."""
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(JUDGED,)))
    if not space.listable:
        return np.asarray(sorted(set(space.sample(rng, JUDGED).tolist())))
    distinct = np.asarray(space.representatives)
    n = min(JUDGED, len(distinct))
    return np.sort(rng.choice(distinct, n, replace=False)).astype(np.int64)


def run_shared(
    setting: ShareSetting,
    seed: int,
    journal: Path,
    *,
    progress: Told | None = None,
) -> SharedRun:
    """Train shared weights and choose by them, as a strategy says.

    A run that was stopped goes on from its journal and its last checkpoint, to the same bytes.

    Args:
        setting: what is run.
        seed: of the weights, the order of examples and the strategy.
        journal: a file that keeps every request; the weights are kept beside it.
        progress: called after each request.

    Raises:
        NasbenchError: where the journal is of another run, or what is done again differs.
        StrategyError: where the strategy breaks its contract.
    """
    oracle, goal = setting.make(seed)
    strategy = setting.begin(seed, oracle, goal)
    spec = setting.describe(seed, oracle)
    kept = ShareJournal(journal, spec)
    try:
        run = _Sharing(setting, strategy, oracle, kept, progress)
        begun = time.process_time()
        ended = run.run()
        if run.anew:
            kept.note(
                {
                    "ended_by": ended,
                    "pass_seconds": round(oracle.pass_seconds, 6),
                    "cpu_seconds": round(time.process_time() - begun, 6),
                }
            )
    finally:
        kept.close()
    return SharedRun(spec, run.lines, ended)


class _Sharing:
    """The state of one run."""

    def __init__(
        self,
        setting: ShareSetting,
        strategy: SharingStrategy,
        oracle: StepOracle,
        kept: ShareJournal,
        progress: Told | None,
    ) -> None:
        self.name = setting.strategy
        self.strategy = strategy
        self.oracle = oracle
        self.lines: list[ShareLine] = []
        self.anew = 0
        self._kept = kept
        self._progress = progress
        self._limit = setting.budget_seconds or math.inf
        self._schedule = Schedule(setting.epochs, oracle.steps_per_epoch)
        # Losses say how well they rank beside a table, and nothing without one.
        judged = judged_sample(oracle.space)[: 0 if setting.table is None else None]
        self._paths = oracle.space.ops(judged).astype(np.int64)
        moments = np.linspace(0, setting.epochs, min(MOMENTS, setting.epochs) + 1)[1:]
        self._moments = [math.ceil(moment) for moment in moments] if oracle.judges else []
        self._restored = 0
        self._saved_seconds = oracle.pass_seconds

    def run(self) -> str:
        """Run to the end; why it ended."""
        arrays, lines = self._kept.load()
        if arrays is not None:
            self._restore(arrays, lines)
        with Watch(self.name) as watch:
            self._watch = watch
            while True:
                asked = self._call("ask", self.strategy.ask)
                if asked is None:
                    ended = "the strategy is done"
                    break
                if not isinstance(asked, Step | Query):
                    raise StrategyError(
                        f"strategy {self.name} asked for {shown(asked)}, which is neither a step "
                        f"nor a query"
                    )
                if not self._affordable(asked):
                    ended = "seconds"
                    break
                self._answer(asked)
                self._judge()
        if len(self.lines) < len(self._kept.known):
            raise self._kept.diverged(len(self.lines))
        return ended

    def _restore(self, arrays: Mapping[str, Any], lines: int) -> None:
        from nasbench.train.shared import SharedState

        try:
            self.oracle.restore(SharedState(**arrays))
        except (TypeError, ValueError, Unsupported):
            return  # a stranger's file: the training is done again
        self._restored = lines

    def _affordable(self, asked: Step | Query) -> bool:
        """Whether a request ends within the budget; one of unknown price does."""
        clock = self.lines[-1].clock if self.lines else 0.0
        if isinstance(asked, Query):
            return clock + self._trained_alone(asked).seconds <= self._limit
        try:
            price = self.oracle.price(asked) if self._limit < math.inf else None
        except NasbenchError as error:
            raise self._no_step(error) from None
        return clock + (price or 0.0) <= self._limit

    def _trained_alone(self, asked: Query) -> Outcome:
        known = self._known()
        if known is not None and known.kind == "query":
            return known.outcome()
        return self.oracle.evaluate(asked)

    def _known(self) -> ShareLine | None:
        """The line that the journal has in the next place."""
        place = len(self.lines)
        return self._kept.known[place] if place < len(self._kept.known) else None

    def _answer(self, asked: Step | Query) -> None:
        """Run a request, or take what the journal says of it, and show it to the strategy."""
        known = self._known()
        kind = "step" if isinstance(asked, Step) else "query"
        mark = fingerprint(asked)
        if known is not None and (known.kind, known.asked) != (kind, mark):
            raise self._kept.diverged(len(self.lines))
        outcome: StepOutcome | Outcome
        if isinstance(asked, Query):
            outcome = self._trained_alone(asked)
            answer = {k: None if v != v else float(v) for k, v in outcome.values.items()}
        else:
            outcome, answer = self._step(asked, known)
        self._call("tell", self.strategy.tell, asked, outcome)
        self._add(kind, mark, answer, outcome.seconds, known)

    def _step(self, asked: Step, known: ShareLine | None) -> tuple[StepOutcome, dict[str, Any]]:
        if known is not None and len(self.lines) < self._restored:
            return known.step_outcome(), dict(known.answer)
        try:
            outcome = self.oracle.run(asked)
        except StrategyError:
            raise
        except NasbenchError as error:
            raise self._no_step(error) from None
        named = (("accuracy", outcome.accuracy), ("gradient", outcome.gradient))
        answer = {"loss": numbers_of(outcome.loss)}
        answer |= {name: numbers_of(array) for name, array in named if array is not None}
        if known is not None:  # done again
            if known.answer != answer:
                raise self._kept.diverged(len(self.lines))
            return known.step_outcome(), answer
        return outcome, answer

    def _no_step(self, error: NasbenchError) -> StrategyError:
        return StrategyError(f"strategy {self.name} asked for a step that cannot be run: {error}")

    def _add(
        self,
        kind: str,
        mark: Any,
        answer: Mapping[str, Any],
        seconds: float,
        known: ShareLine | None,
    ) -> None:
        """One more line, of a run that is replayed or anew."""
        clock = (self.lines[-1].clock if self.lines else 0.0) + seconds
        state = self._call("state", self.strategy.state)
        if not isinstance(state, SharingState):
            raise StrategyError(f"strategy {self.name} has a state that is no SharingState")
        choice = None if state.architecture is None else int(state.architecture)
        if choice is not None and not 0 <= choice < self.oracle.space.size:
            raise StrategyError(
                f"strategy {self.name} chose {shown(choice)}, which is no architecture of "
                f"{self.oracle.space.name}"
            )
        trained = self.oracle.trained if known is None else known.trained
        also = {str(name): int(of) for name, of in state.also.items()} or None
        line = ShareLine(kind, mark, answer, seconds, clock, choice, trained, also)
        if known is None:
            self._kept.keep(line)
            self.anew += 1
        elif known != line:
            raise self._kept.diverged(len(self.lines))
        self.lines.append(line)
        if len(self.lines) > self._restored:
            self._save()
        if self._progress:
            self._progress(min(trained, self._schedule.steps), self._schedule.steps)

    def _save(self) -> None:
        """Keep the weights where enough was done since they were."""
        done = self.oracle.pass_seconds - self._saved_seconds
        if done >= PATIENT and len(self.lines) >= len(self._kept.known):
            self._kept.save(self.oracle.state(), len(self.lines))
            self._saved_seconds = self.oracle.pass_seconds

    def _judge(self) -> None:
        """Score the sample at the end of each of the moments, for reports: free of charge.

        Without a table only what the strategy is sure of is kept.
        """
        epoch = self.lines[-1].trained // self._schedule.steps_per_epoch
        if not self._moments or epoch < self._moments[0]:
            return
        while self._moments and self._moments[0] <= epoch:
            self._moments.pop(0)
        known = self._known()
        state = self._call("state", self.strategy.state)
        if known is not None:
            if (known.kind, known.asked) != ("judge", epoch):
                raise self._kept.diverged(len(self.lines))
            answer: Mapping[str, Any] = known.answer
        else:
            losses = np.empty(0, dtype=np.float32)
            if len(self._paths):
                losses = self.oracle.judge(self._paths, JUDGED_IMAGES)
            answer = {"loss": numbers_of(losses), **self._sureness(state)}
        self._add("judge", epoch, answer, 0.0, known)

    def _sureness(self, state: SharingState) -> dict[str, Any]:
        """What a report shows of a state: probabilities, what is lost by discretising, curvature.

        The gap is the validation loss along the chosen path less that of the mixture, both with
        the shared weights as they are.
        """
        found: dict[str, Any] = {}
        if state.probabilities is not None:
            mixture = state.probabilities.astype(np.float32)
            found["probabilities"] = numbers_of(mixture)
            if state.architecture is not None:
                path = self.oracle.space.ops(np.asarray([state.architecture])).astype(np.int64)
                mixed = self.oracle.judge_mixture(mixture, JUDGED_IMAGES)
                alone = float(self.oracle.judge(path, JUDGED_IMAGES)[0])
                if mixed is not None and math.isfinite(alone - mixed):
                    found["gap"] = float(np.float32(alone - mixed))
        if state.eigenvalue is not None and math.isfinite(state.eigenvalue):
            found["eigenvalue"] = float(np.float32(state.eigenvalue))
        return found

    def _call(self, what: str, method: Callable[..., Any], *given: Any) -> Any:
        """Call the strategy; what it raises is one sentence, and what never ends is stopped."""
        self._watch.since = time.perf_counter()
        try:
            found = method(*given)
        except BaseException as error:  # a third party's code can fail in any way
            raise failed(self.name, what, error) from error
        finally:
            self._watch.since = math.inf
        if self._watch.flagged:
            self._watch.settle()
        return found
