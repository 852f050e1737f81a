"""`nb.choose` and `nasbench choose`: one architecture of a table, and how firm the choice is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.search.goal import Limit
from nasbench.table import Dataset, Table, write_table

ROWS = [3, 10, 20, 30, 40]
ACCURACY = np.asarray([[90, 92], [91, 91], [80, 82], [89, 91.5], [np.nan, np.nan]])
LATENCY = np.asarray([10.0, 9, 1, 2, 1])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(
        tmp_path_factory.mktemp("choosing") / "t.h5",
        name="five",
        space=nb.space("nb201-mini"),
        rows=ROWS,
        sharing="none",
        recipes={"5ep": {"epochs": 5, "seeds": [0, 1]}, "1ep": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/5ep/valid_accuracy": Dataset(ACCURACY[:, :, None], {"epochs": [5]}),
            "recipe/5ep/test_accuracy": Dataset(ACCURACY[:, :, None], {"epochs": [5]}),
            "recipe/1ep/valid_accuracy": Dataset(np.full((5, 1, 1), 50.0), {"epochs": [1]}),
            "network/parameters": Dataset(np.asarray([5, 5, 5, 5, 0]), {}),
            "device/npu/latency_ms": Dataset(LATENCY, {"kind": "measured"}),
        },
        devices={"npu": {}},
    )


def test_limits_come_first_and_gains_are_shares_of_the_reference(table: Table) -> None:
    found = nb.choose(
        table,
        limits={"5ep/valid_accuracy": (85, None), "npu/latency_ms": (None, 9.5)},
        weights={"5ep/valid_accuracy": 10, "npu/latency_ms": 1},
        reference=10,
    )
    assert (found.architecture, found.reference) == (30, 10)
    assert (found.listed, found.kept, found.missing) == (4, 2, 1)
    assert found.values == {"5ep/valid_accuracy": 90.25, "npu/latency_ms": 2}
    assert found.gains == pytest.approx(
        {"5ep/valid_accuracy": 90.25 / 91 - 1, "npu/latency_ms": 1 - 2 / 9}
    )
    assert found.score == pytest.approx((10 * (90.25 / 91 - 1) + 7 / 9) / 11)
    assert found.front == (10, 30)
    assert found.over_seeds == {30: 1.0}
    assert sum(found.over_weights.values()) == pytest.approx(1)


def test_accuracy_that_weighs_more_is_chosen_and_seeds_make_it_uncertain(table: Table) -> None:
    """Cells 3 and 10 are 91 on average, one of them by 90 and 92."""
    found = nb.choose(
        table, weights={"valid_accuracy": 1e6, "npu/latency_ms": 1}, reference="10", recipe="5ep"
    )
    assert found.architecture == 10
    assert 0.3 < found.over_seeds[3] < 0.7
    assert (
        nb.choose(
            table,
            weights={"valid_accuracy": 1e6, "npu/latency_ms": 1},
            reference="10",
            recipe="5ep",
        ).over_seeds
        == found.over_seeds
    )


def test_the_cheapest_within_a_point_of_the_best(table: Table) -> None:
    found = nb.choose(table, within=0.75, least="npu/latency_ms", recipe="5ep")
    assert (found.architecture, found.reference) == (30, 3)
    assert found.gains["npu/latency_ms"] == pytest.approx(0.8)
    assert found.topsis is None
    assert np.isnan(found.score)
    assert found.over_weights == {}
    near = nb.choose(table, within=0.7, least="npu/latency_ms", recipe="5ep")
    assert near.architecture == 10
    limited = nb.choose(
        table,
        within=0.75,
        least="npu/latency_ms",
        recipe="5ep",
        limits=[Limit("npu/latency_ms", 1.5)],
    )
    assert (limited.architecture, limited.reference) == (20, 20)


def test_costs_alone_need_no_recipe(table: Table) -> None:
    found = nb.choose(
        table,
        weights={"npu/latency_ms": 1, "parameters": 1},
        reference=3,
        limits={"parameters": (1, None)},
    )
    assert found.architecture == 20
    assert found.over_seeds == {}


def test_a_proxy_is_better_as_its_table_says() -> None:
    """Of `ntk_condition` low values speak for a network; its name does not say so."""
    table = nb.load("nb201-fashion16-proxies")
    known = table.column("proxy/ntk_condition")
    reference = int(table.rows[np.isfinite(known)][0])
    found = nb.choose(table, weights={"proxy/ntk_condition": 1}, reference=reference)
    chosen = known[np.flatnonzero(table.rows == found.architecture)[0]]
    assert chosen == np.nanmin(known)


WEIGHTS = {"npu/latency_ms": 1.0}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "name weights and a reference, or within and least"),
        ({"weights": WEIGHTS}, "name an architecture of the table"),
        ({"weights": WEIGHTS, "reference": 3, "within": 1.0}, "needs no weights"),
        ({"within": 1.0}, "takes both"),
        ({"least": "npu/latency_ms"}, "takes both"),
        ({"within": -1.0, "least": "npu/latency_ms"}, "within 0 points or more"),
        ({"within": float("nan"), "least": "npu/latency_ms"}, "within 0 points or more"),
        ({"within": 1.0, "least": "valid_accuracy", "recipe": "5ep"}, "name another cost"),
        ({"weights": WEIGHTS, "reference": 3, "metric": "parameters"}, "others are weighed"),
        ({"weights": WEIGHTS, "reference": 4}, "does not know npu/latency_ms of the reference"),
        ({"weights": WEIGHTS, "reference": 10**9}, "nb201-mini"),
        ({"weights": {"npu/latency_ms": 0}, "reference": 3}, "weights are numbers above 0"),
        ({"weights": {"npu/latency": 1}, "reference": 3}, "latency_ms"),
        ({"weights": {"5ep/test_accuracy": 1}, "reference": 3}, "kept for the report"),
        ({"weights": {"valid_accuracy": 1}, "reference": 3}, "recipes 5ep, 1ep: name one"),
        (
            {"weights": WEIGHTS, "reference": 3, "limits": {"npu/latency_ms": (None, 0.5)}},
            "no row of five keeps npu/latency_ms <= 0.5: npu/latency_ms is 1 to 10",
        ),
        ({"weights": {"parameters": 1}, "reference": 40}, "above 0 in everything"),
    ],
)
def test_what_cannot_be_chosen_is_one_sentence(
    table: Table, asked: dict[str, object], says: str
) -> None:
    with pytest.raises(NasbenchError, match=says):
        nb.choose(table, **asked)  # type: ignore[arg-type]


def test_the_command_says_what_python_does(table: Table) -> None:
    words = [
        *("choose", str(table.path), "--limit", "5ep/valid_accuracy>=85", "--reference", "10"),
        *("--weight", "5ep/valid_accuracy=10", "--weight", "npu/latency_ms=1"),
    ]
    ran = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "-77.8 %" in ran.output
    assert "3 of 4 rows keep the limits; 1 row lacks a metric" in ran.output
    said = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).output)
    assert said["architecture"] == 30
    assert said["string"] == nb.space("nb201-mini").string(30)


@pytest.mark.parametrize("weight", ["npu/latency_ms", "=1", "npu/latency_ms=much"])
def test_a_weight_is_a_metric_and_a_number(table: Table, weight: str) -> None:
    with pytest.raises(NasbenchError, match="--weight takes METRIC=NUMBER"):
        CliRunner().invoke(
            app, ["choose", str(table.path), "--weight", weight], catch_exceptions=False
        )


def test_the_published_table_gives_the_published_trade(
    published_data: Path, tmp_path: Path
) -> None:
    """Fastest within a point of the best of NAS-Bench-201 on a Raspberry Pi 4: 66 % less."""
    with np.load(published_data / "nb201_cifar10.npz") as file:
        accuracy = file["recipe/200ep/valid_accuracy"].astype(float)
        latency = file["device/raspi4/latency_ms"].astype(float)
    table = write_table(
        tmp_path / "t.h5",
        name="published",
        space=nb.space("nb201"),
        rows=np.arange(15_625),
        sharing="none",
        recipes={"200ep": {"epochs": 200, "seeds": [0, 1, 2]}},
        datasets={
            "recipe/200ep/valid_accuracy": Dataset(accuracy, {"epochs": [200]}),
            "device/raspi4/latency_ms": Dataset(latency, {"kind": "imported"}),
        },
        devices={"raspi4": {}},
    )
    found = nb.choose(table, within=1, least="raspi4/latency_ms")
    assert found.architecture == 355
    assert found.gains["raspi4/latency_ms"] == pytest.approx(0.66, abs=0.005)
