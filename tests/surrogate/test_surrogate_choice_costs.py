"""A mixture costs what architectures cost that are drawn by it: all of them, summed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.space import ChoiceSpace, Space, get
from nasbench.surrogate import ChoiceCosts

MINI = get("nb201-mini")
OWN = ChoiceSpace(
    "own", {"depth": [1, 2, 3], "kernel": [3, 5], "wide": [1, 2]}, only_if={"wide": {"depth": [3]}}
)


def additive(space: Space, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Prices of choices, and the costs of all architectures: their sums and 2."""
    prices = np.random.default_rng(seed).uniform(0.1, 1, (len(space.choices), max(space.choices)))
    ops = space.normal(space.ops(np.arange(space.size)))
    return prices, 2 + np.take_along_axis(prices, ops.T.astype(int), axis=1).sum(0)


@pytest.mark.parametrize("space", [MINI, OWN])
def test_a_mixture_costs_what_is_drawn_by_it(space: Space) -> None:
    rng = np.random.default_rng(1)
    _, costs = additive(space, 0)
    some = np.sort(rng.permutation(space.size)[: max(12, space.size // 2)])
    found = ChoiceCosts.fit(space, some, costs[some])
    assert found.error == pytest.approx(0, abs=1e-9)
    mixture = np.zeros_like(found.prices)
    for row, choices in zip(mixture, space.choices, strict=True):
        row[:choices] = rng.dirichlet(np.ones(choices))
    ops = space.ops(np.arange(space.size)).astype(int)
    drawn = np.take_along_axis(mixture, ops.T, axis=1).prod(0)
    if space is MINI:  # with rules, what is drawn apart is not what stands for it
        assert found.expected(mixture) == pytest.approx(float(drawn @ costs))
    alone = np.zeros_like(mixture)
    np.put_along_axis(alone, space.normal(ops[-1:].astype(space.ops_dtype)).T.astype(int), 1, 1)
    assert found.expected(alone) == pytest.approx(costs[-1])
    slope = (found.expected(mixture + 1e-3 * alone) - found.expected(mixture)) / 1e-3
    assert slope == pytest.approx(float((found.prices * alone).sum()), rel=1e-6)


def test_what_is_no_sum_has_an_error() -> None:
    ops = MINI.ops(np.arange(MINI.size))
    costs = 1.0 + 4 * ((ops[:, 0] == 3) ^ (ops[:, 2] == 3))
    assert ChoiceCosts.fit(MINI, np.arange(MINI.size), costs).error > 0.1


@pytest.mark.parametrize("costs", [np.ones(5), -np.ones(20), np.full(20, np.nan)])
def test_too_few_costs_or_none_are_refused(costs: np.ndarray) -> None:
    with pytest.raises(NasbenchError, match="10 at least"):
        ChoiceCosts.fit(MINI, np.arange(len(costs)), costs)
