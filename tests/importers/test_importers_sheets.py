"""The csv and parquet importers: spreadsheets of one's own, and tables that were dumped."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.importers import Contents, import_table, sheetvalues
from nasbench.importers.sheets import SheetOptions, read
from nasbench.space import get
from nasbench.table import Table
from nasbench.table.scratch import Scratch

MINI = get("nb201-mini")
KINDS = ("csv", "parquet")
METRICS = ("valid_accuracy", "test_accuracy", "train_loss", "train_seconds")


def tidy(seed: int = 0) -> pd.DataFrame:
    """Two recipes, seeds and epochs with holes, and what is one number an architecture."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for cell in (9, 4, 120, 33):
        for recipe, seeds, epochs in (("short", (7, 2), (1, 2)), ("long", (5,), (10,))):
            for number in seeds:
                if (cell, number) == (4, 2):
                    continue
                for epoch in epochs:
                    rows.append(
                        {
                            "architecture": cell,
                            "string": MINI.string(cell),
                            "recipe": recipe,
                            "seed": number,
                            "epoch": epoch,
                            "valid_accuracy": rng.uniform(10, 90),
                            "test_accuracy": rng.uniform(10, 90) if epoch != 1 else np.nan,
                            "train_loss": rng.uniform(0, 3) if recipe == "short" else np.nan,
                            "train_seconds": epoch * rng.uniform(1, 1.01),
                            "parameters": cell * 10.0**12,
                            "device/phone/latency_ms": cell / 7 if cell != 9 else np.nan,
                            "recipe/long/evaluation_seconds": cell / 3,
                        }
                    )
    return pd.DataFrame(rows).sample(frac=1, random_state=seed)


def write(path: Path, frame: pd.DataFrame) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(path, index=False)
    return path


def _silent(what: str, done: int, total: int) -> None:
    """No progress to be shown."""


def take(path: Path, **options: Any) -> Contents:
    with Scratch(path) as scratch:
        return read(path, scratch, _silent, SheetOptions(space="nb201-mini", **options))


def imported(tmp_path: Path, frame: pd.DataFrame, kind: str = "csv", **options: Any) -> Table:
    source = write(tmp_path / f"sheet.{kind}", frame)
    return import_table(kind, source, tmp_path / "t.h5", space="nb201-mini", **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [3, 1 << 16])
def test_every_cell_of_a_sheet(tmp_path, monkeypatch, kind, block):
    """Also where a training's rows lie in several blocks."""
    monkeypatch.setattr("nasbench.importers.csvfile.ROWS", block)
    frame = tidy()
    table = imported(tmp_path, frame, kind)
    assert table.rows.tolist() == [4, 9, 33, 120]
    assert table.seeds == {"short": (2, 7), "long": (5,)}
    for _, row in frame.iterrows():
        for metric in METRICS:
            if metric not in table.metrics[row["recipe"]]:
                assert np.isnan(row[metric])
            elif row["epoch"] in table.epochs(metric, recipe=row["recipe"]):
                where = {"recipe": row["recipe"], "epoch": row["epoch"], "seed": row["seed"]}
                got = table.values(metric, row["architecture"], **where)
                assert np.array_equal(got, row[metric], equal_nan=True)
            else:
                assert np.isnan(row[metric])
        cell = row["architecture"]
        assert table.values("parameters", cell) == row["parameters"]
        assert table.values("evaluation_seconds", cell, recipe="long") == cell / 3
        latency = table.cost("phone", "latency_ms", cell)
        assert np.array_equal(latency, row["device/phone/latency_ms"], equal_nan=True)
    assert table.epochs("test_accuracy", recipe="short") == (2,)
    assert np.isnan(table.values("valid_accuracy", 4, recipe="short", seed=2))
    assert table.manifest["missing"][0]["architectures"] == [4]


