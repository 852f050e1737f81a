"""Every command does what its help says, in text and in JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from beginnings import check_beginning

import nasbench as nb
from nasbench.search import Comparison

pytestmark = pytest.mark.heavy


def test_space(cli):
    found = json.loads(cli("space", "nb201-mini", "--json").out)
    assert (found["size"], found["unique"]) == (125, 65)
    assert "125" in cli("space", "nb201-mini").out


def test_build_says_where_the_table_is_and_refuses_to_overwrite_it(cli, recipe, tmp_path):
    out = tmp_path / "made.h5"
    made = cli("build", recipe, "--out", out, "--workers", "1", "--hardware", "cpu", "--json")
    assert json.loads(made.out)["rows"] == len(nb.load(out).rows)
    again = cli("build", recipe, "--out", out)
    assert (again.status, again.out) == (2, "")
    assert "is there already" in again.err
    assert not list(tmp_path.glob("*.build"))


def test_info_lists_recipes_devices_and_kinds(cli, table):
    text = cli("info", table).out
    assert "recipe 2ep" in text
    assert "latency_ms (measured)" in text
    assert "energy_mj (estimated)" in text or "energy_mj (measured)" in text
    assert "memory_mib (missing)" in text  # ONNX Runtime tells none
    reasons = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("missing")]
    assert len(set(reasons)) == len(reasons) > 0  # each once, with all that it is about
    assert json.loads(cli("info", table, "--json").out)["name"] == "tiny"


def test_verify_finds_a_flipped_bit(cli, table, tmp_path):
    assert "is whole" in cli("verify", table).out
    data = bytearray(table.read_bytes())
    data[-1] ^= 1
    broken = tmp_path / "broken.h5"
    broken.write_bytes(data)
    found = cli("verify", broken)
    assert found.status == 2
    assert "damaged" in found.err


def test_query_answers_as_the_table_does(cli, table):
    opened = nb.load(table)
    string = opened.space.string(20)
    found = json.loads(cli("query", table, string, "--epoch", 1, "--seed", 1, "--json").out)
    expected = float(opened.values("valid_accuracy", 20, epoch=1, seed=1))
    assert found["architecture"] == 20
    assert found["values"]["valid_accuracy"] == expected
    assert found["costs"]["cpu-onnxruntime-b1/latency_ms"] > 0


@pytest.mark.parametrize("where", ["table", "train", "surrogate"])
def test_search_on_table_trainer_and_surrogate(cli, table, recipe, where, tmp_path):
    fitted = tmp_path / "s.json"
    cli("surrogate", "fit", table, "--out", fitted, "--train", "8")
    source = {"table": table, "train": recipe, "surrogate": fitted}[where]
    words = ("search", "random_search", f"--{where}", source, "--budget-evaluations", 3, "--json")
    found = json.loads(cli(*words).out)
    assert found["evaluations"] == 3
    assert found["spec"]["oracle"]["kind"] == ("trainer" if where == "train" else where)
    assert "test_accuracy" not in json.dumps(found)


def test_trainer_and_table_find_the_same_from_the_command_line(cli, table, recipe):
    words = ("--budget-evaluations", 4, "--seed", 3, "--json")
    found = [
        json.loads(cli("search", "regularized_evolution", source, path, *words).out)
        for source, path in (("--table", table), ("--train", recipe))
    ]
    assert found[0]["incumbent"] == found[1]["incumbent"]
    assert found[0]["valid_accuracy"] == found[1]["valid_accuracy"]


def test_search_within_a_limit(cli, table):
    opened = nb.load(table)
    bound = float(np.median(opened.device_column("cpu-onnxruntime-b1", "latency_ms")))
    limit = f"cpu-onnxruntime-b1/latency_ms<={bound}"
    words = ("--budget-evaluations", 27, "--set", "repeats=false", "--limit", limit, "--json")
    found = json.loads(cli("search", "random_search", "--table", table, *words).out)
    latency = opened.cost("cpu-onnxruntime-b1", "latency_ms", np.arange(27))
    accuracy = opened.values("valid_accuracy", np.arange(27))
    assert found["valid_accuracy"] == accuracy[latency <= bound].max()


def test_compare_writes_summary_page_and_figures(cli, table, tmp_path):
    out = tmp_path / "compared"
    words = ("--strategies", "random_search,reinforce", "--budget-evaluations", 5, "--seeds", 4)
    words += ("--also", table, "--processes", 1, "--json")
    done = cli("compare", "--table", table, *words, "--out", out)
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(done.out) == summary
    assert set(summary["strategies"]) == {"random_search", "reinforce"}
    assert summary["strategies"]["reinforce"]["n"] == 4
    there = summary["also"]["tiny"]["reinforce"]
    assert there["valid_accuracy"] == summary["strategies"]["reinforce"]["valid_accuracy"]
    page = (out / "report.md").read_text()
    for part in ("The same architectures on tiny", "Which differences stand up", "one random draw"):
        assert part in page
    stat = summary["strategies"]["random_search"]["regret"]
    assert set(stat) == {"mean", "std", "median", "low", "high"}
    for name in ("index.html", "report.md", "report.tex"):
        assert (out / name).stat().st_size > 500
    assert list((out / "figures").glob("*.pdf"))
    kept = Comparison.load(out)
    assert kept.summary() == summary


@pytest.mark.drawn
def test_times_that_are_assumed_are_called_so(cli, table, tmp_path):
    words = ("--strategies", "random_search", "--budget-seconds", 60, "--seeds", 3)
    assumed = ("--seconds-per-epoch", 2, "--in-proportion-to", "flops")
    out = tmp_path / "compared"
    done = cli("compare", "--table", table, *words, *assumed, "--out", out, "--processes", 1)
    assert done.status == 0, done.err
    told = "assumed, not measured: 2 s an epoch of the average row, in proportion to flops"
    assert told in (out / "report.md").read_text()
    assert "of training, assumed" in (out / "index.html").read_text()
    assert Comparison.load(out).protocol.cost_model.seconds_per_epoch == 2
    other = cli("compare", "--table", table, *words, "--out", out, "--processes", 1)
    assert other.status == 2
    assert "holds runs of another setting" in other.err
    alone = cli("search", "random_search", "--table", table, *assumed[2:], *words[2:4])
    assert alone.status == 2
    assert "--in-proportion-to needs --seconds-per-epoch" in alone.err


def test_report_joins_table_surrogate_and_comparison(cli, table, tmp_path):
    fitted, compared = tmp_path / "s.json", tmp_path / "c"
    cli("surrogate", "fit", table, "--out", fitted, "--train", "8")
    words = ("--strategies", "random_search", "--budget-evaluations", 5, "--seeds", 2)
    cli("compare", "--table", table, *words, "--out", compared, "--processes", 1)
    out = tmp_path / "page"
    done = cli("report", table, "--surrogate", fitted, "--compare", compared, "--out", out)
    assert done.status == 0, done.err
    page = (out / "index.html").read_text()
    assert "The predictor" in page
    assert "Search: c" in page


def test_surrogate_score_stands_beside_the_ceiling(cli, table, tmp_path):
    fitted = tmp_path / "s.json"
    cli("surrogate", "fit", table, "--out", fitted, "--train", "8")
    found = json.loads(cli("surrogate", "score", fitted, table, "--json").out)
    assert found["n"] == len(nb.load(table).rows) - 8
    assert {"r2", "kendall", "spearman"} <= set(found["ceiling"])
    assert set(found["intervals"]) == {"r2", "kendall", "spearman", "mae"}


def test_export_trained(cli, recipe, tmp_path):
    path = tmp_path / "net.onnx"
    words = ("--onnx", path, "--recipe", recipe, "--train", "--hardware", "cpu", "--json")
    found = json.loads(cli("export", 26, *words).out)
    onnx.checker.check_model(onnx.load(path))
    assert found["largest_difference"] < 1e-3
    assert 0 <= found["valid_accuracy"] <= 100


def test_demo_makes_everything_and_goes_on(cli, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("nasbench.cli.demo.SEEDS", 3)
    monkeypatch.setattr("nasbench.cli.demo.REALLY_TRAINED", 2)
    monkeypatch.setattr("nasbench.cli.demo.cores", lambda: 1)
    monkeypatch.setattr("nasbench.building.executor.default_processes", lambda hardware: 1)
    out = tmp_path / "demo"
    done = cli("demo", "--out", out, "--recipe", recipe)
    assert done.status == 0, done.err
    page = (out / "index.html").read_text()
    for part in ("The table", "What running costs", "The predictor", "Search on the trainer"):
        assert part in page
    (command,) = check_beginning(out / "index.html")
    assert command == f"nasbench demo --recipe {recipe.name} --out DIR"
    assert str(out / "index.html") in done.out
    assert "search on the table      mean regret in points: " in done.out
    # The engine that built the table and the one that searched are the same: so are the values.
    assert "<td>no</td>" not in page
    made = (out / "table.h5").stat().st_mtime_ns
    assert cli("demo", "--out", out, "--recipe", recipe).status == 0
    assert (out / "table.h5").stat().st_mtime_ns == made
    assert (out / "index.html").read_text() == page


def test_help_has_an_example_for_every_command(cli):
    listed = cli("--help").out
    for command in (
        "space",
        "build",
        "assemble",
        "info",
        "verify",
        "query",
        "search",
        "compare",
        "report",
    ):
        assert command in listed
        assert "Example" in cli(command, "--help").out


@pytest.mark.process
def test_the_installed_command_prints_its_version():
    path = Path(sys.executable).with_name("nasbench")
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["nasbench-harness", nb.__version__]


def test_a_query_says_why_a_value_is_missing(cli, table):
    shown = cli("query", table, 5).out
    told = json.loads(cli("query", table, 5, "--json").out)
    name = "cpu-onnxruntime-b1/memory_mib"
    assert all(told["missing"].values())  # what a machine does not count differs
    assert told["costs"][name] is None
    assert f"{name}  " in shown
    assert f"missing: {told['missing'][name]}" in shown
    assert "ONNX Runtime" in told["missing"][name]


def test_a_search_says_what_ended_it_and_how_long_it_took(cli, table):
    words = ("search", "random_search", "--table", table)
    shown = cli(*words, "--budget-evaluations", 3).out
    assert "; the budget in evaluations is spent" in shown
    told = json.loads(cli(*words, "--budget-evaluations", 3, "--json").out)
    assert told["ended"] == "evaluations"
    seconds = float(re.search(r"simulated +(\S+) s", shown)[1])
    assert seconds == pytest.approx(told["simulated_seconds"], rel=0.01)
    assert seconds > 0


def test_nothing_long_begins_for_a_file_that_cannot_be_written(
    cli, recipe, table, tmp_path, monkeypatch
):
    def begun(*_, **__):
        raise AssertionError("it began")

    monkeypatch.setattr("nasbench.train.reference.training", begun)
    monkeypatch.setattr("nasbench.surrogate.fit", begun)
    monkeypatch.setattr("nasbench.building.pilot.pilot", begun)
    nowhere = tmp_path / "none" / "file"
    for words, out in (
        (("export", "5", "--recipe", recipe, "--train", "--onnx"), nowhere),
        (("surrogate", "fit", table, "--out"), nowhere),
        (("surrogate", "fit", table, "--out", tmp_path / "s.json", "--complete"), nowhere),
        (("pilot", recipe, "--budget", "1s", "--out"), nowhere),
    ):
        refused = cli(*words, out)
        said = f"cannot write {out}: there is no folder {out.parent}; make it first"
        assert (refused.status, refused.err) == (2, f"nasbench: {said}\n")
        refused = cli(*words, tmp_path)
        said = f"cannot write {tmp_path}: it is a folder; name a file"
        assert (refused.status, refused.err) == (2, f"nasbench: {said}\n")
    assert not list(tmp_path.iterdir())
