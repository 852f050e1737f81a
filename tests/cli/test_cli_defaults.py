"""What is left out means the same to the command line and to Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import pytest
import typer

import nasbench as nb
from nasbench._result import Result
from nasbench.building.call import build_table, export_network, score_proxies
from nasbench.cli import app
from nasbench.report.call import report_on
from nasbench.search import SearchProtocol
from nasbench.search.call import search_once
from nasbench.surrogate.call import fit_table, score_any
from nasbench.validity.call import judge_proxies

PROTOCOL = {"soft": "targets", "seconds_per_epoch": "cost_model", "proxy": "prior"}
"""Options that say what fields of the protocol of other names do."""

FIGURES = {"figure_width", "figure_font"}
"""Of the page, which in Python is another call than the runs: `Result.report`."""

OWN = ("in_proportion_to", "keep", "begin_with")
"""Options that are parts of such fields."""

COMMANDS: dict[str, tuple[Callable[..., Any], dict[str, str], set[str]]] = {
    "build": (build_table, {}, {"shard", "dry_run"}),
    "search": (search_once, {"settings": "parameters", **PROTOCOL}, set(OWN)),
    "compare": (
        nb.compare,
        {"settings": "parameters", "tables": "table", **PROTOCOL},
        {*OWN, *FIGURES},
    ),
    "surrogate fit": (fit_table, {}, set()),
    "surrogate score": (score_any, {}, set()),
    "report": (report_on, {"fitted": "surrogate", "comparisons": "compare"}, set()),
    "export": (export_network, {"words": "architecture"}, set()),
    "proxies score": (score_proxies, {"chosen": "proxies"}, set()),
    "proxies report": (judge_proxies, {"chosen": "proxies"}, {"out"}),
}
"""By command: the function; options under another name; those that are of the terminal alone."""

MEANS: dict[Any, Any] = {"100": range(100), "xgboost": ("xgboost",)}
"""Texts of the command line, and what they mean."""


def meant(default: Any) -> Any:
    """A default without the ways to say nothing: what must be given, too, has none."""
    if default is ... or default is MISSING or default in (None, (), [], {}):
        return None
    return MEANS.get(default, default)


def options(command: str) -> dict[str, Any]:
    """The options of a command with their defaults; `...` of what must be given."""
    group: Any = typer.main.get_command(app)
    for word in command.split():
        group = group.commands[word]
    return {
        option.name: ... if option.required else option.default
        for option in group.params
        if option.name not in ("as_json", "help", "install_completion", "show_completion")
    }


def arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function with their defaults, with the fields of a protocol it takes."""
    given = inspect.signature(function).parameters.values()
    found = {one.name: ... if one.default is one.empty else one.default for one in given}
    if "fields" in found:
        found |= {of.name: of.default for of in fields(SearchProtocol)}
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_default_is_the_same(command: str) -> None:
    function, renamed, of_terminals = COMMANDS[command]
    known, asked = arguments(function), options(command)
    assert of_terminals <= asked.keys()
    for name, default in asked.items():
        if name in of_terminals:
            continue
        own = meant(known[renamed.get(name, name)])
        assert (type(own), own) == (type(meant(default)), meant(default)), name


def test_pages_of_results_have_the_figures_of_commands() -> None:
    known = arguments(Result.report)
    for command in ("compare", "report"):
        asked = options(command)
        assert {name: asked[name] for name in FIGURES} == {name: known[name] for name in FIGURES}
