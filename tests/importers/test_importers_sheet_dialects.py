"""Sheets as their makers have them: dialects, units, repeats, seconds, tasks; and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.importers import import_table
from nasbench.space import ChoiceSpace, get
from nasbench.table import Table
from nasbench.table.merging import merge
from nasbench.table.uniting import without_task

MINI = get("nb201-mini")
WIDTHS = """name = "widths"
[decisions]
stem = [16, 32]
block = ["conv", "mb"]
"""


def imported(folder: Path, text: str, **options: Any) -> Table:
    source = folder / "sheet.csv"
    source.write_text(text, encoding="utf-8")
    (folder / "widths.toml").write_text(WIDTHS)
    options = {"space": str(folder / "widths.toml"), "recipe": "r", "epochs": 3, **options}
    options = {name: value for name, value in options.items() if value is not None}
    (folder / "t.h5").unlink(missing_ok=True)
    return import_table("csv", source, folder / "t.h5", **options)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("architecture;valid_accuracy\n0;91.5\n3;80\n", {}, "semicolons"),
        ("architecture\tvalid_accuracy\n0\t91.5\n3\t80\n", {}, "tabs"),
        ("architecture|valid_accuracy\n0|91.5\n3|80\n", {}, "bars"),
        ("architecture;valid_accuracy\n0;91,5\n3;80\n", {"decimal": ","}, "semicolons"),
        ('architecture,valid_accuracy\n0,"91,5"\n3,80\n', {"separator": ",", "decimal": "."}, None),
        ("architecture:valid_accuracy\n0:91.5\n3:80\n", {"separator": ":"}, ""),
        ("architecture\tvalid_accuracy\n0\t91.5\n3\t80\n", {"separator": "tab"}, ""),
        ("\ufeffarchitecture, valid_accuracy\r\n0,91.5\r\n3,80\r\n", {}, ""),
        ("number,valid_accuracy\n0,91.5\n3,80\n", {}, ""),
        ("string,valid_accuracy\n16:conv,91.5\n32:mb,80\n", {}, ""),
        ("block,stem,valid_accuracy\nconv,16,91.5\nmb,32,80\n", {}, ""),
        (",architecture,valid_accuracy\n0,0,91.5\n1,3,80\n", {}, "not read (1): (no name)"),
        ("architecture,valid_accuracy,x\n0,91.5,a\n3,80,b\n", {"columns": ["x="]}, "(1): x"),
        ("architecture,valid_accuracy\n0,.915\n3,.8\n", {"factors": ["valid_accuracy=100"]}, "100"),
        (
            "architecture,acc\n0,.915\n3,.8\n",
            {"columns": ["acc=valid_accuracy"], "factors": ["acc=100"]},
            "multiplied by 100",
        ),
        (
            "architecture,valid_accuracy\n0,90.5\n0,92.5\n3,80\n",
            {"average_repeats": True},
            "1 repeated row: ",
        ),
    ],
)
def test_every_way_to_write_a_sheet_is_the_same_table(
    tmp_path: Path, text: str, options: dict[str, Any], said: str | None
) -> None:
    if said is None:  # what a decimal comma within quotes needs is said
        with pytest.raises(NasbenchError, match=r"line 2: .* say --decimal ,"):
            imported(tmp_path, text, **options)
        return
    table = imported(tmp_path, text, **options)
    assert np.allclose(table.values("valid_accuracy", [0, 3]), [91.5, 80], rtol=1e-14)
    assert table.rows.tolist() == [0, 3]
    assert said in " ".join(table.manifest["source"].get("read", []))


@pytest.mark.parametrize("word", ["", "NA", "N/A", "n/a", "nan", "NaN", "null", "None", "-"])
def test_words_for_a_missing_number(tmp_path: Path, word: str) -> None:
    for decimal, value in ((".", "80.5"), (",", "80,5")):
        text = f"architecture;valid_accuracy\n0;{word}\n3;{value}\n"
        table = imported(tmp_path, text, na=["-"], decimal=decimal)
        assert np.isnan(table.values("valid_accuracy", 0))
        assert table.values("valid_accuracy", 3) == 80.5


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("architecture,valid_accuracy\n0,90\nTotal,90\n", {}, "sheet.csv, line 3: .*'Total'"),
        ("architecture,valid_accuracy\n\n0.0,90\n", {}, "line 3: architecture is 0.0: .*decimals"),
        ("architecture,valid_accuracy\n0,90\n4,90\n", {}, "line 3: widths has .* 0 to 3, got 4"),
        ("architecture,valid_accuracy\n0,90\n0,91\n", {}, "line 3: .*seed.*--average-repeats"),
        ("architecture,valid_accuracy\n0,90\n-,90\n", {}, "line 3"),
        ("architecture,seed,valid_accuracy\n0,x,90\n", {}, "line 2: seed is 'x'"),
        ("architecture,seed,valid_accuracy\n0,0,90\n1,.5,90\n", {}, "line 3: seed 0.5"),
        ("architecture,flops\n0,1\n0,2\n", {}, "two rows"),
        ("architecture,seed,flops\n0,1,1\n0,2,2\n", {}, "line 3: flops differs"),
        ("architecture;valid_accuracy\n0;1.234,5\n", {}, "line 2: .*'1.234,5'"),
        ("architecture;valid_accuracy\n0;90.5\n", {"decimal": ","}, "is said to be a comma"),
        ("architecture,x;valid_accuracy\n0;90.5\n", {"separator": ";"}, "'architecture,x'|no col"),
        ("a,b;c\n0,1;2\n", {}, "commas and semicolons; say .* --separator"),
        ("architecture,valid_accuracy\n0,90\n", {"separator": "ab"}, "one character"),
        ("architecture,valid_accuracy\n0,90\n", {"decimal": ","}, "cannot both"),
        ("architecture,valid_accuracy\n0,90\n", {"decimal": "x"}, "decimal mark"),
        ("architecture,valid_accuracy\n0,90\n", {"factors": ["x=2"]}, "unknown column"),
        ("architecture,valid_accuracy\n0,90\n", {"factors": ["valid_accuracy=-1"]}, "above 0"),
        ("architecture,valid_accuracy\n0,90\n", {"factors": ["valid_accuracy"]}, "COLUMN=NUMBER"),
        ("architecture,valid_accuracy\n0,90\n", {"seconds": "each"}, "cumulative, per-epoch"),
        ("architecture,valid_accuracy\n0,90\n", {"task": "a\nb"}, "printable"),
        ("architecture,number,flops\n0,0,1\n", {}, "both columns"),
        ("block,valid_accuracy\nconv,90\n", {}, "a column for each of stem, block"),
        ("stem,block,valid_accuracy\n16,cnv,90\n", {}, "line 2: .*unknown choice of block"),
        ('architecture,"valid_\nloss"\n0,1\n', {}, "line 1: .*commas .*unexpected end"),
        ("architecture,valid_accuracy\n0,\u0661\n", {}, "line 2: valid_accuracy is '\u0661', not"),
        ("architecture,valid_accuracy\n" + "0" * (1 << 24) + ",1\n", {}, "characters in a line"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, text: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told) as error:
        imported(tmp_path, text, **options)
    assert len(str(error.value)) < 800
    assert "\n" not in str(error.value)


def test_digits_that_are_both_a_number_and_a_string_are_refused(tmp_path: Path) -> None:
    space = ChoiceSpace("depths", {"depth": range(1, 25)})
    (tmp_path / "depths.toml").write_text(
        'name = "depths"\n[decisions]\ndepth = [' + ",".join(map(str, range(1, 25))) + "]\n"
    )
    text = "architecture,valid_accuracy\n" + "".join(f"{n},{50 + n}\n" for n in range(1, 21))
    options: dict[str, Any] = {"space": str(tmp_path / "depths.toml")}
    with pytest.raises(NasbenchError, match=r"line 2: 1 is .* --column architecture=string or "):
        imported(tmp_path, text, **options)
    for column, expected in (("string", 52), ("number", 53)):
        table = imported(tmp_path, text, columns=[f"architecture={column}"], **options)
        assert (
            table.values("valid_accuracy", space.parse("string:2") + 0)
            == {
                "string": 52,
                "number": 51,
            }[column]
        )
        assert table.values("valid_accuracy", space.parse("number:3")) == (
            54 if column == "string" else 53
        )
        assert expected


def test_a_mean_over_repeats_never_passes_over_one_without_a_value(tmp_path: Path) -> None:
    text = "architecture,valid_accuracy,flops\n0,95,4\n0,,6\n3,80,5\n3,82,5\n"
    table = imported(tmp_path, text, average_repeats=True)
    assert np.isnan(table.values("valid_accuracy", 0))
    assert "averaged" in table.missing("valid_accuracy")[0]
    assert table.values("valid_accuracy", 3) == 81
    assert table.values("flops", [0, 3]).tolist() == [5, 5]


# Seconds.


def curves(seconds: list[list[float]], accuracy: list[float] | None = None) -> str:
    shown = accuracy or [50.0, 60, 70, 80]
    lines = ["architecture,seed,epoch,valid_accuracy,train_seconds"]
    for architecture, of in enumerate(seconds):
        for epoch, (value, spent) in enumerate(zip(shown, of, strict=False), 1):
            cells = [architecture, 0, epoch, value, spent]
            lines.append(",".join("" if cell != cell else str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ([[10, 10, 10, 10]], "rise.*--seconds per-epoch"),
        ([[10, 11, 12, 13], [20, 21, 23, 24]], "each epoch?.*--seconds per-epoch"),
        ([[10, 20, 15, 40]], "rise"),
        ([[0, 0, 0, 0]], "takes time"),
        ([[0, 10, 20, 30]], "takes time"),
    ],
)
def test_seconds_that_cannot_be_cumulative_are_refused(
    tmp_path: Path, seconds: list[list[float]], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        imported(tmp_path, curves(seconds), epochs=None)


def test_seconds_of_each_epoch_are_summed(tmp_path: Path) -> None:
    nan = float("nan")
    text = curves([[10, 11, 12, 13], [20, 21, 23, 24], [5, 5, nan, nan]])
    table = imported(tmp_path, text, epochs=None, seconds="per-epoch")
    taken = [table.values("train_seconds", [0, 1], epoch=e).tolist() for e in (1, 2, 3, 4)]
    assert taken == [[10, 20], [21, 41], [33, 64], [46, 88]]
    assert table.values("train_seconds", 2, epoch=4) == 10  # what ended took no more
    assert "summed" in table.manifest["source"]["read"][0]
    with pytest.raises(NasbenchError, match="before are missing"):
        imported(tmp_path, curves([[10, nan, 12]]), epochs=None, seconds="per-epoch")
    once = "architecture,valid_accuracy,train_seconds\n0,90,10\n"
    with pytest.raises(NasbenchError, match="--factor train_seconds=EPOCHS"):
        imported(tmp_path, once, seconds="per-epoch")
    table = imported(tmp_path, once, factors=["train_seconds=3"])
    assert table.values("train_seconds", 0) == 30


def test_cumulative_seconds_stay_as_they_are(tmp_path: Path) -> None:
    """A slow first epoch is believed where it is said; what ended may stand still."""
    slow = [[60, 70, 80, 90]]
    with pytest.raises(NasbenchError, match="each epoch"):
        imported(tmp_path, curves(slow), epochs=None)
    table = imported(tmp_path, curves(slow), epochs=None, seconds="cumulative")
    assert table.values("train_seconds", 0) == 90
    nan = float("nan")
    diverged = curves([[10, 20, 20, 20]], [50, 10, nan, nan])
    assert imported(tmp_path, diverged, epochs=None).values("train_seconds", 0) == 20


def test_seconds_of_an_npz_are_held_to_the_same(tmp_path: Path) -> None:
    arrays = {
        "architectures": np.asarray([MINI.string(5), MINI.string(9)]),
        "recipe/r/epochs": np.arange(1, 4),
        "recipe/r/valid_accuracy": np.full((2, 1, 3), 50.0),
        "recipe/r/train_seconds": np.full((2, 1, 3), 10.0),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(NasbenchError, match="--seconds per-epoch"):
        import_table("npz", tmp_path / "a.npz", tmp_path / "t.h5", space="nb201-mini")
    options = {"space": "nb201-mini", "seconds": "per-epoch", "task": "svhn"}
    table = import_table("npz", tmp_path / "a.npz", tmp_path / "t.h5", **options)
    assert table.values("train_seconds", [5, 9]).tolist() == [30, 30]
    assert table.manifest["task"] == {"name": "svhn"}


# Tasks.


def test_tables_of_two_tasks_are_not_merged(tmp_path: Path) -> None:
    tables = []
    for number, task in enumerate(("cifar10", "svhn", None)):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = f"architecture,valid_accuracy\n{number},90\n"
        tables.append(imported(folder, text, task=task))
    with pytest.raises(NasbenchError, match=r"trained on task cifar10, .* on svhn"):
        merge(tables[:2], tmp_path / "m.h5", name="m")
    assert without_task(tables[:2]) == []
    assert without_task(tables[1:]) == ["sheet"]
    result = CliRunner().invoke(
        app, ["merge", *(str(t.path) for t in tables[1:]), "--out", str(tmp_path / "m.h5")]
    )
    assert result.exit_code == 0
    assert "sheet does not say on what; import with --task NAME" in result.stderr
    with pytest.raises(NasbenchError, match="name it with --task"):
        imported(tmp_path, "architecture,flops\n0,1\n", dataset="cifar10")


def test_the_command_says_what_it_found_out_and_what_it_did_not_read(tmp_path: Path) -> None:
    space = tmp_path / "widths.toml"
    space.write_text(WIDTHS)
    sheet = tmp_path / "r.csv"
    sheet.write_text(";stem;block;top1;note\n1;16;conv;0,915;x\n2;32;mb;NA;y\n")
    options = f"""--space {space} --recipe r --epochs 90 --decimal , --column top1=valid_accuracy
        --column note= --factor top1=100 --task cifar10 --out {tmp_path / "r.h5"}"""
    result = CliRunner().invoke(app, ["import", "csv", str(sheet), *options.split()])
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        "nasbench: cells are separated by semicolons",
        "nasbench: valid_accuracy is multiplied by 100",
        "nasbench: columns not read (2): (no name), note",
    ]
    assert "task      cifar10" in result.stdout
    table = Table(tmp_path / "r.h5")
    assert table.values("valid_accuracy", [0, 3]).tolist()[:1] == [91.5]
    assert table.manifest["source"]["read"][-1] == "columns not read (2): (no name), note"


# Many columns.


def test_many_columns_are_read_and_too_many_are_refused(tmp_path: Path) -> None:
    def sheet(n: int) -> str:
        names = ["architecture", *(f"proxy/p{i}" for i in range(n))]
        return ",".join(names) + "\n" + ",".join(map(str, range(n + 1))) + "\n"

    table = imported(tmp_path, sheet(300), recipe=None, epochs=None)
    assert [float(table.values(f"proxy/p{i}", 0)) for i in range(300)] == list(range(1, 301))
    with pytest.raises(NasbenchError, match="16,385 columns; 16,384 at most"):
        imported(tmp_path, sheet(16_384))
    long = "x" * 100_000
    with pytest.raises(NasbenchError) as error:
        imported(tmp_path, f"{long},{long}y\n1,2\n")
    assert len(str(error.value)) < 1000


def test_pandas_writes_what_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"architecture": [0, 3], "valid_accuracy": [91.5, 80.0]})
    frame.to_csv(tmp_path / "p.csv")  # with the column of row numbers
    table = imported(tmp_path, (tmp_path / "p.csv").read_text())
    assert table.values("valid_accuracy", [0, 3]).tolist() == [91.5, 80]


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("r/valid_accuracy", "phone/latency_ms", "phone/energy_mj", "flops"), {}),
        (("r/valid_accuracy", "latency_ms", "energy_mj", "flops"), {"device": "phone"}),
        (
            ("valid_accuracy", "ms", "phone/energy_mj", "network/flops"),
            {"columns": ["ms=phone/latency_ms"]},
        ),
        (
            (
                "recipe/r/valid_accuracy",
                "device/phone/latency_ms",
                "device/phone/energy_mj",
                "flops",
            ),
            {},
        ),
    ],
)
def test_a_metric_has_one_name_in_sheets_commands_and_frames(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, Any]
) -> None:
    recipe = "r" if names[0] == "valid_accuracy" else None
    text = f"architecture,{','.join(names)}\n0,91.5,3.5,7,5\n3,80,2.5,6,4\n"
    table = imported(tmp_path, text, recipe=recipe, **options)
    frame = table.frame()
    assert frame["r/valid_accuracy"].tolist() == [91.5, 80]
    assert frame["phone/latency_ms"].tolist() == [3.5, 2.5]
    assert frame["phone/energy_mj"].tolist() == [7, 6]
    assert frame["flops"].tolist() == [5, 4]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("latency_ms", {}, "latency_ms is of a device; name it with the option device, .*phone/"),
        ("latency_ms", {"device": "a/b"}, "device/a/b/latency_ms"),
        ("phone/latency_ms", {"device": "phone"}, "leave the option device out"),
        ("phone/speed", {}, "'phone/speed' is no metric of a recipe or device"),
        ("a/b/latency_ms", {}, "'a/b/latency_ms' is no metric of"),
    ],
)
def test_a_cost_says_its_device_or_the_option_does(
    tmp_path: Path, name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(NasbenchError, match=said):
        imported(tmp_path, f"architecture,{name}\n0,1\n", recipe=None, epochs=None, **options)
