"""A space of one's own in a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, ChoiceSpace, from_description

CHOICES = """\
name = "widths"
separator = "-"

[decisions]
stem = [16, 24]
"block type" = ["mbconv", "conv"]
"""
CELL = """\
name = "tiny"
nodes = 3
operations = ["none", "nor_conv_3x3"]
"""


def test_a_file_describes_decisions(tmp_path: Path) -> None:
    (tmp_path / "widths.toml").write_text(CHOICES)
    space = nb.space(tmp_path / "widths.toml")
    assert isinstance(space, ChoiceSpace)
    assert list(space.decisions.items()) == [
        ("stem", ("16", "24")),
        ("block type", ("mbconv", "conv")),
    ]
    assert (space.name, space.string(2)) == ("widths", "24-mbconv")
    assert from_description(space.describe()).describe() == space.describe()


def test_a_file_describes_a_cell(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(CELL)
    space = nb.space(str(tmp_path / "tiny.toml"))
    assert isinstance(space, CellSpace)
    assert (space.name, space.size, space.operations) == ("tiny", 8, ("none", "nor_conv_3x3"))


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(CELL)
    assert nb.space(path).name == "tiny"
    path.write_text(CHOICES)
    assert nb.space(path).name == "widths"


def test_a_file_that_describes_a_known_space_is_that_space(tmp_path: Path) -> None:
    operations = list(nb.space("nb201").operations)
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "nb201"\nnodes = 4\noperations = {operations}\n')
    assert nb.space(path) is nb.space("nb201")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "is not TOML"),
        ("a = " + "[" * 5_000, "is nested more than 32 deep"),
        ("a = " + "9" * 5_000, "is not TOML"),
        ("", "'name' is missing"),
        ('name = "x"', "'decisions' is missing: a space has a name, and either nodes"),
        ("name = 5\n[decisions]\na = [1]", "name is text, got 5"),
        ('name = "x"\ndecision = 1', "unknown key 'decision'; did you mean decisions?"),
        ('name = "x"\ndecisions = [1]', "decisions is a table"),
        ('name = "x"\nnodes = 3', "'operations' is missing"),
        ('name = "x"\nnodes = true\noperations = []', "nodes is a whole number, got True"),
        ('name = "x"\nnodes = 1\noperations = ["none"]', "2 nodes or more, got 1"),
        ('name = "x"\nnodes = 3\noperations = ["nor_conv"]', "unknown operation 'nor_conv'"),
        ('name = "x"\nnodes = 3\noperations = [[]]', r"unknown operation '\[\]'"),
        (CELL + 'separator = ":"', "'separator' is no key of a cell"),
        (CELL + "[decisions]\na = [1]", "'decisions' is no key of a cell"),
        (CHOICES + 'extra = "abc"', "decision 'extra' needs a list of choices, got 'abc'"),
        (CHOICES + "extra = [nan]", "'decisions.extra' must be a finite number, got nan"),
        (CHOICES + "[only_if]\nstem = 3", "only_if names decisions with what they depend on"),
        (CHOICES + "[only_if]\nstem.stem = 16", "stem can depend on decisions before it alone"),
        (CHOICES + "[[never]]\nstem = 17", "unknown choice of stem in never '17'; .* 16"),
        (CHOICES + 'extra = ["a-b"]', "choice 'a-b' of decision 'extra' contains the separator"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(NasbenchError, match=rf"bad\.toml.*{told}") as caught:
        nb.space(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match=r"cannot read space .*none\.toml: No such file"):
        nb.space(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(NasbenchError, match="it is a folder"):
        nb.space(tmp_path / "folder.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(NasbenchError, match="is no UTF-8 text"):
        nb.space(tmp_path / "binary.toml")
