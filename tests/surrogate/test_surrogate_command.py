"""`nasbench surrogate`, as a user types it."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from known_truth import noisy

import nasbench as nb
from nasbench.cli import main
from nasbench.table import Table, load

MakeTable = Callable[..., Table]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `nasbench surrogate` with these words: status, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nasbench", "surrogate", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as left:
            status = int(left.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def table(make_table: MakeTable) -> Path:
    metrics = {metric: values[:40] for metric, values in noisy(65, 2, seed=0).items()}
    return make_table(metrics, rows=nb.space("nb201-mini").representatives[:40]).path


def test_a_partly_trained_space_is_completed(run: Run, table: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "s.json", tmp_path / "whole.h5"
    status, told, err = run("fit", table, "--out", out, "--complete", whole)
    assert status == 0, err
    assert "fitted on 40 of 40 rows" in told
    assert "40 rows as trained, 25 predicted" in told
    made = load(whole)
    assert made.manifest["predicted"]["rows_predicted"] == 25
    assert np.isfinite(made.column("valid_accuracy")).all()


def test_half_is_fitted_on_and_the_rest_scored(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.json"
    status, told, err = run(
        *("fit", table, "--out", out, "--json", "--features", "one_hot,operations")
    )
    assert status == 0, err
    assert json.loads(told)["trained_on"] == 20
    status, told, err = run("score", out, table)
    assert status == 0, err
    for word in ("Kendall's τ", "90 % intervals", "seed-noise ceiling"):
        assert word in told
    found = json.loads(run("score", out, table, "--json")[1])
    assert found["n"] == 20
    assert 0 <= found["coverage"] <= 1


@pytest.mark.drawn
def test_predictors_by_size_make_a_page(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "page"
    words = ("--sizes", "8,16", "--draws", 2, "--predictors", "ridge,linear", "--out", out)
    status, told, err = run("score", table, *words)
    assert status == 0, err
    assert "Kendall's τ, all other rows" in told
    assert "seed-noise ceiling" in told
    page = (out / "index.html").read_text()
    assert "Predictors by training size" in page
    scores = json.loads((out / "scores.json").read_text())
    (command,) = re.findall(r'<code class="command">nasbench surrogate (.*?)</code>', page)
    score, _, *again = shlex.split(html.unescape(command))
    status, told_again, err = run(score, table, *again[:-1], tmp_path / "again", "--json")
    assert status == 0, err
    pairs = zip(json.loads(told_again)["scores"], scores["scores"], strict=True)
    for one, other in pairs:  # but for what a fit took
        assert [one[key] for key in ("predictor", "features", "size", "all")] == [
            other[key] for key in ("predictor", "features", "size", "all")
        ]
    assert len(scores["scores"]) == 4
    assert len((out / "trials.jsonl").read_text().splitlines()) == 1 + 8
    assert json.loads(run("score", table, *words, "--json")[1])["scores"] == scores["scores"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("score", "TABLE"), "name a surrogate and a table, or a table and --sizes"),
        (("score", "TABLE", "TABLE", "--sizes", "9"), "with --sizes name one table"),
        (("score", "TABLE", "--sizes", "a few"), "sizes are numbers separated by commas"),
        (("score", "TABLE", "--sizes", "9", "--predictors", "x"), "unknown predictor 'x'"),
        (
            ("fit", "TABLE", "--out", "s.json", "--features", "graph", "--features", "one_hot"),
            "give --features once",
        ),
        (("fit", "TABLE", "--out", "s.json", "--features", "grap"), "did you mean graph"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, table: Path, words: tuple[str, ...], why: str) -> None:
    status, told, err = run(*(str(table) if word == "TABLE" else word for word in words))
    assert (status, told) == (2, "")
    assert why in err
    assert err.count("\n") == 1
