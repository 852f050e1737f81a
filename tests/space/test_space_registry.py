"""Spaces by name and by what a manifest says of them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, ChoiceSpace, from_description, get, names, registry

BUILT_IN = [
    *("nb201", "nb201-mini", "nats-size", "nb-macro", "darts", "darts-mini", "mixed"),
    *("mobilenetv2", "mbv2-mini", "proxyless", "mnasnet", "efficientnet"),
    *("transformer", "mlp", "policy-mlp"),
]


def test_the_package_s_space_is_the_registry() -> None:
    assert nb.space("nb201") is get("nb201")
    assert list(names())[: len(BUILT_IN)] == BUILT_IN
    assert all(get(name).name == name for name in names())
    assert (get("nb201-mini").size, get("nb201-mini").nodes) == (125, 3)
    assert get("nb201-mini").string(1) == "|none~0|+|none~0|skip_connect~1|"


def test_an_unknown_space_names_the_near_ones() -> None:
    with pytest.raises(NasbenchError, match="unknown space 'nb210'; did you mean nb201"):
        nb.space("nb210")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_description_names_the_space_again(name: str) -> None:
    described = json.loads(json.dumps(get(name).describe()))
    assert from_description(described) is get(name)


def test_manifests_do_not_carry_the_order_of_nb201() -> None:
    assert get("nb201").describe().keys() == {"name", "nodes", "operations"}


def test_a_described_space_of_one_s_own_is_made_again() -> None:
    own = CellSpace("own", 3, ("none", "avg_pool_3x3"))
    again = from_description(json.loads(json.dumps(own.describe())))
    assert isinstance(again, CellSpace)
    assert again.describe() == own.describe()
    assert again.string(5) == own.string(5)
    # A known name with other operations is not the known space.
    other = from_description({**own.describe(), "name": "nb201"})
    assert other.size == 8


def test_an_order_of_one_s_own_is_described() -> None:
    own = CellSpace("own", 3, ("none", "avg_pool_3x3"), order=np.arange(8)[::-1])
    again = from_description(json.loads(json.dumps(own.describe())))
    assert [again.string(i) for i in range(8)] == [own.string(i) for i in range(8)]
    assert again.ops(0).tolist() == [1, 1, 1]


CELL: Mapping[str, Any] = {"name": "x", "nodes": 3, "operations": ["none"]}
CHOICES: Mapping[str, Any] = {"name": "x", "decisions": [["a", ["b", "c"]]], "separator": ":"}


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ({}, "not the description of a space"),
        ({"name": ["nb201"]}, "not the description of a space"),
        ({**CELL, "name": "x" * 1_000}, "not the description of a space"),
        ({**CELL, "name": "\x1b[2J"}, "not the description of a space"),
        ({**CELL, "nodes": "3"}, "not the description of a space"),
        ({**CELL, "nodes": True}, "not the description of a space"),
        ({**CELL, "nodes": 21}, "20 nodes at most"),
        ({**CELL, "operations": 7}, "not the description of a space"),
        ({**CELL, "operations": [["none"]]}, "unknown operation"),
        ({**CELL, "operations": ["x" * 1_000]}, "unknown operation"),
        ({**CELL, "operations": ["none"] * 1_000}, "named twice"),
        ({**CELL, "operations": []}, "at least one choice"),
        ({**CELL, "order": [1]}, "no permutation"),
        ({**CELL, "order": None}, "not the description of a space"),
        ({**CHOICES, "decisions": {"a": ["b", "c"]}}, "not the description of a space"),
        ({**CHOICES, "decisions": [["a", ["b"]], ["a", ["c"]]]}, "not the description of a space"),
        ({**CHOICES, "decisions": [["a", [None, 2]]]}, "a choice of a is a text, a number"),
        ({**CHOICES, "decisions": [["a"]]}, "not the description of a space"),
        ({**CHOICES, "decisions": 7}, "not the description of a space"),
        ({**CHOICES, "decisions": [[["a"], ["b"]]]}, "not the description of a space"),
        ({**CHOICES, "decisions": [["a", "bc"]]}, "needs a list of choices"),
        ({**CHOICES, "separator": None}, "a separator is"),
        ({**CHOICES, "order": [0, 0]}, "no permutation"),
        ({"name": "x"}, "install the package that registers it"),
        ({"name": "x", "nodes": 3}, "install the package that registers it"),
        ({**CHOICES, "class": "Mine"}, "install the package that registers it"),
        ({"name": "nb-macro"}, "'nb-macro' is here, but not as described"),
    ],
)
def test_what_describes_no_space_is_refused(description: dict[str, Any], told: str) -> None:
    with pytest.raises(NasbenchError, match=told) as caught:
        from_description(description)
    assert len(str(caught.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(
    st.sampled_from([CELL, CHOICES, get("nb-macro").describe()]),
    st.dictionaries(
        st.sampled_from(
            ["name", "nodes", "operations", "decisions", "separator", "order", "class"]
        ),
        JSON,
        max_size=3,
    ),
)
def test_a_hostile_description_is_refused_or_describes_a_space(
    of: Mapping[str, Any], changed: dict[str, Any]
) -> None:
    description = {**of, **changed}
    try:
        space = from_description(description)
    except NasbenchError:
        return
    assert space.describe() == description


# Spaces of other packages.

THEIRS = """
from nasbench.space import ChoiceSpace

