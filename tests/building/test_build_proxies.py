"""Scoring a space: killed it goes on, to the same bytes; joined it loses nothing."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zygote
from small_builds import journal_of, journaled, small_spec

import nasbench as nb
from nasbench.building import BuildSpec
from nasbench.building import proxies as scoring_room
from nasbench.building.journal import BuildFolder
from nasbench.building.proxies import Scoring, score_table
from nasbench.errors import NasbenchError
from nasbench.proxy import score
from nasbench.space import CellSpace
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy

NAMES = ("grad_norm", "synflow", "params")
SCORING = Scoring(NAMES, draws=2, batch_size=8, seed=3)


class Stopped(Exception):  # noqa: N818
    """As if a key was pressed."""


@pytest.fixture(autouse=True)
def _chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_room, "ON_CPU", 2)


@pytest.fixture(scope="module")
def spec() -> BuildSpec:
    """8 cells, 6 distinct; nothing reaches the end of two."""
    return small_spec()


@pytest.fixture(scope="module")
def undisturbed(spec: BuildSpec, tmp_path_factory: pytest.TempPathFactory) -> Table:
    patched = pytest.MonkeyPatch()
    patched.setattr(scoring_room, "ON_CPU", 2)
    out = tmp_path_factory.mktemp("undisturbed") / "t.h5"
    table = score_table(spec, out, SCORING, processes=1, hardware="cpu")
    patched.undo()
    return table


def bytes_of(table: Table) -> dict[str, bytes]:
    return {
        name: table.dataset(name).values.tobytes()
        for name in table.manifest["datasets"]
        if name.startswith("proxy")
    }


def test_scores_are_those_of_the_proxies(spec: BuildSpec, undisturbed: Table) -> None:
    rows = spec.space.representatives
    recipe = spec.recipes["2ep"]
    expected = score(
        spec.space, rows, spec.task, recipe, NAMES, seed=3, draws=2, batch_size=8, hardware="cpu"
    )
    assert undisturbed.rows.tolist() == rows.tolist()
    assert undisturbed.manifest["sharing"] == "canonical"
    for name in NAMES:
        draws = expected.values[name]
        np.testing.assert_allclose(
            undisturbed.column(f"proxy/{name}"), draws.mean(1), rtol=1e-5, equal_nan=True
        )
        about = undisturbed.dataset(f"proxy/{name}").about
        assert about["kind"] == "computed"
        assert about["better"] == "high"
        assert about["draws"] == (1 if name == "params" else 2)
        assert (about["batch_size"], about["seed"]) == (8, 3)
        assert about["task"] == spec.task.describe()["hash"]
        assert about["network"] == {"channels": 4, "cells": 1}
        assert about["seconds"] >= 0
    assert undisturbed.dataset("proxy_draws/grad_norm").values.shape == (6, 2)
    assert "proxy_draws/params" not in undisturbed.manifest["datasets"]
    assert undisturbed.manifest["scoring"]["seconds"]["shared"] > 0


def test_missing_scores_have_a_reason(spec: BuildSpec, undisturbed: Table) -> None:
    told = undisturbed.missing("proxy/synflow")
    lost = np.flatnonzero(np.isnan(undisturbed.values("proxy/synflow", np.arange(8))))
    assert sorted(told) == lost.tolist()
    assert len(told) >= 2
    assert set(told.values()) == {"nothing of the image reaches the logits"}
    scopes = {entry["scope"] for entry in undisturbed.manifest["missing"]}
    assert scopes == {"proxy/synflow", "proxy_draws/synflow"}


def killed(out: Path) -> None:
    """What ends itself when four of the six are scored; in a process of its own."""
    scoring_room.ON_CPU = 2

    def told(what: str, done: int, total: int) -> None:
        if done == 4:
            signal.raise_signal(signal.SIGKILL)

    score_table(small_spec(), out, SCORING, processes=1, hardware="cpu", progress=told)


@pytest.mark.process
def test_killed_it_goes_on_to_the_same_bytes(
    spec: BuildSpec, undisturbed: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"
    with zygote.begun(killed, out) as (ended, _):
        ended.join(zygote.LIMIT)
    assert ended.exitcode == -signal.SIGKILL
    assert not out.exists()
    assert [e["architectures"] for e in journaled(out) if e["entry"] == "scores"] == [
        spec.space.representatives[i : i + 2].tolist() for i in (0, 2)
    ]
    journal_of(out).write_bytes(journal_of(out).read_bytes() + b"\n1234 torn")
    told: list[int] = []
    table = score_table(
        spec,
        out,
        SCORING,
        processes=1,
        hardware="cpu",
        progress=lambda what, done, total: told.append(done),
    )
    assert told == [4, 6]
    assert bytes_of(table) == bytes_of(undisturbed)
    assert table.manifest["content_sha256"] == undisturbed.manifest["content_sha256"]
    assert len(table.manifest["history"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_processes_change_no_byte(spec: BuildSpec, undisturbed: Table, tmp_path: Path) -> None:
    table = score_table(spec, tmp_path / "t.h5", SCORING, processes=2, hardware="cpu")
    assert bytes_of(table) == bytes_of(undisturbed)


def test_a_folder_that_a_kill_left_behind_goes(
    spec: BuildSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t.h5"
    close = BuildFolder.close
    monkeypatch.setattr(BuildFolder, "close", lambda self, remove: close(self, remove=False))
    score_table(spec, out, Scoring(("params",), 1, 8), processes=1)
    monkeypatch.undo()
    monkeypatch.setattr(scoring_room, "ON_CPU", 2)
    before = out.read_bytes()
    score_table(spec, out, Scoring(("params",), 1, 8), processes=1)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]
    with pytest.raises(NasbenchError, match="is there already: give another --out"):
        score_table(spec, out, Scoring(("params",), 1, 8), processes=1)


# A sample, and a table to join.


def test_a_larger_sample_holds_a_smaller_one(spec: BuildSpec, tmp_path: Path) -> None:
    only = Scoring(("params",), 1, 8, 1)
    rows = [
        score_table(spec, tmp_path / f"{n}.h5", only, sample=n, processes=1).rows.tolist()
        for n in (2, 4, 6)
    ]
    assert [len(found) for found in rows] == [2, 4, 6]
    assert set(rows[0]) < set(rows[1]) < set(rows[2])
    assert rows[2] == spec.space.representatives.tolist()
    with pytest.raises(NasbenchError, match="a sample of 6 distinct architectures has 1 to 6"):
        score_table(spec, tmp_path / "7.h5", only, sample=7, processes=1)


def imported(path: Path, space: CellSpace, rows: list[int]) -> Table:
    accuracy = np.linspace(10, 20, len(rows))
    about = {"kind": "imported", "epochs": [2]}
    return write_table(
        path,
        name="measured",
        space=space,
        rows=rows,
        sharing="none",
        recipes={"2ep": {"epochs": 2, "seeds": []}},
        datasets={"recipe/2ep/valid_accuracy": Dataset(accuracy, about)},
    )


def test_scores_join_the_table_that_they_are_of(spec: BuildSpec, tmp_path: Path) -> None:
    space = spec.space
    assert isinstance(space, CellSpace)
    measured = imported(tmp_path / "m.h5", space, list(range(8)))
    only = Scoring(("params", "synflow"), 1, 8)
    joined = score_table(spec, tmp_path / "t.h5", only, table=measured, processes=1)
    assert joined.name == "measured"
    np.testing.assert_array_equal(
        joined.values("valid_accuracy", np.arange(8)), measured.column("valid_accuracy")
    )
    # Every row has the score of its class.
    found = joined.values("proxy/params", np.arange(8))
    assert (found == found[space.classes]).all()
    assert len(np.unique(found)) > 2
    assert joined.dataset("proxy/params").about["kind"] == "computed"
    assert joined.dataset("recipe/2ep/valid_accuracy").about["kind"] == "imported"
    assert any("scoring" in source for source in joined.manifest["sources"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.h5", "t.h5"]


def test_only_the_architectures_of_the_table_are_scored(spec: BuildSpec, tmp_path: Path) -> None:
    assert isinstance(spec.space, CellSpace)
    few = spec.space.representatives[[1, 4]].tolist()
    measured = imported(tmp_path / "m.h5", spec.space, few)
    joined = score_table(
        spec, tmp_path / "t.h5", Scoring(("params",), 1, 8), table=measured, processes=1
    )
    known = np.isfinite(joined.column("proxy/params"))
    assert set(spec.space.classes[joined.rows[known]]) == set(few)


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        (Scoring(("synflov",)), "did you mean synflow"),
        (Scoring(()), "no proxy is named"),
        (Scoring(("params",), draws=0), "draws must be 1 or more"),
        (Scoring(("params",), batch_size=10_000), "digits has .* training examples"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    spec: BuildSpec, tmp_path: Path, scoring: Scoring, message: str
) -> None:
    with pytest.raises(NasbenchError, match=message):
        score_table(spec, tmp_path / "t.h5", scoring, processes=1)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_other_scores_is_refused(spec: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "t.h5"

    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    only = Scoring(("params",), 1, 8)
    with pytest.raises(Stopped):
        score_table(spec, out, only, processes=1, progress=stop)
    for other in (replace(only, seed=1), replace(only, draws=2), Scoring(("flops",), 1, 8)):
        with pytest.raises(NasbenchError, match="holds a build of another recipe"):
            score_table(spec, out, other, processes=1)
    space = nb.space("nb201-mini")
    measured = imported(tmp_path / "m.h5", space, [0, 5])
    with pytest.raises(NasbenchError, match="is of space nb201-mini, the recipe of small"):
        score_table(spec, out, only, table=measured, processes=1)
