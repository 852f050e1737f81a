"""Early stopping around strategies: what is asked, paid and told, by hand and on whole runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Fidelity,
    Goal,
    Limit,
    Objective,
    Outcome,
    Query,
    RunSpec,
    SoftTarget,
    Strategy,
    make_strategy,
    search,
)
from nasbench.space import get
from strategies import curve_stopping
from strategies._learning_curves import forecast
from strategies.curve_stopping import CurveStopping

MINI = get("nb201-mini")
EPOCHS = 20
SECONDS = 3.0  # of an epoch


class Grown:
    """Curves that saturate: an architecture's end is its number's, and noise is on the way."""

    def __init__(self, shown: tuple[int, ...] = (), diverging: tuple[int, ...] = ()) -> None:
        self.space = MINI
        self.fidelities = (Fidelity("r", EPOCHS, shown),)
        self._diverging = diverging
        rng = np.random.default_rng(0)
        self.ends = rng.permutation(np.linspace(40, 90, MINI.size))
        fall = np.exp(-np.arange(EPOCHS) / 3)
        self.curves = self.ends[:, None] - 30 * fall + rng.normal(0, 0.3, (MINI.size, EPOCHS))

    def evaluate(self, query: Query) -> Outcome:
        value = float(self.curves[query.architecture, query.epochs - 1])
        if query.architecture in self._diverging and query.epochs >= 3:
            value = math.nan
        values = {"valid_accuracy": value, "valid_loss": 100 - value, "cost": 1.0 + value}
        return Outcome(values, SECONDS * query.epochs)

    def key(self, architecture: int) -> int:
        return architecture

    def describe(self) -> dict[str, Any]:
        return {"kind": "grown"}


class Wrapped:
    """Asks for these queries; keeps what it is told."""

    def __init__(self, queries: list[Query]) -> None:
        self.queries = list(queries)
        self.told: list[tuple[Query, Outcome]] = []

    def ask(self) -> Query | None:
        return self.queries.pop(0) if self.queries else None

    def tell(self, query: Query, outcome: Outcome) -> None:
        self.told.append((query, outcome))


Wrap = Callable[..., tuple[CurveStopping, Wrapped]]


@pytest.fixture
def wrap(monkeypatch: pytest.MonkeyPatch) -> Wrap:
    """Early stopping around a strategy that asks for these."""

    def make(goal: Goal, queries: list[Query], **own: Any) -> tuple[CurveStopping, Wrapped]:
        wrapped = Wrapped(queries)
        monkeypatch.setattr(curve_stopping, "make_strategy", lambda *_: wrapped)
        return CurveStopping(MINI, goal, np.random.default_rng(0), **own), wrapped

    return make


def _goal(oracle: Grown, metric: str = "valid_accuracy", **more: Any) -> Goal:
    return Goal(metric, Budget(evaluations=10**6), oracle.fidelities, **more)


def _play(strategy: Strategy, oracle: Grown) -> list[Query]:
    """Every query, answered at once; a continued one is charged the difference."""
    asked: list[Query] = []
    paid: dict[int, float] = {}
    while (query := strategy.ask()) is not None:
        asked.append(query)
        outcome = oracle.evaluate(query)
        before = paid.get(query.architecture, 0.0) if query.resume else 0.0
        paid[query.architecture] = outcome.seconds
        strategy.tell(query, Outcome(outcome.values, outcome.seconds - before))
    return asked


def _by_worth(oracle: Grown) -> tuple[int, int, int]:
    """The best architecture, a middling one and the worst."""
    order = np.argsort(oracle.ends)
    return int(order[-1]), int(order[len(order) // 2]), int(order[0])


def test_checkpoints_continue_and_the_difference_is_paid(wrap: Wrap) -> None:
    oracle = Grown()
    goal = _goal(oracle)
    best, _, worst = _by_worth(oracle)
    strategy, wrapped = wrap(goal, [goal.query(worst), goal.query(best)], interval=6)
    # Nothing is stopped before anything is finished, nor what becomes the best.
    asked = _play(strategy, oracle)
    steps = [(6, False), (12, True), (18, True), (20, True)]
    assert asked == [Query(a, "r", e, resume) for a in (worst, best) for e, resume in steps]
    assert wrapped.told == [(goal.query(a), oracle.evaluate(goal.query(a))) for a in (worst, best)]


@pytest.mark.parametrize("metric", ["valid_accuracy", "valid_loss"])
def test_what_will_not_win_is_stopped_and_told_its_expected_end(metric: str, wrap: Wrap) -> None:
    oracle = Grown()
    goal = _goal(oracle, metric, maximize=metric == "valid_accuracy")
    best, middle, worst = _by_worth(oracle)
    queries = [goal.query(a) for a in (best, worst, middle, best)]
    strategy, wrapped = wrap(goal, queries)
    asked = _play(strategy, oracle)
    assert [query for query, _ in wrapped.told] == queries
    for (query, outcome), whole in zip(wrapped.told, (True, False, False, True), strict=True):
        epochs = [q.epochs for q in asked if q.architecture == query.architecture]
        assert outcome.seconds == SECONDS * epochs[-1]
        assert (epochs[-1] == EPOCHS) == whole
        assert epochs[-1] >= 5
        seen = oracle.evaluate(query._replace(epochs=epochs[-1]))
        told = dict(outcome.values)
        if not whole:
            sign = 1 if goal.maximize else -1
            curves = oracle.curves if goal.maximize else oracle.curves - 100
            curve = curves[query.architecture, : epochs[-1]]
            unit = max(np.ptp(curves[best]), np.ptp(curve))
            end = forecast(range(1, epochs[-1] + 1), curve, EPOCHS, unit)
            assert told.pop(metric) == pytest.approx(sign * min(end.mean, curves[best, -1]))
        # The other metrics are as last seen.
        assert told == {name: seen.values[name] for name in told}


def test_a_worse_start_is_stopped_sooner(wrap: Wrap) -> None:
    oracle = Grown()
    goal = _goal(oracle)
    order = np.argsort(-oracle.ends)
    strategy, wrapped = wrap(goal, [goal.query(int(a)) for a in order])
    _play(strategy, oracle)
    seconds = np.asarray([outcome.seconds for _, outcome in wrapped.told])
    assert seconds[0] == SECONDS * EPOCHS
    assert seconds[-60:].mean() < 0.5 * SECONDS * EPOCHS
    assert seconds[-60:].mean() < seconds[1:10].mean()


def test_an_expected_end_is_no_better_than_the_best(
    wrap: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wild:
        mean = 1e6

        def chance_above(self, value: float) -> float:
            return 0.01

    monkeypatch.setattr(curve_stopping, "forecast", lambda *_: Wild())
    oracle = Grown()
    goal = _goal(oracle)
    strategy, wrapped = wrap(goal, [goal.query(0), goal.query(1)])
    _play(strategy, oracle)
    assert wrapped.told[1][1].values["valid_accuracy"] == oracle.curves[0, -1]


def test_the_measure_is_the_best_that_was_finished(
    wrap: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = []

    class Hopeful:
        def chance_above(self, value: float) -> float:
            needed.append(value)
            return 1.0

    monkeypatch.setattr(curve_stopping, "forecast", lambda *_: Hopeful())
    oracle = Grown()
    goal = _goal(oracle)
    strategy, _ = wrap(goal, [goal.query(a) for a in range(6)], interval=4)
    _play(strategy, oracle)
    assert not needed  # five points are the end
    strategy, _ = wrap(goal, [goal.query(a) for a in range(6)], interval=3)
    _play(strategy, oracle)
    best = np.maximum.accumulate(oracle.curves[:6, -1])
    assert needed == np.repeat(best[:-1], 2).tolist()  # after 15 and 18 epochs


def test_a_diverged_training_is_told_at_once(wrap: Wrap) -> None:
    oracle = Grown(diverging=(7,))
    goal = _goal(oracle)
    strategy, wrapped = wrap(goal, [goal.query(7)])
    assert [query.epochs for query in _play(strategy, oracle)] == [1, 2, 3]
    ((query, outcome),) = wrapped.told
    assert query == goal.query(7)
    assert math.isnan(outcome.values["valid_accuracy"])
    assert outcome.seconds == 3 * SECONDS


def test_what_breaks_a_limit_is_nobodys_measure(wrap: Wrap) -> None:
    """The best one costs too much: a middling one is not stopped for its sake."""
    oracle = Grown()
    best, middle, worst = _by_worth(oracle)
    goal = _goal(oracle, limits=(Limit("cost", oracle.ends[middle] + 5),))
    strategy, wrapped = wrap(goal, [goal.query(a) for a in (best, middle, worst)])
    _play(strategy, oracle)
    whole = [outcome.seconds == SECONDS * EPOCHS for _, outcome in wrapped.told]
    assert whole == [True, True, False]


def test_soft_targets_weigh_what_is_needed(wrap: Wrap) -> None:
    """Two curves as good as each other: the one whose cost is beyond its target is stopped."""

    class Priced(Grown):
        def evaluate(self, query: Query) -> Outcome:
            value = float(self.curves[0, query.epochs - 1])
            ms = 10.0 if query.architecture == 1 else 1.0
            return Outcome({"valid_accuracy": value, "ms": ms}, SECONDS * query.epochs)

    oracle = Priced()
    for targets, stopped in (((), False), ((SoftTarget("ms", 1.0, 0.0, -1.0),), True)):
        goal = _goal(oracle, targets=targets)
        strategy, wrapped = wrap(goal, [goal.query(0), goal.query(1)])
        _play(strategy, oracle)
        assert (wrapped.told[1][1].seconds < SECONDS * EPOCHS) == stopped


@pytest.mark.parametrize(
    "name",
    [
        "regularized_evolution",
        pytest.param("random_search", marks=pytest.mark.slow),
        pytest.param("hyperband", marks=pytest.mark.slow),
    ],
)
def test_with_no_threshold_nothing_changes_for_the_wrapped(name: str) -> None:
    """Told the same, it asks the same; only the checkpoints lie between."""
    oracle = Grown()
    spec = RunSpec(name, Goal("valid_accuracy", Budget(evaluations=120), oracle.fidelities), 3)
    plain = search(spec, oracle)
    longer = Goal("valid_accuracy", Budget(evaluations=2400), oracle.fidelities)
    parameters = {"strategy": name, "threshold": 0.0}
    wrapping = make_strategy("curve_stopping", MINI, longer, spec.rng(), parameters)
    run = search(RunSpec("curve_stopping", longer, 3, parameters), oracle, strategy=wrapping)
    finished = [e.query._replace(resume=False) for e in run.evaluations if e.query.epochs == EPOCHS]
    wanted = [e.query._replace(resume=False) for e in plain.evaluations if e.query.epochs == EPOCHS]
    assert wanted
    assert finished[: len(wanted)] == wanted


def test_where_the_end_alone_is_shown_it_is_the_wrapped_strategy() -> None:
    oracle = Grown(shown=(EPOCHS,))
    spec = RunSpec("reinforce", _goal(oracle), 0)
    goal = spec.goal
    parameters = {"strategy": "reinforce", "parameters": {"learning_rate": 0.1}}
    wrapping = make_strategy("curve_stopping", MINI, goal, spec.rng(), parameters)
    plain = make_strategy("reinforce", MINI, goal, spec.rng(), {"learning_rate": 0.1})
    for _ in range(60):
        query = plain.ask()
        assert query is not None
        assert wrapping.ask() == query
        for strategy in (plain, wrapping):
            strategy.tell(query, oracle.evaluate(query))


def test_checkpoints_lie_where_something_is_shown(wrap: Wrap) -> None:
    oracle = Grown(shown=(3, 7, 8, 20))
    goal = _goal(oracle)
    strategy, _ = wrap(goal, [goal.query(5)], interval=4)
    assert [query.epochs for query in _play(strategy, oracle)] == [7, 8, 20]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 6), free=st.booleans())
def test_every_query_is_told_once_whatever_the_order(seed: int, workers: int, free: bool) -> None:
    """On whole runs, with repeats and several workers: seconds told are seconds paid."""
    oracle = Grown(diverging=tuple(range(0, 125, 9)))
    goal = Goal("valid_accuracy", Budget(evaluations=200), oracle.fidelities)
    parameters = {"strategy": "regularized_evolution", "parameters": {"population_size": 5}}
    repeats = "free" if free else "paid"
    spec = RunSpec("curve_stopping", goal, seed, parameters, workers, repeats)
    strategy = make_strategy("curve_stopping", MINI, goal, spec.rng(), parameters)
    assert isinstance(strategy, CurveStopping)
    wrapped = strategy._wrapped
    wanted: list[Query] = []
    told: list[tuple[Query, Outcome]] = []
    ask, tell = wrapped.ask, wrapped.tell
    wrapped.ask = lambda: wanted.append(ask()) or wanted[-1]  # type: ignore[method-assign, func-returns-value]
    wrapped.tell = lambda q, o: told.append((q, o)) or tell(q, o)  # type: ignore[method-assign, func-returns-value]
    run = search(spec, oracle, strategy=strategy)
    assert all(query == goal.query(query.architecture) for query in wanted)
    for query, _ in told:
        wanted.remove(query)
    assert len(wanted) <= workers + len(strategy._ready)
    paid = sum(e.outcome.seconds for e in run.evaluations)
    waiting = sum(training.seconds for training in strategy._ready)
    unfinished = [t for kept in strategy._open._kept.values() for t in kept]
    begun = sum(training.seconds for training in unfinished)
    assert sum(o.seconds for _, o in told) + waiting + begun == pytest.approx(paid)


def test_it_trains_more_for_the_same_seconds_and_finds_no_worse() -> None:
    oracle = Grown()
    goal = Goal("valid_accuracy", Budget(seconds=30 * SECONDS * EPOCHS), oracle.fidelities)
    more, ends = [], []
    for seed in range(6):
        found = []
        for name in ("random_search", "curve_stopping"):
            run = search(RunSpec(name, goal, seed), oracle).trace()
            found.append((len(set(run.architectures.tolist())), run.incumbents()[-1]))
        more.append(found[1][0] / found[0][0])
        ends.append(oracle.ends[found[1][1]] - oracle.ends[found[0][1]])
    assert min(more) > 1.3
    assert np.mean(ends) > 0


@pytest.mark.parametrize(
    ("parameters", "goal", "why"),
    [
        ({"strategy": "randomsearch"}, {}, "unknown strategy 'randomsearch'; did you mean random"),
        ({"parameters": {"size": 3}}, {}, "unknown parameter of random_search 'size'"),
        ({"parameters": "repeats"}, {}, "parameters are values by name, got 'repeats'"),
        ({"threshold": 1.0}, {}, r"threshold must be in \[0, 1\), got 1.0"),
        ({"interval": 0}, {}, "interval must be an integer of 1 or more, got 0"),
        ({"interval": 2.0}, {}, "interval must be an integer of 1 or more, got 2.0"),
        ({}, {"objectives": (Objective("cost", maximize=False),)}, "a goal of one objective"),
    ],
)
def test_bad_parameters_are_one_sentence(
    parameters: dict[str, Any], goal: dict[str, Any], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why) as told:
        make_strategy(
            "curve_stopping", MINI, _goal(Grown(), **goal), np.random.default_rng(0), parameters
        )
    assert "\n" not in str(told.value)
