"""What is dumped is what the table says, and importing it gives the same table again."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_tables import Contents, contents, written
from hypothesis import given, settings
from made_up_table import NEVER, made_up, write

from nasbench.errors import NasbenchError
from nasbench.importers import import_table
from nasbench.space import CellSpace
from nasbench.table import Dataset, Table, alignment, write_table
from nasbench.table.dumping import FORMATS, PER, dump

pytestmark = pytest.mark.heavy


@pytest.fixture(params=["canonical", "none"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    return write(tmp_path / "t.h5", sharing=request.param)


def read(path: Path) -> pd.DataFrame:
    """Cells as Python reads them: not every version of pandas reads each digit."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *lines = csv.reader(file)
    columns = dict(zip(names, zip(*lines, strict=True), strict=True))
    kinds = dict.fromkeys(("string", "recipe"), str)
    kinds |= dict.fromkeys(("architecture", "canonical", "seed", "epoch"), int)
    return pd.DataFrame(
        {n: [kinds.get(n, float)(cell or "nan") for cell in c] for n, c in columns.items()}
    )


def test_a_line_an_architecture_is_what_the_frame_says(table: Table, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    lines = dump(table, out, to="csv", per="architecture")
    architectures = np.flatnonzero(table.row_of >= 0)
    found, expected = read(out), table.frame(architectures=architectures)
    assert len(found) == lines == len(architectures)
    if table.manifest["sharing"] == "canonical":
        assert found.pop("canonical").tolist() == table.space.canonical(architectures).tolist()
    assert "canonical" not in found
    pd.testing.assert_frame_equal(
        found, expected, check_exact=True, check_dtype=False, check_like=True
    )


@pytest.mark.parametrize("per", ["seed", "epoch"])
@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_line_a_seed_or_epoch_is_what_the_frames_say(
    table: Table, tmp_path: Path, per: Any, to: str
) -> None:
    out = tmp_path / "sheet"
    lines = dump(table, out, to=to, per=per)
    if to == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    whole = read(out) if to == "csv" else pd.read_parquet(out)
    assert len(whole) == lines
    architectures = np.flatnonzero(table.row_of >= 0)
    for recipe in table.recipes:
        found = whole[whole["recipe"] == recipe].reset_index(drop=True)
        expected = table.frame(per, recipe=recipe, architectures=architectures)
        assert len(found) == len(expected)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=str(name))
        alone = table.values("test_accuracy", found["architecture"], recipe="long")
        np.testing.assert_array_equal(found["long/test_accuracy"], alone)
        cost = table.cost("cpu-onnx", "latency_ms", found["architecture"])
        np.testing.assert_array_equal(found["cpu-onnx/latency_ms"], cost)


