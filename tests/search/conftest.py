"""Tables to search on: made up in a moment, or really trained in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.building import BuildSpec, build
from nasbench.space import CellSpace, Space
from nasbench.table import Dataset, Table, write_table
from nasbench.train.native import library

MakeTable = Callable[..., Table]


def write_made_up(
    path: Path,
    *,
    space: Space | None = None,
    rows: Sequence[int] | None = None,
    sharing: str = "canonical",
    recipes: Mapping[str, int] | None = None,
    seeds: Sequence[int] = (0, 1),
    seed: int = 0,
    timed: bool = True,
    images: int | None = None,
) -> Table:
    """A table of random curves, with training times or without; recipes are given by epochs.

    It says on how many images trainings were, where that is given.
    """
    space = space or nb.space("nb201-mini")
    rng = np.random.default_rng(seed)
    known = np.asarray(space.representatives if rows is None else rows)
    recipes = recipes or {"r": 4}
    worth = rng.normal(70, 8, (len(known), 1, 1))
    datasets: dict[str, Dataset] = {
        "device/toy/latency_ms": Dataset(rng.random(len(known)), {"kind": "measured"}),
        "network/flops": Dataset(1e6 * (1 + known % 7), {"kind": "counted"}),
    }
    for name, epochs in recipes.items():
        shape = (len(known), len(seeds), epochs)
        every = {"kind": "trained", "epochs": list(range(1, epochs + 1))}
        last = {"kind": "trained", "epochs": [epochs]}
        growth = np.linspace(-20, 0, epochs)
        curves = {
            "valid_accuracy": worth + growth + rng.normal(0, 1, shape),
            "train_loss": rng.random(shape),
            "train_seconds": rng.uniform(1, 3, shape).cumsum(2),
        }
        test = worth + rng.normal(0, 1, (*shape[:2], 1))
        if not timed:
            del curves["train_seconds"]
        for metric, values in curves.items():
            datasets[f"recipe/{name}/{metric}"] = Dataset(values.astype(np.float32), every)
        datasets[f"recipe/{name}/test_accuracy"] = Dataset(test.astype(np.float32), last)
        datasets[f"recipe/{name}/evaluation_seconds"] = Dataset(rng.random(test.shape), last)
    trained = {"trained": {"train_images": images}} if images else {}
    return write_table(
        path,
        name=path.stem,
        space=space,
        rows=known,
        sharing=sharing,
        recipes={n: {"epochs": e, "seeds": list(seeds), **trained} for n, e in recipes.items()},
        datasets=datasets,
        devices={"toy": {"kinds": {"latency_ms": "measured"}}},
    )


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """Writes a made-up table into the test's own folder."""

    def make(name: str = "made-up", **given: Any) -> Table:
        return write_made_up(tmp_path / f"{name}.h5", **given)

    return make


@pytest.fixture(scope="session")
def made_up_table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Two recipes, `short` (4 epochs) and `long` (6), two seeds each."""
    path = tmp_path_factory.mktemp("made-up") / "made-up.h5"
    return write_made_up(path, recipes={"short": 4, "long": 6})


@pytest.fixture(scope="session")
def tiny_spec() -> BuildSpec:
    """Thirty distinct cells of three nodes, two epochs on a hundred digits, two seeds."""
    recipe = nb.Recipe(
        epochs=2, train_images=100, valid_images=100, test_images=50, channels=4, cells=1
    )
    operations = ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3")
    space, task = CellSpace("tiny", 3, operations), nb.task("digits")
    return BuildSpec("tiny", space, task, (0, 1), {"2ep": recipe}, ())


@pytest.fixture(scope="session", params=("native", "reference"))
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine that is here."""
    if request.param == "native" and library() is None:
        pytest.skip("the native engine was not built")
    return str(request.param)


@pytest.fixture(
    scope="session",
    params=["reference"]
    if library() is None
    else ["native", pytest.param("reference", marks=pytest.mark.slow)],
)
def table_engine(request: pytest.FixtureRequest) -> str:
    """Every engine that is here; the reference, which takes seconds, with the slow tests."""
    return str(request.param)


@pytest.fixture(scope="session")
def tiny_table(
    tiny_spec: BuildSpec, table_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Table:
    """What `tiny_spec` builds: really trained, in seconds."""
    out = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    return build(tiny_spec, out, processes=1, engine=table_engine)
