"""A power meter's log, made up from what the probe did, and what is found in it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from device_jobs import files, job, results, sent
from device_networks import network, randomized
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.device import DeviceSpec, probe
from nasbench.device.carrier import FolderCarrier
from nasbench.device.meter import Interval, MeterLog
from nasbench.device.probe import Board, measure, watched
from nasbench.device.remote import METER, RemoteDevice
from nasbench.device.results import Timed, read_results
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.task import Signal

IDLE, MARKED = 2.0, 4.0
SHAPE = (1, 8, 8)


def pattern(rng: np.random.Generator) -> tuple[list[Interval], list[Interval]]:
    """What a probe does: the marker, then five loops of a second with pauses."""
    now, busy, idle = 3.0, [], []
    for on, off in [(1, 1), (2, 1), (1, 2), *[(1.0, 0.5)] * 5]:
        end = now + on + rng.uniform(0, 0.05)
        busy.append((now, end))
        now = end + off
        idle.append((end, now))
    return busy, idle


def logged(
    busy: list[Interval], watts: list[float], began: float, rng: np.random.Generator
) -> MeterLog:
    """A meter that samples unevenly, some ten times a second, with noise."""
    seconds = np.cumsum(rng.uniform(0.05, 0.15, 600))
    power = np.full(len(seconds), IDLE)
    for (begin, end), level in zip(busy, watts, strict=True):
        power[(seconds >= began + begin) & (seconds < began + end)] = level
    return MeterLog(seconds, power + rng.normal(0, 0.05, len(power)))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), began=st.floats(1, 30))
def test_the_log_is_laid_where_the_device_was_busy(seed: int, began: float) -> None:
    rng = np.random.default_rng(seed)
    busy, idle = pattern(rng)
    levels = [MARKED] * 3 + [3.0, 5.0, 4.0, 6.0, 3.5]
    log = logged(busy, levels, began, rng)
    assert log.align(busy, idle) == pytest.approx(began, abs=0.15)
    found = log.align(busy, idle)
    rest = float(np.mean([log.mean(interval, found) for interval in idle]))
    assert rest == pytest.approx(IDLE, abs=0.15)
    energy = log.energy(busy[4], 100, found, IDLE)  # a loop at 5 W, of 100 runs in about 1 s
    seconds = busy[4][1] - busy[4][0]
    assert energy.watts == pytest.approx(5.0, rel=0.08)
    assert energy.gross == pytest.approx(1e3 * 5.0 * seconds / 100, rel=0.08)
    assert energy.net == pytest.approx(1e3 * 3.0 * seconds / 100, rel=0.15)


def test_a_log_of_something_else_is_refused() -> None:
    rng = np.random.default_rng(0)
    busy, idle = pattern(rng)
    noise = MeterLog(np.arange(0, 60, 0.1), rng.normal(3, 0.5, 600))
    with pytest.raises(NasbenchError, match="does not show when the device was busy"):
        noise.align(busy, idle)
    flat = MeterLog(np.arange(0, 60, 0.1), np.full(600, 3.0))
    with pytest.raises(NasbenchError, match="does not show when the device was busy"):
        flat.align(busy, idle)
    short = MeterLog(np.arange(0, 5, 0.1), np.full(50, 3.0))
    with pytest.raises(NasbenchError, match="the device worked for 19 s"):
        short.align(busy, idle)


def test_a_log_that_was_silent_while_the_device_worked_is_refused() -> None:
    rng = np.random.default_rng(0)
    busy, idle = pattern(rng)
    log = logged(busy, [MARKED] * len(busy), 5.0, rng)
    for begin, end, sound in ((12.0, 13.2, False), (40.0, 50.0, True)):
        kept = (log.seconds < begin) | (log.seconds > end)
        part = MeterLog(log.seconds[kept], log.watts[kept])
        if sound:
            assert part.align(busy, idle) == log.align(busy, idle)
        else:
            with pytest.raises(NasbenchError, match=r"no row for 1\.\d+ s from 1\d\.\d+ s"):
                part.align(busy, idle)
    slow = MeterLog(log.seconds * 1000, log.watts)  # milliseconds that are said to be seconds
    with pytest.raises(NasbenchError, match=r"has a row every \d+\.\d s, by the unit"):
        slow.align(busy, idle)


def test_hours_of_a_log_are_looked_through_at_once() -> None:
    rng = np.random.default_rng(0)
    busy, idle = pattern(rng)
    log = logged(busy, [MARKED] * len(busy), 5.0, rng)
    rest = np.arange(log.seconds[-1] + 0.5, 7_200, 0.5)
    long = MeterLog(np.append(log.seconds, rest), np.append(log.watts, np.full(len(rest), IDLE)))
    assert long.align(busy, idle) == log.align(busy, idle)


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("time_s,power_w\n0,1.5\n1,2.5\n", [1.5, 2.5]),
        ("Index,Time (ms),Voltage (V),Power (mW)\n0,0,5,1500\n1,1000,5,2500\n\n", [1.5, 2.5]),
        ("\ufeff\n time_s , power_w \r\n0, 1.5,\r\n1, 2.5,\r\n", [1.5, 2.5]),
    ],
)
def test_columns_are_found_by_name_and_unit(text: str, watts: list[float], tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    log = MeterLog.read(path)
    assert log.watts.tolist() == watts
    assert log.seconds.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no column of time in a known unit, as time_s; the columns are none"),
        ("time_s,current_a\n", "no column of power in a known unit"),
        ("time_h,power_w\n", "no column of time in a known unit"),
        ("time_s,power_w\n0,1\n1,lots\n", "line 3: a time and a power are numbers"),
        ("time_s,power_w\n0,1\n1\n", "line 3: a time and a power are numbers"),
        ("time_s,power_w\n0,1\n0,1\n", "line 3: times go up, and 0 does not come after"),
        ("time_s,power_w\n1,1\n\n0,1\n", "line 4: times go up"),
        ("time_s,power_w\n0,nan\n1,1\n", "line 2: no meter logs"),
        ("time_s,power_w\ninf,1\n", "line 2: no meter logs"),
        ("time_s,power_w\n0,1e300\n", "line 2: no meter logs"),
        ("time_s,power_w\n1764541380000000,1\n", "line 2: no meter logs"),
        ("time_s,power_w\n2026-11-30T22:43:00+01:00,1\n", "are numbers, got .'2026-11-30T22"),
        ("time_s,power_w\n0,1\n", "has 1 row, and a log two at least"),
        ("time_s,power_w\n", "has 0 rows"),
        ("time_s,power_w\n0,1\n1.7e9,1\n", "is the unit right"),
        ("time_s,power_w\n0,5,1,25\n", "4 cells, and there are 2 columns: numbers have a decimal"),
        ('time_s,power_w\n"0,5","1,25"\n', "line 2: a time and a power are numbers"),
        ("time_s;power_w\n0,5;1,25\n", "the columns are time_s;power_w .commas part them."),
        ("time_s,power_1_w,power_2_w\n0,1,1\n", "2 columns of power, leave one"),
        ("time_s,power_w\n0," + "1" * 200_000, "line 2: field larger than"),
    ],
)
def test_what_is_no_log_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NasbenchError, match=sentence):
        MeterLog.read(path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that hurries: a marker of a second, loops and pauses of tenths."""
    monkeypatch.setattr(probe, "MARKER", (0.3, 0.25, 0.5, 0.25, 0.3, 0.25))
    monkeypatch.setattr(probe, "ENERGY_SECONDS", 0.3)
    monkeypatch.setattr(probe, "PAUSE_SECONDS", 0.25)


