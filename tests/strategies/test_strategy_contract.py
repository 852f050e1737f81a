"""The contract: every registered strategy keeps it, and `check_strategy` sees who does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest
from seldom import seldom

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query, strategy_names
from nasbench.search.testing import EPOCHS, StrategyContract, cases, check_strategy
from nasbench.space import Space

pytestmark = pytest.mark.heavy

# An ask of these takes a tenth of a second: few of them follow the random ones.
FEWER: dict[str, dict[str, Any]] = {
    "gp_bo": {"spaces": ("nb201-mini",), "evaluations": 13},
    "smac": {"parameters": {"challengers": 50}, "spaces": ("nb201-mini",), "evaluations": 13},
}


BRIEFLY = ("bananas", "hybrid", "optuna_sampler", "predictor_evolution", "tpe")
"""Strategies with models: a few of their asks are tried each time, the rest with the slow tests."""
SLOW = {*FEWER, *BRIEFLY, "enas", "ofa", "spos"}


@pytest.mark.parametrize("name", seldom(SLOW, strategy_names()))
def test_registered_strategies_keep_the_contract(name: str) -> None:
    check_strategy(name, **FEWER.get(name, {}))


@pytest.mark.parametrize("name", BRIEFLY)
def test_those_with_models_keep_it_briefly(name: str) -> None:
    check_strategy(name, spaces=("nb201-mini",), evaluations=13)


class TestRandomSearch(StrategyContract):
    """As a third party's tests have it: a test a property."""

    strategy = "random_search"
    parameters: ClassVar[dict[str, Any]] = {"repeats": False}
    evaluations = 20


@pytest.mark.parametrize("spaces", [("a", "b"), ("a",), ("a", "b", "c")])
def test_every_two_settings_come_together(spaces: tuple[str, ...]) -> None:
    found = cases(spaces, 60)
    assert len(found) == 5 * -(-len(spaces) // 2)
    for first, second in combinations(range(1, 4), 2):
        assert len({(trial[first], trial[second]) for trial in found}) == 4
    for other in range(1, 4):
        assert {(t.space, t[other]) for t in found} == {
            (space, value) for space in spaces for value in {t[other] for t in found}
        }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("genetic_algorithm", {"population_size": 1, "elites": 0}),
        (
            "genetic_algorithm",
            {
                "population_size": 50,
                "elites": 5,
                "tournament_size": 7,
                "crossover_rate": 1.0,
                "mutation_rate": 0.5,
            },
        ),
        ("meta_qnn", {"learning_rate": 1.0, "replays": 1, "initial_value": -3.0}),
        ("random_search", {"repeats": False}),
        ("regularized_evolution", {"population_size": 1, "sample_size": 1}),
        ("regularized_evolution", {"population_size": 50, "sample_size": 10}),
        ("reinforce", {"learning_rate": 0.5, "baseline_momentum": 0.0}),
    ],
)
def test_other_parameters_keep_it_too(name: str, parameters: dict[str, Any]) -> None:
    check_strategy(name, parameters, spaces=("nb201-mini",))


