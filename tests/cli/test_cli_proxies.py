"""`nasbench proxies`: as a user has it, from the list to a search that knows a score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasbench.proxy import names
from nasbench.search.journal import read_run

pytestmark = pytest.mark.heavy

Cli = Callable[..., Any]
SEARCH = ("search", "--table", "SCORED", "--budget-evaluations", "3")


@pytest.fixture(scope="module")
def scored(table: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nasbench.building import read_spec
    from nasbench.building.proxies import Scoring, score_table
    from nasbench.table import Table

    out = tmp_path_factory.mktemp("scored") / "scored.h5"
    scoring = Scoring(("nwot", "params", "plain"), draws=2, batch_size=16)
    score_table(read_spec(recipe), out, scoring, table=Table(table), processes=1, hardware="cpu")
    return out


def test_every_proxy_is_listed_with_its_direction_and_paper(cli: Cli) -> None:
    shown = cli("proxies", "list")
    assert [line.split()[0] for line in shown.out.splitlines()] == list(names())
    assert all(line.split()[1] in ("high", "low") for line in shown.out.splitlines())
    told = json.loads(cli("proxies", "list", "--json").out)
    assert list(told) == list(names())
    assert "Tanaka" in told["synflow"]["paper"]
    assert told["params"]["random"] is False


def test_scores_are_written_and_told(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    words = ("--proxies", "params, flops", "--sample", 3, "--workers", 1, "--batch-size", 16)
    told = json.loads(cli("proxies", "score", recipe, "--out", out, *words, "--json").out)
    assert told["rows"] == 3
    assert list(told["proxies"]) == ["params", "flops"]
    assert [of["scored"] for of in told["proxies"].values()] == [3, 3]
    again = cli("proxies", "score", recipe, "--out", out, *words)
    assert again.status == 2
    assert again.err == f"nasbench: {out} is there already: give another --out or remove it\n"
    assert cli("verify", out).status == 0
    assert "params, flops (computed)" in cli("info", out).out


def test_what_a_device_cannot_tell_is_left_out_or_explained(
    cli: Cli, scored: Path, tmp_path: Path
) -> None:
    """ONNX Runtime tells no memory: a report of all metrics is of the others."""
    out = tmp_path / "r"
    done = cli("proxies", "report", scored, "--out", out, "--json")
    assert done.status == 0, done.err
    metrics = json.loads(done.out)["metrics"]
    assert "cpu-onnxruntime-b1/latency_ms" in metrics
    assert "cpu-onnxruntime-b1/memory_mib" not in metrics
    asked = ("--metric", "cpu-onnxruntime-b1/memory_mib", "--out", tmp_path / "none")
    refused = cli("proxies", "report", scored, *asked)
    assert refused.status == 2
    assert "0 architectures have cpu-onnxruntime-b1/memory_mib, and" in refused.err
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "none").exists()
    refused = cli("proxies", "report", scored, "--out", scored)
    assert refused.err == f"nasbench: cannot write to {scored}: it is a file; name a folder\n"


def test_scores_of_a_table_are_reported(cli: Cli, scored: Path, tmp_path: Path) -> None:
    words = ("--metric", "2ep/test_accuracy", "--proxies", "nwot,params")
    done = cli("proxies", "report", scored, "--out", tmp_path / "r", *words)
    assert done.status == 0
    assert "Spearman's ρ with 2ep/test_accuracy" in done.out
    assert done.out.splitlines()[-1] == str(tmp_path / "r" / "index.html")
    written = {path.name for path in (tmp_path / "r").iterdir()}
    pages = {"index.html", "report.md", "report.tex", "report.bib"}
    assert written == {"figures", "tables", "proxies.json", *pages}
    found = json.loads((tmp_path / "r" / "proxies.json").read_text())
    assert list(found["metrics"]) == ["2ep/test_accuracy"]
    assert found["proxies"]["nwot"]["kind"] == "computed"


def test_a_start_is_what_searches_begin_with(cli: Cli, scored: Path, tmp_path: Path) -> None:
    start = tmp_path / "start.txt"
    told = cli("proxies", "start", scored, "--by", "params", "--k", 3, "--out", start, "--json")
    first = json.loads(told.out)["architectures"]
    assert len(first) == 3
    journal = tmp_path / "run.jsonl"
    words = ("--budget-evaluations", 5, "--start", start, "--out", journal)
    assert cli("search", "random_search", "--table", scored, *words).status == 0
    asked = read_run(journal)[1][:3]
    assert [line["architecture"] for line in asked] == first


def test_a_search_trains_only_what_a_proxy_puts_first(
    cli: Cli, scored: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    words = ("--budget-evaluations", 6, "--proxy", "params", "--keep", 0.2, "--out", journal)
    told = json.loads(cli("search", "random_search", "--table", scored, *words, "--json").out)
    assert told["spec"]["prior"] == {"proxy": "params", "keep": 0.2}
    asked = [evaluation["architecture"] for evaluation in read_run(journal)[1]]
    from nasbench.table import Table

    sizes = Table(scored).values("proxy/params", range(27))
    assert min(sizes[asked]) >= sorted(sizes)[-6]


def test_a_comparison_says_what_was_known(cli: Cli, scored: Path, tmp_path: Path) -> None:
    words = ("--strategies", "hybrid", "--budget-evaluations", 6, "--seeds", 2)
    done = cli(
        *("compare", "--table", scored, "--out", tmp_path, "--processes", 1, *words),
        *("--proxy", "nwot", "--keep", 0.5),
    )
    assert done.status == 0
    assert "only the best 50 % by them are trained" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("proxies", "score", "RECIPE", "--out", "OUT", "--proxies", "nwoot"), "did you mean nwot"),
        (("proxies", "score", "RECIPE", "--out", "OUT", "--proxies", ","), "commas between"),
        (("proxies", "score", "RECIPE", "--out", "OUT", "--sample", "0"), "than or equal to 1"),
        (("proxies", "report", "TABLE", "--out", "OUT"), "holds no scores"),
        (("proxies", "report", "SCORED", "--out", "OUT", "--metric", "2ep/x"), "unknown metric of"),
        (("proxies", "start", "SCORED", "--by", "x", "--out", "OUT"), "unknown proxy of tiny 'x'"),
        (
            (*SEARCH, "random_search", "--proxy", "nwot"),
            "random_search none makes use of a proxy by itself: give --keep",
        ),
        (
            (*SEARCH, "hybrid", "--keep", "0.5"),
            "--keep needs --proxy",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    cli: Cli,
    recipe: Path,
    table: Path,
    scored: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    meant = {"RECIPE": recipe, "TABLE": table, "SCORED": scored, "OUT": tmp_path / "out"}
    done = cli(*(meant.get(word, word) for word in words))
    assert done.status == 2
    assert message in done.err
    assert done.err.startswith("nasbench: ")
    assert done.err.count("\n") == 1
    assert not done.out
    assert not list(tmp_path.iterdir())
