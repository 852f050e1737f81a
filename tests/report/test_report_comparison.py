"""What a comparison writes: figures that can be read, sheets, the checklist, several tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nasbench as nb
from nasbench.report import write_comparison
from nasbench.report.checklist import checklist
from nasbench.report.ranks import critical_difference
from nasbench.report.regret import reach_curves, regret_curves
from nasbench.report.strategies import pair_rows
from nasbench.report.text import markdown_text
from nasbench.search import Comparison, CostModel, Limit
from nasbench.stats import compare_pairs, friedman
from nasbench.table import Table

pytestmark = pytest.mark.heavy

STRATEGIES = ["random_search", "regularized_evolution", "reinforce"]


@pytest.fixture(scope="module")
def comparison(table: Table) -> Comparison:
    return nb.compare(STRATEGIES, table, budget_seconds=60, seeds=range(12))


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared")
    write_comparison(comparison, out)
    return out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# The critical-difference diagram.


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 2**20))
def test_no_label_of_the_diagram_meets_another(k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    worth = rng.integers(0, 4, k)  # many ties and near ties
    names = [f"{'strategy_' * (i % 3)}{i}" for i in range(k)]
    found = friedman({name: worth[i] + rng.random(n) for i, name in enumerate(names)})
    drawing = critical_difference(found, names, "tables")
    (axes,) = drawing.figure.axes
    canvas = drawing.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    boxes = [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in axes.texts]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)
    page = drawing.figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    shown = " ".join(text for text, _ in boxes)
    for name, rank in found.ranks.items():
        assert f"{name}  {rank:.2f}" in shown or f"{rank:.2f}  {name}" in shown
    assert f"CD {found.critical_difference:.2f}" in shown


def test_bars_join_what_is_not_told_apart() -> None:
    noise = np.random.default_rng(0).random((4, 30)) * 0.9
    scores = dict(zip("abcd", noise + np.asarray([[0], [0], [5], [5]]), strict=True))
    found = friedman(scores)
    assert [sorted(group) for group in found.groups] == [["a", "b"], ["c", "d"]]
    (axes,) = critical_difference(found, "abcd", "tables").figure.axes
    bars = [line for line in axes.lines if line.get_linewidth() == 3]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert len(bars) == 2
    for bar, group in zip(bars, found.groups, strict=True):
        left, right = bar.get_xdata()
        within = [left <= mark <= right for mark in marks]
        assert within == [name in group for name in found.ranks]


def test_the_diagram_shows_the_ranks_that_there_are() -> None:
    """Of ten strategies that are alike the ranks lie close: the axis is not from 1 to 10."""
    found = friedman({f"s{i}": np.random.default_rng(i).random(200) for i in range(10)})
    (axes,) = critical_difference(found, list(found.ranks), "seeds").figure.axes
    ticks = [int(text.get_text()) for text in axes.texts if text.get_text().isdigit()]
    ranks = found.ranks.values()
    assert ticks == list(range(ticks[0], ticks[-1] + 1))
    assert ticks[0] <= min(ranks) <= max(ranks) <= ticks[-1]
    assert found.critical_difference <= ticks[-1] - ticks[0] < 9


def test_of_each_pair_the_lower_mean_stands_first() -> None:
    spread = np.arange(8.0)
    regret = {"worst": spread + 9, "best": spread, "mid": spread + 2}
    rows, _, _ = pair_rows(compare_pairs(regret, paired=False), regret)
    assert [row[0] for row in rows] == ["best – mid", "best – worst", "mid – worst"]
    assert [row[1] for row in rows] == ["-2.00", "-9.00", "-7.00"]


# Figures of regret.


def test_the_regret_figure_has_the_optimum_and_the_floor(comparison: Comparison) -> None:
    assert comparison.noise is not None
    for axis in ("seconds", "evaluations"):
        (axes,) = regret_curves(comparison, axis).figure.axes
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines) == {*STRATEGIES, "noise of the seeds", "optimum"}
        assert lines["optimum"].get_ydata()[0] == 0
        assert lines["noise of the seeds"].get_ydata()[0] == comparison.noise.floor
        low, high = axes.get_ylim()
        assert low == 0
        regret = comparison.curves[axis].regret["reinforce"]
        known = np.isfinite(regret).all(0)
        assert lines["reinforce"].get_ydata()[known] == pytest.approx(regret[:, known].mean(0))
        ticks = [tick for tick in axes.get_yticks() if tick <= high]
        assert ticks[0] == 0
        assert all(re.fullmatch("[125]0*", f"{tick:.10f}".strip("0.")) for tick in ticks[1:])


def test_the_share_of_runs_near_the_optimum(comparison: Comparison) -> None:
    drawing = reach_curves(comparison, "seconds")
    assert drawing is not None
    (axes,) = drawing.figure.axes
    within = float(re.findall(r"within ([\d.]+) points", drawing.caption)[0])
    for line in axes.lines:
        final = comparison.finals(str(line.get_label()))["regret"]
        # The caption rounds the noise floor.
        near = min(comparison.thresholds.values(), key=lambda w: abs(w - within))
        assert line.get_ydata()[-1] == (final <= near).mean()


# Sheets.


def test_runs_csv_has_every_run(comparison: Comparison, folder: Path) -> None:
    lines = read(folder / "runs.csv")
    assert len(lines) == 36
    for name in STRATEGIES:
        of = [line for line in lines if line["strategy"] == name]
        finals = comparison.finals(name)
        assert [int(line["seed"]) for line in of] == list(range(12))
        for column, metric in (
            ("valid_accuracy_percent", "valid_accuracy"),
            ("test_accuracy_percent", "test_accuracy"),
            ("regret_points", "regret"),
            ("evaluations", "evaluations"),
            ("distinct_architectures", "distinct"),
        ):
            assert [float(line[column]) for line in of] == finals[metric].tolist()
        for axis, curves in comparison.curves.items():
            areas = [float(line[f"area_over_{axis}_points"]) for line in of]
            assert areas == curves.areas(name).tolist()
        for line, trace in zip(of, comparison.traces[name], strict=True):
            architecture = int(line["architecture"])
            assert architecture == trace.incumbents()[-1]
            assert line["architecture_string"] == comparison.table.space.string(architecture)
            assert line["table"] == "made & <up>"


def test_curves_csv_has_what_the_figures_show(comparison: Comparison, folder: Path) -> None:
    lines = read(folder / "curves.csv")
    assert len(lines) == 3 * sum(len(curves.grid) for curves in comparison.curves.values())
    for axis, curves in comparison.curves.items():
        of = [x for x in lines if (x["strategy"], x["axis"]) == ("reinforce", axis)]
        assert [float(line["at"]) for line in of] == curves.grid.tolist()
        for line, regret in zip(of, curves.regret["reinforce"].T, strict=True):
            numbers = ("mean", "low", "high", "q25", "median", "q75")
            shown = [line[f"{name}_regret_points"] for name in numbers]
            if np.isnan(regret).any():
                assert shown == [""] * 6
                continue
            mean, low, high, *quartiles = map(float, shown)
            assert mean == pytest.approx(regret.mean())
            assert low <= mean <= high
            assert quartiles == pytest.approx(np.quantile(regret, (0.25, 0.5, 0.75)))


# The checklist.


def states(*comparisons: Comparison) -> dict[str, Sequence[str]]:
    found = checklist(comparisons)
    assert len(found.rows) == 16
    assert {row[1] for row in found.rows} <= {"met", "not met", "open"}
    return {row[0].split(": ")[1].split(" ")[0]: row[1:] for row in found.rows}


def test_the_checklist_says_what_is_known(comparison: Comparison, table: Table) -> None:
    whole = states(comparison)
    assert whole["random"][0] == "met"
    assert whole["several"] == ("met", "12 runs of each strategy, seeds 0 to 11")
    assert whole["performance"][0] == "met"
    # No run can tell.
    assert whole["ablations"][0] == whole["how"][0] == "open"
    # The table says neither how it was trained nor on what.
    assert whole["what"][0] == whole["settings"][0] == whole["the"][0] == "open"
    poor = nb.compare(["reinforce"], table, budget_evaluations=5, seeds=[3])
    assert states(poor)["random"][0] == "not met"
    assert states(poor)["several"][0] == "not met"
    assert states(poor)["nothing"][0] == "open"  # evaluations take different times
    assumed = nb.compare(
        STRATEGIES, table, budget_seconds=60, seeds=range(3), cost_model=CostModel(2.0)
    )
    assert states(assumed)["performance"][0] == states(assumed)["several"][0] == "open"


def test_a_point_is_met_where_it_is_met_on_all_tables(comparison: Comparison, table: Table) -> None:
    poor = nb.compare(["random_search"], table, budget_evaluations=5, seeds=[3])
    assert states(comparison, poor)["several"] == (
        "not met",
        "one run of each strategy: give more seeds",
    )


def test_words_of_a_latex_table_are_broken_into_lines(comparison: Comparison) -> None:
    text = checklist([comparison]).latex()
    columns = re.search(r"\\begin\{tabular\}\{(.*)\}\n", text)
    assert columns
    assert re.fullmatch(r"p\{0\.\d\d\\linewidth\}lp\{0\.\d\d\\linewidth\}", columns[1])


# Pages.


@pytest.mark.drawn("svg")
def test_one_table_s_page_says_what_its_tests_speak_of(
    comparison: Comparison, tmp_path: Path
) -> None:
    write_comparison(comparison, folder := tmp_path)
    page = (folder / "index.html").read_text()
    assert "these tests speak of made &amp; &lt;up&gt; only" in page
    for title in ("Critical-difference diagram", "Best-practice checklist", "How soon it is found"):
        assert title in page
        assert page.count(f"<h3>{title}</h3>") == 1
    for name in ("1-ranks", "0-regret-seconds", "0-reached-seconds"):
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 1000
        assert (folder / "figures" / f"{name}.pdf").exists()


def no_nan(out: Path) -> None:
    for name in ("report.md", "report.tex", "index.html", "summary.json", "runs.csv"):
        assert not re.search(r"\bnan\b", (out / name).read_text(), re.IGNORECASE), name


@pytest.mark.drawn
@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"seeds": [0]}, marks=pytest.mark.slow),
        pytest.param({"strategies": ["reinforce"]}, marks=pytest.mark.slow),
        {"strategies": ["reinforce"], "seeds": [4], "budget_evaluations": 1},
        {"failures": 0.9999},
        pytest.param(
            {"limits": [Limit("toy/latency_ms", 1.5)], "budget_evaluations": 3},
            marks=pytest.mark.slow,
        ),
        pytest.param({"metric": "toy/latency_ms", "maximize": False}, marks=pytest.mark.slow),
    ],
    ids=["one seed", "one strategy", "one evaluation", "all lost", "some fail", "latency"],
)
def test_odd_comparisons_have_pages_too(table: Table, tmp_path: Path, given: Any) -> None:
    common = {"strategies": STRATEGIES, "budget_evaluations": 8, "seeds": range(4), **given}
    found = nb.compare(table=table, **common)
    write_comparison(found, tmp_path)
    no_nan(tmp_path)
    told = "Nothing was found" in (tmp_path / "index.html").read_text()
    assert told == (found.summary()["failed"] == dict.fromkeys(found.traces, 4))


def test_several_tables_share_a_page(
    table: Table, other_table: Callable[[int], Table], tmp_path: Path
) -> None:
    """Both have one name: the start of the hash tells them apart."""
    two = [table, other_table(2)]
    found = nb.compare(STRATEGIES, two, budget_evaluations=8, seeds=range(5))
    write_comparison(found, tmp_path)
    no_nan(tmp_path)
    markdown = (tmp_path / "report.md").read_text()
    assert "Wilcoxon's exact signed-rank test over tables" in markdown
    assert "Too few tables for any difference to be significant" in markdown
    for name, comparison in found.tables.items():
        assert f"### Search strategies on {markdown_text(name)}" in markdown
        of = [line for line in read(tmp_path / "runs.csv") if line["table"] == name]
        regret = [x for s in STRATEGIES for x in comparison.finals(s)["regret"].tolist()]
        assert [float(line["regret_points"]) for line in of] == regret
    for name, rank in found.ranks.ranks.items():
        row = re.search(rf"\| {name} \|(.*)\|", markdown)
        assert row
        cells = [cell.strip(" *") for cell in row[1].split("|")]
        assert cells[:2] == [f"{of:.2f}" for of in found.scores[name]]
        assert cells[2] == f"{rank:.2f}"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary["tables"]) == [f"{t.name}-{t.sha256[:8]}" for t in two]
