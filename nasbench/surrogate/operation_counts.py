"""What the cost of a network is a sum of: how often each of its operations runs.

Published devices did not run the same graph of a cell. Some ran every edge that its string
writes, others what their exporter left of it. So cells are counted in three ways, and what a
device ran is told from its costs: see `nasbench.surrogate.cost`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.space import Space

__all__ = ["GRAPHS", "operation_counts"]

GRAPHS: Mapping[str, str] = {
    "written": "every edge that is written",
    "reaching": "edges from which the output is reached, be they fed by zeros alone",
    "live": "edges that carry something from the input to the output",
    "decisions": "the choice of each decision",
    "operations": "each operation at its shape",
}
"""What was counted, in words."""


def operation_counts(space: Space, architectures: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """By graph, how often each operation runs: `[n, operations]`.

    Of cells: operations of the edges, then the additions that join them, for the graphs
    `written`, `reaching` (an edge runs if the output hears of it, be it fed by zeros alone) and
    `live`. `none` is an operation where every edge is run: zeros are written, too. In the other
    two a cell whose output hears nothing of the input is a constant, of which nothing runs. Of
    other spaces: `decisions`, 1 for the choice of each decision that counts.

    Args:
        space: of the architectures.
        architectures: `[n]`.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("nb201-mini")
        >>> cell = space.index("|none~0|+|skip_connect~0|nor_conv_3x3~1|")
        >>> counts = operation_counts(space, [cell])
        >>> {graph: int(found.sum()) for graph, found in counts.items()}
        {'written': 4, 'reaching': 3, 'live': 1}
    """
    return space.operation_counts(architectures)
