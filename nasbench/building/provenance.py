"""What results travel with: who made them when, versions and hardware."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from nasbench._processes import memory
from nasbench.device.measure import hardware_model
from nasbench.train.native import instruction_set

__all__ = ["hardware", "session", "versions"]

_PACKAGES = ("nasbench-harness", "torch", "numpy", "h5py", "onnxruntime")


def session() -> dict[str, Any]:
    """A journal's entry for this process: where it is at work, since when, and with what."""
    return {
        "entry": "session",
        "host": platform.node(),
        "process": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Python's version and those of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str | int | float]:
    """The machine in words: processor, cores, memory, the native engine's instructions, system."""
    found = {"gpu": hardware_model("cuda")} if torch.cuda.is_available() else {}
    return {
        **found,
        "processor": hardware_model("cpu"),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory() / 2**30, 1),
        "instructions": instruction_set(),
        "system": f"{platform.system()} {platform.machine()}",
    }
