"""Samples from the command line: dry run, table, what is said of it, and what is refused."""

from __future__ import annotations

import json
import re

import pytest

import nasbench as nb
from nasbench.cli.common import complete_proxy

pytestmark = pytest.mark.heavy

RECIPE = """
name = "mini"
task = "digits"
seeds = 2
space = "nb201-mini"

[recipe.1ep]
epochs = 1
train_images = 60
valid_images = 50
test_images = 40
channels = 2
cells = 1
"""


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    """Of which most of the time of a round would be."""
    monkeypatch.setattr("nasbench.building.rounds.RESAMPLES", 40)


@pytest.fixture(scope="module")
def mini_recipe(tmp_path_factory):
    """All of nb201-mini, 65 distinct cells, in seconds."""
    path = tmp_path_factory.mktemp("mini") / "mini.toml"
    path.write_text(RECIPE)
    return path


def test_a_sample_is_trained_the_rest_predicted_and_both_are_told(cli, mini_recipe, tmp_path):
    out = tmp_path / "t.h5"
    words = ("build", mini_recipe, "--out", out, "--sample", 20, "--complete", "--workers", 1)
    dry = cli(*words, "--dry-run")
    assert dry.status == 0, dry.err
    assert "40: 20 of 65 distinct networks × 2 seeds" in dry.out
    assert not out.exists()

    found = json.loads(cli(*words, "--json").out)
    assert (found["rows"], found["rows_trained"], found["rows_predicted"]) == (65, 20, 45)
    assert found["sample"]["rounds"][-1]["kendall"]["n"] == 4
    done = cli(*words)
    assert done.status == 0, done.err
    assert f"{out}: 20 rows trained (active), 45 predicted from 16 of them" in done.out
    assert "on 4 random architectures that no fit saw; the noise of 2 seeds leaves" in done.out
    assert "All 20 that were asked for are trained." in done.out
    info = cli("info", out).out
    assert "predicted/1ep/valid_accuracy" in info
    assert "45 of 65 rows" in info
    assert nb.load(out).name == "mini-completed"
    assert json.loads(cli(*words, "--dry-run", "--json").out)["journaled"] == 40

    whole = cli("build", mini_recipe, "--out", out, "--workers", 1)
    assert whole.status == 0, whole.err
    assert not nb.load(out).predicted("valid_accuracy").any()
    assert not out.with_name("t.h5.build").exists()


def test_a_sample_alone_is_a_table_of_its_rows(cli, mini_recipe, tmp_path):
    out = tmp_path / "t.h5"
    words = ("build", mini_recipe, "--out", out, "--sample", 5, "--design", "stratified")
    done = cli(*words, "--workers", 1)
    assert done.status == 0, done.err
    said = f"{out}: 5 rows (stratified by flops), all trained. The trainings stay in {out}.build"
    assert said in done.out
    assert len(nb.load(out).rows) == 5


def test_only_what_a_file_names_is_trained_with_every_seed(cli, mini_recipe, tmp_path):
    """A class once, in whatever words; a longer list goes on from a shorter one."""
    space, out, chosen = nb.space("nb201-mini"), tmp_path / "t.h5", tmp_path / "chosen.txt"
    alike = next(int(a) for a in range(space.size) if space.canonical(a) != a)
    first = int(space.canonical(alike))
    words = ("build", mini_recipe, "--out", out, "--only", chosen, "--workers", 1)
    chosen.write_text(f"{alike}  # seed 3\n{first}\n{space.string(62)}\n")
    done = cli(*words)
    assert done.status == 0, done.err
    assert f"{out}: 2 rows (named), all trained." in done.out
    assert "with a longer list, or without --only, goes on from them" in done.out
    table = nb.load(out)
    wanted = {first, int(space.canonical(62))}
    assert set(table.rows.tolist()) == set(table.manifest["sample"]["chosen"]) == wanted
    assert table.manifest["sample"]["held_out"] == []
    assert table.seeds["1ep"] == (0, 1)
    before = {row: table.values("test_accuracy", [row])[0] for row in sorted(wanted)}
    chosen.write_text(f"{space.string(62)}\n7\n{first}\n")
    dry = json.loads(cli(*words, "--dry-run", "--json").out)
    assert (dry["trainings"], dry["journaled"]) == (6, 4)
    assert cli(*words).status == 0
    longer = nb.load(out)
    assert len(longer.rows) == 3
    assert {row: longer.values("test_accuracy", [row])[0] for row in sorted(wanted)} == before


@pytest.mark.slow
def test_a_sample_can_be_spread_by_a_proxy(cli, mini_recipe, tmp_path):
    out = tmp_path / "t.h5"
    words = ("build", mini_recipe, "--out", out, "--sample", 5, "--design", "stratified")
    words = (*words, "--by", "nwot", "--workers", 1)
    dry = cli(*words, "--dry-run")
    assert re.search(r"^scoring by nwot +[.\d]+ s$", dry.out, re.M)
    assert re.search(r"^counting parameters and FLOPs +[.\d]+ s$", dry.out, re.M)
    assert "The time of scoring by nwot, which comes before training" in dry.out
    assert not out.with_name("t.h5.build").exists()
    done = cli(*words)
    assert done.status == 0, done.err
    by = nb.load(out).manifest["sample"]["by"]
    assert {key: by[key] for key in ("proxy", "seed", "draws")} == {
        "proxy": "nwot",
        "seed": 0,
        "draws": 1,
    }
    # Of nb201-mini's cells some lead nothing of the image to the end.
    assert by["unscored"] > 0
    stand_last = f"{by['unscored']} to choose from have no score and stand last"
    assert f"{out}: 5 rows (stratified by nwot; {stand_last}), all trained." in done.out
    again = json.loads(cli(*words, "--json").out)
    assert again["sample"] == nb.load(out).manifest["sample"]


def test_tab_completes_the_proxies_of_a_sample():
    assert complete_proxy("nw") == ["nwot"]
    assert {"params", "flops", "synflow"} <= set(complete_proxy(""))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--complete",), "--complete, --design, --by and --seed are of a sample: give --sample N"),
        (("--by", "nwot"), "are of a sample: give --sample N"),
        (("--design", "active"), "are of a sample: give --sample N"),
        (("--seed", 3), "are of a sample: give --sample N"),
        (("--sample", 70), "1 to 64 of them, got 70; leave --sample out to train them all"),
        (("--sample", 9, "--complete"), "15 to 64 of them, to fit on some and hold out others"),
        (("--sample", 9, "--shard", "1/2"), "one command: --sample or --shard"),
        (("--sample", 9, "--design", "activ"), "unknown design 'activ'; did you mean active?"),
        (("--only", "NAMES", "--sample", 9), "--only says which architectures are trained: leave"),
        (("--only", "NAMES", "--complete"), "--only says which architectures are trained: leave"),
        (("--only", "NAMES", "--shard", "1/2"), "one command: --only or --shard"),
        (("--only", "nowhere.txt"), "cannot read --only nowhere.txt"),
        (("--sample", 9, "--by", "nwot"), "this one is random: give --design stratified"),
        (
            ("--sample", 9, "--design", "stratified", "--by", "naswot"),
            "unknown proxy 'naswot'; did you mean",
        ),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(cli, mini_recipe, tmp_path, more, said):
    names = mini_recipe.with_name("names.txt")
    names.write_text("5\n62\n")
    words = [str(names) if word == "NAMES" else word for word in more]
    done = cli("build", mini_recipe, "--out", tmp_path / "t.h5", *words)
    assert done.status == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
