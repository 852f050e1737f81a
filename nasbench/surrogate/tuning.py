"""Choosing settings by cross-validation, inside what a model is fitted on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.space import Architectures
from nasbench.surrogate.predictors import Model, Predictor, Settings

__all__ = ["Tuned", "fit_members", "mean_prediction", "tune"]

FOLDS = 5

MARGIN = 0.25
"""Over the square root of the rows: what a later setting's tau must be better by."""


@dataclass(frozen=True, eq=False, slots=True)
class Tuned:
    """The settings that rank best what they were not fitted on.

    Attributes:
        settings: those of the grid with the largest tau; the first unless it is clearly less.
        kendall: tau of their out-of-fold predictions.
        out_of_fold: what the chosen settings predict of each row, fitted on the other folds,
            float64 `[n]`.
    """

    settings: Settings
    kendall: float
    out_of_fold: NDArray[np.float64]


def tune(
    predictor: Predictor,
    x: NDArray[np.float32],
    y: NDArray[np.float64],
    classes: Architectures,
    seed: int,
) -> Tuned:
    """Cross-validate each setting of the predictor's grid on the same folds.

    Around a score on other rows this is nested cross-validation: they have no part in it.

    Args:
        predictor: with its grid.
        x: `[n, features]`.
        y: on the scale of fits, `[n]`.
        classes: of equal networks, `[n]`: one is in one fold, so that none is predicted from
            itself.
        seed: of the folds and of the models.
    """
    distinct, place = np.unique(classes, return_inverse=True)
    if len(distinct) < 2:
        raise NasbenchError("a predictor is fitted on 2 or more different networks, got 1")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    fold = rng.permutation(np.arange(len(distinct)) % FOLDS)[place]
    predicted = np.empty((len(predictor.grid), len(y)))
    for number in np.unique(fold):
        held = fold == number
        for place_, settings in enumerate(predictor.grid):
            model = _fit(predictor.make(settings, seed), x[~held], y[~held])
            predicted[place_, held] = model.predict(x[held])
    taus = [float(scipy.stats.kendalltau(row, y).statistic) for row in predicted]
    # On few rows the largest tau is so by chance: the first setting is the one that does best
    # there, and stays unless another beats it by more than chance does.
    worth = np.nan_to_num(taus, nan=-1.0)
    worth[0] += MARGIN / np.sqrt(len(y))
    best = int(np.argmax(worth))
    return Tuned(predictor.grid[best], taus[best], predicted[best])


def fit_members(
    predictor: Predictor,
    settings: Settings,
    x: NDArray[np.float32],
    y: NDArray[np.float64],
    seed: int,
) -> list[Model]:
    """The predictor's members, fitted on these rows; they differ in their seeds."""
    first = seed * predictor.members
    return [_fit(predictor.make(settings, first + k), x, y) for k in range(predictor.members)]


def mean_prediction(members: list[Model], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the members predict on average, float64 `[n]`."""
    return np.asarray(np.mean([m.predict(x) for m in members], axis=0, dtype=np.float64))


def _fit(model: Model, x: NDArray[np.float32], y: NDArray[np.float64]) -> Model:
    """The model, fitted; that it could have gone on to converge is no news."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return model
