"""The trainer as an oracle: what it shows is what a table of its trainings shows."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import nasbench as nb
from nasbench.building import BuildSpec
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Goal,
    Oracle,
    Outcome,
    Query,
    Run,
    RunSpec,
    TableOracle,
    TrainerOracle,
    search,
)
from nasbench.search.strategy import Strategy
from nasbench.search.trainer_oracle import primary_trained
from nasbench.space import Space
from nasbench.table import Table
from nasbench.task import Target, Task
from nasbench.train.epoch import Epoch
from nasbench.train.record import CURVES

pytestmark = pytest.mark.heavy


class Halving:
    """Draws pairs, trains both for one epoch, and the better one, or both anew, for two."""

    def __init__(self, space: Space, rng: np.random.Generator, *, resume: bool) -> None:
        self.space, self.rng, self.resume = space, rng, resume
        self.todo: deque[Query] = deque()
        self.rung: list[tuple[float, int]] = []

    def ask(self) -> Query:
        if not self.todo:
            pair = self.rng.choice(self.space.representatives, 2, replace=False).tolist()
            self.todo.extend(Query(a, "2ep", 1) for a in pair)
        return self.todo.popleft()

    def tell(self, query: Query, outcome: Outcome) -> None:
        if query.epochs == 2:
            return
        self.rung.append((outcome.values["valid_accuracy"], query.architecture))
        if len(self.rung) == 2:
            self.todo.append(Query(max(self.rung)[1], "2ep", 2, self.resume))
            self.rung = []


def test_a_seed_that_diverges_is_not_averaged_away(
    tiny_spec: BuildSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_well = Epoch(dict(zip(CURVES, (0.1, 99.0, 0.1, 95.0), strict=False)), 10.0, math.nan)
    nothing = dict.fromkeys(CURVES[:4], math.nan)
    diverged = Epoch(nothing, 4.0, math.nan, diverged=True)
    oracle = _trainer(tiny_spec, "reference", (0, 1))
    monkeypatch.setattr(oracle, "_train", lambda _, seed, __: (went_well, diverged)[seed])
    outcome = oracle.evaluate(Query(3, "2ep", 1))
    assert math.isnan(outcome.values["valid_accuracy"])
    assert outcome.seconds == 7


def _trainer(spec: BuildSpec, engine: str, seeds: tuple[int, ...]) -> TrainerOracle:
    recipe = spec.recipes["2ep"]
    return TrainerOracle(spec.space, spec.task, "2ep", recipe, seeds=seeds, engine=engine)


def _run(oracle: Oracle, name: str, evaluations: int, strategy: Strategy | None = None) -> Run:
    goal = Goal("valid_accuracy", Budget(evaluations=evaluations), oracle.fidelities)
    return search(RunSpec(name, goal, seed=4), oracle, strategy=strategy)


def _seen(run: Run) -> list[tuple[Query, dict[str, float], bool]]:
    return [(e.query, dict(e.outcome.values), e.repeat) for e in run.evaluations]


@pytest.mark.parametrize("name", ["random_search", "regularized_evolution", "reinforce"])
@pytest.mark.parametrize(("seeds", "training_seed"), [((0, 1), None), ((1,), 1)])
def test_search_on_the_trainer_is_the_search_on_its_table(
    tiny_spec: BuildSpec,
    table_engine: str,
    tiny_table: Table,
    name: str,
    seeds: tuple[int, ...],
    training_seed: int | None,
) -> None:
    on_trainer = _run(_trainer(tiny_spec, table_engine, seeds), name, 14)
    on_table = _run(TableOracle(tiny_table, training_seed=training_seed), name, 14)
    assert _seen(on_trainer) == _seen(on_table)
    assert set(on_table.evaluations[0].outcome.values) == {
        "train_loss",
        "train_accuracy",
        "valid_loss",
        "valid_accuracy",
    }


@pytest.mark.parametrize("resume", [True, False])
def test_multi_fidelity_search_on_the_trainer_is_the_one_on_its_table(
    tiny_spec: BuildSpec, table_engine: str, tiny_table: Table, resume: bool
) -> None:
    runs = []
    for oracle in (_trainer(tiny_spec, table_engine, (0, 1)), TableOracle(tiny_table)):
        strategy = Halving(oracle.space, np.random.default_rng(2), resume=resume)
        runs.append(_run(oracle, "halving", 12, strategy))  # type: ignore[arg-type]
    assert _seen(runs[0]) == _seen(runs[1])
    if resume:  # what was seen after two epochs is the whole training, paid in two parts
        table = TableOracle(tiny_table)
        for run in runs:
            by_place = {(e.query.architecture, e.query.epochs): e for e in run.evaluations}
        for (architecture, epochs), second in by_place.items():
            if epochs == 2:
                first = by_place[architecture, 1]
                whole = table.evaluate(Query(architecture, "2ep", 2))
                assert second.outcome.values == whole.values
                assert first.outcome.seconds + second.outcome.seconds == pytest.approx(
                    whole.seconds
                )


def test_trainings_are_judged_as_their_table_is(tiny_spec: BuildSpec) -> None:
    recipe = nb.Recipe(epochs=1)
    assert primary_trained(tiny_spec.task, recipe) == "valid_accuracy"
    numbers = SimpleNamespace(target=Target("number", ("price",)))
    assert primary_trained(cast("Task", numbers), recipe) == "valid_mae"


def test_training_is_deterministic_but_for_its_seconds(tiny_spec: BuildSpec, engine: str) -> None:
    query = Query(42, "2ep", 2)
    first, again = (_trainer(tiny_spec, engine, (3,)).evaluate(query) for _ in range(2))
    assert first.values == again.values
    assert _trainer(tiny_spec, engine, (4,)).evaluate(query).values != first.values
    assert first.seconds > 0


def test_equal_networks_share_their_training(tiny_spec: BuildSpec, engine: str) -> None:
    space, oracle = tiny_spec.space, _trainer(tiny_spec, engine, (0,))
    biggest = np.bincount(space.classes).argmax()
    one, other = np.flatnonzero(space.classes == biggest)[-2:].tolist()
    assert oracle.key(one) == oracle.key(other)
    assert oracle.evaluate(Query(one, "2ep", 1)).values == (
        oracle.evaluate(Query(other, "2ep", 1)).values
    )


@pytest.mark.parametrize(
    "query", [Query(1, "3ep", 1), Query(1, "2ep", 3), Query(1, "2ep", 0), Query(1, "2ep", -1)]
)
def test_out_of_reach_is_refused(tiny_spec: BuildSpec, engine: str, query: Query) -> None:
    with pytest.raises(NasbenchError, match="trains recipe 2ep for 1 to 2 epochs, not"):
        _trainer(tiny_spec, engine, (0,)).evaluate(query)


# Divergence. A rate of 1e12 makes the loss of any network with weights overflow.


def _diverging(spec: BuildSpec, engine: str, epochs: int = 3) -> TrainerOracle:
    recipe = replace(spec.recipes["2ep"], epochs=epochs, learning_rate=1e12)
    return TrainerOracle(spec.space, spec.task, "wild", recipe, engine=engine)


def test_diverged_training_shows_nan_and_charges_what_it_took(
    tiny_spec: BuildSpec, engine: str
) -> None:
    outcome = _diverging(tiny_spec, engine).evaluate(Query(42, "wild", 3))
    assert all(math.isnan(value) for value in outcome.values.values())
    assert 0 < outcome.seconds < math.inf


def test_resuming_a_diverged_training_shows_nan_for_nothing(
    tiny_spec: BuildSpec, engine: str
) -> None:
    oracle = _diverging(tiny_spec, engine)
    goal = Goal("valid_accuracy", Budget(evaluations=3), oracle.fidelities)

    class Persistent:
        def __init__(self) -> None:
            self.epochs = 0

        def ask(self) -> Query:
            self.epochs += 1
            return Query(42, "wild", self.epochs, resume=True)

        def tell(self, query: Query, outcome: Outcome) -> None:
            assert math.isnan(outcome.values["valid_accuracy"])

    run = search(RunSpec("persistent", goal, 0), oracle, strategy=Persistent())  # type: ignore[arg-type]
    assert [e.query.epochs for e in run.evaluations] == [1, 2, 3]
    assert [e.outcome.seconds for e in run.evaluations][1:] == [0.0, 0.0]


def test_a_search_bears_nothing_but_divergence(tiny_spec: BuildSpec, engine: str) -> None:
    for name in ("random_search", "regularized_evolution", "reinforce"):
        run = _run(_diverging(tiny_spec, engine, epochs=1), name, 8)
        assert len(run.evaluations) == 8


def test_trainer_names_all_that_its_answers_depend_on(tiny_spec: BuildSpec, engine: str) -> None:
    described = _trainer(tiny_spec, engine, (0, 1)).describe()
    assert described["task_hash"] == nb.task("digits").hash
    assert described["recipe_values"] == tiny_spec.recipes["2ep"].describe()
    assert described["seeds"] == [0, 1]
