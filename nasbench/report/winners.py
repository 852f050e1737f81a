"""Who is ahead in a comparison, and who cannot be told from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbench.report.text import decimals
from nasbench.search import Comparison

__all__ = ["SIGNIFICANT", "Standing", "standing_of"]

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Standing:
    """Strategies by what they are scored by, the best first.

    Attributes:
        means: of each strategy's runs, ascending; infinite where a run found nothing.
        best: the first.
        tied: those that the rank test does not tell from the best.
        beaten: those that it does.
        untestable: why there is no test; empty where there is one.
    """

    means: dict[str, float]
    best: str
    tied: tuple[str, ...]
    beaten: tuple[str, ...]
    untestable: str
    digits: int

    @property
    def others(self) -> list[str]:
        """All but the best."""
        return [name for name in self.means if name != self.best]

    @property
    def text(self) -> str:
        """The mean of the best."""
        return f"{self.means[self.best]:.{self.digits}f}"


def standing_of(comparison: Comparison) -> Standing | None:
    """Who is ahead; None where no run of any strategy can be judged."""
    scores = comparison.judged_scores
    known = {name: of for name, of in scores.items() if np.isfinite(of).any()}
    if not known:
        return None
    means = {name: float(np.nan_to_num(of, nan=np.inf).mean()) for name, of in known.items()}
    means = dict(sorted(means.items(), key=lambda item: item[1]))
    best = next(iter(means))
    pairs = {
        other: pair
        for pair in comparison.pairs
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        if one == best and other in means
    }
    beaten = tuple(other for other in means if other in pairs and pairs[other].p_holm < SIGNIFICANT)
    tied = tuple(other for other in means if other in pairs and other not in beaten)
    few = [pair.note for pair in pairs.values() if pair.note.startswith("too few")]
    digits = 2 if comparison.of_accuracy else decimals(means[best])
    return Standing(means, best, tied, beaten, few[0] if few else "", digits)
