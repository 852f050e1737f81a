"""Before a build and after it: pilot, dry run and training rows again, from the command line."""

from __future__ import annotations

import json

import pytest

import nasbench as nb

pytestmark = pytest.mark.heavy

PILOT = ("--budget", "600s", "--seeds", 3, "--cells", 12, "--workers", 1, "--hardware", "cpu")


@pytest.fixture(scope="module")
def candidates(recipe, tmp_path_factory):
    """The recipe of the other tests, and one of a single epoch."""
    path = tmp_path_factory.mktemp("candidates") / "candidates.toml"
    text = recipe.read_text()
    one = text[text.index("[recipe.2ep]") : text.index("[[device]]")]
    path.write_text(text + one.replace("2ep", "1ep").replace("epochs = 2", "epochs = 1"))
    return path


def test_pilot_says_what_each_recipe_is_worth(cli, candidates, table, tmp_path):
    out = tmp_path / "p.json"
    words = (candidates, *PILOT, "--out", out)
    done = cli("pilot", *words, "--reference", table)
    assert done.status == 0, done.err
    for part in ("CPU-hours", "1ep", "2ep", "FLOPs alone", "better half, n = 6", "too little"):
        assert part in done.out
    assert "the reference is valid_accuracy of 2ep in tiny" in " ".join(done.out.split()).lower()
    # Nothing is trained again without the reference, and the file says what was printed.
    found = json.loads(cli("pilot", *words, "--json").out)
    assert found == json.loads(out.read_text())
    assert found["reference"] is None
    assert len(found["cells"]) == 12
    assert set(found["candidates"]) == {"1ep", "2ep"}
    assert found["candidates"]["2ep"]["scopes"]["all cells"]["seeds"]["n"] == 12
    assert "reference" not in cli("pilot", *words).out


def test_pilot_refuses_a_reference_of_another_space(cli, table, tmp_path):
    words = ("--reference", table, "--out", tmp_path / "p.json", *PILOT)
    done = cli("pilot", "nb201-mini-fashion16", *words)
    assert done.status == 2
    assert "the reference tiny is of space pairs, the candidates of nb201-mini" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("budget", ["20", "m", "0m", "-5m", "20 min"])
def test_a_budget_has_a_unit(cli, candidates, tmp_path, budget):
    done = cli("pilot", candidates, f"--budget={budget}", "--out", tmp_path / "p.json")
    assert done.status == 2
    assert "such as 20m" in done.err


def test_dry_run_trains_nothing_for_keeps(cli, recipe, tmp_path):
    words = ("build", recipe, "--out", tmp_path / "t.h5", "--workers", 1, "--dry-run")
    found = json.loads(cli(*words, "--json").out)
    assert found["trainings"] == found["distinct"] * 2
    assert not list(tmp_path.iterdir())
    done = cli(*words)
    assert done.status == 0, done.err
    assert f"{found['trainings']}: {found['distinct']} distinct networks × 2 seeds" in done.out
    assert "cpu-onnxruntime-b1" in done.out
    assert f"{found['table_bytes'] / 1e6:.2f} MB" in done.out
    for more in (("--shard", "1/2"), ("--executor", "ray")):
        refused = cli(*words, *more)
        assert refused.status == 2
        assert "whole build on this machine" in refused.err


def test_verify_trains_rows_again(cli, table):
    done = cli("verify", table, "--retrain", 4, "--workers", 1)
    assert done.status == 0, done.err
    assert "4 of 4, bit for bit" in done.out
    found = json.loads(cli("verify", table, "--retrain", 4, "--workers", 1, "--json").out)
    assert found["whole"]
    assert found["retrained"]["identical"] == 4
    [again, *_] = found["retrained"]["rows"]
    stored = nb.load(table).values("valid_accuracy", again["architecture"], seed=again["seed"])
    assert again["stored"] == stored


def test_rows_that_do_not_agree_are_status_1(cli, table, monkeypatch):
    monkeypatch.setattr("nasbench.building.retrain.train_units", _off(90))
    done = cli("verify", table, "--retrain", 6, "--workers", 1)
    assert done.status == 1
    assert "the rows do not agree" in done.out
    assert "points of valid accuracy on average" in done.out


def _off(points):
    """Trainings that end so many points lower."""
    from nasbench.building.executor import train_units

    def train(*given):
        for unit, record in train_units(*given):
            record.curves["valid_accuracy"][:] -= points
            yield unit, record

    return train
