"""Tables in and out from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb
from nasbench.cli.importing import complete_kind
from nasbench.cli.strategies import complete_strategies
from nasbench.cli.tables import complete_format, complete_per
from nasbench.importers import KINDS, options_of
from nasbench.table import Dataset, write_table


def write(path: Path, rows: list[int], seeds: list[int], first: float = 10) -> Path:
    """Accuracies that tell their row and seed, and a latency that one row lacks."""
    space = nb.space("nb201-mini")
    values = first + np.arange(len(rows))[:, None, None] + np.asarray(seeds)[:, None] / 10
    latency = np.asarray(rows, dtype=np.float64)
    latency[-1] = np.nan
    write_table(
        path,
        name=path.stem,
        space=space,
        rows=rows,
        sharing="none",
        recipes={"2ep": {"epochs": 2, "seeds": seeds}},
        datasets={
            "recipe/2ep/valid_accuracy": Dataset(
                np.concatenate([values, values + 1], axis=2).astype(np.float32),
                {"kind": "trained", "unit": "percent", "epochs": [1, 2]},
            ),
            "device/npu/latency_ms": Dataset(latency, {"kind": "imported"}),
        },
        devices={"npu": {}},
        missing=[{"scope": "device/npu", "reason": "no kernel", "architectures": rows[-1:]}],
    )
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.h5", [3, 7, 40], [0, 1])


@pytest.mark.parametrize("to", ["csv", "npz"])
def test_what_is_dumped_is_imported_again(cli, small, tmp_path, to):
    dumped, back = tmp_path / f"dumped.{to}", tmp_path / "back.h5"
    said = cli("dump", small, "--to", to, "--out", dumped)
    lines = {"csv": "12 lines", "npz": "3 architectures"}[to]
    assert said.out == f"{dumped}: {lines}, {dumped.stat().st_size:,} bytes\n"
    words = ("import", to, dumped, "--space", "nb201-mini", "--name", "again", "--out", back)
    done = cli(*words)
    assert done.status == 0, done.err
    for told in (
        "3 of 125 architectures of nb201-mini",
        "2 epochs, seeds 0, 1: valid_accuracy (percent)",
        "device npu  latency_ms",
        "missing     device/npu/latency_ms, 1 row: ",
        "licence     unknown",
        f"nasbench info {back}",
    ):
        assert told in done.out
    assert "--among-rows" in done.out  # a search of the whole space wants every architecture
    assert nb.load(back).name == "again"
    same = cli("diff", small, back, "--json")
    assert (same.status, json.loads(same.out)["same_content"]) == (0, True)


def test_import_hands_on_the_options_that_are_given(cli, tmp_path):
    sheet = tmp_path / "mine.csv"
    sheet.write_text("architecture,acc\n3,50.5\n4,\n")
    out = tmp_path / "mine.h5"
    words = ("--recipe", "mine", "--epochs", 9, "--column", "acc=valid_accuracy")
    done = cli("import", "csv", sheet, "--space", "nb201-mini", *words, "--out", out, "--json")
    assert done.status == 0, done.err
    told = json.loads(done.out)
    assert told["recipes"]["mine"]["epochs"] == 9
    assert told["source"]["kind"] == "csv"
    table = nb.load(out)
    np.testing.assert_array_equal(table.values("valid_accuracy", [3, 4]), [50.5, np.nan])


@pytest.mark.parametrize("rows", [125, 40])
def test_what_import_says_to_do_next_works(rows, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sheet = tmp_path / "two.csv"
    epochs = {"long": 200, "short": 12}
    lines = [f"{a},{r},{e},{50 + a / 10}" for a in range(rows) for r, e in epochs.items()]
    sheet.write_text("\n".join(["architecture,recipe,epoch,valid_accuracy", *lines]))
    done = cli("import", "csv", sheet, "--space", "nb201-mini", "--out", tmp_path / "two.h5")
    assert done.status == 0, done.err
    assert "--search-recipe short --report-recipe long" in done.out
    assert ("--among-rows" in done.out) == (rows < 125)
    command = done.out.splitlines()[-1].split()
    assert command[:2] == ["nasbench", "compare"]
    compared = cli(*command[1:], "--seeds", 2, "--processes", 1)
    assert compared.status == 0, compared.err


def test_the_help_of_import_lists_every_kind_with_its_options(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    lines = cli("import", "--help").out.splitlines()
    for kind in KINDS:
        line = next(line for line in lines if line.strip(" •").startswith((kind, "csv, " + kind)))
        for option in options_of(kind):
            named = {"columns": "column", "factors": "factor"}.get(option, option)
            assert f"--{named.replace('_', '-')}" in line, (kind, option)


def test_dump_writes_what_is_asked_for(cli, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = json.loads(cli("dump", small, "--to", "csv", "--per", "architecture", "--json").out)
    assert told == {"path": "small.csv", "table": "small", "to": "csv", "lines": 3}
    with (tmp_path / "small.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["architecture"] for line in lines] == ["3", "7", "40"]
    assert [line["npu/latency_ms"] for line in lines] == ["3.0", "7.0", ""]
    # The mean of seeds 0 and 1 after the second epoch, in float32.
    means = [float(line["2ep/valid_accuracy"]) for line in lines]
    assert means == pytest.approx([11.05, 12.05, 13.05], rel=1e-6)


def test_merge_joins_seeds_and_rows(cli, small, tmp_path):
    other = write(tmp_path / "other.h5", [3, 7, 40], [2])
    out = tmp_path / "both.h5"
    done = cli("merge", small, other, "--out", out, "--name", "both")
    assert done.status == 0, done.err
    assert "recipe 2ep  seeds 0, 1, 2: valid_accuracy" in done.out
    assert "from        other, 3 rows" in done.out
    table = nb.load(out)
    assert (table.name, table.seeds["2ep"]) == ("both", (0, 1, 2))
    again = tmp_path / "again.h5"
    told = json.loads(cli("merge", other, small, "--out", again, "--json").out)
    assert [source["name"] for source in told["sources"]] == ["other", "small"]
    assert cli("diff", out, again).status == 0


def test_diff_shows_what_differs_and_ends_with_1(cli, small, tmp_path):
    other = write(tmp_path / "other.h5", [3, 7, 41], [0, 1], first=11)
    done = cli("diff", small, other)
    assert (done.status, done.err) == (1, "")
    assert "differs" in done.out
    assert "2 in both, 1 only in A, 1 only in B" in done.out
    line = next(x for x in done.out.splitlines() if x.startswith("recipe/2ep/valid_accuracy"))
    assert line.split()[1:] == ["0", "8", "0", "0", "1", "3", "1", "1.0000"]
    alike = cli("diff", small, small)
    assert (alike.status, "the same, hash and all" in alike.out) == (0, True)


CASES = {
    "unknown kind": (("import", "cvs", "S", "--out", "O"), "unknown kind of source 'cvs'"),
    "no source": (("import", "npz", "--out", "O"), "nasbench import npz SOURCE"),
    "unknown kind without a source": (("import", "cvs", "--out", "O"), "did you mean csv"),
    "no such source": (
        ("import", "npz", "nowhere", "--space", "nb201", "--out", "O"),
        "there is no file or folder nowhere",
    ),
    "option of another kind": (
        ("import", "npz", "T", "--recipe", "r", "--out", "O"),
        "option of npz 'recipe'",
    ),
    "option left out": (("import", "npz", "T", "--out", "O"), "needs --space"),
    "not of its kind": (
        ("import", "npz", "T", "--space", "nb201", "--out", "O"),
        "cannot be read as an .npz file",
    ),
    "import over a table": (("import", "npz", "T", "--out", "T"), "is there already"),
    "merge over a table": (("merge", "T", "T", "--out", "T"), "is there already"),
    "dump over a table": (("dump", "T", "--to", "csv", "--out", "T"), "is there already"),
    "merge of one": (("merge", "T", "--out", "O"), "two tables or more"),
    "merge of no table": (("merge", "T", "S", "--out", "O"), "is not a table"),
    "unknown format": (("dump", "T", "--to", "xls", "--out", "O"), "unknown format 'xls'"),
    "unknown line": (
        ("dump", "T", "--to", "csv", "--per", "row", "--out", "O"),
        "unknown line, per 'row'",
    ),
    "diff of no table": (("diff", "T", "S"), "is not a table"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(cli, small, tmp_path, case):
    words, told = CASES[case]
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("architecture\n")
    before = sorted(tmp_path.iterdir())
    names = {"T": small, "S": sheet, "O": tmp_path / "out"}
    done = cli(*(names.get(word, word) for word in words))
    assert (done.status, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_names_complete():
    assert complete_kind("n") == ["nats-bench", "nas-bench-201", "npz"]
    assert complete_format("") == ["csv", "parquet", "npz"]
    assert complete_per("se") == ["seed"]
    assert complete_strategies("rein") == ["reinforce"]
    assert complete_strategies("reinforce,r") == [
        "reinforce,random_search",
        "reinforce,regularized_evolution",
        "reinforce,rnn_reinforce",
        "reinforce,rsps",
    ]


def test_a_table_of_devices_alone_can_be_looked_up_and_reported(cli, tmp_path):
    space = nb.space("nb201-mini")
    latency = Dataset(np.arange(125.0), {"kind": "imported"})
    write_table(
        tmp_path / "costs.h5",
        name="costs",
        space=space,
        rows=np.arange(125),
        sharing="none",
        recipes={},
        datasets={"device/npu/latency_ms": latency},
        devices={"npu": {}},
    )
    found = json.loads(cli("query", tmp_path / "costs.h5", 7, "--json").out)
    assert (found["recipe"], found["values"]) == (None, {})
    assert found["costs"] == {"npu/latency_ms": 7.0}
    assert "unknown recipe" in cli("query", tmp_path / "costs.h5", 7, "--recipe", "x").err
    done = cli("report", tmp_path / "costs.h5", "--out", tmp_path / "page")
    assert done.status == 0, done.err
    page = (tmp_path / "page" / "report.md").read_text()
    assert "npu: latency_ms" in page
    assert "0.1 quantile" not in page  # nothing was measured here


def test_whom_to_cite_is_said_after_merging(cli, tmp_path):
    for name, cell in (("one", 3), ("two", 4)):
        np.savez(
            tmp_path / f"{name}.npz",
            architectures=np.array([nb.space("nb201-mini").string(cell)]),
            **{f"proxy/{name}": np.array([0.5]), "about/citation": np.array(f"{name} et al.")},
        )
        words = ("--space", "nb201-mini", "--out", tmp_path / f"{name}.h5")
        assert cli("import", "npz", tmp_path / f"{name}.npz", *words).status == 0
    both = tmp_path / "both.h5"
    assert cli("merge", tmp_path / "one.h5", tmp_path / "two.h5", "--out", both).status == 0
    said = cli("info", both).out
    assert "one et al." in said
    assert "two et al." in said


def test_a_dump_is_called_as_the_file_is(cli, small, tmp_path, monkeypatch):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(nb.NasbenchError, match="slashes at its ends"):
        write_table(
            tmp_path / "evil.h5",
            name="../evil",
            space=nb.space("nb201-mini"),
            rows=[0],
            sharing="none",
            recipes={},
            datasets={"proxy/x": Dataset(np.zeros(1), {"kind": "imported"})},
        )
    assert cli("dump", small, "--to", "csv").status == 0
    assert sorted(path.name for path in Path().iterdir()) == ["small.csv", "small.csv.json"]
    Path("small.csv").unlink()
    refused = cli("dump", small, "--to", "csv")
    assert refused.status == 2
    assert "small.csv.json is there already" in refused.err


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_name_that_no_table_can_have_leaves_nothing(cli, tmp_path, name):
    sheet = tmp_path / "mine.csv"
    sheet.write_text("architecture,proxy/x\n3,50.5\n")
    out = tmp_path / "out.h5"
    words = ("--space", "nb201-mini", "--name", name, "--out", out)
    done = cli("import", "csv", sheet, *words)
    assert (done.status, out.exists()) == (2, False) if name else (done.status == 0)
    if name:
        assert "a table's name is 1 to 200 printable characters" in done.err


def test_what_two_tables_round_differently_is_taken_from_the_first(cli, tmp_path):
    one, two = write(tmp_path / "one.h5", [3, 7], [0]), write(tmp_path / "two.h5", [3, 7], [0], 11)
    out = tmp_path / "out.h5"
    refused = cli("merge", one, two, "--out", out)
    assert refused.status == 2
    assert "--from-first recipe/2ep/valid_accuracy takes all of it from the first" in refused.err
    words = ("--from-first", "recipe/2ep/valid_accuracy", "--out", out)
    assert cli("merge", one, two, *words).status == 0
    assert nb.load(out).values("valid_accuracy", 3) == nb.load(one).values("valid_accuracy", 3)
    unknown = cli("merge", one, two, "--from-first", "network/flop", "--out", tmp_path / "x.h5")
    assert "unknown data set 'network/flop'" in unknown.err
