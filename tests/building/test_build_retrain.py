"""Rows that are trained again: the same, as other seeds, or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_builds import ENGINES, ONE, small_spec

import nasbench as nb
from nasbench.building import build
from nasbench.building.retrain import Reproduction
from nasbench.building.retrain import retrain as retrain_on_all_cores
from nasbench.errors import NasbenchError
from nasbench.space import Space
from nasbench.table import Dataset, Table, write_table
from nasbench.table.merging import merge
from nasbench.task import make_task

pytestmark = pytest.mark.heavy


def retrain(table: Table, n: int, **options: Any) -> Reproduction:
    """On one core: a pool of processes takes longer to start than these train."""
    return retrain_on_all_cores(table, n, processes=1, **options)


def part_of(table: Table, path: Path, kept: slice) -> Table:
    """Some rows of a build, as a sample of it has."""
    manifest = table.manifest
    datasets = {
        name: Dataset(found.values[kept], found.about)
        for name in manifest["datasets"]
        if name.startswith(("recipe/", "network/")) and (found := table.dataset(name))
    }
    return write_table(
        path,
        name=table.name,
        space=table.space,
        rows=table.rows[kept],
        sharing=manifest["sharing"],
        recipes=manifest["recipes"],
        datasets=datasets,
        about={key: manifest[key] for key in ("origin", "engine", "task", "hardware", "versions")},
    )


def rewritten(table: Table, path: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> Table:
    """The table with some curves of its recipe changed, and sound hashes."""
    datasets = {}
    with h5py.File(table.path) as file:
        for name, entry in table.manifest["datasets"].items():
            if name in ("ops", "others", "others_row") or name.startswith("last/"):
                continue  # they are made of the others
            about = {key: entry[key] for key in ("kind", "unit", "epochs") if key in entry}
            change = changes.get(name.rsplit("/", 1)[1], np.asarray)
            datasets[name] = Dataset(change(file[name][:]), about)
    manifest = table.manifest
    given = ("name", "space", "sharing", "recipes", "devices", "missing", "datasets")
    return write_table(
        path,
        name=table.name,
        space=table.space,
        rows=table.rows,
        sharing=manifest["sharing"],
        recipes=manifest["recipes"],
        datasets=datasets,
        about={key: value for key, value in manifest.items() if key not in given},
    )


def test_the_same_engine_gives_the_same_bits(undisturbed: Table, engine: str) -> None:
    found = retrain(undisturbed, 5)
    assert (found.identical, found.agrees, found.engine) == (5, True, engine)
    assert found.trainings == 12
    assert len({(again.architecture, again.seed) for again in found.rows}) == 5
    for again in found.rows:
        stored = undisturbed.values("valid_accuracy", again.architecture, seed=again.seed)
        assert again.stored == again.retrained == stored
    assert found.difference.value == 0
    assert "bit for bit" in found.verdict


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_rows_are_chosen_by_the_seed(undisturbed: Table) -> None:
    chosen = [
        [(again.architecture, again.seed) for again in retrain(undisturbed, 4, seed=seed).rows]
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(retrain(undisturbed, 99).rows) == 12


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_single_flipped_bit_is_seen(undisturbed: Table, tmp_path: Path) -> None:
    def flip(loss: np.ndarray) -> np.ndarray:
        loss[3, 1, 0] = np.nextafter(loss[3, 1, 0], np.float32(9))
        return loss

    found = retrain(rewritten(undisturbed, tmp_path / "t.h5", train_loss=flip), 12)
    [other] = [again for again in found.rows if not again.identical]
    assert (other.architecture, other.seed) == (undisturbed.rows[3], 1)
    assert found.identical == 11
    assert found.agrees  # the accuracies do
    assert "within seed noise" in found.verdict


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_shift_is_told_from_seed_noise(undisturbed: Table, tmp_path: Path) -> None:
    values = undisturbed.curves("valid_accuracy")[..., -1]
    assert 0 < np.abs(np.diff(values)).max() < 40
    shifted = rewritten(undisturbed, tmp_path / "t.h5", valid_accuracy=lambda v: v - 60)
    found = retrain(shifted, 12)
    assert not found.agrees
    assert found.verdict.startswith("the rows do not agree: they are 60.00 points apart")
    assert found.difference.value == pytest.approx(60)
    assert found.apart == pytest.approx(60)
    assert found.seeds_apart == pytest.approx(np.abs(np.diff(values)).mean(), rel=0.05)


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_a_shift_within_seed_noise_is_told_all_the_same(undisturbed: Table, tmp_path: Path) -> None:
    shifted = rewritten(undisturbed, tmp_path / "t.h5", valid_accuracy=lambda v: v + 0.5)
    found = retrain(shifted, 12)
    assert found.apart == pytest.approx(0.5, abs=1e-5)
    assert found.apart < found.seeds_apart
    assert not found.agrees
    assert "off by -0.50 points on average" in found.verdict


@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_other_seeds_agree(undisturbed: Table, tmp_path: Path) -> None:
    """Rows whose seeds have changed places differ exactly as seeds do."""
    swapped = rewritten(undisturbed, tmp_path / "t.h5", valid_accuracy=lambda v: v[:, ::-1])
    found = retrain(swapped, 12)
    assert found.identical < 12
    assert found.agrees


def test_one_seed_tells_no_noise(tmp_path: Path) -> None:
    table = build(small_spec(seeds=(4,)), tmp_path / "one.h5", processes=1)
    assert retrain(table, 3).agrees
    found = retrain(rewritten(table, tmp_path / "t.h5", valid_accuracy=lambda v: v + 1), 3)
    assert not found.agrees
    assert "one seed" in found.verdict
    assert np.isnan(found.seeds_apart)


def test_divergence_is_compared(tmp_path: Path) -> None:
    spec = small_spec(("none", "nor_conv_3x3"), learning_rate=1e12)
    table = build(spec, tmp_path / "t.h5", processes=1)
    assert np.isnan(table.column("valid_accuracy")).any()
    assert retrain(table, 99).agrees
    healed = rewritten(
        table, tmp_path / "h.h5", valid_accuracy=lambda v: np.nan_to_num(v, nan=50.0)
    )
    found = retrain(healed, 99)
    assert not found.agrees
    assert "diverged in one training and not in the other" in found.verdict
    assert found.describe()["rows"][0].keys() >= {"stored", "retrained", "identical"}


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine was not built")
def test_another_engine_trains_where_the_tables_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = build(small_spec(epochs=1), tmp_path / "t.h5", processes=1, engine="native")
    for place in ("building.origin", "train.engine"):
        monkeypatch.setattr(f"nasbench.{place}.library", lambda: None)
    found = retrain(table, 4)
    assert (found.built_with, found.engine) == ("native", "reference")
    assert found.agrees


def test_two_recipes_are_both_trained_again(tmp_path: Path) -> None:
    spec = small_spec()
    recipe = spec.recipes["2ep"]
    recipes = {"1ep": replace(recipe, epochs=1), "2ep": recipe}
    table = build(replace(spec, recipes=recipes), tmp_path / "t.h5", processes=1)
    found = retrain(table, 24)
    assert found.trainings == 24
    assert found.identical == 24
    assert {again.recipe for again in found.rows} == {"1ep", "2ep"}


def costs_of(path: Path, space: Space, rows: Sequence[int]) -> Table:
    """Latencies of these architectures alone, none of them trained."""
    latency = Dataset(np.arange(1.0, len(rows) + 1), {"kind": "measured"})
    return write_table(
        path,
        name=path.stem,
        space=space,
        rows=rows,
        sharing="none",
        recipes={},
        devices={path.stem: {}},
        datasets={f"device/{path.stem}/latency_ms": latency},
    )


@pytest.mark.parametrize("kept", [slice(None), slice(2, 5)])
@pytest.mark.parametrize("engine", ONE, indirect=True)
def test_what_a_build_was_joined_with_changes_nothing(
    undisturbed: Table, tmp_path: Path, kept: slice
) -> None:
    """Classes are written out, others come that were not trained, and joined tables are joined."""
    space = undisturbed.space
    build = part_of(undisturbed, tmp_path / "part.h5", kept)
    one = costs_of(tmp_path / "npu.h5", space, range(space.size))
    other = costs_of(tmp_path / "tpu.h5", space, [0, 1, 2])
    joined = merge([merge([build, one], tmp_path / "a.h5"), other], tmp_path / "b.h5")
    assert len(joined.rows) == space.size > len(build.rows)
    found, alone = (retrain(table, 3) for table in (joined, build))
    assert alone.identical == 3
    assert found.describe() == alone.describe()


# What cannot be trained again.


def test_imported_tables_are_refused(tmp_path: Path) -> None:
    space = small_spec().space
    table = write_table(
        tmp_path / "t.h5",
        name="theirs",
        space=space,
        rows=[0],
        sharing="none",
        recipes={"9ep": {"epochs": 9, "seeds": [1]}},
        datasets={},
        about={"origin": "imported"},
    )
    with pytest.raises(NasbenchError, match="theirs was imported: it does not say how"):
        retrain(table, 1)


def test_the_task_must_be_here_and_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(90) % 3
    mine = make_task("mine", images, labels, classes=("a", "b", "c"))
    other = make_task("mine", images, labels[::-1], classes=("a", "b", "c"))
    recipe = replace(small_spec().recipes["2ep"], train_images=0, valid_images=0, test_images=0)
    spec = replace(small_spec(), task=mine, recipes={"2ep": recipe})
    table = build(spec, tmp_path / "t.h5", processes=1)
    with pytest.raises(NasbenchError, match=r"the examples of task mine do not come.*--recipe"):
        retrain(table, 2)
    with pytest.raises(NasbenchError, match="is not what small was trained on"):
        retrain(table, 2, task=other)
    with pytest.raises(NasbenchError, match="is not what small was trained on"):
        retrain(table, 2, task=nb.task("digits"))
    assert retrain(table, 2, task=mine).identical == 2
