"""Which examples a training sees, and in which order: the same for every engine.

Random numbers come from one SeedSequence per training. The order of the examples depends on
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
    """The order of one epoch's examples and what is done to each, in that order.

    Attributes:
        images: a permutation of the examples, int64 `[n]`.
        shifts: rows and columns by which the crop moves, int64 `[n, 2]` in
            `[-crop_padding, crop_padding]`; None without crops.
        flips: which images are mirrored, bool `[n]`; None without flips.
        holes: the middle of each image's blank square, as shares of height and width,
            float64 `[n, 2]`; None without cutout.
        moves: by how many frames each sound moves, int64 `[n]`; None without shifts.
        noise: draws what is added, batch after batch; None without noise.
        unknown: which tokens are taken for unknown words, bool `[n, length]`; None without.
    """

    images: NDArray[np.int64]
    shifts: NDArray[np.int64] | None
    flips: NDArray[np.bool_] | None
    holes: NDArray[np.float64] | None = None
    moves: NDArray[np.int64] | None = None
    noise: np.random.Generator | None = None
    unknown: NDArray[np.bool_] | None = None


def epoch_order(
    recipe: Recipe, n: int, seed: int, epoch: int, shape: tuple[int, ...] = ()
) -> EpochOrder:
    """What epoch `epoch` (from 0) of a training with this seed sees of `n` examples.

    Args:
        recipe: gives what is done to each.
        n: how many there are.
        seed: of the training.
        epoch: from 0.
        shape: of an example; it says how many tokens there are to drop.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    images = rng.permutation(n)
    pad = recipe.crop_padding
    shifts = rng.integers(-pad, pad + 1, size=(n, 2)) if pad else None
    flips = rng.random(n) < 0.5 if recipe.flip else None
    holes = rng.random((n, 2)) if recipe.cutout else None
    far = recipe.shift
    moves = rng.integers(-far, far + 1, size=n) if far else None
    drop = recipe.token_dropout
    unknown = rng.random((n, *shape)) < drop if drop else None
    noise = rng if recipe.noise else None
    return EpochOrder(images, shifts, flips, holes, moves, noise, unknown)
