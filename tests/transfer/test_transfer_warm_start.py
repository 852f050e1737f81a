"""Every strategy begins with what it is given, and pays for it once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.search import Budget, Goal, Outcome, Query, Run, RunSpec, search
from nasbench.search.catalog import searching_names
from nasbench.search.testing import EPOCHS, ToyOracle
from nasbench.search.warm_start import WarmStart
from nasbench.space import CellSpace, Space, get

START = (3, 62, 17, 101, 40, 88)


def run_of(
    strategy: str,
    start: Sequence[int] = START,
    *,
    oracle: ToyOracle | None = None,
    journal: Path | None = None,
    evaluations: int = 24,
    **fields: Any,
) -> Run:
    oracle = oracle or ToyOracle(get("nb201-mini"))
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), oracle.fidelities)
    spec = RunSpec(strategy, goal, seed=5, start=tuple(start), **fields)
    return search(spec, oracle, journal=journal)


def asked(run: Run) -> list[Query]:
    return [e.query for e in sorted(run.evaluations, key=lambda e: e.ask)]


def rewards(architectures: Sequence[int]) -> list[float]:
    oracle = ToyOracle(get("nb201-mini"))
    whole = [oracle.evaluate(Query(a, "toy", EPOCHS)) for a in architectures]
    return [outcome.values["valid_accuracy"] for outcome in whole]


@pytest.mark.parametrize("strategy", searching_names())
@pytest.mark.parametrize("workers", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_every_strategy_begins_with_the_start_and_goes_on(strategy: str, workers: int) -> None:
    fewer = {"evaluations": 12} if strategy in ("gp_bo", "smac") else {}  # their asks take long
    oracle = ToyOracle(get("nb201-mini"), diverging=0.2)
    found = asked(run_of(strategy, oracle=oracle, workers=workers, **fewer))
    assert [query.architecture for query in found[: len(START)]] == list(START)
    assert all(query == Query(query.architecture, "toy", EPOCHS) for query in found[: len(START)])
    assert len(found) == (fewer or {"evaluations": 24})["evaluations"]
    again = ToyOracle(get("nb201-mini"), diverging=0.2)
    assert asked(run_of(strategy, oracle=again, workers=workers, **fewer)) == found


@pytest.mark.parametrize("strategy", ["local_search", "regularized_evolution", "hybrid", "asha"])
def test_a_search_that_was_cut_off_goes_on_as_it_would_have(tmp_path: Path, strategy: str) -> None:
    whole = tmp_path / "whole.jsonl"
    expected = asked(run_of(strategy, journal=whole))
    lines = whole.read_bytes().splitlines(keepends=True)
    for done in (2, len(START), 15):  # within the start, at its end, after it
        cut = tmp_path / f"{done}.jsonl"
        cut.write_bytes(b"".join(lines[: done + 1]))
        oracle = ToyOracle(get("nb201-mini"))
        assert asked(run_of(strategy, journal=cut, oracle=oracle)) == expected
        assert len(oracle.asked) == len(expected) - done
        assert cut.read_bytes() == whole.read_bytes()
    with pytest.raises(NasbenchError, match="holds another run"):
        run_of(strategy, START[:-1], journal=whole)


def test_a_run_without_a_start_does_not_speak_of_one() -> None:
    oracle = ToyOracle(get("nb201-mini"))
    cold, warm = (run_of("random_search", start).spec.describe(oracle) for start in ((), START))
    assert "start" not in cold
    assert warm == {**cold, "start": START}


def test_a_climb_begins_at_the_best_of_the_start() -> None:
    best = START[int(np.argmax(rewards(START)))]
    around = set(get("nb201-mini").neighbors(best).tolist())
    after = [query.architecture for query in asked(run_of("local_search"))[len(START) :]]
    first = after[: len(around - set(START))]
    assert set(first) | set(START) >= around


def test_a_population_is_born_from_the_start(mini: CellSpace) -> None:
    run = run_of("regularized_evolution", parameters={"population_size": len(START)})
    child = asked(run)[len(START)].architecture
    assert any(child in mini.neighbors(parent) for parent in START)


def test_halving_fills_its_first_rung_with_the_start() -> None:
    found = asked(run_of("successive_halving", parameters={"n": 4}))[len(START) :]
    ranked = [a for _, a in sorted(zip(rewards(START), START, strict=True), key=lambda p: -p[0])]
    assert [query.architecture for query in found[:4]] == ranked[:4]
    assert found[0].epochs < EPOCHS


class Watched:
    """Random draws; says what it was told."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        self.space, self.goal, self.rng = space, goal, rng
        self.told: list[tuple[Query, Outcome]] = []

    def ask(self) -> Query:
        return self.goal.query(self.space.sample(self.rng))

    def tell(self, query: Query, outcome: Outcome) -> None:
        self.told.append((query, outcome))


def test_what_the_start_showed_is_told_once_best_first_and_not_paid_again(
    monkeypatch: pytest.MonkeyPatch, mini: CellSpace
) -> None:
    made: list[Watched] = []

    def make(name: str, space: Space, goal: Goal, rng: np.random.Generator, own: object) -> Watched:
        made.append(Watched(space, goal, rng))
        return made[-1]

    monkeypatch.setattr("nasbench.search.warm_start.make_strategy", make)
    oracle = ToyOracle(mini)
    goal = Goal("valid_accuracy", Budget(evaluations=10), oracle.fidelities)
    warm = WarmStart("watched", mini, goal, np.random.default_rng(1), None, START)
    for _ in range(10):
        query = warm.ask()
        assert query is not None
        warm.tell(query, oracle.evaluate(query))
    told = [query.architecture for query, _ in made[-1].told]
    assert sorted(told[: len(START)]) == sorted(START)
    known = [outcome.values["valid_accuracy"] for _, outcome in made[-1].told[: len(START)]]
    assert known == sorted(rewards(START), reverse=True)
    assert len(told) == 10
    rng = np.random.default_rng(1)  # the start used up no random numbers
    draws = [mini.sample(rng) for _ in range(4)]
    assert [query.architecture for query in oracle.asked[len(START) :]] == draws
    assert isinstance(made[-1].space, CellSpace)
    assert np.array_equal(
        made[-1].space.sample(np.random.default_rng(2), 9), mini.sample(np.random.default_rng(2), 9)
    )


def test_a_strategy_with_a_way_of_its_own_uses_it() -> None:
    oracle = ToyOracle(get("nb201-mini"))
    own = asked(run_of("hybrid", (), parameters={"warm_start": START}))
    assert asked(run_of("hybrid", oracle=oracle)) == own
    with pytest.raises(NasbenchError, match="hybrid is given a start twice"):
        run_of("hybrid", parameters={"warm_start": START})


def test_what_is_wrong_is_told_before_anything_is_trained() -> None:
    oracle = ToyOracle(get("nb201-mini"))
    with pytest.raises(NasbenchError, match="architectures 0 to 124, got 125"):
        run_of("random_search", (3, 125), oracle=oracle)
    with pytest.raises(NasbenchError, match="population_size"):
        run_of("regularized_evolution", oracle=oracle, parameters={"population_size": 0})
    goal = Goal("valid_accuracy", Budget(evaluations=3), oracle.fidelities)
    spec = RunSpec("random_search", goal, 0, start=START)
    with pytest.raises(NasbenchError, match="are for registered strategies"):
        search(spec, oracle, strategy=Watched(oracle.space, goal, spec.rng()))
    assert not oracle.asked
