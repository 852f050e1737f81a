"""Tables by name or path, loaded without what reading does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_table import write

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.table import load, recipe_path, shipped, shipped_recipes, shipped_tables


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the shipped one."""
    for name in ("mini-digits-v2", "mini-digits-v10", "mini-digits-v9", "other-v1"):
        write(tmp_path / f"{name}.h5", name=name)
    (tmp_path / "unversioned.h5").write_bytes(b"")
    (tmp_path / "mini-digits.toml").write_text("")
    monkeypatch.setattr(shipped, "_folder", lambda: tmp_path)
    return tmp_path


def test_a_name_is_the_newest_shipped_table(shelf: Path) -> None:
    assert {name: path.name for name, path in shipped_tables().items()} == {
        "mini-digits": "mini-digits-v10.h5",
        "other": "other-v1.h5",
    }
    assert nb.load("mini-digits").name == "mini-digits-v10"
    assert nb.load(shelf / "mini-digits-v2.h5").name == "mini-digits-v2"
    assert nb.load(str(shelf / "other-v1.h5")).name == "other-v1"


def test_a_name_that_is_none_names_the_near_ones(shelf: Path) -> None:
    with pytest.raises(NasbenchError, match="unknown table 'mini-digit'; did you mean mini-digits"):
        load("mini-digit")
    for absent in ("absent.h5", "folder/mini-digits", str(shelf / "mini-digits-v3.h5")):
        with pytest.raises(NasbenchError, match=f"there is no table file {absent}"):
            load(absent)
    (shelf / "images").mkdir()
    with pytest.raises(NasbenchError, match=r"images is a folder; a table is a file .* \.h5"):
        load(shelf / "images")


def test_build_recipes_are_found_the_same_way(shelf: Path, tmp_path: Path) -> None:
    assert shipped_recipes() == {"mini-digits": shelf / "mini-digits.toml"}
    assert recipe_path("mini-digits") == shelf / "mini-digits.toml"
    own = tmp_path / "own.toml"
    own.write_text("")
    assert recipe_path(str(own)) == own
    with pytest.raises(NasbenchError, match=r"there is no recipe file own\.toml"):
        recipe_path("own.toml")
    with pytest.raises(NasbenchError, match="unknown recipe 'mini-digts'; did you mean"):
        recipe_path("mini-digts")


HEAVY = {"torch", "pandas", "h5py", "sklearn", "xgboost", "matplotlib", "PIL", "scipy"}


def loaded_by(program: str, *arguments: str) -> set[str]:
    """Which heavy packages a fresh process holds after the program."""
    package = Path(nb.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)", *arguments],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(done.stdout.split())


@pytest.mark.process
def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import nasbench") == set()
    assert loaded_by("import PIL") == {"PIL"}  # the test would see it


@pytest.mark.process
def test_reading_a_table_loads_nothing_heavy(tmp_path: Path) -> None:
    path = write(tmp_path / "t.h5").path
    program = (
        "import sys, nasbench as nb\n"
        "table = nb.load(sys.argv[1])\n"
        "table.values('valid_accuracy', range(125), recipe='short')\n"
        "table.missing('valid_accuracy', recipe='long')\n"
        "table.verify()\n"
        "nb.Recipe(epochs=1), nb.space('nb201').sample, nb.task\n"
    )
    assert loaded_by(program, str(path)) == set()
