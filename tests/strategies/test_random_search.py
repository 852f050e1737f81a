"""Random search against the closed form of the best of n draws."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from nasbench.search import Budget, Fidelity, Goal, Outcome, Query, RunSpec, search
from nasbench.space import get

MINI = get("nb201-mini")
VALUES = np.random.default_rng(8).gamma(2, 3, MINI.size).round(2)
RUNS = 600


class _Lookup:
    """Shows `VALUES`."""

    space = MINI
    fidelities = (Fidelity("r", 1),)

    def evaluate(self, query: Query) -> Outcome:
        return Outcome({"valid_accuracy": float(VALUES[query.architecture])}, 1.0)

    def key(self, architecture: int) -> int:
        return architecture

    def describe(self) -> dict[str, str]:
        return {}


def _runs(n: int, repeats: bool, runs: int = RUNS) -> np.ndarray:
    """The architectures of seeded runs, `[runs, n]`."""
    oracle = _Lookup()
    goal = Goal("valid_accuracy", Budget(evaluations=n), oracle.fidelities)
    asked = [
        search(RunSpec("random_search", goal, seed, {"repeats": repeats}), oracle).trace()
        for seed in range(runs)
    ]
    return np.asarray([trace.architectures for trace in asked])


def _chances(n: int, repeats: bool) -> list[float]:
    """The chance that the k-th smallest value is the best of n draws, exactly."""
    size = MINI.size
    if repeats:
        below = [Fraction(k, size) ** n for k in range(size + 1)]
    else:  # hypergeometric: all n are among the k smallest
        below = [Fraction(math.comb(k, n), math.comb(size, n)) for k in range(size + 1)]
    return [float(after - before) for before, after in pairwise(below)]


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("n", [1, 5, 25, pytest.param(100, marks=pytest.mark.slow)])
def test_best_of_n_has_its_closed_form(n: int, repeats: bool) -> None:
    ranked, chances = np.sort(VALUES), np.asarray(_chances(n, repeats))
    mean = float((chances * ranked).sum())
    std = math.sqrt(float((chances * (ranked - mean) ** 2).sum()))
    best = VALUES[_runs(n, repeats)].max(1)
    assert best.mean() == pytest.approx(mean, abs=4 * std / math.sqrt(RUNS) + 1e-9)


def test_without_repeats_every_architecture_comes_once_and_then_the_search_ends() -> None:
    oracle = _Lookup()
    goal = Goal("valid_accuracy", Budget(seconds=1e6), oracle.fidelities)
    run = search(RunSpec("random_search", goal, 3, {"repeats": False}), oracle)
    assert sorted(run.trace().architectures.tolist()) == list(range(MINI.size))
    assert run.ended == "nothing left to ask"


def test_draws_are_uniform_and_independent() -> None:
    drawn = _runs(100, repeats=True, runs=100)
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=MINI.size)).pvalue > 1e-3
    # One draw does not tell the next: halves of the space, as a two by two table.
    halves = drawn > MINI.size // 2
    table = np.histogram2d(halves[:, :-1].ravel(), halves[:, 1:].ravel(), bins=2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3
