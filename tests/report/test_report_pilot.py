"""A pilot's figures on a terminal: in columns, each where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nasbench as nb
from nasbench.building import BuildSpec
from nasbench.building.pilot import Sample
from nasbench.building.recommend import judge
from nasbench.report import TextTable
from nasbench.report.pilot import pilot_tables


def test_plain_tables_stand_in_columns() -> None:
    table = TextTable(
        "Title", ("name", "a", "b"), [("long name", "1", "–"), ("x", "2.50", "3")], ""
    )
    assert table.plain().splitlines() == [
        "Title",
        "",
        "name          a  b",
        "long name     1  –",
        "x          2.50  3",
    ]
    noted = replace(table, note="word " * 50).plain()
    assert max(map(len, noted.splitlines())) <= 100
    assert noted.split()[-50:] == ["word"] * 50


def made_up_sample(rng: np.random.Generator, n: int) -> Sample:
    space = nb.space("nb201")
    truth = rng.normal(80, 2, (n, 1))
    return Sample(
        spec=BuildSpec("s", space, nb.task("digits"), (0, 1, 2), {"r": nb.Recipe(1)}, ()),
        cells=space.representatives[:n],
        valid_accuracy={"r": truth + rng.normal(0, 1, (n, 3))},
        seconds={"r": np.full(n, 2.0)},
        sizes={"flops": rng.random(n), "parameters": rng.random(n)},
        processes=2,
        overhead=0.0,
        about={"engine": "native", "spent_seconds": 1234.0},
    )


@pytest.mark.drawn
def test_every_figure_stands_under_its_head() -> None:
    found = judge(made_up_sample(np.random.default_rng(0), 40))
    costs, *scopes = pilot_tables(found)
    shown = dict(zip(costs.columns, costs.rows[0], strict=True))
    assert shown["seconds a training"] == "2.00 [2.00, 2.00]"
    assert shown["CPU-hours"] == f"{5234 * 3 * 2 / 3600:.1f}"
    assert shown["hours"] == f"{5234 * 3 / 3600:.1f}"
    assert "5,234 distinct cells × 3 seeds" in costs.words
    assert [table.title for table in scopes] == [
        "How it ranks: all cells, n = 40",
        "How it ranks: better half, n = 20",
        "How it ranks: best tenth, n = 4",
    ]
    shown = dict(zip(scopes[0].columns, scopes[0].rows[0], strict=True))
    seeds = found.candidates["r"].scopes["all cells"].seeds
    ends = [f"{value:.2f}".replace("0.", ".") for value in (seeds.value, seeds.low, seeds.high)]
    assert shown["seed to seed"] == f"{ends[0]} [{ends[1]}, {ends[2]}]"
    assert "[" not in "".join(scopes[2].rows[0])
    assert "With n = 4" in scopes[2].words


def test_ranks_of_two_cells_are_not_told() -> None:
    rng = np.random.default_rng(0)
    sample = made_up_sample(rng, 12)
    costs, *scopes = pilot_tables(judge(sample))
    assert [table.title for table in scopes] == [
        "How it ranks: all cells, n = 12",
        "How it ranks: better half, n = 6",
    ]
    # A training of 2 ms: neither it nor the hours are nothing.
    quick = replace(sample, seconds={"r": np.full(12, 0.002)})
    shown = dict(zip(costs.columns, pilot_tables(judge(quick))[0].rows[0], strict=True))
    assert shown["seconds a training"] == ".00200 [.00200, .00200]"
    assert float(shown["hours"]) == pytest.approx(5234 * 3 * 0.002 / 2 / 3600, rel=0.05)
