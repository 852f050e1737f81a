"""Spaces to and from ConfigSpace: every network is one configuration, and nothing else is."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from ruled_spaces import buildable, made, rules

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import ChoiceSpace, Space, from_configspace, to_configspace
from nasbench.space.configspace import architecture_of, configuration_of

ConfigSpace = pytest.importorskip("ConfigSpace")
NotSet = pytest.importorskip("ConfigSpace.configuration_space").NotSet


def legal(configspace: Any) -> set[frozenset[tuple[str, Any]]]:
    """All legal configurations, found by trying every way to choose, as ConfigSpace judges it."""
    names = list(configspace)
    choices = [
        getattr(one, "choices", None) or getattr(one, "sequence", None) or [one.value]
        for one in configspace.values()
    ]
    found = set()
    for taken in itertools.product(*choices):
        active: dict[str, Any] = {}
        for name, value in zip(names, taken, strict=True):  # parents first
            of = {other: active.get(other, NotSet) for other in names}
            if all(c.satisfied_by_value(of) for c in configspace.parent_conditions_of[name]):
                active[name] = value
        try:
            ConfigSpace.Configuration(configspace, values=active)
        except ConfigSpace.ForbiddenValueError:
            continue
        found.add(_frozen(active))
    return found


def _frozen(configuration: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    """Values with their types: True is not 1."""
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in configuration.items()}
    return frozenset((name, (type(value).__name__, value)) for name, value in plain.items())


@given(rules())
@hypothesis_settings(max_examples=30, deadline=None)
def test_configurations_and_networks_that_can_be_built_are_one_to_one(
    given_rules: dict[str, Any],
) -> None:
    assume(math.prod(map(len, given_rules["decisions"].values())) <= 400)
    standing = set(buildable(given_rules))
    assume(standing)
    space = made(given_rules)
    configspace = to_configspace(space)
    found = legal(configspace)
    assert len(found) == len(standing)
    configurations = {a: configuration_of(configspace, space, a) for a in standing}
    assert {_frozen(one) for one in configurations.values()} == found
    assert all(architecture_of(space, one) == a for a, one in configurations.items())
    drawn = configspace.sample_configuration(10)
    assert {architecture_of(space, one) for one in drawn} <= standing
    back = from_configspace(configspace)
    assert back.unique == len(standing)
    assert legal(to_configspace(back)) == found


@pytest.mark.parametrize("name", ["nb201-mini", "nats-size"])
def test_spaces_without_rules_have_a_configuration_for_each_architecture(name: str) -> None:
    space = nb.space(name)
    configspace = to_configspace(space, seed=1)
    assert configspace.estimate_size() == space.size
    for one in configspace.sample_configuration(20):
        assert configuration_of(configspace, space, architecture_of(space, one)) == one
    back = from_configspace(configspace)
    assert dict(back.values) == {name: tuple(space.values[name]) for name in back.values}


def test_the_same_seed_draws_the_same() -> None:
    first, second = (to_configspace(nb.space("nb201"), seed=3) for _ in range(2))
    assert first.sample_configuration(5) == second.sample_configuration(5)


def test_types_are_carried_over() -> None:
    decisions: dict[str, list[Any]] = {
        "depth": [3, 1, 2],
        "drop": [0.0, 0.25],
        "norm": [True, False],
        "op": ["conv", "2", "<b>日本</b>"],
        "mixed": ["relu", 2, 0.5],
        "alone": [7],
        "both": [1, True],
        "equal": [1, 1.0],
        "large": [2**70, 3],
    }
    space = ChoiceSpace("types", decisions)
    configspace = to_configspace(space)
    assert configspace["depth"].sequence == (1, 2, 3)
    assert configspace["both"].choices == ("1", "true")
    assert configspace["equal"].choices == ("1", "1.0")
    for architecture in space.sample(np.random.default_rng(0), 50).tolist():
        configuration = configuration_of(configspace, space, architecture)
        assert architecture_of(space, configuration) == architecture
        assert architecture_of(space, dict(configuration)) == architecture
    back = from_configspace(configspace)
    for name in set(decisions) - {"both", "equal"}:
        assert [(type(v), v) for v in sorted(back.values[name], key=str)] == [
            (type(v), v) for v in sorted(decisions[name], key=str)
        ]


def test_conditions_and_clauses_of_every_kind_are_read() -> None:
    configspace = ConfigSpace.ConfigurationSpace(name="theirs")
    a = ConfigSpace.UniformIntegerHyperparameter("a", 1, 4, default_value=2)
    b = ConfigSpace.OrdinalHyperparameter("b", [1, 2, 3], default_value=3)
    c = ConfigSpace.CategoricalHyperparameter("c", ["x", "y"])
    d = ConfigSpace.OrdinalHyperparameter("d", [1, 2])
    e = ConfigSpace.CategoricalHyperparameter("e", [True, False])
    configspace.add(
        *(a, b, c, d, e),
        ConfigSpace.AndConjunction(
            ConfigSpace.GreaterThanCondition(c, a, 1), ConfigSpace.NotEqualsCondition(c, b, 2)
        ),
        ConfigSpace.OrConjunction(
            ConfigSpace.EqualsCondition(d, a, 1), ConfigSpace.LessThanCondition(d, a, 4)
        ),
        ConfigSpace.EqualsCondition(e, c, "y"),
        ConfigSpace.ForbiddenLessThanRelation(b, d),
        ConfigSpace.ForbiddenOrConjunction(
            ConfigSpace.ForbiddenEqualsClause(a, 4),
            ConfigSpace.ForbiddenAndConjunction(
                ConfigSpace.ForbiddenInClause(b, [1, 3]), ConfigSpace.ForbiddenEqualsClause(d, 2)
            ),
        ),
    )
    space = from_configspace(configspace)
    found = set()
    for taken in itertools.product(*space.values.values()):
        active: dict[str, Any] = {}
        for name, value in zip(space.values, taken, strict=True):
            of = {other: active.get(other, NotSet) for other in space.values}
            if all(one.satisfied_by_value(of) for one in configspace.parent_conditions_of[name]):
                active[name] = value
        if not any(one.is_forbidden_value(active) for one in configspace.forbidden_clauses):
            found.add(_frozen(active))
    assert {_frozen(space.choices_of(one)) for one in space.representatives.tolist()} == found


def _with(*parts: Any) -> Any:
    configspace = ConfigSpace.ConfigurationSpace(name="theirs")
    configspace.add(*parts)
    return configspace


def _either() -> Any:
    a, b, c = (ConfigSpace.CategoricalHyperparameter(name, ["x", "y"]) for name in "abc")
    conditions = ConfigSpace.EqualsCondition(c, a, "x"), ConfigSpace.EqualsCondition(c, b, "x")
    return _with(a, b, c, ConfigSpace.OrConjunction(*conditions))


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (lambda: _with(ConfigSpace.UniformFloatHyperparameter("lr", 0.1, 1)), "lr is a range of"),
        (lambda: _with(ConfigSpace.UniformIntegerHyperparameter("n", 0, 10**9)), "1,000,000,001"),
        (_either, "a or b can meet"),
        (lambda: ConfigSpace.ConfigurationSpace(), "needs 1 to 256 decisions"),
    ],
)
def test_what_cannot_be_a_space_is_one_sentence(theirs: Any, why: str) -> None:
    with pytest.raises(NasbenchError, match=why):
        from_configspace(theirs())


WIDTHS = ChoiceSpace(
    "widths", {"depth": [1, 2], "kernel2": [3, 5]}, only_if={"kernel2": {"depth": [2]}}
)


@pytest.mark.parametrize(
    ("given_choices", "why"),
    [
        ({"depth": 3}, "unknown choice of depth '3'"),
        ({"dept": 1}, "unknown decision 'dept'"),
        ({"depth": 2}, "kernel2 counts here and has no choice"),
        ({"depth": None}, "a choice of depth is a text, a number"),
    ],
)
def test_a_configuration_of_another_space_is_one_sentence(
    given_choices: dict[str, Any], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why):
        architecture_of(WIDTHS, given_choices)


def test_a_forbidden_architecture_has_no_configuration() -> None:
    space = ChoiceSpace("no", {"a": [1, 2], "b": [1, 2]}, never=[{"a": 1, "b": [1, 2]}])
    configspace = to_configspace(space)
    assert architecture_of(space, configspace.get_default_configuration()) in (2, 3)
    with pytest.raises(NasbenchError, match="no forbids 1:2"):
        configuration_of(configspace, space, 1)


def test_too_many_that_are_alike_are_refused_at_once() -> None:
    names = [f"d{n}" for n in range(40)]
    space = ChoiceSpace("many", {name: list(range(40)) for name in names}, alike=[names])
    with pytest.raises(NasbenchError, match=r"many has too many decisions that are alike"):
        to_configspace(space)


@pytest.mark.parametrize("space", [nb.space("nb201-mini"), WIDTHS])
def test_without_configspace_the_extra_is_named(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\[configspace\]'"):
        to_configspace(space)
