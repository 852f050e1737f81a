#!/usr/bin/env python3
"""Measures networks on the machine that it runs on; one file, which imports nothing of nasbench.

It needs Python 3.8, numpy and the runtime. The harness imports it to measure on its own machine,
and sends it to others, so that what is measured here and elsewhere is measured by the same lines.

By hand: carry the folder that `nasbench device measure RECIPE.toml --folder DIR` made to the
device, run `python3 DIR/nb_probe.py` there, carry the folder back and run the command again.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import importlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

try:
    import numpy as np
except ImportError:  # said in one sentence, once somebody asks for a measurement
    np = None  # type: ignore[assignment]
try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = resource = None  # type: ignore[assignment]

VERSION = 1
"""Of what is said between this file and the harness."""


class Refused(Exception):  # noqa: N818 (named as readers say it)
    """What cannot be done, in one sentence."""


LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Quantiles of the runs: LOW is reported, HIGH - LOW is the spread.

Others add to the wall clock; to the CPU's they add by taking caches and the other half of a core,
which makes runs of two speeds. LOW is what the network takes without them; where they interrupt
most runs, so few are without them that the fastest run stands in its place.
"""

INNER = 4
"""Runs of a visit, back to back. The first is cold: others have filled the caches meanwhile."""

LEAST_VISITS = 8
"""Of each network: with fewer nothing is said about drift."""

MORE = 3
"""Times as many visits where others interrupt most runs: of more runs the fastest is more often one
that nobody disturbed."""

MOST_DRIFT = 0.05
"""By which a turn's second half may differ from its first before the turn is repeated."""

TRIES = 3

COOL_SECONDS = 60.0
"""The longest pause before a turn is tried again in which heat or a weak supply slowed it."""

ENERGY_SECONDS = 1.0
"""Of a loop between two readings: RAPL counts every 1 ms, INA sensors every 2 to 300 ms."""

SAMPLE_SECONDS = 0.01

MARKER = (1.0, 1.0, 2.0, 1.0, 1.0, 2.0)
"""Seconds, busy and idle in turn, by which a meter's log is aligned."""

PAUSE_SECONDS = 0.5
"""Between two loops that a meter watches."""

WHOLE_RAILS = ("POM_5V_IN", "VDD_IN")
"""Rails of all that goes in: of a Nano, and of an Orin NX, an Orin Nano and a Xavier NX."""

FAULTS = {
    "": "",
    "throttled": f"the processor was throttled in each of {TRIES} tries",
    "drift": (
        f"latency drifted by more than {100 * MOST_DRIFT:g} % within a turn of networks in each "
        f"of {TRIES} tries"
    ),
}
"""Why the timings of a turn cannot be used."""


class Timing(NamedTuple):
    """What the runs of one network took, in ms; quantiles LOW, MIDDLE and HIGH of warm runs.

    LOW gives way to the fastest run where others interrupted most of them. `cold` is likewise the
    LOW quantile of cold runs, by wall and by CPU clock. `undisturbed` is the share
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
    `frequency_mhz` is the mean over cores and NaN where it is unknown. `fault` is one of `FAULTS`,
    and empty where the timings can be used. `paused` are seconds in which the board cooled down.
    """

    timings: list[Timing]
    drift: float
    throttled: bool | None
    frequency_mhz: float
    fault: str
    paused: float = 0.0


class Samples(NamedTuple):
    """Float64 `[networks, visits, INNER]`: ms by wall and CPU clock, involuntary switches.

    `low` is the quantile that a network takes without others: LOW, or 0, the fastest run, where
    more visits were made since others interrupted most runs.
    """

    wall: Any
    cpu: Any
    switches: Any
    low: float


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

    def visit() -> None:
        rounds.append([[_timed(run) for _ in range(INNER)] for run in runs])

    while len(rounds) < most and (len(rounds) < LEAST_VISITS or time.perf_counter() < end):
        visit()
    calm = len(rounds)
    if calm >= LEAST_VISITS:
        most = MORE * calm
    while len(rounds) < most and _disturbed(rounds):
        visit()
    # [visits, networks, INNER, 3]
    taken = np.asarray(rounds, dtype=np.float64).transpose(3, 1, 0, 2)
    return Samples(taken[0] / 1e6, taken[1] / 1e6, taken[2], 0.0 if len(rounds) > calm else LOW)


