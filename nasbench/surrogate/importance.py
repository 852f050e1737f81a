"""Which decisions matter to a surrogate: what changes where one is taken anew, all else kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.space import Space
from nasbench.surrogate.surrogate import Surrogate

__all__ = ["DecisionImportance", "decision_importance"]

DRAWN = 1_000
RESAMPLES = 1_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DecisionImportance:
    """How much of what a surrogate tells apart goes through a decision.

    Attributes:
        name: of the decision.
        share: of the variance of predictions, from 0 to 1: what is lost on average where the
            decision alone is not known, be it by itself or together with others (the total
            effect; Jansen, Computer Physics Communications 117, 1999). Shares of decisions that
            act together add up to more than 1.
        low, high: the bootstrap 95 % interval of the share over the architectures drawn.

    Example:
        >>> DecisionImportance("kernel", share=0.4, low=0.35, high=0.44).share
        0.4
    """

    name: str
    share: float
    low: float
    high: float


def decision_importance(
    surrogate: Surrogate, metric: str | None = None, *, architectures: int = DRAWN, seed: int = 0
) -> list[DecisionImportance]:
    """The decisions with more than one choice, the most important first.

    They say what the surrogate makes of the space, which is no more than it learned: its own
    errors are in no interval. `nasbench.validity.decisions.decision_effects` says it of what was
    measured, and of decisions by themselves.

    Args:
        surrogate: that predicts.
        metric: of its predictions; its primary one where left out.
        architectures: to draw from the space, as it draws them.
        seed: of the draws.

    Raises:
        NasbenchError: for a metric that it does not predict.
        BadValue: where fewer than 2 are to be drawn, or all predictions are the same.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> surrogate = nb.fit(table, features=["one_hot"], train=60)
        >>> found = decision_importance(surrogate, architectures=50)
        >>> sorted(one.name for one in found)
        ['0>1', '0>2', '0>3', '1>2', '1>3', '2>3']
    """
    asked = surrogate.primary if metric is None else metric
    if architectures < 2:
        raise BadValue(f"importance is told by 2 architectures or more, got {architectures}")
    space = surrogate.space
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    ops = space.normal(space.ops(space.sample(rng, architectures)))
    before = surrogate.predict(asked, space.index_of(ops))
    if np.ptp(before) == 0:
        raise BadValue(f"the surrogate predicts the same {asked} of all {architectures:,} drawn")
    again = rng.integers(architectures, size=(RESAMPLES, architectures))
    spread = before[again].var(1, ddof=1)
    found = []
    for place, name in enumerate(space.decisions):
        if space.choices[place] == 1:
            continue
        squares = _changes(space, ops, place, rng, surrogate, asked, before) ** 2
        shares = np.nanmean(squares[again], axis=1) / (2 * np.where(spread > 0, spread, np.nan))
        ends = np.nanquantile(shares, [0.025, 0.975])
        share = np.nanmean(squares) / (2 * before.var(ddof=1))
        share, low, high = np.clip([share, *ends], 0, 1)  # draws alone take it beyond the whole
        found.append(DecisionImportance(name, float(share), float(low), float(high)))
    return sorted(found, key=lambda one: -one.share)


def _changes(
    space: Space,
    ops: NDArray[np.unsignedinteger],
    place: int,
    rng: np.random.Generator,
    surrogate: Surrogate,
    metric: str,
    before: Floats,
) -> Floats:
    """By how much each prediction changes with a decision drawn anew, `[n]`.

    Those that count anew are drawn with it. It is 0 where the decision does not count, and NaN
    where what comes out cannot be built.
    """
    drawn = np.where(space.active(ops), ops, rng.integers(space.choices, size=ops.shape))
    drawn[:, place] = rng.integers(space.choices[place], size=len(ops))
    after = space.index_of(space.normal(drawn.astype(ops.dtype)))
    buildable = space.allowed(after)
    changes = np.full(len(ops), np.nan)
    changes[buildable] = surrogate.predict(metric, after[buildable]) - before[buildable]
    return changes
