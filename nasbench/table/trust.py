"""How far the latencies of a device can be trusted, by what a table kept of their measuring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasbench._words import counted
from nasbench.table.table import Table

__all__ = ["LatencyTrust", "clock_of"]

LEAST_UNDISTURBED = 0.5
"""Share of runs: below it what the wall clock says of a row is disturbed."""


def clock_of(described: Mapping[str, Any]) -> str:
    """The clock of a device's `latency_ms`, `wall` where its description does not say.

    Example:
        >>> clock_of({"runtime": "torch"}), clock_of({"runtime": "torch", "clock": "cpu"})
        ('wall', 'cpu')
    """
    return str(described.get("clock", "wall"))


@dataclass(frozen=True, slots=True)
class LatencyTrust:
    """What is known of the latencies that one device measured.

    Attributes:
        clock: by which `latency_ms` was taken.
        rows: that have a latency.
        missing: rows that have none.
        spread: the 0.9 quantile of a row's runs less its 0.1 quantile, as a share of its latency:
            the median over rows. NaN where nobody kept it.
        turns: how far the network that was in every turn of networks differed between turns: its
            0.9 quantile over rows above its 0.1 quantile, a share. NaN where there is none.
        disturbed: rows of which others interrupted more than half of the runs, so that their
            latency by the wall clock is not to be trusted; None where nobody counted.

    Example:
        >>> from nasbench.table import load
        >>> LatencyTrust.of(load("nb201-fashion16"), "cpu-torch-b1").clock
        'wall'
    """

    clock: str
    rows: int
    missing: int
    spread: float
    turns: float
    disturbed: int | None

    @classmethod
    def of(cls, table: Table, device: str) -> Self | None:
        """What a table keeps; None of a device whose latencies it did not measure."""
        described = table.manifest["devices"][device]
        if described["kinds"].get("latency_ms") != "measured":
            return None
        latency = table.device_column(device, "latency_ms")
        spread, reference, undisturbed = (
            _column(table, device, metric)
            for metric in ("latency_spread_ms", "latency_reference_ms", "latency_undisturbed")
        )
        known = int(np.isfinite(latency).sum())
        counted_rows = np.isfinite(undisturbed)
        disturbed = int((undisturbed[counted_rows] < LEAST_UNDISTURBED).sum())
        return cls(
            clock=clock_of(described),
            rows=known,
            missing=len(latency) - known,
            spread=_median(spread / np.where(latency > 0, latency, np.nan)),
            turns=_range(reference),
            disturbed=disturbed if counted_rows.any() else None,
        )

    def sentence(self) -> str:
        """All of it in words.

        Example:
            >>> LatencyTrust("cpu", 65, 0, 0.031, 0.012, 4).sentence()
            'by the cpu clock; spread of runs 3.1 %, of a reference network over turns 1.2 %; the \
wall clock was disturbed in 4 of 65 rows'
        """
        said = f"by the {self.clock} clock"
        spreads = [
            f"{what} {100 * share:.1f} %"
            for what, share in (
                ("of runs", self.spread),
                ("of a reference network over turns", self.turns),
            )
            if share == share
        ]
        if spreads:
            said += f"; spread {', '.join(spreads)}"
        if self.disturbed is not None:
            said += (
                f"; the wall clock was disturbed in {self.disturbed:,} of "
                f"{counted(self.rows, 'row')}"
            )
        return said + (f"; missing in {counted(self.missing, 'row')}" if self.missing else "")


def _column(table: Table, device: str, metric: str) -> NDArray[np.float64]:
    if metric not in table.manifest["devices"][device]["kinds"]:
        return np.full(len(table.rows), np.nan)
    return table.device_column(device, metric)


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _range(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    if len(np.unique(known)) < 2:  # of a single turn nothing is known
        return float("nan")
    low, high = np.quantile(known, (0.1, 0.9))
    return float((high - low) / low) if low > 0 else float("nan")
