"""Curves of many architectures that arrive one architecture at a time, out of memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nasbench.table.scratch import Scratch

__all__ = ["CurveStore"]

_ROWS = 256  # in a block


class CurveStore:
    """One metric of one recipe: seeds and architectures as they come.

    Where no training has more than the value after its last epoch, only that one is kept.

    Args:
        epochs: of a training.
        dtype: of what is kept.
        scratch: where it is kept.
    """

    def __init__(self, epochs: int, dtype: DTypeLike, scratch: Scratch) -> None:
        self._epochs = epochs
        self._dtype = dtype
        self._scratch = scratch
        self._blocks: dict[tuple[int, int], NDArray[np.floating]] = {}
        self.seeds: set[int] = set()
        self.every_epoch = False

    def put(self, row: int, seed: int, curve: NDArray[np.float64]) -> None:
        """A training's curve, `[epochs]`, NaN where it has no value."""
        block, place = divmod(row, _ROWS)
        kept = self._blocks.get((seed, block))
        whole = not np.isnan(curve[:-1]).all()
        if kept is None or (whole and kept.shape[1] < self._epochs):
            wider = self._scratch.missing(_ROWS, self._epochs if whole else 1, dtype=self._dtype)
            if kept is not None:
                wider[:, -1] = kept[:, -1]
            self._blocks[seed, block] = kept = wider
        kept[place] = curve[-kept.shape[1] :]
        self.seeds.add(seed)
        self.every_epoch |= whole

    def assemble(self, order: NDArray[np.intp], seeds: list[int]) -> NDArray[np.floating]:
        """All of it, `[rows, seeds, epochs or 1]`: row `i` is what was put at row `order[i]`."""
        epochs = self._epochs if self.every_epoch else 1
        whole = self._scratch.missing(len(order), len(seeds), epochs, dtype=self._dtype)
        blocks, places = np.divmod(order, _ROWS)
        for (seed, block), kept in self._blocks.items():
            rows = np.flatnonzero(blocks == block)
            whole[rows, seeds.index(seed), -kept.shape[1] :] = kept[places[rows]]
        return whole
