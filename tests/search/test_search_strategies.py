"""Strategies by name: what is registered, and what near names are told."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from made_up import MINI, spec

from nasbench.errors import NasbenchError
from nasbench.search import Strategy, make_strategy, strategy_class, strategy_names
from nasbench.search.strategy import _registered, importable, is_loaded
from strategies.random_search import RandomSearch


def _make(name: str, parameters: dict[str, Any]) -> Strategy:
    return make_strategy(name, MINI, spec().goal, np.random.default_rng(0), parameters)


def test_shipped_strategies_are_registered() -> None:
    assert {"random_search", "regularized_evolution", "reinforce"} <= set(strategy_names())
    assert list(strategy_names()) == sorted(strategy_names())
    assert strategy_class("random_search") is RandomSearch


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        ("randomsearch", {}, r"unknown strategy 'randomsearch'; did you mean random_search"),
        ("", {}, f"unknown strategy ''; known: {', '.join(strategy_names())}$"),
        (
            "regularized_evolution",
            {"populationsize": 5},
            "unknown parameter of regularized_evolution 'populationsize'; did you mean population",
        ),
        ("random_search", {"rng": 5}, "unknown parameter of random_search 'rng'; known: repeats"),
        ("random_search", {"space": 5}, "unknown parameter of random_search 'space'"),
        ("regularized_evolution", {"population_size": 0}, "integers of 1 or more, got 0"),
        ("regularized_evolution", {"sample_size": 2.5}, "integers of 1 or more, got 2.5"),
        ("regularized_evolution", {"sample_size": "3"}, "integers of 1 or more, got '3'"),
        ("reinforce", {"learning_rate": 0}, "learning_rate must be above 0"),
        ("reinforce", {"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ("reinforce", {"baseline_momentum": 1.0}, r"baseline_momentum in \[0, 1\)"),
        ("reinforce", {"learning_rate": "fast"}, "does not take learning_rate='fast'"),
    ],
)
def test_bad_names_and_parameters_are_one_sentence(
    name: str, parameters: dict[str, Any], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why) as told:
        _make(name, parameters)
    assert "\n" not in str(told.value)


class _Point:
    """An entry point of somebody else's package."""

    def __init__(self, name: str, loads: Any) -> None:
        self.name, self._loads = name, loads

    def load(self) -> Any:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two strategies of other packages, one of which cannot be imported."""
    points = [_Point("theirs", RandomSearch), _Point("broken", ImportError("no such module"))]
    monkeypatch.setattr("nasbench.search.strategy.entry_points", lambda group: points)
    # A cache of these tests' own, so that no other test meets these two.
    monkeypatch.setattr("nasbench.search.strategy._registered", cache(_registered.__wrapped__))


@pytest.mark.usefixtures("others")
def test_other_packages_plug_in() -> None:
    assert strategy_names() == ("broken", "theirs")
    assert isinstance(_make("theirs", {"repeats": False}), RandomSearch)
    with pytest.raises(NasbenchError, match="strategy broken cannot be loaded: no such module"):
        _make("broken", {})


def test_entry_points_of_another_package_are_importable_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`importlib_metadata` finds what is installed once anything has loaded it."""

    class Backport:
        name, group, module, value = "mine", "nasbench.strategies", "mine", "mine:Mine"

    monkeypatch.setattr("nasbench.search.strategy._registered", lambda: {"mine": Backport()})
    assert importable("mine")
    assert not is_loaded("mine")
