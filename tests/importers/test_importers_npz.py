"""The npz importer: what comes in is what was in the file, or the file is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import _npz
from nasbench.errors import NasbenchError
from nasbench.importers import Contents, import_table
from nasbench.importers.arrays import read
from nasbench.importers.contract import hash_source
from nasbench.importers.quantities import check_name, check_values, told_by
from nasbench.space import get
from nasbench.table import Table
from nasbench.table.scratch import Scratch
from nasbench.validity.scores import scores_of

MINI = get("nb201-mini")
CELLS = [7, 3, 124, 0, 50]


def arrays(**changes: Any) -> dict[str, Any]:
    """A small sound file, its architectures in no order; None leaves an array out."""
    rng = np.random.default_rng(1)
    curves = rng.uniform(10, 90, (5, 2, 3))
    curves[1, 1] = np.nan
    made = {
        "architectures": np.array([MINI.string(cell) for cell in CELLS]),
        "recipe/short/epochs": np.array([1, 2, 4]),
        "recipe/short/valid_accuracy": curves.astype(np.float32),
        "recipe/short/train_loss": rng.uniform(0, 3, (5, 2, 3)),
        "recipe/short/train_seconds": np.cumsum(rng.uniform(1, 2, (5, 2, 3)), axis=2),
        "recipe/short/test_accuracy": rng.uniform(10, 90, 5),
        "parameters": np.arange(1, 6) * 10**9,
        "device/phone/latency_ms": np.array([1.0, np.nan, 3, 4, 5], np.float32),
        "proxy/naswot": rng.normal(size=5),
        "about/device/phone/latency_ms": np.array("missing: the phone was lost"),
        "about/recipe/short/test_accuracy": np.array("derived: a mean"),
        "about/licence": np.array("CC0-1.0"),
        "about/where": np.array("a laboratory"),
    }
    made.update({key.replace("__", "/"): value for key, value in changes.items()})
    return {key: value for key, value in made.items() if value is not None}


def write(path: Path, made: dict[str, Any], *, packed: bool = True) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **made)
    return path


def take(path: Path) -> Contents:
    with Scratch(path) as scratch:
        return read(path, scratch, lambda what, done, total: None, space="nb201-mini")


def imported(tmp_path: Path, made: dict[str, Any]) -> Table:
    source = write(tmp_path / "given.npz", made)
    return import_table("npz", source, tmp_path / "table.h5", space="nb201-mini")


@pytest.mark.parametrize("packed", [True, False])
def test_every_value_arrives_at_its_architecture(tmp_path, packed):
    made = arrays()
    source = write(tmp_path / "given.npz", made, packed=packed)
    table = import_table("npz", source, tmp_path / "table.h5", space="nb201-mini")
    assert table.rows.tolist() == sorted(CELLS)
    for i, cell in enumerate(CELLS):
        for j in range(2):
            for k, epoch in enumerate((1, 2, 4)):
                for metric in ("valid_accuracy", "train_loss", "train_seconds"):
                    got = table.values(metric, cell, recipe="short", epoch=epoch, seed=j)
                    assert np.array_equal(
                        got, made[f"recipe/short/{metric}"][i, j, k], equal_nan=True
                    )
        assert table.values("test_accuracy", cell, recipe="short") == pytest.approx(
            made["recipe/short/test_accuracy"][i], abs=0
        )
        assert table.values("parameters", cell) == 10**9 * (i + 1)
        assert table.values("proxy/naswot", cell) == made["proxy/naswot"][i]
        cost = table.cost("phone", "latency_ms", cell)
        assert np.array_equal(cost, made["device/phone/latency_ms"][i], equal_nan=True)


def test_a_proxy_that_is_called_a_loss_or_an_error_is_better_low(tmp_path):
    scores = np.asarray([3.0, 1.0, 4.0, 1.5, 9.0])
    names = ("inherited_loss_s0", "testError", "flops", "neg_loss", "loss_of_flops")
    table = imported(tmp_path, arrays() | {f"proxy/{name}": scores for name in names})
    merit = {name: scores_of(table, [name])[name][table.row(CELLS)] for name in names}
    assert {name for name in names if np.array_equal(merit[name], -scores)} == set(names[:2])
    assert all(np.array_equal(merit[name], scores) for name in names[2:])


def test_what_the_file_says_of_itself(tmp_path):
    table = imported(tmp_path, arrays())
    source, datasets = table.manifest["source"], table.manifest["datasets"]
    assert source["licence"] == "CC0-1.0"
    assert source["notes"]["where"] == "a laboratory"
    assert "0, 1" in source["notes"]["numbering"]
    assert datasets["recipe/short/test_accuracy"]["kind"] == "derived"
    assert datasets["recipe/short/valid_accuracy"]["kind"] == "imported"
    assert datasets["recipe/short/train_loss"]["unit"] == "nats"
    assert table.missing_cost("phone", "latency_ms")[3] == "the phone was lost"
    seeds = [e for e in table.manifest["missing"] if e["scope"] == "recipe/short/valid_accuracy"]
    assert [entry["architectures"] for entry in seeds] == [[3]]


def test_seeds_keep_their_numbers(tmp_path):
    table = imported(tmp_path, arrays(recipe__short__seeds=np.array([777, 888])))
    assert table.seeds["short"] == (777, 888)
    assert "numbering" not in table.manifest["source"]["notes"]


def test_columns_first_arrays_and_big_endian(tmp_path):
    made = arrays()
    turned = np.asfortranarray(made["recipe/short/train_loss"]).astype(">f8", order="F")
    made["recipe/short/train_loss"] = turned
    table = imported(tmp_path, made)
    got = table.values("train_loss", CELLS, recipe="short", epoch=2, seed=1)
    assert np.array_equal(got, turned[:, 1, 1])


def test_published_table(published, published_data, tmp_path):
    source = published_data / "nb201_cifar10.npz"
    table = import_table("npz", source, tmp_path / "t.h5", space="nb201")
    cells = np.arange(15_625)
    for key, values in published.items():
        room, _, rest = key.partition("/")
        if room == "device":
            assert np.array_equal(table.cost(*rest.split("/"), cells), values, equal_nan=True)
        elif key in ("parameters", "flops"):
            assert np.array_equal(table.values(key, cells), values)
        elif room == "recipe" and not rest.endswith("/epochs"):
            recipe, metric = rest.split("/")
            seeds = range(values.shape[1]) if values.ndim == 3 else [None]
            for seed in seeds:
                got = table.values(metric, cells, recipe=recipe, seed=seed)
                stored = values if seed is None else values[:, seed, 0]
                assert np.array_equal(got, stored, equal_nan=True), key
    valid = table.values("valid_accuracy", cells, recipe="200ep")
    assert round(float(valid.max()), 4) == 91.6067
    assert round(float(table.values("test_accuracy", cells, recipe="200ep").max()), 4) == 94.3733
    seeds = published["recipe/200ep/valid_accuracy"][:, :, 0].astype(np.float64)
    assert np.median(valid) == np.median(np.nanmean(seeds, axis=1))
    fewer = [m for m in table.manifest["missing"] if m["scope"].startswith("recipe/200ep")]
    assert [len(entry["architectures"]) for entry in fewer] == [7_456]
    assert len(table.missing_cost("edgetpu", "latency_ms")) == 4_699
    kinds = {
        name: told["kind"] for name, told in table.manifest["datasets"].items() if "kind" in told
    }
    derived = {"recipe/12ep/train_seconds", "device/fpga/energy_mj"}
    assert {name for name, kind in kinds.items() if kind == "derived"} == derived


def test_published_proxies(published, published_proxies, tmp_path):
    source = tmp_path / "proxies.npz"
    np.savez(source, architectures=published["architectures"], **published_proxies)
    table = import_table("npz", source, tmp_path / "t.h5", space="nb201")
    assert table.recipes == ()
    found = table.values("proxy/params", np.arange(15_625))
    assert np.count_nonzero(~np.isnan(found)) == 9_445
    assert np.array_equal(found, published_proxies["proxy/params"], equal_nan=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architectures": None}, "no `architectures`"),
        ({"architectures": np.arange(5)}, "not .N. strings"),
        ({"architectures": np.array(["|none~0|"] * 5)}, "not a cell"),
        ({"architectures": np.array([MINI.string(1)] * 5)}, "architecture 1 twice"),
        ({"recipe__short__epochs": None}, "recipe/short/epochs"),
        ({"recipe__short__epochs": np.array([2, 1, 4])}, "ascend"),
        ({"recipe__short__epochs": np.array([0, 1, 4])}, "ascend"),
        ({"recipe__short__epochs": np.array([1.0, 2, 4])}, "whole numbers"),
        ({"recipe__short__seeds": np.array([1, 1])}, "distinct"),
        ({"recipe__short__seeds": np.array([1])}, "2 distinct"),
        ({"recipe__short__train_loss": np.ones((5, 2, 2))}, r"not \[5\] or \[5, 2, 3\]"),
        ({"recipe__short__train_loss": np.ones((5, 1, 3))}, r"\[1, 2\] seeds"),
        ({"recipe__short__valid_accuracy": np.full((5, 2, 3), "high")}, "valid_accuracy"),
        ({"recipe__short__val_acc": np.ones(5)}, "valid_accuracy"),
        ({"recipe__short__test_accuracy": np.full(5, 0.9)}, "multiply by 100"),
        ({"recipe__short__test_accuracy": np.full(5, 101.0)}, "percent"),
        ({"recipe__short__test_accuracy": np.full(5, np.inf)}, "inf"),
        ({"recipe__short__train_seconds": np.ones((5, 2, 3)) - np.arange(3) / 9}, "rise"),
        ({"device__phone__latency_ms": np.full(5, -1.0)}, "0 or more"),
        ({"device__phone__latency": np.ones(5)}, "unit"),
        ({"proxy__naswot": np.full(5, -np.inf)}, "inf"),
        ({"network__parameters": np.ones(5)}, "parameters twice"),
        ({"parametrs": np.ones(5)}, "parametrs"),
        ({"about__where": np.array(["a", "b"])}, "sentence"),
        ({"about__device__fone__latency_ms": np.array("derived")}, "fone"),
        ({"proxy__objects": np.array([None] * 5)}, "no array of plain numbers"),
        ({"proxy__bits": np.ones(5, np.bool_)}, "no array of plain numbers"),
    ],
)
def test_refused_by_name(tmp_path, changes, said):
    path = write(tmp_path / "bad.npz", arrays(**changes))
    with pytest.raises(NasbenchError, match=said):
        import_table("npz", path, tmp_path / "t.h5", space="nb201-mini")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.npz"]


def test_one_percent_is_not_a_fraction(tmp_path):
    """An untrained network on 100 classes; where another one is better, nothing is doubted."""
    low = np.array([1.0, 0.9, 1, 1, 63])
    table = imported(tmp_path, arrays(recipe__short__test_accuracy=low))
    assert table.values("test_accuracy", CELLS, recipe="short").tolist() == low.tolist()


def header(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("<f8", "(99999999999, 99999999999)"),
        header("<f8", "(5,)") + bytes(39),
        header("<f8", "(5,)") + bytes(41),
        header("|O", "(1,)") + b"\x80\x04N.",
        header("<f8", "((5,),)") + bytes(40),
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65_535,
        b"\x80\x04N.",
    ],
)
def test_hostile_arrays(tmp_path, content):
    path = write(tmp_path / "bad.npz", arrays())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("proxy/hostile.npy", content)
    with pytest.raises(NasbenchError, match="proxy/hostile"):
        take(path)


def test_zip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(_npz, "LARGEST", 1 << 20)
    path = write(tmp_path / "bomb.npz", arrays(proxy__zeros=np.zeros(1 << 18)))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(NasbenchError, match="unfolds to"):
        take(path)


SOUND = {packed: io.BytesIO() for packed in (True, False)}
for _packed, _file in SOUND.items():
    write(_file, arrays(), packed=_packed)  # type: ignore[arg-type]


@settings(max_examples=500)
@given(data=st.data(), packed=st.booleans())
def test_damaged_files(tmp_path_factory, data, packed):
    """Every damage is refused, or was where it says nothing: then the values are the same."""
    content = bytearray(SOUND[packed].getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    path, sound = folder / "damaged.npz", folder / "sound.npz"
    path.write_bytes(content)
    sound.write_bytes(SOUND[packed].getvalue())
    try:
        got = take(path)
    except NasbenchError:
        return
    for name, dataset in take(sound).datasets.items():
        if name in got.datasets:
            assert np.array_equal(got.datasets[name].values, dataset.values, equal_nan=True)


def test_a_metric_of_ones_own_names_its_split() -> None:
    check_name("recipe/12ep/valid_miou")
    for wrong in ("miou", "valid_acuracy", "Valid_miou", "valid_"):
        with pytest.raises(NasbenchError, match="unknown metric of a recipe"):
            check_name(f"recipe/12ep/{wrong}")
    values = np.asarray([-3.5, 2.0])
    check_values("recipe/12ep/valid_miou", values, np.arange(2))
    assert told_by("recipe/12ep/valid_miou") == {}
    with pytest.raises(NasbenchError, match="0 or more is expected"):
        check_values("recipe/12ep/valid_loss", values, np.arange(2))


def test_a_long_header_is_refused_at_once(tmp_path):
    """Its expression must not try every way to split a number that is too long."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1" * 60 + "x), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    path = tmp_path / "hostile.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("architectures.npy", content)
    with pytest.raises(NasbenchError, match="no array of plain numbers"):
        take(path)


def test_a_source_that_cannot_be_read_is_told(tmp_path):
    source = tmp_path / "folder"
    source.mkdir()
    (source / "gone").symlink_to("/proc/self/mem")
    with pytest.raises(NasbenchError, match="cannot read "):
        hash_source(source, lambda what, done, total: None)
