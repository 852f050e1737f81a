"""What a probe says of networks, read as what it is: bytes that a stranger's machine sent."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._journal import integer, number
from nasbench._names import printable
from nasbench.device import probe
from nasbench.device.meter import EDGE
from nasbench.device.probe import FAULTS, SHOWN, Energy, TimedTurn, Timing
from nasbench.errors import DamagedFile

__all__ = ["MOST_RESULTS", "Failed", "Results", "Timed", "board_of", "read_results"]

MOST_RESULTS = 1 << 13
"""Bytes of a network's line."""
_MOST_MS = 1e8
_MOST_SECONDS = 1e6
_LONGEST = 120
_BOARD = (
    *("hardware_model", "machine", "governor", "most_mhz", "runtime_version", "python", "numpy"),
    "energy_source",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a meter beside the device saw: when it was busy and idle, and a network's loop.

    Intervals are of the whole turn, in seconds since the probe began its `session`; `loop` is the
    network's, of so many `runs`.
    """

    session: str
    busy: list[tuple[float, float]]
    idle: list[tuple[float, float]]
    loop: tuple[float, float]
    runs: int


@dataclass(frozen=True, eq=False, slots=True)
class Timed:
    """A network that was timed: in which turn, what its runs took, and what it answered.

    `answer` is the first numbers of its answer to the example images, float64. `energy` is None
    where nothing counted, `seen` where no meter was asked for.
    """

    turn: TimedTurn
    timing: Timing
    reference: Timing
    answer: NDArray[np.float64]
    energy: Energy | None = None
    seen: Watched | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A network that the runtime could not run there; `why` is what it said, one line."""

    why: str


@dataclass(frozen=True, slots=True)
class Results:
    """What is there of a job: the board, empty where it has not begun, and each file's result."""

    board: Mapping[str, Any]
    found: Mapping[str, Timed | Failed]


def read_results(data: bytes, job: str, files: Collection[str]) -> Results:
    """The results of a job; torn and damaged lines are passed over: they are measured again.

    Args:
        data: of the file.
        job: the SHA-256 of what was asked for.
        files: that the job names, by their SHA-256.

    Raises:
        DamagedFile: for a whole line that no probe writes, or of another job or version.
    """
    board: Mapping[str, Any] = {}
    found: dict[str, Timed | Failed] = {}
    for place, entry in enumerate(probe.entries_of(data), 1):
        try:
            if "about" in entry:
                if entry["probe"] != probe.VERSION:
                    raise DamagedFile(
                        f"the results are of a probe of version {str(entry['probe'])[:20]}, and "
                        f"version {probe.VERSION} is read: measure again with the probe that "
                        f"comes with the job"
                    )
                _has(entry["job"] == job)
                board = board_of(entry["about"])
                continue
            _has(entry["file"] in files and entry["file"] not in found)
            found[entry["file"]] = _result(entry)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            if isinstance(error, DamagedFile):
                raise
            raise DamagedFile(
                f"the results of job {job[:16]} are damaged in entry {place}: its checksum is "
                f"right, but it says what no probe writes; remove them and measure again"
            ) from error
    return Results(board, found)


def board_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a probe says of its board, in plain JSON values; keys that are not known are left."""
    return {key: _board_value(said[key]) for key in _BOARD}


def _board_value(value: Any) -> Any:
    if isinstance(value, str):
        _has(value == printable(value) and len(value) <= _LONGEST)
        return value
    _has(isinstance(value, list) and len(value) <= _LONGEST)
    return [_board_value(one) if isinstance(one, str) else integer(one) for one in value]


def _result(entry: Mapping[str, Any]) -> Timed | Failed:
    if "error" in entry:
        _has(isinstance(entry["error"], str))
        return Failed(entry["error"])
    _has(entry["fault"] in FAULTS)
    _has(isinstance(entry["answer"], list) and 0 < len(entry["answer"]) <= SHOWN)
    turn = TimedTurn(
        [], _or_nan(entry["drift"], -1), None, _or_nan(entry["mhz"], 0), entry["fault"]
    )
    answer = np.asarray([_or_nan(value) for value in entry["answer"]], dtype=np.float64)
    energy = _energy(entry["energy"]) if "energy" in entry else None
    seen = _seen(entry["meter"]) if "meter" in entry else None
    timing, reference = _timing(entry["timing"]), _timing(entry["reference"])
    return Timed(turn, timing, reference, answer, energy, seen)


def _seen(said: Any) -> Watched:
    busy, idle = (list(map(_interval, said[key])) for key in ("busy", "idle"))
    _has(bool(busy) and bool(idle))
    place, runs = said["loop"]
    _has(isinstance(said["session"], str))
    return Watched(
        said["session"], busy, idle, busy[integer(place, 0, len(busy) - 1)], integer(runs, 1)
    )


def _interval(said: Any) -> tuple[float, float]:
    begin, end = (number(value, 0, _MOST_SECONDS) for value in said)
    _has(begin + 2 * EDGE < end)
    return begin, end


def _energy(said: Any) -> Energy:
    gross, net, watts = said
    return Energy(_or_nan(gross, 0), _or_nan(net), _or_nan(watts, 0))


def _timing(said: Any) -> Timing:
    wall, cpu, cold, undisturbed, runs = said
    share = _or_nan(undisturbed, 0)
    _has(not share > 1)
    return Timing(
        _quantiles(wall), _quantiles(cpu), (_ms(cold[0]), _ms(cold[1])), share, integer(runs, 1)
    )


def _quantiles(said: Any) -> tuple[float, float, float]:
    low, middle, high = map(_ms, said)
    _has(low <= middle <= high)
    return low, middle, high


def _ms(value: Any) -> float:
    return number(value, 0, _MOST_MS)


def _or_nan(value: Any, least: float = -1e300) -> float:
    return math.nan if value is None else number(value, least, 1e300)


def _has(so: bool) -> None:
    if not so:
        raise ValueError
