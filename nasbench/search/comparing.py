"""Many searches side by side: strategies and seeds, on one oracle, under one budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from nasbench._files import write_json
from nasbench._limits import MOST_PROCESSES
from nasbench.errors import BadValue, NasbenchError, StrategyError, unknown
from nasbench.search.catalog import cautions
from nasbench.search.comparison import Comparison
from nasbench.search.given import given_strategy
from nasbench.search.listening import listening
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import ListedOracle, Oracle
from nasbench.search.protocol import SearchProtocol
from nasbench.search.repeating import check_same, fresh_run
from nasbench.search.setting import Setting, header_of
from nasbench.search.shares import Shares
from nasbench.search.strategy import (
    AnyStrategy,
    check_name,
    importable,
    is_ours,
    names_of,
    strategy_class,
)
from nasbench.search.trace import KeptTraces, Trace
from nasbench.search.workers import Workers
from nasbench.stats import hypervolume
from nasbench.table import Table, load

__all__ = ["Progress", "compare_on"]

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the runs that are done and the runs in all."""


def compare_on(
    table: Table,
    strategies: Sequence[AnyStrategy],
    protocol: SearchProtocol,
    *,
    seeds: Iterable[int],
    processes: int = 1,
    isolate: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
    shared: Sequence[Shares] = (),
) -> Comparison:
    """Run every strategy with every seed on one table; see `compare`.

    Whatever is wrong with the names, the protocol or the files is refused before the first run.
    """
    names = names_of(strategies)
    numbers = list(dict.fromkeys(int(seed) for seed in seeds))
    _check_runs(names, numbers, protocol, processes)
    if not isolate:
        for name in names:
            strategy_class(name)
    setting = Setting.of(table, protocol)
    oracle = setting.oracle(table)
    _check_spaces(setting, table, oracle)
    _check_goal(setting, oracle)
    also = [load(path) for path in setting.protocol.also]
    cautious = cautions(names, setting.protocol.goal())
    for remark in (*cautious, *LookUp.of(table, setting.protocol).check(oracle, also)):
        logger.warning(remark)
    first, broken = _begin_all(setting, names, oracle, isolate)
    traces: dict[str, list[Trace]] = {}
    side_by_side = processes > 1 and len(numbers) > 1
    if not side_by_side:
        # One beside this process is as good, and a stranger's code may end it.
        apart = bool(first) and all(map(importable, names)) and not isolate
        processes = int(apart)
    code = {name: given.code for name in names if (given := given_strategy(name))}
    with Workers(setting, oracle, processes, names, isolate) as workers, ExitStack() as opened:
        kept = {
            name: opened.enter_context(
                closing(_kept_runs(setting, oracle, name, out, code.get(name)))
            )
            for name in names
            if out and name not in broken
        }
        for place, name in enumerate(names):
            if name in broken:
                continue
            done = place * len(numbers)
            traces[name] = []
            try:
                with listening():
                    for trace in _run_all(name, numbers, workers, kept.get(name)):
                        traces[name].append(trace)
                        done += 1
                        if progress:
                            progress(done, len(names) * len(numbers))
                if name in first:
                    check_same(name, first[name], workers.again(name))
            except StrategyError as error:
                broken[name] = str(error)
                del traces[name]
        for name in kept.keys() & traces.keys():
            kept[name].settle()
    if not traces:
        raise NasbenchError("; ".join(broken.values()))
    anywhere = {name: importable(name) for name in traces}
    classes = {name: of for name, of in anywhere.items() if name in code or not of}
    if out:
        described = {
            "setting": setting.to_json(out),
            "strategies": list(traces),
            "seeds": numbers,
            "broken": broken,
            **({"code": code} if code else {}),
            **({"given": classes} if classes else {}),
        }
        write_json(out / "comparison.json", described)
    return Comparison(table, setting, traces, broken, oracle, classes, shared)


