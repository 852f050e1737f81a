"""What counts power and energy, on made-up boards under a clock that only runs move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from device_jobs import files, job, results, sent

from nasbench.device import probe
from nasbench.device.energy import BoardMeter, energies, find_meter
from nasbench.device.probe import Board, Energy, Refused, energy_of, measure, rest
from nasbench.device.results import Timed, read_results
from nasbench.space import CellSpace

NANO = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/"
ORIN = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/"
RAPL = "sys/class/powercap/"


def write(root: Path, files: dict[str, object]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def nano(root: Path, milliwatts: int = 2000) -> Board:
    names = ("POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU")
    for number, (name, share) in enumerate(zip(names, (1, 4, 2), strict=True)):
        write(root, {f"{NANO}rail_name_{number}": name})
        write(root, {f"{NANO}in_power{number}_input": milliwatts // share})
    return Board(str(root))


def orin(root: Path, milliamperes: int = 400, first: str = "VDD_IN") -> Board:
    for number, name in enumerate((first, "VDD_CPU_GPU_CV", "VDD_SOC"), 1):
        write(root, {f"{ORIN}in{number}_label": name, f"{ORIN}in{number}_input": 5000})
        write(root, {f"{ORIN}curr{number}_input": milliamperes})
    return Board(str(root))


def rapl(root: Path, package: int = 0, dram: int = 0, most: int = 999_999) -> Board:
    zones = {
        "intel-rapl:0": ("package-0", package),
        "intel-rapl:0:0": ("core", 77),
        "intel-rapl:0:1": ("dram", dram),
        "intel-rapl:1": ("psys", 88),
    }
    for zone, (name, energy) in zones.items():
        write(root, {f"{RAPL}{zone}/name": name, f"{RAPL}{zone}/energy_uj": energy})
        write(root, {f"{RAPL}{zone}/max_energy_range_uj": most})
    return Board(str(root))


def test_a_nano_is_read_by_the_rail_of_all_that_goes_in(tmp_path: Path) -> None:
    board = nano(tmp_path, 2345)
    assert board.energy_source == "INA3221, POM_5V_IN"
    assert board.watts() == pytest.approx(2.345)


def test_orins_are_read_by_volts_and_amperes(tmp_path: Path) -> None:
    board = orin(tmp_path / "nx", 400)
    assert board.energy_source == "INA3221, VDD_IN"
    assert board.watts() == pytest.approx(2.0)
    board = orin(tmp_path / "agx", 400, first="VDD_GPU_SOC")  # which has no rail of all
    assert board.watts() == pytest.approx(6.0)
    assert "VDD_CPU_GPU_CV and VDD_GPU_SOC and VDD_SOC" in board.energy_source


def test_a_rail_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    nano(tmp_path)
    (tmp_path / NANO / "in_power0_input").unlink()
    write(tmp_path, {f"{NANO}in_power1_input": "what"})
    assert Board(str(tmp_path)).energy_source == "INA3221, POM_5V_CPU"


def test_packages_and_memory_are_counted_once(tmp_path: Path) -> None:
    board = rapl(tmp_path)
    assert board.energy_source == "RAPL, intel-rapl:0 package-0 and intel-rapl:0:1 dram"


class Time:
    """Moves while runs compute, and while the process sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(probe.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(probe.time, "sleep", self.move)

    def move(self, seconds: float) -> None:
        self.now += seconds


def test_counters_that_begin_again_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time(monkeypatch)
    board = rapl(tmp_path, package=900_000, dram=10)

    def work() -> int:
        clock.move(0.5)
        rapl(tmp_path, package=100_000, dram=110)  # 200 mJ, across the end at 999,999 uJ
        return 7

    assert board.joules_of(work) == (pytest.approx(0.2001), 0.5, 7)


def test_gross_and_net_of_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time(monkeypatch)
    taken = [0.0]

    def spend(watts: float, seconds: float) -> None:
        clock.move(seconds)
        taken[0] += watts * seconds
        rapl(tmp_path, package=round(taken[0] * 1e6), most=10**12)

    board = rapl(tmp_path, most=10**12)
    monkeypatch.setattr(probe.time, "sleep", lambda seconds: spend(2.0, seconds))
    idle = rest(board)
    assert idle == pytest.approx(2.0)
    found = energy_of(lambda: spend(5.0, 0.01), board, idle)  # 10 ms at 5 W
    assert found.gross == pytest.approx(50, rel=1e-4)
    assert found.net == pytest.approx(30, rel=1e-4)
    assert found.watts == pytest.approx(5)
    assert clock.now == pytest.approx(2.0, abs=0.02)  # a second each, never a single run


def test_rails_are_integrated_over_time(tmp_path: Path) -> None:
    # Uneven samples: 2 W for 3 s, then up to 6 W within 1 s.
    assert probe.mean_of([(0.0, 2.0), (1.0, 2.0), (3.0, 2.0), (4.0, 6.0)]) == 2.5
    assert probe.mean_of([(1.0, 3.0)]) == 3.0


def test_a_rail_is_sampled_while_a_run_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "ENERGY_SECONDS", 0.05)
    board = nano(tmp_path, 2000)
    idle = rest(board)
    assert idle == pytest.approx(2.0)
    write(tmp_path, {f"{NANO}in_power0_input": 5000})
    found = energy_of(lambda: sum(range(1000)), board, idle)
    assert found.watts == pytest.approx(5.0)
    assert found.net / found.gross == pytest.approx(0.6)


def test_where_nothing_counts_it_is_said(tmp_path: Path) -> None:
    board = Board(str(tmp_path))
    assert board.energy_source == ""
    with pytest.raises(Refused, match="nothing counts energy"):
        board.joules_of(lambda: 1)
    assert find_meter("cpu", board=board).describe()["kind"] == "estimated"


def test_this_machines_sensors_are_read_where_zeus_is_not(tmp_path: Path) -> None:
    meter = find_meter("cpu", board=nano(tmp_path))
    assert isinstance(meter, BoardMeter)
    told = meter.describe()
    assert (told["kind"], told["source"]) == ("measured", "INA3221, POM_5V_IN")
    assert told["window_seconds"] >= 1


def test_counters_that_stood_still_give_reasons() -> None:
    assert {reading.kind for reading in energies(Energy(0.0, 0.0, 0.0)).values()} == {""}


def test_a_job_on_a_board_with_sensors_brings_energy(
    tmp_path: Path, mini: CellSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "ENERGY_SECONDS", 0.02)
    contents = files(mini, 2)
    names = list(contents)
    name = sent(tmp_path, contents, job(names))
    measure(str(tmp_path), name, nano(tmp_path / "root", 3000))
    found = read_results(results(tmp_path, name).read_bytes(), name, names[1:])
    assert found.board["energy_source"] == "INA3221, POM_5V_IN"
    one = found.found[names[1]]
    assert isinstance(one, Timed)
    assert one.energy is not None
    assert one.energy.watts == pytest.approx(3.0)
    assert one.energy.gross > 0
    assert one.energy.net == pytest.approx(0.0, abs=1e-9 + 1e-6 * one.energy.gross)


def test_int8_has_no_made_up_energy() -> None:
    read: Callable[..., object] = find_meter("mps", "int8").read
    found = read(lambda: None, None, None)
    assert "prices float32, not int8" in found["energy_mj"].reason  # type: ignore[index]
