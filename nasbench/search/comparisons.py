"""The same strategies on several tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from nasbench._defaults import RUNS
from nasbench._processes import cores
from nasbench._progress import shown, silent
from nasbench._result import Result
from nasbench.errors import BadValue, unknown
from nasbench.search.comparing import Progress, compare_on
from nasbench.search.comparison import Comparison
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import column_of
from nasbench.search.protocol import ProtocolFields, SearchProtocol, protocol_with
from nasbench.search.strategy import AnyStrategy
from nasbench.stats import Friedman, Pair, compare_pairs, friedman
from nasbench.table import Table, load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparisons", "compare"]

Source = Table | str | Path


@dataclass(frozen=True, repr=False)
class Comparisons(Result):
    """Runs of the same strategies on several tables, and which strategy does best over them.

    Attributes:
        tables: for each table what was run on it, by the table's name, with the start of its
            hash where several have the name.
    """

    tables: Mapping[str, Comparison]

    def __repr__(self) -> str:
        names = ", ".join(self.strategies)
        return f"<Comparisons of {names} on {', '.join(self.tables)}>"

    def frame(self) -> pd.DataFrame:
        """A row a run, of all tables: `table`, then the columns of `Comparison.frame`."""
        import pandas as pd

        frames = [one.frame().assign(table=name) for name, one in self.tables.items()]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["table", *(name for name in whole.columns if name != "table")]]

    @property
    def strategies(self) -> list[str]:
        """Those that ran on every table."""
        first, *others = self.tables.values()
        return [name for name in first.traces if all(name in of.traces for of in others)]

    @property
    def broken(self) -> dict[str, str]:
        """Strategies that do not keep their contract, and what each did last."""
        return {name: why for of in self.tables.values() for name, why in of.broken.items()}

    @property
    def scored(self) -> str:
        """What strategies are told apart by."""
        return next(iter(self.tables.values())).scored

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """Mean score of each strategy on each table, `[tables]`; NaN where all runs failed.

        Runs that found nothing are left out of the mean.
        """
        found = {}
        for strategy in self.strategies:
            finals = [table.scores[strategy] for table in self.tables.values()]
            known = [scores[np.isfinite(scores)] for scores in finals]
            found[strategy] = np.asarray([of.mean() if len(of) else np.nan for of in known])
        return found

    @cached_property
    def ranks(self) -> Friedman:
        """Friedman's test with Nemenyi's: blocks are tables."""
        return friedman(self.scores)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Wilcoxon's signed ranks over tables for each pair, corrected by Holm."""
        return compare_pairs(self.scores, paired=True)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds: of each table what it holds of one, and what is over them."""
        return {
            "tables": {name: table.summary() for name, table in self.tables.items()},
            "ranks": self.ranks.describe(),
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "difference": pair.difference.describe(),
                    "wins": pair.wins.describe(),
                    "p": pair.p,
                    "p_holm": pair.p_holm,
                    "note": pair.note,
                }
                for pair in self.pairs
            ],
        }


@overload
def compare(
    strategies: Sequence[AnyStrategy],
    table: Source,
    protocol: SearchProtocol | None = None,
    *,
    seeds: Iterable[int] = range(RUNS),
    processes: int | None = None,
    isolate: bool = False,
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
    seeds: Iterable[int] = range(RUNS),
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
    seeds: Iterable[int] = range(RUNS),
    processes: int | None = None,
    isolate: bool = False,
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
            a list is searched in turn: a recipe that is named is that of the tables which have
            it, and a table that has another one alone is searched and judged by that.
        protocol: how the runs are made and judged; a budget at least is needed.
        seeds: of the runs.
        processes: that run side by side; a core each by default.
        isolate: give each strategy a process of its own, without the table, see `nasbench guide
            isolation`; the outcome is the same.
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
    folder = None if out is None else Path(out)
    beside = cores() if processes is None else processes
    with shown(progress if isinstance(progress, bool) else silent) as tell:

        def count(done: int, total: int) -> None:
            tell("searching", done, total)

        told = count if isinstance(progress, bool) else progress
        if isinstance(table, list | tuple):
            return _compare_tables(table, strategies, asked, seeds, beside, isolate, folder, told)
        return compare_on(
            load(table),
            strategies,
            asked,
            seeds=seeds,
            processes=beside,
            isolate=isolate,
            out=folder,
            progress=told,
        )


def _compare_tables(
    sources: Sequence[Source],
    strategies: Sequence[AnyStrategy],
    protocol: SearchProtocol,
    seeds: Iterable[int],
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
    protocols = [_protocol_of(table, protocol, tables) for table in tables]
    names = _labels([table.name for table in tables], tables)
    folders = _labels([_as_file(table.name) for table in tables], tables)
    numbers = list(seeds)
    found = {}
    for place, table in enumerate(tables):

        def tell(done: int, total: int, before: int = place) -> None:
            if progress:
                progress(before * total + done, len(tables) * total)

        found[names[place]] = compare_on(
            table,
            strategies,
            protocols[place],
            seeds=numbers,
            processes=processes,
            isolate=isolate,
            out=None if out is None else out / "tables" / folders[place],
            progress=tell,
        )
    return Comparisons(found)


def _protocol_of(table: Table, protocol: SearchProtocol, tables: Sequence[Table]) -> SearchProtocol:
    """The protocol with the recipes that this of the tables has.

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
    )
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
