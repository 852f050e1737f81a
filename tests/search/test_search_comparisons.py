"""Curves on a grid, what they amount to, thinking time, and comparisons over several tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import Comparison, Comparisons
from nasbench.search.curves import Curves, common_grid
from nasbench.table import Table

STRATEGIES = ("random_search", "regularized_evolution", "reinforce")
COMMON: dict[str, Any] = {
    "budget_seconds": 150.0,
    "seeds": range(6),
    "search_recipe": "short",
    "report_recipe": "long",
}
QUICK: dict[str, Any] = {"budget_evaluations": 6, "seeds": range(3)}


@pytest.fixture(scope="module")
def comparison(made_up_table: Table) -> Comparison:
    return nb.compare(STRATEGIES, made_up_table, **COMMON)


# Curves.


def test_areas_against_a_slow_sum(comparison: Comparison) -> None:
    """The trapezoids of the curve, which before its first point is as high as there."""
    for axis, curves in comparison.curves.items():
        for name in STRATEGIES:
            for found, regret in zip(
                curves.areas(name), comparison.regret(name, curves.grid, axis), strict=True
            ):
                first = next(r for r in regret if r == r)
                heights = [first if r != r else r for r in regret]
                total = sum(
                    (heights[i] + heights[i + 1]) / 2 * (curves.grid[i + 1] - curves.grid[i])
                    for i in range(len(heights) - 1)
                )
                assert found == pytest.approx(total / (curves.grid[-1] - curves.grid[0]))


def test_runs_that_found_nothing_are_left_out_of_bands() -> None:
    nan = np.nan
    regret = np.asarray([[nan, 4.0, 2.0], [nan] * 3, [8.0, 8.0, 0.0], [6.0, 3.0, 1.0]])
    curves = Curves("evaluations", np.asarray([1.0, 2.0, 3.0]), {"a": regret})
    band = curves.band("a")
    assert band.runs == 3
    assert band.mean == pytest.approx([nan, 5, 1], nan_ok=True)
    assert band.median == pytest.approx([nan, 4, 1], nan_ok=True)
    assert band.q25 == pytest.approx([nan, 3.5, 0.5], nan_ok=True)
    assert curves.areas("a") == pytest.approx([(4 + 3) / 2, nan, (8 + 4) / 2, 3.25], nan_ok=True)
    nothing = Curves("evaluations", curves.grid, {"a": np.full((2, 3), nan)}).band("a")
    assert nothing.runs == 0
    assert np.isnan(nothing.mean).all()


def test_grids_end_with_the_budget_or_the_median_run() -> None:
    ends = np.asarray([10.0, 20.0, 90.0])
    assert common_grid("seconds", 100.0, ends)[[0, -1]].tolist() == [0, 100]
    assert common_grid("seconds", None, ends)[-1] == 20
    assert common_grid("evaluations", None, ends).tolist() == list(range(1, 21))
    assert common_grid("evaluations", 500, ends).tolist() == list(range(1, 91))  # all is known
    assert common_grid("evaluations", 1, np.ones(2)).tolist() == [1]


# What a summary adds.


def test_reached_counts_the_runs(comparison: Comparison) -> None:
    assert comparison.noise is not None
    assert comparison.thresholds == {
        "0.5": 0.5,
        "0.2": 0.2,
        "0.1": 0.1,
        "noise_floor": comparison.noise.floor,
    }
    for name in STRATEGIES:
        regret = comparison.finals(name)["regret"]
        for threshold, found in comparison.reached(name).items():
            within = comparison.thresholds[threshold]
            assert found.value == sum(r <= within for r in regret) / 6
            test = stats.binomtest(sum(regret <= within), 6).proportion_ci(method="wilson")
            assert (found.low, found.high) == pytest.approx((test.low, test.high))


def test_ranks_over_seeds_are_friedmans(comparison: Comparison) -> None:
    regret = [comparison.finals(name)["regret"] for name in STRATEGIES]
    assert comparison.ranks is not None
    assert comparison.ranks.blocks == 6
    assert comparison.ranks.statistic == pytest.approx(stats.friedmanchisquare(*regret).statistic)


def test_the_summary_adds_and_renames_nothing(comparison: Comparison) -> None:
    summary = comparison.summary()
    for name in STRATEGIES:
        regret = comparison.finals(name)["regret"]
        assert summary["quartiles"][name]["regret"] == pytest.approx(
            np.quantile(regret, (0.25, 0.75))
        )
        for axis in ("seconds", "evaluations"):
            areas = comparison.curves[axis].areas(name)
            assert summary["areas"][name][axis]["mean"] == pytest.approx(areas.mean())
            assert summary["areas"][name][axis]["median"] == pytest.approx(np.median(areas))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_nothing_found_is_none_not_nan(made_up_table: Table) -> None:
    nothing = nb.compare(STRATEGIES, made_up_table, failures=0.9999, **COMMON)
    summary = json.loads(json.dumps(nothing.summary(), allow_nan=False))
    assert summary["areas"]["reinforce"] == {"seconds": None, "evaluations": None}
    assert summary["quartiles"]["reinforce"]["regret"] is None
    assert summary["reached"]["reinforce"]["0.5"]["value"] == 0
    assert summary["ranks"]["p"] == 1


def test_one_seed_or_one_strategy_has_no_ranks(made_up_table: Table) -> None:
    for names, seeds in ((STRATEGIES, [0]), (["reinforce"], range(3))):
        found = nb.compare(names, made_up_table, **{**COMMON, "seeds": seeds})
        assert found.ranks is None
        assert found.summary()["ranks"] is None


# Thinking.


def test_thinking_stands_in_notes_and_in_nothing_else(made_up_table: Table, tmp_path: Path) -> None:
    made = [
        nb.compare(["reinforce"], made_up_table, out=tmp_path / name, **COMMON) for name in "ab"
    ]
    one, other = (tmp_path / name / "runs" / "reinforce.jsonl" for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert b"thinking" not in one.read_bytes()
    assert "thinking" not in json.dumps(made[0].summary())
    loaded = Comparison.load(tmp_path / "a").traces["reinforce"]
    taken = [trace.thinking_seconds for trace in made[0].traces["reinforce"]]
    assert [trace.thinking_seconds for trace in loaded] == taken
    assert min(taken) > 0
    notes = one.with_suffix(".wall.jsonl")
    lines = notes.read_text().splitlines()
    notes.write_text("\n".join([*lines[1:], "[]", '{"seed": 0, "thinki']))  # the first is lost
    read = [t.thinking_seconds for t in Comparison.load(tmp_path / "a").traces["reinforce"]]
    assert read == pytest.approx([np.nan, *taken[1:]], nan_ok=True)


# Several tables.


@pytest.fixture
def tables(make_table: Any) -> list[Table]:
    return [make_table(f"table-{n}", seed=n) for n in range(4)]


def test_each_table_has_what_it_has_alone(tables: list[Table], tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    found = nb.compare(
        STRATEGIES,
        tables,
        out=tmp_path,
        progress=lambda done, total: calls.append((done, total)),
        **QUICK,
    )
    assert isinstance(found, Comparisons)
    assert calls == [(n, 36) for n in range(1, 37)]
    summary = found.summary()
    for table in tables:
        alone = nb.compare(STRATEGIES, table, out=tmp_path / "alone" / table.name, **QUICK)
        assert summary["tables"][table.name] == alone.summary()
        for name in STRATEGIES:
            path = Path(table.name) / "runs" / f"{name}.jsonl"
            kept = (tmp_path / "tables" / path).read_bytes()
            assert kept == (tmp_path / "alone" / path).read_bytes()
        assert Comparison.load(tmp_path / "tables" / table.name).summary() == alone.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_tests_over_tables_have_tables_as_blocks(tables: list[Table]) -> None:
    found = nb.compare(STRATEGIES, tables, **QUICK)
    means = {
        name: [of.finals(name)["regret"].mean() for of in found.tables.values()]
        for name in STRATEGIES
    }
    for name in STRATEGIES:
        assert found.scores[name] == pytest.approx(means[name])
    expected = stats.friedmanchisquare(*means.values()).statistic
    assert found.ranks.statistic == pytest.approx(expected)
    assert found.ranks.blocks == 4
    for pair in found.pairs:
        a, b = means[pair.first], means[pair.second]
        assert pair.p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
        assert pair.note.startswith("too few tables")


def test_tables_of_one_name_are_told_apart(make_table: Any, tmp_path: Path) -> None:
    pair = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        pair.append(make_table(f"{seed}/same", seed=seed))
    found = nb.compare(["random_search"], pair, out=tmp_path / "out", **QUICK)
    expected = [f"same-{table.sha256[:8]}" for table in pair]
    assert list(found.tables) == expected
    assert sorted(p.name for p in (tmp_path / "out" / "tables").iterdir()) == sorted(expected)


def test_a_recipe_is_that_of_the_tables_that_have_it(made_up_table: Table, make_table: Any) -> None:
    one = make_table("one", recipes={"only": 3})
    found = nb.compare(["random_search"], [made_up_table, one], **COMMON)
    recipes = [(t.protocol.search_recipe, t.report_recipe) for t in found.tables.values()]
    assert recipes == [("short", "long"), ("only", "only")]
    two = make_table("two", recipes={"a": 4, "b": 4})
    with pytest.raises(NasbenchError, match="two has the recipes a, b: name one"):
        nb.compare(["random_search"], [made_up_table, two], **COMMON)


def test_tables_that_cannot_be_compared_are_told(made_up_table: Table, make_table: Any) -> None:
    other = make_table("other")
    for given, why in (
        ([], "needs a table at least"),
        ([other, str(other.path)], "a table is named twice"),
    ):
        with pytest.raises(NasbenchError, match=why):
            nb.compare(["random_search"], given, **QUICK)
    with pytest.raises(NasbenchError, match="unknown recipe 'shart'; did you mean short"):
        nb.compare(["random_search"], [made_up_table, other], **QUICK, search_recipe="shart")
    with pytest.raises(NasbenchError, match="a surrogate is of one table"):
        nb.compare(["random_search"], [made_up_table, other], **QUICK, surrogate="s.json")
