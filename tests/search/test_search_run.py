"""A run: budgets, what is paid, repeats, divergence, and strategies that ask nonsense."""

from __future__ import annotations

import math
import zlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import EPOCHS, MINI, MadeUpOracle, Scripted, spec, whole

from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Evaluation,
    Fidelity,
    Limit,
    Query,
    RunSpec,
    loop,
    make_strategy,
    search,
)
from nasbench.search.testing import ToyOracle
from nasbench.space import get

# The budget.


@pytest.mark.parametrize("workers", [1, 4])
def test_budget_in_evaluations_is_exact(workers: int) -> None:
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: 1.0 + architecture % 3)
    run = search(spec(Budget(evaluations=17), workers=workers), oracle)
    assert len(run.evaluations) == len(oracle.asked) == 17
    assert run.ended == "evaluations"


@pytest.mark.parametrize(("limit", "told"), [(12.0, 3), (math.nextafter(12.0, 0), 2), (15.9, 3)])
def test_budget_in_seconds_is_exact(limit: float, told: int) -> None:
    """An evaluation that ends with the budget counts, one that ends just after it does not."""
    run = search(spec(Budget(seconds=limit)), MadeUpOracle())  # 4 seconds each
    assert [e.finished for e in run.evaluations] == [4.0, 8.0, 12.0][:told]
    assert run.ended == "seconds"


def test_what_ends_too_late_is_not_told() -> None:
    strategy = Scripted([whole(1), whole(100), whole(2)])
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: float(architecture))
    run = search(spec(Budget(seconds=50), workers=2), oracle, strategy=strategy)
    assert [query.architecture for query, _ in strategy.told] == [1, 2]
    assert [e.query.architecture for e in run.evaluations] == [1, 2]


@pytest.mark.parametrize(
    "budget", [{}, {"evaluations": 0}, {"seconds": -1.0}, {"seconds": math.nan}]
)
def test_budgets_of_nothing_are_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(NasbenchError, match="a budget"):
        Budget(**budget)


@pytest.mark.parametrize("name", ["random_search", "regularized_evolution", "reinforce"])
def test_one_worker_is_the_sequential_definition(name: str) -> None:
    """ask, evaluate, pay, tell, until the budget is spent."""
    space = get("nb201")
    oracle = ToyOracle(space, diverging=0.1)
    of = spec(Budget(seconds=400.0), strategy=name, seed=3)
    of = RunSpec(name, of.goal, 3)
    object.__setattr__(of.goal, "recipes", oracle.fidelities)
    run = search(of, oracle)

    oracle = ToyOracle(space, diverging=0.1)
    strategy = make_strategy(name, space, of.goal, of.rng())
    now, expected = 0.0, []
    while True:
        query = strategy.ask()
        assert query is not None
        outcome = oracle.evaluate(query)
        if now + outcome.seconds > 400:
            break
        expected.append((query, now, now + outcome.seconds))
        now += outcome.seconds
        strategy.tell(query, outcome)
    assert [(e.query, e.started, e.finished) for e in run.evaluations] == expected


def test_strategies_of_one_seed_draw_apart() -> None:
    goal = spec().goal
    draws = {RunSpec(name, goal, 5).rng().integers(2**62) for name in ("a", "b", "c")}
    assert len(draws) == 3
    assert RunSpec("a", goal, 5).rng().random() == RunSpec("a", goal, 5).rng().random()


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_generators_and_what_they_spawn_are_numpy_s_for_a_spawn_key(seed: int) -> None:
    of = RunSpec("a", spec(Budget(evaluations=1)).goal, seed)
    name = zlib.crc32(b"a")
    for mine, key in ((of.rng(), (name,)), (of.failure_rng(), (name, 1))):
        numpy_s = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        assert mine.bit_generator.state == numpy_s.bit_generator.state
        (child,), (numpy_s_child,) = mine.spawn(1), numpy_s.spawn(1)
        assert child.bit_generator.state == numpy_s_child.bit_generator.state


# What is paid.


@st.composite
def _scripts(draw: st.DrawFn) -> list[Query]:
    """Queries that start anew or resume, the first of them saying whether repeats are free."""
    queries: list[Query] = []
    free = draw(st.booleans())
    for _ in range(draw(st.integers(1, 12))):
        architecture = draw(st.integers(0, 2))
        epochs = draw(st.integers(1, EPOCHS))
        queries.append(Query(architecture, "r", epochs, draw(st.booleans())))
    return [Query(0, "free" if free else "paid", 1), *queries]


