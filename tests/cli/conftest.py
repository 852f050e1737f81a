"""The command line in this process, and a recipe that builds in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasbench.cli import main

RECIPE = """
name = "tiny"
task = "digits"
seeds = 2

[space]
name = "pairs"
nodes = 3
operations = ["none", "skip_connect", "nor_conv_1x1"]

[recipe.2ep]
epochs = 2
train_images = 100
valid_images = 100
test_images = 100
channels = 2
cells = 1
batch_size = 50

[[device]]
runtime = "onnxruntime"
repeats = 5
warm_up = 1
"""


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str


Cli = Callable[..., Finished]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs `nasbench` with these words."""

    def run(*words: object) -> Finished:
        monkeypatch.setattr("sys.argv", ["nasbench", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as left:
            status = int(left.code or 0)
        printed = capsys.readouterr()
        return Finished(status, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def table(recipe: Path) -> Path:
    from nasbench.building import build, read_spec

    path = recipe.with_name("tiny.h5")
    build(read_spec(recipe), path, processes=1, hardware="cpu")
    return path
