"""From a source's arrays to data sets: checked, cumulative, and why values are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.importers.quantities import check_values, seed_gaps, when_taken
from nasbench.importers.seconds import settle_seconds
from nasbench.table.endings import ran_of

__all__ = ["Settled", "settle"]


@dataclass(frozen=True, slots=True)
class Settled:
    """A data set's numbers.

    Attributes:
        values: `[rows]` or `[rows, seeds, epochs]`.
        about: what the manifest says of them: of a recipe's, after how many `epochs`.
        gaps: why trainings lack values, as a manifest has it.
    """

    values: NDArray[np.floating]
    about: Mapping[str, Any]
    gaps: Sequence[Mapping[str, Any]]


def settle(
    arrays: Mapping[str, NDArray[np.floating]],
    epochs: Mapping[str, Sequence[int]],
    architectures: NDArray[np.integer],
    seconds: str | None,
) -> dict[str, Settled]:
    """The data sets that a source's arrays are.

    Args:
        arrays: by the data set's name.
        epochs: for each recipe after how many epochs its values were taken, ascending.
        architectures: of the rows.
        seconds: what seconds mean, see `settle_seconds`.

    Raises:
        NasbenchError: naming the data set and the architecture whose value cannot be.
    """
    recipes: dict[str, list[str]] = {}
    for name in arrays:
        if name.startswith("recipe/"):
            recipes.setdefault(name.split("/")[1], []).append(name)
    for recipe, names in recipes.items():
        for name in names:
            if name.endswith("_seconds"):
                others = (arrays[other] for other in names if other != name)
                settle_seconds(name, arrays[name], epochs[recipe], others, architectures, seconds)
    settled = {}
    for name, values in arrays.items():
        check_values(name, values, architectures)
        settled[name] = Settled(values, {}, ())
    for recipe, names in recipes.items():
        ran = ran_of(arrays[name] for name in names)
        for name in names:
            values, taken, gaps = arrays[name], list(epochs[recipe]), []
            if values.ndim == 3:
                values, taken = when_taken(values, taken)
                gaps = seed_gaps(name, values, architectures, ran)
            else:
                taken = taken[-1:]
            settled[name] = Settled(values, {"epochs": taken}, gaps)
    return settled
