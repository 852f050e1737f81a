"""Tasks by name, and as the table `[task]` of a recipe file names them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.task import from_spec, get, names


def test_the_package_s_task_is_the_registry() -> None:
    assert nb.task("digits") is get("digits") is from_spec("digits")
    assert list(names())[:2] == ["fashion16", "digits"]
    assert all(get(name).name == name for name in names())


def test_an_unknown_task_names_the_near_ones() -> None:
    with pytest.raises(NasbenchError, match="unknown task 'fashion'; did you mean fashion16"):
        nb.task("fashion")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(256, size=(40, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(40) % 2)
    return tmp_path


def test_a_source_is_read_from_beside_the_recipe_file(mine: Path) -> None:
    spec = {"source": "npz", "path": "mine.npz", "size": 3, "valid": 10, "classes": ["a", "b"]}
    task = from_spec(spec, base=mine)
    assert (task.shape, len(task.valid), task.classes) == ((1, 3, 3), 10, ("a", "b"))
    elsewhere = from_spec({**spec, "path": str(mine / "mine.npz")}, base=Path("elsewhere"))
    assert elsewhere.hash == task.hash


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "nzp"}, "unknown task source 'nzp'; did you mean npz"),
        ({"source": None}, "unknown task source None"),
        ({"sise": 3}, "unknown key of \\[task\\] 'sise'; did you mean size"),
        ({"about": {}}, "unknown key of \\[task\\] 'about'"),
        ({"split": {}}, "unknown key of \\[task\\] 'split'"),
        ({"source": ["npz"]}, r"unknown task source \['npz'\]; did you mean npz\?"),
        ({"source": {"a": 1}}, "unknown task source {'a': 1}; known: "),
        ({"path": 5}, r"\[task\]: path is a file or a folder, in quotes, got 5"),
        ({"path": ""}, r"\[task\]: path is a file or a folder, in quotes, got ''"),
        ({"path": "a\0b"}, r"\[task\]: path is a file or a folder, in quotes, got 'a\\x00b'"),
        ({"path": "a\nb"}, r"\[task\]: path is a file or a folder, in quotes, got 'a\\nb'"),
        ({"path": "\ud800"}, r"\[task\]: path is a file or a folder, in quotes, got '\\ud800'"),
        ({"path": "n" * 9_999}, r"\[task\]: path is a file or a folder, in quotes, got 'nnn"),
        ({"path": "absent.npz"}, r"cannot read \.npz file .*absent\.npz: No such file"),
        ({"path": "n" * 300, "name": "mine"}, "cannot read .*: File name too long"),
        ({"valid": "many"}, r"\[task\]: valid is a number of images, or a share of them, got 'm"),
        ({"valid": True}, r"\[task\]: valid is a number of images, or a share of them, got True"),
        ({"valid": math.inf}, "valid is a number of images, or a share between 0 and 1; got inf"),
        ({"valid": math.nan}, "valid is a number of images, or a share between 0 and 1; got nan"),
        ({"valid": -0.5}, "valid is a number of images, or a share between 0 and 1; got -0.5"),
        ({"valid": -5}, "32 images cannot give 37 train and -5 valid"),
        ({"valid": 10**30}, "32 images cannot give"),
        ({"train": 10**30}, "32 images cannot give"),
        ({"train": 1.5}, r"\[task\]: train is a number of images, got 1.5"),
        ({"test_share": math.nan}, "test_share must lie between 0 and 1, got nan"),
        ({"test_share": 5}, "test_share must lie between 0 and 1, got 5"),
        ({"size": "8"}, r"\[task\]: size is a whole number of pixels, got '8'"),
        ({"size": 8.5}, r"\[task\]: size is a whole number of pixels, got 8.5"),
        ({"size": -1}, "an image size is 1 or more, got -1"),
        ({"size": 100_000}, "an image size is 4,096 at most, got 100000"),
        ({"seed": -1}, "seed of a split is 0 or more"),
        ({"seed": 2**63}, "seed of a split is below 2\\*\\*63"),
        ({"seed": [1]}, r"\[task\]: seed is a whole number, got \[1\]"),
        ({"classes": 5}, r"\[task\]: classes is a list of names, as in .*, got 5"),
        ({"classes": "ab"}, r"\[task\]: classes is a list of names, as in .*, got 'ab'"),
        ({"classes": []}, r"\[task\]: classes is a list of names, as in .*, got \[\]"),
        ({"classes": ["a", 5]}, r"\[task\]: classes is a list of names, as in"),
        ({"classes": ["a", ["b"]]}, r"\[task\]: classes is a list of names, as in"),
        (
            {"classes": ["a", ""]},
            "task mine: a class's name has 1 to 200 printable letters, got ''",
        ),
        ({"classes": ["a", "b\n"]}, r"a class's name has 1 to 200 printable .* got 'b\\n'"),
        ({"classes": ["a", "b" * 201]}, "a class's name has 1 to 200 printable letters, got 'bb"),
        ({"classes": ["a", "a"]}, "task mine: two classes are called 'a'"),
        ({"classes": ["a", "b", "c"]}, "class 'c' has no train image"),
        ({"name": " "}, "a task's name has 1 to 200 printable letters, got ' '"),
        ({"name": 5}, r"\[task\]: name is a name of printable letters, in quotes, got 5"),
        ({"name": ""}, r"\[task\]: name is a name of printable letters, in quotes, got ''"),
        (
            {"name": "a\nb"},
            r"\[task\]: name is a name of printable letters, in quotes, got 'a\\nb'",
        ),
        ({"name": "a\u200bb"}, r"a task's name has 1 to 200 printable letters, got 'a\\u200bb'"),
        ({"name": "a" * 201}, "a task's name has 1 to 200 printable letters, got 'aa"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(
    mine: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told) as refused:
        from_spec({"source": "npz", "path": "mine.npz", **changes}, base=mine)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700


def test_a_source_needs_a_path() -> None:
    with pytest.raises(NasbenchError, match="with source 'npz' needs a path"):
        from_spec({"source": "npz"})


def test_a_folder_needs_a_size_and_says_what_it_is() -> None:
    told = r"with source 'folder' needs a size, as in size = 32: so many pixels wide and high"
    with pytest.raises(NasbenchError, match=told):
        from_spec({"source": "folder", "path": "images"})


@pytest.mark.parametrize("spec", [5, ["fashion16"], None, True])
def test_what_is_neither_a_name_nor_a_table_is_refused(spec: object) -> None:
    with pytest.raises(NasbenchError, match=r"task is a name or a table \[task\], got"):
        from_spec(spec)
