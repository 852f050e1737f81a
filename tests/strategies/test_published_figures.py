"""What NAS-Bench-201 and others published of these strategies, on the published table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.space import CellSpace
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy

SEEDS = 200


@pytest.fixture(scope="module")
def table(
    published: Mapping[str, Any], nb201: CellSpace, tmp_path_factory: pytest.TempPathFactory
) -> Table:
    """CIFAR-10: validation, test and seconds of the 12-epoch and the 200-epoch trainings."""
    datasets, recipes = {}, {}
    for recipe in ("12ep", "200ep"):
        epochs = int(published[f"recipe/{recipe}/epochs"][-1])
        recipes[recipe] = {
            "epochs": epochs,
            "seeds": list(range(published[f"recipe/{recipe}/valid_accuracy"].shape[1])),
        }
        for metric in ("valid_accuracy", "test_accuracy", "train_seconds"):
            about = {"kind": "imported", "epochs": [epochs]}
            values = published[f"recipe/{recipe}/{metric}"]
            datasets[f"recipe/{recipe}/{metric}"] = Dataset(values, about)
    return write_table(
        tmp_path_factory.mktemp("published") / "nb201.h5",
        name="nb201-cifar10",
        space=nb201,
        rows=np.arange(nb201.size),
        sharing="none",
        recipes=recipes,
        datasets=datasets,
    )


@pytest.fixture(scope="module")
def at_12_000_seconds(table: Table) -> dict[str, Any]:
    """The protocol of the paper: search on 12 epochs, incumbents looked up after 200."""
    found: dict[str, Any] = nb.compare(
        ["random_search", "regularized_evolution", "reinforce"],
        table,
        budget_seconds=12_000,
        seeds=range(SEEDS),
        search_recipe="12ep",
        report_recipe="200ep",
    ).summary()["strategies"]
    return found


# Dong & Yang, "NAS-Bench-201", ICLR 2020, table 5, CIFAR-10: mean and deviation of 500 runs.
PAPER = {
    "random_search": {"valid_accuracy": (90.93, 0.36), "test_accuracy": (93.70, 0.36)},
    "regularized_evolution": {"valid_accuracy": (91.19, 0.31), "test_accuracy": (93.92, 0.30)},
    "reinforce": {"valid_accuracy": (91.09, 0.37), "test_accuracy": (93.85, 0.37)},
}


@pytest.mark.parametrize("strategy", sorted(PAPER))
@pytest.mark.parametrize("metric", ["valid_accuracy", "test_accuracy"])
def test_strategies_reach_what_the_paper_reports(
    at_12_000_seconds: dict[str, Any], strategy: str, metric: str
) -> None:
    mean, std = PAPER[strategy][metric]
    ours = at_12_000_seconds[strategy][metric]
    # Four standard errors of the two means; evolution's tail makes its deviation the loosest.
    assert ours["mean"] == pytest.approx(mean, abs=4 * std * math.sqrt(1 / SEEDS + 1 / 500))
    assert 0.6 * std < ours["std"] < 1.6 * std


def test_strategies_rank_as_in_the_paper(at_12_000_seconds: dict[str, Any]) -> None:
    reached = {name: s["valid_accuracy"]["mean"] for name, s in at_12_000_seconds.items()}
    order = ["random_search", "reinforce", "regularized_evolution"]
    assert sorted(reached, key=reached.__getitem__) == order


def test_optimum_is_the_published_one(table: Table) -> None:
    assert np.nanmax(table.column("valid_accuracy", recipe="200ep")) == pytest.approx(
        91.61, abs=5e-3
    )
    assert np.nanmax(table.column("test_accuracy", recipe="200ep")) == pytest.approx(
        94.37, abs=5e-3
    )


@pytest.mark.parametrize(
    ("n", "published_regret"),
    [
        (100, 0.582),
        pytest.param(50, 0.808, marks=pytest.mark.slow),
        pytest.param(200, 0.428, marks=pytest.mark.slow),
    ],
)
def test_random_search_has_the_regret_of_its_closed_form(
    table: Table, n: int, published_regret: float
) -> None:
    """The best of n without replacement: the k-th smallest with C(k-1, n-1) / C(N, n)."""
    ranked = np.sort(table.column("valid_accuracy", recipe="200ep"))
    size = len(ranked)
    chance, expected = n / size, 0.0  # of the largest; each next has (k - n + 1) / k of it
    for k in range(size, n - 1, -1):
        expected += chance * (ranked[-1] - ranked[k - 1])
        chance *= (k - n) / (k - 1)
    assert expected == pytest.approx(published_regret, abs=6e-4)
    regret = nb.compare(
        ["random_search"],
        table,
        budget_evaluations=n,
        seeds=range(SEEDS),
        search_recipe="200ep",
        parameters={"random_search": {"repeats": False}},
    ).finals("random_search")["regret"]
    assert regret.mean() == pytest.approx(expected, abs=4 * regret.std() / math.sqrt(SEEDS))


@pytest.mark.parametrize(
    ("sizes", "regrets"),
    [
        ((10, 3), {50: 0.54, 100: 0.24, 200: 0.09}),
        pytest.param((50, 10), {50: 0.80, 100: 0.20, 200: 0.04}, marks=pytest.mark.slow),
    ],
)
def test_evolution_has_the_known_regret(
    table: Table, sizes: tuple[int, int], regrets: dict[int, float]
) -> None:
    """Known from 500 runs of another implementation; repeats free, 200-epoch means shown."""
    parameters = {"population_size": sizes[0], "sample_size": sizes[1]}
    comparison = nb.compare(
        ["regularized_evolution"],
        table,
        budget_evaluations=200,
        seeds=range(SEEDS),
        search_recipe="200ep",
        repeats="free",
        parameters={"regularized_evolution": parameters},
    )
    grid = np.asarray(list(regrets), dtype=float)
    curves = comparison.regret("regularized_evolution", grid, "evaluations")
    errors = curves.std(0) * np.sqrt(1 / SEEDS + 1 / 500)
    for known, ours, error in zip(regrets.values(), curves.mean(0), errors, strict=True):
        assert ours == pytest.approx(known, abs=4 * error + 0.005)  # published to two digits
