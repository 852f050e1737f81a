"""What `values`, `cost` and `missing` say, against the arrays that were put in."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_table import LOST, NEVER, UNSEEN, made_up, write

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.table import Dataset, Table
from nasbench.table.trained import trained_means, trained_values

SEEDS = (7, 2, 5)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A row for each class."""
    return write(tmp_path_factory.mktemp("tables") / "shared.h5")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A row for every other cell, each standing for itself."""
    return write(tmp_path_factory.mktemp("tables") / "single.h5", sharing="none")


# Values.


def test_a_table_says_what_it_holds(shared: Table, mini: CellSpace) -> None:
    assert shared.name == "made-up"
    assert shared.space is mini
    assert shared.recipes == ("short", "long")  # as they were written
    assert shared.seeds == {"short": SEEDS, "long": SEEDS}
    assert {recipe: set(metrics) for recipe, metrics in shared.metrics.items()} == {
        "short": {"valid_accuracy", "train_seconds"},
        "long": {"valid_accuracy", "test_accuracy"},
    }
    assert shared.devices == ("cpu", "cpu-onnx")
    assert shared.epochs("valid_accuracy", recipe="long") == (5, 10)
    assert shared.manifest["task"]["name"] == "digits"
    assert shared.manifest["sharing"] == "canonical"
    assert repr(shared).startswith("<Table made-up: 65 rows of nb201-mini, recipes ('short'")


@given(data=st.data())
def test_values_are_the_means_of_the_seeds_that_are_there(
    shared: Table, single: Table, mini: CellSpace, data: st.DataObject
) -> None:
    table = data.draw(st.sampled_from([shared, single]))
    recipe, epochs = data.draw(st.sampled_from([("short", [1, 2, 3]), ("long", [5, 10])]))
    epoch = data.draw(st.sampled_from([-1, *epochs]))
    seed = data.draw(st.sampled_from([None, *SEEDS]))
    shape = data.draw(st.sampled_from([(), (0,), (1,), (9,), (2, 3)]))
    count = int(np.prod(shape))
    asked = data.draw(st.lists(st.integers(0, 124), min_size=count, max_size=count))
    architectures = np.asarray(asked, dtype=np.int64).reshape(shape)

    stored = made_up(len(table.rows))[f"recipe/{recipe}/valid_accuracy"].values
    expected = []
    for architecture in asked:
        if table is shared:
            row = mini.representatives.tolist().index(mini.canonical(architecture))
        elif architecture % 2:
            expected.append(math.nan)
            continue
        else:
            row = (124 - architecture) // 2
        numbers = [float(x) for x in stored[row, :, -1 if epoch == -1 else epochs.index(epoch)]]
        if seed is not None:
            numbers = [numbers[SEEDS.index(seed)]]
        there = [number for number in numbers if not math.isnan(number)]
        expected.append(sum(there) / len(there) if there else math.nan)

    got = table.values("valid_accuracy", architectures, recipe=recipe, epoch=epoch, seed=seed)
    assert got.dtype == np.float64
    assert got.shape == shape
    np.testing.assert_allclose(got.reshape(-1), expected, rtol=1e-12)


def test_one_architecture_is_asked_for_as_easily_as_many(single: Table) -> None:
    for architecture in (0, 1, 124):
        one = single.values("valid_accuracy", architecture, recipe="short")
        many = single.values("valid_accuracy", [architecture], recipe="short")
        numpy_s = single.values("valid_accuracy", np.int64(architecture), recipe="short")
        np.testing.assert_array_equal([one, numpy_s], [many[0], many[0]])
        assert isinstance(one, np.float64)


def test_what_belongs_to_no_recipe_is_asked_for_without_one(shared: Table) -> None:
    stored = made_up(65)
    everything = shared.rows
    for metric, name in (("parameters", "network/parameters"), ("proxy/synflow", "proxy/synflow")):
        got = shared.values(metric, everything)
        assert got.dtype == np.float64
        assert got.tolist() == stored[name].values.tolist()
    assert (
        shared.values("test_accuracy", everything, recipe="long").tolist()
        == stored["recipe/long/test_accuracy"].values.tolist()
    )


def test_costs_are_a_device_s(shared: Table) -> None:
    stored = made_up(65)
    for device in ("cpu", "cpu-onnx"):
        got = shared.cost(device, "latency_ms", shared.rows)
        np.testing.assert_array_equal(got, stored[f"device/{device}/latency_ms"].values)
    assert shared.cost("cpu", "latency_ms", 0) == shared.cost("cpu", "latency_ms", [0])[0]


def test_curves_are_the_stored_array_and_cannot_be_written(shared: Table) -> None:
    curves = shared.curves("valid_accuracy", recipe="short")
    np.testing.assert_array_equal(curves, made_up(65)["recipe/short/valid_accuracy"].values)
    with pytest.raises(ValueError, match="read-only"):
        curves[0, 0, 0] = 1
    column = shared.column("valid_accuracy", recipe="short")
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1


def test_what_was_returned_is_the_caller_s_own(shared: Table) -> None:
    before = shared.values("parameters", [1, 2])
    before[:] = 0
    assert (shared.values("parameters", [1, 2]) > 0).all()


def test_a_recipe_may_be_left_out_where_there_is_one(tmp_path: Path) -> None:
    full = made_up(65)
    table = write(
        tmp_path / "one.h5",
        recipes={"short": {"epochs": 3, "seeds": list(SEEDS)}},
        datasets={name: full[name] for name in full if "/long/" not in name},
    )
    assert table.recipe(None) == "short"
    np.testing.assert_array_equal(
        table.values("valid_accuracy", table.rows),
        table.values("valid_accuracy", table.rows, recipe="short", epoch=3),
    )


# What is missing.


def test_missing_says_why_for_every_nan_and_for_nothing_else(shared: Table, single: Table) -> None:
    everything = np.arange(125)
    for table in (shared, single):
        for metric, recipe in (
            ("valid_accuracy", "short"),
            ("valid_accuracy", "long"),
            ("test_accuracy", "long"),
            ("parameters", None),
            ("proxy/synflow", None),
        ):
            absent = np.isnan(table.values(metric, everything, recipe=recipe))
            told = table.missing(metric, recipe=recipe)
            assert sorted(told) == np.flatnonzero(absent).tolist()
        for device in table.devices:
            absent = np.isnan(table.cost(device, "latency_ms", everything))
            assert sorted(table.missing_cost(device, "latency_ms")) == (
                np.flatnonzero(absent).tolist()
            )


def test_the_reason_is_that_of_the_metric(shared: Table, single: Table, mini: CellSpace) -> None:
    representatives = mini.representatives
    never = np.flatnonzero(mini.classes == representatives[NEVER]).tolist()
    assert shared.missing("valid_accuracy", recipe="short") == dict.fromkeys(never, "diverged")
    assert shared.missing("train_seconds", recipe="short") == dict.fromkeys(never, "diverged")
    assert shared.missing("valid_accuracy", recipe="long") == dict.fromkeys(never, "disk lost")
    assert shared.missing("test_accuracy", recipe="long") == {}
    unseen = np.flatnonzero(mini.classes == representatives[UNSEEN]).tolist()
    assert shared.missing_cost("cpu-onnx", "latency_ms") == dict.fromkeys(unseen, "no such kernel")
    assert shared.missing_cost("cpu", "latency_ms") == {}
    # One seed of three is enough for a mean.
    lost = int(representatives[LOST])
    assert np.isnan(shared.values("valid_accuracy", lost, recipe="short", seed=2))
    assert not np.isnan(shared.values("valid_accuracy", lost, recipe="short"))
    # A cell that has no row is not in the table; nothing is said of it otherwise.
    assert single.missing("parameters") == dict.fromkeys(range(1, 125, 2), "not in the table")


def test_a_missing_value_without_a_reason_says_so(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5", missing=())
    assert set(table.missing("valid_accuracy", recipe="long").values()) == {
        "the source gives no reason"
    }


# What cannot be asked.


@pytest.mark.parametrize(
    ("metric", "options", "told"),
    [
        ("valid_acuracy", {"recipe": "short"}, "unknown metric .*; did you mean valid_accuracy"),
        ("latency_ms", {"recipe": "short"}, "unknown metric 'latency_ms'"),
        ("proxy/synflw", {"recipe": "short"}, "did you mean proxy/synflow"),
        ("parametres", {"recipe": "long"}, "did you mean parameters"),
        ("valid_accuracy", {"recipe": "shrt"}, "unknown recipe 'shrt'; did you mean short"),
        ("valid_accuracy", {}, "has the recipes short, long: name one"),
        ("valid_accuracy", {"recipe": "short", "epoch": 4}, "after epochs 1, 2, 3, not after 4"),
        ("valid_accuracy", {"recipe": "short", "epoch": 0}, "not after 0"),
        ("valid_accuracy", {"recipe": "short", "epoch": -2}, "not after -2"),
        ("valid_accuracy", {"recipe": "long", "epoch": 6}, "epochs 5, 10, not after 6"),
        ("valid_accuracy", {"recipe": "short", "seed": 1}, "seeds 7, 2, 5, not 1"),
        ("test_accuracy", {"recipe": "long", "seed": 7}, "stored as one number without seeds"),
        ("test_accuracy", {"recipe": "long", "epoch": 5}, "not after 5"),
    ],
)
def test_what_the_table_does_not_hold_is_refused(
    shared: Table, metric: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        shared.values(metric, 0, **options)


def test_devices_and_architectures_are_checked(shared: Table) -> None:
    with pytest.raises(NasbenchError, match="unknown device 'cpu-onx'; did you mean cpu-onnx"):
        shared.cost("cpu-onx", "latency_ms", 0)
    with pytest.raises(NasbenchError, match="of device cpu 'latency_s'; did you mean latency_ms"):
        shared.cost("cpu", "latency_s", 0)
    for architectures in (125, -1, [0, 125], np.int64(-1)):
        doors: list[Callable[[Any], object]] = [
            lambda asked: shared.values("parameters", asked),
            shared.rows_of,
            lambda asked: trained_means(shared, "valid_accuracy", asked, recipe="short"),
            lambda asked: trained_values(shared, "valid_accuracy", asked, recipe="short"),
            lambda asked: shared.trainings("valid_accuracy", asked, recipe="short"),
        ]
        for door in doors:
            with pytest.raises(NasbenchError, match="has architectures 0 to 124"):
                door(architectures)
    with pytest.raises(NasbenchError, match="architectures are integers"):
        shared.values("parameters", [0.5])


def test_curves_need_seeds(shared: Table) -> None:
    with pytest.raises(NasbenchError, match="stored without seeds"):
        shared.curves("test_accuracy", recipe="long")
    with pytest.raises(NasbenchError, match="did you mean valid_accuracy"):
        shared.curves("valid", recipe="short")
    with pytest.raises(NasbenchError, match="did you mean valid_accuracy"):
        shared.epochs("valid", recipe="short")
    assert shared.has_seeds("valid_accuracy", recipe="long")
    assert not shared.has_seeds("test_accuracy", recipe="long")


def test_whole_numbers_are_returned_whole(tmp_path: Path) -> None:
    counts = np.asarray([2**52 + 1] * 65)
    table = write(tmp_path / "t.h5", datasets={"network/flops": Dataset(counts)})
    assert table.values("flops", 3) == 2**52 + 1


def test_what_was_asked_before_changes_no_answer(shared: Table) -> None:
    assert np.isfinite(shared.cost("cpu", "latency_ms", [0])).all()
    with pytest.raises(NasbenchError, match="unknown recipe 'latency_ms'"):
        shared.values("cpu", [0], recipe="latency_ms")
    assert np.isfinite(shared.values("parameters", [0])).all()
    with pytest.raises(NasbenchError, match="unknown recipe 'bogus'"):
        shared.values("parameters", [0], recipe="bogus")
