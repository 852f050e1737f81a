"""A table of a smaller space as one of a larger that contains it: spaces grow, trainings stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from nasbench.errors import BadValue
from nasbench.space import Architectures, Space
from nasbench.space.rules import Value
from nasbench.table.alignment import stored
from nasbench.table.table import Table
from nasbench.table.write import write_table

__all__ = ["lift_table"]

_MADE_ANEW = frozenset(
    {
        *("name", "space", "sharing", "recipes", "devices", "missing", "datasets"),
        "content_sha256",
    }
)
"""Entries of the manifest that writing takes apart from the rest, or makes."""


def lift_table(
    table: Table, space: Space, out: Path, *, defaults: Mapping[str, Value] | None = None
) -> Table:
    """Write a table anew with its architectures as those of a larger space, by names.

    Values, recipes and devices stay as they are; the manifest's `lifted_from` says of which
    table they are.

    Args:
        table: of a smaller space.
        space: the larger one, see `Space.lift`.
        out: the file.
        defaults: the choice of a decision that the smaller space does not have.

    Raises:
        UnknownName: where a decision or a choice of the smaller space is not in the larger.
        BadValue: where a decision is left without a choice, or two rows become one network.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import ChoiceSpace
        >>> from nasbench.table import write_table
        >>> small, large = (ChoiceSpace(f"to-{n}", {"depth": range(n)}) for n in (2, 3))
        >>> what = {"name": "t", "sharing": "none", "recipes": {}, "datasets": {}}
        >>> with TemporaryDirectory() as folder:
        ...     table = write_table(Path(folder) / "t.h5", space=small, rows=[1], **what)
        ...     lift_table(table, large, Path(folder) / "large.h5").space.name
        'to-3'
    """
    shared = table.manifest["sharing"] == "canonical"

    def lifted(architectures: ArrayLike) -> Architectures:
        found = space.lift(table.space, architectures, defaults)
        return np.asarray(space.canonical(found), dtype=found.dtype) if shared else found

    rows = lifted(table.rows)
    if len(np.unique(rows)) < len(rows):
        raise BadValue(
            f"two rows of {table.name} are one network in {space.name}: their values cannot both "
            f"be kept"
        )
    manifest = table.manifest
    missing = [
        {**entry, "architectures": lifted(entry["architectures"]).tolist()}
        if entry["architectures"]
        else entry
        for entry in manifest["missing"]
    ]
    devices = {
        name: {key: value for key, value in entry.items() if key != "kinds"}
        for name, entry in manifest["devices"].items()
    }
    origin = {"name": table.name, "space": table.space.name, "sha256": table.sha256}
    about = {key: value for key, value in manifest.items() if key not in _MADE_ANEW}
    return write_table(
        out,
        name=table.name,
        space=space,
        rows=rows,
        sharing=manifest["sharing"],
        recipes=manifest["recipes"],
        datasets={name: table.dataset(name) for name in stored(table)},
        devices=devices,
        missing=missing,
        about={**about, "lifted_from": origin},
    )
