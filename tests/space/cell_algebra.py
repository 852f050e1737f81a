"""Cells as polynomials over a finite field: a second way to see which are one function.

A feature map is `POSITIONS` numbers modulo a prime. What real operations satisfy holds here
exactly, for any weights, and nothing else does but by a chance of about 1e-9:

- sums are sums, so skips dissolve and the order of terms does not matter;
- pooling is a linear map that keeps constants (its rows sum to one);
- a convolution is a quadratic polynomial, 1 x 1 position by position, 3 x 3 across positions;
- a convolution of zeros is a constant, the shift of its weights, whatever its kernel.

Each convolution takes its weights from a numbered slot. Cells are one function with the same
weights exactly where some assignment of slots gives both the same value; no assignment is
left out, and nothing of the package's own rules is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

PRIME = 2**31 - 1
POSITIONS = 2
SLOTS = 6
OPAQUE_POOL = "a pooling of which no more is known than that zeros stay zeros"

_rng = np.random.default_rng(2020)


def _random(*shape: int) -> NDArray[np.int64]:
    return _rng.integers(1, PRIME, shape)


INPUT, OTHER_INPUT = _random(POSITIONS), _random(POSITIONS)
SHIFT = _random(SLOTS)
POINT = _random(2, SLOTS)  # linear and quadratic weight of the 1 x 1 kernels
ACROSS = _random(2, SLOTS, POSITIONS, POSITIONS)
POOL = _random(POSITIONS, POSITIONS)
POOL[:, -1] = (1 - POOL[:, :-1].sum(1)) % PRIME
BEND = _random(1)[0]

Values = NDArray[np.int64]


def _map(matrix: Values, value: Values) -> Values:
    """A matrix `[..., p, p]` times a value `[..., p]`."""
    return (matrix * value[..., None, :] % PRIME).sum(-1) % PRIME


def operation(name: str, value: Values, slot: NDArray[np.int64] | int) -> Values:
    """An operation on values `[..., p]`, its weights from a slot that broadcasts with `...`."""
    square = value * value % PRIME
    if name == "nor_conv_1x1":
        a, b, c = (weight[slot][..., None] for weight in (*POINT, SHIFT))
        return (a * value % PRIME + b * square % PRIME + c) % PRIME
    if name == "nor_conv_3x3":
        a, b = (_map(weight[slot], v) for weight, v in zip(ACROSS, (value, square), strict=True))
        return (a + b + SHIFT[slot][..., None]) % PRIME
    if name == "avg_pool_3x3":
        return _map(POOL, value)
    if name == OPAQUE_POOL:
        return (_map(POOL, value) + BEND * square) % PRIME
    return value if name == "skip_connect" else np.zeros_like(value)


def evaluate(operations: Sequence[str], slots: NDArray[np.int64], given: Values = INPUT) -> Values:
    """The output of one cell under each of several assignments: `[n, edges]` to `[n, p]`."""
    nodes = [np.broadcast_to(given, (len(slots), POSITIONS))]
    edge = 0
    while edge < len(operations):
        total = np.zeros_like(nodes[0])
        for source in nodes:
            total = (total + operation(operations[edge], source, slots[:, edge])) % PRIME
            edge += 1
        nodes.append(total)
    return nodes[-1]


def fingerprint(operations: Sequence[str], slots: int) -> int:
    """The least output over all ways to give this many slots to the cell's convolutions.

    Of cells with no more convolutions than that, it is equal exactly where they are one
    function.
    """
    convolutions = [e for e, name in enumerate(operations) if name.startswith("nor_conv")]
    ways = np.asarray(list(permutations(range(slots), len(convolutions))), dtype=np.int64)
    assigned = np.zeros((len(ways), len(operations)), dtype=np.int64)
    assigned[:, convolutions] = ways
    return int(_packed(evaluate(operations, assigned)).min())


def all_outputs(
    operations: Sequence[str], nodes: int, slots: Sequence[int], given: Values = INPUT
) -> Values:
    """The outputs of all cells, lexicographic, under one assignment: `[cells, p]`.

    A node's value has one axis for each edge up to it, along which the edge's operation
    varies, so that what cells have in common is computed once.
    """
    count = len(operations)
    values = [given]
    for target in range(1, nodes):
        before, after = target * (target - 1) // 2, target * (target + 1) // 2
        total = np.zeros((count,) * after + (POSITIONS,), dtype=np.int64)
        for source, value in enumerate(values):
            edge, known = before + source, value.ndim - 1
            choices = [operation(name, value, slots[edge]) for name in operations]
            shape = [1] * after
            shape[:known] = [count] * known
            shape[edge] = count
            total += np.stack(choices, axis=known).reshape(*shape, POSITIONS)
        values.append(total % PRIME)
    return values[-1].reshape(-1, POSITIONS)


def fingerprints(operations: Sequence[str], nodes: int) -> NDArray[np.int64]:
    """`fingerprint` of all cells, in lexicographic order of their operations."""
    edges = nodes * (nodes - 1) // 2
    least = np.full(len(operations) ** edges, np.iinfo(np.int64).max)
    for slots in permutations(range(edges)):
        np.minimum(least, _packed(all_outputs(operations, nodes, slots)), out=least)
    return least


def _packed(values: Values) -> NDArray[np.int64]:
    """Two positions in one number."""
    return values[..., 0] << 31 | values[..., 1]