def _disturbed(rounds: Sequence[Any]) -> bool:
    """Whether others interrupted more than half of the warm runs."""
    switches = np.asarray(rounds, dtype=np.float64)[:, :, 1:, 2]
    return bool((switches > 0).mean() > 0.5)


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

    After a turn that was throttled it is left to cool down, `COOL_SECONDS` at most.

    Args:
        runs: see `time_in_turn`, as `warm_up`, `repeats` and `seconds`.
        board: that is asked for throttling and frequency.
        clock: by which drift is judged, `wall` or `cpu`.
        warm_up: see above.
        repeats: see above.
        seconds: see above.
    """
    paused = 0.0
    for left in reversed(range(TRIES)):
        before = board.state()
        turn = _one_turn(runs, board, clock, warm_up, repeats, seconds)
        if not turn.fault:
            break
        if turn.throttled and left:
            paused += cool_down(board, before)
    return turn._replace(paused=paused)


def cool_down(board: Board, before: State) -> float:
    """Wait until the processor is slowed no more than it was before; the seconds that it took."""
    start = time.perf_counter()
    last = board.state()
    while time.perf_counter() - start < COOL_SECONDS:
        time.sleep(1.0)
        now = board.state()
        # Throttles are counted for ever: it is cool once a second adds none.
        if not now.throttled_since(before._replace(throttles=last.throttles)):
            break
        last = now
    return time.perf_counter() - start


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
    fault = "throttled" if throttled else "drift" if abs(drift) > MOST_DRIFT else ""
    return TimedTurn(sum_up(samples), drift, throttled, after.frequency_mhz, fault)


def drift_of(taken: Any) -> float:
    """How much more the second half of the visits took, a share: the median over networks.

    NaN after few visits, and where the clock saw no time pass in the runs of a half.
    """
    half = taken.shape[1] // 2
    if taken.shape[1] < LEAST_VISITS:
        return math.nan
    first, second = (
        np.median(part[:, :, 1:], axis=(1, 2)) for part in (taken[:, :half], taken[:, half:])
    )
    seen = (first > 0) & (second > 0)
    return float(np.median(second[seen] / first[seen])) - 1 if seen.any() else math.nan


def sum_up(samples: Samples) -> list[Timing]:
    """The quantiles of each network's runs."""
    found = []
    low = samples.low
    for wall, cpu, switches in zip(samples.wall, samples.cpu, samples.switches):
        calm = switches[:, 1:]
        undisturbed = math.nan if np.isnan(calm).any() else float((calm == 0).mean())
        cold = (float(np.quantile(wall[:, 0], low)), float(np.quantile(cpu[:, 0], low)))
        warm = (_quantiles(wall, low), _quantiles(cpu, low))
        found.append(Timing(*warm, cold, undisturbed, calm.size))
    return found


def _quantiles(taken: Any, low: float) -> tuple[float, float, float]:
    lowest, middle, high = np.quantile(taken[:, 1:], (low, MIDDLE, HIGH)).tolist()
    return lowest, middle, high


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


def openvino_settings(threads: int) -> dict[str, str]:
    """One stream on so many threads, in float32."""
    return {
        # By default bfloat16 where the processor has it, which changes answers.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
    }


class SignalStack(ctypes.Structure):
    """The memory on which a thread hears signals, as the kernel of Linux tells it."""

    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def signal_stack(to: SignalStack | None = None) -> SignalStack:
    """That of this thread; and put `to` in its place, where one is given."""
    before = SignalStack()
    if sys.platform.startswith("linux"):
        given = None if to is None else ctypes.byref(to)
        ctypes.CDLL(None).sigaltstack(given, ctypes.byref(before))
    return before


