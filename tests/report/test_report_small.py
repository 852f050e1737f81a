"""Pages of what a newcomer has first: few rows, one seed, one run, a device that tells little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beginnings import ANY_BRIEF

import nasbench as nb
from nasbench._words import rounded
from nasbench.report import (
    Report,
    TextTable,
    comparison_table,
    write_comparison,
    write_report,
)
from nasbench.report.figures import cost_scatter, histogram
from nasbench.report.judged import Judged
from nasbench.report.latency import trust_table
from nasbench.report.pictures import best_networks
from nasbench.report.predictors import size_section
from nasbench.report.sections import Section, write_sections
from nasbench.report.text import decimals, device_table, number_text
from nasbench.surrogate import score_sizes
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy

SPACE = nb.space("nb201-mini")


def write_small(path: Path, n: int, *, seeds: int = 1) -> Table:
    """Some rows of one epoch, on a device that told the latency of the first two alone."""
    rng = np.random.default_rng(0)
    trained = {"kind": "trained", "epochs": [1]}
    latency = np.where(np.arange(n) < 2, rng.uniform(0.01, 0.02, n), np.nan)
    accuracy = rng.uniform(90, 100, (n, seeds, 1)) if seeds else rng.uniform(90, 100, n)
    seconds = rng.uniform(0.001, 0.002, (n, seeds, 1)) if seeds else rng.uniform(1, 2, n)
    return write_table(
        path,
        name="small",
        space=SPACE,
        rows=SPACE.representatives[:n],
        sharing="none",
        recipes={"1ep": {"epochs": 1, "seeds": list(range(seeds))}},
        datasets={
            "recipe/1ep/valid_accuracy": Dataset(accuracy, trained),
            "recipe/1ep/train_seconds": Dataset(seconds, {**trained, "kind": "measured"}),
            "device/toy/latency_ms": Dataset(latency, {"kind": "measured"}),
            "device/idle/latency_ms": Dataset(np.full(n, np.nan), {"kind": "measured"}),
        },
        devices={"toy": {}, "idle": {}},
    )


def write_costs(
    path: Path, n: int, datasets: dict[str, Dataset], devices: dict[str, dict[str, str]]
) -> Table:
    """Some rows that nobody trained, on these devices."""
    return write_table(
        path,
        name="costs",
        space=SPACE,
        rows=SPACE.representatives[:n],
        sharing="canonical",
        recipes={},
        datasets=datasets,
        devices=devices,
    )


def test_a_page_says_how_far_latencies_can_be_trusted(tmp_path: Path) -> None:
    latency, every = np.linspace(1, 2, 8), {"kind": "measured"}
    table = write_costs(
        tmp_path / "t.h5",
        8,
        {
            "device/quick/latency_ms": Dataset(latency, every),
            "device/quick/latency_spread_ms": Dataset(latency / 20, every),
            "device/quick/latency_undisturbed": Dataset(np.repeat([0.1, 1.0], 4), every),
            "device/theirs/latency_ms": Dataset(latency, {"kind": "imported"}),
        },
        {"quick": {"clock": "cpu"}, "theirs": {}},
    )
    page = write_report(Report(table, None, {}, None), tmp_path / "page", "Costs").read_text()
    (row,) = trust_table(table).rows  # type: ignore[union-attr]
    assert row == ("quick", "cpu", "5.0 %", "–", "4 of 8", "0")
    assert "How far latencies can be trusted" in page
    assert "Spread of latency" in page
    assert "mathdefault" not in page  # ticks of a logarithmic axis are numbers


def test_large_figures_of_devices_have_no_exponent(tmp_path: Path) -> None:
    table = write_costs(
        tmp_path / "t.h5",
        3,
        {
            "device/d/images_per_second": Dataset(
                np.array([0.0012346, 1234.5, 12_483.2]), {"kind": "measured"}
            )
        },
        {"d": {}},
    )
    assert device_table(table).rows[0][2:] == ("0.001235", "1,234", "12,483")


def test_an_estimate_is_not_shown_as_if_runtimes_differed(tmp_path: Path) -> None:
    values = np.linspace(1, 2, 8)
    kinds = {"a": "estimated", "b": "estimated", "c": "measured", "d": "estimated"}
    table = write_table(
        tmp_path / "t.h5",
        name="costs",
        space=SPACE,
        rows=SPACE.representatives[:8],
        sharing="canonical",
        recipes={},
        datasets={
            f"device/{name}/energy_mj": Dataset(values * (1 + (name == "d")), {"kind": kind})
            for name, kind in kinds.items()
        },
        devices={name: {} for name in kinds},
    )
    shown = [row[:2] for row in device_table(table).rows]
    assert shown == [
        ("a, b: energy_mj", "estimated"),
        ("c: energy_mj", "measured"),
        ("d: energy_mj", "estimated"),
    ]


@pytest.mark.drawn
@pytest.mark.parametrize(("n", "seeds"), [(1, 1), (3, 1), (3, 0)])
def test_a_page_of_a_few_rows(n: int, seeds: int, tmp_path: Path) -> None:
    table = write_small(tmp_path / "t.h5", n, seeds=seeds)
    page = write_report(Report(table, "1ep", {}, None), tmp_path / "page", "Small").read_text()
    assert f"<p>{n} row{'' if n == 1 else 's'}; quartiles" in page
    assert "The values of small are trained or measured; nothing is filled in." in page
    assert "latency, ms (toy, measured)" in page
    assert "(idle, measured)" not in page  # there is nothing to draw
    assert ("mean over seeds)" in page) == (seeds > 0)
    assert ("epochs 1; no seeds" in page) == (seeds == 0)
    trainings = f"{n} training{'' if n == 1 else 's'}, 0.00"
    assert ("0.00 hours" in page, trainings in page) == (False, seeds > 0)
    assert ("Not said here: which decisions matter is told by 3 rows or more" in page) == (n < 3)


def test_figures_of_a_few_rows_hold_what_there_is(tmp_path: Path) -> None:
    table = write_small(tmp_path / "t.h5", 2)
    counted = histogram(Judged.of(table, "1ep")).figure.axes[0].get_yticks()
    assert (counted == np.round(counted)).all()
    shown = best_networks(Judged.of(table, "1ep"))
    assert shown is not None
    titles = [text.get_text() for text in shown.figure.axes[0].texts]
    assert [title[:2] for title in titles if "architecture" in title] == ["1.", "2."]
    larger = best_networks(Judged.of(write_small(tmp_path / "u.h5", 9), "1ep"))
    assert larger is not None
    assert larger.figure.get_figheight() > shown.figure.get_figheight()


def test_an_accuracy_axis_ends_at_the_best_and_its_legend_hides_no_point(tmp_path: Path) -> None:
    """The worst row is not shown, and does not stretch the axis upwards either."""
    table = write_small(tmp_path / "t.h5", 2)
    drawn = cost_scatter(Judged.of(table, "1ep"), "toy").figure
    best = float(table.column("valid_accuracy").max())
    assert best < drawn.axes[0].get_ylim()[1] < best + 1
    assert drawn.axes[0].get_legend() is None
    drawn.draw_without_rendering()
    (legend,) = drawn.legends
    assert not legend.get_window_extent().overlaps(drawn.axes[0].get_window_extent())


@pytest.mark.drawn
def test_a_page_of_many_points_stays_small(tmp_path: Path) -> None:
    """They are counted in bins, which say how many they hold; the front's points stand alone."""
    space, rng = nb.space("nb201"), np.random.default_rng(0)
    n = space.size
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=space,
        rows=np.arange(n),
        sharing="none",
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(rng.normal(80, 3, (n, 1, 1)), {"epochs": [1]}),
            "device/d/latency_ms": Dataset(rng.gamma(3, 1, n), {"kind": "measured"}),
        },
        devices={"d": {}},
    )
    judged = Judged.of(table, "r")
    assert judged is not None
    drawing = cost_scatter(judged, "d")
    counts = [int(tip.split(" ")[0].replace(",", "")) for tip in drawing.tips["rows"]]
    shown = judged.column >= judged.bulk(judged.column)
    assert sum(counts) == shown.sum() > 14_000
    assert len(counts) < 1_500
    assert all("architecture " in tip for tip in drawing.tips["front"])
    page = write_sections([Section("S", "s", [drawing] * 4)], tmp_path / "page", "t", ANY_BRIEF)
    assert page.stat().st_size < 1_000_000


