"""Many architectures as points, or as how many lie where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgba
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.report.theme import COLOURS

__all__ = ["MOST_POINTS", "cloud", "shades"]

MOST_POINTS = 600
"""Of more a page would be slow, and a figure one blot: they are counted in bins."""
BINS = 36

Floats = NDArray[np.float64]


def shades(colour: str = COLOURS[0]) -> LinearSegmentedColormap:
    """From few to many: one colour, ever less transparent, on a light page and on a dark one."""
    red, green, blue, _ = to_rgba(colour)
    ends = [(red, green, blue, 0.2), (red, green, blue, 1.0)]
    return LinearSegmentedColormap.from_list("density", ends)


def cloud(
    axes: Axes,
    x: Floats,
    y: Floats,
    tip: Callable[[int], str],
    about: Callable[[float, float], str],
) -> Sequence[str]:
    """Draw architectures with the gid `rows`, one by one or in hexagons.

    Args:
        axes: to draw on.
        x: `[n]`.
        y: `[n]`.
        tip: what is said of the one at a place.
        about: what is said of the middle of a hexagon.

    Returns:
        What each mark says, in the order in which they are drawn.
    """
    if len(x) <= MOST_POINTS:
        look: dict[str, Any] = {"color": COLOURS[0], "alpha": 0.75, "linewidths": 0}
        axes.scatter(x, y, s=16, gid="rows", **look)
        return [tip(place) for place in range(len(x))]
    bins = axes.hexbin(
        x, y, gridsize=BINS, mincnt=1, norm=LogNorm(), cmap=shades(), linewidths=0, gid="rows"
    )
    counts = np.asarray(bins.get_array())
    return [
        f"{counted(int(n), 'architecture')}\nabout {about(*middle)}"
        for n, middle in zip(counts, np.asarray(bins.get_offsets()).tolist(), strict=True)
    ]