def compiled_by_openvino(core: Any, model: Any, threads: int) -> Any:
    """A model for the processor.

    OpenVINO gives the thread a stack for signals with each, and takes them away in another
    order. The next signal, Ctrl-C too, would end the process: so the thread keeps its own.
    """
    before = signal_stack()
    try:
        return core.compile_model(model, "CPU", openvino_settings(threads))
    finally:
        signal_stack(before)


def run_openvino(openvino: Any, content: bytes, images: Any, *, threads: int) -> Callable[[], Any]:
    """A run of an ONNX file on these images, which gives its answers: one stream, float32."""
    core = openvino.Core()
    model = core.read_model(content)
    model.reshape({model.inputs[0].any_name: list(images.shape)})
    compiled = compiled_by_openvino(core, model, threads)
    request = compiled.create_infer_request()
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
    """What the kernel says of a machine's clocks, heat and power.

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
        self.counters = self._find_counters()
        self.rails = self._find_rails()

    def _find(self, pattern: str) -> list[str]:
        return sorted(glob.glob(os.path.join(self._root, pattern)))

    def _find_counters(self) -> dict[str, tuple[str, int]]:
        """RAPL's zones that can be read: their files, and at what they begin again at 0.

        Packages, and memory, which is not in them. The zone of the whole platform holds both.
        """
        found = {}
        for zone in self._find("sys/class/powercap/intel-rapl:*"):
            name = read(os.path.join(zone, "name")) or ""
            whole = re.fullmatch(r"intel-rapl:[0-9]+", os.path.basename(zone)) and name != "psys"
            counter = os.path.join(zone, "energy_uj")
            most = _integers([os.path.join(zone, "max_energy_range_uj")])
            if (whole or name == "dram") and most and _integers([counter]):
                found[f"{os.path.basename(zone)} {name}"] = (counter, most[0])
        return found

    def _find_rails(self) -> dict[str, tuple[str, ...]]:
        """A Jetson's power rails: one file in mW, or two, in mV and in mA.

        The Nano, TX2 and Xavier have the first layout, Orin has the second. Where there is a
        rail of all that goes in, it is the only one.
        """
        found: dict[str, tuple[str, ...]] = {}
        for label in self._find("sys/bus/i2c/drivers/ina3221*/*/iio:device*/rail_name_[0-9]*"):
            number = label.rpartition("_")[2]
            power = os.path.join(os.path.dirname(label), f"in_power{number}_input")
            found[read(label) or number] = (power,)
        for label in self._find("sys/bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/in[0-9]*_label"):
            number = os.path.basename(label)[2:].partition("_")[0]
            volts, amperes = (
                os.path.join(os.path.dirname(label), f"{kind}{number}_input")
                for kind in ("in", "curr")
            )
            found[read(label) or number] = (volts, amperes)
        found = {
            name: files for name, files in found.items() if len(_integers(files)) == len(files)
        }
        whole = [name for name in found if name in WHOLE_RAILS]
        return {name: found[name] for name in whole[:1] or found}

    @property
    def energy_source(self) -> str:
        """What counts energy or power here; empty where nothing does."""
        if self.rails:
            return f"INA3221, {' and '.join(sorted(self.rails))}"
        return f"RAPL, {' and '.join(sorted(self.counters))}" if self.counters else ""

    def watts(self) -> float:
        """What the rails take now."""
        total = 0.0
        for files in self.rails.values():
            values = _integers(files)
            if len(values) == len(files):
                total += values[0] / 1e3 if len(values) == 1 else values[0] * values[1] / 1e6
        return total

    def joules_of(self, work: Callable[[], int]) -> tuple[float, float, int]:
        """Joules and seconds that work took, and what it returned.

        Raises:
            Refused: where nothing counts here.
        """
        if self.rails:
            return self._sampled(work)
        if not self.counters:
            raise Refused("nothing counts energy there")
        before = [_integers([file]) for file, _ in self.counters.values()]
        start = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - start
        after = [_integers([file]) for file, _ in self.counters.values()]
        total = 0
        for old, new, (_, most) in zip(before, after, self.counters.values()):
            total += (new[0] - old[0]) % (most + 1)
        return total / 1e6, seconds, done

    def _sampled(self, work: Callable[[], int]) -> tuple[float, float, int]:
        """By trapezoids over samples that a thread takes meanwhile."""
        samples: list[tuple[float, float]] = []
        ended = threading.Event()

        def sample() -> None:
            while not ended.is_set():
                samples.append((time.perf_counter(), self.watts()))
                ended.wait(SAMPLE_SECONDS)

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        start = time.perf_counter()
        try:
            done = work()
        finally:
            seconds = time.perf_counter() - start
            ended.set()
            sampler.join()
        return mean_of(samples) * seconds, seconds, done

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


def mean_of(samples: Sequence[tuple[float, float]]) -> float:
    """The mean over time of `(seconds, value)`, by trapezoids."""
    if len(samples) < 2:
        return samples[0][1] if samples else math.nan
    pairs = list(zip(samples, samples[1:]))
    area = sum((t1 - t0) * (v0 + v1) / 2 for (t0, v0), (t1, v1) in pairs)
    seconds = samples[-1][0] - samples[0][0]
    # A coarse clock can give all samples one time.
    return area / seconds if seconds > 0 else sum(value for _, value in samples) / len(samples)


class Energy(NamedTuple):
    """Of a run, in mJ: all that was taken, and what was taken more than at rest; mean watts."""

    gross: float
    net: float
    watts: float


def rest(board: Board) -> float:
    """Watts that the machine takes while this process sleeps."""

    def sleep() -> int:
        time.sleep(ENERGY_SECONDS)
        return 1

    joules, seconds, _ = board.joules_of(sleep)
    return joules / seconds


def energy_of(run: Callable[[], object], board: Board, idle: float) -> Energy:
    """The energy of a run, from a loop of `ENERGY_SECONDS` of it, never from a single one.

    Args:
        run: returns when its work is done.
        board: that counts.
        idle: watts at rest.
    """

    def loop() -> int:
        runs = 0
        end = time.perf_counter() + ENERGY_SECONDS
        while not runs or time.perf_counter() < end:
            run()
            runs += 1
        return runs

    joules, seconds, runs = board.joules_of(loop)
    return Energy(1e3 * joules / runs, 1e3 * (joules - idle * seconds) / runs, joules / seconds)


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


# Jobs: networks that somebody else wants measured here.


SESSION = os.urandom(8).hex()
"""Of this process, from whose start intervals are counted."""

MARK = "nasbench-probe "
"""Begins the line that answers: what a login shell prints beside it is not looked at."""

MOST_ANSWER = 1 << 20
"""Bytes of results in an answer."""

SHOWN = 64
"""Numbers of a network's answer that come back, to be held against PyTorch's."""

Folder = str


def line_of(entry: dict[str, Any]) -> bytes:
    """An entry as results hold it: its checksum, its JSON, a newline."""
    text = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def entries_of(data: bytes) -> list[dict[str, Any]]:
    """The entries of whole lines whose checksum is right: neither torn nor damaged ones."""
    found = []
    for line in data.split(b"\n")[:-1]:
        checksum, _, text = line.partition(b" ")
        if checksum == b"%08x" % zlib.crc32(text):
            try:
                entry = json.loads(text.decode("ascii"))
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                found.append(entry)
    return found


def place(folder: Folder, *names: str) -> str:
    """A path below the probe's folder, none of whose parts is a link to somewhere else."""
    path = folder
    for name in names:
        path = os.path.join(path, name)
        if os.path.islink(path):
            raise Refused(f"{name} is a link: the probe writes to folders of its own alone")
    return path


