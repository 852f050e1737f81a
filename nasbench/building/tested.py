"""What an exported file is worth on a test split, and what a runtime makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted, rounded
from nasbench.stats import wilson_interval
from nasbench.task import Split

__all__ = ["Tested", "Verified", "verified", "worth_of"]

Answers = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tested:
    """What a file is worth on the whole test split.

    Attributes:
        metric: `accuracy`, the percentage of examples whose largest logit is that of their
            label, or of numbers `mae`, the mean absolute error in the unit of the target.
        value: of the metric.
        low: end of its 95 % interval (Wilson, 1927; of an error by the normal approximation).
        high: the other end.
        n: examples.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int

    def describe(self) -> dict[str, float | None]:
        """Plain JSON values; None where an interval has no end."""
        low, high = _known(self.low), _known(self.high)
        return {self.metric: self.value, "low": low, "high": high, "n": self.n}

    @property
    def unit(self) -> str:
        """What stands behind a value."""
        return " %" if self.metric == "accuracy" else f" {self.metric}"

    def __str__(self) -> str:
        return f"{rounded(self.value)}{self.unit} [{rounded(self.low)}, {rounded(self.high)}]"


@dataclass(frozen=True, slots=True)
class Verified:
    """A file in one runtime, beside the same network in float32 in ONNX Runtime.

    Attributes:
        runtime: that ran the file.
        test: what it is worth there.
        changed: how many answers are not those of float32: another class, or of numbers, one
            that differs by more than a thousandth of their deviation.
        lost: by how much the metric is worse than in float32: percentage points, or the unit.
        lost_low: end of its 95 % interval, of pairs by the normal approximation.
        lost_high: the other end.
        unlike: by runtime before this one, how many of its answers differ.
    """

    runtime: str
    test: Tested
    changed: int
    lost: float
    lost_low: float
    lost_high: float
    unlike: Mapping[str, int]

    def describe(self) -> dict[str, Any]:
        """Plain JSON values; shares in percent, with 95 % intervals."""
        low, high = wilson_interval(self.changed / self.test.n, self.test.n)
        return {
            "runtime": self.runtime,
            "test": self.test.describe(),
            "changed": self.changed,
            "changed_percent": [100 * float(end) for end in (low, high)],
            "lost": {
                "value": self.lost,
                "low": _known(self.lost_low),
                "high": _known(self.lost_high),
            },
            "unlike": dict(self.unlike),
        }

    def __str__(self) -> str:
        low, high = self.describe()["changed_percent"]
        unit = " points" if self.test.metric == "accuracy" else ""
        others = "".join(f"; {n:,} unlike {name}'s" for name, n in self.unlike.items())
        return (
            f"{self.test}; {counted(self.changed, 'answer')} not float32's "
            f"({100 * self.changed / self.test.n:.3g} % [{rounded(low, 2)}, {rounded(high, 2)}]); "
            f"{rounded(self.lost, 2)}{unit} lost "
            f"[{rounded(self.lost_low, 2)}, {rounded(self.lost_high, 2)}]{others}"
        )


def _known(end: float) -> float | None:
    return end if math.isfinite(end) else None


def worth_of(metric: str, answers: Answers, test: Split) -> Tested:
    """What answers `[n, outputs]` to all examples of a split are worth."""
    n = len(test)
    if metric == "mae":
        errors = _losses(metric, answers, test)
        return Tested(metric, *_mean(errors), n)
    right = int((answers.argmax(1) == test.labels).sum())
    low, high = wilson_interval(right / n, n)
    return Tested(metric, 100 * right / n, 100 * float(low), 100 * float(high), n)


def verified(
    metric: str, answers: Mapping[str, Answers], wanted: Answers, test: Split
) -> tuple[Verified, ...]:
    """A file's answers in each runtime, beside those of the network in float32.

    Args:
        metric: `accuracy` or `mae`.
        answers: by runtime, `[n, outputs]`.
        wanted: of float32, likewise.
        test: the examples.
    """
    found = []
    before: dict[str, Answers] = {}
    for runtime, given in answers.items():
        worse = _losses(metric, given, test) - _losses(metric, wanted, test)
        unlike = {name: _changed(metric, given, other) for name, other in before.items()}
        changed = _changed(metric, given, wanted)
        worth = worth_of(metric, given, test)
        found.append(Verified(runtime, worth, changed, *_mean(worse), unlike))
        before[runtime] = given
    return tuple(found)


def _mean(values: Floats) -> tuple[float, float, float]:
    """The mean and its 95 % interval, by the normal approximation; of one value without ends."""
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else math.inf
    return mean, mean - half, mean + half


def _losses(metric: str, answers: Answers, test: Split) -> Floats:
    """Of each example: its error, or 100 where its class is missed."""
    found: Floats
    if metric == "mae":
        found = np.abs(answers[:, 0].astype(np.float64) - test.targets)
    else:
        found = 100.0 * (answers.argmax(1) != test.labels)
    return found


def _changed(metric: str, answers: Answers, others: Answers) -> int:
    if metric == "mae":
        return int((np.abs(answers - others) > 1e-3 * others.std()).sum())
    return int((answers.argmax(1) != others.argmax(1)).sum())
