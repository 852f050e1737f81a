"""Predictor-guided evolution: whose children are asked for, and what screening them earns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from asking import GOAL, play

from nasbench.space import CellSpace
from strategies.predictor_evolution import PredictorEvolution


def test_children_are_of_the_living(published: Mapping[str, Any], nb201: CellSpace) -> None:
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    sizes = {"population_size": 12, "sample_size": 1}
    asked = play(PredictorEvolution(nb201, GOAL, np.random.default_rng(3), **sizes), values, 60)
    ops = nb201.ops(asked)
    for start in range(10, 60, 10):
        alive = ops[max(start - 12, 0) : start]
        distances = (ops[start : start + 10, None] != alive).sum(2)
        assert (distances.min(1) == 1).all()


def test_only_the_best_of_a_sample_have_children(nb201: CellSpace) -> None:
    """A sample of nearly all holds the best one alive: every child is its."""
    values = np.random.default_rng(0).normal(size=nb201.size)
    strategy = PredictorEvolution(nb201, GOAL, np.random.default_rng(1), sample_size=300)
    asked = play(strategy, values, 20)
    best = max(asked[:10], key=values.__getitem__)
    assert set(asked[10:]) <= set(nb201.neighbors(best).tolist())


@pytest.mark.parametrize("seeds", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_screened_children_are_better(
    published: Mapping[str, Any], nb201: CellSpace, seeds: int
) -> None:
    """With as many children as are asked for, the model chooses nothing."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    medians = {
        children: np.mean(
            [
                np.median(
                    values[
                        play(
                            PredictorEvolution(
                                nb201, GOAL, np.random.default_rng(seed), children=children
                            ),
                            values,
                            60,
                        )[10:]
                    ]
                )
                for seed in range(seeds)
            ]
        )
        for children in (10, 100)
    }
    assert medians[100] > medians[10] + 0.5


@pytest.mark.parametrize("seeds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_regret_is_under_half_of_random_searchs(
    published: Mapping[str, Any], nb201: CellSpace, seeds: int
) -> None:
    """Random search's is .58 after 100 distinct cells, in closed form."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    runs = [
        play(PredictorEvolution(nb201, GOAL, np.random.default_rng(seed)), values, 100)
        for seed in range(seeds)
    ]
    regret = [values.max() - values[asked].max() for asked in runs]
    assert np.mean(regret) < 0.582 / 2
