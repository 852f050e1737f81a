"""Tables of different spaces and metrics side by side; what cannot search one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_curves import curves_of

import nasbench as nb
from nasbench.errors import NasbenchError, Unsupported
from nasbench.report import write_comparison
from nasbench.search import Comparisons
from nasbench.space import CellSpace, ChoiceSpace
from nasbench.table import Table, write_table

QUICK: dict[str, Any] = {"budget_evaluations": 5, "seeds": range(3), "processes": 1}
NAMES = ["random_search", "local_search"]


class OfCells:
    """Draws cells, and refuses all else."""

    def __init__(self, space: Any, goal: Any, rng: Any) -> None:
        if not isinstance(space, CellSpace):
            raise Unsupported(f"it draws cells, and {space.name} has none")
        self._space, self._goal, self._rng = space, goal, rng

    def ask(self) -> Any:
        return self._goal.query(int(self._space.sample(self._rng)))

    def tell(self, asked: Any, outcome: Any) -> None:
        pass


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Of policies: 12 of them, judged by what they return, an epoch a second."""
    seconds = np.ones((12, 2, 3)).cumsum(2)
    return _players(tmp_path_factory.mktemp("played"), train_seconds=seconds)


def _players(folder: Path, **curves: Any) -> Table:
    space = ChoiceSpace("players", {"width": [1, 2, 3, 4], "depth": [1, 2, 3]})
    rng = np.random.default_rng(3)
    shape = (12, 2, 3)
    worth = rng.uniform(0, 400, (12, 1, 1)) + rng.normal(size=shape)
    return write_table(
        folder / "played.h5",
        name="played",
        space=space,
        rows=np.arange(12),
        sharing="canonical",
        recipes={"long": {"epochs": 3, "seeds": [0, 1]}},
        datasets=curves_of("long", **{"return": worth}, **curves),
        devices={},
    )


@pytest.fixture(scope="module")
def found(made_up_table: Table, played: Table) -> Comparisons:
    named = {**QUICK, "search_recipe": "short", "report_recipe": "long"}
    return nb.compare([*NAMES, OfCells], [made_up_table, played], **named)


def test_each_table_is_searched_for_what_it_is_judged_by(
    found: Comparisons, made_up_table: Table
) -> None:
    assert [of.goal.metric for of in found.tables.values()] == ["valid_accuracy", "return"]
    alone = nb.compare(
        ["local_search"],
        made_up_table,
        **{**QUICK, "search_recipe": "short", "report_recipe": "long"},
    )
    together = found.tables[made_up_table.name].finals("local_search")
    for metric, values in alone.finals("local_search").items():
        assert (together[metric] == values).all()


def test_one_table_alone_is_searched_for_it_too(played: Table) -> None:
    run = nb.search("local_search", played, budget_evaluations=5, progress=False)
    assert run.spec.goal.metric == "return"
    found = nb.compare(["local_search"], played, **QUICK)
    assert found.goal.metric == "return"
    with pytest.raises(NasbenchError, match="valid_acuracy"):
        nb.search("local_search", played, budget_evaluations=5, metric="valid_acuracy")


def test_unlike_units_are_shares_of_one_draw_s_regret(found: Comparisons, played: Table) -> None:
    """One draw's regret by hand: the best row less the mean of all."""
    worth = played.column("return")
    expected = worth.max() - worth.mean()
    for name in NAMES:
        regret = found.tables["played"].finals(name)["regret"]
        assert found.means(name)[1] == pytest.approx(100 * regret.mean() / expected)
    assert "%" in found.scored


def test_who_refuses_a_space_is_left_out_of_its_block(found: Comparisons, tmp_path: Path) -> None:
    ((table, refused),) = [(name, why) for name, why in found.absent.items() if why]
    assert (table, refused) == ("played", {"OfCells": "it draws cells, and players has none"})
    assert found.strategies == NAMES
    assert (found.partial, list(found.ranks.ranks)) == (
        ["OfCells"],
        sorted(NAMES, key=found.ranks.ranks.get),
    )
    assert np.isfinite(found.means("OfCells")[0])
    assert np.isnan(found.means("OfCells")[1])
    page = write_comparison(found, tmp_path).read_text()
    assert "it draws cells, and players has none" in page
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["absent"] == {"played": refused}


def test_what_nobody_can_search_is_refused_before_the_first_run(
    made_up_table: Table, played: Table
) -> None:
    named = {**QUICK, "search_recipe": "short", "report_recipe": "long"}
    with pytest.raises(NasbenchError, match="players has none"):
        nb.compare([OfCells], [made_up_table, played], **named)
    with pytest.raises(NasbenchError, match="start is of one space"):
        nb.compare(NAMES, [made_up_table, played], start=[3], **named)
    with pytest.raises(NasbenchError, match="nonsense"):
        nb.compare(NAMES, [played, made_up_table], metric="nonsense", **named)


def test_a_parameter_that_no_table_suits_is_said_as_of_one_table(
    made_up_table: Table, played: Table
) -> None:
    named = {**QUICK, "search_recipe": "short", "report_recipe": "long"}
    wrong = {"local_search": {"steps": 3}}
    with pytest.raises(NasbenchError, match="steps"):
        nb.compare(NAMES, [made_up_table, played], parameters=wrong, **named)


def test_seconds_of_each_table_are_those_of_its_mean_trainings(
    made_up_table: Table, played: Table, tmp_path: Path
) -> None:
    """Means by hand, and the same runs as with those seconds named for one table alone."""
    asked: dict[str, Any] = {"search_recipe": "short", "seeds": range(2), "processes": 1}
    tables = [made_up_table, played]
    found = nb.compare(["local_search"], tables, budget_mean_trainings=6.5, **asked)
    budgets = [of.protocol.budget_seconds for of in found.tables.values()]
    # A policy takes three epochs of a second each.
    mean = made_up_table.column("train_seconds", recipe="short").mean()
    assert budgets == pytest.approx([6.5 * mean, 6.5 * 3])
    alone = nb.compare(["local_search"], made_up_table, budget_seconds=budgets[0], **asked)
    together = found.tables[made_up_table.name]
    assert together.frame().equals(alone.frame())
    page = write_comparison(found, tmp_path).read_text()
    assert "--budget-mean-trainings 6.5 " in page
    assert "--budget-seconds" not in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget_mean_trainings": 0}, "more than 0"),
        ({"budget_mean_trainings": float("nan")}, "more than 0"),
        ({"budget_mean_trainings": 3, "budget_seconds": 3}, "budget_mean_trainings or"),
        ({"budget_mean_trainings": 3, "surrogate": "any.json"}, "a surrogate predicts"),
    ],
)
def test_mean_trainings_that_are_no_budget(played: Table, given: Any, said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        nb.compare(["local_search"], played, seeds=2, **given)


def test_mean_trainings_of_a_table_without_times(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="no training times"):
        nb.compare(["local_search"], _players(tmp_path), budget_mean_trainings=3, seeds=range(2))
