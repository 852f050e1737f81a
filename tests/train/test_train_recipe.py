"""A recipe is checked as a whole when it is made, and says what it is."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nasbench as nb
from nasbench.errors import NasbenchError

NUMBERS = {
    spec.name: spec.type for spec in dataclasses.fields(nb.Recipe) if spec.type in ("int", "float")
}
MORE_THAN_ZERO = {"epochs", "channels", "cells", "batch_size", "learning_rate"}


def test_defaults_are_those_of_the_paper() -> None:
    """Dong & Yang, ICLR 2020, table 1."""
    recipe = nb.Recipe(epochs=200)
    assert (recipe.channels, recipe.cells, recipe.batch_size) == (16, 5, 256)
    assert (recipe.learning_rate, recipe.momentum, recipe.nesterov) == (0.1, 0.9, True)
    assert (recipe.weight_decay, recipe.label_smoothing) == (5e-4, 0)


def test_a_misspelt_key_names_the_near_one() -> None:
    with pytest.raises(NasbenchError, match="'learning_rte'; did you mean learning_rate"):
        nb.Recipe.from_dict({"epochs": 1, "learning_rte": 0.1})
    with pytest.raises(NasbenchError, match="epochs is missing"):
        nb.Recipe.from_dict({"cells": 1})


@pytest.mark.parametrize("name", NUMBERS)
def test_a_negative_number_is_refused_by_name(name: str) -> None:
    values: dict[str, Any] = {"epochs": 1, name: -1}
    least = "more than 0" if name in MORE_THAN_ZERO else "0 or more"
    with pytest.raises(NasbenchError, match=f"{name} must be {least}, got -1"):
        nb.Recipe.from_dict(values)


@pytest.mark.parametrize("name", NUMBERS)
def test_zero_is_refused_only_where_it_means_nothing(name: str) -> None:
    values: dict[str, Any] = {"epochs": 1, "nesterov": False, name: 0}
    if name in MORE_THAN_ZERO:
        with pytest.raises(NasbenchError, match=f"{name} must be more than 0, got 0"):
            nb.Recipe.from_dict(values)
    else:
        assert getattr(nb.Recipe.from_dict(values), name) == 0


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("epochs", "3", "int"),
        ("epochs", 3.0, "int"),
        ("epochs", True, "int"),
        ("train_images", None, "int"),
        ("learning_rate", "0.1", "float"),
        ("learning_rate", True, "float"),
        ("flip", 1, "bool"),
        ("nesterov", "yes", "bool"),
    ],
)
def test_a_wrong_type_is_refused_by_name(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(NasbenchError, match=f"{name} must be {wanted}, got"):
        nb.Recipe.from_dict({"epochs": 1, name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [n for n, kind in NUMBERS.items() if kind == "float"])
def test_what_is_not_finite_is_refused(name: str, value: float) -> None:
    with pytest.raises(NasbenchError, match=f"{name} must be"):
        nb.Recipe.from_dict({"epochs": 1, name: value})


@pytest.mark.parametrize("value", [10**9, 10**5000, 1e300], ids=["9", "5000", "float"])
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_bound(name: str, value: float) -> None:
    number = value if NUMBERS[name] == "float" or isinstance(value, int) else 10**300
    if name == "learning_rate":  # one that is hopeless is still tried
        number = max(number, 10**31)
    with pytest.raises(NasbenchError, match=name) as told:
        nb.Recipe.from_dict({"epochs": 1, name: number})
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"momentum": 1.0}, "less than 1"),
        ({"label_smoothing": 1.0}, "less than 1"),
        ({"momentum": 0}, "nesterov needs a momentum above 0"),
    ],
)
def test_values_that_make_no_training_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(NasbenchError, match=told):
        nb.Recipe.from_dict({"epochs": 1, **values})


def test_an_integer_is_a_float_too_and_a_recipe_is_frozen() -> None:
    recipe = nb.Recipe(epochs=1, learning_rate=1, weight_decay=0)
    assert recipe == nb.Recipe(epochs=1, learning_rate=1.0, weight_decay=0.0)
    assert type(recipe.learning_rate) is float
    assert len({recipe, nb.Recipe(epochs=1, learning_rate=1, weight_decay=0)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 2  # type: ignore[misc]


@given(
    epochs=st.integers(1, 10**6),
    learning_rate=st.floats(1e-300, 1e3),
    momentum=st.floats(1e-9, 0.999),
    flip=st.booleans(),
    crop_padding=st.integers(0, 9),
)
def test_a_description_is_the_recipe_again(**values: Any) -> None:
    recipe = nb.Recipe(**values)
    assert nb.Recipe.from_dict(json.loads(json.dumps(recipe.describe()))) == recipe


@given(steps=st.integers(1, 500), rate=st.floats(1e-3, 10))
def test_the_schedule_is_half_a_cosine(steps: int, rate: float) -> None:
    recipe = nb.Recipe(epochs=1, learning_rate=rate)
    rates = [recipe.learning_rate_at(step, steps) for step in range(steps + 1)]
    assert rates[0] == rate
    assert abs(rates[-1]) < 1e-12
    assert all(before > after for before, after in pairwise(rates))
    # A cosine is odd about its middle: rates at equal distance from both ends sum to the first.
    for first, last in zip(rates, reversed(rates), strict=True):
        assert first + last == pytest.approx(rate)
    assert recipe.learning_rate_at(1, 3) == pytest.approx(0.75 * rate)
