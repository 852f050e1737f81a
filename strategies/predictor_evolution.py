"""Predictor-guided evolution: many children are born, those a model likes best are trained."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import itemgetter

import numpy as np
import xgboost

from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._checks import check_counts
from ._predictor import BatchSearch, features

__all__ = ["PredictorEvolution"]

_reward = itemgetter(0)


class PredictorEvolution(BatchSearch):
    """Regularized evolution whose children are screened by an XGBoost model.

    Wei, Niu, Tang, Wang, Hu, Liang, "NPENAS: Neural Predictor Guided Evolution for Neural
    Architecture Search", arXiv 2003.12857, 2020, the variant NPENAS-NP, whose predictor knows
    no uncertainty: each generation trains it on all that was evaluated, lets parents have many
    children, and evaluates those predicted best. As in the authors' code: 10 random
    architectures, 100 children and 10 evaluations a generation.

    Here the predictor is gradient-boosted trees (Chen & Guestrin, KDD 2016; 100 of depth 6,
    rate .1) instead of a graph network. It learns ranks, from one-hot decisions and, of cells,
    paths and edges by operation. And the parents, there the best of all that was evaluated,
    come as in regularized evolution (Real et al., AAAI 2019): each child's is the best of a
    sample, drawn with replacement, out of the youngest `population_size` evaluated.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        initial: how many random architectures come first.
        population_size: architectures alive at a time.
        sample_size: how many compete to be a parent.
        children: born in a generation.
        batch_size: how many of them are asked for.
        warm_start: architectures that come first, such as the winners of earlier tasks.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        initial: int = 10,
        population_size: int = 20,
        sample_size: int = 5,
        children: int = 100,
        batch_size: int = 10,
        warm_start: Sequence[int] = (),
    ) -> None:
        check_counts(
            initial=initial,
            population_size=population_size,
            sample_size=sample_size,
            children=children,
            batch_size=batch_size,
        )
        super().__init__(space, goal, rng, initial, warm_start)
        self._population: deque[tuple[float, int]] = deque(maxlen=population_size)
        self._sample_size = sample_size
        self._born = children
        self._batch_size = batch_size

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The newest joins; a full population loses its oldest."""
        super().tell(query, outcome)
        self._population.append((self._goal.reward(outcome), query.architecture))

    def _batch(self) -> list[int]:
        drawn = self._rng.integers(len(self._population), size=(self._born, self._sample_size))
        samples = [[self._population[place] for place in sample] for sample in drawn.tolist()]
        children = self._children(max(sample, key=_reward)[1] for sample in samples)
        if not children:
            return []
        told, ranks = self._told()
        parameters = {
            "eta": 0.1,
            "max_depth": 6,
            "tree_method": "hist",
            "nthread": 1,
            "seed": int(self._rng.integers(2**31)),
        }
        data = xgboost.DMatrix(features(self._space, told), ranks, nthread=1)
        model = xgboost.train(parameters, data, num_boost_round=100)
        predicted = model.inplace_predict(features(self._space, children))
        best = np.argsort(-predicted, kind="stable")[: self._batch_size]
        return [children[place] for place in best]
