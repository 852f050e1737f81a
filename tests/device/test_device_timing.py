"""Timing in turn, under clocks that only the runs move."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nasbench.device import probe
from nasbench.device.probe import Board, State, mean_of, sum_up, time_in_turn, time_turn

MS = 1_000_000


class Clocks:
    """Stand still but for what runs take; others are at work meanwhile where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.cpu = 0
        self.switched = 0
        self.order: list[str] = []
        self.slept = 0.0
        self.asleep: Callable[[], object] = lambda: None
        monkeypatch.setattr(probe.time, "perf_counter", lambda: self.wall / 1e9)
        monkeypatch.setattr(probe.time, "perf_counter_ns", lambda: self.wall)
        monkeypatch.setattr(probe.time, "process_time_ns", lambda: self.cpu)
        monkeypatch.setattr(probe, "_switches", lambda: self.switched)
        monkeypatch.setattr(probe.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.wall += int(seconds * 1e9)
        self.slept += seconds
        self.asleep()

    def run(
        self,
        name: str,
        ms: Callable[[int], float],
        others: Callable[[int], float] = lambda _: 0.0,
    ) -> Callable[[], None]:
        def work() -> None:
            done = self.order.count(name)
            self.cpu += int(ms(done) * MS)
            self.wall += int((ms(done) + others(done)) * MS)
            self.switched += others(done) > 0
            self.order.append(name)

        return work


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_a_visit_is_some_runs_back_to_back(clocks: Clocks) -> None:
    runs = [clocks.run(name, lambda _: 1.0) for name in "abc"]
    samples = time_in_turn(runs, warm_up=2, repeats=6, seconds=0.001)
    assert "".join(clocks.order) == 2 * "abc" + 2 * "aaaabbbbcccc"
    assert samples.wall.shape == samples.cpu.shape == samples.switches.shape == (3, 2, 4)


def test_warm_up_lasts_as_long_as_a_network_may_be_timed(clocks: Clocks) -> None:
    time_in_turn(
        [clocks.run("a", lambda _: 1.0), clocks.run("b", lambda _: 1.0)],
        warm_up=2,
        repeats=30,
        seconds=0.01,
    )
    assert clocks.order.index("a", 1) == 2
    # 10 ms hold five rounds of both; eight visits of four runs are the least that is timed.
    assert len(clocks.order) == 2 * (5 + 8 * 4)


def test_each_run_is_timed_alone_by_both_clocks(clocks: Clocks) -> None:
    runs = [
        clocks.run("slow", lambda done: 100.0 if done < 3 else 2.0**-done, lambda done: done % 2),
        clocks.run("fast", lambda done: 50.0 if done < 3 else 2.0 ** -(done + 3)),
    ]
    samples = time_in_turn(runs, warm_up=3, repeats=6, seconds=1e-9)
    rounds = np.arange(3, 11)
    assert samples.cpu.reshape(2, -1) == pytest.approx(
        np.stack([2.0**-rounds, 2.0 ** -(rounds + 3)]), abs=1e-6
    )
    assert (samples.wall - samples.cpu)[0].ravel() == pytest.approx(rounds % 2)
    assert (samples.switches[0].ravel() == rounds % 2).all()
    assert not samples.switches[1].any()


@pytest.mark.parametrize(
    ("seconds", "repeats", "visits"),
    [
        (0.001, 50, 8),  # the least
        (0.001, 3, 1),  # but never more than asked for
        (0.001, 5, 2),
        (0.027, 500, 9),  # two runs of 1 ms and 0.5 ms: 54 ms hold 9 visits of 6 ms
        (1000.0, 50, 17),
    ],
)
def test_budget_ends_the_visits(seconds: float, repeats: int, visits: int, clocks: Clocks) -> None:
    runs = [clocks.run("a", lambda _: 1.0), clocks.run("b", lambda _: 0.5)]
    samples = time_in_turn(runs, warm_up=1, repeats=repeats, seconds=seconds)
    assert samples.wall.shape == (2, visits, 4)


def test_cold_runs_are_counted_apart_and_quantiles_are_of_warm_ones(
    clocks: Clocks, tmp_path: Path
) -> None:
    # After two runs of warming up, the first of each four takes 9 ms, others 1 to 4 ms.
    def ms(done: int) -> float:
        return 9.0 if done % 4 == 2 else 1.0 + done % 4

    turn = time_turn(
        [clocks.run("a", ms)],
        Board(str(tmp_path)),
        clock="cpu",
        warm_up=2,
        repeats=24,
        seconds=1e-9,
    )
    (timing,) = turn.timings
    warm = np.quantile([1.0, 2.0, 4.0], (0.1, 0.5, 0.9))  # each alike often
    assert timing.cold == (9.0, 9.0)
    assert timing.cpu[1] == warm[1] == 2.0
    assert timing.cpu[0] == 1.0
    assert timing.cpu[2] == 4.0
    assert timing.runs == 24
    assert turn.drift == 0
    assert not turn.fault


def test_what_others_do_marks_the_wall_clock_alone(clocks: Clocks, tmp_path: Path) -> None:
    run = clocks.run("a", lambda _: 2.0, lambda done: 0.0 if done % 3 == 0 else 5.0)
    turn = time_turn([run], Board(str(tmp_path)), clock="cpu", warm_up=1, repeats=30, seconds=1e-9)
    (timing,) = turn.timings
    assert timing.cpu == (2.0, 2.0, 2.0)
    assert timing.wall[1:] == (7.0, 7.0)
    assert timing.undisturbed == pytest.approx(1 / 3, abs=0.05)
    assert turn.drift == 0


@pytest.mark.parametrize("clock", ["cpu", "wall"])
@pytest.mark.parametrize(
    ("slow_turns", "fault"),
    [(0, ""), (2, ""), (3, "drift")],
)
def test_a_turn_that_drifts_is_done_again_at_most_twice(
    clock: str, slow_turns: int, fault: str, clocks: Clocks, tmp_path: Path
) -> None:
    turn_of = 1 + 8 * 4

    def ms(done: int) -> float:
        turn, place = divmod(done, turn_of)
        return 1.1 if turn < slow_turns and place > turn_of // 2 else 1.0

    runs = [clocks.run(name, ms) for name in "ab"]
    turn = time_turn(runs, Board(str(tmp_path)), clock=clock, warm_up=1, repeats=24, seconds=1e-9)
    assert len(clocks.order) == 2 * turn_of * min(slow_turns + 1, 3)
    assert turn.fault == fault
    assert turn.drift == pytest.approx(0.1 if fault else 0.0)


def test_drift_by_the_other_clock_is_none(clocks: Clocks, tmp_path: Path) -> None:
    run = clocks.run("a", lambda _: 1.0, lambda done: float(done))
    turn = time_turn([run], Board(str(tmp_path)), clock="cpu", warm_up=1, repeats=24, seconds=1e-9)
    assert (turn.drift, turn.fault) == (0.0, "")


def test_few_visits_say_nothing_about_drift(clocks: Clocks, tmp_path: Path) -> None:
    run = clocks.run("a", lambda done: float(done + 1))
    turn = time_turn([run], Board(str(tmp_path)), clock="cpu", warm_up=1, repeats=21, seconds=1e-9)
    assert math.isnan(turn.drift)
    assert not turn.fault


def test_a_clock_that_stands_still_is_no_drift(clocks: Clocks, tmp_path: Path) -> None:
    """Its ticks are longer than a run: nothing is known of speed, and no turn is made again."""
    run = clocks.run("a", lambda _: 0.0, lambda _: 1.0)
    turn = time_turn([run], Board(str(tmp_path)), clock="cpu", warm_up=1, repeats=24, seconds=1e-9)
    assert math.isnan(turn.drift)
    assert not turn.fault
    assert mean_of([(5.0, 1.0), (5.0, 3.0)]) == 2.0


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


CPU0 = "sys/devices/system/cpu/cpu0/"


def machine(root: Path, **changed: str) -> Board:
    said = {
        f"{CPU0}cpufreq/scaling_cur_freq": "1200000",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1400000",
        f"{CPU0}cpufreq/scaling_governor": "schedutil",
        f"{CPU0}cpufreq/cpuinfo_max_freq": "1479000",
        f"{CPU0}thermal_throttle/core_throttle_count": "7",
        "sys/class/thermal/cooling_device0/cur_state": "1",
        "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    }
    write(root, **{**said, **changed})
    return Board(str(root))


def test_a_board_says_its_governor_frequency_and_model(tmp_path: Path) -> None:
    found = machine(tmp_path)
    told = found.describe()
    assert told["governor"] == ["schedutil"]
    assert told["most_mhz"] == [1479]
    assert told["hardware_model"] == "NVIDIA Jetson Nano Developer Kit"
    assert found.state().frequency_mhz == 1300


@pytest.mark.parametrize(
    ("changed", "throttled"),
    [
        ({}, False),
        ({f"{CPU0}thermal_throttle/core_throttle_count": "8"}, True),
        ({"sys/class/thermal/cooling_device0/cur_state": "2"}, True),
        ({"sys/class/thermal/cooling_device0/cur_state": "0"}, False),
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "50000"}, False),  # long ago
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"}, True),  # and now
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "what"}, False),
    ],
)
def test_throttling_is_seen(changed: dict[str, str], throttled: bool, tmp_path: Path) -> None:
    before = machine(tmp_path).state()
    assert machine(tmp_path, **changed).state().throttled_since(before) is throttled


