"""`nasbench share`: runs, their page, and what is refused before anything is trained."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from beginnings import check_beginning

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search.share_runs import read_shares

RECIPE = """space = "nb201"
task = "digits"

[recipe.small]
epochs = 1
train_images = 64
valid_images = 32
channels = 4
cells = 1
batch_size = 32
"""
FEW = ("--epochs", 1, "--set", "candidates=4", "--processes", 1)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_runs_are_kept_judged_and_shown(cli, recipe, tmp_path):
    words = ("share", "fairnas", recipe, "--table", "nb201-fashion16", *FEW, "--out", tmp_path)
    done = cli(*words, "--seeds", 2, "--processes", 2)
    assert done.status == 0, done.err
    assert "What fairnas chose" in done.out
    kept = (tmp_path / "1.jsonl").read_bytes()
    again = cli(*words, "--seeds", "0-1", "--json")
    assert (tmp_path / "1.jsonl").read_bytes() == kept
    found = json.loads(again.out)
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    assert found["runs"][0]["rank"] >= 1
    assert found == json.loads((tmp_path / "summary.json").read_text())
    page = (tmp_path / "index.html").read_text()
    assert "two trainings of the table" in page
    assert "by the statistics of the scored examples themselves" in page
    best = min(found["runs"], key=lambda run: run["regret"])
    answer = (
        f"Of 2 runs seed {best['seed']} has the best choice, architecture {best['architecture']} "
    )
    assert answer in page
    assert f"place {best['rank']:,} of 5,234 rows" in page
    (command,) = check_beginning(tmp_path / "index.html", " of 2026-11-22")
    words = shlex.split(command.replace("RECIPE", str(recipe)))[1:]
    assert cli(*words[:-1], tmp_path).status == 0
    assert (tmp_path / "1.jsonl").read_bytes() == kept


def test_without_a_table_seconds_are_measured(cli, recipe, tmp_path):
    done = cli("share", "rsps", recipe, "--table", "none", *FEW, "--out", tmp_path, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["priced"] == {"kind": "measured"}
    assert found["runs"][0]["regret"] is None
    check_beginning(tmp_path / "index.html")
    (line,) = (tmp_path / "choices.txt").read_text().splitlines()
    assert line == f"{found['runs'][0]['architecture']}  # seed 0: {found['runs'][0]['string']}"
    assert "No table judges them" in (tmp_path / "report.md").read_text()


def test_without_a_table_a_page_speaks_of_no_ranks(cli, recipe, tmp_path):
    words = ("share", "enas", recipe, "--table", "none", *FEW, "--set", "controller_steps=1")
    assert cli(*words, "--out", tmp_path).status == 0
    page = (tmp_path / "index.html").read_text()
    assert "What the strategy was sure of at moments of the training" in page
    assert "How inherited losses rank" not in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("share", "random_search"), "shares no weights: nasbench search"),
        (("share", "fairnass"), "unknown strategy 'fairnass'"),
        (("share", "fairnas", "--norm", "mean"), "unknown statistics of BatchNorm 'mean'"),
        (("share", "fairnas", "--engine", "fast"), "unknown engine of shared weights 'fast'"),
        (("share", "fairnas", "--set", "candidate=3"), "unknown parameter of fairnas 'candidate'"),
        (("share", "fairnas", "--set", "schedule=3"), "set epochs, not schedule"),
        (("share", "fairnas", "--begin-in", "nb201-mini:9"), "shared weights have the shapes of"),
        (("search", "fairnas", "--budget-evaluations", 3), "nasbench share fairnas"),
    ],
)
def test_what_cannot_be_run_is_said_at_once(words, said, cli, recipe, tmp_path):
    out = tmp_path / "out"
    command, strategy, *rest = words
    source = (recipe,) if command == "share" else ()
    table = ("--table", "nb201-fashion16")
    found = cli(command, strategy, *source, *table, *rest, "--out", out)
    assert found.status == 2
    assert said in found.err
    assert found.err.count("\n") == 1
    assert not out.exists()


def test_a_recipe_without_a_table_of_its_name(cli, recipe, tmp_path):
    found = cli("share", "fairnas", recipe, "--out", tmp_path)
    assert found.status == 2
    assert "name one with --table, or --table none" in found.err


def test_inherited_scores_become_columns(cli, recipe, tmp_path):
    small = tmp_path / "small.toml"
    small.write_text(recipe.read_text().replace('"nb201"', '"nb201-mini"'))
    words = ("proxies", "inherited", small, "--by", "spos1", "--images", 20)
    done = cli(*words, "--workers", 1, "--out", tmp_path / "t.h5")
    assert done.status == 0, done.err
    assert "proxy/spos1_loss_s0, proxy/spos1_accuracy_s0" in done.out
    refused = cli(
        "proxies", "inherited", small, "--by", "random_search", "--out", tmp_path / "n.h5"
    )
    assert refused.status == 2
    assert "random_search shares no weights" in refused.err


def test_scores_of_a_table_stand_in_the_place_of_weights(cli, tmp_path):
    words = ("share", "fairnas", "nb201-fashion16", "--scores", "nb201-fashion16-oneshot")
    out = tmp_path / "out"
    done = cli(*words, "--seeds", 2, "--set", "train_best=5", "--out", out, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["columns"]["seeds"] == [0, 1, 2, 3, 4]
    assert found["runs"][0]["moments"] == []
    page = (out / "index.html").read_text()
    assert "Nothing was trained together" in page
    assert "The runs share 2 supernets" in page
    proxy = ("share", "rsps", "nb201-fashion16", "--scores", "nb201-fashion16-proxies:zen")
    done = cli(*proxy, "--out", tmp_path / "zen")
    assert done.status == 0, done.err
    assert "What rsps by zen chose" in done.out
    refused = cli("share", "darts", *proxy[2:], "--out", tmp_path / "no")
    assert refused.status == 2
    assert "darts asks more of shared weights" in refused.err
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_shared_weights_stand_beside_searches(cli, recipe, tmp_path):
    shared, out = tmp_path / "shared", tmp_path / "out"
    words = ("--table", "nb201-fashion16")
    assert not cli("share", "fairnas", recipe, *words, *FEW, "--out", shared).status
    compare = ("compare", *words, "--strategies", "random_search", "--budget-seconds", 20)
    done = cli(*compare, "--seeds", 2, "--share", shared, "--out", out, "--processes", 1)
    assert done.status == 0, done.err
    found = json.loads((out / "summary.json").read_text())
    assert found["shared"]["fairnas"]["n"] == 1
    page = (out / "index.html").read_text()
    assert "Shared weights beside searches" in page
    assert "--share SHARED1" in page  # the command that makes it again
    shares = read_shares(shared, nb.load("nb201-fashion16"))
    said: dict[str, Any] = {"budget_seconds": 20, "seeds": range(2), "processes": 1}
    for share in (shares, [shared]):
        one = nb.compare(["random_search"], "nb201-fashion16", share=share, **said)
        assert one.summary() == found
    assert shares.frame()["architecture"].tolist() == shares.choices.tolist()
    assert "What fairnas chose" in shares._repr_html_()
    assert repr(shares).startswith("<Shares fairnas, 1 run: ")
    with pytest.raises(BadValue, match="searches on one table"):
        nb.compare(["random_search"], ["nb201-fashion16"], share=shared, **said)
    measured = tmp_path / "measured"
    assert not cli("share", "rsps", recipe, "--table", "none", *FEW, "--out", measured).status
    for folder, said in ((measured, "are priced by the clock"), (out, "holds no runs that share")):
        refused = cli(*compare, "--share", folder, "--out", tmp_path / "no")
        assert refused.status == 2
        assert said in refused.err
        assert not (tmp_path / "no").exists()
