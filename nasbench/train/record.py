"""What one training left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.table.metrics import direction, primary
from nasbench.task import Target

__all__ = ["CURVES", "Record", "curves_of", "tests_of"]

CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "train_seconds")
"""What is kept of every epoch where classes are told apart: losses in nats, accuracies in percent,
cumulative seconds."""

_OF_NUMBERS = ("train_loss", "valid_loss", "valid_r2", "valid_mae", "train_seconds")
"""Of a number: losses are mean squared errors of the target, standardised by the training split;
mean absolute errors have the target's unit."""


def curves_of(target: Target) -> tuple[str, ...]:
    """What is kept of every epoch of a training that is no loop of one's own.

    Example:
        >>> from nasbench.task import Target
        >>> curves_of(Target("number", ("price",)))[:2]
        ('train_loss', 'valid_loss')
    """
    return _OF_NUMBERS if target.kind == "number" else CURVES


def tests_of(target: Target) -> tuple[str, ...]:
    """What is kept of the test split after the last epoch, likewise."""
    return ("test_r2", "test_mae") if target.kind == "number" else ("test_accuracy",)


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One training of one architecture.

    Attributes:
        architecture: the canonical architecture whose live network was trained.
        seed: of the training.
        curves: by name (`CURVES`), float32 `[epochs]`; NaN from the epoch of divergence on.
            `train_seconds` counts training alone, evaluation apart; it stands still after a
            divergence. On one CPU thread it counts the time of a core, so that it does not
            matter what else the machine does; on more, and on GPUs, time on the clock.
        tests: by name what the last epoch showed of the test split, and what the recipe's own
            evaluation found; NaN where the training diverged.
        evaluation_seconds: what evaluation took beside the training.
        diverged: the epoch, from 1, in which the loss stopped being finite; 0 if none.

    Example:
        >>> curve = {"valid_accuracy": np.asarray([50.0, 60.0], np.float32)}
        >>> Record(7, 0, curve, {"test_accuracy": 58.0}, 0.1).curves["valid_accuracy"].tolist()
        [50.0, 60.0]
    """

    architecture: int
    seed: int
    curves: Mapping[str, NDArray[np.float32]]
    tests: Mapping[str, float]
    evaluation_seconds: float
    diverged: int = 0

    @property
    def merit(self) -> float:
        """The primary metric after the last epoch, the higher the better; see `primary`."""
        metric = primary(self.curves)
        if metric is None:
            return float("nan")
        value = float(self.curves[metric][-1])
        return -value if direction(metric) == "min" else value

    @property
    def test_accuracy(self) -> float:
        """In percent at the last epoch; NaN where there is none."""
        return self.tests.get("test_accuracy", float("nan"))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back, each float exactly; NaN is null."""
        return {
            "architecture": self.architecture,
            "seed": self.seed,
            "curves": {name: _out(curve) for name, curve in self.curves.items()},
            **_tests_out(self.tests),
            "evaluation_seconds": round(self.evaluation_seconds, 6),
            "diverged": self.diverged,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """The record that `to_json` wrote."""
        tests = values.get("tests", {"test_accuracy": values.get("test_accuracy")})
        return cls(
            architecture=int(values["architecture"]),
            seed=int(values["seed"]),
            curves={name: np.asarray(c, dtype=np.float32) for name, c in values["curves"].items()},
            tests={name: float("nan") if v is None else float(v) for name, v in tests.items()},
            evaluation_seconds=float(values["evaluation_seconds"]),
            diverged=int(values["diverged"]),
        )


def _tests_out(tests: Mapping[str, float]) -> dict[str, Any]:
    """As journals have always said it where there is an accuracy alone."""
    written = {name: _out(np.float32(value))[0] for name, value in tests.items()}
    return written if set(written) == {"test_accuracy"} else {"tests": written}


def _out(values: NDArray[np.float32] | np.float32) -> list[float | None]:
    """float32 as the shortest decimals that read back as the same float32."""
    return [float(str(value)) if np.isfinite(value) else None for value in np.atleast_1d(values)]
