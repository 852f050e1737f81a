"""The guide: every topic is shown, whole, and listed."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.cli.guide import topics
from nasbench.errors import UnknownName

FOLDER = Path(str(resources.files("nasbench") / "guide"))


def test_every_file_is_a_topic_and_has_a_title() -> None:
    assert set(topics()) == {file.stem for file in FOLDER.glob("*.md")}
    assert all(file.read_text(encoding="utf-8").startswith("# ") for file in FOLDER.glob("*.md"))


def test_topics_are_listed_and_shown_as_they_are() -> None:
    listed = CliRunner().invoke(app, ["guide"], catch_exceptions=False).output
    for name, head in topics().items():
        assert name in listed
        assert head in listed
    shown = CliRunner().invoke(app, ["guide", "limits"], catch_exceptions=False).output
    assert shown.strip() == (FOLDER / "limits.md").read_text(encoding="utf-8").strip()


def test_an_unknown_topic_names_the_near_one() -> None:
    with pytest.raises(UnknownName, match="did you mean limits"):
        CliRunner().invoke(app, ["guide", "limit"], catch_exceptions=False, standalone_mode=False)


@pytest.mark.process
def test_the_package_can_be_run_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nasbench", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("nasbench-harness ")
