"""The engines beside each other: trajectories part by rounding, final accuracies must not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nasbench.space import CellSpace
from nasbench.task import get as get_task
from nasbench.train import Recipe
from nasbench.train.fused import FusedTrainer
from nasbench.train.native import NativeTrainer, library
from nasbench.train.reference import ReferenceTrainer

EQUAL = 0.3
"""Points of valid accuracy within which engines count as equal."""


@pytest.mark.slow
def test_engines_reach_equal_accuracies(nb201: CellSpace) -> None:
    """Two one-sided tests (5 %) for each pair, over 200 random cells (Schuirmann, 1987)."""
    cells = np.random.default_rng(8).choice(nb201.representatives, 200, replace=False)
    recipe = Recipe(epochs=6, train_images=800, test_images=50, channels=4, cells=1, batch_size=50)
    trainers = [ReferenceTrainer("cpu"), FusedTrainer("cpu")]
    if library() is not None:
        trainers.append(NativeTrainer(1))
    found = {
        trainer.name: np.asarray(
            [
                float(record.curves["valid_accuracy"][-1])
                for record in trainer.train(nb201, cells, get_task("digits"), recipe, [0])
            ]
        )
        for trainer in trainers
    }
    names = list(found)
    for i, one in enumerate(names):
        for other in names[:i]:
            difference = found[one] - found[other]
            error = difference.std(ddof=1) / math.sqrt(len(difference))
            low, high = difference.mean() - 1.653 * error, difference.mean() + 1.653 * error
            print(
                f"{one} less {other}: {difference.mean():+.3f} points, "
                f"90 % interval {low:+.3f} to {high:+.3f}"
            )
            assert low > -EQUAL
            assert high < EQUAL
