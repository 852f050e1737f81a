"""What stands on top of a page is what the data say, and its command makes the page again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from scipy import stats
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.report import Report, write_comparison
from nasbench.report.again import compare_command, seeds_text
from nasbench.report.briefs import comparison_brief, report_brief
from nasbench.report.doubts import comparison_doubts
from nasbench.report.strategies import strategy_table
from nasbench.report.winners import standing_of
from nasbench.search import Comparison, Limit
from nasbench.table import Table

pytestmark = pytest.mark.heavy

STRATEGIES = ["reinforce", "regularized_evolution", "random_search"]


@pytest.fixture(scope="module")
def found(table: Table) -> Comparison:
    return nb.compare(STRATEGIES, table, budget_evaluations=20, seeds=range(25))


def answers(found: Comparison) -> dict[str, str]:
    return dict(comparison_brief(found).lines)


def test_who_won_is_who_the_runs_and_a_test_say(found: Comparison) -> None:
    regret = {name: found.finals(name)["regret"] for name in STRATEGIES}
    ranked = sorted(STRATEGIES, key=lambda name: regret[name].mean())
    best, *others = ranked
    p = {(a, b): stats.mannwhitneyu(regret[a], regret[b]).pvalue for a, b in _pairs(STRATEGIES)}
    holm, least = {}, 0.0
    for place, pair in enumerate(sorted(p, key=lambda pair: p[pair])):
        holm[pair] = least = max(least, (len(p) - place) * p[pair])
    beaten = {o for o in others if holm.get((best, o), holm.get((o, best), 1.0)) < 0.05}
    standing = standing_of(found)
    assert standing is not None
    assert [standing.best, *standing.others] == ranked
    assert {*standing.beaten} == beaten
    said = answers(found)["Who won"]
    assert said.startswith(
        f"{best}: the lowest mean final regret, {regret[best].mean():.2f} points"
    )
    for name in beaten:
        assert name in said.partition("tells it from")[2].partition("not from")[0]
    told = strategy_table(found, "t")
    assert [row[0] for row in told.rows] == [*ranked, "one random draw"]
    column = told.columns.index("regret, points")
    assert told.best == {(ranked.index(n), column) for n in ranked if n not in beaten}


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    return [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]


def test_the_best_architecture_and_its_noise_are_the_table_s(found: Comparison) -> None:
    table = found.table
    column = table.column("valid_accuracy")
    said = answers(found)["Best architecture"]
    assert said.startswith(f"Architecture {table.rows[column.argmax()]} (")
    assert f"{column.max():.2f} %" in said
    assert found.noise is not None
    near = int((column >= column.max() - found.noise.floor).sum()) - 1
    assert near == 0 or said.split("%. ")[1].startswith(f"{near} other")


def test_what_it_cannot_tell_depends_on_the_runs(found: Comparison, table: Table) -> None:
    said = answers(found)["What this cannot tell"]
    assert "Budgets count evaluations" in said
    assert "of each strategy" not in said
    few = nb.compare(["random_search"], table, budget_seconds=30, seeds=range(2))
    said = answers(few)["What this cannot tell"]
    assert "Budgets" not in said
    assert "2 runs of each strategy: only large differences show." in said
    assert "What was found" in answers(few)
    alone = dict(report_brief(table, "4ep", {}, None).answers)
    assert next(iter(alone)) == "Best architecture"


def test_two_comparisons_on_one_table_are_no_two_tasks(found: Comparison) -> None:
    assert comparison_doubts([found, found]) == comparison_doubts([found])


def test_what_one_table_cannot_tell_is_of_its_data() -> None:
    whole = nb.load("mlp-adult")
    said = dict(report_brief(whole, "6ep", {}, None).lines)["What this cannot tell"]
    test, valid = (whole.column(f"{split}_accuracy") for split in ("test", "valid"))
    of_best = test[valid.argmax()]
    assert f"on test it has {of_best:.2f} % ({(test > of_best).sum()} rows have better)" in said
    assert "Costs are of 2 devices" in said
    assert "Estimated, not measured: energy_mj." in said
    assert "several seeds" not in said
    assert "architectures: others" not in said
    part = nb.load("nb201-fashion16-robustness")
    said = dict(report_brief(part, part.recipes[0], {}, None).lines)["What this cannot tell"]
    assert "Without several seeds" in said
    assert "has 1,123 of 15,625 architectures" in said
    assert "No device was measured" in said
    scores = nb.load("nb201-fashion16-proxies")
    brief = report_brief(scores, None, {}, None)
    assert brief.answers == [
        (
            "What it holds",
            "5,234 rows of nb201: proxies. None is called best: nothing was trained.",
        )
    ]
    said = brief.cannot
    assert said.startswith("No value of a training is shown here")


def test_the_command_makes_the_same_runs(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = nb.compare(
        ["regularized_evolution", "random_search"],
        table,
        budget_evaluations=6,
        budget_seconds=12.5,
        seeds=[3, 4, 5],
        limits=[Limit("toy/latency_ms", 8.25)],
        parameters={"regularized_evolution": {"population_size": 4}},
        repeats="free",
        training_seed=1,
        workers=2,
        out=tmp_path / "one",
    )
    words = shlex.split(compare_command(made, str(tmp_path / "other")))
    monkeypatch.chdir(table.path.parent)
    done = CliRunner().invoke(app, [*words[1:], "--processes", "1"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name in made.traces:
        one, other = ((tmp_path / of / "runs" / f"{name}.jsonl") for of in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()
    kept = [json.loads((tmp_path / of / "comparison.json").read_text()) for of in ("one", "other")]
    assert kept[0]["setting"]["limits"] == kept[1]["setting"]["limits"]


@pytest.mark.parametrize(
    ("seeds", "text"), [([0, 1], "2"), ([3, 4, 5], "3-5"), ([7], "7-7"), ([1, 4], "1,4")]
)
def test_seeds_are_written_as_they_are_read(seeds: list[int], text: str) -> None:
    from nasbench.cli.common import parse_seeds

    assert seeds_text(seeds) == text
    assert parse_seeds(text) == seeds


def test_the_page_begins_with_its_answers(found: Comparison, tmp_path: Path) -> None:
    page = write_comparison(found, tmp_path).read_text(encoding="utf-8")
    head = page.partition("<section")[0]
    assert page.index("<dt>Who won</dt>") < page.index("<section")
    assert "nasbench compare --table made-up.h5" in head
    assert str(found.table.path.parent) not in page
    assert Report(found.table, "4ep").sections()  # a page of a table alone has its own
    assert "**Who won**" in (tmp_path / "report.md").read_text(encoding="utf-8")
