"""`nb.search`: one search, as the command line runs it, and what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import BadValue, NasbenchError
from nasbench.search import Goal, Limit, Objective, SearchProtocol
from nasbench.space import Space
from nasbench.table import Table

BUDGET: dict[str, Any] = {"budget_evaluations": 12, "search_recipe": "long"}


def test_the_command_line_says_the_same(made_up_table: Table, tmp_path: Path) -> None:
    words = ["search", "regularized_evolution", "--table", str(made_up_table.path), "--json"]
    words += ["--budget-evaluations", "12", "--search-recipe", "long", "--seed", "3"]
    words += [
        "--set",
        "population_size=4",
        "--set",
        "sample_size=2",
        "--out",
        str(tmp_path / "cli.jsonl"),
    ]
    said = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    run = nb.search(
        "regularized_evolution",
        made_up_table,
        seed=3,
        parameters={"population_size": 4, "sample_size": 2},
        out=tmp_path / "python.jsonl",
        **BUDGET,
    )
    assert json.loads(said) == json.loads(json.dumps(run.describe()))
    assert (tmp_path / "cli.jsonl").read_bytes() == (tmp_path / "python.jsonl").read_bytes()


def test_a_run_tells_its_best_and_all_that_led_there(made_up_table: Table) -> None:
    run = nb.search("random_search", str(made_up_table.path), **BUDGET)
    asked = [done.query.architecture for done in run.evaluations]
    worth = made_up_table.values("valid_accuracy", asked, recipe="long").tolist()
    assert run.best == asked[worth.index(max(worth))]
    assert run.values == {"valid_accuracy": max(worth)}
    frame = run.frame()
    assert frame["architecture"].tolist() == asked
    assert frame["valid_accuracy"].tolist() == worth
    assert frame["incumbent"].iloc[-1] == run.best
    assert f"{run.best}, valid_accuracy {max(worth):.6g} in 12 evaluations" in repr(run)


def test_parameters_can_be_read_back(made_up_table: Table) -> None:
    run = nb.search("hyperband", made_up_table, parameters={"eta": 2}, **BUDGET)
    assert run.parameters == {"eta": 2, "min_epochs": 1}


def test_limits_and_objectives_by_name(made_up_table: Table) -> None:
    bound = float(sorted(made_up_table.device_column("toy", "latency_ms"))[20])
    run = nb.search(
        "nsga2",
        made_up_table,
        limits={"toy/latency_ms": (None, bound)},
        objectives=["flops"],
        **BUDGET,
    )
    assert made_up_table.cost("toy", "latency_ms", run.best) <= bound
    assert run.spec.goal.limits == (Limit("toy/latency_ms", at_most=bound),)
    assert run.spec.goal.objectives == (Objective("flops", maximize=False),)
    low = SearchProtocol(budget_epochs=1, limits={"flops": (1.0, None)})  # type: ignore[arg-type]
    assert low.limits == (Limit("flops", at_least=1.0),)
    both = SearchProtocol(budget_epochs=1, limits={"flops": (1, 2)})  # type: ignore[arg-type]
    assert both.limits == (Limit("flops", at_least=1.0), Limit("flops", at_most=2.0))
    with pytest.raises(BadValue, match=r"limit of flops is \(at least, at most\).*got 5"):
        SearchProtocol(budget_epochs=1, limits={"flops": 5})  # type: ignore[arg-type]


class Ahead:
    """Asks for one architecture after the other."""

    def __init__(self, space: Space, goal: Goal, rng: Any, *, first: int = 0) -> None:
        self.goal, self.next = goal, first

    def ask(self) -> Any:
        self.next += 1
        return self.goal.query(self.next)

    def tell(self, query: Any, outcome: Any) -> None:
        pass


def test_an_instance_runs_once(made_up_table: Table) -> None:
    goal = nb.search("random_search", made_up_table, **BUDGET).spec.goal
    run = nb.search(Ahead(made_up_table.space, goal, None, first=7), made_up_table, **BUDGET)
    assert run.spec.strategy == "Ahead"
    assert [done.query.architecture for done in run.evaluations] == list(range(8, 20))
    again = nb.search(Ahead, made_up_table, parameters={"first": 7}, **BUDGET)
    assert again.evaluations == run.evaluations
    assert again.parameters == {"first": 7}
    with pytest.raises(BadValue, match="an instance of Ahead is one run's: give its class"):
        nb.compare([Ahead(made_up_table.space, goal, None)], made_up_table, **BUDGET)  # type: ignore[list-item]


def test_what_cannot_be_searched_is_one_sentence(made_up_table: Table) -> None:
    with pytest.raises(BadValue, match="name one of"):
        nb.search("random_search", budget_evaluations=3)
    with pytest.raises(NasbenchError, match="nothing was found"):
        nb.search("random_search", made_up_table, failures=0.9999, **BUDGET)
    with pytest.raises(BadValue, match="a strategy is a name, a class, or a function"):
        nb.search(3, made_up_table, **BUDGET)  # type: ignore[arg-type]


def test_progress_is_told(made_up_table: Table) -> None:
    told: list[tuple[str, int, int]] = []
    nb.search("random_search", made_up_table, progress=lambda *of: told.append(of), **BUDGET)
    assert told == [("searching", done, 12) for done in range(1, 13)]
