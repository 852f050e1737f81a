"""What one training left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CURVES", "Record"]

CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "train_seconds")
"""What is kept of every epoch: losses in nats, accuracies in percent, cumulative seconds."""


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One training of one architecture.

    Attributes:
        architecture: the canonical architecture whose live network was trained.
        seed: of the training.
        curves: by name (`CURVES`), float32 `[epochs]`; NaN from the epoch of divergence on.
            `train_seconds` counts training alone, evaluation apart; it stands still after a
            divergence. The native engine counts the time of its thread on a core, so that it
            does not matter what else the machine does; the others count time on the clock.
        test_accuracy: in percent at the last epoch; NaN where the training diverged.
        evaluation_seconds: what evaluation took beside the training.
        diverged: the epoch, from 1, in which the loss stopped being finite; 0 if none.
    """

    architecture: int
    seed: int
    curves: Mapping[str, NDArray[np.float32]]
    test_accuracy: float
    evaluation_seconds: float
    diverged: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back, each float exactly; NaN is null."""
        return {
            "architecture": self.architecture,
            "seed": self.seed,
            "curves": {name: _out(curve) for name, curve in self.curves.items()},
            "test_accuracy": _out(np.float32(self.test_accuracy))[0],
            "evaluation_seconds": round(self.evaluation_seconds, 6),
            "diverged": self.diverged,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """The record that `to_json` wrote."""
        test = values["test_accuracy"]
        return cls(
            architecture=int(values["architecture"]),
            seed=int(values["seed"]),
            curves={name: np.asarray(c, dtype=np.float32) for name, c in values["curves"].items()},
            test_accuracy=float("nan") if test is None else float(test),
            evaluation_seconds=float(values["evaluation_seconds"]),
            diverged=int(values["diverged"]),
        )


def _out(values: NDArray[np.float32] | np.float32) -> list[float | None]:
    """float32 as the shortest decimals that read back as the same float32."""
    return [float(str(value)) if np.isfinite(value) else None for value in np.atleast_1d(values)]