def test_csv_and_parquet_are_the_same_table(tmp_path):
    pytest.importorskip("pyarrow")
    hashes = {imported(tmp_path, tidy(), kind).manifest["content_sha256"] for kind in KINDS}
    assert len(hashes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_an_architecture(tmp_path, kind):
    frame = pd.DataFrame(
        {"architecture": [MINI.string(c) for c in (8, 2)], "valid_accuracy": [90.5, 80.25]}
    )
    table = imported(tmp_path, frame, kind, recipe="mine", epochs=30)
    assert table.values("valid_accuracy", [2, 8], recipe="mine", epoch=30).tolist() == [80.25, 90.5]
    assert not table.has_seeds("valid_accuracy", recipe="mine")


def test_a_row_for_each_seed(tmp_path):
    frame = pd.DataFrame(
        {"architecture": [2, 2, 5], "seed": [1, 3, 1], "recipe/r/test_accuracy": [50.0, 70, 60]}
    )
    table = imported(tmp_path, frame, epochs=4)
    assert table.values("test_accuracy", [2, 5]).tolist() == [60, 60]
    assert table.values("test_accuracy", 2, seed=3) == 70


def test_epochs_without_seeds_are_said_to_be(tmp_path):
    frame = pd.DataFrame({"architecture": 2, "epoch": [1, 2], "valid_accuracy": [50.0, 70]})
    table = imported(tmp_path, frame, recipe="r")
    assert table.values("valid_accuracy", 2, epoch=1) == 50
    assert "names no seeds" in table.manifest["source"]["notes"]["numbering"]


def test_a_metric_with_seeds_in_one_recipe_and_one_number_in_another(tmp_path):
    frame = pd.DataFrame(
        {
            "architecture": [2, 2],
            "recipe": ["a", "b"],
            "seed": [0, 0],
            "epoch": [1, 3],
            "test_accuracy": [50.0, np.nan],
            "recipe/b/test_accuracy": [60.0, 60],
            "valid_accuracy": [40.0, 45],
        }
    )
    table = imported(tmp_path, frame)
    assert table.values("test_accuracy", 2, recipe="a", seed=0) == 50
    assert table.values("test_accuracy", 2, recipe="b", epoch=3) == 60
    assert not table.has_seeds("test_accuracy", recipe="b")
    with pytest.raises(NasbenchError, match="column recipe/b/test_accuracy"):
        imported(tmp_path, frame.assign(test_accuracy=55.0))


def test_columns_of_ones_own(tmp_path):
    frame = pd.DataFrame({"": [0, 1], "arch=": [2, 5], "Top-1": [50.0, 60], "note": ["a", "b"]})
    columns = ["=", "arch==architecture", "Top-1=test_accuracy", "note="]
    table = imported(tmp_path, frame, recipe="r", epochs=4, columns=columns)
    assert table.values("test_accuracy", [5, 2]).tolist() == [60, 50]


def test_frames_of_a_table_come_back(tmp_path):
    """What `Table.frame` shows, one row a training and epoch, is a sheet."""
    table = imported(tmp_path, tidy())
    frame = table.frame("epoch", recipe="short")
    back = imported(tmp_path, frame, recipe="short")
    for metric in table.metrics["short"]:
        assert np.array_equal(
            back.curves(metric, recipe="short"),
            table.curves(metric, recipe="short"),
            equal_nan=True,
        )


BASE = {"architecture": [2, 5], "test_accuracy": [50.0, 60]}


@pytest.mark.parametrize(
    ("sheet", "options", "said"),
    [
        ({"test_accuracy": [5.0]}, {}, "no column `architecture`"),
        ({"architecture": [2]}, {}, "no column with values"),
        (BASE, {"epochs": 3}, "option recipe"),
        (BASE, {"recipe": "r"}, "--epochs"),
        (BASE, {"recipe": "r", "epochs": 0}, "1 epoch or more"),
        (BASE, {"recipe": "a/b", "epochs": 3}, "recipe/a/b"),
        ({**BASE, "epoch": [3, 3]}, {"recipe": "r", "epochs": 3}, "leave the option epochs out"),
        ({**BASE, "recipe": ["r", "r"]}, {"recipe": "r"}, "leave the option recipe out"),
        ({**BASE, "acc": [1, 2]}, {"recipe": "r"}, "column 'acc'.*--column 'acc='"),
        (
            {**BASE, "test_acuracy": [1, 2]},
            {"recipe": "r"},
            r"mean [a-z_ 5]+\? Say what it is with --column 'test_acuracy=NEW'",
        ),
        ({**BASE, "device/x/latency": [1, 2]}, {"recipe": "r"}, "ends in its unit"),
        (BASE, {"columns": ["accuracy=test_accuracy"]}, "test_accuracy"),
        (BASE, {"columns": ["test_accuracy"]}, "OLD=NEW"),
        ({**BASE, "x": [1, 2]}, {"columns": ["x=test_accuracy"]}, "two columns"),
        ({**BASE, "recipe/r/test_accuracy": [1, 2]}, {"recipe": "r"}, "two columns"),
        ({"architecture": [2, 2], "flops": [1, 1]}, {}, "two rows for architecture 2"),
        ({"architecture": [2, 5], "string": [MINI.string(2)] * 2, "flops": [1, 2]}, {}, "not"),
        ({"architecture": [2, 125], "flops": [1, 2]}, {}, "0 to 124"),
        ({"architecture": [-1, 2], "flops": [1, 2]}, {}, "not a cell"),
        ({"architecture": ["2", MINI.string(5)], "flops": [1, 2]}, {}, "alike"),
        ({"architecture": [2, 2], "seed": [0, 1], "flops": [1, 2]}, {}, "flops differs"),
        ({**BASE, "seed": [0.5, 1]}, {"recipe": "r", "epochs": 1}, "seed 0.5"),
        ({**BASE, "epoch": [0, 1]}, {"recipe": "r"}, "epoch 0"),
        ({**BASE, "seed": [0, np.nan]}, {"recipe": "r", "epochs": 1}, "with and without seed"),
        ({**BASE, "recipe": ["r", ""], "epoch": [1, 1]}, {}, "names no recipe"),
        ({"architecture": [2], "test_accuracy": [0.6]}, {"recipe": "r", "epochs": 1}, "fractions"),
        ({"architecture": [2], "test_accuracy": [101]}, {"recipe": "r", "epochs": 1}, "percent"),
        ({"architecture": [2], "proxy/p": [np.inf]}, {}, "inf"),
        (
            {"architecture": [2], "recipe/a/test_accuracy": [9], "recipe/b/test_accuracy": [9]},
            {"epochs": 1},
            "one at a time",
        ),
        ({"architecture": [], "flops": []}, {}, "no rows"),
    ],
)
def test_refused_in_one_sentence(tmp_path, sheet, options, said):
    path = write(tmp_path / "bad.csv", pd.DataFrame(sheet))
    with pytest.raises(NasbenchError, match=said):
        import_table("csv", path, tmp_path / "t.h5", space="nb201-mini", **options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("architecture,flops\n2,many\n", "line 2: flops is 'many'"),
        ("architecture,flops\n\n2,1\n3\n", "line 4: 1 cells"),
        ("architecture,flops\n2,1,7\n", "line 2: 3 cells"),
        ("architecture,flops,flops\n2,1,1\n", "two columns 'flops'"),
        ('architecture,flops\n2,"1\n', "UTF-8 csv"),
        ("architecture,flops\n2,\0\n", "control"),
        ("", "empty"),
        ("\n\n", "empty"),
    ],
)
def test_csv_that_is_none(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(NasbenchError, match=said):
        take(path)


def test_quotes_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_bytes('\ufeff"architecture","flops"\r\n"2","1e3"\r\n\r\n5,\r\n'.encode())
    flops = take(path).datasets["network/flops"].values
    assert np.array_equal(flops, [1000, np.nan], equal_nan=True)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=125))
