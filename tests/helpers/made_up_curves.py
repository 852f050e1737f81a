"""Curves that were made up, as the data sets of a table."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nasbench.table import Dataset

__all__ = ["curves_of"]


def curves_of(recipe: str, **curves: NDArray[Any]) -> dict[str, Dataset]:
    """A recipe's metrics, `[rows, seeds, epochs]` each: the shorter ones are of its last epochs."""
    epochs = max(curve.shape[2] for curve in curves.values())
    return {
        f"recipe/{recipe}/{metric}": Dataset(
            curve,
            {"kind": "trained", "epochs": list(range(epochs - curve.shape[2] + 1, epochs + 1))},
        )
        for metric, curve in curves.items()
    }