def test_the_pattern_is_busy_and_idle_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr(probe.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(probe.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    runs = [lambda s=s: now.__setitem__(0, now[0] + s) for s in (0.3, 0.5)]
    seen = watched(runs, began=5.0)
    lengths = [[round(end - begin, 3) for begin, end in seen[key]] for key in ("busy", "idle")]
    # The marker is made with the last run, the reference: of half a second.
    assert lengths == [[1.0, 2.0, 1.0, 1.2, 1.0], [1.0, 1.0, 2.0, 0.5, 0.5]]
    assert seen["loops"] == [[3, 4], [4, 2]]
    assert seen["busy"][0][0] == 0.0


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_job_beside_a_meter(tmp_path: Path, mini: CellSpace) -> None:
    spec = DeviceSpec("onnxruntime", label="board", repeats=3, warm_up=1, seconds=0.001)
    net = randomized(network(mini.live_graph(7)), seed=1)
    inputs = Signal("image", SHAPE, "uint8")
    before = RemoteDevice(spec, FolderCarrier(tmp_path), metered=True)
    sent_job = before.send([net], inputs)
    probe.by_hand(str(tmp_path))
    data = (tmp_path / "jobs" / sent_job.name / "results.jsonl").read_bytes()
    one = read_results(data, sent_job.name, sent_job.files).found[sent_job.files[0]]
    assert isinstance(one, Timed)
    assert one.seen is not None
    assert one.seen.loop in one.seen.busy
    levels = [5.0 if interval == one.seen.loop else 4.0 for interval in one.seen.busy]
    seconds = np.arange(0.0, one.seen.busy[-1][1] + 20, 0.01)
    power = np.full(len(seconds), IDLE)
    for (begin, end), level in zip(one.seen.busy, levels, strict=True):
        power[(seconds >= 7 + begin) & (seconds < 7 + end)] = level
    log = MeterLog(seconds, power)
    device = RemoteDevice(spec, FolderCarrier(tmp_path), metered=True, log=log)
    (m,) = device.measure([net], inputs)
    each = (one.seen.loop[1] - one.seen.loop[0]) / one.seen.runs
    assert m.power_w == pytest.approx(5.0, rel=0.05)
    assert m.energy_mj == pytest.approx(5e3 * each, rel=0.05)
    assert m.energy_net_mj == pytest.approx(3e3 * each, rel=0.1)
    assert m.kind["energy_mj"] == "measured"
    assert device.describe()["energy"]["source"] == METER
    assert not math.isnan(m.latency_ms)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(loop=[99, 1]),
        lambda said: said.update(loop=[0, 0]),
        lambda said: said.update(busy=[[2.0, 1.0]]),
        lambda said: said.update(busy=[[1.0, 1.1]]),
        lambda said: said.update(idle=[]),
        lambda said: said.update(session=5),
        lambda said: said.pop("busy"),
    ],
)
def test_patterns_that_no_probe_makes_are_refused(change: object, mini: CellSpace) -> None:
    del mini
    said = {"session": "a", "busy": [[0.0, 1.0]], "idle": [[1.0, 2.0]], "loop": [0, 3]}
    change(said)  # type: ignore[operator]
    timing = [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0], 1.0, 3]
    row = {"file": "a", "answer": [1.0], "drift": None, "mhz": None, "fault": "", "meter": said}
    row |= {"timing": timing, "reference": timing}
    with pytest.raises(NasbenchError, match="damaged in entry 1"):
        read_results(probe.line_of(row), "job", ["a"])


def test_without_a_meter_nothing_is_marked(tmp_path: Path, mini: CellSpace) -> None:
    contents = files(mini, 2)
    names = list(contents)
    name = sent(tmp_path, contents, job(names))
    measure(str(tmp_path), name, Board())
    assert b'"meter"' not in results(tmp_path, name).read_bytes()
    assert json.loads((tmp_path / "jobs" / name / "job.json").read_bytes())["meter"] is False
