"""Images as arrays: their layouts, their sizes, and pooling."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, NasbenchError
from nasbench.task.base import check_room

__all__ = ["MOST_SIZE", "Images", "as_images", "check_memory", "check_size", "mean_pool"]

MOST_SIZE = 4096
"""Pixels that the side of a square image may have."""
Images = NDArray[np.uint8]
"""Images, uint8 `[n, channels, height, width]`."""


def as_images(name: str, array: ArrayLike) -> Images:
    """uint8 `[n, h, w]`, `[n, h, w, c]` or `[n, c, h, w]`, c 1 or 3, as `[n, c, h, w]`."""
    images = np.asarray(array)
    if images.dtype != np.uint8:
        raise NasbenchError(f"task {name}: images must be uint8 (0 to 255), got {images.dtype}")
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images
    raise NasbenchError(
        f"task {name}: images must be [n, height, width], [n, height, width, 1 or 3] or "
        f"[n, 1 or 3, height, width], got {list(images.shape)}"
    )


def check_size(size: int) -> None:
    """Refuse a number that no image's side has."""
    if size < 1 or size > MOST_SIZE:
        bound = "1 or more" if size < 1 else f"{MOST_SIZE:,} at most"
        raise BadValue(f"an image size is {bound}, got {size}")


def check_memory(n: int, channels: int, size: int) -> None:
    """Refuse more images of this size than memory holds twice: as they are read, and split."""
    shape = f"images of {channels} x {size} x {size}"
    check_room(n, channels * size**2, shape, "give a smaller size")


def mean_pool(images: Images, size: int) -> Images:
    """Square images of `size`: zero-padded to a multiple of it, then mean-pooled, rounded.

    Example:
        >>> mean_pool(np.full((1, 1, 28, 28), 8, np.uint8), 14).shape
        (1, 1, 14, 14)
    """
    check_size(size)
    n, channels, height, width = images.shape
    check_memory(n, channels, size)
    factor = -(-max(height, width) // size)
    pad = [(size * factor - side) for side in (height, width)]
    padded = np.pad(images, ((0, 0), (0, 0), *((p // 2, p - p // 2) for p in pad)))
    if factor == 1:
        return padded
    blocks = padded.reshape(n, channels, size, factor, size, factor)
    pooled: Images = np.rint(blocks.mean((3, 5), dtype=np.float32)).astype(np.uint8)
    return pooled
