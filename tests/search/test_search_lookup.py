"""What is looked up after a search, by which recipe, and what cannot be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search import Comparison, Limit
from nasbench.stats import friedman
from nasbench.surrogate import fit
from nasbench.table import Dataset, Table, write_table

STRATEGIES = ("random_search", "local_search")
SPACE = nb.space("nb201-mini")
ROWS = np.asarray(SPACE.representatives)
MERIT = np.random.default_rng(3).permutation(len(ROWS)).astype(float)
"""What each row is worth, all different."""
BEST = np.argsort(-MERIT)
COMMON: dict[str, Any] = {"budget_evaluations": 25, "seeds": range(6)}

Columns = dict[str, NDArray[np.float64]]
Make = Callable[..., Table]


def lacking(values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values but of some rows."""
    found = values.copy()
    found[rows] = np.nan
    return found


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(name: str = "t", costs: Columns | None = None, **recipes: Columns) -> Table:
        """A table of one number a row for each recipe and metric, or of costs."""
        datasets = {
            f"recipe/{recipe}/{metric}": Dataset(
                values[:, None, None].astype(np.float32), {"kind": "trained", "epochs": [2]}
            )
            for recipe, metrics in recipes.items()
            for metric, values in metrics.items()
        }
        for cost, values in (costs or {}).items():
            datasets[f"device/toy/{cost}"] = Dataset(values, {"kind": "measured"})
        kinds = dict.fromkeys(costs or {}, "measured")
        return write_table(
            tmp_path / f"{name}.h5",
            name=name,
            space=SPACE,
            rows=ROWS,
            sharing="canonical",
            recipes={recipe: {"epochs": 2, "seeds": [0]} for recipe in recipes},
            datasets=datasets,
            devices={"toy": {"kinds": kinds}} if costs else {},
        )

    return made


def ends(found: Comparison, strategy: str) -> NDArray[np.int64]:
    """The rows at which runs end, by the traces alone."""
    best = [
        max(zip(t.rewards, -np.arange(len(t.rewards)), t.architectures, strict=True))[2]
        for t in found.traces[strategy]
    ]
    return found.table.row_of[np.asarray(best, dtype=np.int64)]


# What the report recipe lacks.


