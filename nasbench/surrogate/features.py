"""What models see of architectures: their structure, and what a table knows before training."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.space import Architectures, CellSpace, Space
from nasbench.surrogate.columns import TABLE_FEATURES, table_columns
from nasbench.surrogate.document import ascending, need
from nasbench.table import Table

__all__ = [
    "LISTABLE",
    "STRUCTURE",
    "Features",
    "published",
    "stand_ins",
    "structure",
    "structure_blocks",
    "usual_features",
]

Floats = NDArray[np.float32]

STRUCTURE = ("one_hot", "adjacency", "operations", "path", "graph")
"""Features that need no table, by name; all but `one_hot` are of cells."""

LISTABLE = 50_000
"""Spaces beyond this size are not listed here, neither for classes nor for predictions."""

MOST_NODES = 5
"""Classes of cells with more are not looked for: those of many convolutions take minutes."""

MOST_PATHS = 2_000
"""Cells that more paths can run through are seen without: their number grows as a power."""

MOST_SETS = 4_096
"""Cells of more sets of operations are seen without `graph`: it looks at each."""


def stand_ins(space: Space, architectures: ArrayLike) -> Architectures:
    """Architectures of one class are the same network, and must look the same.

    Where it takes a list of the whole space to know classes, those of large ones stay apart.
    """
    given = space.check(architectures)
    deep = isinstance(space, CellSpace) and space.nodes > MOST_NODES
    too_large = space.lists_classes and (space.size > LISTABLE or deep)
    return given if too_large else np.asarray(space.canonical(given), dtype=given.dtype)


def structure(space: Space, architectures: ArrayLike, name: str) -> Floats:
    """One of `STRUCTURE`: float32 `[n, features]`.

    `one_hot`: the decisions. `adjacency`: the categorical adjacency matrix, the number of each
    edge's operation (White et al., "A Study on Encodings for Neural Architecture Search",
    NeurIPS 2020). `operations`: how many edges have each. `path`: which sequences of operations
    lead from input to output (the same paper). `graph`: see `_graph`.
    """
    seen = stand_ins(space, np.atleast_1d(architectures))
    if name == "one_hot":
        return space.one_hot(seen)
    if not isinstance(space, CellSpace) or name not in _usable(space):
        raise NasbenchError(
            f"{space.name} has no feature {name}; it has {', '.join(_usable(space))}"
        )
    if name == "adjacency":
        return space.ops(seen).astype(np.float32)
    if name == "operations":
        return np.asarray(_edges(space, seen).sum(1))
    if name == "path":
        return space.path_encoding(seen)
    return _graph(space, seen)


def structure_blocks(
    space: Space, architectures: ArrayLike, names: Sequence[str] = ("one_hot", "path", "operations")
) -> list[Floats]:
    """Those of these that the space has: each float32 `[n, features]`."""
    usable = _usable(space)
    return [structure(space, architectures, name) for name in names if name in usable]


def published(name: str) -> str:
    """A feature as files and pages name it: another table by its file, not by where it lies.

    Example:
        >>> published("table:/home/somebody/t.h5@200ep"), published("one_hot")
        ('table:t.h5@200ep', 'one_hot')
    """
    kind, found, path = name.partition(":")
    return f"table:{PurePath(path).name}" if found and kind == "table" else name


def usual_features(space: Space) -> tuple[str, ...]:
    """What a surrogate sees by default: decisions and, of small cells, the graph."""
    return tuple(name for name in ("one_hot", "graph") if name in _usable(space))


def _usable(space: Space) -> tuple[str, ...]:
    if not isinstance(space, CellSpace):
        return STRUCTURE[:1]
    alive = len(set(space.operations) - {"none"})
    if sum(alive**length for length in range(1, space.nodes)) > MOST_PATHS:
        return STRUCTURE[:3]
    return STRUCTURE if 2**alive <= MOST_SETS else STRUCTURE[:4]


def _edges(space: CellSpace, architectures: Architectures) -> Floats:
    """One-hot operations of each edge: float32 `[n, edges, operations]`."""
    return space.one_hot(architectures).reshape(
        len(architectures), len(space.pairs), len(space.operations)
    )


def _graph(space: CellSpace, architectures: Architectures) -> Floats:
    """Features of the graph in the manner of GRAF: float32 `[n, features]`.

    Kadlecova et al., "Surprisingly Strong Performance Prediction with Neural Graph Features",
    ICML 2024. For each set of operations, `none` apart, the cell is looked at with the edges of
    these alone: how many routes lead from input to output, the edges of the shortest and of the
    longest (nodes, and 0, where there is none), and each node's edges in and out. Then, for
    each operation, its edges on all live routes together and the most on one. The paper has no
    number of routes and no longest route, and counts the most on a path per set, not per
    operation.
    """
    distinct, places = np.unique(architectures, return_inverse=True)
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


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """Which features a model sees, with what a table knows of them.

    Attributes:
        space: of the architectures.
        names: as they were asked for, see `make`.
        known: the architectures that a table knows something of, each standing for its class,
            `[m]`, ascending.
        values: what it knows, float32 `[m, columns]`; NaN is missing.

    Example:
        >>> from nasbench.table import load
        >>> features = Features.make(load("nb201-fashion16"), ("one_hot",))
        >>> features.of([435]).shape
        (1, 30)
    """

    space: Space
    names: tuple[str, ...]
    known: Architectures
    values: Floats

    @classmethod
    def make(
        cls,
        table: Table,
        names: Sequence[str] | None = None,
        predicted: str | None = None,
        metric: str | None = None,
    ) -> Features:
        """The features of these names, with the table's columns among them.

        Args:
            table: gives the space, and columns.
            names: of `STRUCTURE`, and of what a table knows: see `nasbench.surrogate.columns`;
                the space's usual ones where left out.
            predicted: the recipe of the table whose end is predicted, and so no feature.
            metric: that is predicted, and so no feature where it is a cost.
        """
        space = table.space
        chosen = usual_features(space) if names is None else tuple(dict.fromkeys(names))
        if not chosen:
            raise NasbenchError("a model sees at least one feature: name some")
        columns = []
        for name in chosen:
            if name in STRUCTURE:
                structure(space, table.rows[:1], name)  # what the space lacks is refused now
                continue
            if name.split(":")[0] not in TABLE_FEATURES:
                raise unknown("feature", name, [*STRUCTURE, *TABLE_FEATURES])
            columns += table_columns(table, name, predicted, metric)
        if not columns:
            return cls(space, chosen, space.check([]), np.empty((0, 0), np.float32))
        rows = np.unique(np.concatenate([rows for rows, _ in columns]))
        known, place = np.unique(stand_ins(space, rows), return_inverse=True)
        values = np.empty((len(known), len(columns)))
        for number, (of, column) in enumerate(columns):
            at = place[np.searchsorted(rows, of)]
            finite = np.isfinite(column)
            total = np.bincount(at[finite], column[finite], minlength=len(known))
            n = np.bincount(at[finite], minlength=len(known))
            # Members of a class are one network, measured as often as it has members.
            values[:, number] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
        largest = np.finfo(np.float32).max
        return cls(space, chosen, known, values.clip(-largest, largest).astype(np.float32))

    def of(self, architectures: ArrayLike) -> Floats:
        """What a model sees of architectures: float32 `[n, features]`; NaN is missing."""
        seen = stand_ins(self.space, np.atleast_1d(architectures))
        blocks = structure_blocks(self.space, seen, self.names)
        if self.values.size:
            place = np.minimum(np.searchsorted(self.known, seen), len(self.known) - 1)
            found = self.known[place] == seen
            blocks.append(np.where(found[:, None], self.values[place], np.float32(np.nan)))
        return np.concatenate(blocks, axis=1)

    def describe(self) -> dict[str, Any]:
        """Everything but the space; plain JSON values."""
        return {
            "names": list(map(published, self.names)),
            "known": self.known.tolist(),
            "columns": self.values.shape[1],
            "values": base64.b64encode(self.values.astype("<f4").tobytes()).decode(),
        }

    @classmethod
    def from_description(cls, space: Space, said: Mapping[str, Any]) -> Features:
        """What `describe` says, for the same space.

        Raises:
            ValueError: where it is not what `describe` says.
        """
        names: Any = said.get("names")
        columns: Any = said.get("columns")
        sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
        need(sound and 0 < len(names) == len(set(names)), "names of features")
        others = [name for name in names if name not in _usable(space)]
        need(all(n.split(":")[0] in TABLE_FEATURES and n.isprintable() for n in others), "features")
        rows = ascending(said.get("known"), space, "rows of features")
        need(type(columns) is int and columns >= 0, "columns of features")
        need(bool(others) == bool(columns) == bool(len(rows)), "columns of features")
        try:
            stored = np.frombuffer(base64.b64decode(said["values"], validate=True), "<f4")
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError("it has no sound values of features") from error
        values = stored.astype(np.float32)
        need(len(values) == len(rows) * columns, "number of values of features")
        need(not np.isinf(values).any(), "values of features")
        return cls(space, tuple(names), rows, values.reshape(len(rows), columns))
