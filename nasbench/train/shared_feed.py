"""Which examples a supernet sees at each step: functions of its seed and what came before."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench.train.feed import Prepared, batch_of
from nasbench.train.order import EpochOrder, epoch_order
from nasbench.train.recipe import Recipe

__all__ = ["TOGETHER", "SharedFeed", "SplitName", "parts_of"]

SplitName = Literal["train", "valid"]

TOGETHER = 500
"""Examples of a score whose statistics BatchNorm takes together."""

_VALID, _SCORED, _FITTED = 3, 4, 5
"""Spawn keys; those of weights, orders and networks' noise are 0 to 2."""


class SharedFeed:
    """The examples of one supernet, batch after batch.

    Training batches are those of any training with this seed, crops and flips included. The
    validation batches of slopes, and what is scored, are as they are.

    Args:
        data: of the task.
        recipe: gives batches, crops and flips.
        seed: of the supernet.

    Attributes:
        trained: training batches so far.
        looked: validation batches so far.
        scored: draws of examples so far.
    """

    def __init__(self, data: Prepared, recipe: Recipe, seed: int) -> None:
        self.data = data
        self.recipe = recipe
        self.trained = self.looked = self.scored = 0
        self._seed = seed
        self._order: tuple[int, EpochOrder] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches of a pass over the training examples."""
        return -(-len(self.data.train[0]) // self.recipe.batch_size)

    def next_order(self) -> tuple[EpochOrder, slice]:
        """The epoch's order and which part of it the next training batch is."""
        epoch, step = divmod(self.trained, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            n = len(self.data.train[0])
            self._order = epoch, epoch_order(self.recipe, n, self._seed, epoch)
        size = self.recipe.batch_size
        return self._order[1], slice(step * size, (step + 1) * size)

    def next_train(self, *, peek: bool = False) -> tuple[Tensor, Tensor]:
        """The next training batch; a peek leaves it the next."""
        order, chosen = self.next_order()
        self.trained += not peek
        return batch_of(self.data, order, chosen, self.recipe)

    def next_valid(self) -> tuple[Tensor, Tensor]:
        """The next validation batch, in an order that is drawn anew for each pass."""
        x, y = self.data.valid
        size = min(self.recipe.batch_size, len(x))
        round_, step = divmod(self.looked, len(x) // size)
        self.looked += 1
        chosen = self._rng(_VALID, round_).permutation(len(x))[step * size : (step + 1) * size]
        index = torch.from_numpy(chosen)
        return x[index], y[index]

    def drawn(self, split: SplitName, images: int) -> NDArray[np.int64]:
        """So many examples of a split, drawn anew; 0, or more than there are: all of them."""
        n = len(self._split(split)[0])
        if not 0 < images < n:
            return np.arange(n)
        self.scored += 1
        return np.sort(self._rng(_SCORED, self.scored).choice(n, images, replace=False))

    def fitted(self) -> NDArray[np.int64]:
        """The training examples whose statistics a recalibrated BatchNorm takes."""
        n = len(self.data.train[0])
        return np.sort(self._rng(_FITTED).choice(n, min(TOGETHER, n), replace=False))

    def take(self, split: SplitName, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Those examples, unchanged."""
        x, y = self._split(split)
        index = torch.from_numpy(chosen)
        return x[index], y[index]

    def _split(self, split: SplitName) -> tuple[Tensor, Tensor]:
        return self.data.train if split == "train" else self.data.valid

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))


def parts_of(chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Examples in as few nearly equal parts as keep `TOGETHER`.

    Example:
        >>> [len(part) for part in parts_of(np.arange(1200))]
        [400, 400, 400]
    """
    return np.array_split(chosen, -(-len(chosen) // TOGETHER))
