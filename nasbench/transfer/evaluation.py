"""What transfer saved, and when it hurt, over tasks that were left out in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbench.search import Budget, Comparison
from nasbench.stats import Pair, compare_pairs, holm
from nasbench.transfer.repository import EarlierTask, Repository
from nasbench.transfer.savings import Saving, saving
from nasbench.transfer.similarity import Similarity

__all__ = ["COLD", "GOOD", "LEAST", "MEAN", "WARM", "Held", "TransferEvaluation"]

COLD, WARM, LEAST = "cold", "most similar", "least similar"
MEAN, GOOD = "best over all", "good at random"
SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the budget, where searches are compared."""


@dataclass(frozen=True, eq=False)
class Held:
    """What the other tasks did for one that was left out.

    Attributes:
        task: left out; no table of the same task was among the others.
        similar: the others, the most similar first, by the landmarks.
        landmarks: which the others chose; each warm search pays for them first.
        agreement: Spearman's correlation over all architectures with each of the others.
        ceiling: what seed noise leaves of such a correlation, the product of both tables'
            ceilings; None where either has one seed.
        starts: by variant, what its searches begin with; those that are good at random are
            drawn anew for each seed.
        comparisons: for each strategy its runs, by variant.

    Example:
        >>> from nasbench.table import load
        >>> from nasbench.transfer import describe
        >>> left_out = EarlierTask(load("nb201-fashion16"), describe("nb201-fashion16"))
        >>> Held(left_out, [], (435, 5), {}, {}, {}, {}).landmarks
        (435, 5)
    """

    task: EarlierTask
    similar: list[Similarity]
    landmarks: tuple[int, ...]
    agreement: Mapping[str, float]
    ceiling: Mapping[str, float | None]
    starts: Mapping[str, tuple[int, ...]]
    comparisons: Mapping[str, Comparison]

    @cached_property
    def savings(self) -> dict[str, list[Saving]]:
        """For each strategy what each warm variant saves, on each axis at each share."""
        return {
            strategy: [
                saving(curves, COLD, variant, share)
                for variant in comparison.traces
                if variant != COLD
                for curves in comparison.curves.values()
                for share in SHARES
            ]
            for strategy, comparison in self.comparisons.items()
        }

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """For each strategy the most similar task's winners against none, final regret.

        Pairs are runs of one seed: after the start they draw the same random numbers.
        """
        return {
            strategy: compare_pairs(
                {name: comparison.scores[name] for name in (WARM, COLD)}, paired=True
            )[0]
            for strategy, comparison in self.comparisons.items()
        }


@dataclass(frozen=True, eq=False)
class TransferEvaluation:
    """A repository judged by leaving each of its tasks out.

    Attributes:
        repository: all of it.
        held: by the name of the task left out.
        budget: of each search.
        seeds: of the searches.
        top: how many winners a start has.

    Example:
        >>> from nasbench.table import load
        >>> from nasbench.transfer import EarlierTask, describe
        >>> one = EarlierTask(load("nb201-fashion16"), describe("nb201-fashion16"))
        >>> earlier = Repository([one])
        >>> TransferEvaluation(earlier, {}, Budget(evaluations=10), (0,), top=3).budget.evaluations
        10
    """

    repository: Repository
    held: Mapping[str, Held]
    budget: Budget
    seeds: tuple[int, ...]
    top: int

    @cached_property
    def p_holm(self) -> dict[tuple[str, str], float]:
        """The p of every `Held.pairs`, by task and strategy, corrected for all of them (Holm)."""
        raw = {(t, s): pair.p for t, held in self.held.items() for s, pair in held.pairs.items()}
        return dict(zip(raw, holm(list(raw.values())), strict=True))

    @cached_property
    def over_tasks(self) -> dict[str, Pair]:
        """For each strategy, warm against cold with the tasks as pairs: mean final regret."""
        found = {}
        for strategy in next(iter(self.held.values())).comparisons:
            scores = [held.comparisons[strategy].scores for held in self.held.values()]
            means = {name: [np.nanmean(of[name]) for of in scores] for name in (WARM, COLD)}
            found[strategy] = compare_pairs(means, paired=True)[0]
        return found

    def hurts(self) -> list[tuple[str, str, Saving]]:
        """Task, strategy and place wherever a warm search is worse, by its whole interval."""
        return [
            (name, strategy, of)
            for name, held in self.held.items()
            for strategy, savings in held.savings.items()
            for of in savings
            if of.difference.low > 0
        ]

    def describe(self) -> dict[str, object]:
        """Everything that was found; plain JSON values."""
        return {
            "tasks": {name: self._describe(name, held) for name, held in self.held.items()},
            "over_tasks": {
                strategy: {"difference": pair.difference.describe(), "p": pair.p, "note": pair.note}
                for strategy, pair in self.over_tasks.items()
            },
            "hurts": [{"task": t, "strategy": s, **of.describe()} for t, s, of in self.hurts()],
            "budget_evaluations": self.budget.evaluations,
            "budget_seconds": self.budget.seconds,
            "seeds": len(self.seeds),
            "top": self.top,
        }

    def _describe(self, name: str, held: Held) -> dict[str, object]:
        return {
            "similar": [of.describe() for of in held.similar],
            "agreement": dict(held.agreement),
            "ceiling": dict(held.ceiling),
            "landmarks": list(held.landmarks),
            "starts": {variant: list(start) for variant, start in held.starts.items()},
            "savings": {s: [of.describe() for of in found] for s, found in held.savings.items()},
            "pairs": {
                strategy: {
                    "difference": pair.difference.describe(),
                    "p": pair.p,
                    "p_holm": self.p_holm[name, strategy],
                }
                for strategy, pair in held.pairs.items()
            },
        }