def test_one_run_has_no_interval(table: Table, tmp_path: Path) -> None:
    one = nb.compare(["random_search"], table, budget_evaluations=5, seeds=[0])
    page = write_comparison(one, tmp_path).read_text()
    assert "One run of each strategy." in page
    assert "runs with the bootstrap 95 % interval" not in page
    assert "Share of 1 run whose" in page
    two = nb.compare(["random_search", "local_search"], table, budget_evaluations=5, seeds=range(2))
    text = write_comparison(two, tmp_path).read_text()
    assert "Mean over 2 runs with the bootstrap 95 % interval of the mean." in text
    assert "Holm&#39;s correction over one pair" in text


def test_costs_are_told_to_three_digits(table: Table, tmp_path: Path) -> None:
    """Two decimals of a latency of a hundredth of a millisecond would say nothing."""
    rows, last = table.rows, {"kind": "trained", "epochs": [1]}
    rng = np.random.default_rng(0)
    made = write_table(
        tmp_path / "t.h5",
        name="t",
        space=SPACE,
        rows=rows,
        sharing="canonical",
        recipes={"1ep": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/1ep/valid_accuracy": Dataset(rng.uniform(60, 70, (len(rows), 1, 1)), last),
            "recipe/1ep/train_seconds": Dataset(np.ones((len(rows), 1, 1)), last),
            "device/toy/latency_ms": Dataset(rng.uniform(0.01, 0.02, len(rows)), {}),
        },
        devices={"toy": {}},
    )
    given = {"metric": "toy/latency_ms", "maximize": False, "budget_evaluations": 3}
    found = nb.compare(["random_search"], made, seeds=range(4), **given)  # type: ignore[arg-type]
    told = comparison_table(found)
    line = dict(zip(told.columns, told.rows[0], strict=True))
    stat = found.summary()["strategies"]["random_search"]
    mean, std = (stat["toy/latency_ms"][of] for of in ("mean", "std"))
    assert line["toy/latency_ms"] == f"{mean:.4f} ± {std:.4f}"
    assert line["regret"].startswith(f"{stat['regret']['mean']:.4f}"[:5])
    accuracy = stat["valid_accuracy"]
    assert line["valid, %"] == f"{accuracy['mean']:.2f} ± {accuracy['std']:.2f}"


