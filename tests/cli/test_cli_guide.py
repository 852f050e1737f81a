"""The guide: every topic is shown, whole, and listed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.cli.guide import GROUPS, topics
from nasbench.errors import UnknownName

FOLDER = Path(str(resources.files("nasbench") / "guide"))


def test_every_file_is_a_topic_and_has_a_title() -> None:
    assert set(topics()) == {file.stem for file in FOLDER.glob("*.md")} | {"commands"}
    assert all(page.text.startswith("# ") for name, page in topics().items() if name != "commands")
    assert {page.group for page in topics().values()} == set(GROUPS)


def test_topics_are_listed_by_what_they_are_for_and_shown_as_they_are() -> None:
    listed = CliRunner().invoke(app, ["guide"], catch_exceptions=False).output
    ends = [listed.index(f"## {head}") for head in GROUPS.values()] + [len(listed)]
    for group, begin, end in zip(GROUPS, ends, ends[1:], strict=False):
        of = [page for page in topics().values() if page.group == group]
        assert all(f"guide {page.name}`: {page.title}" in listed[begin:end] for page in of)
    shown = CliRunner().invoke(app, ["guide", "limits"], catch_exceptions=False).output
    whole = (FOLDER / "limits.md").read_text(encoding="utf-8")
    assert whole.strip() == f"<!-- reference -->\n{shown.strip()}"


def test_commands_are_shown_with_what_their_help_says() -> None:
    shown = CliRunner().invoke(app, ["guide", "commands"], catch_exceptions=False).output
    for name in ("space", "surrogate fit", "transfer start"):
        assert f"\n## nasbench {name}\n" in shown
    (row,) = (line for line in shown.splitlines() if line.startswith("| `--dry-run`"))
    assert "Only say how many trainings" in row


def test_pages_name_topics_that_there_are() -> None:
    named = {
        (page.name, topic)
        for page in topics().values()
        for topic in re.findall(r"nasbench guide ([a-z-]+)", page.text)
    }
    assert {pair for pair in named if pair[1] not in topics()} == set()


def test_an_unknown_topic_names_the_near_one() -> None:
    with pytest.raises(UnknownName, match="did you mean limits"):
        CliRunner().invoke(app, ["guide", "limit"], catch_exceptions=False, standalone_mode=False)


@pytest.mark.process
def test_the_package_can_be_run_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nasbench", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("nasbench-harness ")
