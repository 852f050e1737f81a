"""The hybrid controller: a portfolio of three searches that share what they are told."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Architectures, Space
from nasbench.surrogate.features import structure_blocks

from ._checks import check_counts
from ._gaussian_process import GaussianProcess, usual_scales
from ._pending import Pending
from ._predictor import BatchSearch
from .reinforce import Reinforce

__all__ = ["Hybrid"]

STARTS = 8
"""The best told, from which hills are climbed; as many random architectures beside them."""

SAMPLE = 4
"""Of so many of the best told, drawn at random, the best is mutated."""

NEIGHBORS = 64
"""Of more, a climber looks at so many in each step: spaces of many decisions have hundreds."""

TYPICAL = 100
"""Random architectures whose distances are the scales of the process."""

TRIES = 10
"""Mutants, or draws, until one was not asked for; else the query is a random architecture."""

RATE = 0.05
"""Of the policy gradient; the 0.01 of `reinforce` learns little from a hundred outcomes."""

PARENTS = 20
"""Of the best told, that may have mutants."""


class Hybrid(BatchSearch):
    """Hill climbing on a predictor, evolution and policy gradient; the next query to who earned it.

    After random architectures, each query is given to one of three arms, all of which are told
    every outcome:

    * `climb`: steepest ascent on the acquisition mean + beta deviation of a Gaussian process,
      from the best told and from random architectures (upper confidence bound: Srinivas et
      al., ICML 2010); beta falls from `explore` to 0 as the budget is used up, so that the
      search is broad at first and fine at the end.
    * `evolve`: a mutant of the best of a sample of the best told (Real et al., AAAI 2019,
      without aging).
    * `sample`: a draw from independent softmax policies under policy gradient, as `reinforce`.

    The rule is the area-under-the-curve bandit (Fialho, Schoenauer, Sebag, GECCO 2010, as in
    Ansel et al., "OpenTuner", PACT 2014): of the last `window` queries, the credits of an arm
    are lined up from old to new; the arm is worth the area under their running sum, as a share
    of the most it could be, so that late credits count more, plus `curiosity`
    sqrt(2 ln(queries) / (queries of the arm)). OpenTuner credits a new best with 1 and anything
    else with 0. New bests are too rare in a hundred evaluations: here the credit is the share
    of all that was told before that an outcome beats.

    The process sees normal scores of the rewards' ranks, through three kernels of cells
    (decisions, paths, edges by operation) or one of other spaces (decisions). It replaces the
    boosted trees of `predictor_evolution`, which need more trainings: after 30, 100 and 200 of
    nb201-fashion16 the Spearman correlation with the rest was .67, .75 and .77 for the process,
    .42, .62 and .69 for the trees (means of 6 draws).

    Two architectures of one class are the same network. Where a table trained each of them,
    their outcomes differ, and both are worth a query; where they share a row, no more is to be
    learnt. The first pair that is told settles it.

    Args:
        space: to search.
        goal: gives the recipe, what is better, and the budget.
        rng: the only source of randomness.
        initial: how many random architectures come first.
        explore: beta at the start.
        window: queries that the rule looks back on.
        curiosity: what the rule gives to arms it knows little of.
        warm_start: architectures asked for before the random ones: winners of earlier tasks,
            or the best by a zero-cost proxy.
        scores: of every architecture of the space, the higher the better, such as a zero-cost
            proxy's: the process sees their ranks as well, and the random architectures are
            drawn from the better half.
        scores_as: `prior`, as just said; `arm`: the process does not see them and the first are
            random, but one more arm, `inherit`, asks for the best by scores that was not asked
            for, and has to earn its queries as the others do; `both`. With losses or accuracies
            that a supernet's weights gave, that arm is the supernet's.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        initial: int = 10,
        explore: float = 2.0,
        window: int = 50,
        curiosity: float = 0.05,
        warm_start: Sequence[int] | NDArray[np.integer] = (),
        scores: Sequence[float] | NDArray[np.floating] = (),
        scores_as: Literal["prior", "arm", "both"] = "prior",
    ) -> None:
        check_counts(initial=initial, window=window)
        for name, value in (("explore", explore), ("curiosity", curiosity)):
            if not 0 <= value < math.inf:
                raise NasbenchError(f"{name} must be a number of 0 or more, got {value!r}")
        why = f"warm_start must name architectures of {space.name}, by number"
        try:
            winners = space.check(warm_start)
        except NasbenchError:
            raise NasbenchError(why) from None
        if winners.ndim != 1:
            raise NasbenchError(why)
        if scores_as not in ("prior", "arm", "both"):
            raise NasbenchError(f"scores_as is prior, arm or both, got {scores_as!r}")
        ranks = _scaled_ranks(scores, space)
        if scores_as != "prior" and not len(ranks):
            raise NasbenchError(
                f"scores_as = {scores_as!r} needs scores: give a column of them, such as inherited "
                f"ones, as the proxy of the search"
            )
        self._scores = ranks[:0] if scores_as == "arm" else ranks
        self._classes_share: bool | None = None  # not known yet
        self._first: dict[int, tuple[int, float]] = {}  # of each class: who was told, and what
        super().__init__(space, goal, rng, 0)
        self._explore = explore
        self._curiosity = curiosity
        self._policy = Reinforce(space, goal, rng, learning_rate=RATE)
        self._history: deque[tuple[str, float]] = deque(maxlen=window)
        self._arms = {"climb": self._climb, "evolve": self._evolve, "sample": self._sample}
        if scores_as != "prior":
            self._arms["inherit"] = self._inherit
            self._by_score = deque(_best_first(space, np.asarray(scores, dtype=np.float64)))
        self._turn = ""  # the arm whose query is made; empty for those that come first
        self._askers = Pending[int, str]()
        self._waiting = Counter[str]()
        self._scales = usual_scales(self._seen(space.sample(rng, TYPICAL).tolist()))
        self._hill: deque[int] = deque()
        self._fitted = 0
        self._used = 0.0
        first = self._unasked(winners.tolist())
        drawn = self._fresh(2 * initial if len(self._scores) else initial)
        if len(self._scores):
            drawn = sorted(drawn, key=lambda a: -self._scores[a])[:initial]
        self._queue.extend(dict.fromkeys((*first, *drawn)))

    def ask(self) -> Query | None:
        """One of those that come first, or what the arm that earned it makes of all told."""
        self._turn = ""
        query = super().ask()
        if query:
            self._askers.add(query.architecture, self._turn)
            self._waiting[self._turn] += 1
        return query

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Every arm learns from it; the one that asked is credited."""
        reward = self._goal.reward(outcome)
        arm = self._askers.pop(query.architecture)
        self._waiting[arm] -= 1
        if arm:
            beaten = sum(reward > known for known in self._rewards.values())
            self._history.append((arm, beaten / len(self._rewards)))
        budget = self._goal.budget
        steps = (
            1 / (budget.evaluations or math.inf),
            outcome.seconds / (budget.seconds or math.inf),
            query.epochs / (budget.epochs or math.inf),
        )
        self._used += max(steps)
        self._policy.tell(query, outcome)
        self._compare_with_equals(query.architecture, reward)
        super().tell(query, outcome)

    def _batch(self) -> list[int]:
        self._turn = self._earned()
        return self._arms[self._turn]()[:1]

    def _earned(self) -> str:
        """The arm with the largest area under its curve and curiosity."""
        told = Counter(arm for arm, _ in self._history)
        asked = {arm: told[arm] + self._waiting[arm] for arm in self._arms}
        total = sum(asked.values())

        def worth(arm: str) -> float:
            if not asked[arm]:
                return math.inf
            credits = [credit for which, credit in self._history if which == arm]
            n = len(credits)
            area = sum(place * credit for place, credit in enumerate(credits, 1))
            share = 2 * area / (n * (n + 1)) if n else 0.0
            return share + self._curiosity * math.sqrt(2 * math.log(total) / asked[arm])

        return max(self._arms, key=worth)

    def _climb(self) -> list[int]:
        """The best of what was seen on the way up, first; fitted anew after a few outcomes."""
        if len(self._rewards) >= self._fitted + max(2, self._fitted // 25):
            self._hill.clear()
        self._hill = deque(self._unasked(self._hill)) or deque(self._climbed())
        return [self._hill.popleft()] if self._hill else []

    def _climbed(self) -> list[int]:
        told = list(self._rewards)
        rewards = np.fromiter(self._rewards.values(), dtype=np.float64)
        process = GaussianProcess(
            self._seen(told), ndtri((rankdata(rewards) - 0.5) / len(told)), self._scales
        )
        self._fitted = len(told)
        beta = self._explore * max(1 - self._used, 0.0)
        known: dict[int, float] = {}

        def look_at(architectures: Iterable[int]) -> None:
            new = list({a: None for a in architectures if a not in known})
            if new:
                mean, deviation = process.predict(self._seen(new))
                # Equal networks are equal to the last digit, on any processor.
                bound = np.round(mean + beta * deviation, 9)
                known.update(zip(new, bound.tolist(), strict=True))

        best = [told[place] for place in np.argsort(-rewards, kind="stable")[:STARTS]]
        climbers = {*best, *self._space.sample(self._rng, STARTS).tolist()}
        look_at(climbers)
        while climbers:
            around = {a: self._around(a) for a in climbers}
            look_at(b for near in around.values() for b in near)
            steps = {a: max(near, key=known.__getitem__, default=a) for a, near in around.items()}
            climbers = {b for a, b in steps.items() if known[b] > known[a]}
        return self._unasked(sorted(known, key=lambda a: -known[a]))

    def _around(self, architecture: int) -> list[int]:
        """Its neighbours, or so many of them, drawn at random."""
        near = self._space.neighbors(architecture)
        if len(near) > NEIGHBORS:
            near = self._rng.choice(near, NEIGHBORS, replace=False)
        return list(near.tolist())

    def _evolve(self) -> list[int]:
        """A mutant of the best of a sample."""
        told = sorted(self._rewards, key=lambda a: -self._rewards[a])[:PARENTS]
        places = self._rng.random((TRIES, SAMPLE)).min(1) * len(told)
        return self._children(told[int(place)] for place in places)

    def _inherit(self) -> list[int]:
        """The best by scores that was not asked for."""
        while self._by_score:
            if found := self._unasked([self._by_score[0]]):
                return found
            self._by_score.popleft()
        return []

    def _sample(self) -> list[int]:
        """A draw from the policies."""
        return self._unasked(self._policy.ask().architecture for _ in range(TRIES))

    def _seen(self, architectures: Sequence[int]) -> list[NDArray[np.float32]]:
        """What the process sees, in blocks `[n, features]`."""
        blocks = structure_blocks(self._space, architectures)
        if len(self._scores):
            blocks.append(self._scores[np.asarray(architectures), None])
        return blocks

    def _identities(self, architectures: ArrayLike) -> Architectures:
        if self._classes_share:
            return super()._identities(architectures)
        return self._space.check(architectures)

    def _compare_with_equals(self, architecture: int, reward: float) -> None:
        """Whether two of one class are told the same; the first such pair settles it."""
        if self._classes_share is not None or not math.isfinite(reward):
            return
        found = int(super()._identities(architecture))
        other, told = self._first.setdefault(found, (architecture, reward))
        if other != architecture:
            self._classes_share = told == reward
            self._asked = set(self._identities(list(self._asked)).tolist())


def _best_first(space: Space, scores: NDArray[np.float64]) -> list[int]:
    """Of each class one architecture, the best by scores first; none without a score."""
    order = np.argsort(-scores, kind="stable")[: np.isfinite(scores).sum()]
    _, first = np.unique(space.canonical(order), return_index=True)
    found: list[int] = order[np.sort(first)].tolist()
    return found


def _scaled_ranks(scores: ArrayLike, space: Space) -> NDArray[np.float32]:
    """Ranks of scores from 0 to 1, NaN the lowest; empty where there are none."""
    given = np.asarray(scores, dtype=np.float64)
    if len(given) not in (0, space.size):
        raise NasbenchError(
            f"scores must have a number for each of the {space.size:,} architectures of "
            f"{space.name}, got {len(given):,}"
        )
    ranks = rankdata(np.where(np.isnan(given), -np.inf, given)) / max(len(given), 1)
    return ranks.astype(np.float32)