def test_runs_that_cannot_be_looked_up_are_counted_apart(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    gone = BEST[:4]
    table = make(
        cheap={"valid_accuracy": MERIT},
        full={"valid_accuracy": lacking(MERIT + 20, gone), "test_accuracy": MERIT + 10},
    )
    with caplog.at_level(logging.WARNING):
        found = nb.compare(STRATEGIES, table, search_recipe="cheap", report_recipe="full", **COMMON)
    (said,) = caplog.messages
    assert said.startswith(
        f"table t has no valid_accuracy of recipe full for 4 of the {len(ROWS)} rows that"
    )
    summary = found.summary()
    assert summary["remarks"] == [said]
    whole = np.ones(6, dtype=bool)
    for strategy in STRATEGIES:
        at = ends(found, strategy)
        missed = np.isin(at, gone)
        whole &= ~missed
        assert summary["failed"][strategy] == 0
        assert summary["not_looked_up"][strategy] == missed.sum()
        told = summary["strategies"][strategy]
        assert told["test_accuracy"]["mean"] == pytest.approx((MERIT[at] + 10).mean())
        assert "n" not in told["test_accuracy"]
        regret = MERIT[BEST[4]] - MERIT[at[~missed]]
        assert 0 < len(regret) < 6
        assert told["regret"]["n"] == told["valid_accuracy"]["n"] == len(regret)
        assert told["regret"]["mean"] == pytest.approx(regret.mean())
        share = summary["reached"][strategy]["0.5"]
        assert (share["value"], share["n"]) == ((regret <= 0.5).mean(), len(regret))
        assert len(found.judged_scores[strategy]) == len(regret)
    if whole.sum() > 1:
        scores = {s: (MERIT[BEST[4]] - MERIT[ends(found, s)])[whole] for s in STRATEGIES}
        assert summary["ranks"] == friedman(scores).describe()


def test_what_only_tests_lack_is_said_and_leaves_regret_whole(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    table = make(
        r={"valid_accuracy": MERIT, "test_accuracy": lacking(MERIT, BEST[:5])},
    )
    found = nb.compare(["local_search"], table, **COMMON).summary()
    assert caplog.messages == [
        f"table t has no test_accuracy of recipe r for 5 of the {len(ROWS)} rows that the search "
        f"can find: runs that end there are left out of its means"
    ]
    told = found["strategies"]["local_search"]
    assert "n" not in told["regret"]
    known = told["test_accuracy"]
    assert known is None or known["n"] < 6
    assert found["not_looked_up"] == {"local_search": 0}


def test_rows_that_no_search_can_find_are_no_gap(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    table = make(
        costs={"latency_ms": np.arange(len(ROWS), dtype=float)},
        cheap={"valid_accuracy": lacking(MERIT, np.arange(3))},
        full={"valid_accuracy": lacking(MERIT, np.arange(7))},
    )
    given = {**COMMON, "search_recipe": "cheap", "report_recipe": "full"}
    limits = [Limit("toy/latency_ms", at_least=7.0)]
    nb.compare(["random_search"], table, limits=limits, **given)
    assert caplog.messages == []
    nb.compare(["random_search"], table, **given)
    assert "for 4 of the 62 rows" in caplog.messages[0]


def test_nothing_to_look_up_is_refused_before_the_first_run(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasbench.search.workers.search", None)  # none may start
    half = np.arange(len(ROWS)) < 30
    table = make(
        cheap={"valid_accuracy": np.where(half, MERIT, np.nan)},
        full={"valid_accuracy": np.where(half, np.nan, MERIT)},
        lossy={"train_loss": MERIT},
    )
    for recipe, why in (
        (
            "full",
            r"table t has no valid_accuracy of recipe full for any row that the search can find",
        ),
        ("lossy", r"recipe lossy of t has neither valid_accuracy nor a test metric"),
    ):
        with pytest.raises(BadValue, match=why):
            nb.compare(STRATEGIES, table, search_recipe="cheap", report_recipe=recipe, **COMMON)


def test_other_tables_say_of_how_many_runs_they_speak(make: Make) -> None:
    table = make(r={"valid_accuracy": MERIT})
    other = make("other", r={"valid_accuracy": lacking(MERIT * 2, BEST[:3])})
    found = nb.compare(["local_search"], table, also=[other.path], **COMMON)
    told = found.summary()["also"]["other"]["local_search"]["valid_accuracy"]
    at = ends(found, "local_search")
    known = at[~np.isin(at, BEST[:3])]
    assert 0 < len(known) < 6
    assert told["mean"] == pytest.approx(2 * MERIT[known].mean())
    assert told["n"] == len(known)


def test_what_a_predictor_can_find_beyond_the_table_is_counted(
    made_up_table: Table, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(made_up_table, recipe="short", train=40).save(tmp_path / "s.json")
    some = write_table(
        tmp_path / "some.h5",
        name="some",
        space=SPACE,
        rows=np.arange(0, 125, 5),
        sharing="none",
        recipes={"r": {"epochs": 2, "seeds": [0]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(
                np.arange(25.0)[:, None, None], {"kind": "trained", "epochs": [2]}
            )
        },
        devices={},
    )
    found = nb.compare(["random_search"], some, surrogate=tmp_path / "s.json", **COMMON)
    assert caplog.messages[0].startswith("table some has no row for 100 of the 125 architectures")
    last = found.last["random_search"]
    assert found.summary()["not_looked_up"] == {"random_search": (last % 5 > 0).sum()}
    with pytest.raises(BadValue, match="nothing in the predictor of made-up keeps the limit valid"):
        nb.compare(
            ["random_search"],
            some,
            surrogate=tmp_path / "s.json",
            limits=[Limit("valid_accuracy", at_least=1000.0)],
            **COMMON,
        )


# Test metrics of another recipe.


def test_tests_are_looked_up_by_a_recipe_of_their_own(make: Make, tmp_path: Path) -> None:
    table = make(
        short={"valid_accuracy": MERIT},
        half={"valid_accuracy": MERIT + 20, "test_accuracy": MERIT},
        full={"test_accuracy": 2 * MERIT},
    )
    recipes = {"search_recipe": "short", "report_recipe": "half", "test_recipe": "full"}
    found = nb.compare(STRATEGIES, table, out=tmp_path / "out", **recipes, **COMMON)
    summary = found.summary()
    assert summary["recipes"] == {"search": "short", "report": "half", "test": "full"}
    for strategy in STRATEGIES:
        at = ends(found, strategy)
        told = summary["strategies"][strategy]
        assert told["test_accuracy"]["mean"] == pytest.approx(2 * MERIT[at].mean())
        assert told["valid_accuracy"]["mean"] == pytest.approx(MERIT[at].mean() + 20)
        assert told["regret"]["mean"] == pytest.approx(MERIT.max() - MERIT[at].mean())
    assert found.one_draw["test_accuracy"][0] == pytest.approx(2 * MERIT.mean(), rel=0.1)
    assert Comparison.load(tmp_path / "out").summary() == summary
    with pytest.raises(nb.NasbenchError, match="unknown recipe 'fall'; did you mean full"):
        nb.compare(STRATEGIES, table, **{**recipes, "test_recipe": "fall"}, **COMMON)


def test_regret_is_left_out_where_the_report_recipe_has_no_goal(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    table = make(short={"valid_accuracy": MERIT}, full={"test_accuracy": MERIT + 5})
    found = nb.compare(STRATEGIES, table, search_recipe="short", report_recipe="full", **COMMON)
    assert caplog.messages == [
        "regret is left out: recipe full of table t has no valid_accuracy",
    ]
    half = {"valid_accuracy": MERIT}
    more = make("more", short=half, half=half, full={"test_accuracy": MERIT + 5})
    caplog.clear()
    nb.compare(STRATEGIES, more, search_recipe="short", report_recipe="full", **COMMON)
    assert "(with --report-recipe half and --test-recipe full it is known)" in caplog.text
    summary = found.summary()
    assert (summary["ranks"], summary["thresholds"]) == (None, {})
    for strategy in STRATEGIES:
        told = summary["strategies"][strategy]
        assert set(told) == {"n", "evaluations", "distinct", "test_accuracy"}
        assert told["test_accuracy"]["mean"] == pytest.approx(
            (MERIT[ends(found, strategy)] + 5).mean()
        )


# Any metric.


def test_a_goal_of_another_name_stands_in_accuracy_s_place(make: Make) -> None:
    table = make(r={"valid_miou": MERIT, "test_miou": MERIT / 2, "valid_loss": -MERIT})
    found = nb.compare(["local_search"], table, metric="valid_miou", **COMMON).summary()
    told = found["strategies"]["local_search"]
    assert set(told) == {"n", "evaluations", "distinct", "valid_miou", "test_miou", "regret"}
    assert told["test_miou"]["mean"] == pytest.approx(told["valid_miou"]["mean"] / 2)
    loss = nb.compare(["local_search"], table, metric="valid_loss", **COMMON).summary()
    assert loss["strategies"]["local_search"]["valid_loss"]["mean"] == pytest.approx(
        -told["valid_miou"]["mean"]
    )
    assert loss["strategies"]["local_search"]["regret"] == pytest.approx(told["regret"])


def test_a_table_of_costs_alone_is_searched(make: Make) -> None:
    table = make(costs={"latency_ms": MERIT + 1})
    given = {**COMMON, "budget_evaluations": 200, "seeds": [0], "metric": "toy/latency_ms"}
    parameters = {"random_search": {"repeats": False}}
    found = nb.compare(["random_search"], table, parameters=parameters, **given)
    told = found.summary()["strategies"]["random_search"]
    assert told["toy/latency_ms"]["mean"] == 1
    assert told["regret"]["mean"] == 0
