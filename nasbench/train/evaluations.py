"""What else than accuracy a trained network is worth: calibration, robustness, fairness.

    [recipe.r]
    evaluate = ["calibration", "corruption", "attack", "groups"]

Each finds figures of the validation split, which a search may trade for others, and the same of
the test split. Beside each stand `_low` and `_high`, the 95 % interval that so few examples leave.
All are in percent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.network.inputs import answer_to
from nasbench.stats import wilson_interval
from nasbench.task import Split, Task
from nasbench.train.feed import Prepared
from nasbench.train.harm import ATTACKS, STEP, Attack, Harm, corruptions
from nasbench.train.objective import EVALUATION_BATCH
from nasbench.train.recipe import Recipe

__all__ = ["check_evaluations", "evaluated", "expected_calibration_error", "rates_by_group"]

BINS = 15
"""Of equal width, of the confidence in the answer: as Guo et al. (ICML 2017) count."""
RESAMPLES = 1_000

Figures = dict[str, tuple[float, float, float]]
"""By name value, low and high, as shares of 1."""
Bools = NDArray[np.bool_]


def check_evaluations(task: Task, recipe: Recipe) -> None:
    """Refuse evaluations by name that a task has no examples for.

    Raises:
        Unsupported: in one sentence, before anything is trained.
    """
    names = recipe.evaluations
    if not names:
        return
    if recipe.train is not None:
        raise Unsupported(
            f"evaluation {names[0]} looks at examples as this trainer prepares them; a training "
            f'loop of one\'s own has an evaluation of its own, evaluate = "FILE.py:NAME"'
        )
    if task.target.kind != "classes":
        raise Unsupported(f"evaluation {names[0]} is of classes, and {task.name} has {task.target}")
    if "attack" in names and task.signal.kind == "tokens":
        raise Unsupported(f"evaluation attack moves numbers, and {task.name} has {task.signal}")
    if "groups" in names and not task.groups:
        raise Unsupported(
            f"evaluation groups needs groups, and {task.name} has none: name columns with "
            f'groups = ["sex"] in its [task]'
        )


def evaluated(
    net: nn.Module, data: Prepared, task: Task, recipe: Recipe, rng: np.random.Generator
) -> dict[str, float]:
    """What the evaluations that a recipe names find of a trained network.

    Args:
        net: on the hardware that trained it, not training.
        data: the examples as it saw them.
        task: that they are of; it has the groups.
        recipe: names the evaluations, and how many examples of each split are used.
        rng: of what they draw; each split has a stream of its own, so that all that is drawn for
            one does not depend on how many evaluations there are.

    Returns:
        By metric, in percent; NaN where a split lacks the examples.
    """
    splits = {
        "valid": (data.valid, task.valid.first(recipe.valid_images)),
        "test": (data.test, task.test.first(recipe.test_images)),
    }
    found: dict[str, float] = {}
    for of, ((x, y), split) in splits.items():
        seeds = rng.integers(2**63, size=len(_EVALUATIONS))
        for seed, (name, evaluate) in zip(seeds.tolist(), _EVALUATIONS.items(), strict=True):
            if name in recipe.evaluations:
                figures = evaluate(_Judged(net, x, y, split, task, seed))
                found |= {f"{of}_{metric}": value for metric, value in _columns(figures)}
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Judged:
    """A network, and the examples that it is evaluated on."""

    net: nn.Module
    x: Tensor
    y: Tensor
    split: Split
    task: Task
    seed: int

    def draws(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.x), EVALUATION_BATCH):
            chosen = slice(start, start + EVALUATION_BATCH)
            yield self.x[chosen], self.y[chosen]

    def right(self, harm: Harm, rng: torch.Generator) -> Bools:
        """For which examples the network is right once they are corrupted."""
        parts = [self._answer(harm(x, rng)).argmax(1) == y for x, y in self.batches()]
        return _bools(parts)

    def withstood(self, attack: Attack, span: Tensor, rng: torch.Generator) -> Bools:
        """For which examples it is right once they are moved against it."""
        moved = ((attack(self.net, x, y, span, rng), y) for x, y in self.batches())
        return _bools([self._answer(x).argmax(1) == y for x, y in moved])

    def chances(self) -> NDArray[np.float64]:
        """What the network takes each class's chance to be, `[n, classes]`."""
        parts = [self._answer(x).double().softmax(1) for x, _ in self.batches()]
        return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, self.task.outputs))

    @torch.no_grad()
    def _answer(self, x: Tensor) -> Tensor:
        return answer_to(self.net, x)


def _bools(parts: list[Tensor]) -> Bools:
    return torch.cat(parts).cpu().numpy() if parts else np.zeros(0, dtype=bool)


def _calibration(seen: _Judged) -> Figures:
    right = seen.y.cpu().numpy()
    chances = seen.chances()
    return {
        "ece": expected_calibration_error(chances.max(1), chances.argmax(1) == right, seen.draws())
    }


