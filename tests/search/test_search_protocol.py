"""The protocol: one object, the same fields by keyword, read back from what was written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError, UnknownName
from nasbench.search import (
    CostModel,
    Limit,
    Objective,
    SearchProtocol,
    SoftTarget,
    SurrogateOracle,
)
from nasbench.search.prior import Prior
from nasbench.search.protocol import ProtocolFields
from nasbench.search.setting import Setting
from nasbench.surrogate import fit
from nasbench.table import Dataset, Table, write_table

KEPT = {
    "table": "/somewhere/t.h5",
    "surrogate": None,
    "budget": {"evaluations": 6, "seconds": 50.0},
    "metric": "valid_accuracy",
    "maximize": True,
    "limits": [{"metric": "toy/latency_ms", "at_most": 0.9, "at_least": None}],
    "search_recipe": "short",
    "report_recipe": "long",
    "training_seed": None,
    "repeats": "free",
    "workers": 2,
    "parameters": {"mo_rea": {"population_size": 4}},
    "cost_model": {"seconds_per_epoch": 2.0, "in_proportion_to": None},
    "schedule": "synchronous",
    "failures": 0.1,
    "also": ["/somewhere/else.h5"],
    "objectives": [{"metric": "flops", "maximize": False}],
    "targets": [{"metric": "toy/latency_ms", "at": 0.5, "within": -0.07, "beyond": -0.07}],
    "start": [3, 4],
    "prior": {"proxy": "synflow", "keep": 0.5},
}
"""A setting as `comparison.json` has had it since there are comparisons."""


def test_a_kept_setting_is_read_and_written_back() -> None:
    setting = Setting.from_json(KEPT, Path("/else/run"))
    assert setting.protocol == SearchProtocol(
        budget_evaluations=6,
        budget_seconds=50.0,
        limits=[Limit("toy/latency_ms", 0.9)],
        objectives=[Objective("flops", maximize=False)],
        targets=[SoftTarget("toy/latency_ms", 0.5)],
        search_recipe="short",
        report_recipe="long",
        repeats="free",
        workers=2,
        schedule="synchronous",
        failures=0.1,
        parameters={"mo_rea": {"population_size": 4}},
        cost_model=CostModel(2.0),
        start=[3, 4],
        prior=Prior("synflow", 0.5),
        also=["/somewhere/else.h5"],
    )
    assert json.loads(json.dumps(setting.to_json(Path("/else/run")))) == {
        **KEPT,
        "table": "../../somewhere/t.h5",
        "also": ["../../somewhere/else.h5"],
        "test_recipe": None,
        "among_rows": False,
    }


@pytest.mark.parametrize("among", ["tables", "run/deeper", "."])
def test_files_are_named_as_seen_from_the_folder(tmp_path: Path, among: str) -> None:
    """Folders that move together stay readable, and who owns them is not said."""
    table = tmp_path / among / "t.h5"
    setting = Setting(str(table), SearchProtocol(budget_evaluations=1, surrogate=str(table)))
    kept = setting.to_json(tmp_path / "run")
    assert str(tmp_path) not in json.dumps(kept)
    moved = Setting.from_json(json.loads(json.dumps(kept)), Path("/elsewhere/run"))
    assert moved.table == str(Path("/elsewhere") / among / "t.h5")
    assert moved.protocol.surrogate == moved.table


def test_files_of_the_home_directory_do_not_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    setting = Setting("/home/somebody/t.h5", SearchProtocol(budget_evaluations=1))
    kept = setting.to_json(Path("/scratch/run"))
    assert kept["table"] == "~/t.h5"
    assert Setting.from_json(kept, Path("/scratch/run")).table == setting.table


def test_shipped_tables_are_kept_by_name(tmp_path: Path) -> None:
    shipped = str(nb.load("nb201-fashion16").path.resolve())
    kept = Setting(shipped, SearchProtocol(budget_evaluations=1)).to_json(tmp_path)
    assert kept["table"] == "nb201-fashion16"
    assert Setting.from_json(kept, tmp_path).table == shipped


def test_a_setting_of_the_first_version_is_read() -> None:
    later = ("objectives", "targets", "start", "prior")
    first = {name: value for name, value in KEPT.items() if name not in later}
    protocol = Setting.from_json(first, Path("/else/run")).protocol
    assert (protocol.objectives, protocol.targets, protocol.start, protocol.prior) == (
        (),
        (),
        (),
        None,
    )


def test_the_keywords_are_the_fields() -> None:
    keywords, own = get_type_hints(ProtocolFields), get_type_hints(SearchProtocol)
    assert keywords.keys() == own.keys()
    wider = {"limits", "objectives", "begin_in"}  # by names and tuples, too
    assert {name for name in own if keywords[name] != own[name]} == wider


def test_a_protocol_says_what_keywords_say(made_up_table: Table) -> None:
    given: dict[str, Any] = {"budget_evaluations": 4, "search_recipe": "short"}
    by_keyword = nb.compare(["random_search"], made_up_table, seeds=[1], **given)
    protocol = SearchProtocol(**given)
    by_object = nb.compare(["random_search"], made_up_table, protocol, seeds=[1])
    assert by_object.summary() == by_keyword.summary()
    changed = nb.compare(
        ["random_search"], made_up_table, protocol, seeds=[1], budget_evaluations=2
    )
    assert changed.protocol == replace(by_keyword.protocol, budget_evaluations=2)


def test_unknown_fields_name_the_near_ones(made_up_table: Table) -> None:
    given: dict[str, Any] = {"budget_secnds": 3}
    with pytest.raises(UnknownName, match=r"'budget_secnds'; did you mean budget_seconds"):
        nb.compare(["random_search"], made_up_table, **given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "needs a budget"),
        ({"budget_evaluations": 0}, "must be more than 0"),
        ({"budget_seconds": 1.0, "metric": "test_accuracy"}, "kept for the report"),
        ({"budget_seconds": 1.0, "limits": Limit("a", 1)}, r"limits takes a list, got Limit\("),
        ({"budget_seconds": 1.0, "limits": ["a<=1"]}, "limits takes a list of Limit, got 'a<=1'"),
        ({"budget_seconds": 1.0, "also": "t.h5"}, "also takes a list, got 't.h5'"),
        ({"budget_seconds": 1.0, "objectives": [Limit("a", 1)]}, "objectives takes a list of Obj"),
        (
            {"budget_seconds": 1.0, "parameters": {"asha": {"rates": [1.0, (np.nan,)]}}},
            r"parameter rates of strategy asha must be finite, got \[1.0, \(nan,\)\]",
        ),
        (
            {"budget_seconds": 1.0, "parameters": {"asha": {"rate": np.float32("-inf")}}},
            "parameter rate of strategy asha must be finite, got ",
        ),
    ],
)
def test_what_no_search_could_have_is_no_protocol(given: dict[str, Any], why: str) -> None:
    with pytest.raises(NasbenchError, match=why):
        SearchProtocol(**given)


def test_every_field_is_documented() -> None:
    described = SearchProtocol.__doc__ or ""
    missing = [known.name for known in fields(SearchProtocol) if f"{known.name}:" not in described]
    assert missing == []


def test_files_are_opened_once(
    made_up_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(made_up_table, recipe="short", train=40).save(tmp_path / "s.json")
    opened: Counter[str] = Counter()
    make = SurrogateOracle.__init__

    def counting(self: SurrogateOracle, *given: Any, **more: Any) -> None:
        opened["surrogate"] += 1
        make(self, *given, **more)

    monkeypatch.setattr(SurrogateOracle, "__init__", counting)
    found = nb.compare(
        ["random_search", "mo_rea"],
        made_up_table,
        surrogate=tmp_path / "s.json",
        report_recipe="long",
        objectives=[Objective("toy/latency_ms", maximize=False)],
        budget_evaluations=4,
        seeds=range(2),
    )
    found.summary()
    assert opened == {"surrogate": 1}


@pytest.mark.parametrize(("better", "more"), [("low", False), ("high", True)])
def test_a_table_says_which_way_its_proxies_are_better(
    tmp_path: Path, better: str, more: bool
) -> None:
    space = nb.space("nb201-mini")
    scores = np.arange(len(space.representatives), dtype=float)
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=space,
        rows=space.representatives,
        sharing="canonical",
        recipes={},
        datasets={"proxy/guess": Dataset(scores, {"kind": "computed", "better": better})},
        devices={},
    )
    given: dict[str, Any] = {"metric": "proxy/guess", "budget_evaluations": 3, "seeds": [0]}
    assert nb.compare(["random_search"], table, **given).goal.maximize is more
    told = nb.compare(["random_search"], table, maximize=not more, **given)
    assert told.goal.maximize is not more
