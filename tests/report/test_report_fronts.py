"""Figures and table of fronts: they show what the comparison says."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.report import write_comparison
from nasbench.report.fronts import front_curves, fronts_table, typical_fronts
from nasbench.report.paper import Paper, save_for_paper
from nasbench.search import Comparison, Objective, compare
from nasbench.search.fronts import Fronts
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy

COST = Objective("toy/latency_ms", maximize=False)
SIZE = Objective("flops", maximize=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    space = nb.space("nb201-mini")
    rows = space.representatives
    rng = np.random.default_rng(1)
    last = {"kind": "trained", "epochs": [4]}
    return write_table(
        tmp_path_factory.mktemp("report") / "made-up.h5",
        name="made-up",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"4ep": {"epochs": 4, "seeds": [0]}},
        datasets={
            "recipe/4ep/valid_accuracy": Dataset(rng.normal(70, 5, (len(rows), 1, 1)), last),
            "recipe/4ep/train_seconds": Dataset(rng.uniform(1, 2, (len(rows), 1, 1)), last),
            "device/toy/latency_ms": Dataset(rng.uniform(1, 9, len(rows)), {"kind": "measured"}),
            "network/flops": Dataset(1e6 * (1 + rows % 7), {"kind": "counted"}),
        },
        devices={"toy": {"kinds": {"latency_ms": "measured"}}},
    )


def compared(table: Table, **given: Any) -> tuple[Comparison, Fronts]:
    found = compare(
        ["random_search", "mo_rea"], table, budget_evaluations=15, seeds=range(4), **given
    )
    assert found.fronts is not None
    return found, found.fronts


def test_the_table_of_fronts_has_the_summary_s_figures(table: Table) -> None:
    comparison, fronts = compared(table, objectives=[COST])
    text = fronts_table(comparison, fronts)
    for row, (name, found) in zip(
        text.rows, comparison.summary()["strategies"].items(), strict=True
    ):
        stat = found["hypervolume"]
        sizes = [len(front) for front in fronts.found(name)]
        assert list(row) == [
            name,
            "4",
            f"{stat['mean']:.4f} ± {stat['std']:.4f}",
            f"[{stat['low']:.4f}, {stat['high']:.4f}]",
            f"{np.mean(sizes):.1f}",
        ]
    accuracy, latency = table.column("valid_accuracy"), table.device_column("toy", "latency_ms")
    assert f"in each objective: {accuracy.min():g}, {latency.max():g}." in text.words
    assert "valid_accuracy (max), toy/latency_ms (min)" in text.words


def test_the_figure_shows_the_table_s_front_and_the_typical_runs(table: Table) -> None:
    comparison, fronts = compared(table, objectives=[COST])
    drawing = typical_fronts(comparison, fronts)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    accuracy, latency = table.column("valid_accuracy"), table.device_column("toy", "latency_ms")
    (line,) = axes.lines
    order = fronts.true_front[np.argsort(latency[fronts.true_front])]
    assert line.get_xydata() == pytest.approx(np.stack((latency, accuracy), 1)[order])
    rows, *found = axes.collections
    assert len(rows.get_offsets()) == len(table.rows)
    for marks, name in zip(found, comparison.traces, strict=True):
        assert marks.get_label() == name
        expected = np.stack((latency, accuracy), 1)[fronts.typical(name)]
        assert np.asarray(marks.get_offsets()) == pytest.approx(expected)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("toy/latency_ms", "valid_accuracy")


def test_the_curves_are_the_mean_of_what_is_missing(table: Table) -> None:
    comparison, fronts = compared(table, objectives=[COST])
    (axes,) = front_curves(comparison, fronts, "evaluations").figure.axes
    for name, line in zip(comparison.traces, axes.lines, strict=False):
        missing = fronts.curves["evaluations"].regret[name].mean(0)
        assert line.get_label() == name
        assert line.get_ydata() == pytest.approx(missing)
        assert missing[-1] == pytest.approx(1 - fronts.shares(name).mean())


def test_three_objectives_have_curves_alone(table: Table, tmp_path: Path) -> None:
    pytest.importorskip("moocore")
    comparison, fronts = compared(table, objectives=[COST, SIZE])
    assert typical_fronts(comparison, fronts) is None
    write_comparison(comparison, tmp_path)
    names = {path.name for path in (tmp_path / "figures").glob("*.svg")}
    assert any("hypervolume-evaluations" in name for name in names)
    assert not any("fronts" in name for name in names)
    with (tmp_path / "runs.csv").open() as file:
        shares = [float(line["hypervolume"]) for line in csv.DictReader(file)]
    assert shares == pytest.approx([s for name in comparison.traces for s in fronts.shares(name)])


def test_a_page_of_searches_that_found_nothing(table: Table, tmp_path: Path) -> None:
    comparison, fronts = compared(table, objectives=[COST], failures=0.9999)
    assert np.isnan(fronts.shares("mo_rea")).all()
    page = write_comparison(comparison, tmp_path).read_text()
    assert "4 (4 failed)" in page


@pytest.mark.slow
@pytest.mark.drawn("pdf")
def test_the_same_comparison_gives_the_same_bytes(table: Table, tmp_path: Path) -> None:
    """What a page has besides is drawn twice by another test."""
    comparison, fronts = compared(table, objectives=[COST])
    for place in ("one", "other"):
        folder = tmp_path / place
        folder.mkdir()
        curves = [front_curves(comparison, fronts, axis) for axis in fronts.curves]
        for drawing in (typical_fronts(comparison, fronts), *curves):
            assert drawing is not None
            save_for_paper(drawing.figure, Paper(), folder / drawing.name)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"fronts.svg", "fronts.pdf", "hypervolume-evaluations.svg"} <= names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
