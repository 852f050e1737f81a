"""Strategies side by side on a table, or on several: `nb.compare`, and `nasbench compare`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, overload

from nasbench._defaults import RUNS
from nasbench._processes import cores
from nasbench._progress import shown, silent
from nasbench.errors import BadValue, NasbenchError, StrategyError, unknown
from nasbench.search.among import is_whole
from nasbench.search.comparing import Progress, compare_on
from nasbench.search.comparison import Comparison
from nasbench.search.comparisons import Comparisons
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import column_of
from nasbench.search.protocol import ProtocolFields, SearchProtocol, protocol_with
from nasbench.search.setting import Setting, metric_of
from nasbench.search.share_runs import shares_beside
from nasbench.search.shares import Shares
from nasbench.search.strategy import AnyStrategy, is_known, is_ours, names_of
from nasbench.table import Table, load

__all__ = ["compare"]

Source = Table | str | Path
Shared = Shares | str | Path | Sequence[Shares | str | Path]
"""Runs that share weights, or the folders that keep them."""


@overload
def compare(
    strategies: Sequence[AnyStrategy],
    table: Source,
    protocol: SearchProtocol | None = None,
    *,
    seeds: int | Iterable[int] = range(RUNS),
    processes: int | None = None,
    isolate: bool = False,
    share: Shared = (),
    out: str | Path | None = None,
    progress: Progress | bool = True,
    **fields: Unpack[ProtocolFields],
) -> Comparison: ...
@overload
def compare(
    strategies: Sequence[AnyStrategy],
    table: list[Any] | tuple[Any, ...],
    protocol: SearchProtocol | None = None,
    *,
    seeds: int | Iterable[int] = range(RUNS),
    processes: int | None = None,
    isolate: bool = False,
    out: str | Path | None = None,
    progress: Progress | bool = True,
    **fields: Unpack[ProtocolFields],
) -> Comparisons: ...
def compare(
    strategies: Sequence[AnyStrategy],
    table: Source | list[Any] | tuple[Any, ...],
    protocol: SearchProtocol | None = None,
    *,
    seeds: int | Iterable[int] = range(RUNS),
    processes: int | None = None,
    isolate: bool = False,
    share: Shared = (),
    out: str | Path | None = None,
    progress: Progress | bool = True,
    **fields: Unpack[ProtocolFields],
) -> Comparison | Comparisons:
    """Run every strategy with every seed and look up what their incumbents are worth.

    The outcome is the same whatever the number of processes.

    Args:
        strategies: registered names; or classes and functions that make one when they are called
            with `(space, goal, rng, **own parameters)`, which run under their own names. What no
            other process can import (a notebook's or a script's) runs in this one.
        table: to search on and to look incumbents up in; a name or path will do. Each table of
            a list is searched in turn, and they may be of different spaces: a recipe that is
            named is that of the tables which have it, and a table that has another one alone is
            searched and judged by that; a table without validation accuracy is searched for
            what it is primarily judged by, unless a metric is named. What cannot search a table,
            by its own word, is left out there, and the others run.
        protocol: how the runs are made and judged; a budget at least is needed.
        seeds: how many runs of each strategy, or which.
        processes: that run side by side; a core each by default.
        isolate: give each strategy a process of its own, without the table, see `nasbench guide
            isolation`; the outcome is the same.
        share: runs that share weights, by `nb.share`, or their folders, to stand beside the
            searches on the page and in the summary; priced by the one table.
        out: a folder that keeps the runs as they finish; what it has is not run again. Runs on
            a list of tables go into a folder for each, `out/tables/NAME`.
        progress: called after each run with the runs that are done and the runs in all; True
            shows it, in a terminal or notebook by a bar.
        fields: fields of the protocol by name, in place of the protocol or of its own.

    Returns:
        What the runs found; on a list of tables with what they say together.

    Raises:
        NasbenchError: before the first run, for whatever can be known to be wrong by then.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> found = nb.compare(["random_search"], table, budget_evaluations=5, seeds=range(3))
        >>> found.summary()["strategies"]["random_search"]["n"]
        3
    """
    asked = protocol_with(protocol, **fields)
    numbers = range(seeds) if isinstance(seeds, int) else list(seeds)
    folder = None if out is None else Path(out)
    beside = cores() if processes is None else processes
    with shown(progress if isinstance(progress, bool) else silent) as tell:

        def count(done: int, total: int) -> None:
            tell("searching", done, total)

        told = count if isinstance(progress, bool) else progress
        if isinstance(table, list | tuple):
            if share:
                raise BadValue(
                    "runs that share weights stand beside searches on one table: name one"
                )
            return _compare_tables(table, strategies, asked, numbers, beside, isolate, folder, told)
        opened = load(table)
        return compare_on(
            opened,
            strategies,
            asked,
            seeds=numbers,
            processes=beside,
            isolate=isolate,
            out=folder,
            progress=told,
            shared=shares_beside(opened, share),
        )


def _compare_tables(
    sources: Sequence[Source],
    strategies: Sequence[AnyStrategy],
    protocol: SearchProtocol,
    seeds: Sequence[int],
    processes: int,
    isolate: bool,
    out: Path | None,
    progress: Progress | None,
) -> Comparisons:
    """`compare` on each table in turn."""
    if protocol.surrogate:
        raise BadValue("a surrogate is of one table: name one table to judge by")
    if not sources:
        raise BadValue("a comparison needs a table at least")
    if out is not None and (out / "comparison.json").exists():
        raise BadValue(f"{out} holds a comparison on one table: give another --out")
    tables = list(map(load, sources))
    if len({table.sha256 for table in tables}) < len(tables):
        raise BadValue("a table is named twice: over tables each counts once")
    first = tables[0].space.describe()
    for given in ("start", "also"):
        if getattr(protocol, given) and any(t.space.describe() != first for t in tables):
            raise BadValue(f"{given} is of one space, and the tables are of several")
    protocols = [_protocol_of(table, protocol, tables) for table in tables]
    names = _labels([table.name for table in tables], tables)
    folders = _labels([_as_file(table.name) for table in tables], tables)
    called = names_of(strategies)
    # Where each has a process of its own, no stranger's code runs in this one to be asked.
    asked = [one for one in called if is_known(one) and (is_ours(one) or not isolate)]
    absent = _refusals(tables, asked, protocols, names)
    found = {}
    for place, table in enumerate(tables):

        def tell(done: int, total: int, before: int = place) -> None:
            if progress:
                progress(before * total + done, len(tables) * total)

        found[names[place]] = compare_on(
            table,
            [one for one in called if one not in absent[names[place]]],
            protocols[place],
            seeds=seeds,
            processes=processes,
            isolate=isolate,
            out=None if out is None else out / "tables" / folders[place],
            progress=tell,
        )
    return Comparisons(found, absent)


def _refusals(
    tables: Sequence[Table],
    strategies: Sequence[str],
    protocols: Sequence[SearchProtocol],
    names: Sequence[str],
) -> dict[str, dict[str, str]]:
    """For each table which strategies refuse it, and why; not those that refuse all tables.

    What a strategy refuses everywhere is no matter of a table: it is said where runs begin.

    Raises:
        NasbenchError: where nobody can search a table that others can.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for table, protocol, name in zip(tables, protocols, names, strict=True):
        setting = Setting.of(table, protocol)
        oracle = setting.oracle(table)
        for strategy in strategies:
            try:
                setting.spec(strategy, 0, oracle).begin(oracle)
            except StrategyError:
                continue  # it breaks its contract: that is found, and said, by its runs
            except NasbenchError as error:
                found[name][strategy] = str(error)
                if len(found[name]) == len(strategies):
                    raise
    everywhere = {one for one in strategies if all(one in refused for refused in found.values())}
    return {
        name: {one: why for one, why in refused.items() if one not in everywhere}
        for name, refused in found.items()
    }


