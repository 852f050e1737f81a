"""A power meter's log beside a device: aligned by when the device was busy, then integrated.

The clocks of meter and device know nothing of each other. The probe makes a pattern of busy and
idle seconds before it loops each network, with a pause between them, and says when, counted from
its own start; where the log's power follows that pattern best is when it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_text
from nasbench.device.probe import Energy
from nasbench.errors import BadValue

__all__ = ["Interval", "MeterLog"]

STEP = 0.05
"""Seconds of the grid on which pattern and power are held against each other."""
LEAST_LIKENESS = 0.8
"""Correlation of pattern and power: below it nobody can say where the pattern is."""
_EDGE = 0.1
"""Seconds at both ends of a window that are left out: the power rises and falls within them."""
_MOST_ROWS = 10_000_000
_TIMES = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6}
_POWERS = {"w": 1.0, "watts": 1.0, "mw": 1e-3}


Interval = tuple[float, float]
"""Begin and end, in seconds since the probe began."""


@dataclass(frozen=True, eq=False, slots=True)
class MeterLog:
    """Power over time: seconds (ascending) and watts, float64 `[n]`."""

    seconds: NDArray[np.float64]
    watts: NDArray[np.float64]

    @classmethod
    def read(cls, path: Path) -> Self:
        """A csv with a column of time and one of power, whose names say the unit.

        Time is `time_s`, `time_ms`, `Time (s)` and the like, power `power_w`, `Power (mW)`.

        Raises:
            NasbenchError: where a column is missing or a cell is no number, naming the line.
        """
        rows = csv.reader(io.StringIO(read_text(path, "meter log")))
        head = next(rows, [])
        time, second = _column(path, head, "time", _TIMES)
        power, watt = _column(path, head, "power", _POWERS)
        values = []
        for line, row in enumerate(rows, 2):
            if line > _MOST_ROWS:
                raise BadValue(f"{path} has more than {_MOST_ROWS:,} lines")
            if not row:
                continue
            try:
                values.append((float(row[time]) * second, float(row[power]) * watt))
            except (ValueError, IndexError) as error:
                what = "a time and a power are numbers"
                raise BadValue(f"{path}, line {line}: {what}, got {row!r:.99}") from error
        log = np.asarray(values, dtype=np.float64).reshape(-1, 2)
        if len(log) < 2 or not np.isfinite(log).all() or (np.diff(log[:, 0]) <= 0).any():
            raise BadValue(f"{path}: times must be finite, at least two, and go up")
        return cls(log[:, 0], log[:, 1])

    def align(
        self, busy: Sequence[tuple[float, float]], idle: Sequence[tuple[float, float]]
    ) -> float:
        """How many seconds of the log passed before the probe began.

        Args:
            busy: intervals in which the device computed, in seconds since the probe began.
            idle: intervals in which it slept.

        Raises:
            BadValue: where the power follows the pattern nowhere.
        """
        last = max(end for _, end in (*busy, *idle))
        pattern = np.full(round(last / STEP) + 1, np.nan)
        for value, intervals in ((1.0, busy), (0.0, idle)):
            for begin, end in intervals:
                pattern[round((begin + _EDGE) / STEP) : round((end - _EDGE) / STEP)] = value
        grid = np.arange(self.seconds[0], self.seconds[-1], STEP)
        power = np.interp(grid, self.seconds, self.watts)
        known = np.isfinite(pattern)
        places = len(power) - len(pattern) + 1
        if places < 1:
            raise BadValue(
                f"the meter's log lasts {grid[-1] - grid[0]:.0f} s, the device worked for "
                f"{last:.0f} s: log from before the command begins until it ends"
            )
        likeness = _likeness(pattern[known], np.flatnonzero(known), power, places)
        best = int(likeness.argmax())
        if not likeness[best] >= LEAST_LIKENESS:
            raise BadValue(
                "the meter's log does not show when the device was busy and when it was not: is "
                "it of this device, and of this measurement?"
            )
        return float(grid[best])

    def energy(self, window: Interval, runs: int, began: float, idle: float) -> Energy:
        """The energy of a run within a loop of them.

        Args:
            window: of the loop.
            runs: in it.
            began: see `align`.
            idle: watts at rest.
        """
        watts = self.mean(window, began)
        each = (window[1] - window[0]) / runs
        return Energy(1e3 * watts * each, 1e3 * (watts - idle) * each, watts)

    def mean(self, window: Interval, began: float) -> float:
        """Watts on average in an interval, by trapezoids."""
        begin, end = window[0] + began + _EDGE, window[1] + began - _EDGE
        inside = (self.seconds > begin) & (self.seconds < end)
        seconds = np.concatenate(([begin], self.seconds[inside], [end]))
        watts = np.interp(seconds, self.seconds, self.watts)
        return float(np.trapezoid(watts, seconds) / (end - begin))


def _likeness(
    pattern: NDArray[np.float64], at: NDArray[np.intp], power: NDArray[np.float64], places: int
) -> NDArray[np.float64]:
    """The correlation of the pattern with the power at each place, float64 `[places]`."""
    centred = pattern - pattern.mean()
    centred /= np.sqrt((centred**2).sum())
    found = np.empty(places)
    for place in range(places):
        here = power[at + place]
        here = here - here.mean()
        size = np.sqrt((here**2).sum())
        found[place] = centred @ here / size if size > 0 else 0.0
    return found


def _column(
    path: Path, head: Sequence[str], what: str, units: dict[str, float]
) -> tuple[int, float]:
    """Where the column of a quantity is, and how large its unit is."""
    for place, name in enumerate(head):
        words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
        if words[:1] == [what] and words[-1] in units:
            return place, units[words[-1]]
    raise BadValue(
        f"{path}: no column of {what} in a known unit, as {what}_{next(iter(units))}; the columns "
        f"are {', '.join(head)[:200] or 'none'}"
    )
