"""A page to look around in a table, driven in a real browser, and what it holds without one."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import run_while_open
from typer.testing import CliRunner

import nasbench as nb
from nasbench._files import csv_value
from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.report.explore import explore
from nasbench.space import ChoiceSpace, Space
from nasbench.stats import pareto_front
from nasbench.table import Dataset, Table, write_table

NAME = "=cmd|'/c calc'!A1 <img src=x onerror=alert(1)> </script> ${x} `y` &lt; 日本"
RULED = ChoiceSpace(
    "ruled <b>",
    {"depth": [1, 2], "=kernel2 <i>": [3, 5], "drop": [0.0, "<b>=1+1"]},
    only_if={"=kernel2 <i>": {"depth": [2]}},
)


def _table(path: Path, space: Space, rows: Any, **more: Any) -> Table:
    """A table of made-up numbers: some are missing, some predicted."""
    rng = np.random.default_rng(0)
    n = len(rows)
    about = {"kind": "trained", "epochs": [1, 2, 4]}
    accuracy = rng.uniform(50, 90, (n, 1, 1)) + rng.normal(size=(n, 2, 3)) + np.arange(3)
    accuracy[1, :, 1:] = np.nan
    latency = np.exp(rng.normal(size=n))
    latency[2] = np.nan
    return write_table(
        path,
        name="t <b>",
        space=space,
        rows=rows,
        recipes={"r": {"epochs": 4, "seeds": [0, 1]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(accuracy, about),
            f"device/{NAME}/latency_ms": Dataset(latency, {"kind": "measured"}),
            f"device/{NAME}/energy_mj": Dataset(latency * 2, {"kind": "estimated"}),
            "network/flops": Dataset(rng.integers(100, 900, n), {"kind": "counted"}),
            "proxy/=p": Dataset(rng.normal(size=n), {"kind": "computed"}),
        },
        devices={NAME: {}},
        **more,
    )


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Path]:
    folder = tmp_path_factory.mktemp("cells")
    space = nb.space("nb201-mini")
    table = _table(folder / "t.h5", space, space.representatives, sharing="canonical")
    return table, explore(table, folder / "page")


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Path]:
    folder = tmp_path_factory.mktemp("ruled")
    table = _table(folder / "t.h5", RULED, RULED.representatives, sharing="canonical")
    return table, explore(table, folder / "page")


def _data(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def _values(axis: dict[str, Any]) -> np.ndarray:
    codes = np.frombuffer(zlib.decompress(base64.b64decode(axis["codes"])), "<u2").astype(float)
    codes[codes == 2**16 - 1] = np.nan
    if axis["scale"] == "log":
        return np.exp(axis["low"] + codes * axis["step"])
    return (axis["low"] + codes) * axis["step"]


# What the page holds.


def test_numbers_are_those_of_the_table_as_far_as_they_are_shown(
    cells: tuple[Table, Path],
) -> None:
    table, page = cells
    data = _data(page)
    rows = np.argsort(-np.nan_to_num(table.column("valid_accuracy"), nan=-np.inf), kind="stable")
    columns = {
        "valid_accuracy": table.column("valid_accuracy"),
        f"{NAME}/latency_ms": table.device_column(NAME, "latency_ms"),
        f"{NAME}/energy_mj": table.device_column(NAME, "energy_mj"),
        "flops": table.column("flops"),
        "proxy/=p": table.column("proxy/=p"),
    }
    assert {axis["name"] for axis in data["axes"]} == columns.keys()
    assert data["axes"][0]["name"] == "valid_accuracy"
    for axis in data["axes"]:
        expected, found = columns[axis["name"]][rows], _values(axis)
        assert np.array_equal(np.isnan(expected), np.isnan(found))
        span = np.nanmax(expected) - np.nanmin(expected)
        tolerance = {"rtol": 2e-4} if axis["scale"] == "log" else {"atol": max(span / 5000, 0.006)}
        np.testing.assert_allclose(found, expected, **{"rtol": 0, **tolerance})
        if axis["name"] == "flops":
            assert np.array_equal(found, expected)
    kinds = {axis["name"]: axis["kind"] for axis in data["axes"]}
    assert kinds[f"{NAME}/energy_mj"] == "estimated"


@pytest.mark.parametrize("which", ["cells", "ruled"])
def test_names_are_harmless_and_the_page_needs_nothing_else(
    which: str, request: pytest.FixtureRequest
) -> None:
    table, page = request.getfixturevalue(which)
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert not re.search(r"<[^>]* on[a-z]+=", text)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert text.count("</script>") == 2
    assert explore(table, page.parent / "again").read_bytes() == page.read_bytes()


def test_without_scripts_the_best_are_there(cells: tuple[Table, Path]) -> None:
    table, page = cells
    shown = re.search(r"<noscript>(.*?)</noscript>", page.read_text(encoding="utf-8"), re.S)
    assert shown
    assert "Scripts are off" in shown[1]
    numbers = re.findall(r"<tr><td>(\d+)</td>", shown[1])
    assert list(map(int, numbers)) == table.top(20)["architecture"].tolist()


def test_a_table_of_devices_alone_and_one_of_a_huge_space(tmp_path: Path) -> None:
    space = ChoiceSpace("huge", {f"d{i}": ["a", "b", "c"] for i in range(60)})
    rows = space.sample(np.random.default_rng(0), 30)
    table = write_table(
        tmp_path / "t.h5",
        name="costs",
        space=space,
        rows=rows,
        sharing="none",
        recipes={},
        datasets={"device/npu/latency_ms": Dataset(np.arange(30.0), {"kind": "imported"})},
        devices={"npu": {}},
    )
    data = _data(explore(table, tmp_path / "page"))
    assert data["numbers"] == [str(number) for number in table.rows.tolist()]
    assert data["noise"] is None
    empty = write_table(
        tmp_path / "e.h5",
        name="empty",
        space=space,
        rows=rows,
        sharing="none",
        recipes={},
        datasets={"device/npu/latency_ms": Dataset(np.full(30, np.nan), {"kind": "imported"})},
        devices={"npu": {}},
    )
    with pytest.raises(NasbenchError, match="no number to look at"):
        explore(empty, tmp_path / "page")


def test_the_best_of_a_large_table_are_there_in_a_page_below_its_size(tmp_path: Path) -> None:
    space = nb.space("nb201")
    rng = np.random.default_rng(0)
    rows = np.arange(space.size)
    about = {"kind": "trained", "epochs": list(range(1, 201))}
    table = write_table(
        tmp_path / "t.h5",
        name="large",
        space=space,
        rows=rows,
        sharing="none",
        recipes={"r": {"epochs": 200, "seeds": []}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(
                rng.uniform(10, 90, len(rows)), {**about, "epochs": [200]}
            ),
            **{
                f"proxy/p{i}": Dataset(rng.normal(size=len(rows)), {"kind": "computed"})
                for i in range(40)
            },
        },
        devices={},
    )
    page = explore(table, tmp_path / "page")
    data = _data(page)
    assert page.stat().st_size < 1.5e6
    assert data["rows"] == 15_625
    assert len(data["axes"]) + len(data["left"]) == 41
    assert data["left"][-1] == "proxy/p39"
    assert "proxy/p39" in page.read_text(encoding="utf-8").split("<noscript>")[0]


def test_the_command_writes_it_and_refuses_in_one_sentence(
    cells: tuple[Table, Path], tmp_path: Path
) -> None:
    table, page = cells
    done = CliRunner().invoke(app, ["explore", str(table.path), "--out", str(tmp_path / "p")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p" / "index.html").read_bytes() == page.read_bytes()
    with pytest.raises(NasbenchError, match="unknown recipe 's'"):
        nb.explore(table, tmp_path / "p", recipe="s")


# What it does.

READY = """
const until = async of => { while (!of()) await new Promise(done => setTimeout(done, 5)); };
await until(() => window.explore);
const it = window.explore, byId = id => document.getElementById(id);
const set = (on, value) => { on.value = value; on.dispatchEvent(new Event("input")); };
const text = id => byId(id).textContent;
"""

DRIVE = (
    READY
    + """
