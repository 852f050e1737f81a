"""Cells in the manner of NAS-Bench-201: a dense graph of nodes with an operation on each edge.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020. Node 0 is the input, node j sums its incoming edges, the last node is the output.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, Unsupported, unknown
from nasbench.space.base import Architectures, Encoding, Growth, Space
from nasbench.space.cell_features import cell_encodings, cell_operation_counts, path_encoding
from nasbench.space.cell_graph import SHIFT, CellGraph, Edge, pruned
from nasbench.space.normal import NormalForm, Normalizer

__all__ = ["NB201_OPERATIONS", "OPERATIONS", "SHIFT", "CellGraph", "CellSpace", "Edge"]

NB201_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations of NAS-Bench-201, in the release's order."""

OPERATIONS = frozenset(NB201_OPERATIONS)
"""What an edge can hold."""

MOST_NODES = 20
QUICK_NODES = 5
"""Classes of cells with more take minutes to be found, where most edges are convolutions."""
ENUMERABLE = 1_000_000
"""Spaces beyond this size are not enumerated to find their classes."""


class CellSpace(Space):
    """All cells with `nodes` nodes and `operations` on their edges.

    A decision is the operation of an edge; edges are ordered by target, then source, as in
    the string `|op~0|+|op~0|op~1|+...`.

    Args:
        name: the space's name.
        nodes: nodes of the cell, its input and its output among them; 2 or more.
        operations: the operations an edge chooses from, distinct, out of `OPERATIONS`.
        order: see `Space`.

    Example:
        >>> space = CellSpace("small", 3, ("none", "skip_connect", "nor_conv_3x3"))
        >>> space.size, space.string(5)
        (27, '|none~0|+|skip_connect~0|nor_conv_3x3~1|')
    """

    def __init__(
        self,
        name: str,
        nodes: int,
        operations: Sequence[str] = NB201_OPERATIONS,
        order: ArrayLike | Callable[[], ArrayLike] | None = None,
    ) -> None:
        if type(nodes) is not int:
            raise TypeError(f"nodes are counted, got {nodes!r}")
        if nodes < 2:
            raise NasbenchError(f"a cell needs 2 nodes or more, got {nodes}")
        if nodes > MOST_NODES:
            raise NasbenchError(f"a cell has {MOST_NODES} nodes at most, got {nodes}")
        for operation in operations:
            if not isinstance(operation, str) or operation not in OPERATIONS:
                raise unknown("operation", str(operation)[:100], OPERATIONS)
        if len(set(operations)) != len(operations):
            raise NasbenchError(f"an operation is named twice in {reprlib.repr(list(operations))}")
        self.nodes = nodes
        self.operations = tuple(operations)
        self.pairs = tuple((s, t) for t in range(1, nodes) for s in range(t))
        super().__init__(name, (len(operations),) * len(self.pairs), order)

    def describe(self) -> Mapping[str, Any]:
        return self._described(CellSpace, nodes=self.nodes, operations=list(self.operations))

    @cached_property
    def decisions(self) -> Mapping[str, tuple[str, ...]]:
        return {f"{source}>{target}": self.operations for source, target in self.pairs}

    # Strings.

    def string(self, architecture: int) -> str:
        edges = iter(self.graph(architecture).edges)
        groups = (
            "".join(f"|{next(edges).operation}~{source}" for source in range(target)) + "|"
            for target in range(1, self.nodes)
        )
        return "+".join(groups)

    def spelling(self) -> Mapping[str, Any]:
        if type(self).string is not CellSpace.string:
            return {}
        none = self.operations.index("none") if "none" in self.operations else -1
        return {"cell": {"nodes": self.nodes, "none": none}}

    def index(self, string: str) -> int:
        """The architecture that an official cell string writes.

        Raises:
            NasbenchError: with the character at which the string stops being a cell.
        """
        ops: list[int] = []
        at = 0

        def expect(text: str) -> None:
            nonlocal at
            for wanted in text:
                if not string.startswith(wanted, at):
                    found = repr(string[at]) if at < len(string) else "the end"
                    raise self._malformed(string, at, f"expected {wanted!r}, found {found}")
                at += 1

        for target in range(1, self.nodes):
            if target > 1:
                expect("+")
            expect("|")
            for source in range(target):
                match = re.compile(r"[^~|+]*").match(string, at)
                operation = match.group() if match else ""
                if operation not in self.operations:
                    hint = unknown("operation", operation[:60], self.operations)
                    raise self._malformed(string, at, str(hint))
                ops.append(self.operations.index(operation))
                at += len(operation)
                expect(f"~{source}|")
        if at != len(string):
            raise self._malformed(string, at, f"expected the end, found {string[at]!r}")
        return int(self.index_of(ops))

    def _malformed(self, string: str, at: int, why: str) -> NasbenchError:
        shown = string if len(string) <= 120 else string[:117] + "..."
        return NasbenchError(f"not a cell of {self.name}: {why} at character {at} of {shown!r}")

    # Graphs.

    def graph(self, architecture: int) -> CellGraph:
        """Every edge of the cell, `none` included."""
        ops = self.ops(architecture)
        edges = (
            Edge(source, target, self.operations[int(op)])
            for (source, target), op in zip(self.pairs, ops, strict=True)
        )
        return CellGraph(self.nodes, tuple(edges))

    def live_graph(self, architecture: int) -> CellGraph:
        """The network that stands for the architecture's class, without what cannot matter.

        It is the graph of `canonical(architecture)` (of the architecture itself in a space too
        large to find the classes of) without edges that carry only zeros or
        from which no path leads to the output; a convolution of zeros is the edge `SHIFT`.
        """
        if self.size <= ENUMERABLE:
            architecture = self.canonical(int(architecture))
        return pruned(self.graph(architecture))

    def drawn_graph(self, architecture: int) -> CellGraph:
        """The graph without what cannot matter, see `live_graph`."""
        return self.live_graph(architecture)

    def growth(self) -> Growth:
        """Inner nodes one by one, each with all edges to those there are; the first edge alone.

        Edges of nodes not yet there hold `none`, so that a small cell is one of fewer nodes, or
        the first operation where the space has no `none`.
        """
        output = self.nodes - 1
        edge = {pair: place for place, pair in enumerate(self.pairs)}
        inner = [
            [edge[source, node] for source in range(node)] + [edge[node, output]]
            for node in range(1, output)
        ]
        base = self.operations.index("none") if "none" in self.operations else 0
        return Growth([base] * len(self.pairs), [[edge[0, output]], *inner])

    # Classes of equal networks.

    @cached_property
    def classes(self) -> Architectures:
        """For each architecture the cheapest of its class (fewest live edges, then the first).

        Two cells are in one class exactly where the key of their `normal_form` is equal.
        """
        if self.size > ENUMERABLE:
            raise Unsupported(
                f"{self.name} has {self.size:,} architectures, too many to find the classes of "
                f"all ({ENUMERABLE:,} at most); normal_form(architecture) compares two"
            )
        group, live = _grouped(self.nodes, self.operations)
        architectures = self._numbered(np.arange(self.size))
        cheapest = np.lexsort((architectures, live, group))
        _, first = np.unique(group[cheapest], return_index=True)
        found = np.empty(self.size, dtype=np.int64)
        found[architectures] = architectures[cheapest[first]][group]
        return found

    @overload
    def canonical(self, architectures: int) -> int: ...
    @overload
    def canonical(self, architectures: ArrayLike) -> Architectures: ...
    def canonical(self, architectures: int | ArrayLike) -> int | Architectures:
        """The architecture that stands for the class of each (see `classes`).

        In a space too large to find the classes of, what is dead counts for nothing: each edge
        that feeds nothing, or carries only zeros, is `none`. Cells that are equal for another
        reason stay apart there.
        """
        if self.size <= ENUMERABLE:
            return super().canonical(architectures)
        checked = self.check(architectures)
        found = [self._without_dead(one) for one in checked.ravel().tolist()]
        if checked.ndim == 0:
            return found[0]
        return np.asarray(found, dtype=checked.dtype).reshape(checked.shape)

    def _without_dead(self, architecture: int) -> int:
        if "none" not in self.operations:  # each edge carries something to the output
            return architecture
        live = {(edge.source, edge.target) for edge in pruned(self.graph(architecture)).edges}
        dead = [pair not in live for pair in self.pairs]
        none = self.operations.index("none")
        return int(self.index_of(np.where(dead, none, self.ops(architecture))))

    @property
    def lists_classes(self) -> bool:
        return self.size <= ENUMERABLE

    @property
    def quick_classes(self) -> bool:
        return super().quick_classes and (self.nodes <= QUICK_NODES or not self.lists_classes)

    @property
    def _all_distinct(self) -> bool:
        return False

    def normal_form(self, architecture: int) -> NormalForm:
        """What tells whether two cells are one function; its edges are places in `pairs`."""
        return self._normalizer.form([self.operations[int(op)] for op in self.ops(architecture)])

    @cached_property
    def _normalizer(self) -> Normalizer:
        return Normalizer(self.nodes)

    @cached_property
    def release_classes(self) -> Architectures:
        """The classes of the NAS-Bench-201 release, int64 `[size]`: for comparison only.

        The release compares unfolded strings. That rule forgets which weights are shared, so
        that some of its classes mix different functions, and it keeps equal ones apart.
        """
        names = [f"@{operation}" for operation in self.operations]
        first: dict[str, int] = {}
        labels = np.empty(self.size, dtype=np.int64)
        for architecture, ops in enumerate(self.ops(np.arange(self.size)).tolist()):
            operations = iter(ops)
            unfolded = ["0"]
            for target in range(1, self.nodes):
                terms = []
                for source in range(target):
                    op = next(operations)
                    if self.operations[op] == "none" or unfolded[source] == "#":
                        terms.append("#")
                    elif self.operations[op] == "skip_connect":
                        terms.append(unfolded[source])
                    else:
                        terms.append(f"({unfolded[source]}){names[op]}")
                unfolded.append("+".join(sorted(terms)))
            labels[architecture] = first.setdefault(unfolded[-1], architecture)
        return labels

    # Encodings (White, Neiswanger, Nolen, Savani, "A Study on Encodings for Neural
    # Architecture Search", NeurIPS 2020); the one-hot adjacency encoding is `one_hot`.

    def adjacency(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Categorical adjacency matrices, uint8 `[..., nodes, nodes]`.

        Entry (source, target) is 1 + the position of the edge's operation in `operations`;
        0 where no edge can be.
        """
        ops = self.ops(architectures)
        matrices = np.zeros((*ops.shape[:-1], self.nodes, self.nodes), dtype=np.uint8)
        for edge, (source, target) in enumerate(self.pairs):
            matrices[..., source, target] = ops[..., edge] + 1
        return matrices

    def encodings(self) -> Mapping[str, Encoding]:
        """As of any space; `adjacency`: the number of each edge's operation; `operations`: how
        many edges have each; `path`: see `path_encoding`; `graph`: see `graph_encoding`.

        Of cells of many nodes or operations the last two are left out: they would grow as a power.
        """
        return {**super().encodings(), **cell_encodings(self)}

    def operation_counts(self, architectures: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """By graph, how often each operation runs, see `Space.operation_counts`.

        `written` has every edge that is written, `reaching` those from which the output is
        reached, be they fed by zeros alone, `live` those that carry something from the input to
        the output.
        """
        return cell_operation_counts(self, np.atleast_1d(self.check(architectures)))

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """Every sequence of operations, `none` left out, that a path can hold."""
        operations = [operation for operation in self.operations if operation != "none"]
        lengths = range(1, self.nodes)
        return tuple(path for n in lengths for path in product(operations, repeat=n))

    def path_encoding(self, architectures: ArrayLike) -> NDArray[np.float32]:
        """Which of `paths` lead from the cell's input to its output: float32 `[..., paths]`."""
        return path_encoding(self, architectures)


@lru_cache(maxsize=8)
def _grouped(nodes: int, operations: tuple[str, ...]) -> tuple[Architectures, Architectures]:
    """The class of each cell, as a number, and its live edges: int32 `[size]`, lexicographic.

    Found once a process, since each table brings an equal space of its own.
    """
    pairs = nodes * (nodes - 1) // 2
    group, live = np.empty((2, len(operations) ** pairs), dtype=np.int32)
    numbers: dict[object, int] = {}
    normalizer = Normalizer(nodes)
    # Cells that share a prefix follow each other: the normalizer keeps what it found of it.
    for place, cell in enumerate(product(operations, repeat=pairs)):
        form = normalizer.form(cell)
        group[place] = numbers.setdefault(form.key, len(numbers))
        live[place] = form.live_edges
    return group, live