@given(_scripts())
def test_resumed_queries_pay_the_difference_and_restarts_pay_again(script: list[Query]) -> None:
    repeats, queries = script[0].recipe, script[1:]
    price = {epochs: 2.0**epochs for epochs in range(EPOCHS + 1)}  # of the first so many epochs
    price[0] = 0.0
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: price[epochs] * (architecture + 1))
    run = search(spec(repeats=repeats), oracle, strategy=Scripted(queries))

    left_at: dict[int, int] = {}
    trained: dict[int, set[int]] = {}
    now = 0.0
    for query, evaluation in zip(queries, run.evaluations, strict=True):
        a = query.architecture
        repeat = any(epochs >= query.epochs for epochs in trained.get(a, ()))
        if repeats == "free" and repeat:
            paid = 0.0
        else:
            left = left_at.get(a, 0)
            # What went further than this cannot be continued to it.
            before = price[left] if query.resume and left <= query.epochs else 0.0
            paid = (price[query.epochs] - before) * (a + 1)
            left_at[a] = query.epochs
            trained.setdefault(a, set()).add(query.epochs)
        assert (evaluation.outcome.seconds, evaluation.repeat) == (paid, repeat)
        assert (evaluation.started, evaluation.finished) == (now, now + paid)
        now += paid


def test_a_resumed_training_never_takes_less_than_no_time() -> None:
    """A training timed anew may turn out shorter than what was paid for its first part."""
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: 10.0 if epochs == 1 else 8.0)
    queries = [Query(5, "r", 1), Query(5, "r", 2, resume=True), Query(6, "r", 1)]
    run = search(spec(), oracle, strategy=Scripted(queries))
    assert [e.finished for e in run.evaluations] == [10.0, 10.0, 20.0]


# Repeats.


def test_paid_repeats_are_paid_and_count() -> None:
    queries = [whole(3), whole(3), whole(4), whole(3)]
    run = search(spec(Budget(evaluations=4)), MadeUpOracle(), strategy=Scripted(queries))
    assert [e.repeat for e in run.evaluations] == [False, True, False, True]
    assert [e.outcome.seconds for e in run.evaluations] == [4.0] * 4
    trace = run.trace()
    assert (trace.evaluations, trace.repeats.sum()) == (4, 2)


def test_free_repeats_are_told_but_neither_paid_nor_counted() -> None:
    strategy = Scripted([whole(3), whole(3), whole(4), whole(3), whole(5), whole(6)])
    run = search(spec(Budget(evaluations=3), repeats="free"), MadeUpOracle(), strategy=strategy)
    assert [q.architecture for q, _ in strategy.told] == [3, 3, 4, 3, 5]
    assert [o.seconds for _, o in strategy.told] == [4.0, 0.0, 4.0, 0.0, 4.0]
    assert [o.values["valid_accuracy"] for _, o in strategy.told] == [3, 3, 4, 3, 5]
    trace = run.trace()
    assert (trace.evaluations, trace.repeats.sum(), run.ended) == (3, 2, "evaluations")


def test_equal_networks_are_repeats() -> None:
    oracle = ToyOracle(MINI)
    oracle.key = MINI.canonical  # type: ignore[method-assign]
    twins = np.flatnonzero(MINI.classes == np.bincount(MINI.classes).argmax())[:2].tolist()
    goal = spec().goal
    object.__setattr__(goal, "recipes", oracle.fidelities)
    queries = [Query(a, "toy", EPOCHS) for a in twins]
    run = search(RunSpec("random_search", goal, 0), oracle, strategy=Scripted(queries))
    assert [e.repeat for e in run.evaluations] == [False, True]


def test_only_free_repeats_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FREE_IN_A_ROW", 7)
    queries = [whole(1), whole(1), whole(2), *[whole(1)] * 50]
    run = search(spec(repeats="free"), MadeUpOracle(), strategy=Scripted(queries))
    assert len(run.evaluations) == 3 + 7
    assert run.ended == "7 queries in a row that cost nothing"


