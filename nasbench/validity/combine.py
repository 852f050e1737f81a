"""One score out of several: by vote, by rank, or fitted to what was trained.

A combination is a score as any other: the higher, the better, NaN where a part of it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import scipy  # scipy.stats takes a second to load: at its first use
from numpy.typing import NDArray

from nasbench.errors import NasbenchError

__all__ = ["COMBINATIONS", "FOLDS", "az_nas", "combine", "fitted", "rank_average", "vote"]

FOLDS = 5
PENALTIES = tuple(10.0**power for power in range(-3, 4))
"""Of the ridge regression, on standardised columns; the best by leaving each one out."""

_Values = NDArray[np.float64]


def vote(scores: _Values) -> _Values:
    """By how many others a majority of the scores prefers each architecture, less the reverse.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, let synflow, snip and
    jacob_cov vote on which of two networks is better. Such majorities can go round in a circle;
    counted over all pairs (Copeland, 1951) they put any number of architectures in an order.

    Args:
        scores: `[n, scores]`, the higher the better, none missing.

    Returns:
        `[n]`, from -1, behind all others, to 1.
    """
    n = len(scores)
    won = np.empty(n)
    ranks = np.stack([scipy.stats.rankdata(column, method="dense") for column in scores.T]).astype(
        np.int32
    )
    step = max(1, (1 << 22) // n)
    for start in range(0, n, step):
        here = ranks[:, start : start + step, None]
        votes = np.zeros((here.shape[1], n), dtype=np.int16)
        for mine, every in zip(here, ranks, strict=True):
            votes += (mine > every).view(np.int8)
            votes -= (mine < every).view(np.int8)
        won[start : start + step] = np.sign(votes).sum(1, dtype=np.int64)
    return won / max(n - 1, 1)


def rank_average(scores: _Values) -> _Values:
    """The mean of the ranks, from 0, the worst by each, to 1; `[n, scores]` to `[n]`."""
    mean: _Values = _ranks(scores).mean(1)
    return (mean - 1) / max(len(scores) - 1, 1)


def az_nas(scores: _Values) -> _Values:
    """The sum over scores of log(rank / n), where the best has rank n; `[n, scores]` to `[n]`.

    Lee & Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024:
    a low rank by one score costs more than high ranks by others bring.
    """
    total: _Values = np.log(_ranks(scores) / len(scores)).sum(1)
    return total


def fitted(
    scores: _Values,
    values: _Values,
    groups: NDArray[np.integer],
    rng: np.random.Generator,
    folds: int = FOLDS,
) -> _Values:
    """What ridge regression on the ranks of scores and their squares makes of them, cross-fitted.

    Each fold's architectures get what was fitted on the others: nothing is scored by what it was
    fitted on, nor on another of its group. Values and scores are seen as their places among the
    architectures of the fit.

    Args:
        scores: `[n, scores]`, none missing.
        values: what to fit, `[n]`, the higher the better; NaN is left out of fits. Never a test
            accuracy: a selection by what comes out would have seen it.
        groups: architectures of one number are the same network, `[n]`.
        rng: deals groups out to folds.
        folds: how many.

    Returns:
        `[n]`: the predicted share of architectures that are worse.

    Raises:
        NasbenchError: where a fit would have fewer architectures than numbers to fit.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _, group = np.unique(groups, return_inverse=True)
    fold = rng.permutation(np.arange(group.max() + 1) % folds)[group]
    found = np.full(len(scores), np.nan)
    for number in range(folds):
        held = fold == number
        train = ~held & np.isfinite(values)
        numbers = 2 * scores.shape[1] + 1
        if train.sum() < 2 * numbers:
            raise NasbenchError(
                f"a fit of {scores.shape[1]} scores needs {2 * numbers} trained architectures or "
                f"more, got {train.sum()}: combine fewer, or without a fit"
            )
        model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        model.fit(_features(scores[train], scores[train]), _places(values[train], values[train]))
        found[held] = model.predict(_features(scores[held], scores[train]))
    return found


COMBINATIONS: Mapping[str, Callable[[_Values], _Values]] = {
    "vote": vote,
    "rank average": rank_average,
    "az-nas": az_nas,
}
"""Those that need no training."""


def combine(
    scores: Mapping[str, _Values],
    how: Callable[[_Values], _Values],
) -> _Values:
    """A combination of scores `[rows]`, over the rows that have all of them; NaN elsewhere.

    Where no row has all of them, nothing is combined.

    Example:
        >>> import numpy as np
        >>> scores = {"a": np.asarray([1.0, 2.0, np.nan]), "b": np.asarray([3.0, 1.0, 2.0])}
        >>> combine(scores, lambda whole: whole.mean(0)).tolist()
        [1.5, 2.0, nan]
    """
    columns = np.stack(list(scores.values()), axis=1)
    known = np.isfinite(columns).all(1)
    found = np.full(len(columns), np.nan)
    if known.any():
        found[known] = how(columns[known])
    return found


def _ranks(scores: _Values) -> _Values:
    """From 1, the worst, to n, column by column; equals share their mean rank."""
    ranks: _Values = scipy.stats.rankdata(scores, axis=0).astype(np.float64)
    return ranks


def _places(values: _Values, among: _Values) -> _Values:
    """The share of others that each value is above, equals counted half."""
    ordered = np.sort(among)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return below / (2 * len(among))


def _features(scores: _Values, among: _Values) -> _Values:
    """Places of scores among those of a fit, and their squares: `[n, 2 scores]`."""
    places = np.stack([_places(x, a) for x, a in zip(scores.T, among.T, strict=True)], axis=1)
    return np.concatenate((places, (places - 0.5) ** 2), axis=1)
