"""`nasbench compare` over several tables, and what always takes part."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb

pytestmark = pytest.mark.heavy


@pytest.fixture
def other(cli, tmp_path) -> Path:
    """A table of another space, with one recipe of another name."""
    space = nb.space("nb201-mini")
    rng = np.random.default_rng(0)
    arrays = {
        "architectures": np.asarray([space.string(i) for i in range(space.size)]),
        "recipe/9ep/epochs": np.asarray([9]),
        "recipe/9ep/valid_accuracy": rng.uniform(50, 90, space.size),
        "recipe/9ep/train_seconds": rng.uniform(1, 2, space.size),
    }
    np.savez(tmp_path / "other.npz", **arrays)
    out = tmp_path / "other.h5"
    done = cli("import", "npz", tmp_path / "other.npz", "--space", "nb201-mini", "--out", out)
    assert done.status == 0, done.err
    return out


@pytest.mark.slow
def test_several_tables_have_one_page_and_runs_of_their_own(cli, table, other, tmp_path):
    words = ("--strategies", "reinforce", "--budget-evaluations", 4, "--seeds", 3)
    words += ("--search-recipe", "2ep", "--processes", 1)
    out = tmp_path / "compared"
    done = cli("compare", "--table", table, "--table", other, *words, "--out", out, "--json")
    assert done.status == 0, done.err
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(done.out) == summary
    assert list(summary["tables"]) == ["tiny", "other"]
    assert summary["ranks"]["blocks"] == 2
    page = (out / "report.md").read_text()
    for part in (
        "Final regret on each table",
        "Search strategies on tiny",
        "Search strategies on other",
    ):
        assert part in page
    # Each table's folder is what one table has, and the searches are not run again.
    alone = tmp_path / "alone"
    assert cli("compare", "--table", other, *words[:-4], *words[-2:], "--out", alone).status == 0
    for name in ("reinforce", "random_search"):
        path = Path("runs") / f"{name}.jsonl"
        assert (out / "tables" / "other" / path).read_bytes() == (alone / path).read_bytes()
    assert json.loads((alone / "summary.json").read_text()) == summary["tables"]["other"]
    before = {path: path.stat().st_size for path in out.rglob("*.wall.jsonl")}
    again = cli("compare", "--table", table, "--table", other, *words, "--out", out)
    assert "Final regret on each table" in again.out
    assert before == {path: path.stat().st_size for path in out.rglob("*.wall.jsonl")}
    mixed = cli("compare", "--table", table, "--table", other, *words, "--out", alone)
    assert mixed.status == 2
    assert "holds a comparison on one table: give another --out" in mixed.err
    twice = cli("compare", "--table", table, "--table", table, *words, "--out", tmp_path / "twice")
    assert twice.status == 2
    assert "a table is named twice" in twice.err
    assert not (tmp_path / "twice").exists()


def test_random_search_always_takes_part(cli, table, tmp_path):
    words = ("--strategies", "reinforce", "--budget-evaluations", 4, "--seeds", 2)
    words += ("--set", "random_search.repeats=false", "--processes", 1, "--json")
    done = cli("compare", "--table", table, *words, "--out", tmp_path / "compared")
    assert list(json.loads(done.out)["strategies"]) == ["reinforce", "random_search"]
    none = cli("compare", "--table", table, "--strategies", "", *words[2:4], "--out", tmp_path)
    assert none.status == 2
    assert "needs a strategy" in none.err


def test_a_strategy_that_breaks_leaves_the_others_page(cli, table, tmp_path, monkeypatch):
    def ask(self):
        raise KeyError("lost")

    monkeypatch.setattr("strategies.reinforce.Reinforce.ask", ask)
    words = ("--strategies", "reinforce", "--budget-evaluations", 4, "--seeds", 2)
    done = cli("compare", "--table", table, *words, "--processes", 1, "--out", tmp_path / "out")
    assert done.status == 2
    why = r"strategy reinforce failed in ask: KeyError: 'lost' \(test_cli_compare\.py, line \d+\)"
    assert re.fullmatch(rf"nasbench: {why}; the others ran\n", done.err)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["strategies"]) == ["random_search"]
    assert "Left out: strategy reinforce" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.slow
def test_the_same_searches_write_the_same_bytes(cli, table, tmp_path):
    words = ("--strategies", "reinforce", "--budget-evaluations", 4, "--seeds", 2)
    for name in ("one", "other"):
        out = tmp_path / name
        assert cli("compare", "--table", table, *words, "--processes", 1, "--out", out).status == 0
    wall = {"thinking.csv", "random_search.wall.jsonl", "reinforce.wall.jsonl"}
    written = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {path.name for path in written} > wall
    for path in written:
        if path.name not in wall:
            same = tmp_path / "other" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == same.read_bytes(), path
