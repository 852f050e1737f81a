"""What timed runs say of a network's latency: values with their kinds, or reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nasbench.device.base import LATENCIES, MEASURED, DeviceSpec, Reading
from nasbench.device.probe import (
    COOL_SECONDS,
    FAULTS,
    HIGH,
    INNER,
    LOW,
    MOST_DRIFT,
    TRIES,
    TimedTurn,
    Timing,
)

__all__ = ["describe_latency", "latencies_of"]

_UNKNOWN = {
    "latency_undisturbed": "the system does not say how often a run was interrupted",
    "latency_drift": "the turn was too short to tell whether it kept its speed",
    "frequency_mhz": "the system does not say how fast its cores run",
}
_TIMES = (
    *("latency_ms", "latency_wall_ms", "latency_cpu_ms", "latency_cold_ms"),
    "latency_reference_ms",
)
_BY_LATENCY = ("latency_spread_ms", "latency_drift", "images_per_second")
_NANOSECOND = 1e-6
"""In ms; what is below, no clock has counted."""
_UNSEEN = "the clock is too coarse: it saw no time pass in a run; use a larger batch_size"


def latencies_of(
    spec: DeviceSpec, turn: TimedTurn, timing: Timing, reference: Timing
) -> Mapping[str, Reading]:
    """Everything that was timed of one network, by the names that tables have.

    Args:
        spec: whose clock counts.
        turn: in which it was timed.
        timing: of the network.
        reference: of the network that is in every turn.
    """
    on_cpu = spec.clock == "cpu"
    low, _, high = timing.cpu if on_cpu else timing.wall
    seen = low >= _NANOSECOND
    values = {
        "latency_ms": low,
        "latency_spread_ms": high - low,
        "latency_n": float(timing.runs),
        "latency_wall_ms": timing.wall[0],
        "latency_cpu_ms": timing.cpu[0],
        "latency_cold_ms": timing.cold[1 if on_cpu else 0],
        "latency_undisturbed": timing.undisturbed,
        "latency_drift": turn.drift,
        "latency_reference_ms": (reference.cpu if on_cpu else reference.wall)[0],
        "images_per_second": 1e3 * spec.batch_size / low if seen else math.nan,
        "frequency_mhz": turn.frequency_mhz,
    }
    readings = {name: Reading(value, MEASURED) for name, value in values.items()}
    for name, why in _UNKNOWN.items():
        if math.isnan(values[name]):
            readings[name] = Reading(math.nan, reason=why)
    unseen = [name for name in _TIMES if values[name] < _NANOSECOND]
    unseen += () if seen else _BY_LATENCY
    readings |= {name: Reading(math.nan, reason=_UNSEEN) for name in unseen}
    if spec.hardware != "cpu" or spec.threads > 1:
        why = "the CPU's clock adds up threads" if spec.hardware == "cpu" else "a GPU works"
        readings["latency_cpu_ms"] = Reading(math.nan, reason=f"{why}: it is no latency")
    if turn.fault:
        readings |= dict.fromkeys(LATENCIES, Reading(math.nan, reason=FAULTS[turn.fault]))
    return readings


def describe_latency(spec: DeviceSpec, in_turn: int) -> dict[str, Any]:
    """How a device's latency is taken; plain JSON values for a manifest."""
    return {
        "kind": MEASURED,
        "of": "a batch",
        "clock": spec.clock,
        "quantile": LOW,
        "disturbed": "the fastest run, where others interrupted most runs of a turn",
        "spread": f"{HIGH} quantile less {LOW} quantile",
        "in_turn": in_turn,
        "runs": f"visits of {INNER} runs, the first of which is cold and counted apart",
        "most_drift": MOST_DRIFT,
        "tries": TRIES,
        "throttled": f"a pause of {COOL_SECONDS:g} s at most before the next try",
    }
