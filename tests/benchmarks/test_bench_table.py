"""Opening and asking a table of 15,625 architectures, 3 seeds and 12 epochs, beside numpy and h5py.

`make bench` prints the times; a value's floor is one fancy index into a column in memory. Tables
of format 1 keep the row of each architecture of the space, those of format 2 the rows' decisions.
"""

from pathlib import Path

import h5py
import numpy as np
import pytest

import nasbench.space
from nasbench.table import Dataset, Table, write_table
from nasbench.table.pack import write_file

CURVES = ("train_loss", "train_accuracy", "valid_accuracy", "train_seconds")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = nasbench.space.get("nb201")
    rng = np.random.default_rng(0)
    about = {"kind": "trained", "epochs": list(range(1, 13))}
    shape = (space.size, 3, 12)
    datasets = {f"recipe/12ep/{c}": Dataset(rng.random(shape, np.float32), about) for c in CURVES}
    place = tmp_path_factory.mktemp("table") / "nb201.h5"
    write_table(
        place,
        name="nb201",
        space=space,
        rows=np.arange(space.size),
        sharing="none",
        recipes={"12ep": {"epochs": 12, "seeds": [0, 1, 2]}},
        datasets=datasets,
    )
    return place


@pytest.fixture(scope="module")
def old(path: Path) -> Path:
    """The same table in format 1."""
    table = Table(path)
    manifest = dict(table.manifest)
    names = [name for name in manifest.pop("datasets") if name != "ops"]
    index = {"rows": Dataset(table.rows.astype(np.int32)), "row_of": Dataset(table.row_of)}
    place = path.with_name("old.h5")
    write_file(place, manifest, {**index, **{name: table.dataset(name) for name in names}})
    return place


@pytest.mark.benchmark(group="open")
def test_open(benchmark, path):
    assert benchmark(Table, path).name == "nb201"


@pytest.mark.benchmark(group="open")
def test_open_format_1(benchmark, old):
    assert benchmark(Table, old).name == "nb201"


@pytest.mark.benchmark(group="all cells, last epoch, mean over seeds")
def test_all_values_at_first_touch_of_format_1(benchmark, old):
    everything = np.arange(15_625)
    assert len(benchmark(lambda: Table(old).values("valid_accuracy", everything))) == 15_625


@pytest.mark.benchmark(group="open")
def test_open_with_h5py(benchmark, path):
    def opened():
        with h5py.File(path) as file:
            return len(file["manifest"][:])

    assert benchmark(opened)


@pytest.mark.benchmark(group="one cell, last epoch, mean over seeds")
def test_one_value(benchmark, path):
    table = Table(path)
    assert 0 < benchmark(table.values, "valid_accuracy", 77) < 1


@pytest.mark.benchmark(group="one cell, last epoch, mean over seeds")
def test_one_value_by_numpy(benchmark, path):
    column = np.array(Table(path).column("valid_accuracy"))
    assert 0 < benchmark(lambda: column[77]) < 1


@pytest.mark.benchmark(group="all cells, last epoch, mean over seeds")
def test_all_values(benchmark, path):
    table = Table(path)
    everything = np.arange(table.space.size)
    assert len(benchmark(table.values, "valid_accuracy", everything)) == 15_625


@pytest.mark.benchmark(group="all cells, last epoch, mean over seeds")
def test_all_values_at_first_touch(benchmark, path):
    everything = np.arange(15_625)

    def touched():
        table = Table(path)
        return table.values("valid_accuracy", everything)

    assert len(benchmark(touched)) == 15_625


@pytest.mark.benchmark(group="all cells, last epoch, mean over seeds")
def test_all_values_by_h5py(benchmark, path):
    def read():
        with h5py.File(path) as file:
            return file["recipe/12ep/valid_accuracy"][:, :, -1].mean(1)

    assert len(benchmark(read)) == 15_625