class Depths(ChoiceSpace):
    def __init__(self):
        super().__init__("depths", {"first": [1, 2], "second": [1, 2, 3]})

def fails():
    raise RuntimeError("no such device")

def other():
    return ChoiceSpace("elsewhere", {"a": [1]})

def nb201():
    raise AssertionError("a built-in name is not another package's")
"""
POINTS = """
[nasbench.spaces]
depths = their_spaces:Depths
fails = their_spaces:fails
other = their_spaces:other
absent = their_spaces:absent
nb201 = their_spaces:nb201
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package installed beside, with spaces good and bad."""
    (tmp_path / "their_spaces.py").write_text(THEIRS)
    info = tmp_path / "their_spaces-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-spaces\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    # Caches of this test's own: clearing the real ones would make every space anew.
    for name in ("_registered", "_named"):
        monkeypatch.setattr(registry, name, cache(getattr(registry, name).__wrapped__))
    yield
    sys.modules.pop("their_spaces", None)


@pytest.mark.usefixtures("theirs")
def test_other_packages_plug_in() -> None:
    space = nb.space("depths")
    assert (space.size, space.string(5)) == (6, "2:3")
    described = json.loads(json.dumps(space.describe()))
    assert described["class"] == "Depths"
    assert from_description(described) is space
    assert list(names()) == [*BUILT_IN, "absent", "depths", "fails", "other"]
    assert nb.space("nb201").size == 15_625
    with pytest.raises(NasbenchError, match="unknown space 'depth'; did you mean depths"):
        nb.space("depth")
    # The same name, described in full, is the space of the file that was written with it.
    plain = ChoiceSpace("depths", {"first": [1]})
    assert from_description(plain.describe()).size == 1
    with pytest.raises(NasbenchError, match="'depths' is here, but not as described"):
        from_description({**described, "separator": "-"})


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "space fails cannot be loaded: no such device"),
        ("absent", "space absent cannot be loaded: .*no attribute 'absent'"),
        ("other", "entry point other of nasbench.spaces must return a Space of that name"),
    ],
)
def test_other_packages_faults_are_told(name: str, told: str) -> None:
    for use in (get, lambda name: from_description({"name": name})):
        with pytest.raises(NasbenchError, match=told):
            use(name)


@pytest.mark.process
def test_an_import_looks_for_no_other_package() -> None:
    code = (
        "import sys, nasbench as nb; nb.space('nb201'); nb.space('nb-macro').unique; "
        "assert not {'torch', 'importlib.metadata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
