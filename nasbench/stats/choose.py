"""Choosing one of several by what they are worth and cost: limits, the front, a weighted sum.

Beside a stated reference a weighted sum depends on nothing but the numbers of what is scored:
others that join the list, or leave it, change no order. Methods that scale by what is listed
(min-max, division by the largest, TOPSIS over everything) do not have that, see Belton & Gear,
"On a Short-coming of Saaty's Method of Analytic Hierarchies", Omega 11(3), 1983.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.stats.pareto import non_dominated

__all__ = ["WeightedChoice", "choose", "gains", "knee", "same_pick", "topsis"]

Floats = NDArray[np.float64]

CONCENTRATION = 40.0
"""Of the Dirichlet distribution from which weights are drawn: they differ by about a tenth."""


@dataclass(frozen=True, eq=False, slots=True)
class WeightedChoice:
    """What is chosen, and what second opinions say.

    Attributes:
        pick: the position of the largest weighted gain.
        score: its weighted gain, as a share of what the reference has.
        front: positions that no other beats in everything, ascending, `[m]`.
        scores: of the front, `[m]`.
        topsis: the position that TOPSIS picks from the front.
        knee: the position of the front's knee.
        over_weights: by position, how often it is picked where weights are drawn around those
            given; the most frequent first.

    Example:
        >>> values = [[90.0, 20.0], [91.0, 60.0], [89.0, 25.0]]
        >>> rng = np.random.default_rng(0)
        >>> found = choose(values, [True, False], [10, 1], [91.0, 60.0], rng=rng)
        >>> found.pick, found.knee
        (0, 0)
    """

    pick: int
    score: float
    front: NDArray[np.int64]
    scores: Floats
    topsis: int
    knee: int
    over_weights: dict[int, float]


def choose(
    values: ArrayLike,
    maximize: Sequence[bool],
    weights: ArrayLike,
    reference: ArrayLike,
    *,
    draws: int = 500,
    rng: np.random.Generator,
) -> WeightedChoice:
    """Choose one of `n` by a weighted sum of gains over a reference.

    Args:
        values: what each is worth and costs, `[n, k]`; rows with NaN are left out.
        maximize: of each column, whether more is better, `[k]`.
        weights: above 0, `[k]`; their proportions count.
        reference: above 0, `[k]`: see `gains`.
        draws: of weights, to see how often the same is picked.
        rng: draws them.

    Raises:
        BadValue: where nothing is left to choose from, or a weight or a reference is no number
            above 0.

    Example:
        >>> values = [[90.0, 20.0], [91.0, 60.0], [89.0, 25.0]]
        >>> found = choose(values, [True, False], [10, 1], [91.0, 60.0],
        ...     rng=np.random.default_rng(0))
        >>> found.pick, round(found.score, 3), found.front.tolist()
        (0, 0.051, [0, 1])
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    weight = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(weight) & (weight > 0)).all() or not weight.size:
        raise BadValue(f"weights are numbers above 0, got {weight.tolist()}")
    gained = gains(table, maximize, reference)
    front = non_dominated(gained)
    if not len(front):
        raise BadValue("nothing is left to choose from")
    weight = weight / weight.sum()
    scores = gained[front] @ weight
    best = int(np.argmax(scores))
    drawn = rng.dirichlet(CONCENTRATION * weight, draws)  # [draws, k]
    # All that are picked for some weights are on the front, so the others need no score.
    picks = front[np.argmax(gained[front] @ drawn.T, axis=0)]
    return WeightedChoice(
        int(front[best]),
        float(scores[best]),
        front,
        scores,
        int(front[topsis(gained[front], weight)]),
        int(front[knee(gained[front])]),
        same_pick(picks),
    )


def gains(values: ArrayLike, maximize: Sequence[bool], reference: ArrayLike) -> Floats:
    """How much better than the reference each is, as a share of it: `[n, k]`; more is better.

    Half of the reference's latency is a gain of .5, twice of it a loss of 1.

    Args:
        values: `[n, k]`.
        maximize: whether more of a column is better, `[k]`.
        reference: above 0, `[k]`.

    Example:
        >>> gains([[91.0, 30.0]], [True, False], [91.0, 60.0]).tolist()
        [[0.0, 0.5]]
    """
    base = np.asarray(reference, dtype=np.float64)
    if not (np.isfinite(base) & (base > 0)).all():
        raise BadValue(f"a reference has values above 0 in everything, got {base.tolist()}")
    sign = np.where(maximize, 1.0, -1.0)
    return np.asarray(sign * (np.asarray(values, dtype=np.float64) / base - 1))


def topsis(gained: Floats, weights: Floats) -> int:
    """The place of the row that is nearest to the ideal and farthest from its opposite.

    Hwang & Yoon, "Multiple Attribute Decision Making", 1981: the share that the distance to the
    worst of each column has in the distances to the worst and the best. Of columns that are
    shares of one reference already, scaling by what is listed is left out.

    Args:
        gained: `[n, k]`, more is better.
        weights: `[k]`.

    Example:
        >>> topsis(np.asarray([[0.0, 1.0], [0.8, 0.9], [1.0, 0.0]]), np.asarray([1.0, 1.0]))
        1
    """
    weighted = gained * weights
    to_best = np.linalg.norm(weighted.max(0) - weighted, axis=1)
    to_worst = np.linalg.norm(weighted - weighted.min(0), axis=1)
    whole = to_best + to_worst
    return int(np.argmax(np.where(whole > 0, to_worst / np.where(whole > 0, whole, 1.0), 1.0)))


def knee(front: Floats) -> int:
    """The place where a front bends most: farthest above the plane through its ends.

    Das, "On Characterizing the 'Knee' of the Pareto Curve", Structural Optimization 18, 1999; each
    column is taken as a share of its range over the front.

    Args:
        front: `[n, k]`, more is better.

    Example:
        >>> knee(np.asarray([[0.0, 1.0], [0.8, 0.9], [1.0, 0.0]]))
        1
    """
    spread = np.ptp(front, axis=0)
    return int(np.argmax(((front - front.min(0)) / np.where(spread > 0, spread, 1.0)).sum(1)))


def same_pick(picks: ArrayLike) -> dict[int, float]:
    """How often each position was picked, as a share, the most frequent first.

    Example:
        >>> same_pick([4, 7, 4, 4])
        {4: 0.75, 7: 0.25}
    """
    found, counts = np.unique(np.asarray(picks), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = counts[order] / counts.sum()
    return dict(zip(found[order].tolist(), shares.tolist(), strict=True))
