"""The models of which a cost predictor is the mean; each predicts the logarithm of a cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # scipy.optimize takes a while to load: at its first use
from numpy.typing import NDArray

__all__ = ["Ratio", "Ridge", "Sum", "fit_ratio", "fit_ridge", "fit_sum", "left_out"]

Floats = NDArray[np.float64]

FOLDS = 10
"""Of cross-validation; each sample is left out alone where there are no more than these."""

FAINTEST = 1e-3
"""Of the mean cost: what a sum predicts at least, so that it has a logarithm."""

_PENALTIES = np.logspace(-2, 3, 16)
_RATIO_FOLDS = 5
_GAIN = 0.05
"""Of the squared error: what the ratio's model must take away, or it is left out."""


@dataclass(frozen=True, eq=False, slots=True)
class Sum:
    """A cost as a sum: a share that every network pays, and a price for each count.

    Attributes:
        prices: in the unit of the cost, none below 0, `[1 + columns]`; the first is the share
            of every network.
        least: what is predicted at least, above 0.
    """

    prices: Floats
    least: float

    def predict(self, counts: Floats) -> Floats:
        """The logarithm of the cost of each row of `[n, columns]`."""
        sums = self.prices[0] + counts @ self.prices[1:]
        return np.asarray(np.log(np.maximum(sums, self.least)))


def fit_sum(counts: Floats, costs: Floats, penalty: float) -> Sum:
    """Prices that are 0 or more and keep relative errors small.

    Non-negative least squares of `sum / cost - 1`, with a ridge: each column is scaled to be on
    average as much as the costs are, and a price pays `penalty` times its square. The share of
    every network is a column as the others.

    Args:
        counts: `[n, columns]`, 0 or more.
        costs: above 0, `[n]`.
        penalty: above 0, so that fewer costs than columns give prices, too.
    """
    columns = np.column_stack([np.ones(len(costs)), counts])
    mean = columns.mean(0)
    scale = costs.mean() / np.where(mean > 0, mean, 1.0)
    ridge = np.sqrt(penalty) * np.eye(columns.shape[1])
    system = np.vstack([columns * scale / costs[:, None], ridge])
    wanted = np.concatenate([np.ones(len(costs)), np.zeros(columns.shape[1])])
    found, _ = scipy.optimize.nnls(system, wanted)
    return Sum(found * scale, FAINTEST * float(costs.mean()))


@dataclass(frozen=True, eq=False, slots=True)
class Ridge:
    """A linear model of the logarithm of a cost.

    Attributes:
        center: of each feature, `[features]`.
        slopes: `[features]`.
        level: the logarithm at the centre.
    """

    center: Floats
    slopes: Floats
    level: float

    def predict(self, features: Floats) -> Floats:
        """The logarithm of the cost of each row of `[n, features]`."""
        return np.asarray(self.level + (features - self.center) @ self.slopes)


def fit_ridge(features: Floats, costs: Floats) -> Ridge:
    """Ridge regression with the penalty that predicts each cost best from the others.

    Args:
        features: of one scale, `[n, features]`.
        costs: above 0, `[n]`.
    """
    logs = np.log(costs)
    center, level = features.mean(0), float(logs.mean())
    left, sizes, right = np.linalg.svd(features - center, full_matrices=False)
    along = left.T @ (logs - level)
    best, slopes = np.inf, np.zeros(features.shape[1])
    for penalty in _PENALTIES:
        kept = sizes**2 / (sizes**2 + penalty)
        # The leverage of each sample gives its error where it is left out, without a fit.
        leverage = (left**2) @ kept + 1 / len(logs)
        errors = (logs - level - left @ (kept * along)) / np.maximum(1 - leverage, 1e-9)
        if (error := float(np.mean(errors**2))) < best:
            best = error
            slopes = right.T @ (along * sizes / (sizes**2 + penalty))
    return Ridge(center, slopes, level)


@dataclass(frozen=True, eq=False, slots=True)
class Ratio:
    """XGBoost on the logarithm of what others predict too little or too much.

    Attributes:
        correct: gives it for each row of `[n, features]`, float64 `[n]`.
        share: of it that is added, above 0 and at most 1.
    """

    correct: Callable[[Floats], Floats]
    share: float

    def predict(self, features: Floats) -> Floats:
        """What to add to the predicted logarithm of each row of `[n, features]`."""
        return self.share * self.correct(features)


def fit_ratio(features: Floats, residuals: Floats, seed: int) -> Ratio | None:
    """Trees on residuals, added by the share that cross-validation finds; None where in vain.

    Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.

    Args:
        features: `[n, features]`.
        residuals: of the logarithm, predicted by models that did not see them, `[n]`.
        seed: of the folds and the trees.
    """
    fold = np.random.default_rng(seed).permutation(np.arange(len(residuals)) % _RATIO_FOLDS)
    found = np.empty(len(residuals))
    for number in range(_RATIO_FOLDS):
        held = fold == number
        found[held] = _trees(features[~held], residuals[~held], seed)(features[held])
    size = float(found @ found)
    share = min(max(float(found @ residuals) / size, 0.0), 1.0) if size > 0 else 0.0
    left = float(np.sum((residuals - share * found) ** 2))
    if left > (1 - _GAIN) * float(residuals @ residuals):
        return None
    return Ratio(_trees(features, residuals, seed), share)


def _trees(features: Floats, residuals: Floats, seed: int) -> Callable[[Floats], Floats]:
    import xgboost

    unit = float(np.std(residuals)) or 1.0  # trees split nothing whose gain is below 1e-6
    model = xgboost.XGBRegressor(
        n_estimators=120,
        max_depth=3,
        learning_rate=0.05,
        min_child_weight=2,
        subsample=0.7,
        colsample_bytree=0.5,
        tree_method="hist",
        base_score=0.0,
        random_state=seed,
        n_jobs=1,
    )
    model.fit(features, residuals / unit)
    return lambda rows: unit * np.asarray(model.predict(rows), dtype=np.float64)


def left_out(
    fit: Callable[[Floats, Floats], Sum | Ridge], features: Floats, costs: Floats
) -> Floats:
    """What a member predicts of the logarithm of each cost that it was not fitted on, `[n]`."""
    fold = np.arange(len(costs)) % FOLDS
    found = np.empty(len(costs))
    for number in np.unique(fold):
        held = fold == number
        found[held] = fit(features[~held], costs[~held]).predict(features[held])
    return found
