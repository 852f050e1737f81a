"""What cost predictors know of architectures before any of them is measured on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.space import Architectures, Space
from nasbench.surrogate.operation_counts import operation_counts

__all__ = ["CostFeatures"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class CostFeatures:
    """What is known of architectures before any of them is measured on a device.

    Attributes:
        architectures: ascending, `[n]`.
        counts: by graph, how often each operation runs, `[n, operations]`.
        sources: by name, what other devices say, above 0, `[n]`; NaN is missing.
        decisions: the choices, one-hot, `[n, choices]`.
        unused: sources that cannot be used, and why.

    Example:
        >>> counts = {"written": np.asarray([[1.0, 2.0], [1.0, 3.0]])}
        >>> decisions = np.zeros((2, 1), np.float32)
        >>> CostFeatures(np.asarray([0, 1]), counts, {}, decisions, {}).architectures.tolist()
        [0, 1]
    """

    architectures: Architectures
    counts: Mapping[str, Floats]
    sources: Mapping[str, Floats]
    decisions: NDArray[np.float32]
    unused: Mapping[str, str]

    @classmethod
    def make(
        cls,
        space: Space,
        architectures: ArrayLike,
        *,
        sources: Mapping[str, ArrayLike] | None = None,
        counts: Mapping[str, Floats] | None = None,
    ) -> CostFeatures:
        """What the space knows of architectures, and what other devices measured of them.

        Args:
            space: of the architectures.
            architectures: distinct, `[n]`.
            sources: by name, costs of the same architectures in the same order, `[n]`; NaN
                where it is missing. One with values of 0 or less is not used.
            counts: by name, further counts of operations, `[n, operations]`, beside those of
                `operation_counts`.

        Raises:
            BadValue: where a source has not one value for each architecture.
        """
        asked = np.atleast_1d(space.check(architectures))
        order = np.argsort(asked, kind="stable")
        used, unused = {}, {}
        for name, given in (sources or {}).items():
            column = np.asarray(given, dtype=np.float64)
            if column.shape != asked.shape:
                raise BadValue(
                    f"source {name} has one cost for each of {len(asked)} architectures, got an "
                    f"array of shape {column.shape}"
                )
            finite = np.isfinite(column)
            if not finite.any() or (column[finite] <= 0).any():
                unused[name] = "it has costs of 0 or less" if finite.any() else "it has no value"
            else:
                used[name] = column[order]
        counted = {**operation_counts(space, asked), **(counts or {})}
        return cls(
            asked[order],
            {graph: values[order] for graph, values in counted.items()},
            used,
            space.one_hot(asked)[order],
            unused,
        )

    def places(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Where architectures are among `architectures`, `[m]`; raises BadValue."""
        asked = np.atleast_1d(np.asarray(architectures, dtype=self.architectures.dtype))
        place = np.searchsorted(self.architectures, asked).clip(max=len(self.architectures) - 1)
        known = self.architectures[place] == asked
        if not known.all():
            raise BadValue(
                f"architecture {asked[~known][0]} was measured and is none of those to predict"
            )
        return place.astype(np.int64)
