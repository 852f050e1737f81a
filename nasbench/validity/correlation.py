"""Correlations of several scores at once, with intervals that many rows do not make dear."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench.stats import Estimate, spearman
from nasbench.stats.interval import FEWEST

__all__ = [
    "MOST",
    "RESAMPLES",
    "agreement_of_scores",
    "bootstrap",
    "kendall",
    "pearson",
]

RESAMPLES = 200
MOST = 200
"""Rows of a resample."""

_Values = NDArray[np.float64]


def bootstrap(
    statistic: Callable[..., _Values], *samples: NDArray[Any], most: int = MOST
) -> list[Estimate]:
    """Statistics with their percentile bootstrap intervals (95 %), drawn the same way each time.

    Of many rows, m = `most` are resampled out of n, and how far a resample's statistic is from the
    sample's is scaled by sqrt(m / n) (Bickel, Götze & van Zwet, "Resampling fewer than n
    observations", Statistica Sinica 7, 1997): resamples of all would take minutes.

    Args:
        statistic: of arrays `[n, ...]`, one for each sample, to `[statistics]`.
        samples: `[n, ...]`, resampled together along n.
        most: rows of a resample.
    """
    n = len(samples[0])
    values = statistic(*samples)
    ends = np.full((2, len(values)), np.nan)
    if n >= FEWEST:
        m = min(n, most)
        drawn = np.random.default_rng(0).integers(n, size=(RESAMPLES, m))
        found = np.stack([statistic(*(sample[pick] for sample in samples)) for pick in drawn])
        for place, column in enumerate(found.T):
            column = column[np.isfinite(column)]
            if len(column):
                ends[:, place] = np.quantile(column, (0.025, 0.975))
        ends = values + (ends - values) * math.sqrt(m / n)
    return [
        Estimate(float(value), float(low), float(high), n)
        for value, low, high in zip(values, *ends, strict=True)
    ]


def agreement_of_scores(
    scores: Mapping[str, _Values],
) -> dict[tuple[str, str], Estimate]:
    """Spearman's rank correlation of each two scores, over the rows that have all of them."""
    columns = np.stack(list(scores.values()), axis=1)
    pairs = list(combinations(range(len(scores)), 2))
    if not pairs:
        return {}
    a, b = np.asarray(pairs).T
    found = bootstrap(lambda x: spearman(x.T[a], x.T[b]), columns[np.isfinite(columns).all(1)])
    names = list(scores)
    return {(names[i], names[j]): e for (i, j), e in zip(pairs, found, strict=True)}


def kendall(x: _Values, y: _Values) -> _Values:
    """Tau-b of each of `x`, `[scores, n]`, with y, `[n]`.

    Tau-b is the cosine of the signs of all differences. Of a few rows they are looked at one by
    one, which for all scores together is faster than SciPy's n log n for each.
    """
    if len(y) > MOST:
        return np.asarray([scipy.stats.kendalltau(row, y).statistic for row in x])
    columns = np.concatenate((x, y[None]))
    order = columns.argsort(1)
    ordered = np.take_along_axis(columns, order, 1)
    ranks = np.zeros(columns.shape, dtype=np.int16)  # which equals share
    steps = (ordered[:, 1:] != ordered[:, :-1]).cumsum(1, dtype=np.int16)
    np.put_along_axis(ranks, order[:, 1:], steps, 1)
    mine, others = ranks[:, :, None], ranks[:, None, :]
    signed = (mine > others).view(np.int8) - (mine < others).view(np.int8)
    flat = signed.reshape(len(columns), -1).astype(np.float32)
    # Whole numbers that float32 holds, in whatever order they are summed.
    squares = np.asarray([signs @ signs for signs in flat], dtype=np.float64)
    return _quotient(flat[:-1] @ flat[-1], squares[:-1] * squares[-1])


def pearson(x: _Values, y: _Values) -> _Values:
    """Of each of `x`, `[scores, n]`, with y, `[n]`."""
    # Scores span many orders of magnitude: their squares would overflow.
    largest = np.abs(x).max(-1, keepdims=True)
    scaled = x / np.where(largest > 0, largest, 1)
    constant = (x == x[:, :1]).all(-1)
    found = _cosine(scaled - scaled.mean(-1, keepdims=True), y - y.mean())
    return np.where(constant, np.nan, found)


def _cosine(x: NDArray[Any], y: NDArray[Any]) -> _Values:
    """Of each of `x`, `[scores, n]`, and y, `[n]`; NaN of what is 0."""
    return _quotient(x @ y, (x * x).sum(-1) * (y * y).sum())


def _quotient(products: NDArray[Any], squares: _Values) -> _Values:
    """The cosine, of products and squared norms."""
    norm = np.sqrt(squares)
    return np.where(norm > 0, products / np.where(norm > 0, norm, 1), np.nan)
