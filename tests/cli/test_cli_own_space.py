"""The guide's page on a space of one's own: its files and commands, as they stand there."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nasbench.building import build
from nasbench.building.spec import read_spec
from nasbench.cli import app
from nasbench.report.text import build_facts

pytestmark = pytest.mark.heavy

GUIDE = (resources.files("nasbench") / "guide" / "own-space.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, flags=re.DOTALL)

PYTHON = [text for kind, text in BLOCKS if kind == "python"]
TOML = [text for kind, text in BLOCKS if kind == "toml"]


def commands() -> list[list[str]]:
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's files, fewer networks, images and epochs."""
    folder = tmp_path_factory.mktemp("guide")
    space, shapes, loop = PYTHON
    recipe, adam, *_ = TOML
    narrow = space.replace('"kernel1": [3, 5]', '"kernel1": [3]')
    (folder / "my_space.py").write_text(narrow.replace('"drop": [0.0, 0.2]', '"drop": [0.0]'))
    short = recipe.replace("seeds = 2", "seeds = 1").replace("epochs = 8", "epochs = 1")
    (folder / "recipe.toml").write_text(short)
    (folder / "loop.py").write_text(loop)
    (folder / "loop.toml").write_text(short.split("[recipe")[0] + adam)
    (folder / "shapes.py").write_text(shapes.replace("range(100)", "range(20)"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        runpy.run_path("shapes.py")
    finally:
        os.chdir(before)
    return folder


def test_the_commands_do_what_the_page_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(folder)
    given = commands()
    assert len(given) == 9
    for words in given:
        # The narrower space has fewer architectures than the page's.
        words = ["9" if word == "40" else "3" if word == "30" else word for word in words]
        if words[0] in ("build", "verify"):
            words += ["--workers", "1"]  # no process for so little
        found = CliRunner().invoke(app, words)
        assert found.exit_code == 0, f"{words}: {found.output}"
    assert (folder / "page" / "index.html").exists()
    assert (folder / "best.onnx").exists()


def test_a_forgotten_rule_is_named(folder: Path, tmp_path: Path) -> None:
    text = (folder / "my_space.py").read_text()
    (tmp_path / "forgot.py").write_text(re.sub(r"    only_if=.*\n", "", text))
    found = CliRunner().invoke(app, ["space", str(tmp_path / "forgot.py"), "--check"])
    assert found.exit_code == 0
    assert 'only_if = {"kernel2": {"depth": [2, 3]}}' in found.output


def test_its_loop_and_its_evaluation_make_a_table(folder: Path) -> None:
    table = build(read_spec(folder / "loop.toml"), folder / "L.h5", processes=1)
    assert table.metrics["adam"] == (
        *("valid_accuracy", "train_seconds", "test_accuracy", "steady", "evaluation_seconds"),
    )
    assert np.isfinite(table.column("steady")).all()
    facts = dict(build_facts(table, "adam").rows)
    assert "train train of loop.py, options (rate 0.003)" in facts["recipe adam"]
    looked = CliRunner().invoke(app, ["info", str(table.path)]).output
    assert re.search(r"networks +my_space.py, SHA-256 [0-9a-f]{64}", looked)


def test_rules_of_a_space_are_shown(folder: Path) -> None:
    looked = CliRunner().invoke(app, ["space", str(folder / "my_space.py")]).output
    assert '{"kernel2": {"depth": [2, 3]}, "kernel3": {"depth": [3]}}' in looked


@pytest.mark.parametrize("text", TOML[2:], ids=["texts", "numbers", "policies"])
def test_its_recipes_of_other_signals_are_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(text)
    assert read_spec(tmp_path / "other.toml").space.name == tomllib.loads(text)["space"]
