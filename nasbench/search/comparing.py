"""Many searches side by side: strategies and seeds, on one oracle, under one budget."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext, suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from nasbench._files import atomic_path, write_text
from nasbench._limits import MOST_PROCESSES
from nasbench._processes import deaf_to_ctrl_c, end_on_ctrl_c, leave_with_parent
from nasbench.errors import BadValue, NasbenchError, StrategyError, unknown
from nasbench.search.catalog import cautions
from nasbench.search.comparison import Comparison
from nasbench.search.lookup import LookUp
from nasbench.search.oracle import ListedOracle, Oracle
from nasbench.search.protocol import SearchProtocol
from nasbench.search.run import search
from nasbench.search.setting import Setting, header_of
from nasbench.search.strategy import strategy_class
from nasbench.search.trace import KeptTraces, Trace
from nasbench.stats import hypervolume
from nasbench.table import Table, load

__all__ = ["Progress", "compare_on"]

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the runs that are done and the runs in all."""


def compare_on(
    table: Table,
    strategies: Sequence[str],
    protocol: SearchProtocol,
    *,
    seeds: Iterable[int],
    processes: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run every strategy with every seed on one table; see `compare`.

    Whatever is wrong with the names, the protocol or the files is refused before the first run.
    """
    names = list(dict.fromkeys(strategies))
    numbers = list(dict.fromkeys(int(seed) for seed in seeds))
    _check_runs(names, numbers, protocol, processes)
    setting = Setting.of(table, protocol)
    oracle = setting.oracle(table)
    _check_spaces(setting, table, oracle)
    _check_strategies(setting, names, oracle)
    _check_goal(setting, oracle)
    remarks = (
        *cautions(names, setting.protocol.goal()),
        *LookUp.of(table, setting.protocol).check(oracle),
    )
    for remark in remarks:
        logger.warning(remark)
    traces: dict[str, list[Trace]] = {}
    broken: dict[str, str] = {}
    with _pool(setting, processes if len(numbers) > 1 else 1) as pool:
        for place, name in enumerate(names):
            done = place * len(numbers)
            traces[name] = []
            try:
                for trace in _run_all(setting, oracle, name, numbers, pool, out):
                    traces[name].append(trace)
                    done += 1
                    if progress:
                        progress(done, len(names) * len(numbers))
            except StrategyError as error:
                broken[name] = str(error)
                del traces[name]
    if not traces:
        raise NasbenchError("; ".join(broken.values()))
    if out:
        kept = {
            "setting": setting.to_json(),
            "strategies": list(traces),
            "seeds": numbers,
            "broken": broken,
        }
        with atomic_path(out / "comparison.json") as partial:
            write_text(partial, json.dumps(kept, indent=2) + "\n")
    return Comparison(table, setting, traces, broken, oracle)


def _check_runs(
    names: Sequence[str], seeds: Sequence[int], protocol: SearchProtocol, processes: int
) -> None:
    """What can be refused before any file is opened."""
    for name in names:
        strategy_class(name)
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


def _check_strategies(setting: Setting, names: Sequence[str], oracle: Oracle) -> None:
    """Begin every strategy once: what one refuses, parameters or a goal, is said now.

    One that does not keep its contract is left to its runs, for the others can go on.
    """
    for name in names:
        with suppress(StrategyError):
            setting.spec(name, 0, oracle).begin(oracle)


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


@contextmanager
def _pool(setting: Setting, processes: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes that have opened the setting's files; None where one is enough."""
    if processes == 1:
        yield None
        return
    context = get_context("spawn")  # a fork would copy half of the threads there are
    with ProcessPoolExecutor(processes, context, _open, (setting,)) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # whatever ends this


def _run_all(
    setting: Setting,
    oracle: Oracle,
    strategy: str,
    seeds: Sequence[int],
    pool: ProcessPoolExecutor | None,
    out: Path | None,
) -> Iterator[Trace]:
    """The runs of one strategy in the order of the seeds, each kept as soon as it is done."""
    header = header_of(setting, strategy, oracle)
    kept = KeptTraces(out / "runs" / f"{strategy}.jsonl", header, oracle) if out else None
    have = kept.traces if kept else {}
    missing = [seed for seed in seeds if seed not in have]
    here = (_run_one(setting, strategy, seed, oracle) for seed in missing)
    made = _run_in(pool, strategy, missing) if pool else here
    with closing(kept) if kept else nullcontext():
        for seed in seeds:
            if seed in have:
                yield have[seed]
                continue
            trace = next(made)
            if kept:
                kept.add(trace)
            yield trace


def _run_in(pool: ProcessPoolExecutor, strategy: str, seeds: Sequence[int]) -> Iterator[Trace]:
    """The runs of these seeds, in their order, a chunk at a time to spare messages."""
    size = max(1, len(seeds) // 64)
    chunks = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    try:
        with deaf_to_ctrl_c():  # the pool begins its processes where it gets work
            made = pool.map(_run_chunk, [strategy] * len(chunks), chunks)
        for traces in made:
            yield from traces
    except BrokenProcessPool as error:
        raise NasbenchError(
            "a search process died (killed, or out of memory); with --out what is finished is "
            "kept, and the same command goes on from there. In a script of your own, call compare "
            "below if __name__ == '__main__'"
        ) from error


_opened: tuple[Setting, Oracle] | None = None  # of a worker process


def _open(setting: Setting) -> None:
    global _opened
    leave_with_parent()
    end_on_ctrl_c()
    _opened = setting, setting.oracle()


def _run_chunk(strategy: str, seeds: Sequence[int]) -> list[Trace]:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    setting, oracle = _opened
    return [_run_one(setting, strategy, seed, oracle) for seed in seeds]


def _run_one(setting: Setting, strategy: str, seed: int, oracle: Oracle) -> Trace:
    run = search(setting.spec(strategy, seed, oracle), oracle)
    if not run.evaluations:
        if run.ended == "nothing left to ask":
            raise StrategyError(f"strategy {strategy} asked for nothing with seed {seed}")
        raise NasbenchError(
            f"{strategy} finished no evaluation with seed {seed}: the budget is too small"
        )
    return run.trace()
