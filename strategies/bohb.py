"""BOHB: Hyperband that draws its architectures from a model of the good and the bad ones."""

from __future__ import annotations

import math
from bisect import bisect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Architectures, Space

from ._checks import check_counts
from ._rungs import BracketStrategy, hyperband

__all__ = ["Bohb", "CategoricalDensity"]

Floats = NDArray[np.floating[Any]]


class CategoricalDensity:
    """A kernel density estimate over architectures, with Aitchison-Aitken kernels.

    Aitchison & Aitken, "Multivariate binary discrimination by the kernel method", Biometrika
    1976: a kernel gives an observed choice 1 - h, and each of the c - 1 others h / (c - 1). The
    kernel of an architecture is the product over its decisions.

    The bandwidth of a decision is Scott's rule, h = 1.06 sigma n^(-1 / (4 + decisions)), and at
    most (c - 1) / c, where all choices are equally likely. sigma^2 is half the chance that two
    of the observed choices differ: of two choices, the variance of the numbers 0 and 1, which
    the paper's implementation takes whatever c. But the numbers have no order, and of five
    choices theirs give most rules a bandwidth beyond that bound: a model that knows nothing.

    Args:
        space: of the architectures.
        observed: int64 `[n]`.
        min_bandwidth: no bandwidth is smaller.
    """

    def __init__(self, space: Space, observed: Architectures, min_bandwidth: float) -> None:
        self._space = space
        self._observed = observed
        self._choices = np.asarray(space.choices)
        # A kernel for each architecture, not for each time that it was observed: a small space
        # that is known in full, asked again and again, has many times more of these.
        once, times = np.unique(observed, return_counts=True)
        self._shares = times / len(observed)
        one_hot = space.one_hot(once).astype(np.float64)
        first = np.cumsum((0, *space.choices[:-1]))
        differ = 1 - np.add.reduceat((self._shares @ one_hot) ** 2, first)
        power = -1 / (4 + len(space.choices))
        scott = 1.06 * np.sqrt(np.maximum(differ, 0) / 2) * len(observed) ** power
        self._most = (self._choices - 1) / self._choices
        self.bandwidths: Floats = np.clip(scott, np.minimum(min_bandwidth, self._most), self._most)
        # A decision with one choice never differs: any number does for its kernel elsewhere.
        others = np.maximum(self._choices - 1, 1)
        differs = np.log(np.where(self._choices > 1, self.bandwidths / others, 1.0))
        self._everywhere = float(differs.sum())
        # What an equal decision adds, for each choice of each decision, `[sum(choices), once]`.
        added = np.repeat(np.log1p(-self.bandwidths) - differs, self._choices)
        self._added = added[:, None] * one_hot.T

    def log(self, architectures: Architectures) -> Floats:
        """The logarithm of the density at architectures `[m]`, float64 `[m]`."""
        kernels = self._everywhere + self._space.one_hot(architectures) @ self._added
        # Their sum, from logarithms: of many decisions the kernels themselves underflow.
        most = kernels.max(1, keepdims=True)
        return np.asarray(np.log(np.exp(kernels - most) @ self._shares) + most[:, 0])

    def sample(self, rng: np.random.Generator, n: int, widened: float) -> Architectures:
        """Draw `n` from the density with its bandwidths times `widened`, int64 `[n]`."""
        picked = self._observed[rng.integers(len(self._observed), size=n)]
        ops = self._space.ops(picked).astype(np.int64)
        changes = rng.random(ops.shape) < np.minimum(widened * self.bandwidths, self._most)
        steps = 1 + (rng.random(ops.shape) * (self._choices - 1)).astype(np.int64)
        return self._space.index_of(np.where(changes, (ops + steps) % self._choices, ops))


