"""Tasks by name, and as the table `[task]` of a recipe file names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.task import from_spec, get, names


def test_the_package_s_task_is_the_registry() -> None:
    assert nb.task("digits") is get("digits") is from_spec("digits")
    assert list(names()) == ["fashion16", "digits"]
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
        ({"path": 5}, "\\[task\\]: "),
        ({"valid": "many"}, "\\[task\\]: "),
        ({"size": "8"}, "\\[task\\]: "),
        ({"seed": -1}, "seed of a split is 0 or more"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(
    mine: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        from_spec({"source": "npz", "path": "mine.npz", **changes}, base=mine)


def test_a_source_needs_a_path() -> None:
    with pytest.raises(NasbenchError, match="with source 'npz' needs a path"):
        from_spec({"source": "npz"})
