"""The HW-NAS-Bench importer, on the release's layout and on damaged copies of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.importers import hwnasbench, import_table
from nasbench.space import get

CELLS = np.arange(15_625)
# What HW-NAS-Bench's README prints for network 0 on CIFAR-10: latencies in ms, energies in mJ.
README = {
    ("edgegpu", "latency_ms"): 5.807418537139893,
    ("edgegpu", "energy_mj"): 24.226614330768584,
    ("raspi4", "latency_ms"): 10.481976820010459,
    ("edgetpu", "latency_ms"): 0.9571811309997429,
    ("pixel3", "latency_ms"): 3.6058499999999998,
    ("eyeriss", "latency_ms"): 3.645620000000001,
    ("eyeriss", "energy_mj"): 0.6872827644999999,
    ("fpga", "latency_ms"): 2.57296,
    ("fpga", "energy_mj"): 18.01072,
}


@pytest.fixture(scope="module")
def release(shared_data: Path) -> Path:
    return shared_data / "HW-NAS-Bench-layout.pickle"


@pytest.fixture(scope="module")
def nested(published: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's CIFAR-10 costs, nested as its file has them, -1 where a device refuses."""
    strings = published["architectures"].tolist()
    held: dict[str, Any] = {"config": [{"arch_str": string} for string in strings]}
    for device, metric in README:
        costs = published[f"device/{device}/{metric}"].astype(np.float64)
        held[f"{device}_{metric.split('_')[0]}"] = np.nan_to_num(costs, nan=-1).tolist()
    held["eyeriss_arithmetic_intensity"] = [1.0] * len(strings)
    return write(tmp_path_factory.mktemp("hw"), {"nasbench201": {"cifar10": held}})


@pytest.fixture(scope="module")
def made_up() -> Mapping[str, Any]:
    """The release's nesting, with made-up numbers, for the few cells of `nb201-mini`."""
    space = get("nb201-mini")
    latency = np.linspace(1, 2, space.size)
    return {
        "nasbench201": {
            "cifar10": {
                "config": [{"arch_str": space.string(cell)} for cell in range(space.size)],
                "edgetpu_latency": np.where(np.arange(space.size) == 3, -1, latency).tolist(),
                "fpga_latency": latency,
                "fpga_energy": (7 * latency).tolist(),
                "average_hw_metric": latency.tolist(),
            }
        }
    }


def write(folder: Path, content: object) -> Path:
    path = folder / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(content))
    return path


def take(source: Path, folder: Path, dataset: str = "cifar10"):
    return import_table("hw-nas-bench", source, folder / "hw.h5", dataset=dataset)


def take_mini(source: Path, folder: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hwnasbench, "get", lambda name: get("nb201-mini"))
        return take(source, folder)


def test_costs_agree_with_the_release_s_readme_and_with_the_extract(nested, published, tmp_path):
    table = take(nested, tmp_path)
    assert table.recipes == ()
    for (device, metric), cost in README.items():
        assert table.cost(device, metric, 0) == pytest.approx(cost, rel=1e-6)
        extract = published[f"device/{device}/{metric}"]
        costs = table.cost(device, metric, CELLS)
        assert np.array_equal(costs.astype(np.float32), extract, equal_nan=True)
    assert len(table.missing_cost("edgetpu", "latency_ms")) == 4_699
    kinds = {d: told["kinds"] for d, told in table.manifest["devices"].items()}
    assert kinds["fpga"] == {"latency_ms": "imported", "energy_mj": "derived"}
    assert kinds["eyeriss"] == {"latency_ms": "imported", "energy_mj": "imported"}
    assert "eyeriss_arithmetic_intensity" in table.manifest["source"]["notes"]["left out"]


def test_other_images_cost_otherwise(release, tmp_path):
    table = take(release, tmp_path, "cifar100")
    assert table.cost("edgegpu", "latency_ms", 0) == pytest.approx(5.866079330444336)
    with pytest.raises(NasbenchError, match="cifar100"):
        take(release, tmp_path, "cifar-100")


def test_unsupported_mixed_and_derived(made_up, tmp_path):
    table = take_mini(write(tmp_path, made_up), tmp_path)
    assert table.missing_cost("edgetpu", "latency_ms") == {
        3: "the device does not support this architecture"
    }
    assert "average_hw_metric" in table.manifest["source"]["notes"]["left out"]
    assert table.manifest["devices"]["fpga"]["kinds"]["energy_mj"] == "derived"


def test_energy_that_is_not_derived_is_not_called_so(made_up, tmp_path):
    changed = copy.deepcopy(made_up)
    changed["nasbench201"]["cifar10"]["fpga_energy"][9] *= 1.0001
    table = take_mini(write(tmp_path, changed), tmp_path)
    assert table.manifest["devices"]["fpga"]["kinds"]["energy_mj"] == "imported"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held.pop("config"), "config"),
        (lambda held: held["config"].reverse(), "network 0 is"),
        (lambda held: held["config"].__setitem__(5, None), "network 5 is 'None'"),
        (lambda held: held["fpga_energy"].pop(), "125 numbers"),
        (lambda held: held["fpga_energy"].__setitem__(2, "7"), "something else than numbers"),
        (lambda held: held["fpga_energy"].__setitem__(2, True), "something else than numbers"),
        (lambda held: held["fpga_energy"].__setitem__(2, -2.0), "architecture 2 is -2"),
        (lambda held: held["fpga_energy"].__setitem__(2, float("inf")), "architecture 2 is inf"),
        (lambda held: held["fpga_energy"].__setitem__(2, 10**400), "64 bits"),
        (lambda held: held.update(fpga_latency=np.ones((125, 2))), "something else"),
        (lambda held: [held.pop(m) for m in list(held) if m != "config"], "holds none of"),
    ],
)
def test_refused_by_name(made_up, tmp_path, change, said):
    changed = copy.deepcopy(made_up)
    change(changed["nasbench201"]["cifar10"])
    with pytest.raises(NasbenchError, match=said):
        take_mini(write(tmp_path, changed), tmp_path)


@pytest.mark.parametrize(
    "content", [None, [1], {}, {"nasbench201": 3}, {"nasbench201": {"cifar10": []}}, {"fbnet": {}}]
)
def test_pickles_of_something_else(tmp_path, content):
    with pytest.raises(NasbenchError, match="not laid out like HW-NAS-Bench"):
        take_mini(write(tmp_path, content), tmp_path)


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_files(tmp_path_factory, made_up, data):
    """A damaged pickle is refused, or some numbers in it are others."""
    folder = tmp_path_factory.getbasetemp() / "damaged-hw"
    folder.mkdir(exist_ok=True)
    content = bytearray(pickle.dumps(made_up))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = folder / "damaged.pickle"
    path.write_bytes(content)
    try:
        table = take_mini(path, folder)
    except NasbenchError:
        return
    for device, told in table.manifest["devices"].items():
        for metric in told["kinds"]:
            costs = table.device_column(device, metric)
            assert not (costs < 0).any()
            assert not np.isinf(costs).any()