def test_what_is_missing_is_an_empty_cell(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5")
    dump(table, tmp_path / "t.csv", to="csv", per="seed")
    with (tmp_path / "t.csv").open(newline="") as file:
        cells = [line for line in csv.DictReader(file) if line["canonical"] == line["architecture"]]
    never = [line for line in cells if int(line["architecture"]) == table.rows[NEVER]]
    assert {line["valid_accuracy"] for line in never} == {""}
    assert sum(line["valid_accuracy"] == "" for line in cells) == 6 + 2  # NEVER, LOST; two recipes
    assert not any("nan" in value for line in cells for value in line.values())


def test_arrays_keep_their_types_and_places(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5", sharing="none")
    assert dump(table, tmp_path / "t.npz", to="npz") == len(table.rows)
    order = np.argsort(table.rows)
    with np.load(tmp_path / "t.npz") as file:
        found = {key: file[key] for key in file.files}
    strings = [table.space.string(a) for a in table.rows[order].tolist()]
    assert found.pop("architectures").tolist() == strings
    assert found.pop("recipe/short/epochs").tolist() == [1, 2, 3]
    assert found.pop("recipe/long/epochs").tolist() == [5, 10]
    for recipe, seeds in table.seeds.items():
        assert tuple(found.pop(f"recipe/{recipe}/seeds")) == seeds
    for name, dataset in made_up(len(table.rows)).items():
        array = found.pop(name.removeprefix("network/"))
        assert array.dtype == dataset.values.dtype
        np.testing.assert_array_equal(array, dataset.values[order])
    assert all(key.startswith("about/") for key in found)


def test_a_metric_of_the_last_epoch_stands_among_the_others(tmp_path: Path) -> None:
    last = Dataset(np.full((65, 3, 1), 50, np.float32), {"kind": "trained", "epochs": [3]})
    every = made_up(65)["recipe/short/valid_accuracy"]
    datasets = {"recipe/short/test_accuracy": last, "recipe/short/valid_accuracy": every}
    table = write(tmp_path / "t.h5", datasets=datasets, devices={})
    dump(table, tmp_path / "t.npz", to="npz")
    with np.load(tmp_path / "t.npz") as file:
        found = file["recipe/short/test_accuracy"]
    assert found.shape == (125, 3, 3)
    assert np.isnan(found[:, :, :2]).all()
    assert (found[:, :, 2] == 50).all()


@settings(max_examples=25)
@given(drawn=contents())
@pytest.mark.parametrize("to", FORMATS)
def test_a_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, to: str, drawn: Contents
) -> None:
    if to == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    folder = tmp_path_factory.mktemp("tables")
    table = written(folder / "t.h5", drawn)
    dump(table, folder / "dumped", to=to)
    how = {"space": "nb201-mini", "seconds": "cumulative"}  # drawn, and as slow at first as none
    back = import_table(to, folder / "dumped", folder / "b.h5", **how)
    same_content(table, back)


def same_content(table: Table, back: Table) -> None:
    """Each number of a table is in another, and no others."""
    np.testing.assert_array_equal(back.row_of >= 0, table.row_of >= 0)
    architectures = np.flatnonzero(table.row_of >= 0)
    assert set(back.recipes) == set(table.recipes)
    assert set(back.devices) == set(table.devices)
    datasets = table.manifest["datasets"]
    assert _names(back.manifest["datasets"]) == _names(datasets)
    for recipe in table.recipes:
        assert (
            back.manifest["recipes"][recipe]["epochs"]
            == table.manifest["recipes"][recipe]["epochs"]
        )
        assert set(back.seeds[recipe]) == set(table.seeds[recipe])
        for metric in table.metrics[recipe]:
            name = f"recipe/{recipe}/{metric}"
            if table.has_seeds(metric, recipe=recipe):
                which = {"recipe": recipe, "seeds": table.seeds[recipe]}
                found = back.trainings(metric, architectures, **which)
                expected = table.trainings(metric, architectures, **which)
                known = dict(zip(back.epochs(metric, recipe=recipe), found.T, strict=True))
                taken = dict(zip(table.epochs(metric, recipe=recipe), expected.T, strict=True))
                nothing = np.full(expected.T[0].shape, np.nan)  # an epoch may be left out then
                for epoch in known.keys() | taken.keys():
                    here, there = known.get(epoch, nothing), taken.get(epoch, nothing)
                    np.testing.assert_array_equal(here, there, err_msg=name)
            else:
                assert not back.has_seeds(metric, recipe=recipe)
                np.testing.assert_array_equal(
                    back.values(metric, architectures, recipe=recipe),
                    table.values(metric, architectures, recipe=recipe),
                )
    for name in _names(datasets):
        if not name.startswith("recipe/"):
            np.testing.assert_array_equal(
                back.dataset(name).values[back.row_of[architectures]],
                table.dataset(name).values[table.row_of[architectures]],
            )


def _names(datasets: Mapping[str, Any]) -> set[str]:
    return {name for name in datasets if name.startswith(("recipe/", "device/", "net", "proxy/"))}


def test_what_is_derived_and_why_values_are_missing_comes_back(tmp_path: Path) -> None:
    derived = {"kind": "derived", "note": "7 x latency"}
    holed = np.r_[np.nan, np.arange(1.0, 65)]
    table = write(
        tmp_path / "t.h5",
        devices={"cpu": {}},
        recipes={},
        datasets={
            "device/cpu/energy_mj": Dataset(np.arange(1.0, 66), derived),
            "device/cpu/latency_ms": Dataset(holed, {"kind": "measured"}),
        },
        missing=[{"scope": "device/cpu", "reason": "no such kernel", "architectures": []}],
    )
    dump(table, tmp_path / "t.npz", to="npz")
    back = import_table("npz", tmp_path / "t.npz", tmp_path / "b.h5", space="nb201-mini")
    energy = back.dataset("device/cpu/energy_mj").about
    assert (energy["kind"], energy["note"]) == ("derived", "derived: 7 x latency")
    assert set(back.missing_cost("cpu", "latency_ms").values()) == {"no such kernel"}
    dump(back, tmp_path / "again.npz", to="npz")
    with np.load(tmp_path / "again.npz") as file:
        assert str(file["about/device/cpu/energy_mj"]) == "derived: 7 x latency"


@pytest.mark.parametrize(
    ("to", "per"), [("npz", None), *(("csv", per) for per in PER), ("parquet", "epoch")]
)
def test_the_same_table_is_the_same_file_however_it_is_cut(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, per: str | None
) -> None:
    if to == "parquet":
        pq = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra")
    told: list[tuple[str, int, int]] = []
    for name, cells in (("whole", 1 << 18), ("cut", 50)):
        monkeypatch.setattr(alignment, "_CELLS", cells)
        dump(table, tmp_path / name, to=to, per=per, progress=lambda *done: told.append(done))
    if to == "parquet":
        whole, cut = (pd.read_parquet(tmp_path / name) for name in ("whole", "cut"))
        pd.testing.assert_frame_equal(whole, cut, check_exact=True)
        assert pq.ParquetFile(tmp_path / "cut").num_row_groups > 10
    else:
        assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert told[-1][1] == told[-1][2]


@pytest.mark.parametrize("to", FORMATS)
def test_the_manifest_goes_along(tmp_path: Path, to: str) -> None:
    table = write(tmp_path / "t.h5")
    dump(table, tmp_path / "dumped", to=to)
    if to == "parquet":
        pq = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra")
        text = pq.read_schema(tmp_path / "dumped").metadata[b"nasbench"]
    else:
        text = (tmp_path / "dumped.json").read_bytes()
    told = json.loads(text)
    assert told["table_sha256"] == table.sha256
    assert told["task"] == table.manifest["task"]
    assert told["missing"] == table.manifest["missing"]
    unit = {"kind": "trained", "unit": "percent", "epochs": [1, 2, 3], "dtype": "float32"}
    assert told["datasets"]["recipe/short/valid_accuracy"] == unit


@pytest.mark.parametrize(
    ("to", "per", "told"),
    [
        ("cvs", None, "unknown format 'cvs'; did you mean csv"),
        ("csv", "epochs", "unknown line, per 'epochs'; did you mean epoch"),
        ("npz", "epoch", "an npz holds every seed and epoch"),
    ],
)
def test_an_unknown_way_to_write_is_named(
    table: Table, tmp_path: Path, to: str, per: str | None, told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        dump(table, tmp_path / "out", to=to, per=per)
    assert os.listdir(tmp_path) == ["t.h5"]


@pytest.mark.parametrize("to", ["csv", "npz"])
def test_a_recipe_without_any_training_takes_no_line(tmp_path: Path, to: str) -> None:
    none = Dataset(np.zeros((65, 0, 1), np.float32), {"kind": "trained", "epochs": [3]})
    datasets = {"recipe/short/valid_accuracy": none, "network/flops": Dataset(np.arange(65))}
    recipes = {"short": {"epochs": 3, "seeds": []}}
    table = write(tmp_path / "t.h5", recipes=recipes, datasets=datasets, devices={})
    assert dump(table, tmp_path / "out", to=to) == 125


@pytest.mark.parametrize("to", FORMATS)
def test_a_number_of_another_epoch_is_refused(tmp_path: Path, to: str) -> None:
    early = Dataset(np.zeros(65), {"kind": "imported", "epochs": [5]})
    datasets = {"recipe/long/test_accuracy": early}
    table = write(tmp_path / "t.h5", datasets=datasets, devices={})
    with pytest.raises(NasbenchError, match=r"test_accuracy has one number, of epoch 5: .* 10"):
        dump(table, tmp_path / "out", to=to)
    assert os.listdir(tmp_path) == ["t.h5"]


def test_several_numbers_an_architecture_fit_arrays_only(tmp_path: Path) -> None:
    shape = Dataset(np.arange(130).reshape(65, 2), {"kind": "counted"})
    table = write(tmp_path / "t.h5", sharing="none", rows=range(65), datasets={"network/x": shape})
    with pytest.raises(NasbenchError, match="network/x holds several numbers"):
        dump(table, tmp_path / "t.csv", to="csv")
    dump(table, tmp_path / "t.npz", to="npz")
    with np.load(tmp_path / "t.npz") as file:
        np.testing.assert_array_equal(file["network/x"], shape.values)


def test_parquet_names_the_extra_that_it_needs(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\[parquet\]'"):
        dump(table, tmp_path / "out", to="parquet")
    assert os.listdir(tmp_path) == ["t.h5"]


@pytest.mark.parametrize("to", FORMATS)
def test_a_dump_is_whole_or_not_at_all(table: Table, tmp_path: Path, to: str) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dump(table, tmp_path / "out", to=to, progress=stop)
    with pytest.raises(NasbenchError, match=r"cannot write .*nowhere"):
        dump(table, tmp_path / "nowhere" / "out", to=to)
    assert os.listdir(tmp_path) == ["t.h5"]


def test_all_of_nb201_is_there(tmp_path: Path, nb201: CellSpace) -> None:
    values = np.random.default_rng(0).uniform(10, 95, nb201.unique)
    table = write_table(
        tmp_path / "t.h5",
        name="all",
        space=nb201,
        rows=nb201.representatives,
        sharing="canonical",
        recipes={},
        datasets={"proxy/x": Dataset(values, {"kind": "derived"})},
    )
    assert dump(table, tmp_path / "t.csv", to="csv", per="architecture") == 15_625
    found = read(tmp_path / "t.csv")
    np.testing.assert_array_equal(found["proxy/x"], table.values("proxy/x", range(15_625)))
    assert found["canonical"].nunique() == nb201.unique