const told = { status: [text("status")] };
const named = name => String(it.axes.findIndex(axis => axis.name === name));
byId("x").value = named("flops"); byId("x").dispatchEvent(new Event("change"));
await new Promise(done => setTimeout(done, 150));
const links = () => [...document.querySelectorAll("#front td .link")].map(link => link.textContent);
told.front = links();
const [flops] = document.querySelectorAll(".limit select");
flops.value = named("flops"); flops.dispatchEvent(new Event("change"));
set(document.querySelectorAll(".limit input")[1], "500");
await new Promise(done => setTimeout(done, 150));
told.status.push(text("status"));
told.filtered = links();
document.querySelectorAll("#front td .link")[0].click();
told.title = document.querySelector("#chosen h2").textContent;
told.svgs = document.querySelectorAll("#chosen svg").length;
told.place = [...document.querySelectorAll("#chosen tr")].find(
  row => row.textContent.startsWith("place by")).lastChild.textContent;
told.steps = [...document.querySelectorAll(".steps .link")].length;
document.querySelector("#chosen .tool").click();
document.querySelectorAll("#front td .link")[1].click();
[...document.querySelectorAll("#chosen .tool")][1].click();
told.kept = it.state.kept.map(row => it.string(row));
told.columns = document.querySelector("#chosen tr").children.length;
told.apart = document.querySelectorAll("#chosen td.apart").length;
const key = key => byId("canvas").dispatchEvent(new KeyboardEvent("keydown", { key }));
const before = it.state.row;
key("ArrowDown");
told.down = it.axes[0].values[it.state.row] <= it.axes[0].values[before] && it.state.row !== before;
key("ArrowUp");
told.up = it.state.row === before;
key("Enter");
told.let_go = it.state.kept.length;
told.said = text("said");
const box = byId("canvas").getBoundingClientRect();
it.choose(before);
for (let at = 0; at < 4000 && it.state.row === before; at++) {
  const clientX = box.x + box.width * (at % 80) / 80;
  const clientY = box.y + box.height * Math.floor(at / 80) / 50;
  byId("canvas").dispatchEvent(new MouseEvent("click", { clientX, clientY }));
}
told.clicked = it.string(it.state.row);
byId("hue").value = named("flops");
byId("hue").dispatchEvent(new Event("change"));
told.coloured = document.querySelectorAll("#marks rect").length;
const pointer = (type, x, y) => byId("canvas").dispatchEvent(new PointerEvent(type, {
  clientX: box.x + box.width * x, clientY: box.y + box.height * y, button: 0 }));
