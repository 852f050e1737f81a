"""The page of proxies: every figure in its place, from tables that are whole, small or hostile."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import drawing
import numpy as np
import pytest
import scipy.stats
from beginnings import ANY_BRIEF

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.report.figures import Drawing
from nasbench.report.proxies import proxy_tables, write_proxies
from nasbench.report.proxy_figures import agreement, matrix
from nasbench.report.ranking_briefs import proxies_brief
from nasbench.report.sections import Section, write_sections
from nasbench.stats import Estimate
from nasbench.table import Dataset, Table, trained_seeds, write_table
from nasbench.validity.judgement import FITTED, Judgement, judge
from nasbench.validity.scores import first_by, scores_of
from nasbench.validity.targets import targets_of

pytestmark = pytest.mark.heavy

SPACE = nb.space("nb201-mini")
ROWS = SPACE.representatives
N = len(ROWS)


def write(path: Path, *, seeds: int = 3, **more: Dataset) -> Table:
    """Two proxies of which the lower value of one is better, and one that misses a row."""
    rng = np.random.default_rng(0)
    truth = rng.normal(70, 5, (N, 1, 1))
    accuracy = truth + rng.normal(0, 1, (N, seeds, 1))
    good = truth[:, 0, 0] + rng.normal(0, 2, N)
    holes = good + rng.normal(0, 5, N)
    holes[4] = np.nan
    draws = -good[:, None] + rng.normal(0, 1, (N, 2))
    last = {"kind": "trained", "epochs": [3]}
    computed = {"kind": "computed", "seconds": 0.002, "draws": 2, "paper": "A & B, 2020"}
    datasets = {
        "recipe/r/valid_accuracy": Dataset(accuracy, last),
        "recipe/r/test_accuracy": Dataset(accuracy.mean((1, 2)) - 1, last),
        "device/toy/latency_ms": Dataset(rng.random(N), {"kind": "measured"}),
        "network/parameters": Dataset(np.round(good), {"kind": "counted"}),
        "network/flops": Dataset(rng.random(N), {"kind": "counted"}),
        "proxy/low": Dataset(draws.mean(1), {**computed, "better": "low"}),
        "proxy_draws/low": Dataset(draws, {"kind": "computed"}),
        "proxy/<holes>": Dataset(holes, {"kind": "imported"}),
        **more,
    }
    return write_table(
        path,
        name="made & <up>",
        space=SPACE,
        rows=ROWS,
        sharing="canonical",
        recipes={"r": {"epochs": 3, "seeds": list(range(seeds))}},
        devices={"toy": {}},
        datasets=datasets,
        about={"scoring": {"seconds": {"shared": 0.007}}},
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write(tmp_path_factory.mktemp("proxies") / "t.h5")


@pytest.fixture(scope="module")
def found(table: Table) -> Judgement:
    return judge(table)


@pytest.fixture(scope="module")
def page(found: Judgement, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with drawing.drawn("svg"):
        return write_proxies(found, tmp_path_factory.mktemp("page"))


def test_every_figure_is_in_the_json(table: Table, page: Path) -> None:
    told: dict[str, Any] = json.loads((page.parent / "proxies.json").read_text())
    metrics = ["r/valid_accuracy", "r/test_accuracy", "toy/latency_ms"]
    assert list(told["metrics"]) == metrics
    assert told["combinations"] == ["vote", "rank average", "az-nas", FITTED]
    assert told["fitted_to"] == "r/valid_accuracy"
    known = np.isfinite(table.column("proxy/<holes>"))
    for metric, column in zip(
        metrics,
        [
            table.column("valid_accuracy"),
            table.column("test_accuracy"),
            table.device_column("toy", "latency_ms"),
        ],
        strict=True,
    ):
        of = told["metrics"][metric]
        assert of["n"] == N - 1
        found = of["scopes"]["all"]["figures"]["spearman"]["low"]
        # Turned, so that high scores speak for a network.
        expected = scipy.stats.spearmanr(-table.column("proxy/low")[known], column[known])
        assert found["value"] == pytest.approx(expected.statistic)
        assert found["low"] < found["value"] < found["high"]
    assert set(told["metrics"]["r/valid_accuracy"]["scopes"]["all"]["ceilings"]) == {
        *("spearman", "kendall")
    }
    assert told["metrics"]["r/test_accuracy"]["scopes"]["all"]["ceilings"] == {}
    assert set(of["scopes"]["all"]["figures"]) == {"spearman", "kendall", "pearson", "partial"}
    low, holes = told["proxies"]["low"], told["proxies"]["<holes>"]
    assert (low["kind"], low["better"], low["seconds"], low["missing"]) == (
        *("computed", "low", 0.002, 0),
    )
    assert low["repeats"]["value"] == pytest.approx(
        scipy.stats.spearmanr(*table.dataset("proxy_draws/low").values.T).statistic
    )
    assert (holes["kind"], holes["seconds"], holes["missing"], holes["repeats"]) == (
        *("imported", None, 1, None),
    )
    assert told["shared_seconds"] == 0.007
    assert [pair["proxies"] for pair in told["agreement"]] == [["low", "<holes>"]]


def test_the_page_shows_names_as_they_are_and_nothing_twice(table: Table, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "made &amp; &lt;up&gt;" in text
    assert "&lt;holes&gt;" in text
    assert "<holes>" not in text
    assert text.count('<svg class="figure"') == 4
    assert text.count("Spearman&#39;s ρ with r/valid_accuracy</h3>") == 1
    assert "seed-noise ceiling" in text
    assert "No ceiling: the table has no two seeds of r/test_accuracy" in text
    assert len(list((page.parent / "figures").glob("*.pdf"))) == 4


@pytest.mark.drawn("svg")
def test_the_same_judgement_gives_the_same_bytes(
    found: Judgement, page: Path, tmp_path: Path
) -> None:
    write_proxies(found, tmp_path)
    written = [path for path in page.parent.rglob("*.*") if path.is_file()]
    assert {path.suffix for path in written} == {
        *(".html", ".json", ".md", ".tex", ".bib", ".csv", ".svg", ".pdf")
    }
    for path in written:
        again = tmp_path / path.relative_to(page.parent)
        assert again.read_bytes() == path.read_bytes(), path.name


def test_the_same_table_gives_the_same_figures(found: Judgement, table: Table) -> None:
    again = judge(table, metrics=["r/test_accuracy"]).describe()
    told = found.describe()
    assert again["metrics"]["r/test_accuracy"] == told["metrics"]["r/test_accuracy"]
    assert again["agreement"] == told["agreement"]


def test_the_first_tables_hold_what_each_score_is_worth(table: Table) -> None:
    facts, ranking = proxy_tables(judge(table, metrics=["toy/latency_ms"]))
    assert [row[0] for row in facts.rows] == ["low", "<holes>"]
    assert facts.rows[0][-1] == "2"  # milliseconds
    assert "7 for making the network" in facts.words
    assert ranking.columns[1] == f"all, n = {N - 1}"
    assert "the score prefers the dear" in ranking.words


def test_ties_are_marked_and_what_saw_trainings_is_no_proxy(found: Judgement) -> None:
    """A mark is of the highest figure and of those whose interval reaches it."""
    ranking = proxy_tables(found)[1]
    figures = next(iter(found.validities.values())).scopes["all"].figures["spearman"]
    highest = max(of.value for of in figures.values())
    marked = {ranking.rows[row][0] for row, column in ranking.best if column == 1}
    assert marked == {name for name, of in figures.items() if of.high >= highest}
    answers = dict(proxies_brief(found).answers)
    best = max(found.facts, key=lambda name: figures[name].value)
    assert answers["Best proxy"].startswith(f"{best}: ")
    assert f"Fitted to trained networks, {FITTED}: " in answers["Best proxy"]


def test_the_command_of_the_page_names_every_metric(found: Judgement) -> None:
    (command,) = proxies_brief(found).commands
    words = command.split()
    given = [after for word, after in pairwise(words) if word == "--metric"]
    assert given == list(found.validities)
    assert len(given) > 1


def test_a_choice_of_proxies_metrics_and_parts(table: Table) -> None:
    found = judge(table, proxies=["low"], metrics=["r/test_accuracy"])
    assert list(found.scores) == ["low"]  # of one score nothing is combined
    assert list(found.validities) == ["r/test_accuracy"]
    assert len(found.validities["r/test_accuracy"].rows) == N
    assert found.fitted_to == ""


def test_no_fit_sees_a_test_accuracy(tmp_path: Path, table: Table) -> None:
    """Test accuracies of noise leave the fit as it was."""
    rng = np.random.default_rng(9)
    last = {"kind": "trained", "epochs": [3]}
    noise = Dataset(rng.random(N), last)
    other = write(tmp_path / "t.h5", **{"recipe/r/test_accuracy": noise})
    before, after = (judge(of, metrics=["r/test_accuracy"]).scores for of in (table, other))
    for name in (FITTED, "vote"):
        np.testing.assert_array_equal(before[name], after[name])


def test_targets_are_the_accuracies_and_costs(table: Table) -> None:
    found = targets_of(table)
    assert list(found) == ["r/valid_accuracy", "r/test_accuracy", "toy/latency_ms"]
    assert found["r/valid_accuracy"].of_seeds is not None
    assert found["r/test_accuracy"].of_seeds is None
    assert [target.maximize for target in found.values()] == [True, True, False]


def test_the_first_by_a_proxy_are_distinct_and_best(table: Table) -> None:
    found = first_by(table, "low", 5)
    order = np.argsort(table.column("proxy/low"))
    assert found == ROWS[order[:5]].tolist()
    assert len(first_by(table, "<holes>", 10 * N)) == N - 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"proxies": ["lov"]}, "unknown proxy of made & <up> 'lov'; did you mean low"),
        ({"metrics": ["r/valid"]}, "did you mean r/valid_accuracy"),
        ({"combined": ["holes"]}, "unknown proxy to combine 'holes'"),
    ],
)
def test_unknown_names_list_the_near_ones(
    table: Table, asked: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(NasbenchError, match=message):
        judge(table, **asked)  # type: ignore[arg-type]


def test_a_table_without_scores_or_metrics_is_told(tmp_path: Path) -> None:
    rows = {"name": "t", "space": SPACE, "rows": ROWS, "sharing": "canonical", "recipes": {}}
    counted = Dataset(np.arange(float(N)), {"kind": "counted"})
    bare = write_table(tmp_path / "a.h5", datasets={"network/flops": counted}, **rows)
    with pytest.raises(NasbenchError, match="t holds no scores: nasbench proxies score"):
        scores_of(bare)
    alone = write_table(tmp_path / "b.h5", datasets={"proxy/flops": counted}, **rows)
    with pytest.raises(NasbenchError, match="holds nothing that scores could be held against"):
        judge(alone)


def test_predictions_judge_no_score(tmp_path: Path) -> None:
    marked = np.arange(N) % 3 == 0
    marks = Dataset(marked.astype(np.uint8), {"kind": "derived"})
    made = write(tmp_path / "t.h5", **{"predicted/r/valid_accuracy": marks})
    target = targets_of(made)["r/valid_accuracy"]
    assert np.isnan(target.values).tolist() == marked.tolist()
    assert target.of_seeds is not None
    assert np.isnan(target.of_seeds).all(1).tolist() == marked.tolist()
    assert np.isfinite(targets_of(made)["r/test_accuracy"].values).all()


def test_seeds_are_read_of_what_is_asked_for(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def of_seeds(table: Table, metric: str, *, recipe: str) -> np.ndarray:
        asked.append(f"{recipe}/{metric}")
        return trained_seeds(table, metric, recipe=recipe)

    monkeypatch.setattr("nasbench.validity.targets.trained_seeds", of_seeds)
    judge(table, proxies=["low"], metrics=["toy/latency_ms"])
    assert asked == []
    judge(table, proxies=["low"], metrics=["r/valid_accuracy"])
    assert asked == ["r/valid_accuracy"]


def test_metrics_that_too_few_have_are_judged_where_they_are_named(tmp_path: Path) -> None:
    few = np.where(np.arange(N) < 2, 1.0, np.nan)
    more = {
        "device/toy/memory_mib": Dataset(np.full(N, np.nan), {"kind": "measured"}),
        "device/toy/energy_mj": Dataset(few, {"kind": "measured"}),
    }
    made = write(tmp_path / "t.h5", **more)
    assert list(targets_of(made)) == ["r/valid_accuracy", "r/test_accuracy", "toy/latency_ms"]
    with pytest.raises(NasbenchError, match=r"^2 architectures have toy/energy_mj, and a rank"):
        judge(made, metrics=["toy/energy_mj"])


def test_the_agreement_has_a_line_for_each_pair(found: Judgement) -> None:
    """A proxy above all others has nothing beside it, and one before all others nothing below."""
    drawing = agreement(found)
    (axes,) = drawing.figure.axes
    names = list(found.facts)
    assert [text.get_text() for text in axes.get_yticklabels()] == names[1:]
    assert [text.get_text() for text in axes.get_xticklabels()] == names[:-1]
    pairs = {tuple(sorted(tip.splitlines()[0].split(", "))) for tip in drawing.tips["fields"]}
    assert pairs == {tuple(sorted(pair)) for pair in found.agreement}
    (fields,) = (of for of in axes.collections if of.get_gid() == "fields")
    assert (fields.get_offsets() >= 0).all()


@pytest.mark.parametrize("k", [2, 30])
def test_letters_of_small_and_large_fields_are_as_large(k: int, tmp_path: Path) -> None:
    """A page shows a figure by its width in inches; a wide one has the page to itself."""
    names = [f"a_proxy_{i}" for i in range(k)]
    cells = {(0, i): Estimate(0.5, 0.4, 0.6, 9) for i in range(k)}
    drawn, tips = matrix(["cpu-onnxruntime-b1/latency_ms"], names, cells)
    inches = round(drawn.get_figwidth(), 2)
    page = write_sections(
        [Section("S", "", [Drawing("m", "M", "", drawn, dict(tips))])], tmp_path, "T", ANY_BRIEF
    )
    assert inches > 0.3 * k
    tag = f'<figure class="wide" style="--inches: {inches}">'
    assert (tag in page.read_text()) == (k == 30)
    assert f"--inches: {inches}" in page.read_text()


def test_scopes_of_two_architectures_are_left_out(tmp_path: Path) -> None:
    rows = ROWS[:12]
    rng = np.random.default_rng(0)
    made = write_table(
        tmp_path / "t.h5",
        name="t",
        space=SPACE,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 1, "seeds": [0]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(
                rng.random((12, 1, 1)), {"kind": "trained", "epochs": [1]}
            ),
            "proxy/a": Dataset(rng.random(12), {"kind": "imported"}),
        },
    )
    judged = judge(made)
    assert list(judged.validities["r/valid_accuracy"].scopes) == ["all", "best half"]
    text = (write_proxies(judged, tmp_path / "page").parent / "report.md").read_text()
    assert "best half, n = 6" in text
    assert "best tenth" not in text