def test_resuming_to_where_it_stands_ends_the_search_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paid nothing, so that no budget in seconds would ever be spent."""
    monkeypatch.setattr(loop, "FREE_IN_A_ROW", 7)
    queries = [Query(1, "r", 2, resume=True)] * 50
    run = search(spec(Budget(seconds=100.0)), MadeUpOracle(), strategy=Scripted(queries))
    assert len(run.evaluations) == 1 + 7


def test_running_trainings_are_told_before_free_repeats_end_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "FREE_IN_A_ROW", 7)
    strategy = Scripted([whole(1), whole(99), *[whole(1)] * 50])
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: float(architecture))
    run = search(spec(workers=2, repeats="free"), oracle, strategy=strategy)
    assert strategy.told[-1][0].architecture == 99
    assert run.evaluations[-1].finished == 99.0


def test_free_repeat_of_a_running_training_waits_for_its_end() -> None:
    """Nobody sees an accuracy before the simulated second in which it is known."""
    run = search(
        spec(workers=2, repeats="free"),
        MadeUpOracle(seconds=lambda architecture, epochs: float(architecture)),
        strategy=Scripted([whole(50), whole(50), whole(7)]),
    )
    told = [(e.query.architecture, e.started, e.finished, e.repeat) for e in run.evaluations]
    assert told == [(50, 0.0, 50.0, False), (50, 0.0, 50.0, True), (7, 50.0, 57.0, False)]


def test_resumed_training_waits_for_what_it_continues() -> None:
    queries = [Query(9, "r", 1), Query(9, "r", 3, resume=True)]
    run = search(spec(workers=2), MadeUpOracle(), strategy=Scripted(queries))
    assert [(e.finished, e.outcome.seconds) for e in run.evaluations] == [(1.0, 1.0), (3.0, 2.0)]


def test_unknown_ways_to_count_repeats_are_refused() -> None:
    with pytest.raises(
        NasbenchError, match="unknown way to count repeats 'fre'; did you mean free"
    ):
        spec(repeats="fre")


# Divergence, limits, incumbents.


def test_diverged_trainings_are_told_as_nan_and_never_win() -> None:
    def value(architecture: int, epochs: int) -> float:
        return math.nan if architecture == 2 else float(architecture)

    strategy = Scripted([whole(2), whole(1), whole(2), whole(3)])
    run = search(spec(), MadeUpOracle(value=value), strategy=strategy)
    assert [math.isnan(o.values["valid_accuracy"]) for _, o in strategy.told] == [
        True,
        False,
        True,
        False,
    ]
    trace = run.trace()
    assert trace.rewards.tolist() == [-math.inf, 1, -math.inf, 3]
    assert trace.incumbents().tolist() == [-1, 1, 1, 3]


def test_broken_limits_are_worth_nothing() -> None:
    of = spec(limits=(Limit("train_loss", 0.5),))
    run = search(of, MadeUpOracle(), strategy=Scripted([whole(9)]))
    assert run.trace().rewards.tolist() == [-math.inf]


def test_less_can_be_better() -> None:
    run = search(spec(maximize=False), MadeUpOracle(), strategy=Scripted(map(whole, (9, 4, 7))))
    assert run.trace().incumbents().tolist() == [9, 4, 4]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.integers(1, 3), st.sampled_from([-math.inf, 1.0, 2.0, 3.0])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_incumbents_against_the_definition(told: list[tuple[int, int, float]]) -> None:
    """Of those with a reward the longest trained, of these the best, of these the first."""
    reward = {(n, e): r for n, (_, e, r) in enumerate(told)}
    queries = [Query(n, "r", epochs) for n, (_, epochs, _) in enumerate(told)]

    def value(architecture: int, epochs: int) -> float:
        r = reward[architecture, epochs]
        return math.nan if r == -math.inf else r

    run = search(spec(), MadeUpOracle(value=value), strategy=Scripted(queries))
    for n, incumbent in enumerate(run.trace().incumbents().tolist()):
        seen = [(epochs, r, -i) for i, (_, epochs, r) in enumerate(told[: n + 1]) if r > -math.inf]
        assert incumbent == (-max(seen)[2] if seen else -1)


# Nonsense.


@pytest.mark.parametrize(
    "nonsense",
    [
        7,
        "architecture 7",
        (7, "r", 4),
        whole(-1),
        whole(MINI.size),
        Query(1.5, "r", 4),  # type: ignore[arg-type]
        Query("1", "r", 4),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_query_of_the_space_is_refused(nonsense: Any) -> None:
    with pytest.raises(NasbenchError) as told:
        search(spec(strategy="mine"), MadeUpOracle(), strategy=Scripted([nonsense]))
    assert str(told.value) == (
        f"strategy mine asked for {nonsense!r}, which is no query of nb201-mini"
    )


def test_architectures_out_of_numpy_arrays_will_do(tmp_path: Any) -> None:
    queries = [Query(a, "r", np.int64(4)) for a in MINI.neighbors(3)[:3]]  # type: ignore[arg-type]
    journal = tmp_path / "run.jsonl"
    first = search(spec(), MadeUpOracle(), strategy=Scripted(queries), journal=journal)
    again = search(spec(), MadeUpOracle(), strategy=Scripted(queries), journal=journal)
    assert first.evaluations == again.evaluations


def test_metric_that_the_oracle_lacks_is_named() -> None:
    with pytest.raises(NasbenchError, match="unknown metric 'valid_acuracy'; did you mean valid"):
        search(spec(metric="valid_acuracy"), MadeUpOracle())


def test_seconds_that_are_not_known_need_a_budget_in_evaluations() -> None:
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: math.nan)
    with pytest.raises(NasbenchError, match="no training time after 4 epochs: give the budget"):
        search(spec(Budget(seconds=10.0)), oracle)
    run = search(spec(Budget(evaluations=5)), oracle)
    assert [e.outcome.seconds for e in run.evaluations] == [0.0] * 5


def test_progress_is_told_of_every_evaluation() -> None:
    seen: list[Evaluation] = []
    run = search(spec(Budget(evaluations=6), workers=3), MadeUpOracle(), progress=seen.append)
    assert seen == run.evaluations


def test_seconds_add_up_as_numbers_do() -> None:
    """One worker: the clock is the sum of what was paid, within rounding."""
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: 0.1 * (architecture + 1))
    run = search(spec(Budget(evaluations=200)), oracle)
    exact = sum(Fraction(e.outcome.seconds) for e in run.evaluations)
    assert run.evaluations[-1].finished == pytest.approx(float(exact), rel=1e-12)


# Schedules and failures.


def test_synchronous_workers_wait_for_the_last_of_their_round() -> None:
    queries = [whole(a) for a in (1, 5, 2, 3)]
    oracle = MadeUpOracle(seconds=lambda architecture, epochs: float(architecture))
    together = search(spec(workers=2, schedule="synchronous"), oracle, strategy=Scripted(queries))
    assert [(e.started, e.finished) for e in together.evaluations] == [
        (0.0, 1.0),
        (0.0, 5.0),
        (5.0, 7.0),
        (5.0, 8.0),
    ]
    alone = search(spec(workers=2), oracle, strategy=Scripted(queries))
    assert [(e.started, e.finished) for e in alone.evaluations] == [
        (0.0, 1.0),
        (1.0, 3.0),
        (0.0, 5.0),
        (3.0, 6.0),
    ]


def test_one_worker_is_its_own_round() -> None:
    runs = [
        search(spec(Budget(evaluations=20), schedule=schedule), MadeUpOracle())
        for schedule in ("asynchronous", "synchronous")
    ]
    assert runs[0].evaluations == runs[1].evaluations


def test_a_dying_worker_takes_its_training_along(tmp_path: Any) -> None:
    journal = tmp_path / "run.jsonl"
    faulty = spec(Budget(evaluations=400), failures=0.25)
    run = search(faulty, MadeUpOracle(), journal=journal)
    lost = [e for e in run.evaluations if math.isnan(e.outcome.values["valid_accuracy"])]
    # 400 draws at .25: further than 4 standard deviations once in 16,000 seeds; this one is fixed.
    assert abs(len(lost) - 100) < 4 * math.sqrt(400 * 0.25 * 0.75)
    assert all(0 <= e.outcome.seconds < EPOCHS for e in lost)
    assert len({e.outcome.seconds for e in lost}) == len(lost)
    asked = [e.query for e in search(spec(Budget(evaluations=400)), MadeUpOracle()).evaluations]
    assert [e.query for e in run.evaluations] == asked  # random search draws what it always does
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:200]))
    again = search(faulty, MadeUpOracle(), journal=journal)
    assert str(again.evaluations) == str(run.evaluations)
    assert journal.read_bytes().splitlines(keepends=True) == lines


def test_what_is_lost_cannot_be_continued() -> None:
    """A part of 4 epochs is lost in its last 2: resuming pays for all 4 again."""
    queries = [Query(7, "r", 2), Query(7, "r", 4, resume=True), Query(7, "r", 4, resume=True)]
    for seed in range(100):
        faulty = RunSpec("random_search", spec().goal, seed, failures=0.5)
        run = search(faulty, MadeUpOracle(), strategy=Scripted(queries))
        diverged = [math.isnan(e.outcome.values["valid_accuracy"]) for e in run.evaluations]
        if diverged == [False, True, False]:
            assert [run.evaluations[i].outcome.seconds for i in (0, 2)] == [2.0, 4.0]
            return
    raise AssertionError("no seed fails the second training alone")


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"schedule": "lazy"}, "unknown schedule 'lazy'"),
        ({"failures": 1.0}, "share of failures is from 0 to below 1, got 1.0"),
        ({"failures": math.nan}, "share of failures"),
    ],
)
def test_schedules_and_failures_that_are_none(given_: dict[str, Any], told: str) -> None:
    with pytest.raises(NasbenchError, match=told):
        spec(**given_)


def test_a_recipe_says_after_how_many_epochs_it_shows_anything() -> None:
    every, few = Fidelity("r", 9), Fidelity("r", 9, (2, 5, 9))
    assert [every.at_least(e) for e in (0.3, 1, 2.1, 9, 30)] == [1, 1, 3, 9, 9]
    assert [few.at_least(e) for e in (0.3, 2, 2.1, 6, 30)] == [2, 2, 5, 9, 9]