pointer("pointerdown", .3, .3); pointer("pointermove", .6, .7); pointer("pointerup", .6, .7);
told.view = it.state.view; told.zoomed = !byId("whole").hidden;
const chosen = it.state.row;
pointer("click", .45, .5);  // which ends the drawing of the box, and chooses no row
told.same = it.state.row === chosen;
key("+");
told.closer = it.state.view.x[1] - it.state.view.x[0];
byId("whole").click();
told.whole = it.state.view === null && byId("whole").hidden;
told.csv = it.asCsv();
told.json = JSON.parse(it.asJson());
told.saved = [];
HTMLAnchorElement.prototype.click = function () {
  told.saved.push([this.download, this.href.slice(0, 5)]);
};
byId("csv").click(); byId("json").click();
const out = document.querySelector("#effects .choices button");
out.click();
told.pressed = out.getAttribute("aria-pressed");
told.status.push(text("status"));
byId("reset").click();
told.status.push(text("status"));
told.injected = document.querySelectorAll("img, b b, i i").length;
told.marks = text("marks");
return told;
"""
)


@pytest.mark.heavy
@pytest.mark.process
def test_limits_picks_pins_and_exports_of_cells(cells: tuple[Table, Path]) -> None:
    table, page = cells
    told = run_while_open(page, DRIVE, "--window-size=1200,900")
    accuracy, flops = table.column("valid_accuracy"), table.column("flops")
    n = len(table.rows)
    known = np.isfinite(accuracy)

    def front(chosen: np.ndarray) -> list[str]:
        rounded = np.round(accuracy, 2)
        places = np.flatnonzero(chosen & known)
        best = pareto_front(flops[places], rounded[places])
        return [str(number) for number in table.rows[places[best]]]

    assert told["front"] == front(np.ones(n, dtype=bool))
    assert told["filtered"] == front(flops <= 500)
    kept = int((flops <= 500).sum())
    assert told["status"][0].startswith(f"{n} of {n} rows")
    assert told["status"][1].startswith(f"{kept} of {n} rows selected, {len(told['filtered'])} on")
    assert told["status"][3].startswith(f"{n} of {n} rows")
    first = int(told["filtered"][0])
    assert told["title"] == f"Architecture {first}"
    assert told["svgs"] == 2  # the cell and the curve
    place = 1 + int((accuracy > table.values("valid_accuracy", first)).sum())
    assert re.match(
        rf"{place} of {known.sum()}; the noise of 2 seeds allows \d+ to \d+", told["place"]
    )
    near = {int(table.row(a)) for a in table.space.neighbors(first)} - {int(table.row(first))}
    assert told["steps"] == len(near)
    assert told["kept"] == [table.space.string(int(a)) for a in told["filtered"][:2]]
    assert told["columns"] == 3
    assert told["apart"] % 2 == 0 < told["apart"]
    assert told["down"]
    assert told["up"]
    assert told["let_go"] == 1
    assert told["said"].startswith(f"Architecture {told['filtered'][1]}: valid_accuracy ")
    assert told["coloured"] == 8
    assert told["marks"].endswith("flops")
    (left, right), (low, high) = told["view"]["x"], told["view"]["y"]
    assert 0 < left < right < flops.max()
    assert np.nanmin(accuracy) < low < high < np.nanmax(accuracy)
    assert told["closer"] == pytest.approx((right - left) / 2)
    assert (told["zoomed"], told["same"], told["whole"]) == (True, True, True)
    clicked = table.space.index(told["clicked"])
    assert table.values("flops", clicked) <= 500
    assert clicked != int(told["filtered"][1])
    assert told["pressed"] == "false"
    assert told["injected"] == 0
    assert "trained" in told["marks"]
    assert [name for name, _ in told["saved"]] == ["selected.csv", "selected.json"]
    assert {start for _, start in told["saved"]} == {"blob:"}
    _check_exports(told, table, flops <= 500)


def _check_exports(told: dict[str, Any], table: Table, chosen: np.ndarray) -> None:
    """CSV and JSON hold the chosen rows, the best first, and nothing that a spreadsheet runs."""
    lines = list(csv.reader(io.StringIO(told["csv"])))
    assert not [cell for line in lines for cell in line if re.match(r"[=+@]|-[^0-9]", cell)]
    heads = list(map(csv_value, lines[0]))
    decisions = list(table.space.decisions)
    assert heads[:2] == ["architecture", "string"]
    assert heads[2 : 2 + len(decisions)] == decisions
    numbers = [int(line[0]) for line in lines[1:]]
    assert sorted(numbers) == sorted(table.rows[chosen].tolist())
    rows = told["json"]["rows"]
    assert [row["architecture"] for row in rows] == numbers
    assert told["json"]["sha256"] == table.sha256
    for line, row in zip(lines[1:], rows, strict=True):
        number = int(line[0])
        assert csv_value(line[1]) == row["string"] == table.space.string(number)
        taken = table.space.choices_of(number)
        assert row["decisions"] == {
            k: table.space.decisions[k][p] for k, p in _places(table, number) if k in taken
        }
        value = table.values("valid_accuracy", number)
        shown = row["values"]["valid_accuracy"]
        assert shown is None if math.isnan(value) else abs(shown - value) < 0.0051
    accuracies = [row["values"]["valid_accuracy"] for row in rows]
    assert [a is None for a in accuracies] == sorted(a is None for a in accuracies)


def _places(table: Table, number: int) -> list[tuple[str, int]]:
    return list(zip(table.space.decisions, table.space.ops(number).tolist(), strict=True))


@pytest.mark.heavy
@pytest.mark.process
def test_decisions_that_do_not_count_and_hostile_names(ruled: tuple[Table, Path]) -> None:
    table, page = ruled
    script = (
        READY
        + """
    it.choose(0);
    const told = { csv: it.asCsv(), json: JSON.parse(it.asJson()) };
    told.injected = document.querySelectorAll("img, #chosen i, #effects h3 i i").length;
    told.shown = document.querySelector("#chosen").textContent;
    told.wide = document.documentElement.scrollWidth <= innerWidth;
    told.steps = [...document.querySelectorAll(".steps .link")].map(link => link.textContent);
    return told;"""
    )
    told = run_while_open(page, script, "--window-size=500,800")
    assert told["injected"] == 0
    assert NAME in told["shown"]
    assert told["wide"], "the page is wider than a phone"
    _check_exports(told, table, np.ones(len(table.rows), dtype=bool))
    best = int(table.top(1)["architecture"].iloc[0])
    near = {int(table.row(a)) for a in RULED.neighbors(best)} - {int(table.row(best))}
    assert len(told["steps"]) >= len(near)
