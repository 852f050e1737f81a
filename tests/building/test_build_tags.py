"""Tags in builds and searches: costs of networks that nobody measured, and said to be estimated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_builds import small_spec
from typer.testing import CliRunner

import nasbench as nb
from nasbench.building import read_spec
from nasbench.building.assemble import assemble
from nasbench.building.entries import COUNTS
from nasbench.building.measuring import timed_network
from nasbench.building.spec import BuildSpec
from nasbench.building.sums import TagSums, sum_tags
from nasbench.cli import app
from nasbench.device.operation_tag import OperationTag, Roofline
from nasbench.device.tags import Tags
from nasbench.device.units import units_of
from nasbench.errors import NasbenchError
from nasbench.network.graph import graph_of
from nasbench.search.telling import rows_of

DEVICE = "board-onnxruntime-b1"
LATENCY = f"{DEVICE}/latency_ms"
RECIPE = """
task = "digits"

[space]
name = "small"
nodes = 3
operations = ["none", "nor_conv_1x1"]

[recipe.r]
epochs = 1
train_images = 20
valid_images = 20
test_images = 20
channels = 4
cells = 1
"""


@pytest.fixture(scope="module")
def spec() -> BuildSpec:
    return small_spec()


@pytest.fixture(scope="module")
def tags(spec: BuildSpec) -> Tags:
    """A millisecond a convolution, and a tenth beside them."""
    last = int(spec.space.representatives[-1])
    units = units_of(graph_of(timed_network(spec, last), spec.task.signal))
    operations = {
        unit.key: OperationTag(
            *(unit.key, unit.name, unit.inputs, float("conv2d" in unit.name), "measured"),
            *(None, unit.weight_bytes, unit.moved_bytes, unit.multiply_adds),
        )
        for unit in units
    }
    about = {"description": {"batch_size": 1}, "space": dict(spec.space.describe())}
    return Tags(DEVICE, about, Roofline(1.0, 1.0), operations, 0.1, {})


@pytest.fixture(scope="module")
def file(tags: Tags, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tags") / "tags.json"
    tags.save(path)
    return path


def recipe_beside(file: Path, device: str) -> Path:
    path = file.with_name("own.toml")
    path.write_text(f"{RECIPE}\n[[device]]\n{device}\n", encoding="utf-8")
    return path


def test_a_table_has_sums_in_place_of_measurements(
    spec: BuildSpec, tags: Tags, tmp_path: Path
) -> None:
    rows = spec.space.representatives[-3:]
    counts = {int(row): dict.fromkeys(COUNTS, 1.0) for row in rows}
    tagged = replace(spec, tags=(tags,))
    table = assemble(tagged, tmp_path / "t.h5", {}, {}, counts, {"origin": "built"}, rows)
    sums = sum_tags(spec, tags, rows.tolist())
    for metric in ("latency_ms", "memory_mib", "moving_ms"):
        np.testing.assert_array_equal(table.cost(DEVICE, metric, rows), sums[metric])
    said = table.manifest["devices"][DEVICE]
    assert set(said["kinds"].values()) == {"estimated"}
    assert said["tags"]["file"] == tags.describe()


def test_a_recipe_names_a_file_of_tags(file: Path, tags: Tags) -> None:
    found = read_spec(recipe_beside(file, 'tags = "tags.json"'))
    assert found.devices == ()
    assert found.tags[0].describe() == tags.describe()
    assert found.describe()["tags"] == [{"device": DEVICE, "sha256": tags.sha256}]


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ('tags = "tags.json"\nthreads = 2', "leave out threads"),
        ("tags = 3", "a file's path"),
        ('tags = "own.toml"', "own.toml"),
        ('tags = "tags.json"\n\n[[device]]\ntags = "tags.json"', "two devices are called board"),
    ],
)
def test_what_is_no_device_of_tags_is_refused(file: Path, device: str, says: str) -> None:
    with pytest.raises(NasbenchError, match=says):
        read_spec(recipe_beside(file, device))


def test_tags_of_another_space_are_refused(tags: Tags) -> None:
    other = small_spec(operations=("none", "skip_connect"))
    with pytest.raises(NasbenchError, match="are of another space than small"):
        replace(other, tags=(tags,))
    with pytest.raises(NasbenchError, match="are of another space than small"):
        TagSums(other, tags)


def searched(*words: object) -> dict[str, Any]:
    said = ("search", "random_search", *words, "--budget-evaluations", 4, "--json")
    run = CliRunner().invoke(app, list(map(str, said)), catch_exceptions=False)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_a_search_that_trains_keeps_a_limit(file: Path, spec: BuildSpec, tags: Tags) -> None:
    recipe = recipe_beside(file, "")
    recipe.write_text(RECIPE, encoding="utf-8")
    sums = sum_tags(spec, tags, spec.space.representatives.tolist())["latency_ms"]
    most = float(np.median(sums))
    found = searched("--train", recipe, "--tags", file, "--limit", f"{LATENCY}<={most}")
    assert found[LATENCY] <= most
    place = spec.space.representatives.tolist().index(spec.space.canonical(found["incumbent"]))
    assert found[LATENCY] == sums[place]
    assert found["spec"]["oracle"]["tags"] == {
        "device": DEVICE,
        "kind": "estimated",
        "sha256": tags.sha256,
    }


def test_tags_stand_beside_a_table_that_lacks_the_device(file: Path, tmp_path: Path) -> None:
    table = nb.build(recipe_beside(file, 'tags = "tags.json"'), out=tmp_path / "t.h5")
    with pytest.raises(NasbenchError, match=f"own has {LATENCY}: leave out --tags"):
        nb.search("random_search", table, tags=file, limits={LATENCY: (None, 9)}, **EVALUATIONS)
    with pytest.raises(NasbenchError, match="nothing that is asked for is of these tags"):
        nb.search("random_search", table, tags=file, **EVALUATIONS)
    recipe = file.with_name("own.toml")
    recipe.write_text(RECIPE, encoding="utf-8")
    alone = nb.build(recipe, out=tmp_path / "alone.h5")
    run = nb.search(
        "random_search", alone, tags=file, metric=LATENCY, progress=False, **EVALUATIONS
    )
    known = nb.search("random_search", table, metric=LATENCY, progress=False, **EVALUATIONS)
    assert (run.best, run.values) == (known.best, known.values)
    assert ("estimated", f"{DEVICE}, by its tags: no measurement") in rows_of(run)
    assert "estimated" not in dict(rows_of(known))


EVALUATIONS = {"budget_evaluations": 4}
