"""What running costs, into the journal of a build: counted, and measured on its devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench._progress import Progress
from nasbench.building.ledger import Ledger
from nasbench.building.spec import BuildSpec
from nasbench.device import Device, DeviceSpec, make_device
from nasbench.device.quantise import CALIBRATION_IMAGES
from nasbench.network import network, started
from nasbench.network.capability import Whole
from nasbench.network.count import count_network
from nasbench.network.testing import failures_told
from nasbench.train.feed import Standard
from nasbench.train.reference import cpu_threads

__all__ = [
    "calibration_images",
    "count_networks",
    "counts_of",
    "device_of",
    "measure",
    "timed_network",
]

CHUNK = 64
"""Networks that are measured interleaved, and journaled together."""


def count_networks(
    spec: BuildSpec, architectures: Sequence[int], done: Ledger, tell: Progress
) -> None:
    """Count the parameters and FLOPs that are not counted yet."""
    missing = [a for a in architectures if a not in done.counts]
    counted = len(architectures) - len(missing)
    for chunk in chunks(missing):
        counts = {architecture: counts_of(spec, architecture) for architecture in chunk}
        done.keep({"entry": "counts", "counts": counts})
        counted += len(chunk)
        tell("counting", counted, len(architectures))


def counts_of(spec: BuildSpec, architecture: int) -> dict[str, float]:
    """Parameters and FLOPs of the network that is trained, and of the release's."""
    # One image is too little work for several threads: they would wait for each other.
    with cpu_threads(1), failures_told(spec.space, architecture, "on one example"):
        live = count_network(_network(spec, architecture), spec.task.signal)
        release = live
        if isinstance(spec.family, Whole):
            release = count_network(_network(spec, architecture, live=False), spec.task.signal)
    return {
        "parameters": live.parameters,
        "flops": live.flops,
        "release_parameters": release.parameters,
        "release_flops": release.flops,
    }


def device_of(spec: BuildSpec, device: DeviceSpec, python: str = "python3") -> Device:
    """A device of a recipe; int8 is calibrated on images that its networks train on.

    Args:
        spec: the recipe.
        device: one of its own.
        python: on the device's host, where it is elsewhere.

    Raises:
        NasbenchError: where the hardware or the runtime is not here.
    """
    return make_device(device, lambda: calibration_images(spec), python=python)


def calibration_images(spec: BuildSpec) -> NDArray[np.float32]:
    """Training examples as networks read them, `[n, ...]`."""
    recipe = next(iter(spec.recipes.values()))
    train = spec.task.train.first(recipe.train_images)
    some = train.first(min(CALIBRATION_IMAGES, len(train)))
    return Standard(spec.task.signal, train)(some.inputs)


def measure(
    spec: BuildSpec,
    architectures: Sequence[int],
    devices: Sequence[Device],
    done: Ledger,
    tell: Progress,
) -> None:
    """Measure on each device what it has not measured yet, once nothing trains beside it."""
    for device in devices:
        name, description = device.spec.name, device.describe()
        found = done.measured(name, description)
        missing = [a for a in architectures if a not in found]
        measured = len(architectures) - len(missing)
        tell(f"measuring {name}", measured, len(architectures))
        for chunk in chunks(missing):
            networks = [timed_network(spec, architecture) for architecture in chunk]
            costs = device.measure(networks, spec.task.signal)
            entry = {
                "entry": "measurement",
                "device": name,
                "description": description,
                "measurements": {a: asdict(m) for a, m in zip(chunk, costs, strict=True)},
            }
            done.keep(entry)
            measured += len(chunk)
            tell(f"measuring {name}", measured, len(architectures))


def timed_network(spec: BuildSpec, architecture: int) -> nn.Module:
    """What devices run: a network in the sizes of the first recipe, always with the same weights.

    Where its file was sent before, it is there.
    """
    recipe = next(iter(spec.recipes.values()))
    return started(spec.space, architecture, spec.task, recipe, 0)


def _network(spec: BuildSpec, architecture: int, *, live: bool = True) -> nn.Module:
    """What is counted: in the sizes of the first recipe."""
    recipe = next(iter(spec.recipes.values()))
    return network(spec.space, architecture, spec.task, recipe, live=live)


def chunks(architectures: list[int]) -> Iterator[list[int]]:
    """Architectures that are counted or measured, and journaled, together."""
    for start in range(0, len(architectures), CHUNK):
        yield architectures[start : start + CHUNK]