def test_numbers_arrive_to_the_last_bit(tmp_path_factory, numbers):
    path = tmp_path_factory.getbasetemp() / "bits.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("architecture", "proxy/p"), *enumerate(map(repr, numbers))])
    assert np.array_equal(take(path).datasets["proxy/p"].values, numbers)


def test_few_rows_that_ask_for_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(sheetvalues, "LARGEST", 1 << 20)
    n = np.arange(100)
    frame = {"architecture": n, "seed": n, "epoch": n + 1, "test_accuracy": 50.0 + n / 100}
    with pytest.raises(NasbenchError, match="bytes by its seeds and epochs"):
        take(write(tmp_path / "wide.csv", pd.DataFrame(frame)), recipe="r")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "sheet.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NasbenchError, match=r"nasbench-harness\[parquet\]"):
        take(path)


def test_parquet_of_other_types(tmp_path):
    pytest.importorskip("pyarrow")
    for sheet in ({**BASE, "x": [True, False]}, {"architecture": [2.5, 3], "x": [1, 2]}):
        path = write(tmp_path / "bad.parquet", pd.DataFrame(sheet))
        with pytest.raises(NasbenchError, match=r"not (numbers|text)"):
            take(path, recipe="r", epochs=1, columns=["x=flops"])


@settings(max_examples=300)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_damaged_sheets(tmp_path_factory, data, kind):
    """Every damage is refused or read as it stands: nothing else is raised."""
    folder = tmp_path_factory.getbasetemp()
    sound = folder / f"sound.{kind}"
    if not sound.exists():
        write(sound, tidy())
    content = bytearray(sound.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"damaged.{kind}"
    path.write_bytes(content)
    try:
        got = take(path)
    except NasbenchError:
        return
    assert set(got.rows) <= set(range(MINI.size))
    assert all(not np.isinf(dataset.values).any() for dataset in got.datasets.values())


def test_strings_in_digits_are_strings(tmp_path):
    """NAS-Bench-Macro writes its architectures in digits alone."""
    macro = get("nb-macro")
    sheet = tmp_path / "macro.csv"
    sheet.write_text("string,proxy/x\n00000012,1\n01201201,2\n")
    table = import_table("csv", sheet, tmp_path / "a.h5", space="nb-macro")
    assert [macro.string(a) for a in table.rows.tolist()] == ["00000012", "01201201"]
    sheet.write_text("architecture,proxy/x\n00000012,1\n")
    table = import_table("csv", sheet, tmp_path / "b.h5", space="nb-macro")
    assert macro.string(int(table.rows[0])) == "00000012"


@pytest.mark.parametrize("metric", ["valid_miou", "valid_test_accuracy"])
def test_metrics_that_few_have_come_back_from_a_sheet(tmp_path, metric):
    sheet = tmp_path / "mine.csv"
    sheet.write_text(f"architecture,recipe,seed,epoch,{metric}\n3,r,5,1,40.5\n3,r,5,2,41.5\n")
    table = import_table("csv", sheet, tmp_path / "a.h5", space="nb201-mini")
    assert table.trainings(metric, 3, recipe="r").tolist() == [[40.5, 41.5]]


def test_a_column_that_says_no_recipe_is_refused_early(tmp_path):
    sheet = tmp_path / "mine.csv"
    lines = "".join(f"{n % 125},r{n},1,50.0\n" for n in range(200))
    sheet.write_text(f"architecture,recipe,epoch,valid_accuracy\n{lines}")
    with pytest.raises(NasbenchError, match="names more than 64 recipes: is recipe the column"):
        import_table("csv", sheet, tmp_path / "a.h5", space="nb201-mini")


def test_a_nan_of_any_bits_is_missing(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    signalling = np.asarray([0x7FF4000000000000], dtype=np.uint64).view(np.float64)
    columns = {"architecture": pa.array([3, 4]), "proxy/x": pa.array([signalling[0], 2.0])}
    pq.write_table(pa.table(columns), tmp_path / "odd.parquet")
    table = import_table("parquet", tmp_path / "odd.parquet", tmp_path / "t.h5", space="nb201-mini")
    assert np.isnan(table.values("proxy/x", 3))
    assert table.values("proxy/x", 4) == 2
