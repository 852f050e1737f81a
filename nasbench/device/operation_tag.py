"""What one operation costs on a device, and what the device can do at best."""

from __future__ import annotations

from dataclasses import dataclass

from nasbench.device.units import OperationUnit

__all__ = ["OperationTag", "Roofline"]


@dataclass(frozen=True, slots=True)
class OperationTag:
    """What one unit costs.

    Attributes:
        key: see `OperationUnit.key`.
        name: what it computes.
        inputs: the shapes that go in.
        latency_ms: of a run on the device, a batch.
        kind: `measured`, or `estimated` by the roofline.
        energy_mj: of a run, None where it is not measured.
        weight_bytes: of parameters and buffers.
        moved_bytes: what goes in and comes out, with the weights.
        multiply_adds: of the batch.
    """

    key: str
    name: str
    inputs: str
    latency_ms: float
    kind: str
    energy_mj: float | None
    weight_bytes: int
    moved_bytes: int
    multiply_adds: int


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a device can do at best: Williams, Waterman & Patterson, "Roofline", CACM 52(4), 2009.

    Attributes:
        giga_multiply_adds: a second, of the unit of which it does most.
        gigabytes: a second, that the additions of which it moves most read and write.
        launch_ms: what an operation takes that has nothing to compute.
    """

    giga_multiply_adds: float
    gigabytes: float
    launch_ms: float = 0.0

    def bounds_ms(self, multiply_adds: int, moved_bytes: int) -> tuple[float, float]:
        """The least time that arithmetic takes, and that moving the data takes.

        Example:
            >>> Roofline(10.0, 5.0).bounds_ms(10**7, 10**7)
            (1.0, 2.0)
        """
        return 1e-6 * multiply_adds / self.giga_multiply_adds, 1e-6 * moved_bytes / self.gigabytes

    def estimate_ms(self, unit: OperationUnit) -> float:
        """What a unit takes that was not measured: the larger bound, and its launch."""
        return self.launch_ms + max(self.bounds_ms(unit.multiply_adds, unit.moved_bytes))