def _check_runs(
    names: Sequence[str], seeds: Sequence[int], protocol: SearchProtocol, processes: int
) -> None:
    """What can be refused before any file is opened."""
    for name in names:
        check_name(name)
    for name in protocol.parameters:
        if name not in names:
            raise unknown("strategy to set parameters of", name, names)
    if not 1 <= processes <= MOST_PROCESSES:
        raise BadValue(
            f"a comparison needs 1 process or more, got {processes}; at most {MOST_PROCESSES:,}"
        )
    if not names or not seeds:
        raise BadValue("a comparison needs a strategy and a seed at least")
    if protocol.surrogate and protocol.search_recipe:
        raise BadValue(
            "a surrogate has the recipe it was fitted on: leave search_recipe (--search-recipe) out"
        )
    if protocol.surrogate and protocol.cost_model:
        raise BadValue(
            "a surrogate predicts its own training times: leave cost_model "
            "(--seconds-per-epoch) out"
        )


def _begin_all(
    setting: Setting, names: Sequence[str], oracle: Oracle, isolate: bool
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Begin every strategy once: what one refuses, parameters or a goal, is said now.

    Returns:
        For each that is not ours the start of a run in a fresh process, to be compared with the
        same after its runs; and those that did not keep their contract there, with why. One of
        ours that does not is left to its runs, for the others can go on.
    """
    first: dict[str, bytes] = {}
    broken: dict[str, str] = {}
    for name in names:
        spec = setting.spec(name, 0, oracle)
        try:
            if not is_ours(name):
                first[name] = fresh_run(spec, oracle, isolate)
            else:
                spec.begin(oracle)
        except StrategyError as error:
            if not is_ours(name):
                broken[name] = str(error)
    return first, broken


def _check_goal(setting: Setting, oracle: Oracle) -> None:
    """A goal that nothing can meet is refused, and one of which a library is missing."""
    goal = setting.protocol.goal(oracle.fidelities)
    if isinstance(oracle, ListedOracle):
        oracle.check(goal)
    if goal.objectives:
        corner = np.ones(len(goal.every_objective))
        hypervolume([corner - 1], corner)


def _check_spaces(setting: Setting, table: Table, oracle: Oracle) -> None:
    """Whatever is searched or looked up must be of the table's space."""
    if oracle.space.describe() != table.space.describe():
        raise BadValue(f"the surrogate is of {oracle.space.name}, {_of(table)}")
    for path in setting.protocol.also:
        other = load(path)
        if other.space.describe() != table.space.describe():
            raise BadValue(f"{other.name} is of {other.space.name}, {_of(table)}")
        if setting.protocol.report_recipe not in other.recipes:
            other.recipe(None)  # which of several is not clear


def _of(table: Table) -> str:
    return f"{table.name} of {table.space.name}"


def _kept_runs(
    setting: Setting, oracle: Oracle, strategy: str, out: Path, code: str | None
) -> KeptTraces:
    header = header_of(setting, strategy, oracle, code)
    return KeptTraces(out / "runs" / f"{strategy}.jsonl", header, oracle)


def _run_all(
    strategy: str, seeds: Sequence[int], workers: Workers, kept: KeptTraces | None
) -> Iterator[Trace]:
    """The runs of one strategy in the order of the seeds, each kept as soon as it is done.

    Runs that were kept with a smaller budget are made with the larger, whoever asked for them.
    """
    have = kept.traces if kept else {}
    smaller = kept.smaller if kept else {}
    further = [seed for seed in smaller if seed not in seeds]
    made = workers.runs(strategy, [seed for seed in (*seeds, *further) if seed not in have])
    anew = 0
    for seed in (*seeds, *further):
        trace = have.get(seed)
        if trace is None:
            trace = next(made)
            if kept:
                kept.add(trace)
            anew += seed in smaller and not trace.goes_on(smaller[seed])
        if seed not in further:
            yield trace
    if anew:
        logger.warning(
            "with a larger budget strategy %s asks for something else than it did: %s of its %s "
            "kept runs were made anew",
            *(strategy, anew, len(smaller)),
        )
