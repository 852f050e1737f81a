"""Many searches side by side: strategies and seeds, on one oracle, under one budget."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import numpy as np

from nasbench._files import atomic_path
from nasbench._processes import leave_with_parent
from nasbench.errors import NasbenchError, StrategyError, unknown
from nasbench.search.comparison import Comparison
from nasbench.search.cost_model import CostModel
from nasbench.search.oracle import Oracle, column_of
from nasbench.search.prior import Prior
from nasbench.search.run import search
from nasbench.search.run_spec import plain
from nasbench.search.setting import Setting, header_of
from nasbench.search.strategy import Budget, Limit, Objective, Target, strategy_class
from nasbench.search.trace import KeptTraces, Trace
from nasbench.stats import hypervolume
from nasbench.table import Table, load

__all__ = ["compare"]

PATIENCE = 600.0
"""So many seconds of wall time without an evaluation end a strategy."""

Progress = Callable[[int, int], None]
"""Called with the runs that are done and the runs in all."""


def compare(
    strategies: Sequence[str],
    table: Table | str | Path,
    *,
    budget_seconds: float | None = None,
    budget_evaluations: int | None = None,
    seeds: Iterable[int] = range(100),
    metric: str = "valid_accuracy",
    maximize: bool = True,
    limits: Sequence[Limit] = (),
    objectives: Sequence[Objective] = (),
    targets: Sequence[Target] = (),
    search_recipe: str | None = None,
    report_recipe: str | None = None,
    surrogate: str | Path | None = None,
    training_seed: int | None = None,
    repeats: str = "paid",
    workers: int = 1,
    schedule: str = "asynchronous",
    failures: float = 0.0,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    cost_model: CostModel | None = None,
    start: Sequence[int] = (),
    prior: Prior | None = None,
    also: Sequence[str | Path] = (),
    processes: int = 1,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run every strategy with every seed and look up what their incumbents are worth.

    The outcome is the same whatever the number of processes.

    Args:
        strategies: registered names.
        table: to search on and to look incumbents up in; a name or path will do. `nb.compare`
            takes a list of tables, too, searches each and gives `Comparisons`.
        budget_seconds: simulated seconds of each run.
        budget_evaluations: evaluations of each run.
        seeds: of the runs.
        metric: what is optimised.
        maximize: False where less of it is better.
        limits: bounds that architectures must keep.
        objectives: what is optimised beside the metric, by strategies of several objectives.
        targets: soft bounds, for strategies of one objective.
        search_recipe: what a query trains by; may be left out where the table has one.
        report_recipe: what incumbents are looked up by; the search recipe by default.
        surrogate: search on this one instead of the table.
        training_seed: which training a query shows; None is the mean over seeds.
        repeats: `paid` or `free`, see `RunSpec`.
        workers: of each run, in simulated time.
        schedule: `asynchronous` or `synchronous`, see `RunSpec`.
        failures: the share of trainings that a dying worker takes with it, see `RunSpec`.
        parameters: for each strategy its own.
        cost_model: what training takes, in place of what the table says.
        start: architectures that every run begins with, see `RunSpec`.
        prior: a proxy's scores that every run knows, see `RunSpec`.
        also: other tables of the same space to look the incumbents up in, by name or path.
        processes: that run side by side.
        out: a folder that keeps the runs as they finish; what it has is not run again.
        progress: called after each run.
    """
    opened = table if isinstance(table, Table) else load(table)
    out = None if out is None else Path(out)
    names = list(dict.fromkeys(strategies))
    for name in names:
        strategy_class(name)  # an unknown name is told before anything runs
    for name in parameters or {}:
        if name not in names:
            raise unknown("strategy to set parameters of", name, names)
    if processes < 1:
        raise NasbenchError(f"a comparison needs 1 process or more, got {processes}")
    recipe = opened.recipe(report_recipe or search_recipe)
    setting = Setting(
        table=str(opened.path.resolve()),
        surrogate=str(Path(surrogate).resolve()) if surrogate else None,
        budget=Budget(budget_evaluations, budget_seconds),
        metric=metric,
        maximize=maximize,
        limits=tuple(limits),
        search_recipe=search_recipe,
        report_recipe=recipe,
        training_seed=training_seed,
        repeats=repeats,
        workers=workers,
        parameters={name: plain(own) for name, own in (parameters or {}).items()},
        cost_model=cost_model,
        schedule=schedule,
        failures=failures,
        also=tuple(str(load(other).path.resolve()) for other in also),
        objectives=tuple(objectives),
        targets=tuple(targets),
        start=tuple(int(architecture) for architecture in start),
        prior=prior,
    )
    seeds = list(dict.fromkeys(int(seed) for seed in seeds))
    if surrogate and search_recipe:
        raise NasbenchError("a surrogate has the recipe it was fitted on: leave search_recipe out")
    if surrogate and cost_model:
        raise NasbenchError("a surrogate predicts its own training times: leave cost_model out")
    goal = setting.goal()
    oracle = setting.oracle()
    searched = oracle.space
    for name in names:  # what a strategy refuses, parameters or a goal, is told now
        spec = setting.spec(name, 0, oracle)
        with suppress(StrategyError):
            spec.begin(oracle)
    for judged in goal.judged:
        column_of(opened, judged, recipe)  # what the report recipe lacks is told now
    corner = np.ones(len(goal.every_objective))
    hypervolume([corner - 1], corner)  # and whether its library is here
    if searched.describe() != opened.space.describe():
        raise NasbenchError(
            f"the surrogate is of {searched.name}, {opened.name} of {opened.space.name}"
        )
    for path in setting.also:
        other = load(path)
        if other.space.describe() != opened.space.describe():
            raise NasbenchError(
                f"{other.name} is of {other.space.name}, {opened.name} of {opened.space.name}"
            )
        if recipe not in other.recipes:
            other.recipe(None)  # which of several is not clear: told before anything runs
    if not names or not seeds:
        raise NasbenchError("a comparison needs a strategy and a seed at least")
    traces: dict[str, list[Trace]] = {}
    with ExitStack() as stack:
        pool = None
        if processes > 1 and len(seeds) > 1:
            context = get_context("spawn")  # a fork would copy half of the threads there are
            pool = stack.enter_context(ProcessPoolExecutor(processes, context, _open, (setting,)))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)  # whatever ends this
        broken: dict[str, str] = {}
        for place, name in enumerate(names):
            done = place * len(seeds)
            traces[name] = []
            try:
                for trace in _run_all(setting, name, seeds, pool, out):
                    traces[name].append(trace)
                    done += 1
                    if progress:
                        progress(done, len(names) * len(seeds))
            except StrategyError as error:
                broken[name] = str(error)
                del traces[name]
    if not traces:
        raise NasbenchError("; ".join(broken.values()))
    if out:
        kept = {
            "setting": asdict(setting),
            "strategies": list(traces),
            "seeds": seeds,
            "broken": broken,
        }
        with atomic_path(out / "comparison.json") as partial:
            partial.write_text(json.dumps(kept, indent=2) + "\n")
    return Comparison(opened, setting, traces, broken)


