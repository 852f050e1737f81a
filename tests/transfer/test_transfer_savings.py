"""What is saved, against a plain search through mean curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.search.curves import Curves
from nasbench.transfer.savings import saving

GRID = np.arange(1.0, 21.0)


def curves_of(cold: np.ndarray, warm: np.ndarray) -> Curves:
    return Curves("evaluations", GRID, {"cold": cold, "warm": warm})


def falling(rng: np.random.Generator, runs: int = 12) -> np.ndarray:
    """Regret only falls."""
    return np.minimum.accumulate(rng.exponential(2.0, (runs, len(GRID))), axis=1)


def plainly(cold: np.ndarray, warm: np.ndarray, end: int) -> float:
    """Both mean curves are walked until they are as low as the worse of both ends."""
    first, second = cold.mean(0)[:end], warm.mean(0)[:end]
    by_then = max(first[-1], second[-1]) + 1e-9
    reached = []
    for curve in (first, second):
        place = 0
        while curve[place] > by_then:
            place += 1
        reached.append(GRID[place])
    return float(reached[0] - reached[1])


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.25, 0.5, 1.0]))
def test_saved_is_what_a_plain_walk_finds_and_turns_round_with_its_sides(
    seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    cold, warm = falling(rng), falling(rng)
    end = int(share * len(GRID))
    found = saving(curves_of(cold, warm), "cold", "warm", share)
    assert found.at == GRID[end - 1]
    assert found.saved.value == plainly(cold, warm, end)
    assert found.difference.value == pytest.approx((warm - cold)[:, end - 1].mean())
    turned = saving(curves_of(warm, cold), "cold", "warm", share)
    assert turned.saved.value == -found.saved.value
    assert turned.saved.low == pytest.approx(-found.saved.high)
    same = saving(curves_of(cold, cold), "cold", "warm", share)
    assert (same.saved.low, same.saved.value, same.saved.high) == (0, 0, 0)


def test_a_search_that_is_five_evaluations_ahead_saves_five() -> None:
    cold = np.tile(20.0 - GRID, (10, 1))
    warm = np.maximum(cold - 5, 0)
    found = saving(curves_of(cold, warm), "cold", "warm", 0.5)
    assert (found.saved.low, found.saved.value, found.saved.high) == (5, 5, 5)
    late = saving(curves_of(warm, cold), "cold", "warm", 0.5)
    assert late.saved.value == -5
    assert late.difference.low > 0


def test_few_seeds_have_no_interval_and_a_late_incumbent_counts_as_the_worst() -> None:
    cold = np.tile(20.0 - GRID, (9, 1))
    warm = cold.copy()
    warm[:, :3] = np.nan
    found = saving(curves_of(cold, warm), "cold", "warm", 0.1)
    assert np.isnan(found.saved.low)
    assert (found.cold, found.warm) == (18.0, 19.0)
