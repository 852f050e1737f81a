"""Strategies that do not keep their contract: told in a sentence, and the others go on."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.report import write_comparison
from nasbench.search import Comparison, Goal, Outcome, Query, guard, strategy
from nasbench.search import compare as compare_any
from nasbench.space import Space
from nasbench.table import Table
from strategies.random_search import RandomSearch

COMMON: dict[str, Any] = {"budget_evaluations": 8, "seeds": range(3), "search_recipe": "short"}


class Broken(RandomSearch):
    """What breaks it comes with its third query."""

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        super().__init__(space, goal, rng)
        self.asks = 0

    def ask(self) -> Query | None:
        self.asks += 1
        query = super().ask()
        return self.broken(query) if query and self.asks == 3 else query

    def broken(self, query: Query) -> Any:
        return query


class InInit(Broken):
    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator) -> None:
        raise RuntimeError("no\nluck")


class InAsk(Broken):
    def broken(self, query: Query) -> Any:
        raise KeyError("lost")


class InTell(Broken):
    def tell(self, query: Query, outcome: Outcome) -> None:
        raise NasbenchError("that is not what I expected")


class WantsTest(Broken):
    def tell(self, query: Query, outcome: Outcome) -> None:
        outcome.values["test_accuracy"]


class Cheats(Broken):
    def tell(self, query: Query, outcome: Outcome) -> None:
        outcome.values["valid_accuracy"] = 100.0  # type: ignore[index]


class OutOfSpace(Broken):
    def broken(self, query: Query) -> Any:
        return query._replace(architecture=10**9)


class NoQuery(Broken):
    def broken(self, query: Query) -> Any:
        return 17


class Epochs(Broken):
    def broken(self, query: Query) -> Any:
        return query._replace(epochs=[1])


class Recipe(Broken):
    def broken(self, query: Query) -> Any:
        return query._replace(recipe="other")


class Silent(Broken):
    def ask(self) -> Query | None:
        return None


class Endless(Broken):
    def broken(self, query: Query) -> Any:
        while True:
            time.sleep(0.01)


AT = r" \(test_search_broken.py, line \d+\)"
SAYS = {
    InInit: r"failed in its __init__: RuntimeError: no luck" + AT,
    InAsk: r"failed in ask: KeyError: 'lost'" + AT,
    InTell: r"failed in tell: that is not what I expected" + AT,
    WantsTest: r"failed in tell: KeyError: 'test_accuracy'" + AT,
    Cheats: r"failed in tell: TypeError: .*does not support item assignment" + AT,
    OutOfSpace: r"asked for Query\(architecture=1000000000, .*, which is no query of nb201-mini",
    NoQuery: r"asked for 17, which is no query of nb201-mini",
    Epochs: r"asked for Query\(.*epochs=\[1\], .*, which is no query of nb201-mini",
    Recipe: r"asked for \d epochs of recipe 'other': this search trains short for 1 to \d epochs",
    Silent: r"asked for nothing with seed 0",
    Endless: r"gave no answer for 2 s",
}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken ones beside one that is not."""
    points = {
        one.__name__: SimpleNamespace(load=lambda one=one: one) for one in (*SAYS, RandomSearch)
    }
    monkeypatch.setattr(strategy, "_registered", lambda: points)


@pytest.mark.parametrize("broken", SAYS, ids=lambda broken: broken.__name__)
def test_the_others_finish(
    broken: type, made_up_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken is Endless:  # as long as a busy machine may take for the others' answers
        monkeypatch.setattr(guard, "PATIENCE", 2.0)
    names = [broken.__name__, "RandomSearch"]
    found = compare_any(names, made_up_table, out=tmp_path, **COMMON)
    alone = compare_any(names[1:], made_up_table, **COMMON)
    assert list(found.traces) == ["RandomSearch"]
    assert found.summary()["strategies"] == alone.summary()["strategies"]
    ((name, why),) = found.broken.items()
    assert name == broken.__name__
    assert re.fullmatch(f"strategy {name} {SAYS[broken]}", why)


def test_page_and_folder_say_what_was_left_out(made_up_table: Table, tmp_path: Path) -> None:
    found = compare_any(["InAsk", "RandomSearch"], made_up_table, out=tmp_path, **COMMON)
    assert Comparison.load(tmp_path).broken == found.broken == found.summary()["broken"]
    page = write_comparison(found, tmp_path).read_text()
    assert "Left out: strategy InAsk failed in ask: KeyError: &#39;lost&#39; (test_search_" in page


def test_none_that_keeps_it_leaves_nothing_to_compare(made_up_table: Table) -> None:
    with pytest.raises(NasbenchError, match=r"InAsk failed in ask: .*; strategy Silent asked for"):
        compare_any(["InAsk", "Silent"], made_up_table, **COMMON)


def test_several_tables_have_those_that_ran_on_all(made_up_table: Table, tmp_path: Path) -> None:
    found = compare_any(["Recipe", "RandomSearch"], [made_up_table], **COMMON)
    assert found.strategies == ["RandomSearch"]
    assert list(found.broken) == ["Recipe"]
