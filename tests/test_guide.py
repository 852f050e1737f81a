"""Every page of the guide does what it says: its blocks are run, smaller than they stand there."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from pathlib import Path

import pages
import pytest
from guide_pages import PAGES, README, ROOT, SLOW, SMALLER, write_demo

from nasbench.cli.guide import topics
from nasbench.device import DeviceSpec
from nasbench.train import Recipe

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "table.h5")


@pytest.mark.usefixtures("few_judged")
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in PAGES],
)
def test_a_page_does_what_it_says(name: str, demo: Path, tmp_path: Path) -> None:
    if "demo/table.h5" in PAGES[name]:
        (tmp_path / "demo").mkdir()
        shutil.copy(demo, tmp_path / "demo")
    pages.follow(PAGES[name], tmp_path, SMALLER.get(name, {}))


@pytest.mark.parametrize("name", sorted(SLOW))
def test_commands_of_pages_that_only_the_slow_suite_runs_are_known(name: str) -> None:
    for block in pages.blocks(PAGES[name]):
        for line in pages.lines(block.text) if block.kind in ("sh", "console") else ():
            if line.startswith("nasbench "):
                pages.check_options(line)


def test_code_stands_in_fences() -> None:
    for page in topics().values():
        beside = pages.BLOCK.sub("", page.text)
        assert not re.search(r"\n\n(    |\t)\S", beside), f"{page.name}: code without a fence"
        assert not re.search(r"```|~~~", beside), f"{page.name}: a fence that no test reads"


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) <= 120
    assert len(README.encode()) <= 12_000
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_links_of_pages_and_reports_lead_somewhere() -> None:
    for folder in ("nasbench/guide", "reports", "strategies", "tables"):
        for page in (ROOT / folder).rglob("*.md"):
            for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
                assert (page.parent / link).exists(), f"{page}: {link}"
    for page in (ROOT / "reports").glob("*/index.html"):
        for link in re.findall(r'href="([^"#:]+)"', page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_every_key_of_a_recipe_is_told() -> None:
    told = set(re.findall(r"`([a-z_]+)`", topics()["recipe"].text))
    assert {spec.name for of in (Recipe, DeviceSpec) for spec in fields(of)} <= told
