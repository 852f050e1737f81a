"""Names and words of strangers: shown as they are written, harmless wherever they stand."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import drawing
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import nasbench as nb
from nasbench import importers
from nasbench._files import csv_cell, csv_value
from nasbench.report import Report, TextTable, write_comparison, write_report
from nasbench.report.text import markdown_text
from nasbench.report.theme import styled, to_svg
from nasbench.search import Comparison, Objective, strategy
from nasbench.table import Dataset, Table, write_table
from nasbench.table.dumping import dump

NAME = "=cmd|'/c calc'!A1 <img src=x onerror=alert(1)> $\\frac{$ `x` [a](javascript:b) &lt; 日本"
# What a name cannot hold, and other texts of a manifest can.
WORDS = f"{NAME} \\input{{/etc/passwd}}\n\n# heading\r\n| a | b |\x1b[2J\u202e\udcff ../../x"
SIGNS = """
name = "signs"
[decisions]
first = ["=2", "-1", "+3", "@4", "'=2"]
then = ["a", "b"]
"""


STRATEGY = "_hidden <script>alert(2)</script> $x | =1+1"
"""A name that legends of matplotlib would leave out."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    space = nb.space("nb201-mini")
    rows = space.representatives
    rng = np.random.default_rng(0)
    name, metric = NAME.replace("\\", ""), "valid_accuracy"
    about = {"kind": "trained", "epochs": [4]}
    costs = Dataset(rng.uniform(1, 9, len(rows)), {"kind": "measured"})
    accuracy = Dataset(rng.uniform(50, 90, (len(rows), 2, 1)), about)
    hardware = {"processor": WORDS, "system": WORDS, "cores": 2}
    return write_table(
        tmp_path_factory.mktemp("names") / "t.h5",
        name=name,
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={name: {"epochs": 4, "seeds": [0, 1], "trained": {WORDS: WORDS}}},
        datasets={
            f"recipe/{name}/{metric}": accuracy,
            f"recipe/{name}/=train_seconds": accuracy,
            f"device/+{name}/latency_ms": costs,
        },
        devices={f"+{name}": {}},
        about={
            "task": {"name": WORDS, "hash": WORDS, "splits": {WORDS: 3}},
            "engine": WORDS,
            "versions": {WORDS: WORDS},
            "hardware": hardware,
            "source": {"kind": WORDS, "name": WORDS, "licence": WORDS, "citation": WORDS},
        },
    )


@pytest.fixture(scope="module")
def comparison(table: Table) -> Comparison:
    cost = Objective(f"{table.devices[0]}/latency_ms", maximize=False)
    known = dict(strategy._registered())
    known[STRATEGY] = known["random_search"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategy, "_registered", lambda: known)
        return nb.compare(
            [STRATEGY, "random_search"],
            table,
            budget_evaluations=5,
            seeds=range(2),
            objectives=[cost],
        )


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page")
    with drawing.drawn("svg"):
        write_comparison(comparison, out)
    return out


class _Tags(HTMLParser):
    """What is drawn or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_them_and_runs_nothing(folder: Path, table: Table) -> None:
    page = _Tags()
    page.feed((folder / "index.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert table.name in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_markdown_shows_them_in_their_cells(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"<|\]\(|\$|(?<!\\)`", text)
    lines = text.splitlines()
    assert {line[:4] for line in lines if line.startswith("#")} == {"# Se", "### "}
    for one, after in pairwise(lines):
        if one.startswith("|") and after.startswith("|"):  # of one table
            assert len(re.findall(r"(?<!\\)\|", one)) == len(re.findall(r"(?<!\\)\|", after))
    assert "javascript" in text


def test_latex_takes_them_for_text(folder: Path) -> None:
    text = (folder / "report.tex").read_text(encoding="utf-8")
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert "\\input" not in text
    ours = re.compile(r"\$\\(pm|tau|rho|times|infty)\$|\$\^2\$")
    assert not re.search(r"(?<!\\)[$#]", ours.sub("", text))


def test_spreadsheets_find_no_formula(folder: Path, table: Table) -> None:
    for name in ("runs.csv", "curves.csv", "thinking.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(tuple("=+@\t\r"))
            assert not cell.startswith("-") or float(cell) < 0
        assert csv_value(rows[1][0]) == table.name


def test_figures_show_them_as_they_are(folder: Path) -> None:
    """In a legend, too: matplotlib would leave a name out that begins with an underscore."""
    svgs = sorted((folder / "figures").glob("*.svg"))
    assert all(re.fullmatch(r"[\w.-]+", path.name) for path in svgs)
    shown = [" ".join(ET.parse(path).getroot().itertext()) for path in svgs]
    assert any("\\frac{$" in text or "frac{$" in text for text in shown)
    assert any("_hidden <script>" in text for text in shown)


def test_a_report_and_its_figures_are_files_of_its_folder(table: Table, tmp_path: Path) -> None:
    write_report(Report(table, table.recipes[0]), tmp_path / "page", NAME)
    outside = {path.name for path in tmp_path.iterdir()} - {"page"}
    assert not outside
    assert len(list((tmp_path / "page" / "figures").iterdir())) == 8


@pytest.mark.drawn
@pytest.mark.parametrize("text", ["$", "$x$", "a $ b $ c", "\\$", "^_{}", "10 $ < 20 $"])
def test_a_dollar_sign_is_drawn(text: str) -> None:
    @styled
    def draw() -> Figure:
        drawn = Figure()
        axes = drawn.add_subplot()
        axes.set_title(text)
        axes.plot([1, 2], label=text)
        axes.legend()
        return drawn

    drawn = draw()
    found = [t.get_text() for t in drawn.findobj(Text)]
    assert found.count(text) == 2
    assert text in " ".join(ET.fromstring(to_svg(drawn)).itertext())


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-x", "@a", "\t=", "\r1", "'=1", "''-2", "'a", "a=1", ""]
)
def test_a_cell_reads_back(text: str) -> None:
    assert not csv_cell(text).startswith(tuple("=+-@\t\r"))
    assert csv_value(csv_cell(text)) == text


def test_markdown_text_is_one_line() -> None:
    assert markdown_text("a\nb\r\n# c") == "a b  # c"
    plain = TextTable("t", ("a\tb", ""), [("x\x1b[2J", "y\n")], "n\u2028").plain()
    assert "\x1b" not in plain
    assert plain.split("\n") == ["t", "", "a b", "x [2J  y", "", "n", ""]


def test_a_dump_with_formulas_is_imported_again(tmp_path: Path) -> None:
    """Strings of architectures and names of recipes begin as formulas do."""
    (tmp_path / "signs.toml").write_text(SIGNS, encoding="utf-8")
    space = nb.space(str(tmp_path / "signs.toml"))
    rng = np.random.default_rng(0)
    values = Dataset(rng.uniform(1, 99, (10, 2, 1)), {"kind": "imported", "epochs": [1]})
    made = write_table(
        tmp_path / "t.h5",
        name="signs",
        space=space,
        rows=np.arange(10),
        sharing="none",
        recipes={"r": {"epochs": 1, "seeds": [0, 1]}},
        datasets={"recipe/r/valid_accuracy": values},
    )
    dump(made, tmp_path / "t.csv", to="csv")
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@"))]
    again = importers.import_table(
        "csv", tmp_path / "t.csv", tmp_path / "again.h5", space=str(tmp_path / "signs.toml")
    )
    np.testing.assert_array_equal(
        again.trainings("valid_accuracy", np.arange(10), recipe="r"), values.values
    )
