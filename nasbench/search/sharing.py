"""Runs that share weights: one strategy, supernet and seed, from the first step to a choice."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from nasbench._limits import LARGEST_SEED, MOST_EPOCHS, MOST_SECONDS
from nasbench._version import __version__
from nasbench.errors import BadValue, NasbenchError, StrategyError, Unsupported, shown
from nasbench.search.feasibility import check_feasible
from nasbench.search.goal import Budget, Goal, Limit, Outcome, Query, SoftTarget
from nasbench.search.guard import Watch, failed
from nasbench.search.oracle import Oracle, TableOracle, column_of
from nasbench.search.run_spec import plain
from nasbench.search.share_costs import Costs
from nasbench.search.share_journal import ShareJournal, ShareLine, fingerprint, numbers_of
from nasbench.search.share_prices import Prices
from nasbench.search.step import Schedule, SharingState, SharingStrategy, Step, StepOutcome
from nasbench.search.strategy import make_strategy, strategy_class
from nasbench.search.supernet_oracle import StepOracle, SupernetOracle
from nasbench.search.trainer_oracle import TrainerOracle
from nasbench.space import Space
from nasbench.table import Table

if TYPE_CHECKING:
    from nasbench.task import Task
    from nasbench.train.recipe import Recipe

__all__ = ["JUDGED", "JUDGED_IMAGES", "ShareSetting", "SharedRun", "judged_sample", "run_shared"]

METRIC = "valid_accuracy"
"""That is searched for."""

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


@dataclass(frozen=True)
class ShareSetting:
    """What the runs of several seeds share.

    Attributes:
        strategy: registered, and one that shares weights.
        space: of the architectures.
        task: to train on.
        name: of the recipe.
        recipe: gives batches and SGD; its learning rate and epochs are for single networks.
        table: prices the steps, and shows what training the best alone does; None: both are
            really done, and measured seconds are the price.
        epochs: passes over the training examples.
        parameters: the strategy's own.
        norm: whose statistics BatchNorm takes in a score, see `nasbench.train.shared.NORMS`.
        affine: whether scales and shifts inside cells are trained.
        engine: of the shared weights, or `auto`.
        budget_seconds: an end in seconds paid.
        limits: bounds that choices keep, of columns of the table.
        targets: soft bounds, which weigh inherited accuracy.
        preset: the name of the published protocol that it follows, see
            `nasbench.search.share_presets`; empty for none.
    """

    strategy: str
    space: Space
    task: Task
    name: str
    recipe: Recipe
    table: Table | None = None
    epochs: int = 10
    parameters: Mapping[str, Any] = field(default_factory=dict)
    norm: str = "batch"
    affine: bool = False
    engine: str = "auto"
    budget_seconds: float | None = None
    limits: tuple[Limit, ...] = ()
    targets: tuple[SoftTarget, ...] = ()
    preset: str = ""

    def __post_init__(self) -> None:
        cls = strategy_class(self.strategy)
        if not getattr(cls, "shares_weights", False):
            raise BadValue(
                f"{self.strategy} shares no weights: nasbench search and nasbench compare run it"
            )
        if "schedule" in self.parameters:
            raise BadValue("the schedule follows from the epochs: set epochs, not schedule")
        if "costs" in self.parameters:
            raise BadValue("costs are read from the table: set limits, or cost")
        if type(self.epochs) is not int or not 1 <= self.epochs <= MOST_EPOCHS:
            raise BadValue(
                f"shared weights are trained 1 to {MOST_EPOCHS:,} epochs, got {shown(self.epochs)}"
            )
        table = self.table
        if table is not None and table.space.describe() != self.space.describe():
            raise BadValue(
                f"{table.name} is of {table.space.name}, and the recipe of {self.space.name}: "
                f"name a table of that space"
            )
        self._check_costs()

    @property
    def priced(self) -> tuple[str, ...]:
        """The columns of costs that the run reads."""
        named = self.parameters.get("cost")
        own = (named,) if isinstance(named, str) and named else ()
        return tuple(dict.fromkeys((*self._bounded, *own)))

    @property
    def _bounded(self) -> list[str]:
        """The columns that have limits or soft targets."""
        return [*(one.metric for one in self.limits), *(one.metric for one in self.targets)]

    def _check_costs(self) -> None:
        """Refuse limits and costs that nothing can be known of, before anything is trained."""
        if not self.priced:
            return
        takes = "costs" in inspect.signature(strategy_class(self.strategy)).parameters
        if not takes:
            raise BadValue(
                f"{self.strategy} heeds no limits and no costs: strategies with a parameter costs "
                f"do, such as ofa, spos and fairnas"
            )
        if self.table is None:
            raise BadValue(
                f"{self.priced[0]} is a column of a table: name a table that has it, in place of "
                f"none"
            )
        recipe = self._queries(0).fidelities[0].recipe
        table = self.table

        def column(metric: str) -> NDArray[np.float64]:
            return column_of(table, metric, recipe)

        goal = Goal(METRIC, Budget(evaluations=1), (), limits=self.limits, targets=self.targets)
        check_feasible(goal, column, table.name)

    def make(self, seed: int) -> tuple[SupernetOracle, Goal]:
        """The oracle of one seed, and the goal."""
        from nasbench.train.shared import Sharing
        from nasbench.train.shared_native import make_shared

        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise BadValue(f"a seed is 0 or more and below 2**32, got {shown(seed)}")
        sharing = Sharing(self.norm, self.affine)
        shared = make_shared(self.space, self.task, self.recipe, seed, sharing, self.engine)
        queries, prices = self._queries(seed), None
        if self.table is not None:
            of = queries.fidelities[0].recipe
            prices = Prices(self.table, of, self.recipe.batch_size)
        budget = Budget(seconds=self.budget_seconds or MOST_SECONDS)
        goal = Goal(METRIC, budget, queries.fidelities, limits=self.limits, targets=self.targets)
        return SupernetOracle(shared, queries, prices), goal

    def begin(self, seed: int, oracle: StepOracle, goal: Goal) -> SharingStrategy:
        """The strategy at its start."""
        # Apart from the seeds of weights and batches, which are the supernet's own.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6,)))
        schedule = Schedule(self.epochs, oracle.steps_per_epoch)
        parameters = {**self.parameters, "schedule": schedule}
        if self.priced:
            assert self.table is not None
            parameters["costs"] = Costs(self.table, self.priced, goal.recipes[0].recipe)
        begun = make_strategy(self.strategy, oracle.space, goal, rng, parameters)
        return cast("SharingStrategy", begun)

    def _queries(self, seed: int) -> Oracle:
        if self.table is None:
            return TrainerOracle(self.space, self.task, self.name, self.recipe, seeds=(seed,))
        own = self.name if self.name in self.table.recipes else None
        return TableOracle(self.table, recipe=own, costs=self._bounded)

    def describe(self, seed: int, oracle: SupernetOracle) -> dict[str, Any]:
        """What a run is a function of; plain JSON values."""
        shared = oracle.shared
        # What is new stands in it only where it is used, so that old runs go on.
        goal = {
            "limits": [asdict(limit) for limit in self.limits],
            "targets": [asdict(target) for target in self.targets],
            "preset": self.preset,
        }
        return {
            **{name: value for name, value in goal.items() if value},
            "kind": "share",
            "strategy": self.strategy,
            "seed": seed,
            "parameters": plain(self.parameters),
            "schedule": {"epochs": self.epochs, "steps_per_epoch": oracle.steps_per_epoch},
            "sharing": {**asdict(shared.sharing), "engine": shared.engine},
            "space": dict(self.space.describe()),
            "task": {"name": self.task.name, "hash": self.task.hash},
            "recipe": {"name": self.name, **self.recipe.describe()},
            "prices": oracle.prices.describe() if oracle.prices else {"kind": "measured"},
            "queries": oracle.queries.describe(),
            "budget_seconds": self.budget_seconds,
            "version": __version__,
        }


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
        self._judged = judged_sample(oracle.space)
        self._paths = oracle.space.ops(self._judged).astype(np.int64)
        moments = np.linspace(0, setting.epochs, min(MOMENTS, setting.epochs) + 1)[1:]
        self._moments = [math.ceil(moment) for moment in moments]
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
        """Score the sample at the end of each of the moments, for reports: free of charge."""
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
