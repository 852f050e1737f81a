"""Scores of a table in the place of shared weights: what they show is what the weights would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError
from nasbench.search.inherited import Inheriting, TrainedSupernet, inherited_table
from nasbench.search.share_columns import ScoreColumns, read_columns
from nasbench.search.share_runs import names_of_shares, read_shares, share_seeds, shares_beside
from nasbench.search.share_setting import ShareSetting
from nasbench.search.sharing import run_shared
from nasbench.search.step import Step
from nasbench.table import Dataset, Table, write_table
from tests.search.conftest import write_made_up

MINI = nb.space("nb201-mini")
RECIPE = nb.Recipe(epochs=1, train_images=64, valid_images=40, channels=4, cells=1, batch_size=32)
FEW = {"candidates": 12, "images": 40, "train_best": 2}


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> ShareSetting:
    """Two epochs of FairNAS on digits; a made-up table prices and judges."""
    path = tmp_path_factory.mktemp("prices") / "made-up.h5"
    table = write_made_up(path, recipes={"r": 1}, images=64)
    task = nb.task("digits")
    return ShareSetting("fairnas", MINI, task, "r", RECIPE, table, epochs=2, parameters=FEW)


@pytest.fixture(scope="module")
def scores(setting: ShareSetting, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Of two supernets, on the 40 validation images that a run scores on, too."""
    asked = Inheriting(setting, (TrainedSupernet("fairnas", 2),), (0, 1), images=40)
    out = tmp_path_factory.mktemp("scores") / "scores.h5"
    return inherited_table(asked, out, name="scores", about={})


@pytest.fixture(scope="module")
def on_columns(setting: ShareSetting, scores: Table) -> ShareSetting:
    return replace(setting, columns=read_columns(scores, "fairnas", 2))


def test_a_run_on_columns_is_the_run_that_trains(
    setting: ShareSetting, on_columns: ShareSetting, tmp_path: Path
) -> None:
    """Requests, prices, trainings and the choice of both; only moments are not judged."""
    for seed in (0, 1):
        real = run_shared(setting, seed, tmp_path / f"real{seed}.jsonl")
        quick = run_shared(on_columns, seed, tmp_path / f"quick{seed}.jsonl")
        steps = [line for line in real.lines if line.kind != "judge"]
        assert [line.asked for line in quick.lines] == [line.asked for line in steps]
        assert [line.clock for line in quick.lines] == [line.clock for line in steps]
        np.testing.assert_allclose(
            quick.lines[2].answer["loss"], steps[2].answer["loss"], atol=2e-5
        )
        assert quick.choice == real.choice


def test_seeds_take_supernets_in_turn(
    on_columns: ShareSetting, scores: Table, tmp_path: Path
) -> None:
    for seed in (0, 1, 3):
        oracle, _ = on_columns.make(seed)
        oracle.run(Step.train(np.zeros((4, 1, 3), dtype=np.int64), [0.1] * 4))
        found = oracle.run(Step.score(MINI.ops(scores.rows).astype(np.int64), 40))
        column = scores.column(f"proxy/fairnas2_accuracy_s{seed % 2}")
        np.testing.assert_array_equal(found.accuracy[:, 0], column.astype(np.float32))
    shares = share_seeds(on_columns, range(6), tmp_path)
    even = shares.regret[::2]
    assert shares.by_supernet[0] == pytest.approx(even.mean())
    assert shares.summary()["columns"]["seeds"] == [0, 1]
    again = read_shares(tmp_path, on_columns.table)
    assert again.by_supernet == shares.by_supernet
    assert shares_beside(on_columns.table, again)


def test_a_killed_run_on_columns_goes_on(on_columns: ShareSetting, tmp_path: Path) -> None:
    whole = tmp_path / "a.jsonl"
    run_shared(on_columns, 0, whole)
    torn = tmp_path / "b.jsonl"
    torn.write_bytes(whole.read_bytes()[:-40])
    run_shared(on_columns, 0, torn)
    assert torn.read_bytes() == whole.read_bytes()