def prepared(folder: Folder) -> Folder:
    """The probe's folder, below the home directory where its path is relative; made if need be."""
    folder = os.path.join(os.path.expanduser("~"), folder)
    if os.path.islink(folder):
        raise Refused(f"{folder} is a link: give a folder of the probe's own")
    for made in (folder, place(folder, "files"), place(folder, "jobs")):
        os.makedirs(made, mode=0o700, exist_ok=True)
    return folder


def hashed(path: str) -> str:
    """The SHA-256 of a file; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _check_hash(name: str) -> str:
    if len(name) != 64 or set(name) - set("0123456789abcdef"):
        raise Refused("a file is not called by its SHA-256")
    return name


def missing(folder: Folder, data: bytes) -> dict[str, Any]:
    """Which of the files that are named, as a JSON list, are not here whole."""
    folder = prepared(folder)
    named = [_check_hash(name) for name in json.loads(data.decode("ascii"))]
    return {"missing": [n for n in named if hashed(place(folder, "files", n)) != n]}


def put(folder: Folder, data: bytes) -> dict[str, Any]:
    """Keep files: a JSON list of their names and sizes in the first line, then their bytes."""
    folder = prepared(folder)
    head, _, rest = data.partition(b"\n")
    start = 0
    for name, size in json.loads(head.decode("ascii")):
        content = rest[start : start + size]
        start += size
        if hashlib.sha256(content).hexdigest() != _check_hash(name):
            raise Refused(f"file {name[:16]} came damaged: run the command again")
        _write(place(folder, "files", name), content)
    return {}


def _write(path: str, content: bytes) -> None:
    partial = f"{path}.{os.getpid()}.partial"
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def about(folder: Folder, data: bytes) -> dict[str, Any]:
    """What this machine is, for a job with the runtime that `data` names."""
    return {"about": describe(data.decode("ascii"), Board())}


def describe(runtime: str, board: Board) -> dict[str, Any]:
    """The board, and versions; nothing of who owns it."""
    package = _package(runtime)
    said = board.describe()
    said["runtime_version"] = str(package.__version__).partition("-")[0]
    said["python"] = platform.python_version()
    said["numpy"] = str(np.__version__)
    said["energy_source"] = board.energy_source
    return said


def watched(runs: Sequence[Callable[[], object]], began: float) -> dict[str, Any]:
    """Be busy and idle by turns, as `MARKER` says, then loop each run, for a meter beside.

    Returns:
        Intervals in seconds since `began`, busy and idle, and for each run where its loop is
        among the busy ones and how many runs it had.
    """
    busy: list[list[float]] = []
    idle: list[list[float]] = []

    def loop(run: Callable[[], object], seconds: float) -> int:
        begin = time.perf_counter()
        done = 0
        while not done or time.perf_counter() < begin + seconds:
            run()
            done += 1
        busy.append([begin - began, time.perf_counter() - began])
        return done

    def pause(seconds: float) -> None:
        begin = time.perf_counter()
        time.sleep(seconds)
        idle.append([begin - began, time.perf_counter() - began])

    for on, off in zip(MARKER[::2], MARKER[1::2]):
        loop(runs[-1], on)
        pause(off)
    loops = []
    for run in runs:
        done = loop(run, ENERGY_SECONDS)
        loops.append([len(busy) - 1, done])
        pause(PAUSE_SECONDS)
    return {"busy": busy, "idle": idle, "loops": loops}


def _package(runtime: str) -> Any:
    """The runtime's package, without the telemetry that it would send."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    for name in ("numpy", runtime):
        if name not in ("numpy", *LOADERS):
            raise Refused(f"no runtime {name!r}; known: {', '.join(LOADERS)}")
        try:
            package = importlib.import_module(name)
        except ImportError:
            raise Refused(f"{name} is not installed there: python3 -m pip install {name}") from None
    return package


