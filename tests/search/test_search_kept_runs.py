"""Runs that are kept: what a stranger's file may not say, in one sentence."""

from __future__ import annotations

import json
import math
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nasbench as nb
from nasbench._journal import line_of
from nasbench.errors import NasbenchError
from nasbench.search import Comparison
from nasbench.table import Table

COMMON: dict[str, Any] = {"budget_seconds": 60.0, "seeds": range(3), "search_recipe": "short"}


@pytest.fixture(scope="module")
def runs(made_up_table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison."""
    folder = tmp_path_factory.mktemp("runs")
    nb.compare(["reinforce"], made_up_table, out=folder, **COMMON)
    return folder


@pytest.mark.parametrize(
    "forge",
    [
        lambda run: run["architectures"].__setitem__(0, -3),
        lambda run: run["architectures"].__setitem__(0, 10**6),
        lambda run: run["architectures"].__setitem__(0, 10**30),
        lambda run: run["architectures"].__setitem__(0, True),
        lambda run: run["architectures"].pop(),
        lambda run: run["epochs"].__setitem__(0, 0),
        lambda run: run["epochs"].__setitem__(0, 10**9),
        lambda run: run["rewards"].__setitem__(0, "90"),
        lambda run: run["rewards"].__setitem__(0, math.nan),
        lambda run: run["finished"].__setitem__(0, 1e9),
        lambda run: run["finished"].__setitem__(0, -1.0),
        lambda run: run["finished"].__setitem__(-1, math.inf),
        lambda run: run["finished"].__setitem__(-1, 10**400),
        lambda run: run["repeats"].__setitem__(0, 2),
        lambda run: run.update(seed=-1),
        lambda run: run.update(seed="0"),
        lambda run: run.update(free="no"),
        lambda run: run.update({name: [] for name in run if type(run[name]) is list}),
        lambda run: run.update({name: {} for name in run if type(run[name]) is list}),
        lambda run: run.pop("rewards"),
        lambda run: run.clear(),
    ],
)
def test_forged_runs_whose_checksum_is_right_are_told(
    made_up_table: Table, runs: Path, tmp_path: Path, forge: Callable[[dict[str, Any]], object]
) -> None:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "runs" / "reinforce.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    run = json.loads(lines[2][9:])
    forge(run)
    text = b"".join([*lines[:2], line_of(run), *lines[3:]])
    path.write_bytes(text)
    for read in (
        lambda: Comparison.load(tmp_path),
        lambda: nb.compare(["reinforce"], made_up_table, out=tmp_path, **COMMON),
    ):
        with pytest.raises(NasbenchError, match=r"reinforce\.jsonl is damaged in line 3: "):
            read()
    assert path.read_bytes() == text


@pytest.mark.parametrize(
    "text", [b"[]", b"5", b"null", b'"run"', b"[" * 200_000, b"\xff", b"9" * 5000]
)
def test_lines_that_hold_no_object_are_told(runs: Path, tmp_path: Path, text: bytes) -> None:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "runs" / "reinforce.jsonl"
    with path.open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(NasbenchError, match=r"reinforce\.jsonl is damaged in line \d+: its check"):
        Comparison.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"strategies": []},
        {"strategies": "reinforce"},
        {"strategies": [5]},
        {"strategies": ["reinforce", "random_search"]},
        {"seeds": []},
        {"seeds": None},
        {"seeds": [0, 99]},
        {"seeds": ["0"]},
        {"seeds": [10**400]},
        {"broken": []},
        {"broken": {"pnas": 5}},
        {"setting": None},
        {"setting": {}},
    ],
)
def test_a_comparison_that_says_what_none_does_is_one_sentence(
    runs: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(NasbenchError, match=r"is not finished or damaged|cannot read") as told:
        Comparison.load(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "change",
    [
        {"budget": {"evaluations": 10**400, "seconds": None}},
        {"budget": {"evaluations": "5", "seconds": None}},
        {"budget": None},
        {"maximize": "yes"},
        {"workers": "2"},
        {"failures": None},
        {"training_seed": [0]},
        {"report_recipe": []},
        {"surrogate": {}},
        {"also": [5]},
        {"start": ["0"]},
        {"limits": [{"metric": 5}]},
        {"parameters": []},
        {"further": 5},
    ],
)
def test_a_setting_that_none_has_is_one_sentence(
    runs: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "comparison.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "setting": {**kept["setting"], **change}}))
    with pytest.raises(NasbenchError, match=r"is not finished or damaged|a limit of 5 needs"):
        Comparison.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "5", "{", "[" * 200_000, '{"a":' * 100_000])
def test_a_comparison_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(NasbenchError, match=r"damaged"):
        Comparison.load(tmp_path)


# A larger budget.

SMALL: dict[str, Any] = {**COMMON, "budget_seconds": None, "budget_evaluations": 6}
LARGE: dict[str, Any] = {**SMALL, "budget_evaluations": 14}
BOTH = ["random_search", "regularized_evolution"]


def kept(folder: Path) -> dict[str, bytes]:
    """What a comparison keeps, but for what was clocked on the wall."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.name: path.read_bytes() for path in files if ".wall" not in path.name}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("small", "large"),
    [(SMALL, LARGE), (COMMON, {**COMMON, "budget_seconds": 150.0})],
    ids=["evaluations", "seconds"],
)
def test_a_finished_comparison_goes_on_with_a_larger_budget(
    made_up_table: Table,
    tmp_path: Path,
    workers: int,
    small: dict[str, Any],
    large: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    expected = nb.compare(BOTH, made_up_table, out=whole, workers=workers, **large)
    nb.compare(BOTH, made_up_table, out=grown, workers=workers, **small)
    found = nb.compare(BOTH, made_up_table, out=grown, workers=workers, **large)
    assert kept(grown) == kept(whole)
    assert found.summary() == expected.summary() == Comparison.load(grown).summary()
    assert "asks for something else" not in caplog.text


def test_a_killed_growth_loses_nothing_and_goes_on(made_up_table: Table, tmp_path: Path) -> None:
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    nb.compare(BOTH, made_up_table, out=whole, **LARGE)
    nb.compare(BOTH, made_up_table, out=grown, **SMALL)
    before = kept(grown)

    def stop(done: int, runs: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    for larger in ({**LARGE, "budget_evaluations": 10}, LARGE):
        with pytest.raises(KeyboardInterrupt):
            nb.compare(BOTH, made_up_table, out=grown, progress=stop, **larger)
        assert kept(grown).items() >= before.items()
        assert Comparison.load(grown).protocol.budget_evaluations == 6
    nb.compare(BOTH, made_up_table, out=grown, **LARGE)
    assert kept(grown) == kept(whole)


def test_seeds_that_nobody_asks_for_again_grow_along(made_up_table: Table, tmp_path: Path) -> None:
    nb.compare(["random_search"], made_up_table, out=tmp_path, **SMALL)
    nb.compare(["random_search"], made_up_table, out=tmp_path, **{**LARGE, "seeds": [1]})
    alone = Comparison.load(tmp_path)
    assert [trace.seed for trace in alone.traces["random_search"]] == [1]
    lines = (tmp_path / "runs" / "random_search.jsonl").read_bytes().splitlines()
    runs = [json.loads(line[9:]) for line in lines[1:]]
    assert {run["seed"]: len(run["epochs"]) for run in runs} == {0: 14, 1: 14, 2: 14}


def test_a_smaller_budget_is_refused_and_the_runs_kept(
    made_up_table: Table, tmp_path: Path
) -> None:
    nb.compare(["random_search"], made_up_table, out=tmp_path, **LARGE)
    before = kept(tmp_path)
    with pytest.raises(NasbenchError, match=r"these runs with a larger budget \(14 evaluations\)"):
        nb.compare(["random_search"], made_up_table, out=tmp_path, **SMALL)
    assert kept(tmp_path) == before


def test_a_strategy_that_plans_by_its_budget_begins_anew_and_that_is_said(
    made_up_table: Table, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    small, large = ({**SMALL, "budget_evaluations": n} for n in (40, 400))
    nb.compare(["meta_qnn"], made_up_table, out=grown, **small)
    nb.compare(["meta_qnn"], made_up_table, out=grown, **large)
    assert "strategy meta_qnn asks for something else than it did: 3 of its 3 kept" in caplog.text
    nb.compare(["meta_qnn"], made_up_table, out=whole, **large)
    assert kept(grown) == kept(whole)
