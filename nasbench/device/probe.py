#!/usr/bin/env python3
"""Measures networks on the machine that it runs on; one file, which imports nothing of nasbench.

It needs Python 3.8 and numpy. The harness imports it to measure on its own machine, so that what
is measured here and elsewhere is measured by the same lines.
"""

from __future__ import annotations

import glob
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Quantiles of the runs: LOW is reported, HIGH - LOW is the spread."""

INNER = 4
"""Runs of a visit, back to back. The first is cold: others have filled the caches meanwhile."""

LEAST_VISITS = 8
"""Of each network: with fewer nothing is said about drift."""

MOST_DRIFT = 0.05
"""By which a turn's second half may differ from its first before the turn is repeated."""

TRIES = 3

CLOCKS = ("wall", "cpu")


class Timing(NamedTuple):
    """What the runs of one network took, in ms; quantiles LOW, MIDDLE and HIGH of warm runs.

    `cold` is the LOW quantile of cold runs, by wall and by CPU clock. `undisturbed` is the share
    of warm runs that no other process interrupted, NaN where the system does not say.
    """

    wall: tuple[float, float, float]
    cpu: tuple[float, float, float]
    cold: tuple[float, float]
    undisturbed: float
    runs: int


class TimedTurn(NamedTuple):
    """Networks that were timed in turn.

    `drift` is how much slower (or, below 0, faster) the second half was by the clock that
    counts, a share; NaN after few visits. `throttled` is None where the system does not say.
    `frequency_mhz` is the mean over cores and NaN where it is unknown. `reason` says why the
    timings cannot be used, and is empty where they can.
    """

    timings: list[Timing]
    drift: float
    throttled: bool | None
    frequency_mhz: float
    reason: str


class Samples(NamedTuple):
    """Float64 `[networks, visits, INNER]`: ms by wall and CPU clock, involuntary switches."""

    wall: Any
    cpu: Any
    switches: Any


