"""Which images a training sees, and in which order: the same for every engine.

Random numbers come from one SeedSequence per training. The order of the images depends on
the seed and the epoch alone; the initial weights on the seed and the architecture (see
`nasbench.network.started`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.train.recipe import Recipe

__all__ = ["EpochOrder", "epoch_order"]

_ORDER = 1
"""Spawn key of the orders; that of the weights is 0."""


@dataclass(frozen=True, eq=False, slots=True)
class EpochOrder:
    """The order of one epoch's images and what is done to each, in that order.

    Attributes:
        images: a permutation, int64 `[n]`.
        shifts: rows and columns by which the crop moves, int64 `[n, 2]` in
            `[-crop_padding, crop_padding]`; None without crops.
        flips: which images are mirrored, bool `[n]`; None without flips.
    """

    images: NDArray[np.int64]
    shifts: NDArray[np.int64] | None
    flips: NDArray[np.bool_] | None


def epoch_order(recipe: Recipe, n: int, seed: int, epoch: int) -> EpochOrder:
    """What epoch `epoch` (from 0) of a training with this seed sees of `n` images."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    images = rng.permutation(n)
    pad = recipe.crop_padding
    shifts = rng.integers(-pad, pad + 1, size=(n, 2)) if pad else None
    flips = rng.random(n) < 0.5 if recipe.flip else None
    return EpochOrder(images, shifts, flips)