def test_a_lead_speaks_of_names_where_they_say_something(table: Table) -> None:
    one = score_sizes(table, [10], draws=1, predictors=["ridge"], features=[["one_hot"]])
    assert size_section(one).lead.endswith(" The predictor sees one_hot.")
    alike = score_sizes(table, [10], draws=1, predictors=["ridge", "gp"], features=[["one_hot"]])
    assert size_section(alike).lead.endswith(" Each sees one_hot.")
    others = tuple(replace(trial, predictor="linear", features="depth") for trial in one.trials)
    differing = replace(alike, trials=alike.trials + others)
    said = " Each sees one_hot, but where its name says otherwise."
    assert size_section(differing).lead.endswith(said)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (number_text(1494070.4, 0), "1,494,070"),
        (number_text(-0.25), "-.25"),
        (rounded(12_000, 3), "12,000"),
        (rounded(0.02912, 3), "0.0291"),
        (rounded(5, 3), "5"),
        (
            f"{decimals(0.0123)} {decimals(27.3)} {decimals(0.0)} {decimals(float('nan'))}",
            "4 2 2 2",
        ),
    ],
)
def test_figures_are_written_to_be_read(told: str, text: str) -> None:
    assert told == text


def test_a_terminal_has_stars_in_place_of_bold() -> None:
    best = frozenset({(0, 1)})
    table = TextTable("T", ("name", "x"), [("a", "1"), ("b", "2")], "Bold: the least.", best=best)
    assert table.plain().splitlines()[3:5] == ["a     1 *", "b       2"]
    assert "With a star: the least." in table.plain()


def test_one_row_is_one_row(tmp_path: Path) -> None:
    table = write_small(tmp_path / "T.h5", 9)
    judged = Judged.of(table, table.recipes[0])
    assert judged
    values = np.sort(judged.column)
    for count, said in ((0, ""), (1, " 1 row of less than"), (2, " 2 rows of less than")):
        text = judged.beyond(values, values[count])
        assert text.startswith(said)
        assert ("is not shown" in text, "are not shown" in text) == (count == 1, count == 2)
