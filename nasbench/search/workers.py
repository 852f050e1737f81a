"""Where the runs of a comparison are made: here, or in processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self, TypeVar

from nasbench._processes import (
    end_on_ctrl_c,
    fresh_context,
    leave_threads_behind,
    leave_with_parent,
    submit,
)
from nasbench.errors import NasbenchError, StrategyError
from nasbench.search.given import hear, spoken
from nasbench.search.isolation import end_idle
from nasbench.search.listening import listening
from nasbench.search.oracle import Oracle
from nasbench.search.repeating import short_run
from nasbench.search.run import search
from nasbench.search.setting import Setting
from nasbench.search.strategy import importable, is_ours
from nasbench.search.trace import Trace

__all__ = ["Workers", "run_apart"]

T = TypeVar("T")


def run_apart(strategy: str, function: Callable[..., T], *given: Any) -> T:
    """What a function returns in another process, which the strategy may end.

    Raises:
        StrategyError: where it does.
    """
    with ProcessPoolExecutor(1, fresh_context(), _begin) as pool:
        try:
            return submit(pool, function, *given).result()
        except BrokenProcessPool as error:
            raise StrategyError(
                f"strategy {strategy} took the search with it: it ended the process, crashed, or "
                f"ran out of memory"
            ) from error


def _begin() -> None:
    leave_with_parent()
    end_on_ctrl_c()
    leave_threads_behind()


class Workers:
    """Makes runs, in their order; the outcome is the same however many processes there are.

    Args:
        setting: what the runs share.
        oracle: what they search, opened here.
        processes: that run side by side; 0 makes the runs in this one, and so are those of a
            strategy that no other process can import.
        strategies: of the runs.
        isolate: give each strategy a process of its own.
    """

    def __init__(
        self,
        setting: Setting,
        oracle: Oracle,
        processes: int,
        strategies: Sequence[str],
        isolate: bool = False,
    ) -> None:
        self._setting = setting
        self._oracle = oracle
        self._processes = processes
        self._isolate = isolate
        self._apart = frozenset(name for name in strategies if isolate or importable(name))
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:  # whatever ends this
            self._pool.shutdown(wait=error is None, cancel_futures=True)

    def _start(self) -> None:
        if self._processes and self._apart:
            context = fresh_context()
            given = self._setting, self._isolate, list(map(spoken, sorted(self._apart)))
            self._pool = ProcessPoolExecutor(self._processes, context, _open, given)

    def runs(self, strategy: str, seeds: Sequence[int]) -> Iterator[Trace]:
        """The runs of these seeds, a chunk at a time to spare messages.

        Raises:
            StrategyError: where a strategy that is not ours takes a process with it; what comes
                next has new processes.
        """
        if self._pool is None or strategy not in self._apart:
            for seed in seeds:
                yield _run_one(self._setting, strategy, seed, self._oracle, self._isolate)
            return
        size = max(1, len(seeds) // 64)
        chunks = [seeds[i : i + size] for i in range(0, len(seeds), size)]
        made: list[Future[list[Trace]]] = []
        try:
            made += [submit(self._pool, _run_chunk, strategy, chunk) for chunk in chunks]
            for traces in made:
                yield from traces.result()
        except BrokenProcessPool as error:
            raise self._died(strategy) from error
        except NasbenchError:
            # Not on Ctrl-C, as the pool's `map` does it: its processes end with what is cancelled
            # still in its books, and its thread dies of that with a traceback.
            for left in made:
                left.cancel()
            raise

    def again(self, strategy: str) -> bytes:
        """A short run where the strategy's runs were made, after them."""
        if self._pool is None or strategy not in self._apart:
            end_idle()
            return short_run(
                self._setting.spec(strategy, 0, self._oracle), self._oracle, self._isolate
            )
        try:
            return submit(self._pool, _run_short, strategy).result()
        except BrokenProcessPool as error:
            raise self._died(strategy) from error

    def _died(self, strategy: str) -> NasbenchError:
        if is_ours(strategy) or self._isolate:
            return NasbenchError(
                "a search process died (killed, or out of memory); with --out what is finished "
                "is kept, and the same command goes on from there"
            )
        self._start()
        return StrategyError(
            f"strategy {strategy} took a search process with it: it ended the process, crashed, "
            f"or ran out of memory"
        )


_opened: tuple[Setting, Oracle, bool] | None = None  # of a worker process


def _open(setting: Setting, isolate: bool, strategies: Sequence[str]) -> None:
    global _opened
    _begin()
    for strategy in strategies:
        hear(strategy)
    _opened = setting, setting.oracle(), isolate


def _here() -> tuple[Setting, Oracle, bool]:
    if _opened is None:
        raise RuntimeError("the worker was not opened")
    return _opened


def _run_chunk(strategy: str, seeds: Sequence[int]) -> list[Trace]:
    setting, oracle, isolate = _here()
    with listening():
        return [_run_one(setting, strategy, seed, oracle, isolate) for seed in seeds]


def _run_short(strategy: str) -> bytes:
    setting, oracle, isolate = _here()
    end_idle()
    return short_run(setting.spec(strategy, 0, oracle), oracle, isolate)


def _run_one(setting: Setting, strategy: str, seed: int, oracle: Oracle, isolate: bool) -> Trace:
    run = search(setting.spec(strategy, seed, oracle), oracle, isolate=isolate)
    if not run.evaluations:
        if run.ended == "nothing left to ask":
            raise StrategyError(f"strategy {strategy} asked for nothing with seed {seed}")
        raise NasbenchError(
            f"{strategy} finished no evaluation with seed {seed}: the budget is too small"
        )
    return run.trace()