def test_who_says_nothing_of_heat_is_not_called_cool(tmp_path: Path) -> None:
    nothing = Board(str(tmp_path)).state()
    assert nothing == State([], [], [], None)
    assert nothing.throttled_since(nothing) is None
    assert math.isnan(nothing.frequency_mhz)


def test_a_throttled_turn_is_missing(clocks: Clocks, tmp_path: Path) -> None:
    found = machine(tmp_path)

    def heat() -> None:
        clocks.wall += MS
        clocks.cpu += MS
        state = str(len(clocks.order))
        clocks.order.append("a")
        write(tmp_path, **{"sys/class/thermal/cooling_device0/cur_state": state})

    turn = time_turn([heat], found, clock="cpu", warm_up=1, repeats=3, seconds=1e-9)
    assert turn.throttled
    assert turn.fault == "throttled"
    assert len(clocks.order) == 3 * (1 + 4)
    assert turn.paused == 2 * probe.COOL_SECONDS  # it never cools, and is not waited for at last


def test_a_board_that_cools_down_is_measured_again(clocks: Clocks, tmp_path: Path) -> None:
    found = machine(tmp_path)
    cooling = "sys/class/thermal/cooling_device0/cur_state"

    def heat() -> None:
        clocks.wall += MS
        clocks.order.append("a")
        if len(clocks.order) == 3:
            write(tmp_path, **{cooling: "2"})

    clocks.asleep = lambda: clocks.slept == 4 and write(tmp_path, **{cooling: "0"})
    turn = time_turn([heat], found, clock="wall", warm_up=1, repeats=3, seconds=1e-9)
    assert (turn.fault, turn.throttled, turn.paused) == ("", False, 4)


