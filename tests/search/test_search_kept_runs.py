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
