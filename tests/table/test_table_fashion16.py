"""The tables that ship: whole, small, and what making some of their rows again shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench import proxy
from nasbench.building import read_spec
from nasbench.building.retrain import retrain
from nasbench.proxy.registry import OWN
from nasbench.stats import partial_spearman, spearman
from nasbench.table import Table, recipe_path
from nasbench.train.native import library

pytestmark = pytest.mark.heavy

RECIPE = "10ep"


@pytest.fixture(scope="module")
def table() -> Table:
    return nb.load("nb201-fashion16")


def test_it_is_whole(table: Table) -> None:
    table.verify()
    assert table.path.stat().st_size < 20e6
    assert table.rows.tolist() == table.space.representatives.tolist()
    assert len(table.rows) == 5_234
    assert table.seeds[RECIPE] == (0, 1, 2)
    for metric in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"):
        curves = table.curves(metric, recipe=RECIPE)
        assert curves.shape == (5_234, 3, 10)
        assert np.isfinite(curves).all(), metric
    assert np.isfinite(table.curves("test_accuracy", recipe=RECIPE)[..., -1]).all()
    assert (np.diff(table.curves("train_seconds", recipe=RECIPE), axis=2) > 0).all()


def test_every_row_was_measured_under_two_runtimes(table: Table) -> None:
    described = table.manifest["devices"]
    assert {d["runtime"] for d in described.values()} == {"torch", "onnxruntime"}
    for name, device in described.items():
        measured = ["latency_ms", *(["memory_mib"] if device["runtime"] == "torch" else [])]
        for metric in measured:
            assert device["kinds"][metric] == "measured"
            assert (table.device_column(name, metric) > 0).all(), (name, metric)


def test_it_ranks_cells_as_cifar10_does_and_not_by_their_size_alone(
    table: Table, published: Mapping[str, Any]
) -> None:
    """Wider than the intervals of tables/README.md: all rows, the pilot's among them."""
    wanted = published["recipe/200ep/test_accuracy"][table.rows].astype(np.float64)
    means = table.curves("valid_accuracy", recipe=RECIPE)[..., -1].astype(np.float64).mean(1)
    sizes = np.stack([table.column(name) for name in ("flops", "parameters")], axis=1)
    assert spearman(means, wanted) > max(0.8, spearman(sizes[:, 0], wanted))
    assert partial_spearman(means, wanted, sizes) > 0.5


@pytest.mark.skipif(library() is None, reason="the native engine was not built")
@pytest.mark.parametrize("n", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_rows_trained_again_agree(table: Table, n: int) -> None:
    found = retrain(table, n)
    assert found.agrees, found.verdict


@pytest.mark.slow
def test_the_scores_that_ship_are_those_that_a_batch_gives_now(table: Table) -> None:
    """Eight networks, side by side as they were scored; other processors round otherwise."""
    scores = nb.load("nb201-fashion16-proxies")
    scores.verify()
    assert scores.rows.tolist() == table.rows.tolist()
    spec, said = read_spec(recipe_path("nb201-fashion16")), scores.manifest["scoring"]
    assert sorted(said["proxies"]) == sorted(OWN)
    some = scores.rows[2000:2008]
    now = proxy.score(
        scores.space, some, spec.task, spec.recipes[RECIPE], said["proxies"],
        seed=said["seed"], draws=said["draws"], batch_size=said["batch_size"], hardware="cpu",
    )  # fmt: skip
    for name, values in now.values.items():
        then = scores.values(f"proxy/{name}", some)
        assert values[:, 0] == pytest.approx(then, rel=0.02), name
    assert scores.column("proxy/params").tolist() == table.column("parameters").tolist()