def _run_all(
    setting: Setting,
    strategy: str,
    seeds: Sequence[int],
    pool: ProcessPoolExecutor | None,
    out: Path | None,
) -> Iterator[Trace]:
    """The runs of one strategy in the order of the seeds, each kept as soon as it is done."""
    oracle = setting.oracle()
    header = header_of(setting, strategy, oracle)
    kept = KeptTraces(out / "runs" / f"{strategy}.jsonl", header) if out else None
    have = kept.traces if kept else {}
    missing = [seed for seed in seeds if seed not in have]
    here = (_run_one(setting, strategy, seed, oracle) for seed in missing)
    made = _run_in(pool, strategy, missing) if pool else here
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
        for traces in pool.map(_run_chunk, [strategy] * len(chunks), chunks):
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
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C ends a worker at once; what it does is thrown away
    _opened = setting, setting.oracle()


def _run_chunk(strategy: str, seeds: Sequence[int]) -> list[Trace]:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    setting, oracle = _opened
    return [_run_one(setting, strategy, seed, oracle) for seed in seeds]


def _run_one(setting: Setting, strategy: str, seed: int, oracle: Oracle) -> Trace:
    with _patience(strategy) as wait:
        run = search(setting.spec(strategy, seed, oracle), oracle, progress=wait)
    if not run.evaluations:
        if run.ended == "nothing left to ask":
            raise StrategyError(f"strategy {strategy} asked for nothing with seed {seed}")
        raise NasbenchError(
            f"{strategy} finished no evaluation with seed {seed}: the budget is too small"
        )
    return run.trace()


@contextmanager
def _patience(strategy: str) -> Iterator[Callable[[object], None]]:
    """What, called again and again, keeps a strategy from being ended as one that never answers.

    Only where there are alarms: in the main thread, and not on Windows.
    """
    if not hasattr(signal, "SIGALRM") or current_thread() is not main_thread():
        yield lambda _: None
        return

    def give_up(number: int, frame: object) -> None:
        raise StrategyError(f"strategy {strategy} gave no answer for {PATIENCE:g} s")

    def wait(_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    before = signal.signal(signal.SIGALRM, give_up)
    try:
        wait(None)
        yield wait
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