class Bohb(BracketStrategy):
    """BOHB, algorithms 1 and 2 of Falkner et al.

    Falkner, Klein, Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale",
    ICML 2018. The brackets are Hyperband's. An architecture that begins one is drawn uniformly
    with chance rho; otherwise `n_samples` are drawn from a widened density of the good ones
    and the one where good over bad is largest is taken. The densities are of the outcomes
    after the most epochs that have N_min + 2 of them, N_min = decisions + 1: the best
    max(N_min, q n) of n are good, the worst max(N_min, n - that) are bad (equation 3).

    All defaults are the paper's. Decisions are categorical, with the kernels of the paper's
    implementation, but bandwidths that do not depend on how choices are numbered (see
    `CategoricalDensity`). The paper widens every bandwidth, and so do we; its implementation
    does not widen those of categorical decisions. What diverged or breaks a limit counts among
    the worst. As for the brackets, see `hyperband`.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        eta: of so many of a rung one goes on.
        min_epochs: no training is shorter.
        random_fraction: rho.
        n_samples: N_s.
        top_fraction: q.
        bandwidth_factor: b_w, by which the density that is drawn from is widened.
        min_bandwidth: no kernel is narrower.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        eta: int = 3,
        min_epochs: int = 1,
        random_fraction: float = 1 / 3,
        n_samples: int = 64,
        top_fraction: float = 0.15,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
    ) -> None:
        if not 0 <= random_fraction <= 1 or not 0 < top_fraction < 1:
            raise NasbenchError("random_fraction must be in [0, 1], top_fraction in (0, 1)")
        check_counts(n_samples=n_samples)
        if not 0 < bandwidth_factor < math.inf or not 0 < min_bandwidth < 1:
            raise NasbenchError("bandwidth_factor must be above 0, min_bandwidth in (0, 1)")
        super().__init__(space, goal, rng, hyperband(goal.recipes[0], eta, min_epochs))
        self._random_fraction = random_fraction
        self._n_samples = n_samples
        self._top_fraction = top_fraction
        self._bandwidth_factor = bandwidth_factor
        self._min_bandwidth = min_bandwidth
        self._fewest = len(space.choices) + 1
        # By epochs: what was told, the best first, as -reward and as architecture.
        self._told: dict[int, tuple[list[float], list[int]]] = {}
        self._modelled = 0  # the epochs that the model is of
        self._model: tuple[CategoricalDensity, CategoricalDensity] | None = None

    def draw(self) -> int:
        """Uniform with chance rho and before there is a model; else what the model likes best."""
        if self._rng.random() < self._random_fraction:
            return super().draw()
        if self._model is None:
            self._model = self._fit()
        if self._model is None:
            return super().draw()
        good, bad = self._model
        drawn = good.sample(self._rng, self._n_samples, self._bandwidth_factor)
        # The first of equals, on any machine: what differs by rounding alone is equal.
        ratios = (good.log(drawn) - bad.log(drawn)).round(10)
        return int(drawn[np.argmax(ratios)])

    def tell(self, query: Query, outcome: Outcome) -> None:
        """The outcome takes its place in the rung, and in the next model."""
        super().tell(query, outcome)
        costs, ranked = self._told.setdefault(query.epochs, ([], []))
        cost = -self._goal.reward(outcome)
        place = bisect(costs, cost)  # of equals the first told comes first
        costs.insert(place, cost)
        ranked.insert(place, query.architecture)
        if query.epochs >= self._modelled:
            self._model = None

    def _fit(self) -> tuple[CategoricalDensity, CategoricalDensity] | None:
        """The densities of the good and of the bad; None where too few were told."""
        known = [e for e, (costs, _) in self._told.items() if len(costs) >= self._fewest + 2]
        if not known:
            return None
        self._modelled = max(known)
        ranked = np.asarray(self._told[self._modelled][1])
        good = max(self._fewest, int(self._top_fraction * len(ranked)))
        bad = max(self._fewest, len(ranked) - good)
        best, worst = ranked[:good], ranked[-bad:]
        return (
            CategoricalDensity(self._space, best, self._min_bandwidth),
            CategoricalDensity(self._space, worst, self._min_bandwidth),
        )
