"""What the cost of a network is a sum of: how often each of its operations runs.

Published devices did not run the same graph of a cell. Some ran every edge that its string
writes, others what their exporter left of it. So cells are counted in three ways, and what a
device ran is told from its costs: see `nasbench.surrogate.cost`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.space import CellSpace, Space

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
    asked = np.atleast_1d(space.check(architectures))
    if not isinstance(space, CellSpace):
        return {"decisions": space.one_hot(asked).astype(np.float64)}
    ops = space.ops(asked)
    held = ops != (space.operations.index("none") if "none" in space.operations else -1)
    fed = np.zeros((len(ops), space.nodes), dtype=np.bool_)
    heard = np.zeros_like(fed)
    fed[:, 0] = heard[:, -1] = True
    carries, reaches = np.zeros_like(held), np.zeros_like(held)
    edges = list(enumerate(space.pairs))  # by target, so that a source is settled before its use
    for edge, (source, target) in edges:
        carries[:, edge] = held[:, edge] & fed[:, source]
        fed[:, target] |= carries[:, edge]
    for edge, (source, target) in reversed(edges):
        reaches[:, edge] = held[:, edge] & heard[:, target]
        heard[:, source] |= reaches[:, edge]
    reaches &= heard[:, :1]
    written = _count(space, ops, held)
    if "none" in space.operations:
        written = np.column_stack([written, (~held).sum(1)])
    return {
        "written": written,
        "reaching": _count(space, ops, reaches),
        "live": _count(space, ops, reaches & carries),
    }


def _count(
    space: CellSpace, ops: NDArray[np.integer], runs: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Operations but `none`, then additions, of the edges that run: `[n, operations]`."""
    columns = [
        ((ops == place) & runs).sum(1)
        for place, name in enumerate(space.operations)
        if name != "none"
    ]
    into = np.zeros((len(ops), space.nodes), dtype=np.int64)
    for edge, (_, target) in enumerate(space.pairs):
        into[:, target] += runs[:, edge]
    columns.append(np.maximum(into - 1, 0).sum(1))
    return np.stack(columns, axis=1).astype(np.float64)
