"""Pages of runs that cannot all be judged: what is counted, and what is claimed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import nasbench as nb
from nasbench.report import comparison_table, write_comparison
from nasbench.report.again import compare_command
from nasbench.search import Comparison
from nasbench.table import Dataset, Table, write_table
from strategies.random_search import RandomSearch

SPACE = nb.space("nb201-mini")
ROWS = np.asarray(SPACE.representatives)
MERIT = np.random.default_rng(3).permutation(len(ROWS)).astype(float)
STRATEGIES = ("random_search", "local_search")


def table_without(folder: Path, best: int, *, goal: bool = True) -> Table:
    """`cheap` is known of all rows; `full`, with its tests, of all but the best few.

    Without the goal `full` has tests alone.
    """
    gone = np.argsort(-MERIT)[:best]
    full = MERIT + 20
    full[gone] = np.nan
    columns = {"cheap/valid_accuracy": MERIT, "full/test_accuracy": full - 1}
    if goal:
        columns["full/valid_accuracy"] = full
    return write_table(
        folder / "t.h5",
        name="t",
        space=SPACE,
        rows=ROWS,
        sharing="canonical",
        recipes={name: {"epochs": 2, "seeds": [0]} for name in ("cheap", "full")},
        datasets={
            f"recipe/{name}": Dataset(
                values[:, None, None].astype(np.float32), {"kind": "trained", "epochs": [2]}
            )
            for name, values in columns.items()
        },
        devices={},
    )


def compared(table: Table, **given: object) -> Comparison:
    common = {"budget_evaluations": 25, "seeds": range(6), "search_recipe": "cheap"}
    return nb.compare(STRATEGIES, table, **{**common, "report_recipe": "full", **given})  # type: ignore[call-overload, no-any-return]


def page_of(found: Comparison, folder: Path) -> str:
    text = write_comparison(found, folder / "page").read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b", (folder / "page" / "report.md").read_text(encoding="utf-8"))
    return text


def test_what_is_not_looked_up_is_counted_and_named(tmp_path: Path) -> None:
    found = compared(table_without(tmp_path, 4))
    page = page_of(found, tmp_path)
    assert "Nothing was found" not in page
    assert "Table t has no valid_accuracy of recipe full for 4 of the 65 rows" in page
    text = comparison_table(found).plain()
    for name in STRATEGIES:
        missed = found.summary()["not_looked_up"][name]
        assert 0 < missed < 6
        (line,) = (line for line in text.splitlines() if line.startswith(name))
        assert f"6 ({missed} not looked up)" in line
        assert line.count(f"(n = {6 - missed})") == 3  # valid, test and regret
    caption = ", ".join(f"{found.curves['evaluations'].band(n).runs} of {n}" for n in STRATEGIES)
    assert f"Mean over 6 runs, {caption}" in page


def test_a_page_without_a_judged_run_does_not_say_that_nothing_was_found(tmp_path: Path) -> None:
    found = compared(table_without(tmp_path, 60), budget_evaluations=60)
    page = page_of(found, tmp_path)
    assert set(found.summary()["failed"].values()) == {0}
    assert "Nothing was found" not in page
    assert "No run can be judged: the table lacks what they found." in page


def test_runs_that_all_failed_found_nothing(tmp_path: Path) -> None:
    page = page_of(compared(table_without(tmp_path, 1), failures=0.9999), tmp_path)
    assert "Nothing was found: every training diverged or every architecture broke" in page
    assert "not looked up)" not in page


def test_one_strategy_that_cannot_be_judged_leaves_the_page_whole(tmp_path: Path) -> None:
    """Of the other every run is known: nothing is told apart, and nothing breaks."""
    table = table_without(tmp_path, 3)
    found = compared(table, parameters={"random_search": {"repeats": False}}, budget_evaluations=64)
    assert found.summary()["not_looked_up"]["random_search"] == 6
    assert "random_search" not in found.judged_scores
    page_of(found, tmp_path)


def test_the_recipe_of_the_tests_is_named(tmp_path: Path) -> None:
    found = compared(table_without(tmp_path, 0), report_recipe="cheap", test_recipe="full")
    page = page_of(found, tmp_path)
    assert "test looked up after the search at the end of full" in re.sub(r"\s+", " ", page)


def test_the_command_over_tables_names_the_recipes_of_those_that_have_several(
    tmp_path: Path, table: Table
) -> None:
    """A table of one recipe is searched by that, whatever the others are searched by."""
    (tmp_path / "two").mkdir()
    two = table_without(tmp_path / "two", 0)
    given = {"budget_evaluations": 2, "search_recipe": "cheap", "report_recipe": "full"}
    named = nb.compare(["random_search"], [table, two], seeds=[0], **given)
    assert len(table.recipes) == 1
    assert "--search-recipe cheap --report-recipe full" in compare_command(named)

    class Mine(RandomSearch):
        """A strategy that only this function has: no process of its own need look at it."""

    own = nb.compare([Mine], [table, two], seeds=[0], **given)
    assert "search_recipe='cheap', report_recipe='full'" in compare_command(own)


def test_without_the_goal_there_is_no_column_of_regret(tmp_path: Path) -> None:
    found = compared(table_without(tmp_path, 0, goal=False))
    table = comparison_table(found)
    assert list(table.columns) == ["strategy", "n", "evaluations", "test, %", "thinking, ms"]
    assert {len(row) for row in table.rows} == {5}
    why = "Regret is left out: recipe full of table t has no valid_accuracy (with --report-recipe"
    assert why not in table.words  # no other recipe but the searched one has it
    assert "Regret is left out: recipe full of table t has no valid_accuracy." in table.words
    assert "Nothing was found" not in page_of(found, tmp_path)
    assert not list((tmp_path / "page" / "figures").glob("*regret*"))


def test_costs_alone_have_a_page(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=SPACE,
        rows=ROWS,
        sharing="canonical",
        recipes={},
        datasets={"device/toy/latency_ms": Dataset(MERIT + 1, {"kind": "measured"})},
        devices={"toy": {"kinds": {"latency_ms": "measured"}}},
    )
    found = nb.compare(
        STRATEGIES, table, metric="toy/latency_ms", budget_evaluations=9, seeds=range(3)
    )
    page = page_of(found, tmp_path)
    assert "regret is of toy/latency_ms (less is better)" in re.sub(r"\s+", " ", page)
    assert "t holds costs alone: say what was trained" in page