def time_in_turn(
    runs: Sequence[Callable[[], object]], *, warm_up: int, repeats: int, seconds: float
) -> Samples:
    """Visit each network in turn, and time INNER runs of it back to back.

    A slow moment of the machine so falls on all of them.

    Args:
        runs: what is timed; each returns when its work is done.
        warm_up: untimed runs of each, at the least; all of them together are run for as long as
            one of them may be timed, so that clocks have gone up.
        repeats: most warm runs that are timed of each.
        seconds: for each network; after `LEAST_VISITS` no new round starts once all together
            have taken that long.
    """
    warm = time.perf_counter() + seconds
    done = 0
    while done < warm_up or (time.perf_counter() < warm and done < repeats):
        for run in runs:
            run()
        done += 1
    most = -(-repeats // (INNER - 1))
    end = time.perf_counter() + seconds * len(runs)
    rounds: list[Any] = []
    while len(rounds) < most and (len(rounds) < LEAST_VISITS or time.perf_counter() < end):
        rounds.append([[_timed(run) for _ in range(INNER)] for run in runs])
    # [visits, networks, INNER, 3]
    taken = np.asarray(rounds, dtype=np.float64).transpose(3, 1, 0, 2)
    return Samples(taken[0] / 1e6, taken[1] / 1e6, taken[2])


def _timed(run: Callable[[], object]) -> tuple[int, int, float]:
    """Nanoseconds of a run by both clocks, and how often it was interrupted."""
    before = _switches()
    cpu = time.process_time_ns()
    wall = time.perf_counter_ns()
    run()
    wall = time.perf_counter_ns() - wall
    cpu = time.process_time_ns() - cpu
    return wall, cpu, _switches() - before


def _switches() -> float:
    """How often another process took the processor from this one."""
    return math.nan if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def time_turn(
    runs: Sequence[Callable[[], object]],
    board: Board,
    *,
    clock: str,
    warm_up: int,
    repeats: int,
    seconds: float,
) -> TimedTurn:
    """Time networks in turn, again where the machine did not keep its speed meanwhile.

    Args:
        runs: see `time_in_turn`, as `warm_up`, `repeats` and `seconds`.
        board: that is asked for throttling and frequency.
        clock: by which drift is judged, `wall` or `cpu`.
        warm_up: see above.
        repeats: see above.
        seconds: see above.
    """
    turn = _one_turn(runs, board, clock, warm_up, repeats, seconds)
    for _ in range(TRIES - 1):
        if not turn.reason:
            break
        turn = _one_turn(runs, board, clock, warm_up, repeats, seconds)
    return turn


def _one_turn(
    runs: Sequence[Callable[[], object]],
    board: Board,
    clock: str,
    warm_up: int,
    repeats: int,
    seconds: float,
) -> TimedTurn:
    before = board.state()
    samples = time_in_turn(runs, warm_up=warm_up, repeats=repeats, seconds=seconds)
    after = board.state()
    drift = drift_of(samples.cpu if clock == "cpu" else samples.wall)
    throttled = after.throttled_since(before)
    reason = ""
    if throttled:
        reason = f"the processor was throttled in each of {TRIES} tries"
    elif abs(drift) > MOST_DRIFT:
        reason = (
            f"latency drifted by more than {100 * MOST_DRIFT:g} % within a turn of networks in "
            f"each of {TRIES} tries"
        )
    return TimedTurn(sum_up(samples), drift, throttled, after.frequency_mhz, reason)


def drift_of(taken: Any) -> float:
    """How much more the second half of the visits took, a share: the median over networks."""
    half = taken.shape[1] // 2
    if taken.shape[1] < LEAST_VISITS:
        return math.nan
    first, second = (
        np.median(part[:, :, 1:], axis=(1, 2)) for part in (taken[:, :half], taken[:, half:])
    )
    return float(np.median(second / np.maximum(first, 1e-9))) - 1


def sum_up(samples: Samples) -> list[Timing]:
    """The quantiles of each network's runs."""
    found = []
    for wall, cpu, switches in zip(*samples):
        calm = switches[:, 1:]
        undisturbed = math.nan if np.isnan(calm).any() else float((calm == 0).mean())
        cold = (float(np.quantile(wall[:, 0], LOW)), float(np.quantile(cpu[:, 0], LOW)))
        found.append(Timing(_quantiles(wall), _quantiles(cpu), cold, undisturbed, calm.size))
    return found


def _quantiles(taken: Any) -> tuple[float, float, float]:
    low, middle, high = np.quantile(taken[:, 1:], (LOW, MIDDLE, HIGH)).tolist()
    return low, middle, high


def onnxruntime_session(
    onnxruntime: Any, content: bytes, *, threads: int, batch: int | None = None
) -> Any:
    """An ONNX file's bytes as a session of the given package `onnxruntime`.

    Args:
        onnxruntime: the package.
        content: of the file.
        threads: of an operation; operations run one after the other.
        batch: fixes a dimension called `batch`, which lets memory be planned; None: any.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Waiting threads would spin and take the cores of the network whose turn it is.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if batch is not None:
        options.add_free_dimension_override_by_name("batch", batch)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_onnxruntime(
    onnxruntime: Any, content: bytes, images: Any, *, threads: int
) -> Callable[[], Any]:
    """A run of an ONNX file on these images, which gives its answers."""
    session = onnxruntime_session(onnxruntime, content, threads=threads, batch=len(images))
    names = [session.get_outputs()[0].name]
    feed = {session.get_inputs()[0].name: images}
    return lambda: session.run(names, feed)[0]


def run_openvino(openvino: Any, content: bytes, images: Any, *, threads: int) -> Callable[[], Any]:
    """A run of an ONNX file on these images, which gives its answers: one stream, float32."""
    core = openvino.Core()
    model = core.read_model(content)
    model.reshape({model.inputs[0].any_name: list(images.shape)})
    settings = {
        # By default bfloat16 where the processor has it, which changes answers.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(np.ascontiguousarray(images)))
    answers = request.get_output_tensor(0)

    def run() -> Any:
        request.infer()
        return answers.data

    return run


LOADERS = {"onnxruntime": run_onnxruntime, "openvino": run_openvino}
"""By the name of the package."""


class State(NamedTuple):
    """What the kernel says of a processor's speed at one moment; empty where it says nothing."""

    mhz: list[int]
    cooling: list[int]
    throttles: list[int]
    pi_throttled: str | None

    @property
    def frequency_mhz(self) -> float:
        """The mean over cores; NaN where it is unknown."""
        return float(np.mean(self.mhz)) if self.mhz else math.nan

    def throttled_since(self, before: State) -> bool | None:
        """Whether heat or a weak supply slowed the processor; None where nobody knows."""
        if not self.cooling and not self.throttles and self.pi_throttled is None:
            return None
        slowed = sum(self.throttles) > sum(before.throttles)
        slowed |= any(now > then for then, now in zip(before.cooling, self.cooling))
        # The lower four bits of the Pi's answer are of now, others of any time since it began.
        return slowed or _bits(self.pi_throttled) & 0xF != 0


def _bits(text: str | None) -> int:
    try:
        return int(text or "0", 16)
    except ValueError:
        return 0


class Board:
    """What the kernel says of a machine's clocks and heat.

    Args:
        root: of the file system; tests have one of their own.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        cpus = "sys/devices/system/cpu/cpu[0-9]*/"
        self._frequency = self._find(cpus + "cpufreq/scaling_cur_freq")
        self._governor = self._find(cpus + "cpufreq/scaling_governor")
        self._fastest = self._find(cpus + "cpufreq/cpuinfo_max_freq")
        self._throttles = self._find(cpus + "thermal_throttle/core_throttle_count")
        self._cooling = self._find("sys/class/thermal/cooling_device*/cur_state")
        self._pi = os.path.join(root, "sys/devices/platform/soc/soc:firmware/get_throttled")

    def _find(self, pattern: str) -> list[str]:
        return sorted(glob.glob(os.path.join(self._root, pattern)))

    def state(self) -> State:
        """What is so now."""
        return State(
            [n // 1000 for n in _integers(self._frequency)],
            _integers(self._cooling),
            _integers(self._throttles),
            read(self._pi),
        )

    def describe(self) -> dict[str, Any]:
        """What does not change by itself; plain JSON values, and nothing of who owns it."""
        model = read(os.path.join(self._root, "proc/device-tree/model"))
        governors = {governor for governor in map(read, self._governor) if governor}
        return {
            "hardware_model": (model or "").strip("\0") or _processor(self._root),
            "machine": platform.machine(),
            "governor": sorted(governors) or "not known",
            "most_mhz": sorted({n // 1000 for n in _integers(self._fastest)}) or "not known",
        }


def _processor(root: str) -> str:
    """What the maker calls the processor."""
    for line in (read(os.path.join(root, "proc/cpuinfo")) or "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _integers(paths: Sequence[str]) -> list[int]:
    found = []
    for path in paths:
        try:
            found.append(int(read(path) or ""))
        except ValueError:
            continue
    return found


def read(path: str) -> str | None:
    """The text of a small file of the kernel's; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20).strip()
    except OSError:
        return None
