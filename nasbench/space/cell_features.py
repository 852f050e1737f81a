"""What models see of cells, and what the cost of one is a sum of; see `CellSpace.encodings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from nasbench.space.cell import CellSpace

__all__ = ["cell_encodings", "cell_operation_counts", "path_encoding"]

Floats = NDArray[np.float32]

MOST_PATHS = 2_000
"""Cells that more paths can run through are seen without: their number grows as a power."""

MOST_SETS = 4_096
"""Cells of more sets of operations are seen without `graph`: it looks at each."""


def cell_encodings(space: CellSpace) -> Mapping[str, Callable[[ArrayLike], Floats]]:
    """What is seen of cells besides their decisions, as far as it is of a size to be seen."""
    found: dict[str, Callable[[ArrayLike], Floats]] = {
        "adjacency": lambda architectures: space.ops(architectures).astype(np.float32),
        "operations": lambda architectures: _operations(space, architectures),
    }
    alive = len(set(space.operations) - {"none"})
    if sum(alive**length for length in range(1, space.nodes)) > MOST_PATHS:
        return found
    found["path"] = space.path_encoding
    if 2**alive <= MOST_SETS:
        found["graph"] = lambda architectures: graph_encoding(space, architectures)
    return found


def _operations(space: CellSpace, architectures: ArrayLike) -> Floats:
    """How many edges have each operation: float32 `[..., operations]`."""
    edges = space.one_hot(architectures)
    shape = (*edges.shape[:-1], len(space.pairs), len(space.operations))
    return np.asarray(edges.reshape(shape).sum(-2))


def path_encoding(space: CellSpace, architectures: ArrayLike) -> Floats:
    """Which of the space's `paths` lead from input to output: float32 `[..., paths]`."""
    ops = space.ops(architectures)
    flat = ops.reshape(-1, ops.shape[-1])
    edge_of = {pair: edge for edge, pair in enumerate(space.pairs)}
    alive = [operation != "none" for operation in space.operations]
    digit = np.cumsum(alive) - 1  # `paths` of one length count up in these digits
    base = sum(alive)
    encoded = np.zeros((len(flat), len(space.paths)), dtype=np.float32)
    for route in _routes(space.nodes):
        chosen = flat[:, [edge_of[step] for step in pairwise(route)]]
        rows = np.flatnonzero(np.asarray(alive)[chosen].all(1))
        length = chosen.shape[1]
        shorter = sum(base**n for n in range(1, length))
        place = digit[chosen[rows]] @ (base ** np.arange(length)[::-1])
        encoded[rows, shorter + place] = 1
    return encoded.reshape(*ops.shape[:-1], -1)


def graph_encoding(space: CellSpace, architectures: ArrayLike) -> Floats:
    """Features of the graph in the manner of GRAF: float32 `[n, features]`.

    Kadlecova et al., "Surprisingly Strong Performance Prediction with Neural Graph Features",
    ICML 2024. For each set of operations, `none` apart, the cell is looked at with the edges of
    these alone: how many routes lead from input to output, the edges of the shortest and of the
    longest (nodes, and 0, where there is none), and each node's edges in and out. Then, for
    each operation, its edges on all live routes together and the most on one. The paper has no
    number of routes and no longest route, and counts the most on a path per set, not per
    operation.
    """
    distinct, places = np.unique(np.atleast_1d(architectures), return_inverse=True)
    ops = space.ops(distinct)
    alive = [place for place, name in enumerate(space.operations) if name != "none"]
    edge_of = {pair: edge for edge, pair in enumerate(space.pairs)}
    inner = range(1, space.nodes - 1)
    stops = [chosen for k in range(space.nodes - 1) for chosen in combinations(inner, k)]
    routes = [
        [edge_of[step] for step in pairwise((0, *chosen, space.nodes - 1))] for chosen in stops
    ]
    into = [
        [e for e, (_, target) in enumerate(space.pairs) if target == n]
        for n in range(1, space.nodes)
    ]
    out = [
        [e for e, (source, _) in enumerate(space.pairs) if source == n]
        for n in range(space.nodes - 1)
    ]
    columns: list[NDArray[Any]] = []
    for size in range(1, len(alive) + 1):
        for allowed in combinations(alive, size):
            open_ = np.isin(ops, allowed)  # [n, edges]
            passable = np.stack([open_[:, route].all(1) for route in routes], axis=1)
            lengths = np.asarray([len(route) for route in routes])
            columns.append(passable.sum(1))
            columns.append(np.where(passable, lengths, space.nodes).min(1))
            columns.append(np.where(passable, lengths, 0).max(1))
            columns += [open_[:, edges].sum(1) for edges in (*into, *out)]
    live = np.isin(ops, alive)
    passable = np.stack([live[:, route].all(1) for route in routes], axis=1)
    for operation in alive:
        on = np.stack([(ops[:, route] == operation).sum(1) for route in routes], axis=1)
        columns += [np.where(passable, on, 0).sum(1), np.where(passable, on, 0).max(1)]
    found: Floats = np.stack(columns, axis=1).astype(np.float32)[places]
    return found


def _routes(nodes: int) -> list[tuple[int, ...]]:
    """Every ascending sequence of nodes from the first to the last."""
    inner = range(1, nodes - 1)
    chosen = product((False, True), repeat=len(inner))
    return [(0, *(n for n, c in zip(inner, c_, strict=True) if c), nodes - 1) for c_ in chosen]


def cell_operation_counts(
    space: CellSpace, architectures: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """See `Space.operation_counts`; `architectures` is `[n]`.

    Counted are the operations of edges, then the additions that join them. `none` is an operation
    where every edge is run: zeros are written, too. Of `reaching` and `live` a cell whose output
    hears nothing of the input is a constant, of which nothing runs.
    """
    ops = space.ops(architectures)
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