def test_the_probe_is_python_of_boards_and_stands_alone() -> None:
    text = Path(probe.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 8))
    for node in ast.walk(tree):
        named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        named += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        assert not any(name.partition(".")[0] == "nasbench" for name in named)


@pytest.mark.parametrize(("every", "visits"), [(4, 8), (1, 24)])
def test_where_others_interrupt_most_runs_more_are_made(
    every: int, visits: int, clocks: Clocks
) -> None:
    run = clocks.run("a", lambda _: 1.0, lambda done: float(done % every == 0))
    samples = time_in_turn([run], warm_up=1, repeats=24, seconds=1e-9)
    assert samples.wall.shape == (1, visits, 4)


@pytest.mark.parametrize("disturbed", [False, True])
def test_the_fastest_run_counts_where_few_are_undisturbed(clocks: Clocks, disturbed: bool) -> None:
    """Of a calm turn it is the fastest tenth, which one lucky run does not move."""
    run = clocks.run("a", lambda done: 1.0 if done == 3 else 1.4, lambda _: float(disturbed))
    (timing,) = sum_up(time_in_turn([run], warm_up=1, repeats=24, seconds=1e-9))
    assert timing.cpu[0] == pytest.approx(1.0 if disturbed else 1.4)
    assert timing.cpu[1:] == pytest.approx((1.4, 1.4))
