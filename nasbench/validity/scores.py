"""The zero-cost scores that a table holds, the higher the better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.table import Table

__all__ = ["about_score", "first_by", "scores_of"]

Floats = NDArray[np.float64]


def scores_of(table: Table, names: Sequence[str] = ()) -> dict[str, Floats]:
    """The scores of a table's rows by name, the higher the better; all where none is named.

    Example:
        >>> from nasbench.table import load
        >>> scores_of(load("nb201-fashion16-proxies"), ["nwot"])["nwot"].shape
        (5234,)
    """
    known = [n.removeprefix("proxy/") for n in table.manifest["datasets"] if n[:6] == "proxy/"]
    if not known:
        raise NasbenchError(
            f"{table.name} holds no scores: nasbench proxies score writes a table that does"
        )
    for name in names:
        if name not in known:
            raise unknown(f"proxy of {table.name}", name, known)
    signs = {
        name: -1.0 if about_score(table, name).get("better") == "low" else 1.0 for name in known
    }
    return {
        name: signs[name] * table.column(f"proxy/{name}") for name in dict.fromkeys(names or known)
    }


def first_by(table: Table, name: str, k: int) -> list[int]:
    """The k distinct architectures that a score puts first, fewer where fewer have it.

    Of equal scores the lower number comes first, and so it stands for its class.

    Example:
        >>> from nasbench.table import load
        >>> len(first_by(load("nb201-fashion16-proxies"), "nwot", 5))
        5
    """
    (scores,) = scores_of(table, [name]).values()
    order = np.lexsort((table.rows, -scores))
    ranked = table.rows[order[np.isfinite(scores[order])]]
    _, first = np.unique(table.space.classes[ranked], return_index=True)
    found: list[int] = ranked[np.sort(first)[:k]].tolist()
    return found


def about_score(table: Table, name: str) -> Mapping[str, Any]:
    """What the manifest says of a score."""
    about: Mapping[str, Any] = table.manifest["datasets"][f"proxy/{name}"]
    return about
