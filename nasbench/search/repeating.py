"""Whether what a strategy asks is a function of its seed, in this process as in a fresh one."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from nasbench.errors import StrategyError
from nasbench.search.given import given_strategy
from nasbench.search.isolation import Absent, Isolation
from nasbench.search.oracle import Oracle
from nasbench.search.run import search
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import importable

__all__ = ["check_same", "fresh_run", "short_run"]

logger = logging.getLogger(__name__)

SHORT = 20
"""Evaluations of a run that is made only to be repeated."""


def short_run(spec: RunSpec, oracle: Oracle, isolate: Isolation | bool = False) -> bytes:
    """The evaluations of the start of a run, as they stand in a journal."""
    budget = spec.goal.budget
    budget = replace(budget, evaluations=min(SHORT, budget.evaluations or SHORT))
    goal = replace(spec.goal, budget=budget)
    run = search(replace(spec, goal=goal), oracle, isolate=isolate)
    return json.dumps([evaluation.to_json() for evaluation in run.evaluations]).encode()


def fresh_run(spec: RunSpec, oracle: Oracle, isolate: Isolation | bool = False) -> bytes:
    """A short run in a fresh process: with the same files, environment and folder as this one.

    A strategy that no other process can import runs here, and that is logged.

    Args:
        spec: whose start it is.
        oracle: stays here.
        isolate: run it there as an isolated strategy is.

    Raises:
        StrategyError: also where it ends that process, hangs or takes all memory there.
    """
    if importable(spec.strategy):
        try:
            return short_run(spec, oracle, isolate or Isolation.of_machine())
        except Absent:
            pass
    if given_strategy(spec.strategy) is not None:  # its comparison says so
        return short_run(spec, oracle)
    logger.warning(
        "strategy %s cannot be imported in a fresh process: whether it asks the same for the same "
        "seed was tried in this one alone",
        spec.strategy,
    )
    return short_run(spec, oracle)


def check_same(name: str, first: bytes, second: bytes) -> None:
    """Refuse a strategy whose two runs of one seed differ.

    Raises:
        StrategyError: with what such strategies do.
    """
    if first != second:
        raise StrategyError(
            f"strategy {name} asks differently for the same seed: it keeps something from one run "
            f"to the next, or draws random numbers that are not its rng's"
        )