def expected_calibration_error(
    confidence: NDArray[np.float64], right: Bools, rng: np.random.Generator
) -> tuple[float, float, float]:
    """How far confidence is from accuracy, over 15 bins of confidence, weighted by examples.

    Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017, equation
    3. Few examples make it larger than it is; the interval (basic bootstrap of each bin's right
    answers: twice the value less the quantiles) moves back by as much.

    Args:
        confidence: in the answers, `[n]`, 0 to 1.
        right: whether they are, `[n]`.
        rng: of the bootstrap.

    Returns:
        The error as a share of 1, and its 95 % interval.

    Example:
        >>> sure = np.full(100, 0.8)
        >>> value, low, high = expected_calibration_error(
        ...     sure, np.arange(100) < 60, np.random.default_rng(0)
        ... )
        >>> round(value, 3), low < 0.2 < high
        (0.2, True)
    """
    if not len(confidence):
        return (np.nan,) * 3
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    n = np.bincount(place, minlength=BINS)
    kept = n > 0
    sure, hits = (np.bincount(place, weights=w, minlength=BINS)[kept] for w in (confidence, right))
    n = n[kept]

    def error(hits: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.abs(hits - sure).sum(-1) / n.sum()
        return found

    drawn = rng.binomial(n, hits / n, size=(RESAMPLES, len(n)))
    return _basic(float(error(hits)), error(drawn))


def _corruption(seen: _Judged) -> Figures:
    rng = seen.generator()
    found: Figures = {}
    every = []
    for name, harm in corruptions(seen.task.signal).items():
        right = seen.right(harm, rng)
        found[f"{name}_accuracy"] = _share(right)
        every.append(right)
    # Of one example the answers hang together: its mean over corruptions is one trial.
    means = np.mean(every, axis=0)
    value = float(means.mean()) if len(means) else np.nan
    half = 1.96 * float(means.std()) / max(len(means), 1) ** 0.5 if len(means) else np.nan
    found["corrupted_accuracy"] = (value, max(value - half, 0.0), min(value + half, 1.0))
    return found


def _attack(seen: _Judged) -> Figures:
    rng = seen.generator()
    span = torch.full(seen.x.shape[1:], STEP, device=seen.x.device)
    if seen.task.signal.categories:
        span[torch.tensor(seen.task.signal.categories, device=span.device) > 0] = 0.0
    found = {}
    for name, attack in ATTACKS.items():
        right = seen.withstood(attack, span, rng)
        found[f"{name}_accuracy"] = _share(right)
    return found


def _groups(seen: _Judged) -> Figures:
    labels = seen.y.cpu().numpy()
    answers = seen.chances().argmax(1)
    rng = seen.draws()
    found: Figures = {}
    for grouping, names in seen.task.groups.items():
        of = seen.split.groups[grouping]
        asked = {"accuracy": np.ones(len(labels), dtype=bool)}
        if len(seen.task.classes) == 2:
            asked["tpr"] = labels == 1
        for metric, counted in asked.items():
            right = (answers == labels)[counted]
            *rates, gap = rates_by_group(right, of[counted], len(names), rng)
            for group in _met_outside(seen.task, grouping):
                found[f"{_word(grouping)}_{_word(names[group])}_{metric}"] = rates[group]
            found[f"{_word(grouping)}_{metric}_gap"] = gap
    return found


def _met_outside(task: Task, grouping: str) -> list[int]:
    """The groups that anybody outside the training split belongs to, the same for both splits."""
    outside = [split.groups[grouping] for split in (task.valid, task.test)]
    found: list[int] = np.unique(np.concatenate(outside)).tolist()
    return found


def rates_by_group(
    right: Bools, group: NDArray[np.int64], groups: int, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """The share of right answers in each group, and the gap between the best and the worst.

    Few examples make a gap larger than it is; its interval (basic bootstrap) moves back by as
    much.

    Args:
        right: whether answers are, `[n]`.
        group: that each example is of, `[n]`.
        groups: how many there are.
        rng: of the bootstrap.

    Returns:
        Value, low and high (95 %) as shares of 1: a group's each, by Wilson's interval, NaN of a
        group without examples, then the gap's, NaN of fewer than two groups.

    Example:
        >>> right, group = np.array([1, 1, 0, 1], bool), np.array([0, 0, 1, 1])
        >>> [r[0] for r in rates_by_group(right, group, 2, np.random.default_rng(0))]
        [1.0, 0.5, 0.5]
    """
    rates = [_share(right[group == g]) for g in range(groups)]
    n = np.bincount(group, minlength=groups)
    kept = n > 0
    if kept.sum() < 2:
        return [*rates, (np.nan,) * 3]
    shares = np.bincount(group, weights=right, minlength=groups)[kept] / n[kept]
    drawn = rng.binomial(n[kept], shares, size=(RESAMPLES, len(shares))) / n[kept]
    return [*rates, _basic(float(np.ptp(shares)), np.ptp(drawn, axis=1))]


def _basic(value: float, drawn: NDArray[np.float64]) -> tuple[float, float, float]:
    """The basic bootstrap interval (95 %) of a share."""
    low, high = 2 * value - np.quantile(drawn, (0.975, 0.025))
    return value, float(np.clip(low, 0, value)), float(np.clip(high, value, 1))


def _share(right: Bools) -> tuple[float, float, float]:
    value = float(right.mean()) if len(right) else np.nan
    low, high = wilson_interval(value, len(right))
    return value, float(low), float(high)


def _word(name: str) -> str:
    """A name as part of a metric's; `?` is nobody's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"


def _columns(figures: Figures) -> Iterator[tuple[str, float]]:
    """In percent, as tables keep them."""
    for name, figure in figures.items():
        for end, value in zip(("", "_low", "_high"), figure, strict=True):
            yield f"{name}{end}", float(np.float32(100 * value))


_EVALUATIONS: Mapping[str, Callable[[_Judged], Figures]] = {
    "calibration": _calibration,
    "corruption": _corruption,
    "attack": _attack,
    "groups": _groups,
}
