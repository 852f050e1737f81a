"""`street-digits`: digits in colour with neighbours, as on a photograph of a house's number.

Made at load from scikit-learn's digits, so that a colour task that a linear model cannot learn
needs no download. Originals are split before images are made: none is in two splits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.task.base import Split, Task
from nasbench.task.handwritten import handwritten
from nasbench.task.pixels import Images
from nasbench.task.signal import Signal, Target
from nasbench.task.splitting import SplitPlan, split_task

__all__ = ["street_digits"]

_SIDE = 16
_GLYPH = 8
"""Pixels wide and high of an original."""
_IMAGES = {"train": 6_000, "valid": 2_000, "test": 3_000}
_ORIGINALS = {"train": 1_100, "valid": 300, "test": 397}
_LUMINANCE = np.array([0.3, 0.6, 0.1])
_CONTRAST = 80
"""By how much luminance differs between a digit and what is behind it, at least."""
_NOISE = 6
_SLOPE = 12
"""Standard deviations of noise, and of how light rises from one side to the other."""


def street_digits() -> Task:
    """16 x 16 in colour: 6,000 train, 2,000 valid and 3,000 test images of ten digits.

    The digit in the middle is the label; on each side half of the images have another one. Size,
    place, blur, colours, light and noise vary.
    """
    glyphs, labels = handwritten()
    glyphs /= 16
    rng = np.random.default_rng(0)
    order = rng.permutation(len(glyphs))
    parts, start = {}, 0
    for split, count in _ORIGINALS.items():
        mine = order[start : start + count]
        start += count
        middle = np.resize(rng.permutation(mine), _IMAGES[split])
        parts[split] = Split(_images(glyphs, middle, mine, rng), labels[middle])
    about: dict[str, Any] = {
        "source": "UCI Optical Recognition of Handwritten Digits, as scikit-learn has it",
        "licence": "CC BY 4.0",
        "transform": "in colour, with neighbours, at 16 x 16",
    }
    digits = tuple(str(digit) for digit in range(10))
    return split_task(
        "street-digits",
        parts,
        SplitPlan(),
        signal=Signal("image"),
        target=Target("classes", digits),
        about=about,
    )


Array = NDArray[np.float64]


def _images(
    glyphs: Array, middle: NDArray[np.intp], others: NDArray[np.intp], rng: np.random.Generator
) -> Images:
    """Images `[n, 3, 16, 16]` of the glyphs `middle`, with neighbours out of `others`."""
    n = len(middle)
    size = rng.choice([10, 12, 14], n)  # pixels of a glyph
    blur = rng.uniform(1, 1.5, n)
    top = (_SIDE - size) // 2 + rng.integers(-1, 2, n)
    left = (_SIDE - size) // 2 + rng.integers(-1, 2, n)
    ink = _draw(glyphs[middle], top, left, size, blur)
    for side in (-1, 1):
        beside = rng.choice(others, n)
        there = rng.random(n) < 0.5
        apart = side * (size * 4 // 5 + rng.integers(0, 3, n))
        drawn = _draw(glyphs[beside], top + rng.integers(-1, 2, n), left + apart, size, blur)
        ink = np.maximum(ink, np.where(there[:, None, None], drawn, 0))
    behind, front = rng.uniform(0, 255, (2, n, 3))
    while (alike := np.abs((front - behind) @ _LUMINANCE) < _CONTRAST).any():
        front[alike] = rng.uniform(0, 255, (int(alike.sum()), 3))
    share = ink[:, None]  # [n, 1, 16, 16]
    colour = behind[:, :, None, None] * (1 - share) + front[:, :, None, None] * share
    across = np.linspace(-1, 1, _SIDE)
    down, right = rng.normal(0, _SLOPE, (2, n, 3, 1, 1))
    light = down * across[:, None] + right * across
    noise = rng.normal(0, _NOISE, colour.shape)
    pixels: Images = np.clip(np.rint(colour + light + noise), 0, 255).astype(np.uint8)
    return pixels


def _draw(
    glyphs: Array, top: NDArray[np.int64], left: NDArray[np.int64], size: NDArray[Any], blur: Array
) -> Array:
    """Ink `[n, 16, 16]`, 0 to 1: glyphs scaled to `size`, their corners at `top` and `left`.

    Between an original's pixels it is interpolated by a tent; a wider one blurs.
    """
    pixels, places = np.arange(_SIDE), np.arange(_GLYPH)

    def weights(start: NDArray[np.int64]) -> Array:  # [n, 16, 8]
        at = (pixels - start[:, None] + 0.5) * (_GLYPH / size)[:, None] - 0.5
        wide = blur[:, None, None]
        return np.maximum(0, 1 - np.abs(at[..., None] - places) / wide) / wide

    drawn: Array = weights(top) @ glyphs @ weights(left).transpose(0, 2, 1)
    return np.minimum(drawn, 1)
