"""Spaces by name and by what a manifest says of them."""

from __future__ import annotations

import json

import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, from_description, get, names


def test_the_package_s_space_is_the_registry() -> None:
    assert nb.space("nb201") is get("nb201")
    assert [get(name).name for name in names()] == list(names()) == ["nb201", "nb201-mini"]
    assert (get("nb201-mini").size, get("nb201-mini").nodes) == (125, 3)
    assert get("nb201-mini").string(1) == "|none~0|+|none~0|skip_connect~1|"


def test_an_unknown_space_names_the_near_ones() -> None:
    with pytest.raises(NasbenchError, match="unknown space 'nb210'; did you mean nb201"):
        nb.space("nb210")


@pytest.mark.parametrize("name", ["nb201", "nb201-mini"])
def test_a_description_names_the_space_again(name: str) -> None:
    described = json.loads(json.dumps(get(name).describe()))
    assert from_description(described) is get(name)


def test_a_described_space_of_one_s_own_is_made_again() -> None:
    own = CellSpace("own", 3, ("none", "avg_pool_3x3"))
    again = from_description(json.loads(json.dumps(own.describe())))
    assert isinstance(again, CellSpace)
    assert again.describe() == own.describe()
    assert again.string(5) == own.string(5)
    # A known name with other operations is not the known space.
    other = from_description({**own.describe(), "name": "nb201"})
    assert other.size == 8


@pytest.mark.parametrize(
    "description",
    [{}, {"name": "x", "nodes": "3", "operations": []}, {"name": "x", "nodes": 3}],
)
def test_what_describes_no_space_is_refused(description: dict[str, object]) -> None:
    with pytest.raises(NasbenchError, match="not the description of a space"):
        from_description(description)
