"""What one epoch of a training showed, and how epochs make a record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nasbench.train.recipe import Recipe
from nasbench.train.record import Record

__all__ = ["Epoch", "record_of"]


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch showed; the names are those of `Record`.

    Attributes:
        metrics: by curve, without the seconds; rounded to float32, as records and tables keep
            them, and NaN where the training diverged.
        train_seconds: of the training so far.
        evaluation_seconds: of what evaluation took beside it.
        tests: of the test split, after the last epoch; nothing before.
        diverged: whether the loss stopped being finite in this epoch.
    """

    metrics: Mapping[str, float]
    train_seconds: float
    evaluation_seconds: float
    tests: Mapping[str, float] = field(default_factory=dict)
    diverged: bool = False


def record_of(
    architecture: int, seed: int, epochs: Sequence[Epoch], recipe: Recipe, tests: Sequence[str]
) -> Record:
    """A training's epochs, all or up to where it ended, as its record.

    Where it diverged its curves end; where it was patient no longer, what it showed last stands
    for the epochs that it saved.

    Args:
        architecture: that was trained.
        seed: of the training.
        epochs: what it showed.
        recipe: by which.
        tests: what is kept of the test split, NaN where it diverged.
    """
    last = epochs[-1]
    curves = {name: np.full(recipe.epochs, np.nan, dtype=np.float32) for name in last.metrics}
    for name, curve in curves.items():
        curve[: len(epochs)] = [epoch.metrics[name] for epoch in epochs]
        if not last.diverged:
            curve[len(epochs) :] = last.metrics[name]
    seconds = np.full(recipe.epochs, last.train_seconds, dtype=np.float32)
    seconds[: len(epochs)] = [epoch.train_seconds for epoch in epochs]
    return Record(
        architecture,
        seed,
        {**curves, "train_seconds": seconds},
        dict.fromkeys(tests, math.nan) | dict(last.tests),
        last.evaluation_seconds,
        len(epochs) if last.diverged else 0,
    )
