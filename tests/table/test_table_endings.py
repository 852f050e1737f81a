"""Trainings that ended early: no mean over seeds passes them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nasbench.importers import import_table
from nasbench.search.oracle import TableOracle
from nasbench.search.strategy import Query
from nasbench.table import Table
from nasbench.table.dumping import dump
from nasbench.table.endings import curve_ends, ran_of
from nasbench.table.reasons import ENDED
from nasbench.table.trained import trained_means

NAN = np.nan
CURVES: dict[tuple[int, int], list[float]] = {
    (3, 0): [50, 80, 95],
    (3, 1): [10, 10, NAN],  # collapsed, and then no more
    (5, 0): [40, 60, 70],
    (5, 1): [41, 61, 72],
    (7, 0): [42, NAN, 66],  # a hole is no end
    (7, 1): [40, 50, 64],
    (9, 0): [30, 40, 50],  # there is no seed 1
}
MEANS = {
    3: [30, 45, NAN],
    5: [40.5, 60.5, 71],
    7: [41, 50, 65],
    9: [30, 40, 50],
}


def sheet(*, rows_left_out: bool) -> pd.DataFrame:
    """The curves, with test accuracies at the end alone and seconds."""
    rows = [
        {
            "architecture": architecture,
            "seed": seed,
            "epoch": epoch,
            "valid_accuracy": value,
            "test_accuracy": value - 1 if epoch == 3 else NAN,
            "train_seconds": 10.0 * epoch if value == value else NAN,
        }
        for (architecture, seed), curve in CURVES.items()
        for epoch, value in enumerate(curve, 1)
        if value == value or not rows_left_out
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module", params=["rows", "cells", "parquet", "npz"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("ended")
    kind = "parquet" if request.param == "parquet" else "csv"
    source = folder / f"sheet.{kind}"
    frame = sheet(rows_left_out=request.param == "rows")
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(source)
    else:
        frame.to_csv(source, index=False)
    made = import_table(kind, source, folder / "t.h5", space="nb201-mini", recipe="r")
    if request.param != "npz":
        return made
    dump(made, folder / "t.npz", to="npz")
    return import_table("npz", folder / "t.npz", folder / "again.h5", space="nb201-mini")


def test_a_row_has_no_mean_from_where_one_of_its_trainings_ended(table: Table) -> None:
    architectures = list(MEANS)
    for place, epoch in enumerate((1, 2, 3)):
        expected = [MEANS[a][place] for a in architectures]
        got = table.values("valid_accuracy", architectures, epoch=epoch)
        assert np.array_equal(got, expected, equal_nan=True)
    # Seed 1 of 3 has no test accuracy anywhere, but was run.
    assert np.isnan(table.values("test_accuracy", 3))
    assert table.values("test_accuracy", 9) == 49
    assert table.top(9, "valid_accuracy")["architecture"].tolist() == [5, 7, 9]
    assert np.isnan(trained_means(table, "valid_accuracy", [3]))[0]
    assert table.values("valid_accuracy", 3, seed=0) == 95
    means = table.curve(3)["valid_accuracy"].tolist()
    assert np.array_equal(means, MEANS[3], equal_nan=True)


def test_it_is_marked_with_the_reason(table: Table) -> None:
    for metric in ("valid_accuracy", "test_accuracy"):
        assert "ended early" in table.missing(metric)[3]
        assert 9 not in table.missing(metric)
        marked = [
            entry["architectures"]
            for entry in table.manifest["missing"]
            if entry["scope"] == f"recipe/r/{metric}" and entry["reason"] == ENDED
        ]
        assert marked == [[3]]
    assert "ended early" in table.missing("valid_accuracy", seed=1)[3]
    assert 3 not in table.missing("valid_accuracy", seed=0)
    assert table.ended("valid_accuracy").sum() == 1


def test_the_seconds_of_a_training_that_ended_are_those_it_took(table: Table) -> None:
    assert table.values("train_seconds", 3, seed=1) == 20
    assert table.values("train_seconds", [3, 5, 9]).tolist() == [25, 30, 30]
    shown = TableOracle(table).evaluate(Query(3, "r", 3))
    assert np.isnan(shown.values["valid_accuracy"])
    assert shown.seconds == 25


def test_what_is_dumped_has_no_such_mean_either(table: Table, tmp_path: Path) -> None:
    dump(table, tmp_path / "t.csv", to="csv", per="architecture")
    means = pd.read_csv(tmp_path / "t.csv", index_col="architecture")
    assert np.isnan(means.loc[3, "r/valid_accuracy"])
    assert means.loc[9, "r/valid_accuracy"] == 50


@given(data=st.data())
def test_where_curves_end_is_what_a_loop_over_them_says(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 4)))
    cells = st.sampled_from([NAN, 1.0])

    def drawn() -> NDArray[Any]:
        size = int(np.prod(shape))
        return np.asarray(data.draw(st.lists(cells, min_size=size, max_size=size))).reshape(shape)

    values, other = drawn(), drawn()
    ends = curve_ends(values, lambda: ran_of([values, other]))
    for row in range(shape[0]):
        for seed in range(shape[1]):
            known = [e for e in range(shape[2]) if values[row, seed, e] == 1]
            ran = bool(known) or (other[row, seed] == 1).any()
            taken = (values[:, seed] == 1).any()
            expected = shape[2] if not (ran and taken) else known[-1] + 1 if known else 0
            assert ends[row, seed] == expected
