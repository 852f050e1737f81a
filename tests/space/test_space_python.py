"""A space in a Python file of the user's."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

import nasbench as nb
from nasbench.errors import NasbenchError

SPACE = """\
from nasbench.space import ChoiceSpace
rules = {"kernel2": {"depth": [2]}}
space = ChoiceSpace("widths", {"depth": [1, 2], "kernel2": [3, 5]}, only_if=rules)
"""


def test_a_file_has_a_space_and_is_its_source(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SPACE)
    space = nb.space(path)
    assert (space.name, space.unique) == ("widths", 3)
    assert space.source is not None
    assert (space.source.name, space.source.text) == ("mine.py", SPACE)
    assert str(tmp_path) not in str(space.describe())
    assert pickle.loads(pickle.dumps(space)).source == space.source
    path.write_text(SPACE.replace("[1, 2]", "[1, 2, 3]"))
    assert nb.space(path).size == 6


def test_a_file_hides_no_module(tmp_path: Path) -> None:
    before = sys.modules["json"]
    (tmp_path / "json.py").write_text("import json\nassert json.dumps\n" + SPACE)
    assert nb.space(tmp_path / "json.py").size == 4
    assert sys.modules["json"] is before
    assert str(tmp_path) not in sys.path


def test_a_module_has_a_space_under_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_widths_package.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    space = nb.space("some_widths_package:space")
    assert space.source is not None
    assert space.source.name == "some_widths_package.py"
    with pytest.raises(NasbenchError, match="has no other"):
        nb.space("some_widths_package:other")
    with pytest.raises(NasbenchError, match="module not_there cannot be loaded"):
        nb.space("not_there:space")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", r"bad\.py has no space: it needs space = ChoiceSpace"),
        ("space = 3", r"space of bad\.py is a int"),
        ("\n1 / 0", r"ZeroDivisionError: division by zero \(line 2 of bad\.py\)"),
        ("def f(:", "SyntaxError: .* line 1"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise GeneratorExit", r"GeneratorExit \(line 1 of bad\.py\)"),
        ("\0", r"null bytes$"),
        (
            'from nasbench.space import ChoiceSpace\nspace = ChoiceSpace("a\\nb", {"a": [1]})',
            "a space's name is 1 to 100 printable characters",
        ),
        ("import not_there_at_all", "ModuleNotFoundError"),
        ("#" + "x" * (1 << 20), "bad.py"),
        (
            "from nasbench.space import ChoiceSpace\nclass Own(ChoiceSpace): pass\n"
            'space = Own("own", {"a": [1]})',
            "an own kind of Space, Own: rules are data",
        ),
        (
            'from nasbench.space import ChoiceSpace\nspace = ChoiceSpace("nb201", {"a": [1]})',
            "calls its space nb201, as one of this package",
        ),
        (
            'from nasbench.space import ChoiceSpace\nspace = ChoiceSpace("x", {"a": []})',
            r"decision 'a' needs a list of choices.* \(line 2 of bad\.py\)",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(NasbenchError, match=said) as caught:
        nb.space(tmp_path / "bad.py")
    assert "\n" not in str(caught.value)
