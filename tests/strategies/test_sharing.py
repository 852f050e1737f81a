"""Strategies that share weights, on a made-up supernet whose qualities are known."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search import Budget, Fidelity, Goal, Outcome
from nasbench.search.share_testing import SharingContract, ToySupernet, drive
from nasbench.search.step import Schedule, SharingStrategy, Step
from nasbench.search.strategy import make_strategy
from nasbench.space import ChoiceSpace

NB201 = nb.space("nb201")
GOAL = Goal("valid_accuracy", Budget(evaluations=10), (Fidelity("toy", 4),))
UNEVEN = ChoiceSpace("uneven", {"a": [1, 2], "b": [1, 2, 3, 4, 5], "c": [1, 2, 3]})


def begun(name: str, space: Any = NB201, schedule: Schedule | None = None, **own: Any) -> Any:
    given = {**own, "schedule": schedule or Schedule(2, 6)}
    made = make_strategy(name, space, GOAL, np.random.default_rng(0), given)
    return cast("SharingStrategy", made)


class TestFairNas(SharingContract):
    """As a third party's tests have it: a test a property."""

    strategy = "fairnas"
    spaces = ("nb201-mini",)


@pytest.mark.parametrize("space", [NB201, UNEVEN])
def test_fairnas_trains_every_choice_once_a_step(space: Any) -> None:
    """Strict fairness; a decision of fewer choices goes through them as evenly as it can."""
    step = begun("fairnas", space).ask()
    assert step.paths.shape == (6, max(space.choices), len(space.choices))
    for paths in step.paths:
        for decision, choices in enumerate(space.choices):
            counts = np.bincount(paths[:, decision], minlength=choices)
            assert np.ptp(counts) <= (max(space.choices) % choices > 0)
            assert counts.min() >= 1


@pytest.mark.parametrize("name", ["spos", "rsps"])
def test_paths_are_uniform(name: str) -> None:
    step = begun(name, schedule=Schedule(1, 4000)).ask()
    assert step.paths.shape == (4000, 1, 6)
    shares = np.stack([(step.paths[:, 0] == choice).mean(0) for choice in range(5)])
    np.testing.assert_allclose(shares, 0.2, atol=0.03)


def test_rates_fall_as_a_cosine_over_the_whole_schedule() -> None:
    strategy = begun("spos", schedule=Schedule(4, 5))
    toy, rates = ToySupernet(NB201), []
    while (step := strategy.ask()).rates is not None:
        rates += step.rates.tolist()
        strategy.tell(step, toy.run(step))
    wanted = 0.001 + 0.012 * (1 + np.cos(np.pi * np.arange(20) / 20))
    np.testing.assert_allclose(rates, wanted, rtol=1e-5)


@pytest.mark.parametrize("by", ["loss", "accuracy"])
def test_the_best_scored_is_chosen_and_the_best_few_are_trained(by: str) -> None:
    strategy = begun("rsps", by=by, candidates=30, train_best=3)
    toy = ToySupernet(NB201)
    trained = []
    while (request := strategy.ask()) is not None:
        if isinstance(request, Step):
            found = toy.run(request)
            if request.rates is None:
                order = np.argsort(found.loss[:, 0], kind="stable")
                scored = NB201.index_of(request.paths[order, 0])
            strategy.tell(request, found)
            continue
        trained.append(request.architecture)
        # The second is the best of those that are trained.
        value = {2: 90.0}.get(len(trained), 50.0)
        strategy.tell(request, Outcome({"valid_accuracy": value}, 1.0))
    assert trained == scored[:3].tolist()
    assert len(set(NB201.canonical(scored).tolist())) == len(scored) == 30
    assert strategy.state().architecture == trained[1]


def test_evolution_finds_what_random_search_does_not() -> None:
    """Of spaces too large to score: the mean quality of choices, after as many scores."""
    space = ChoiceSpace("large", {f"d{i}": list(range(6)) for i in range(14)})
    found = {}
    for name, own in (("spos", {}), ("rsps", {"candidates": 1000})):
        toy = ToySupernet(space)
        chosen = drive(name, own, toy, Schedule(5, 200)).state.architecture
        assert chosen is not None
        ops = space.ops(chosen).astype(np.int64)
        found[name] = float(toy.quality[np.arange(14), ops].mean())
    assert found["spos"] > found["rsps"] + 0.05


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"by": "luck"}, "by accuracy or loss, got 'luck'"),
        ({"candidates": 5, "train_best": 6}, "of 5 candidates 0 to all are trained, got 6"),
        ({"learning_rate": 0.0}, "learning_rate is above 0"),
        ({"least_rate": 0.1}, "least_rate from 0 to it"),
    ],
)
def test_parameters_that_make_no_sense(own: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        begun("rsps", **own)
