"""Bounds, objectives and soft targets as words of the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nasbench as nb
from nasbench.cli.goals import parse_limits, parse_objectives, parse_targets
from nasbench.errors import NasbenchError
from nasbench.search import Limit, Objective, SoftTarget
from nasbench.stats import pareto_front

DEVICE = "cpu-onnxruntime-b1"
LATENCY = f"{DEVICE}/latency_ms"


def test_words_are_read():
    assert parse_limits(["a/b_ms<=5", "valid_accuracy >= 90"]) == (
        Limit("a/b_ms", at_most=5.0),
        Limit("valid_accuracy", at_least=90.0),
    )
    assert parse_objectives(["a/b_ms", "top1"]) == (Objective("a/b_ms", False), Objective("top1"))
    assert parse_objectives(["a/b_ms:min", "valid_loss : max"]) == (
        Objective("a/b_ms", maximize=False),
        Objective("valid_loss", maximize=True),
    )
    assert parse_targets(["a/b_ms<=5", "a/b_ms<=5^-0.1", "c <= 1e3 ^ 0,-1"]) == (
        SoftTarget("a/b_ms", 5.0),
        SoftTarget("a/b_ms", 5.0, -0.1, -0.1),
        SoftTarget("c", 1000.0, 0.0, -1.0),
    )
    assert parse_limits(None) == parse_objectives(None) == parse_targets(None) == ()


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_limits, "a<5"),
        (parse_limits, "a=5"),
        (parse_limits, "a<=five"),
        (parse_limits, ""),
        (parse_objectives, "a"),
        (parse_objectives, "a:low"),
        (parse_targets, "a:5"),
        (parse_targets, "a>=5"),
        (parse_targets, "a<="),
        (parse_targets, "a<=5^"),
        (parse_targets, "a<=5^-1,-1,-1"),
        (parse_targets, "a<=5^-1,low"),
    ],
)
def test_what_is_malformed_is_told_with_the_form(parse, text):
    with pytest.raises(NasbenchError, match=r"^--\w+ takes METRIC.*, got '"):
        parse([text])


def test_search_shows_the_front(cli, table):
    words = ("--budget-evaluations", 27, "--set", "repeats=false", "--objective", f"{LATENCY}:min")
    done = cli("search", "random_search", "--table", table, *words, "--json")
    found = json.loads(done.out)
    opened = nb.load(str(table))
    cost = opened.cost(DEVICE, "latency_ms", np.arange(27))
    accuracy = opened.values("valid_accuracy", np.arange(27))
    front = pareto_front(cost, accuracy)[::-1]
    assert [point[LATENCY] for point in found["front"]] == cost[front].tolist()
    assert [point["valid_accuracy"] for point in found["front"]] == accuracy[front].tolist()
    assert found["valid_accuracy"] == found["front"][0]["valid_accuracy"]
    shown = cli("search", "random_search", "--table", table, *words).out
    assert shown.count("\nfront ") == len(front)


def test_the_least_latency_of_what_is_accurate_enough(cli, table):
    opened = nb.load(str(table))
    cost = opened.cost(DEVICE, "latency_ms", np.arange(27))
    accuracy = opened.values("valid_accuracy", np.arange(27))
    bound = float(np.median(accuracy))
    words = ("--metric", LATENCY, "--limit", f"valid_accuracy>={bound}")
    words += ("--budget-evaluations", 27, "--set", "repeats=false")
    done = cli("search", "random_search", "--table", table, *words, "--json")
    assert json.loads(done.out)[LATENCY] == cost[accuracy >= bound].min()
    done = cli("search", "random_search", "--table", table, *words)
    assert f" {LATENCY}, less is better\n" in done.out
    done = cli("search", "random_search", "--table", table, *words, "--maximize", "--json")
    assert json.loads(done.out)[LATENCY] == cost[accuracy >= bound].max()


@pytest.mark.parametrize("command", ["search", "compare"])
def test_a_limit_that_no_row_keeps_is_refused_before_any_search(cli, table, tmp_path, command):
    out = tmp_path / "out"
    strategies = ("random_search",) if command == "search" else ("--strategies", "random_search")
    words = ("--table", table, "--budget-evaluations", 3, "--out", out)
    done = cli(command, *strategies, *words, "--limit", f"{LATENCY}<=1e-9")
    assert done.status == 2
    assert f"keeps the limit {LATENCY} <= 1e-09: its values are from " in done.err
    assert done.err.count("\n") == 1
    assert not out.exists()
    done = cli(command, *strategies, *words, "--limit", "flops<=3", "--limit", "flops>=4")
    assert (done.status, "contradict each other" in done.err) == (2, True)


def test_a_limit_on_the_network(cli, table):
    opened = nb.load(str(table))
    flops = opened.values("flops", np.arange(27))
    accuracy = opened.values("valid_accuracy", np.arange(27))
    bound = float(np.median(flops))
    words = ("--budget-evaluations", 27, "--set", "repeats=false", "--limit", f"flops<={bound}")
    found = json.loads(cli("search", "random_search", "--table", table, *words, "--json").out)
    assert found["valid_accuracy"] == accuracy[flops <= bound].max()
    assert found["flops"] <= bound


def test_a_soft_target(cli, table):
    opened = nb.load(str(table))
    cost = opened.cost(DEVICE, "latency_ms", np.arange(27))
    accuracy = opened.values("valid_accuracy", np.arange(27))
    at = float(np.quantile(cost, 0.2))
    words = (
        "--budget-evaluations",
        27,
        "--set",
        "repeats=false",
        "--soft",
        f"{LATENCY}<={at}^0,-1",
    )
    found = json.loads(cli("search", "random_search", "--table", table, *words, "--json").out)
    best = int((accuracy / np.maximum(cost / at, 1)).argmax())
    assert found["valid_accuracy"] == accuracy[best]
    assert found[LATENCY] == cost[best]


def test_compare_with_several_objectives(cli, table, tmp_path):
    words = ("--strategies", "random_search,mo_rea", "--budget-evaluations", 12, "--seeds", 3)
    words += ("--objective", f"{LATENCY}:min", "--soft", f"{LATENCY}<=1", "--processes", 1)
    done = cli("compare", "--table", table, *words, "--out", tmp_path, "--json")
    summary = json.loads(done.out)
    assert summary == json.loads((tmp_path / "summary.json").read_text())
    for name in ("random_search", "mo_rea"):
        assert 0 < summary["strategies"][name]["hypervolume"]["mean"] <= 1
    text = (tmp_path / "report.md").read_text()
    assert "How much of the front is found" in text
    figures = {path.stem.split("-", 1)[1] for path in (tmp_path / "figures").glob("*.svg")}
    assert {"fronts", "hypervolume-seconds", "hypervolume-evaluations"} <= figures
    out = tmp_path / "page"
    again = cli("report", table, "--compare", tmp_path, "--out", out)
    assert again.status == 0, again.err
    assert "The fronts that were found" in (out / "index.html").read_text()