def proxied(setting: ShareSetting, tmp_path: Path) -> tuple[ShareSetting, np.ndarray]:
    """A setting on a made-up proxy with two scores alike and one that is missing."""
    n = len(MINI.representatives)
    values = np.random.default_rng(0).permutation(n).astype(np.float64)
    values[0] = np.nan
    table = write_table(
        tmp_path / "proxies.h5",
        name="proxies",
        space=MINI,
        rows=np.asarray(MINI.representatives),
        sharing="canonical",
        recipes={},
        datasets={
            "proxy/odd": Dataset(values, {"kind": "computed", "better": "low", "seconds": 0.5})
        },
    )
    parameters = {**FEW, "candidates": n}
    own = replace(setting, strategy="rsps", epochs=1, parameters=parameters)
    return replace(own, columns=read_columns(f"{table.path}:odd", "rsps", 1)), values


def test_a_proxy_in_the_place_of_weights(setting: ShareSetting, tmp_path: Path) -> None:
    """The best by it are trained; its scores cost what they took, and nothing else is trained."""
    own, values = proxied(setting, tmp_path)
    run = run_shared(own, 0, tmp_path / "0.jsonl")
    trained = [line.asked[0] for line in run.lines if line.kind == "query"]
    order = np.argsort(np.where(np.isnan(values), np.inf, values))[:2]
    assert trained == [MINI.representatives[place] for place in order]
    kinds = [(line.kind, line.seconds) for line in run.lines[:2]]
    assert kinds == [("step", 0.0), ("step", pytest.approx(0.5 * len(values)))]
    shares = share_seeds(own, [0], tmp_path / "out")
    assert names_of_shares([shares]) == ["rsps by odd"]
    assert not shares.by_supernet


def test_names_say_in_what_runs_differ(on_columns: ShareSetting, tmp_path: Path) -> None:
    fewer = replace(on_columns, parameters={**FEW, "train_best": 1})
    runs = [share_seeds(s, [0], tmp_path / f"{i}") for i, s in enumerate((on_columns, fewer))]
    assert names_of_shares(runs) == ["fairnas, train_best=2", "fairnas, train_best=1"]
    assert names_of_shares([runs[0], runs[0]]) == ["fairnas (1)", "fairnas (2)"]
    assert names_of_shares(runs[:1]) == ["fairnas"]


def test_scores_of_other_weights_are_refused(
    setting: ShareSetting, on_columns: ShareSetting, scores: Table, tmp_path: Path
) -> None:
    with pytest.raises(BadValue, match="has no inherited scores of spos2, and these: fairnas2"):
        read_columns(scores, "spos", 2)
    held = on_columns.columns
    assert isinstance(held, ScoreColumns)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"strategy": "enas", "parameters": {}}, "enas asks more of shared weights"),
        ({"strategy": "ofa", "parameters": {}}, "ofa asks more of shared weights"),
        ({"norm": "running"}, "differ in their sharing: norm batch"),
        ({"recipe": replace(RECIPE, batch_size=16)}, "differ in their recipe"),
        ({"parameters": {**FEW, "images": 30}}, "was scored on 40 examples"),
        ({"parameters": {**FEW, "learning_rate": 0.1}}, "trained by another learning_rate"),
        ({"table": None}, "priced by a table"),
        ({"space": nb.space("nb201"), "table": nb.load("nb201-fashion16")}, "are not of nb201"),
    ]
    for changed, said in changes:
        with pytest.raises(NasbenchError, match=said):
            replace(on_columns, **changed)
    own, _ = proxied(setting, tmp_path)
    with pytest.raises(BadValue, match="without training: leave epochs out"):
        replace(own, epochs=2)


def test_columns_know_the_end_alone(on_columns: ShareSetting) -> None:
    oracle, _ = on_columns.make(0)
    path = np.zeros((1, 3), dtype=np.int64)
    for step, said in (
        (Step.score(path, 40), "at the end of the training"),
        (Step.mix(np.zeros((3, 5), dtype=np.float32), 0.1), "trained by their labels"),
        (Step.train(path[None], [0.1], distil=True), "trained by their labels"),
    ):
        with pytest.raises(NasbenchError, match=said):
            oracle.run(step)
