"""Jobs for a probe, made of small files, and what becomes of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from device_networks import image, network, randomized

from nasbench.device import probe
from nasbench.device.onnx_graph import to_onnx
from nasbench.space import CellSpace

SHAPE = (1, 4, 4)


def files(mini: CellSpace, n: int) -> dict[str, bytes]:
    """Files by their hash; they differ in what they say of themselves."""
    model = to_onnx(randomized(network(mini.live_graph(7), channels=2), 1), image(SHAPE))
    found = {}
    for number in range(n):
        model.doc_string = str(number)
        content = model.SerializeToString()
        found[hashlib.sha256(content).hexdigest()] = content
    return found


def job(names: list[str], **changed: Any) -> dict[str, Any]:
    said = {
        "probe": probe.VERSION,
        "files": names[1:],
        "reference": names[0],
        "shape": SHAPE,
        "batch": 1,
        "in_turn": 2,
        "meter": False,
        "runtime": "onnxruntime",
        "threads": 1,
        "clock": "cpu",
        "warm_up": 1,
        "repeats": 3,
        "seconds": 0.001,
    }
    return {**said, **changed}


def sent(folder: Path, contents: dict[str, bytes], said: dict[str, Any]) -> str:
    """The job laid down in a folder; its name."""
    head = json.dumps([[name, len(content)] for name, content in contents.items()]).encode()
    assert probe.put(str(folder), b"\n".join([head, b"".join(contents.values())])) == {}
    return str(probe.begin(str(folder), json.dumps(said).encode())["job"])


def results(folder: Path, name: str) -> Path:
    return folder / "jobs" / name / "results.jsonl"
