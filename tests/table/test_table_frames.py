"""Frames, curves and slices say what `values` says, one number at a time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from made_up_table import LOST, made_up, write

from nasbench.errors import NasbenchError
from nasbench.table import Dataset, Table
from nasbench.table.metrics import metric_name


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write(tmp_path_factory.mktemp("tables") / "t.h5", sharing="none")


@pytest.fixture(scope="module")
def put() -> dict[str, np.ndarray]:
    return {name: dataset.values for name, dataset in made_up(63).items()}


def test_trainings_are_the_stored_ones_in_the_order_asked_for(table, put):
    stored = put["recipe/short/valid_accuracy"]
    rows = [5, LOST, 0]
    asked = np.asarray([table.rows[rows]])  # an axis more
    found = table.trainings("valid_accuracy", asked, recipe="short", seeds=[5, 7], epochs=[3, 1])
    np.testing.assert_array_equal(found, stored[rows][None][:, :, [2, 0]][..., [2, 0]])
    assert found.dtype == np.float64
    whole = table.trainings("valid_accuracy", table.rows, recipe="short")
    np.testing.assert_array_equal(whole, stored)
    assert np.isnan(table.trainings("valid_accuracy", 1, recipe="short")).all()  # has no row
    for wrong, told in (({"seeds": [1]}, "seeds 7, 2, 5, not 1"), ({"epochs": [9]}, "not 9")):
        with pytest.raises(NasbenchError, match=told):
            table.trainings("valid_accuracy", 0, recipe="short", **wrong)
    with pytest.raises(NasbenchError, match="stored without seeds"):
        table.trainings("test_accuracy", 0, recipe="long")


def test_a_data_set_comes_with_what_the_manifest_says_of_it(table):
    dataset = table.dataset("recipe/short/valid_accuracy")
    assert dataset.about == {"kind": "trained", "unit": "percent", "epochs": [1, 2, 3]}
    np.testing.assert_array_equal(dataset.values, table.curves("valid_accuracy", recipe="short"))
    with pytest.raises(NasbenchError, match="did you mean proxy/synflow"):
        table.dataset("proxy/synflov")


def test_a_frame_of_architectures_has_every_column(table):
    frame = table.frame()
    assert frame["architecture"].tolist() == table.rows.tolist()
    assert frame["string"].tolist() == [table.space.string(a) for a in table.rows.tolist()]
    assert set(frame) - {"architecture", "string"} == set(map(metric_name, made_up(63)))
    for recipe in table.recipes:
        for metric in table.metrics[recipe]:
            expected = table.values(metric, table.rows, recipe=recipe)
            np.testing.assert_array_equal(frame[f"{recipe}/{metric}"], expected)
    np.testing.assert_array_equal(
        frame["cpu-onnx/latency_ms"], table.cost("cpu-onnx", "latency_ms", table.rows)
    )
    np.testing.assert_array_equal(frame["parameters"], table.column("parameters"))
    np.testing.assert_array_equal(frame["proxy/synflow"], table.column("proxy/synflow"))


def test_a_frame_of_architectures_at_an_epoch_of_a_seed(table):
    frame = table.frame(recipe="short", epoch=2, seed=5, architectures=[0, 4])
    assert [c for c in frame if c.startswith("short/")] == [
        "short/valid_accuracy",
        "short/train_seconds",
    ]
    expected = table.values("valid_accuracy", [0, 4], recipe="short", epoch=2, seed=5)
    np.testing.assert_array_equal(frame["short/valid_accuracy"], expected)


@pytest.mark.parametrize("per", ["seed", "epoch"])
def test_each_row_of_a_long_frame_is_a_value(table, per):
    frame = table.frame(per, recipe="short", architectures=table.rows[:6])
    epochs = [3] if per == "seed" else [1, 2, 3]
    assert len(frame) == 6 * 3 * len(epochs)
    for row in frame.to_dict("records"):
        assert row["string"] == table.space.string(row["architecture"])
        for metric in ("valid_accuracy", "train_seconds"):
            place = {"epoch": row["epoch"], "seed": row["seed"], "recipe": "short"}
            expected = float(table.values(metric, row["architecture"], **place))
            assert row[metric] == expected or (math.isnan(row[metric]) and math.isnan(expected))
    assert not frame.duplicated(["architecture", "seed", "epoch"]).any()


def test_a_frame_is_refused_in_one_sentence(table):
    with pytest.raises(NasbenchError, match="per architecture, seed or epoch, not 'cell'"):
        table.frame("cell")
    with pytest.raises(NasbenchError, match="has the recipes short, long: name one"):
        table.frame("epoch")
    with pytest.raises(NasbenchError, match="recipe long shows nothing after 7 epochs"):
        table.frame("seed", recipe="long", epoch=7)
    with pytest.raises(NasbenchError, match="made-up shows nothing after 999 epochs"):
        table.frame(epoch=999)


def test_means_alone_have_no_curve(tmp_path: Path):
    mean = Dataset(np.ones(63), {"kind": "imported", "epochs": [3]})
    recipes = {"r": {"epochs": 3, "seeds": []}}
    table = write(
        tmp_path / "t.h5",
        sharing="none",
        recipes=recipes,
        datasets={"recipe/r/valid_accuracy": mean},
        devices={},
        missing=[],
    )
    with pytest.raises(NasbenchError, match="recipe r has one number an architecture"):
        table.curve(0)
    assert table.frame()["r/valid_accuracy"].tolist() == [1.0] * 63


def test_a_curve_is_a_row_an_epoch(table, put):
    stored = put["recipe/short/valid_accuracy"].astype(np.float64)
    curve = table.curve(int(table.rows[LOST]), recipe="short")
    assert curve.index.tolist() == [1, 2, 3]
    assert list(curve) == ["valid_accuracy", "train_seconds"]
    np.testing.assert_allclose(curve["valid_accuracy"], np.nanmean(stored[LOST], axis=0))
    one = table.curve(int(table.rows[9]), recipe="short", seed=2)
    np.testing.assert_array_equal(one["valid_accuracy"], stored[9, 1])


def test_the_best_come_first(table):
    accuracy = table.column("valid_accuracy", recipe="short")
    best = table.top(5, "valid_accuracy", recipe="short")
    assert best["valid_accuracy"].tolist() == sorted(accuracy[~np.isnan(accuracy)])[::-1][:5]
    assert best["string"].tolist() == [table.space.string(a) for a in best["architecture"]]
    fastest = table.top(3, "cpu-onnx/latency_ms")
    latency = table.device_column("cpu-onnx", "latency_ms")
    assert fastest["cpu-onnx/latency_ms"].tolist() == sorted(latency[~np.isnan(latency)])[:3]
    assert len(table.top(1000, "cpu-onnx/latency_ms")) == 62  # one is missing
    assert table.top(1, "parameters")["parameters"].item() == table.column("parameters").min()
    with pytest.raises(NasbenchError, match="maximize=True or False which proxy/synflow"):
        table.top(3, "proxy/synflow")
    synflow = table.column("proxy/synflow")
    assert table.top(1, "proxy/synflow", maximize=True)["proxy/synflow"].item() == synflow.max()


def test_equals_come_in_the_order_of_their_numbers(tmp_path: Path):
    datasets = made_up(63)
    datasets["device/cpu/latency_ms"].values[:] = 4.0
    table = write(tmp_path / "t.h5", sharing="none", datasets=datasets)
    assert table.rows[0] > table.rows[1]
    assert table.top(4, "cpu/latency_ms")["architecture"].tolist() == [0, 2, 4, 6]


def test_columns_that_are_kept_have_a_bound(table, monkeypatch):
    monkeypatch.setattr("nasbench.table.columns.MOST_COLUMNS", 3)
    fresh = Table(table.path)
    for _ in range(2):
        for epoch in (1, 2, 3):
            for seed in (7, 2, 5, None):
                where = {"recipe": "short", "epoch": epoch, "seed": seed}
                expected = table.values("valid_accuracy", table.rows, **where)
                found = fresh.values("valid_accuracy", table.rows, **where)
                np.testing.assert_array_equal(found, expected)
                assert len(fresh._columns.kept) <= 3
