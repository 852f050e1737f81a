"""The guide's page on a space of one's own: its files and commands, as they stand there."""

from __future__ import annotations

import re
import shlex
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nasbench.cli import app

pytestmark = pytest.mark.heavy

GUIDE = (resources.files("nasbench") / "guide" / "own-space.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's files, fewer networks and epochs, and three classes of coloured noise."""
    folder = tmp_path_factory.mktemp("guide")
    (space,) = [text for kind, text in BLOCKS if kind == "python"]
    recipe = next(text for kind, text in BLOCKS if kind == "toml")
    narrow = space.replace('"kernel1": [3, 5]', '"kernel1": [3]')
    (folder / "my_space.py").write_text(narrow.replace('"drop": [0.0, 0.2]', '"drop": [0.0]'))
    (folder / "recipe.toml").write_text(
        recipe.replace("seeds = 2", "seeds = 1").replace("epochs = 8", "epochs = 1")
    )
    rng = np.random.default_rng(0)
    for place, name in enumerate(("red", "green", "blue")):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(20):
            picture = rng.integers(0, 120, (24, 24, 3), dtype=np.uint8)
            picture[..., place] += 120
            Image.fromarray(picture).save(folder / "photos" / name / f"{number}.png")
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