class Honest:
    """Random search; each of those below breaks one rule."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        self.space, self.goal, self.rng = space, goal, rng

    def ask(self) -> Query | None:
        return self.goal.query(self.space.sample(self.rng))

    def tell(self, query: Query, outcome: Outcome) -> None:
        pass


class DrawsFromGlobalNumpy(Honest):
    def ask(self) -> Query:
        return self.goal.query(int(np.random.randint(self.space.size)))  # noqa: NPY002


class SeedsGlobalNumpy(Honest):
    def ask(self) -> Query | None:
        np.random.seed(0)  # noqa: NPY002
        return super().ask()


class SeedsGlobalPython(Honest):
    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        random.seed(int(rng.integers(100)))
        super().__init__(space, goal, rng)


class OwnGenerator(Honest):
    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        super().__init__(space, goal, np.random.default_rng())


class Remembers(Honest):
    """What another instance did changes what this one asks."""

    asked = 0

    def ask(self) -> Query:
        Remembers.asked += 1
        return self.goal.query(self.asked % self.space.size)


class LeavesTheSpace(Honest):
    def ask(self) -> Query:
        return self.goal.query(self.space.size)


class AsksTooFar(Honest):
    def ask(self) -> Query:
        return Query(self.space.sample(self.rng), "toy", EPOCHS + 1)


class AsksForNoEpochs(Honest):
    def ask(self) -> Query:
        return Query(self.space.sample(self.rng), "toy", 0)


class AsksAnotherRecipe(Honest):
    def ask(self) -> Query:
        return Query(self.space.sample(self.rng), "200ep", EPOCHS)


class AsksNoQuery(Honest):
    def ask(self) -> Any:
        return self.space.sample(self.rng)


class AsksNothing(Honest):
    def ask(self) -> None:
        return None


class NeedsOrder(Honest):
    """Takes outcomes only in the order of asking."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        super().__init__(space, goal, rng)
        self.open: list[Query] = []

    def ask(self) -> Query | None:
        self.open.append(self.goal.query(self.space.sample(self.rng)))
        return self.open[-1]

    def tell(self, query: Query, outcome: Outcome) -> None:
        assert self.open.pop(0) is query, "told out of order"


class NeedsNumbers(Honest):
    """Does not bear a training that diverged."""

    def tell(self, query: Query, outcome: Outcome) -> None:
        int(outcome.values["valid_accuracy"])


class HasNoTell:
    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        self.query = goal.query(0)

    def ask(self) -> Query:
        return self.query


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], str]:
    """Registers a class under the name `mine`."""

    class Point:
        def __init__(self, cls: type) -> None:
            self.load = lambda: cls

    def put(cls: type) -> str:
        monkeypatch.setattr("nasbench.search.strategy._registered", lambda: {"mine": Point(cls)})
        return "mine"

    return put


@pytest.fixture
def globals_kept() -> Any:
    """What a broken strategy does to the global generators ends with its test."""
    numpy, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    yield
    np.random.set_state(numpy)  # noqa: NPY002
    random.setstate(python)


def test_an_honest_strategy_passes(register: Callable[[type], str]) -> None:
    check_strategy(register(Honest))


@pytest.mark.usefixtures("globals_kept")
@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (DrawsFromGlobalNumpy, "asks differently for the same seed|global"),
        (SeedsGlobalNumpy, "draws from numpy's global random numbers"),
        (SeedsGlobalPython, "draws from Python's global random numbers"),
        (OwnGenerator, "asks differently for the same seed"),
        (Remembers, "asks differently for the same seed"),
        (LeavesTheSpace, "no query of nb201-mini"),
        (AsksTooFar, "asked for [5-9] epochs of recipe 'toy': .* for 1 to 4 epochs"),
        (AsksForNoEpochs, "asked for 0 epochs of recipe 'toy': .* for 1 to 4 epochs"),
        (AsksAnotherRecipe, "epochs of recipe '(?!toy).*': this search trains toy"),
        (AsksNoQuery, "no query of nb201-mini"),
        (AsksNothing, "finished no evaluation"),
        (NeedsOrder, "told out of order"),
        (NeedsNumbers, "failed in tell: ValueError: cannot convert float NaN"),
        (HasNoTell, "failed in tell: AttributeError: .*no attribute 'tell'"),
    ],
)
def test_breaches_are_seen(register: Callable[[type], str], broken: type, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        check_strategy(register(broken))


def test_names_and_parameters_are_checked_as_ever() -> None:
    with pytest.raises(NasbenchError, match="did you mean random_search"):
        check_strategy("random_serch")
    with pytest.raises(NasbenchError, match="unknown parameter of random_search 'repeat'"):
        check_strategy("random_search", {"repeat": False})
