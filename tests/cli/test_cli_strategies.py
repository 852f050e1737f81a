"""Which strategies there are, and what a search says of its budget and its time."""

import json

import pytest

from nasbench.cli.common import parse_seeds
from nasbench.errors import NasbenchError
from nasbench.search import strategy_names


def test_strategies_are_listed_with_what_they_take(cli):
    listed = cli("strategies")
    assert (listed.status, listed.err) == (0, "")
    assert [line.split()[0] for line in listed.out.splitlines()] == list(strategy_names())
    assert "hyperband" in listed.out
    assert (
        "Hyperband, algorithm 1 of Li et al.; trains in parts  (eta=3, min_epochs=1)" in listed.out
    )
    found = json.loads(cli("strategies", "--json").out)
    assert [info["name"] for info in found["strategies"]] == list(strategy_names())
    assert found["strategies"][-1]["parameters"]["multivariate"] is False
    assert "nasbench strategies" in cli("search", "--help").out


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("0-3", [0, 1, 2, 3]), ("7", list(range(7))), ("2, 5-6,2", [2, 5, 6])],
)
def test_seeds_are_how_many_or_which(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "", "-3", "3-1", "a", "1e3", "0-99999999", "1,", "٣"])
def test_other_seeds_are_refused(text):
    with pytest.raises(NasbenchError, match=r"^--seeds takes "):
        parse_seeds(text)


def test_budgets_name_their_options(cli, table):
    done = cli("search", "random_search", "--table", table)
    assert done.status == 2
    assert "--budget-evaluations, --budget-epochs or --budget-seconds" in done.err


def test_a_search_says_what_it_trained(cli, table):
    words = ("search", "random_search", "--table", table, "--budget-epochs", 4)
    found = json.loads(cli(*words, "--json").out)
    assert found["trained_epochs"] == 4
    assert found["simulated_seconds"] > 0
    shown = cli(*words)
    assert "trained" in shown.out
    assert " 4 epochs, " in shown.out
    assert "the budget in epochs is spent" in shown.out


def test_a_table_without_times_says_that_time_is_unknown(cli, tmp_path):
    space = tmp_path / "s.toml"
    space.write_text('name = "s"\n\n[decisions]\nwidth = ["w8", "w16", "w32"]\n')
    rows = "".join(f"w{width},{width}\n" for width in (8, 16, 32))
    (tmp_path / "t.csv").write_text(f"architecture,valid_accuracy\n{rows}")
    source = ("import", "csv", tmp_path / "t.csv", "--space", space, "--recipe", "r")
    made = cli(*source, "--epochs", 3, "--out", tmp_path / "t.h5")
    assert made.status == 0, made.err
    words = ("search", "random_search", "--table", tmp_path / "t.h5", "--budget-evaluations", 2)
    assert "unknown: there are no training times" in cli(*words).out
    assert json.loads(cli(*words, "--json").out)["simulated_seconds"] is None
    timed = cli(*words, "--seconds-per-epoch", 2)
    assert "simulated       12.0 s" in timed.out


@pytest.mark.parametrize(
    "words",
    [
        ("search", "random_search"),
        ("compare", "--strategies", "random_search", "--out", "compared"),
    ],
)
def test_without_landlock_it_is_said_that_files_can_be_read(words, cli, monkeypatch):
    monkeypatch.setattr("nasbench.search.confinement.landlock", lambda: 0)
    found = cli(*words, "--table", "nothere", "--budget-evaluations", 1, "--isolate")
    assert found.status == 2
    assert "no Landlock: strategies are given no path, but may read your files" in found.err
