"""A power meter's log beside a device: aligned by when the device was busy, then integrated.

The clocks of meter and device know nothing of each other. The probe makes a pattern of busy and
idle seconds before it loops each network, with a pause between them, and says when, counted from
its own start; where the log's power follows that pattern best is when it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_text
from nasbench._words import counted
from nasbench.device.probe import Energy
from nasbench.errors import BadValue, DamagedFile

__all__ = ["EDGE", "Interval", "MeterLog"]

STEP = 0.05
"""Seconds of the grid on which pattern and power are held against each other."""
LEAST_LIKENESS = 0.8
"""Correlation of pattern and power: below it nobody can say where the pattern is."""
EDGE = 0.1
"""Seconds at both ends of a window that are left out: the power rises and falls within them."""
_MOST_ROWS = 10_000_000
_MOST_TIME, _MOST_WATTS = 1e13, 1e6
"""In seconds, which are counted from any day, and of a whole machine: beyond is no measurement."""
_LONGEST = 172_800.0
"""Seconds of a log: its every twentieth second is a place where the pattern may begin."""
LARGEST_GAP = 0.6
"""Seconds between two rows while the device worked: a pause between two loops takes 0.5."""
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
            NasbenchError: where a column is missing, a cell is no number, or a time does not come
                after the one before, naming the line.
        """
        lines = _lines(path)
        _, head = next(lines, (1, []))
        time, second = _column(path, head, "time", _TIMES)
        power, watt = _column(path, head, "power", _POWERS)
        seconds: list[float] = []
        watts: list[float] = []
        for line, row in lines:
            if len(seconds) == _MOST_ROWS:
                raise BadValue(f"{path} has more than {_MOST_ROWS:,} rows")
            if any(row[len(head) :]):
                raise BadValue(
                    f"{path}, line {line}: {len(row)} cells, and there are {len(head)} columns: "
                    f"numbers have a decimal point, and commas part columns"
                )
            now = _number(path, line, row, time) * second
            drawn = _number(path, line, row, power) * watt
            if not abs(now) <= _MOST_TIME or not abs(drawn) <= _MOST_WATTS:
                raise BadValue(f"{path}, line {line}: no meter logs {row!r:.99}")
            if seconds and not now > seconds[-1]:
                raise BadValue(
                    f"{path}, line {line}: times go up, and {row[time]} does not come after the "
                    f"row before"
                )
            seconds.append(now)
            watts.append(drawn)
        if len(seconds) < 2:
            raise BadValue(f"{path} has {counted(len(seconds), 'row')}, and a log two at least")
        if seconds[-1] - seconds[0] > _LONGEST:
            raise BadValue(
                f"{path} lasts {seconds[-1] - seconds[0]:,.0f} s by its column of {head[time]}, of "
                f"which {_LONGEST:,.0f} are looked through: is the unit right? Cut it if it is"
            )
        return cls(np.asarray(seconds), np.asarray(watts))

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
        usual = float(np.median(np.diff(self.seconds)))
        if usual > LARGEST_GAP:
            raise BadValue(
                f"the meter's log has a row every {usual:,.1f} s, by the unit of its time: log "
                f"twice a second or more often, or nobody sees the pauses between networks"
            )
        last = max(end for _, end in (*busy, *idle))
        pattern = np.full(round(last / STEP) + 1, np.nan)
        for value, intervals in ((1.0, busy), (0.0, idle)):
            for begin, end in intervals:
                pattern[round((begin + EDGE) / STEP) : round((end - EDGE) / STEP)] = value
        grid = np.arange(self.seconds[0], self.seconds[-1], STEP)
        power = np.interp(grid, self.seconds, self.watts)
        if len(power) < len(pattern):
            raise BadValue(
                f"the meter's log lasts {grid[-1] - grid[0]:.0f} s, the device worked for "
                f"{last:.0f} s: log from before the command begins until it ends"
            )
        likeness = _likeness(pattern, power)
        best = int(likeness.argmax())
        if not likeness[best] >= LEAST_LIKENESS:
            raise BadValue(
                "the meter's log does not show when the device was busy and when it was not: is "
                "it of this device, and of this measurement?"
            )
        began = float(grid[best])
        self._check_gaps(began, began + last)
        return began

    def _check_gaps(self, begin: float, end: float) -> None:
        """Refuse a log that was silent while the device worked: what it took then nobody knows."""
        first = max(int(self.seconds.searchsorted(begin, "right")) - 1, 0)
        last = int(self.seconds.searchsorted(end)) + 1
        gaps = np.diff(self.seconds[first:last])
        if gaps.size and gaps.max() > LARGEST_GAP:
            at = self.seconds[first + int(gaps.argmax())] - self.seconds[0]
            raise BadValue(
                f"the meter's log has no row for {gaps.max():.2f} s from {at:.2f} s after its "
                f"first one, while the device worked: log twice a second or more often"
            )

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
        begin, end = window[0] + began + EDGE, window[1] + began - EDGE
        inside = (self.seconds > begin) & (self.seconds < end)
        seconds = np.concatenate(([begin], self.seconds[inside], [end]))
        watts = np.interp(seconds, self.seconds, self.watts)
        return float(np.trapezoid(watts, seconds) / (end - begin))


def _likeness(pattern: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation of a pattern, NaN where it says nothing, with the power at each place."""
    known = np.isfinite(pattern)
    n = known.sum()
    centred = np.where(known, pattern - np.nanmean(pattern), 0.0)
    power = power - power.mean()

    places = len(power) - len(pattern) + 1
    size = 1 << len(power).bit_length()  # of Fourier transforms: sums at all places at once

    def along(what: NDArray[np.float64], of: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.fft.irfft(np.fft.rfft(what, size) * np.fft.rfft(of, size).conj(), size)
        return found[:places]

    spread = along(power**2, known * 1.0) - along(power, known * 1.0) ** 2 / n
    # Less is what rounding makes of power that stood still.
    moved = spread > 1e-9 * n * max(power.var(), 1e-300)
    sizes = np.sqrt(np.where(moved, spread, 1.0) * (centred**2).sum())
    return np.where(moved, along(power, centred) / sizes, 0.0)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file that are not empty, each with the number of its last line."""
    rows = csv.reader(io.StringIO(read_text(path, "meter log")))
    try:
        for row in rows:
            if any(row):
                yield rows.line_num, row
    except csv.Error as error:
        raise DamagedFile(f"{path}, line {rows.line_num}: {error}") from error


def _number(path: Path, line: int, row: Sequence[str], place: int) -> float:
    try:
        return float(row[place])
    except (ValueError, IndexError) as error:
        what = "a time and a power are numbers"
        raise BadValue(f"{path}, line {line}: {what}, got {row!r:.99}") from error


def _column(
    path: Path, head: Sequence[str], what: str, units: dict[str, float]
) -> tuple[int, float]:
    """Where the column of a quantity is, and how large its unit is."""
    known = []
    for place, name in enumerate(head):
        words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
        if words[:1] == [what] and words[-1] in units:
            known.append((place, units[words[-1]]))
    if len(known) == 1:
        return known[0]
    names = ", ".join(head)[:200] or "none"
    if known:
        raise BadValue(
            f"{path}: {len(known)} columns of {what}, leave one; the columns are {names}"
        )
    raise BadValue(
        f"{path}: no column of {what} in a known unit, as {what}_{next(iter(units))}; the columns "
        f"are {names} (commas part them)"
    )
