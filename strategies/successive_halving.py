"""Successive halving: the better half goes on."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.search import Fidelity, Goal
from nasbench.space import Space

from ._rungs import BracketStrategy, Rung, merged

__all__ = ["SuccessiveHalving"]


class SuccessiveHalving(BracketStrategy):
    """Successive halving of Jamieson & Talwalkar.

    Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
    Optimization", AISTATS 2016. Of n architectures, ceil(log2 n) rungs halve the number and
    share the budget equally, so rung k trains each of its |S_k| architectures for
    r_k = B / (|S_k| ceil(log2 n)) epochs more.

    The paper gives the budget B of one run and any n; here B is what trains the last rung for
    the whole recipe, and a run follows the other until the search's budget ends. The paper
    rounds r_k down; here the sum of them is rounded up to epochs after which the recipe shows
    something, and rungs that coincide are one. What diverged or breaks a limit does not go
    on, even if it is in the better half. Several workers that would wait for a rung begin the
    next run.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        n: architectures that a run starts with; the paper names none, 16 is ours.
    """

    def __init__(self, space: Space, goal: Goal, rng: np.random.Generator, *, n: int = 16) -> None:
        if type(n) is not int or n < 2:
            raise NasbenchError(f"n must be an integer of 2 or more, got {n!r}")
        super().__init__(space, goal, rng, [_halving(goal.recipes[0], n)])


def _halving(fidelity: Fidelity, n: int) -> tuple[Rung, ...]:
    """The rungs of one run: rung k has R (sum of 1 / |S_j|, j <= k) / (that of all) epochs."""
    sizes = [n // 2**k for k in range((n - 1).bit_length())]
    # As fractions: 3 epochs must not become 4 for a rounding error.
    sums = list(accumulate(Fraction(1, size) for size in sizes))
    epochs = [float(fidelity.epochs * part / sums[-1]) for part in sums]
    return merged(fidelity, list(zip(epochs, sizes, strict=True)))
