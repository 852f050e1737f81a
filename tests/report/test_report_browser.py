"""What a page does in a browser: sort, show and hide, filter, pin, fold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import drawing
import pytest
from beginnings import ANY_BRIEF
from browser import print_page, run_in_page
from matplotlib.figure import Figure

from nasbench.report import Section, TextTable
from nasbench.report.figures import Drawing
from nasbench.report.sections import Brief, write_sections
from nasbench.report.theme import figure, styled

pytestmark = [pytest.mark.heavy, pytest.mark.process]

SCRIPT = """
const click = on => on.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const column = n => [...document.querySelector("table").tBodies[0].rows]
  .filter(row => !row.hidden).map(row => row.cells[n].textContent);
const told = { before: column(0) };
const heads = document.querySelectorAll("thead button");
click(heads[1]);
told.down = column(1);
told.sorted = heads[1].parentElement.getAttribute("aria-sort");
click(heads[1]);
told.up = column(1);
click(heads[1]);
told.again = column(0);
click(heads[0]);
told.words = column(0);
const filter = document.querySelector(".filter input");
filter.value = "name_1 4";
filter.dispatchEvent(new Event("input"));
told.filtered = column(0);
told.counted = document.querySelector(".filter [role=status]").textContent;

const seen = of => [...document.querySelectorAll(`g[id*="-${of}"]`)].map(
  part => getComputedStyle(part).display !== "none");
const [one, other] = document.querySelectorAll(".legend button");
told.legend = one.textContent;
click(one);
told.hidden = [one.getAttribute("aria-pressed"), seen("line-0"), seen("key-1")];
click(one);
told.shown = [one.getAttribute("aria-pressed"), seen("line-0"), seen("key-1")];
other.dispatchEvent(new MouseEvent("dblclick"));
told.alone = [seen("line-0"), seen("key-1")];
one.onpointerenter();
told.dimmed = document.querySelectorAll("svg .dim").length;

const marks = document.querySelectorAll("[data-tip]");
marks[1].dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
told.tip = document.getElementById("tip").textContent;
click(marks[1]); click(marks[0]);
told.pinned = [...document.querySelectorAll(".pins span")].map(pin => pin.textContent);
click(marks[1]);
click(document.querySelector(".pins button[aria-label]"));
told.unpinned = document.querySelectorAll(".pins li, .pinned").length;
const svg = marks[0].closest("svg");
const key = name => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
key("ArrowRight"); key("ArrowRight"); key("Enter");
told.walked = [...document.querySelectorAll(".pins span")].map(pin => pin.textContent);

told.folded = [...document.querySelectorAll("details.section")].map(part => part.open);
click(document.querySelector("nav button"));
told.all = [...document.querySelectorAll("details.section")].map(part => part.open);
dispatchEvent(new Event("beforeprint"));
told.printed = [...document.querySelectorAll("details")].map(part => part.open);
const brief = document.querySelector(".brief");
told.cut = brief.scrollWidth - brief.clientWidth;
const names = [...document.querySelectorAll("td:first-child")];
told.tallest = Math.max(...names.map(cell => cell.offsetHeight));
told.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
return told;
"""


@styled
def _drawn() -> Figure:
    drawn, axes = figure()
    axes.plot([1, 2], [1, 2], label="<one>", gid="line-0")
    axes.fill_between([1, 2], [0, 1], [2, 3], gid="line-0-band")
    axes.plot([1, 2], [2, 1], "--", label="other")
    axes.scatter([2, 1], [1.2, 1.3], gid="points")
    drawn.legend(loc="outside lower left")
    return drawn


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happens on a narrow screen."""
    values = ["1,234 ± 1", "–", "-5 [-6, -4]", ".5", "7 %", *map(str, range(20, 31))]
    wide = "w" * 80
    rows = [[f"name_{place}", value, wide] for place, value in enumerate(values)]
    rows.append(["drawn", "9", wide])
    table = TextTable("T", ("name", "value", "wide"), rows, "N", reference=frozenset({16}))
    shown = Drawing("d", "D", "short", _drawn(), {"points": ["right\n1", "left\n2"]}, "long")
    sections = [Section("A", "a", [shown], [table]), Section("B", "b", folded=True)]
    brief = Brief([("A", "x" * 200)], "N", ["nasbench " + "y" * 200], "M")
    with drawing.drawn():
        page = write_sections(sections, tmp_path_factory.mktemp("page"), "Title", brief)
    return run_in_page(page, SCRIPT, "--window-size=500,900")


def test_heads_sort(told: dict[str, Any]) -> None:
    known = ["1,234 ± 1", *map(str, range(30, 19, -1)), "7 %", ".5", "-5 [-6, -4]"]
    assert told["down"] == [*known, "–", "9"]  # what stands for comparison stays below
    assert told["sorted"] == "descending"
    assert told["up"] == [*known[::-1], "–", "9"]
    assert told["again"] == told["before"]
    assert told["words"] == told["before"]  # name_2 before name_10


def test_rows_are_filtered(told: dict[str, Any]) -> None:
    assert told["filtered"] == ["name_14"]  # which has both words
    assert told["counted"] == "1 of 17"


def test_legends_show_hide_and_highlight(told: dict[str, Any]) -> None:
    assert told["legend"] == "<one>"
    assert told["hidden"] == ["false", [False, False], [True]]  # the band, too
    assert told["shown"] == ["true", [True, True], [True]]
    assert told["alone"] == [[False, False], [True]]
    assert told["dimmed"] == 1


def test_points_are_pinned(told: dict[str, Any]) -> None:
    assert told["tip"] == "left\n2"
    assert told["pinned"] == ["left\n2", "right\n1"]
    assert told["unpinned"] == 0
    assert told["walked"] == ["right\n1"]  # from left to right


def test_sections_fold_and_print_open(told: dict[str, Any]) -> None:
    assert told["folded"] == [True, False]
    assert told["all"] == [False, False]
    assert all(told["printed"])


def test_a_narrow_page_does_not_scroll_sideways(told: dict[str, Any]) -> None:
    assert told["overflow"] == 0
    assert told["cut"] == 0
    assert told["tallest"] < 50  # names stay words beside columns that are wider than the screen


@pytest.mark.slow
def test_the_head_of_a_long_table_stands_on_every_sheet(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext")
    table = TextTable("T", ("leftmost", "value"), [(f"row {i}", str(i)) for i in range(90)], "N")
    sections = [Section("A", "a", tables=[table])]
    with drawing.drawn():
        print_page(write_sections(sections, tmp_path, "Title", ANY_BRIEF), tmp_path / "page.pdf")
    read = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    sheets = subprocess.run(read, capture_output=True, text=True, check=True).stdout.split("\f")
    having = [sheet for sheet in sheets if "row " in sheet]
    assert len(having) > 1
    assert all(sheet.index("leftmost") < sheet.index("row ") for sheet in having)
