"""What a user has, and what of it a network reads: an ONNX file that is used does the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Raw"]


@dataclass(frozen=True, eq=False, slots=True)
class Raw:
    """How a network's inputs are made of what is stored, and its answer turned back.

    Attributes:
        dtype: of what is stored: `uint8` pixels or spectrograms, `float32` waveforms and columns,
            `int64` tokens.
        mean: that is taken from them, float32, of a shape that fits an example of one; None of
            tokens, which stay as they are.
        deviation: by which the rest is divided, likewise; more than 0.
        missing: whether NaN is a missing number, and stands for the mean.
        scale: by which an answer is multiplied: the deviation of the numbers that are learned.
        shift: that is added then: their mean.

    Example:
        >>> half = np.full((1, 3, 1, 1), 127.5, np.float32)
        >>> Raw("uint8", half, half).standardise(np.full((1, 3, 2, 2), 255, np.uint8)).max()
        np.float32(1.0)
    """

    dtype: str
    mean: NDArray[np.float32] | None = None
    deviation: NDArray[np.float32] | None = None
    missing: bool = False
    scale: float = 1.0
    shift: float = 0.0

    @property
    def answers(self) -> bool:
        """Whether the answer is turned back."""
        return (self.scale, self.shift) != (1.0, 0.0)

    def standardise(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """What the network takes of examples `[n, ...]`."""
        if self.mean is None or self.deviation is None:
            return inputs.astype(self.dtype)
        found: NDArray[np.float32] = (inputs.astype(np.float32) - self.mean) / self.deviation
        return np.nan_to_num(found, copy=False) if self.missing else found

    def noise(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Examples as they are stored: all pixels, and of numbers those of a deviation or two."""
        rng = np.random.default_rng(0)
        if self.dtype == "uint8":
            return rng.integers(0, 256, shape, dtype=np.uint8)
        drawn = rng.standard_normal(shape, dtype=np.float32)
        if self.mean is not None and self.deviation is not None:
            drawn = drawn * self.deviation + self.mean
        return drawn.astype(self.dtype)