def _protocol_of(table: Table, protocol: SearchProtocol, tables: Sequence[Table]) -> SearchProtocol:
    """The protocol with the recipes that this of the tables has.

    A search among rows is one on a table of a part of its space; a whole one is searched as ever.
    What it lacks of the goal is said here, before the first table is searched.
    """
    for name in (protocol.search_recipe, protocol.report_recipe, protocol.test_recipe):
        if name is not None and not any(name in other.recipes for other in tables):
            raise unknown("recipe", name, [r for other in tables for r in other.recipes])
    own = replace(
        protocol,
        search_recipe=_recipe(table, protocol.search_recipe),
        report_recipe=_recipe(table, protocol.report_recipe),
        test_recipe=_recipe(table, protocol.test_recipe),
        among_rows=protocol.among_rows and not is_whole(table),
    )
    own = replace(own, metric=metric_of(own, table))
    lookup = LookUp.of(table, own)
    for metric in own.goal().judged:
        column_of(table, metric, lookup.report_recipe)
    for limit in own.limits:
        column_of(table, limit.metric, lookup.search_recipe)
    return own


def _recipe(table: Table, name: str | None) -> str | None:
    """The recipe of that name where the table has it, else its only one; None as it is."""
    return name if name is None or name in table.recipes else table.recipe(None)


def _labels(names: Sequence[str], tables: Sequence[Table]) -> list[str]:
    """The names, with the start of the table's hash where several are equal but for case."""
    often = Counter(name.casefold() for name in names)
    return [
        name if often[name.casefold()] == 1 else f"{name}-{table.sha256[:8]}"
        for name, table in zip(names, tables, strict=True)
    ]


def _as_file(name: str) -> str:
    """A table's name, which may be a stranger's, as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", name).strip(".-") or "table"
