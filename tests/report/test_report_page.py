"""The page is self-contained, deterministic, and says what the numbers are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import drawing
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from nasbench.report import Report, TextTable, write_comparison, write_report
from nasbench.search import compare
from nasbench.space import Space
from nasbench.stats import pareto_front
from nasbench.surrogate import Surrogate, fit, score
from nasbench.table import Table

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def report(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Report:
    runs = compare(
        ["random_search", "regularized_evolution"], table, budget_seconds=60, seeds=range(5)
    )
    return Report(table, "4ep", {"Search": runs}, score(fit(table), table))


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page")
    with drawing.drawn("svg"):
        write_report(report, out, "A <title> & more")
    return out


class Links(HTMLParser):
    """Collects what the page would fetch, and its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.files: list[str] = []
        self.ids: list[str] = []
        self.tips: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not str(value).startswith("#"):
                (self.files if tag == "a" else self.fetched).append(str(value))
            if name == "id":
                self.ids.append(str(value))
            if name == "data-tip":
                self.tips.append(str(value))


def test_the_page_fetches_nothing_and_its_ids_are_unique(folder):
    links = Links()
    text = (folder / "index.html").read_text()
    links.feed(text)
    assert links.fetched == []
    assert "@import" not in text
    assert len(links.ids) == len(set(links.ids))
    # A click leads to the files beside it and nowhere else; nothing lies there that none leads to.
    beside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {*links.files} == beside - {"index.html"}


def test_every_point_shows_its_architecture(folder, table):
    links = Links()
    links.feed((folder / "index.html").read_text())
    strings = [tip.split("\n")[0] for tip in links.tips]
    everything = [table.space.string(a) for a in table.rows.tolist()]
    assert strings.count(everything[7]) >= 1
    assert set(strings) == set(everything)


def test_names_are_escaped(folder):
    text = (folder / "index.html").read_text()
    assert "<title>A &lt;title&gt; &amp; more</title>" in text
    assert "made &amp; &lt;up&gt;" in text
    assert "<up>" not in text


def test_estimated_is_called_estimated(folder):
    text = (folder / "index.html").read_text()
    row = re.search(r"toy: energy_mj</td><td>(\w+)", text)
    assert row
    assert row[1] == "estimated"


class Constant:
    """A surrogate that tells nothing apart."""

    primary = "valid_accuracy"

    def __init__(self, space: Space) -> None:
        self.space = space

    def predict(self, metric: str, architectures: ArrayLike) -> NDArray[np.float64]:
        return np.full(np.shape(architectures), 70.0)


def test_the_page_says_which_decisions_matter_to_the_predictor_or_why_not(report, table):
    known = replace(report, comparisons={}, surrogate=fit(table))
    constant = replace(known, surrogate=cast(Surrogate, Constant(table.space)))
    (told,), (untold,) = (
        [one for one in of.sections() if one.title == "The predictor"] for of in (known, constant)
    )
    head = "Which decisions matter to the surrogate"
    assert [of.title for of in told.tables][-1] == head
    assert head not in [of.title for of in untold.tables]
    assert "is not said here: the surrogate predicts the same valid_accuracy" in untold.lead


@pytest.mark.drawn("svg")
def test_the_same_report_gives_the_same_bytes(report, folder, tmp_path):
    """Of curves and fronts, as PDF too, by another test."""
    write_report(report, tmp_path, "A <title> & more")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes(), path


def test_the_strategy_table_has_the_summary_s_figures(report, folder):
    found = report.comparisons["Search"].summary()["strategies"]["random_search"]
    text = (folder / "report.md").read_text()
    line = next(row for row in text.splitlines() if row.startswith("| random_search"))
    assert f"{found['regret']['mean']:.2f} ± {found['regret']['std']:.2f}" in line
    assert f"[{found['regret']['low']:.2f}, {found['regret']['high']:.2f}]" in line
    assert "| 5 |" in line


def test_the_front_on_the_page_counts_as_many_as_there_are(folder, table):
    cost = table.device_column("toy", "latency_ms")
    front = pareto_front(cost, table.column("valid_accuracy"))
    assert f"Pareto front ({len(front)})" in (folder / "index.html").read_text()


def test_latex_is_escaped_and_balanced(folder):
    text = (folder / "report.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") >= 3
    assert r"random\_search" in text
    for line in text.splitlines():
        if "&" in line and "%" in line and not line.startswith("%"):
            assert "%" not in line.replace(r"\%", "")


def test_markdown_bars_are_escaped():
    table = TextTable("T", ("a", "b"), [("|skip~0|", "1")], "note")
    assert r"| \|skip~0\| | 1 |" in table.markdown()


def test_a_comparison_s_summary_lies_beside_its_page(report, tmp_path):
    page = write_comparison(report.comparisons["Search"], tmp_path)
    assert page == tmp_path / "index.html"
    assert (tmp_path / "summary.json").exists()
