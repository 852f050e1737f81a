"""What models see of architectures: their structure, and what a table knows before training."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError, UnknownName, unknown
from nasbench.space import Architectures, Space
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


def stand_ins(space: Space, architectures: ArrayLike) -> Architectures:
    """Architectures of one class are the same network, and must look the same.

    Where it takes a list of the whole space to know classes, those of large ones stay apart.
    """
    given = space.check(architectures)
    if not space.quick_classes:
        return given
    return np.asarray(space.canonical(given), dtype=given.dtype)


def structure(space: Space, architectures: ArrayLike, name: str) -> Floats:
    """One of the space's encodings: float32 `[n, features]`; see `Space.encodings`."""
    known = space.encodings()
    if name not in known:
        raise UnknownName(f"{space.name} has no feature {name}; it has {', '.join(known)}")
    return known[name](stand_ins(space, np.atleast_1d(architectures)))


def structure_blocks(
    space: Space, architectures: ArrayLike, names: Sequence[str] = ("one_hot", "path", "operations")
) -> list[Floats]:
    """Those of these that the space has: each float32 `[n, features]`."""
    known = space.encodings()
    return [structure(space, architectures, name) for name in names if name in known]


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
    return tuple(name for name in ("one_hot", "graph") if name in space.encodings())


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
            if name in STRUCTURE or name in space.encodings():
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
        others = [name for name in names if name not in space.encodings()]
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
