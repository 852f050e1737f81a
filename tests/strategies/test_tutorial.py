"""The guide's package with a strategy of one's own, followed to the letter but for pip."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pages
import pytest

import nasbench as nb
from nasbench.cli.guide import topics
from nasbench.table import Dataset, write_table

BLOCKS = list(pages.blocks(topics()["own-strategy"].text))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the tutorial says to write, as if installed, and a table where its demo puts one."""
    files = {block.file: block.text for block in BLOCKS if block.file}
    assert set(files) == {"pyproject.toml", "greedy_nas.py", "test_greedy_nas.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = tmp_path / "greedy_nas-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in named.items())
        for group, named in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    (tmp_path / "demo").mkdir()
    _write_table(tmp_path / "demo" / "table.h5")
    return tmp_path


def _write_table(path: Path) -> None:
    """Every cell of nb201-mini; the more convolutions, the better."""
    space = nb.space("nb201-mini")
    worth = space.ops(range(space.size)).sum(1, dtype=float)[:, None, None]
    about = {"kind": "trained", "epochs": [1]}
    write_table(
        path,
        name="table",
        space=space,
        rows=range(space.size),
        sharing="none",
        recipes={"1ep": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/1ep/valid_accuracy": Dataset(worth, about),
            "recipe/1ep/test_accuracy": Dataset(worth, about),
            "recipe/1ep/train_seconds": Dataset(worth + 1, about),
        },
        devices={},
    )


@pytest.mark.slow
@pytest.mark.process
def test_the_tutorial_does_what_it_says(folder: Path) -> None:
    (commands,) = (block.text for block in BLOCKS if block.kind == "console")
    here = Path(sys.executable).parent
    packages = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    environment = os.environ | {"PYTHONPATH": packages, "PATH": f"{here}:{os.environ['PATH']}"}
    printed = []
    for command in commands.splitlines():
        if command.startswith(("pip install", "nasbench demo")):
            continue
        done = subprocess.run(
            shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        printed.append(done.stdout)
    tested, searched, compared = printed
    assert "8 passed" in tested
    assert "greedy" in searched
    assert "greedy" in compared
    found = json.loads((folder / "greedy" / "summary.json").read_text())["strategies"]
    # On a slope, climbing beats drawing.
    assert found["greedy"]["regret"]["high"] < found["random_search"]["regret"]["low"]
