"""What a device is and what measuring a network on it gives; free of torch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

from nasbench.errors import BadValue, shown, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from nasbench.task import Signal

__all__ = [
    "ESTIMATED",
    "LATENCIES",
    "MEASURED",
    "METRICS",
    "Device",
    "DeviceSpec",
    "Measurement",
    "Reading",
    "make_device",
    "measurement_of",
]

MEASURED = "measured"
ESTIMATED = "estimated"

LATENCIES = (
    *("latency_ms", "latency_spread_ms", "latency_wall_ms", "latency_cpu_ms", "latency_cold_ms"),
    *("latency_undisturbed", "latency_drift", "latency_reference_ms", "images_per_second"),
)
"""What is missing of a network whose turn did not keep its speed."""

_CHOICES = {
    "runtime": ("torch", "onnxruntime", "openvino"),
    "hardware": ("cpu", "cuda", "mps"),
    "precision": ("float32", "int8"),
    "clock": ("auto", "wall", "cpu"),
}
_MOST = {"batch_size": 65_536, "threads": 256, "warm_up": 10_000, "repeats": 100_000}
_MOST_SECONDS = 3_600
_LABEL = re.compile(r"[A-Za-z0-9][\w.]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value: NaN has a `reason`, any other a `kind` (measured, estimated or imported)."""

    value: float
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one architecture costs on one device, for one pass of a whole batch.

    Attributes:
        latency_ms: the 0.1 quantile of the timed runs by the device's clock, or the fastest where
            others interrupted most of them: what the network takes when nothing disturbs it.
        latency_spread_ms: the 0.9 quantile of the timed runs less `latency_ms`.
        latency_n: how many runs were timed.
        latency_wall_ms: the same quantile by the wall clock, which on a busy machine also counts
            what others did meanwhile.
        latency_cpu_ms: the same quantile by the CPU's clock; of one CPU thread alone.
        latency_cold_ms: that quantile, by the device's clock, of runs before which other networks
            had filled the caches.
        latency_undisturbed: the share of timed runs that no other process interrupted; below a
            half, `latency_wall_ms` is disturbed.
        latency_drift: by which share the second half of the turn was slower than the first.
        latency_reference_ms: the latency, in the same turn, of a network that is in every turn.
        images_per_second: the batch by the latency.
        frequency_mhz: of the CPU's cores on average, after the turn.
        energy_mj: millijoules of a run: gross, what the machine takes at rest included.
        energy_net_mj: less what it takes at rest.
        power_w: watts on average while the network runs.
        memory_mib: peak of a run, in MiB: weights, images and activations.
        kind: for each metric that has a value, `measured`, `estimated` or `imported`.
        reasons: for each metric that is NaN, why.

    Example:
        >>> import math
        >>> from dataclasses import fields
        >>> unknown = {field.name: math.nan for field in fields(Measurement)}
        >>> Measurement(**{**unknown, "latency_ms": 1.5}).latency_ms
        1.5
    """

    latency_ms: float
    latency_spread_ms: float
    latency_n: float
    latency_wall_ms: float
    latency_cpu_ms: float
    latency_cold_ms: float
    latency_undisturbed: float
    latency_drift: float
    latency_reference_ms: float
    images_per_second: float
    frequency_mhz: float
    energy_mj: float
    energy_net_mj: float
    power_w: float
    memory_mib: float
    kind: Mapping[str, str]
    reasons: Mapping[str, str]


METRICS = tuple(
    field.name for field in fields(Measurement) if field.name not in ("kind", "reasons")
)
"""The numbers of a `Measurement`, as columns of tables are called."""


def measurement_of(readings: Mapping[str, Reading]) -> Measurement:
    """The readings of one network, one for each number of a `Measurement`."""
    values: dict[str, Any] = {name: reading.value for name, reading in readings.items()}
    kind = {name: reading.kind for name, reading in readings.items() if reading.kind}
    reasons = {name: reading.reason for name, reading in readings.items() if reading.reason}
    return Measurement(**values, kind=kind, reasons=reasons)


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """Where and how networks are measured.

    Attributes:
        runtime: what runs the network: `torch`, or, on the CPU only, `onnxruntime` or `openvino`.
        hardware: `cpu`, `cuda` or `mps`.
        batch_size: images of a run.
        threads: CPU threads of a run.
        warm_up: runs of each network before those that are timed, at the least.
        repeats: most timed runs of a network, which are made three at a time after a cold one.
        seconds: how long the timed runs of a network may take; the first 24 are always run.
        clock: that counts: `wall`, or `cpu`, the time that one thread really computed; `auto`
            becomes `cpu` for one thread on the CPU, and else `wall`.
        precision: `float32`, or `int8` for convolutions and matrix products, not in torch.
        host: that ssh reaches, where the device is elsewhere; it is written nowhere.
        label: what the device's name begins with in place of its hardware; needed with a host.

    Example:
        >>> DeviceSpec("onnxruntime", batch_size=8).name
        'cpu-onnxruntime-b8'
        >>> DeviceSpec.from_dict({"runtime": "torch", "repeats": 10}).repeats
        10
    """

    runtime: str = "torch"
    hardware: str = "cpu"
    batch_size: int = 1
    threads: int = 1
    warm_up: int = 3
    repeats: int = 30
    seconds: float = 0.03
    clock: str = "auto"
    precision: str = "float32"
    host: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in known:
                raise unknown(f"{name} of a device", getattr(self, name), known)
        for name, most in _MOST.items():
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise BadValue(f"device: {name} must be an integer above 0, got {shown(value)}")
            if value > most:
                raise BadValue(f"device: {name} must be at most {most:,}, got {shown(value)}")
        seconds = self.seconds
        if type(seconds) not in (int, float) or not 0 < seconds < math.inf:
            raise BadValue(f"device: seconds must be a number above 0, got {shown(seconds)}")
        if seconds > _MOST_SECONDS:
            raise BadValue(
                f"device: seconds must be at most {_MOST_SECONDS:,}, got {shown(seconds)}"
            )
        if self.runtime != "torch" and self.hardware != "cpu":
            raise BadValue(
                f"device: {self.runtime} measures on the cpu, not on {self.hardware}; "
                f"use runtime torch there"
            )
        if self.runtime == "torch" and self.precision != "float32":
            raise BadValue(
                f"device: torch measures float32, not {self.precision}; use runtime onnxruntime or "
                f"openvino"
            )
        self._check_elsewhere()
        alone = self.hardware == "cpu" and self.threads == 1
        if self.clock == "auto":
            object.__setattr__(self, "clock", "cpu" if alone else "wall")
        if self.clock == "cpu" and not alone:
            where = f"{self.threads} threads" if self.hardware == "cpu" else self.hardware
            raise BadValue(
                f"device: the clock cpu times one thread on the cpu, not {where}; use clock wall"
            )

    def _check_elsewhere(self) -> None:
        for name in ("host", "label"):
            if type(getattr(self, name)) is not str:
                raise BadValue(f"device: {name} is a text, got {shown(getattr(self, name))}")
        if self.label and not _LABEL.fullmatch(self.label):
            raise BadValue(
                f"device: label is up to 40 letters, digits, '_' and '.', got {shown(self.label)}"
            )
        if self.host:
            from nasbench.device.carrier import check_host

            check_host(self.host)
        if self.host and not self.label:
            raise BadValue(
                'device: a device elsewhere needs a label, as label = "raspi4": tables call it by '
                "that, and never by its host"
            )
        if self.host and (self.runtime == "torch" or self.hardware != "cpu"):
            raise BadValue(
                "device: a device elsewhere runs files on its cpu: use runtime onnxruntime or "
                "openvino"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DeviceSpec:
        """The spec with these values; an unknown key is an error that names the near ones."""
        known = [spec.name for spec in fields(cls)]
        for key in values:
            if key not in known:
                raise unknown("key of a device", key, known)
        return cls(**values)

    @property
    def name(self) -> str:
        """Such as `cpu-torch-b1`; then `-t4` where there are four threads, and `-int8`."""
        threads = f"-t{self.threads}" if self.threads > 1 else ""
        precision = f"-{self.precision}" if self.precision != "float32" else ""
        first = self.label or self.hardware
        return f"{first}-{self.runtime}-b{self.batch_size}{threads}{precision}"

    def describe(self) -> dict[str, Any]:
        """The name and all values but the host; `Device.describe` adds what was found there."""
        said = {"name": self.name, **asdict(self)}
        return {key: value for key, value in said.items() if key != "host"}


class Device(Protocol):
    """Hardware and a runtime on which networks are measured.

    Example:
        >>> device = make_device(DeviceSpec("torch"))
        >>> device.spec.name, "runtime" in device.describe()
        ('cpu-torch-b1', True)
    """

    @property
    def spec(self) -> DeviceSpec:
        """What the device was made from."""

    def describe(self) -> dict[str, Any]:
        """What a manifest says of the device; plain JSON values.

        The spec; the hardware's model, the runtime's version and the precision; how latency
        is summed up, what memory counts, where energy comes from with its coefficients.
        """

    def measure(self, networks: Iterable[nn.Module], inputs: Signal) -> list[Measurement]:
        """Measure networks on noise of this signal's shape.

        The networks stay as they are: neither weights nor modes change.
        """


def make_device(
    spec: DeviceSpec,
    calibration: Callable[[], NDArray[np.float32]] | None = None,
    *,
    python: str = "python3",
) -> Device:
    """The device that the spec describes.

    Args:
        spec: what and how.
        calibration: gives standardised training images `[n, channels, height, width]`, which
            int8 needs and nothing else.
        python: on the device's host, where it is elsewhere.

    Raises:
        NasbenchError: where the hardware or the runtime is not here.

    Example:
        >>> make_device(DeviceSpec("torch", batch_size=4)).spec.name
        'cpu-torch-b4'
    """
    from nasbench.device.carrier import ssh_carrier
    from nasbench.device.measure import RuntimeDevice
    from nasbench.device.remote import RemoteDevice

    images = calibration() if calibration and spec.precision == "int8" else None
    if spec.host:
        device = RemoteDevice(spec, ssh_carrier(spec.host, python=python), images)
        device.describe()  # who cannot be reached is said before anything is trained
        return device
    return RuntimeDevice(spec, images)
