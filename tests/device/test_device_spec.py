"""What a device's description accepts, and what it says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from nasbench.device import DeviceSpec, make_device
from nasbench.errors import NasbenchError


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "cpu-torch-b1"),
        ({"runtime": "onnxruntime", "batch_size": 64}, "cpu-onnxruntime-b64"),
        ({"hardware": "cuda", "batch_size": 256}, "cuda-torch-b256"),
        ({"threads": 4}, "cpu-torch-b1-t4"),
        ({"runtime": "openvino"}, "cpu-openvino-b1"),
        ({"runtime": "onnxruntime", "precision": "int8"}, "cpu-onnxruntime-b1-int8"),
    ],
)
def test_name_tells_devices_apart(values: dict[str, Any], name: str) -> None:
    assert DeviceSpec.from_dict(values).name == name


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"batchsize": 1}, "unknown key of a device 'batchsize'; did you mean batch_size"),
        ({"runtime": "onnx_runtime"}, "did you mean onnxruntime"),
        ({"hardware": "tpu"}, "unknown hardware of a device 'tpu'"),
        ({"runtime": "onnxruntime", "hardware": "cuda"}, "use runtime torch"),
        ({"runtime": "openvino", "hardware": "cuda"}, "openvino measures on the cpu"),
        ({"precision": "int4"}, "unknown precision of a device 'int4'"),
        ({"precision": "int8"}, "torch measures float32, not int8; use runtime onnxruntime"),
        ({"batch_size": 0}, "batch_size must be an integer above 0, got 0"),
        ({"threads": 1.5}, "threads must be an integer above 0, got 1.5"),
        ({"warm_up": True}, "warm_up must be an integer above 0, got True"),
        ({"repeats": -3}, "repeats must be an integer above 0, got -3"),
        ({"batch_size": 10**9}, "batch_size must be at most 65,536, got 1000000000"),
        ({"threads": 100_000}, "threads must be at most 256, got 100000"),
        ({"warm_up": 10**5000}, "warm_up must be at most 10,000, got an integer of 16610 bits"),
        ({"repeats": 10**6}, "repeats must be at most 100,000, got 1000000"),
        ({"seconds": 1e300}, "seconds must be at most 3,600, got 1e+300"),
        ({"clock": "sun"}, "unknown clock of a device 'sun'"),
        ({"clock": "cpu", "threads": 2}, "one thread on the cpu, not 2 threads; use clock wall"),
        ({"clock": "cpu", "hardware": "cuda"}, "one thread on the cpu, not cuda; use clock wall"),
        ({"runtime": ["torch"]}, "unknown runtime of a device ['torch']"),
        ({"seconds": 0}, "seconds must be a number above 0, got 0"),
        ({"seconds": float("nan")}, "seconds must be a number above 0, got nan"),
        ({"seconds": "1"}, "seconds must be a number above 0, got '1'"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NasbenchError) as error:
        DeviceSpec.from_dict(values)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("values", "clock"),
    [
        ({}, "cpu"),
        ({"clock": "wall"}, "wall"),
        ({"threads": 2}, "wall"),
        ({"hardware": "cuda"}, "wall"),
        ({"hardware": "mps"}, "wall"),
    ],
)
def test_the_clock_that_counts(values: dict[str, Any], clock: str) -> None:
    spec = DeviceSpec.from_dict(values)
    assert spec.clock == clock
    assert "wall" not in spec.name  # one device a runtime, not one a clock
    assert "cpu-cpu" not in spec.name


def test_description_reads_back() -> None:
    spec = DeviceSpec(batch_size=64, threads=2, seconds=0.5)
    values = json.loads(json.dumps(spec.describe()))
    assert values.pop("name") == spec.name
    assert DeviceSpec.from_dict(values) == spec


@pytest.mark.process
def test_the_room_loads_no_torch() -> None:
    program = "import sys, nasbench.device as d; d.DeviceSpec(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("package", "values", "extra"),
    [
        ("onnx", {"runtime": "onnxruntime"}, "onnx"),
        ("onnxruntime", {"runtime": "onnxruntime"}, "onnx"),
        ("openvino", {"runtime": "openvino"}, "openvino"),
        ("onnxruntime", {"runtime": "openvino", "precision": "int8"}, "onnx"),
    ],
)
def test_missing_extra_is_named(
    package: str, values: dict[str, Any], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if values["runtime"] == "openvino" != package:
        pytest.importorskip("openvino")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NasbenchError, match=rf"pip install 'nasbench-harness\[{extra}\]'"):
        make_device(DeviceSpec(**values))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_missing_hardware_is_one_sentence() -> None:
    with pytest.raises(NasbenchError, match="no hardware 'cuda'"):
        make_device(DeviceSpec(hardware="cuda"))
