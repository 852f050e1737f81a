"""Goals: what is rewarded, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import BadValue, NasbenchError
from nasbench.search import (
    Budget,
    Fidelity,
    Goal,
    Limit,
    Objective,
    Outcome,
    RunSpec,
    SearchProtocol,
    SoftTarget,
)
from nasbench.search.feasibility import check_feasible
from nasbench.search.protocol import protocol_with
from nasbench.search.testing import ToyOracle
from nasbench.space import get

BUDGET = Budget(evaluations=9)
RECIPES = (Fidelity("r", 4),)
NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, 0.0, 5.0]))


def goal(metric: str = "valid_accuracy", **given) -> Goal:  # type: ignore[no-untyped-def]
    return Goal(metric, BUDGET, RECIPES, **given)


def outcome(accuracy: float, latency: float = 1.0, energy: float = 1.0) -> Outcome:
    return Outcome({"valid_accuracy": accuracy, "pi/latency_ms": latency, "energy": energy}, 1.0)


# Limits.


@given(NUMBERS, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_limits_are_kept_with_their_ends(value: float, low: float, high: float) -> None:
    assert Limit("m", high).kept(value) is (value <= high)
    assert Limit("m", at_least=low).kept(value) is (value >= low)
    assert Limit("m", high, low).kept(value) is (low <= value <= high)


def test_an_outcome_outside_any_limit_is_worth_nothing() -> None:
    of = goal(limits=(Limit("pi/latency_ms", 5.0), Limit("energy", at_least=1.0)))
    assert of.reward(outcome(90.0, 5.0, 1.0)) == 90.0
    assert of.reward(outcome(90.0, 5.1, 1.0)) == -math.inf
    assert of.reward(outcome(90.0, 5.0, 0.9)) == -math.inf
    assert of.reward(outcome(90.0, math.nan, 1.0)) == -math.inf


# MnasNet's reward.


def test_soft_constraint_trades_as_its_paper_says() -> None:
    """Twice the latency is worth 5 % more accuracy: w is about log2(1 / 1.05)."""
    exact = SoftTarget("pi/latency_ms", 10.0, *[-math.log2(1.05)] * 2)
    of = goal(targets=(exact,))
    assert of.reward(outcome(70.0, 8.0)) == pytest.approx(of.reward(outcome(73.5, 16.0)))
    assert -math.log2(1.05) == pytest.approx(SoftTarget("m", 1.0).beyond, abs=5e-4)
    soft = goal(targets=(SoftTarget("pi/latency_ms", 10.0),))
    assert soft.reward(outcome(70.0, 10.0)) == 70.0
    assert soft.reward(outcome(70.0, 20.0)) == pytest.approx(70 * 2**-0.07)
    assert soft.reward(outcome(70.0, 5.0)) == pytest.approx(70 * 2**0.07)


def test_hard_constraint_is_free_within_and_divides_beyond() -> None:
    of = goal(targets=(SoftTarget("pi/latency_ms", 10.0, within=0.0, beyond=-1.0),))
    assert [of.reward(outcome(70.0, latency)) for latency in (1.0, 10.0)] == [70.0, 70.0]
    assert of.reward(outcome(70.0, 40.0)) == pytest.approx(70 / 4)


def test_several_targets_multiply() -> None:
    of = goal(targets=(SoftTarget("pi/latency_ms", 2.0, 0, -1), SoftTarget("energy", 1.0, 0, -2)))
    assert of.reward(outcome(80.0, 4.0, 3.0)) == pytest.approx(80 / 2 / 9)


@pytest.mark.parametrize("latency", [math.nan, 0.0, -1.0])
def test_what_is_no_cost_earns_nothing(latency: float) -> None:
    assert (
        goal(targets=(SoftTarget("pi/latency_ms", 2.0),)).reward(outcome(80.0, latency))
        == -math.inf
    )


def test_a_negative_metric_cannot_be_weighed() -> None:
    with pytest.raises(NasbenchError, match="weighs what is 0 or more, not -1"):
        goal(targets=(SoftTarget("pi/latency_ms", 2.0),)).reward(outcome(-1.0))


# Several objectives.


@given(NUMBERS, NUMBERS, NUMBERS)
def test_rewards_are_the_signed_values_or_all_minus_infinity(a: float, b: float, c: float) -> None:
    objectives = (Objective("pi/latency_ms"), Objective("energy", maximize=True))
    of = goal(objectives=objectives, limits=(Limit("pi/latency_ms", 1e3),))
    expected = (a, -b, c)
    if any(map(math.isnan, expected)) or b > 1e3:
        expected = (-math.inf,) * 3
    assert of.rewards(outcome(a, b, c)) == expected
    assert of.reward(outcome(a, b, c)) in (a, -math.inf)


@given(NUMBERS)
def test_a_goal_of_one_objective_has_one_reward(value: float) -> None:
    for of in (goal(), goal(maximize=False)):
        assert of.rewards(outcome(value)) == (of.reward(outcome(value)),)


def test_targets_soften_the_reward_and_leave_objectives_apart_alone() -> None:
    target = (SoftTarget("pi/latency_ms", 2.0, 0, -1),)
    of = goal(targets=target, objectives=(Objective("pi/latency_ms", maximize=False),))
    assert of.reward(outcome(80.0, 4.0)) == 40.0
    assert of.rewards(outcome(80.0, 4.0)) == (80.0, -4.0)
    assert goal(targets=target).rewards(outcome(80.0, 4.0)) == (40.0,)
    assert of.rewards(outcome(80.0, -4.0)) == (-math.inf, -math.inf)


def test_metrics_are_all_that_must_be_shown() -> None:
    of = goal(
        limits=(Limit("a", 1),),
        objectives=(Objective("b"),),
        targets=(SoftTarget("c", 1), SoftTarget("b", 1)),
    )
    assert of.metrics == ("valid_accuracy", "b", "c", "a")


# What is refused, and how a goal is written down.


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objectives": (Objective("test_accuracy"),)}, "test_accuracy is kept for the report"),
        ({"targets": (SoftTarget("pi/test_ms", 1),)}, "pi/test_ms is kept for the report"),
        ({"limits": (Limit("test_loss", 1),)}, "test_loss is kept for the report"),
        (
            {"objectives": (Objective("valid_accuracy", False),)},
            "valid_accuracy is an objective tw",
        ),
        ({"objectives": (Objective("a"), Objective("a"))}, "a is an objective twice"),
        ({"maximize": False, "targets": (SoftTarget("a", 1),)}, "valid_accuracy is minimised"),
        ({"targets": (SoftTarget("valid_accuracy", 1),)}, "cannot have a soft target"),
    ],
)
def test_nonsense_is_refused(given, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NasbenchError, match=message):
        goal(**given)


@pytest.mark.parametrize("at", [0.0, -1.0, math.nan, math.inf])
def test_targets_are_above_0(at: float) -> None:
    with pytest.raises(NasbenchError, match="must be a number above 0"):
        SoftTarget("a", at)


@pytest.mark.parametrize("exponent", [0.1, math.nan, -math.inf])
def test_cost_is_never_rewarded(exponent: float) -> None:
    with pytest.raises(NasbenchError, match="exponents of a must be 0 or less"):
        SoftTarget("a", 1.0, within=exponent)
    with pytest.raises(NasbenchError, match="exponents of a must be 0 or less"):
        SoftTarget("a", 1.0, beyond=exponent)


@pytest.mark.parametrize("bounds", [(), (math.nan,), (math.inf,), (None, math.nan)])
def test_limits_need_a_number(bounds: tuple[float, ...]) -> None:
    with pytest.raises(NasbenchError, match="needs a finite number"):
        Limit("a", *bounds)


def test_a_goal_of_one_objective_is_written_as_before() -> None:
    """So that journals and runs that are kept go on."""
    described = RunSpec("random_search", goal(), 0).describe(ToyOracle(get("nb201-mini")))
    assert described["goal"] == {
        "metric": "valid_accuracy",
        "budget": {"evaluations": 9, "seconds": None},
        "recipes": ({"recipe": "r", "epochs": 4, "shown": ()},),
        "maximize": True,
        "limits": (),
    }
    several = goal(objectives=(Objective("a"),), targets=(SoftTarget("b", 1.0),)).describe()
    assert several["objectives"] == ({"metric": "a", "maximize": True},)
    assert several["targets"] == ({"metric": "b", "at": 1.0, "within": -0.07, "beyond": -0.07},)


# Which way is better, and what nothing can meet.


@pytest.mark.parametrize(
    ("metric", "more"),
    [
        ("valid_accuracy", True),
        ("valid_miou", True),
        ("valid_loss", False),
        ("valid_error", False),
        ("raspi4/latency_ms", False),
        ("raspi4/energy_mj", False),
        ("parameters", False),
        ("what_nobody_knows", True),
    ],
)
def test_the_name_says_which_way_is_better_unless_told(metric: str, more: bool) -> None:
    assert goal(metric).maximize is more
    assert Objective(metric).maximize is more
    assert goal(metric).reward(Outcome({metric: 3.0}, 1.0)) == (3.0 if more else -3.0)
    assert goal(metric, maximize=not more).maximize is not more
    assert SearchProtocol(budget_evaluations=1, metric=metric).goal() == Goal(
        metric, Budget(1), (), more
    )


def test_the_way_follows_a_metric_that_is_changed() -> None:
    first = SearchProtocol(budget_evaluations=1)
    assert protocol_with(first, metric="valid_loss").goal().maximize is False
    read = SearchProtocol.from_json(first.to_json())
    assert protocol_with(read, metric="valid_loss").goal().maximize is False
    told = SearchProtocol(budget_evaluations=1, metric="valid_loss", maximize=True)
    assert SearchProtocol.from_json(told.to_json()).goal().maximize is True


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ([Limit("cost", -1.0)], r"keeps the limit cost <= -1: its values are from 1 to 3"),
        ([Limit("cost", at_least=9.0)], r"keeps the limit cost >= 9: its values are from 1 to 3"),
        ([Limit("cost", 1.9, 1.1)], "keeps the limit cost >= 1.1 and cost <= 1.9"),
        ([Limit("lost", 1.0)], "lost has no value there"),
        ([Limit("cost", 1.5), Limit("size", 1.5)], "keeps cost <= 1.5 and keeps size <= 1.5"),
        ([Limit("cost", at_least=2.5)], "has a value of worth and keeps cost >= 2.5"),
    ],
)
def test_limits_that_nothing_keeps_are_refused(limits: list[Limit], why: str) -> None:
    nan = math.nan
    columns = {
        "worth": np.asarray([1.0, 2.0, nan]),
        "cost": np.asarray([1.0, 2.0, 3.0]),
        "size": np.asarray([2.0, 1.0, 1.0]),
        "lost": np.full(3, nan),
    }
    with pytest.raises(BadValue, match=why):
        check_feasible(goal("worth", limits=tuple(limits)), columns.__getitem__, "t")
    check_feasible(goal("worth", limits=(Limit("cost", 2.0, 2.0),)), columns.__getitem__, "t")
    with pytest.raises(BadValue, match="t has no value of lost"):
        check_feasible(goal("lost"), columns.__getitem__, "t")


@pytest.mark.parametrize("low", [math.nextafter(5.0, 6.0), 7.0])
def test_limits_that_contradict_each_other_are_no_goal(low: float) -> None:
    both = (Limit("ms", 5.0), Limit("ms", at_least=low))
    for limits in (both, both[::-1], (Limit("ms", 5.0, low),)):
        with pytest.raises(BadValue, match="limits of ms contradict each other"):
            goal(limits=limits)
    goal(limits=(Limit("ms", 5.0), Limit("ms", at_least=5.0)))
