"""From a smaller space to a larger one: the same architectures, by the names of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue, UnknownName, unknown
from nasbench.space.rules import Value, text_of

if TYPE_CHECKING:
    from nasbench.space.base import Space

__all__ = ["lifted"]


def lifted(
    larger: Space, smaller: Space, given: NDArray[Any], defaults: Mapping[str, Value]
) -> NDArray[Any]:
    """Decisions of the smaller space as those of the larger; see `Space.lift`."""
    found = np.zeros((*given.shape[:-1], len(larger.choices)), dtype=larger.ops_dtype)
    column = {name: place for place, name in enumerate(larger.decisions)}
    for place, (name, choices) in enumerate(smaller.decisions.items()):
        if name not in column:
            raise _unlike(larger, smaller, unknown("decision", name, column))
        known = larger.decisions[name]
        for choice in choices:
            if choice not in known:
                raise _unlike(larger, smaller, unknown(f"choice of {name}", choice, known))
        found[..., column[name]] = np.asarray([known.index(one) for one in choices])[
            given[..., place]
        ]
    for name in defaults:
        if name not in column:
            raise unknown(f"decision of {larger.name}", name, column)
    missing = [name for name in larger.decisions if name not in smaller.decisions]
    for name in missing:
        if name in defaults:
            text, known = text_of(f"the default of {name}", defaults[name]), larger.decisions[name]
            if text not in known:
                raise unknown(f"choice of {name}", text, known)
            found[..., column[name]] = known.index(text)
    counts = larger.active(found)
    for name in missing:
        if name in defaults or len(larger.decisions[name]) == 1:
            continue
        if counts[..., column[name]].any():
            raise BadValue(
                f"{smaller.name} does not have decision {name} of {larger.name}: name the "
                f"choice that it stands for in defaults, of a search by --begin-with "
                f"{name}=CHOICE, of a merge by --lift-with {name}=CHOICE"
            )
    return found


def _unlike(larger: Space, smaller: Space, why: UnknownName) -> UnknownName:
    return UnknownName(f"{smaller.name} is no part of {larger.name}: {why}")
