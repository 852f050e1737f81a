"""The fronts of a comparison against a slow computation, and moocore's hypervolume."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import Comparison, Evaluation, Limit, Objective, SoftTarget, compare, search
from nasbench.search.fronts import Fronts
from nasbench.surrogate import fit
from nasbench.table import Table

COST = Objective("toy/latency_ms", maximize=False)
STRATEGIES = ("random_search", "mo_rea", "successive_halving")
COMMON: dict[str, Any] = {
    "budget_seconds": 150.0,
    "seeds": range(4),
    "search_recipe": "short",
    "report_recipe": "long",
    "objectives": [COST],
    "failures": 0.1,
}


def fronts_of(comparison: Comparison) -> Fronts:
    assert comparison.fronts is not None
    return comparison.fronts


@pytest.fixture(scope="module", params=[(), (Limit("toy/latency_ms", 0.7),)])
def comparison(made_up_table: Table, request: pytest.FixtureRequest) -> Comparison:
    return compare(STRATEGIES, made_up_table, **COMMON, limits=request.param)


def _front(points: dict[int, tuple[float, float]]) -> set[int]:
    """Those for which no other is as good in both and better in one; of equals the first."""
    return {
        a
        for place, (a, (x, y)) in enumerate(points.items())
        if not any(
            u >= x and v >= y and (u > x or v > y or other < place)
            for other, (b, (u, v)) in enumerate(points.items())
            if b != a
        )
    }


def test_shares_over_both_axes_against_a_slow_computation(
    made_up_table: Table, comparison: Comparison
) -> None:
    table, fronts = made_up_table, fronts_of(comparison)
    at_end = table.curves("valid_accuracy", recipe="long")[:, :, -1].astype(float).mean(1)
    latency = table.device_column("toy", "latency_ms")
    limits = comparison.protocol.limits
    allowed = latency <= limits[0].at_most if limits else latency < math.inf
    worst = (-at_end[allowed].min(), latency[allowed].max())
    whole = moocore.hypervolume(np.stack((-at_end, latency), 1)[allowed], ref=worst)
    oracle = comparison.setting.oracle()

    def share(done: list[Evaluation]) -> float:
        """Of what was trained farthest what none dominates, as it was shown; then looked up."""
        known = [
            e
            for e in done
            if not math.isnan(e.outcome.values["valid_accuracy"])
            and allowed[table.row_of[e.query.architecture]]
        ]
        if not known:
            return math.nan
        farthest = max(e.query.epochs for e in known)
        points: dict[int, tuple[float, float]] = {}
        for e in known:
            if e.query.epochs == farthest:
                values = e.outcome.values
                points[e.query.architecture] = values["valid_accuracy"], -values["toy/latency_ms"]
        rows = table.row_of[list(_front(points))]
        found = np.stack((-at_end[rows], latency[rows]), axis=1)
        return moocore.hypervolume(found, ref=worst) / whole

    for name in STRATEGIES:
        final = fronts.shares(name)
        for seed in range(4):
            done = search(comparison.setting.spec(name, seed, oracle), oracle).evaluations
            assert final[seed] == pytest.approx(share(done))
            seconds, evaluations = fronts.curves["seconds"], fronts.curves["evaluations"]
            for i in range(0, len(seconds.grid), 20):
                until = [e for e in done if e.finished <= seconds.grid[i]]
                expected = 1 - share(until)
                assert seconds.regret[name][seed, i] == pytest.approx(expected, nan_ok=True)
            for i in range(0, len(evaluations.grid), 7):
                until = done[: int(evaluations.grid[i])]
                expected = 1 - share(until)
                assert evaluations.regret[name][seed, i] == pytest.approx(expected, nan_ok=True)


def test_a_search_of_everything_finds_the_whole_front(made_up_table: Table) -> None:
    found = compare(
        ["random_search"],
        made_up_table,
        budget_evaluations=125,
        seeds=[0, 1],
        parameters={"random_search": {"repeats": False}},
        search_recipe="short",
        objectives=[COST, Objective("flops", maximize=False)],
    )
    fronts = fronts_of(found)
    assert fronts.shares("random_search") == pytest.approx([1, 1])
    for rows in fronts.found("random_search"):
        assert set(rows.tolist()) == set(fronts.true_front.tolist())
    latency = made_up_table.device_column("toy", "latency_ms")
    flops = made_up_table.column("flops")
    worst = found.summary()["fronts"]["reference"]
    assert worst["toy/latency_ms"] == latency.max()
    assert worst["flops"] == flops.max()
    accuracy = made_up_table.column("valid_accuracy", recipe="short")
    assert worst["valid_accuracy"] == accuracy.min()


def test_summary_has_hypervolume_beside_what_it_had(comparison: Comparison) -> None:
    summary = comparison.summary()
    for name in STRATEGIES:
        stat = summary["strategies"][name]["hypervolume"]
        shares = fronts_of(comparison).shares(name)
        assert list(stat) == ["mean", "std", "median", "low", "high"]
        assert stat["mean"] == pytest.approx(shares.mean())
        assert "toy/latency_ms" in summary["strategies"][name]
    assert summary["goal"]["objectives"] == [{"metric": "toy/latency_ms", "maximize": False}]
    assert set(summary["fronts"]) == {"reference", "table_front"}
    assert json.loads(json.dumps(summary)) == summary


def test_the_typical_run_is_the_median_one(comparison: Comparison) -> None:
    fronts = fronts_of(comparison)
    for name in STRATEGIES:
        place = int(np.argsort(fronts.shares(name))[1])  # the lower median of four
        assert fronts.typical(name).tolist() == fronts.found(name)[place].tolist()


def test_one_objective_has_no_front(made_up_table: Table) -> None:
    found = compare(["random_search"], made_up_table, **{**COMMON, "objectives": ()})
    assert found.fronts is None
    assert found.summary()["fronts"] is None
    assert "hypervolume" not in found.summary()["strategies"]["random_search"]


def test_runs_without_a_front_are_counted_as_failed(made_up_table: Table) -> None:
    found = compare(["random_search"], made_up_table, **{**COMMON, "failures": 0.9999})
    assert np.isnan(fronts_of(found).shares("random_search")).all()
    assert fronts_of(found).typical("random_search").tolist() == []
    summary = found.summary()
    assert summary["strategies"]["random_search"]["hypervolume"] is None
    assert json.dumps(summary, allow_nan=False)


def test_what_is_found_is_kept_and_read_again(made_up_table: Table, tmp_path: Path) -> None:
    given = {**COMMON, "targets": [SoftTarget("toy/latency_ms", 0.5)], "processes": 2}
    found = compare(["mo_rea"], made_up_table, **given, out=tmp_path)
    again = Comparison.load(tmp_path)
    assert again.summary() == found.summary()
    assert again.setting == found.setting


def test_more_than_two_objectives_need_the_library_before_anything_runs(
    made_up_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "moocore", None)
    monkeypatch.setattr("nasbench.search.workers.search", None)  # none may start
    three = [COST, Objective("flops", maximize=False)]
    with pytest.raises(NasbenchError, match="3 objectives needs moocore"):
        compare(["random_search"], made_up_table, **{**COMMON, "objectives": three})


def test_what_the_report_recipe_lacks_is_told_before_anything_runs(
    made_up_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasbench.search.workers.search", None)
    with pytest.raises(NasbenchError, match="unknown device 'toi'; did you mean toy"):
        compare(
            ["random_search"], made_up_table, **{**COMMON, "objectives": [Objective("toi/x_ms")]}
        )


def test_fronts_on_a_surrogate_are_looked_up_in_the_table(
    made_up_table: Table, tmp_path: Path
) -> None:
    fit(made_up_table, recipe="short", train=40).save(tmp_path / "s.json")
    given = {**COMMON, "search_recipe": None, "failures": 0.0}
    found = nb.compare(["mo_rea"], made_up_table, surrogate=tmp_path / "s.json", **given)
    oracle = found.setting.oracle()
    done = search(found.setting.spec("mo_rea", 2, oracle), oracle).evaluations
    points = {
        e.query.architecture: (
            e.outcome.values["valid_accuracy"],
            -made_up_table.cost("toy", "latency_ms", e.query.architecture),
        )
        for e in done
    }
    rows = made_up_table.row_of[list(_front(points))]
    assert set(fronts_of(found).found("mo_rea")[2].tolist()) == set(rows.tolist())
    given["objectives"] = [Objective("train_loss", maximize=False)]
    with pytest.raises(NasbenchError, match="unknown metric 'train_loss'"):
        nb.compare(["mo_rea"], made_up_table, surrogate=tmp_path / "s.json", **given)