def _job(folder: Folder, job: str) -> tuple[str, dict[str, Any]]:
    """A job's folder and what it says."""
    path = place(folder, "jobs", _check_hash(job))
    with open(place(path, "job.json"), "rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != job:
        raise Refused(f"job {job[:16]} came damaged: send it again")
    said = json.loads(content.decode("ascii"))
    if said.get("probe") != VERSION:
        raise Refused(
            f"the job is of version {said.get('probe')!r} and the probe of version {VERSION}: "
            f"use the probe that came with the job"
        )
    return path, said


def begin(folder: Folder, data: bytes, source: str = "") -> dict[str, Any]:
    """Take a job, given as JSON, and measure it in a process that outlives the connection.

    Args:
        folder: of the probe.
        data: the job.
        source: of this file; where it is empty the job is only laid down, to be begun by hand.
    """
    folder = prepared(folder)
    job = hashlib.sha256(data).hexdigest()
    path = place(folder, "jobs", job)
    os.makedirs(path, mode=0o700, exist_ok=True)
    if hashed(place(path, "job.json")) != job:
        _write(place(path, "job.json"), data)
    _, said = _job(folder, job)
    if not source or not _left(path, said):
        return {"job": job}
    _package(said["runtime"])
    lock = _lock(folder, job)
    if lock is None:  # it is measured already
        return {"job": job}
    probe = place(folder, "nb_probe.py")
    _write(probe, source.encode("utf-8"))
    with open(place(path, "log"), "wb") as log:
        subprocess.Popen(
            [sys.executable, probe, "measure", folder, job],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )
    os.close(lock)  # the child holds it now, for as long as it lives
    return {"job": job}


def _lock(folder: Folder, job: str) -> int | None:
    """The lock of the device, as an open file; None where this very job holds it."""
    if fcntl is None:
        raise Refused("the probe has no lock on this system: two jobs would time each other")
    path = place(folder, "lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(5):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)  # whoever asks for a state holds it for a moment
            continue
        os.ftruncate(lock, 0)
        os.pwrite(lock, job.encode("ascii"), 0)
        os.set_inheritable(lock, True)
        return lock
    os.close(lock)
    holder = (read(path) or "")[:64]
    if holder == job:
        return None
    raise Refused(
        f"another job, {holder[:16]}, is at work on that device, and two would time each other: "
        f"wait until it is done"
    )


def _left(path: str, said: dict[str, Any]) -> list[str]:
    """The files of a job that are not measured."""
    done = {entry.get("file") for entry in entries_of(_results(path))}
    return [name for name in said["files"] if name not in done]


def _results(path: str) -> bytes:
    try:
        with open(place(path, "results.jsonl"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def state(folder: Folder, data: bytes) -> dict[str, Any]:
    """How far a job is, and its results from some byte on; `data` is a JSON list of the two."""
    folder = prepared(folder)
    job, offset = json.loads(data.decode("ascii"))
    path, said = _job(folder, job)
    running = _running(folder, job)  # first: what ends now has written all that it has
    results = _results(path)
    log = (read(place(path, "log")) or "").splitlines()
    return {
        "running": running,
        "left": len(_left(path, said)),
        "size": len(results),
        "text": results[offset : offset + MOST_ANSWER].decode("ascii", "replace"),
        "log": log[-1] if log else "",
    }


def _running(folder: Folder, job: str) -> bool:
    path = place(folder, "lock")
    if fcntl is None or (read(path) or "")[:64] != job:
        return False
    lock = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def measure(folder: Folder, job: str, board: Board) -> None:
    """Measure what is left of a job; each turn's results are on disk before the next begins.

    Raises:
        Refused: where a file is not there whole; the others are measured before.
    """
    path, said = _job(folder, job)
    package = _package(said["runtime"])
    results = place(path, "results.jsonl")
    known = _results(path)
    if torn := len(known) - (known.rfind(b"\n") + 1):
        os.truncate(results, len(known) - torn)
    left = _left(path, said)
    began = time.perf_counter()
    with open(results, "ab", buffering=0) as log:
        if not any("about" in entry for entry in entries_of(known)):
            whole = {"probe": VERSION, "job": job, "about": describe(said["runtime"], board)}
            _append(log, line_of(whole))
        damaged = [n for n in left if hashed(place(folder, "files", n)) != n]
        sound = [name for name in left if name not in damaged]
        for start in range(0, len(sound), said["in_turn"]):
            named = sound[start : start + said["in_turn"]]
            rows = _turn(folder, said, package, named, board, began)
            _append(log, b"".join(map(line_of, rows)))
            done = len(said["files"]) - len(left) + start + len(named)
            print(f"{done} of {len(said['files'])} networks", flush=True)
    if damaged:
        raise Refused(f"file {damaged[0][:16]} came damaged, or not at all: send or carry it again")


def _append(log: Any, data: bytes) -> None:
    while data:
        data = data[log.write(data) :]
    os.fsync(log.fileno())


def _turn(
    folder: Folder,
    said: dict[str, Any],
    package: Any,
    named: Sequence[str],
    board: Board,
    began: float,
) -> list[dict[str, Any]]:
    """The results of some networks, which are timed in turn with the reference network."""
    shape = [said["batch"], *said["shape"]]
    images = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    rows: list[dict[str, Any]] = []
    runs: dict[str, Callable[[], Any]] = {}
    for name in dict.fromkeys([*named, said["reference"]]):
        with open(place(folder, "files", name), "rb") as file:
            content = file.read()
        try:
            run = LOADERS[said["runtime"]](package, content, images, threads=said["threads"])
            answer = np.asarray(run(), dtype=np.float64).ravel()[:SHOWN]
        except Exception as error:  # a runtime's errors are of many kinds
            if name == said["reference"]:
                raise Refused(f"the reference network does not run: {error}") from error
            rows.append({"file": name, "error": str(error)[:200]})
            continue
        runs[name] = run
        rows.append({"file": name, "answer": _plain(answer.tolist())})
    turn = time_turn(list(runs.values()), board, **{key: said[key] for key in ("clock", *_TIMING)})
    timed = dict(zip(runs, turn.timings))
    idle = rest(board) if board.energy_source else math.nan
    shared = {
        "drift": _plain(turn.drift),
        "mhz": _plain(turn.frequency_mhz),
        "fault": turn.fault,
        "reference": _plain(timed[said["reference"]]),
    }
    for row in rows:
        if "answer" in row:
            row.update(shared, timing=_plain(timed[row["file"]]))
            if board.energy_source and row["file"] in named:
                row["energy"] = _plain(energy_of(runs[row["file"]], board, idle))
    if said["meter"]:
        seen = watched(list(runs.values()), began)
        loops = dict(zip(runs, seen.pop("loops")))
        for row in rows:
            if "answer" in row:
                row["meter"] = {**seen, "session": SESSION, "loop": loops[row["file"]]}
    return [row for row in rows if row["file"] in named]


_TIMING = ("warm_up", "repeats", "seconds")


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for both."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


COMMANDS = {"missing": missing, "put": put, "about": about, "state": state, "begin": begin}


def answer(command: str, folder: Folder, data: bytes, source: str = "") -> dict[str, Any]:
    """What one of `COMMANDS` answers; `error` in one sentence where it cannot be done."""
    try:
        if command == "begin":
            return begin(folder, data, source)
        return COMMANDS[command](folder, data)
    except Refused as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": _failed(error)}
    except (ValueError, LookupError, TypeError) as error:
        return {"error": f"what came cannot be read: {type(error).__name__}"}


def _failed(error: OSError) -> str:
    return f"cannot read or write {error.filename}: {error.strerror}"


def by_hand(folder: Folder) -> None:
    """Measure every job that lies in a folder."""
    there = place(folder, "jobs")
    jobs = sorted(os.listdir(there)) if os.path.isdir(there) else []
    if not jobs:
        raise Refused(
            f"no job lies in {folder}: nasbench device measure RECIPE.toml --folder DIR makes "
            f"a folder with one, and with this file in it"
        )
    for job in jobs:
        lock = _lock(folder, job)
        if lock is None:
            raise Refused(f"job {job[:16]} is measured by another process")
        try:
            measure(folder, job, Board())
        finally:
            os.close(lock)
    print(f"measured: carry {folder} back")


def main(arguments: Sequence[str]) -> int:
    """Answer a command whose data comes on stdin, or measure; the exit status."""
    if arguments and arguments[0] in COMMANDS:
        said = answer(arguments[0], arguments[1], sys.stdin.buffer.read(), globals()["SOURCE"])
        print("\n" + MARK + json.dumps(said))
        return 0
    try:
        if arguments[:1] == ["measure"]:
            measure(arguments[1], arguments[2], Board())
        else:
            by_hand(os.path.dirname(os.path.abspath(__file__)))
    except Refused as error:
        print(f"nb_probe: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"nb_probe: {_failed(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
