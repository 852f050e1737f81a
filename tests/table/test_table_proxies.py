"""Scores in a table: all draws of a proxy travel with their mean, and strangers' are checked."""

from __future__ import annotations

import csv
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.importers.kinds import import_table
from nasbench.table import Dataset, Table, write_table
from nasbench.table.differences import diff
from nasbench.table.dumping import dump
from nasbench.table.merging import merge
from nasbench.table.schema import check_manifest

SPACE = nb.space("nb201-mini")
ROWS = SPACE.representatives[:6]
ABOUT = {"kind": "computed", "better": "low", "draws": 3, "seconds": 0.5}


def write(path: Path, rows: Any = ROWS, draws: int = 3, seconds: float = 0.5) -> Table:
    values = np.random.default_rng(0).normal(size=(SPACE.size, draws))[rows]
    values[0, 1] = np.nan
    about = {**ABOUT, "seconds": seconds}
    return write_table(
        path,
        name="scored",
        space=SPACE,
        rows=rows,
        sharing="canonical",
        recipes={},
        datasets={
            "proxy/x": Dataset(np.nanmean(values, axis=1), about),
            "proxy_draws/x": Dataset(values, {"kind": "computed"}),
        },
    )


def test_draws_are_found_beside_their_mean(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5")
    table.verify()
    draws = table.dataset("proxy_draws/x").values
    np.testing.assert_array_equal(table.column("proxy/x"), np.nanmean(draws, axis=1))
    frame = table.frame()
    assert [c for c in frame.columns if c.startswith("proxy")] == ["proxy/x"]


def test_what_is_computed_is_content(tmp_path: Path) -> None:
    first, again = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", seconds=9.0)
    other = write(tmp_path / "c.h5", draws=2)
    hashes = [t.manifest["content_sha256"] for t in (first, again, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert diff(first, again).same_content
    assert not diff(first, other).same_content


def test_an_npz_holds_the_draws_and_is_read_back(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5")
    dump(table, tmp_path / "t.npz", to="npz")
    back = import_table("npz", tmp_path / "t.npz", tmp_path / "back.h5", space="nb201-mini")
    every = np.flatnonzero(table.row_of >= 0)
    assert back.rows.tolist() == every.tolist()
    for name in ("proxy/x", "proxy_draws/x"):
        np.testing.assert_array_equal(
            back.dataset(name).values, table.dataset(name).values[table.row_of[every]]
        )
        assert back.dataset(name).about["kind"] == "imported"


def test_a_sheet_holds_the_mean(tmp_path: Path) -> None:
    table = write(tmp_path / "t.h5")
    dump(table, tmp_path / "t.csv", to="csv")
    with (tmp_path / "t.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert set(lines[0]) == {"architecture", "string", "canonical", "proxy/x"}
    told = [float(line["proxy/x"]) for line in lines]
    assert told == table.values("proxy/x", [int(line["architecture"]) for line in lines]).tolist()
    back = import_table("csv", tmp_path / "t.csv", tmp_path / "back.h5", space="nb201-mini")
    np.testing.assert_array_equal(back.column("proxy/x"), table.values("proxy/x", back.rows))


def test_halves_join_and_their_seconds_are_the_mean_over_both(tmp_path: Path) -> None:
    halves = [write(tmp_path / "a.h5", ROWS[:2], seconds=1.0), write(tmp_path / "b.h5", ROWS[2:])]
    joined = merge(halves, tmp_path / "t.h5")
    for half in halves:
        for name in ("proxy/x", "proxy_draws/x"):
            np.testing.assert_array_equal(
                joined.dataset(name).values[np.isin(joined.rows, half.rows)],
                half.dataset(name).values,
            )
    about = joined.dataset("proxy/x").about
    assert {**about, "seconds": 0.5} == ABOUT
    assert about["seconds"] == pytest.approx((2 * 1.0 + 4 * 0.5) / 6)


def test_other_numbers_of_draws_are_not_joined(tmp_path: Path) -> None:
    halves = [write(tmp_path / "a.h5", ROWS[:2]), write(tmp_path / "b.h5", ROWS[2:], draws=2)]
    with pytest.raises(NasbenchError, match=r"different numbers of values .* another name"):
        merge(halves, tmp_path / "t.h5")
    assert not (tmp_path / "t.h5").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d["proxy_draws/x"].update(shape=[6]), "shape of proxy_draws/x"),
        (lambda d: d["proxy_draws/x"].update(shape=[5, 3]), "shape of proxy_draws/x"),
        (lambda d: d["proxy_draws/x"].update(shape=[6, 3, 1]), "shape of proxy_draws/x"),
        (lambda d: d.pop("proxy/x"), "shape of proxy_draws/x"),
        (lambda d: d["proxy/x"].update(better="up"), "direction of proxy/x"),
        (lambda d: d["proxy/x"].update(better=["low"]), "direction of proxy/x"),
        (lambda d: d["proxy/x"].update(seconds=-1.0), "seconds of proxy/x"),
        (lambda d: d["proxy/x"].update(seconds="1"), "seconds of proxy/x"),
        (lambda d: d["proxy/x"].update(seconds=float("nan")), "seconds of proxy/x"),
    ],
)
def test_a_strangers_scores_are_checked(tmp_path: Path, change: Any, what: str) -> None:
    manifest = deepcopy(json.loads(json.dumps(write(tmp_path / "t.h5").manifest)))
    check_manifest("f", manifest)
    change(manifest["datasets"])
    with pytest.raises(NasbenchError, match=f"f is damaged: its manifest has no sound {what}"):
        check_manifest("f", manifest)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"proxy_draws/x": np.ones((2, 3))}, "proxy_draws/x without the mean of its draws"),
        ({"proxy_draws/x": np.ones(2), "proxy/x": np.ones(2)}, "proxy_draws/x that is"),
        ({"proxy_draws/x": np.ones((3, 2)), "proxy/x": np.ones(2)}, "proxy_draws/x that is"),
        ({"proxy_draws/x": np.ones((2, 0)), "proxy/x": np.ones(2)}, "proxy_draws/x that is"),
        ({"proxy_draws/a/b": np.ones((2, 3)), "proxy/a/b": np.ones(2)}, "not the name of a data"),
        (
            {"proxy_draws/x": np.full((2, 3), np.inf), "proxy/x": np.ones(2)},
            "proxy_draws/x of architecture",
        ),
    ],
)
def test_an_npz_of_unsound_draws_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    strings = np.asarray([SPACE.string(0), SPACE.string(1)])
    np.savez(tmp_path / "t.npz", architectures=strings, **arrays)
    with pytest.raises(NasbenchError, match=message):
        import_table("npz", tmp_path / "t.npz", tmp_path / "t.h5", space="nb201-mini")
