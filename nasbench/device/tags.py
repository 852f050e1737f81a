"""Operation tags: what each unit of a family costs on a device, and what they say of networks."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import read_json, write_json
from nasbench._journal import integer, number
from nasbench._names import printable
from nasbench.device.base import ESTIMATED, MEASURED
from nasbench.device.operation_tag import OperationTag, Roofline
from nasbench.device.rescaling import common_factor, factors_of_parts
from nasbench.device.units import OperationUnit
from nasbench.errors import BadValue, DamagedFile

if TYPE_CHECKING:
    from nasbench.space import Space

__all__ = ["Tags"]

Floats = NDArray[np.float64]

FORMAT = 1
LARGEST = 1 << 26
"""Bytes of a file: what the most tags take, and not what fills the memory."""
MOST_TAGS, MOST_BATCH, MOST_RUNS = 100_000, 65_536, 1_000_000
LEAST, MOST = 1e-12, 1e18
"""Of a number in a file of tags: what is beyond is no cost, and no peak."""
MOST_MS = 1e8
"""Of a time, which is a day and more."""
SUMS_AGREE = 1e-3
"""To which share sums over a whole network's operations are those that the file states."""
_DEVICE = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True, eq=False, slots=True)
class Tags:
    """The tags of a family on a device.

    Attributes:
        device: its name.
        about: the device's description, the space of the networks, how many of them were looked
            at to find the units, and which was the skeleton.
        roofline: of the device.
        operations: by key.
        base_ms: what a run takes beside its units: the skeleton's latency less its units'.
        whole: by architecture as text, measured and summed latency of whole networks, ms.
        base_mj: the skeleton's energy less its units'; None where no counter measured it.
        counts: by whole network, how often each of `operations` runs in it, in their order.
    """

    device: str
    about: Mapping[str, Any]
    roofline: Roofline
    operations: Mapping[str, OperationTag]
    base_ms: float
    whole: Mapping[str, tuple[float, float]]
    base_mj: float | None = None
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def check_space(self, space: Space) -> None:
        """Refuse tags of another space, of whose operations none would be known."""
        said = self.about.get("space")
        if said is not None and said != dict(space.describe()):
            raise BadValue(
                f"the tags of {self.device} are of another space than {space.name}: make them "
                f"with nasbench device tags"
            )

    @property
    def batch_size(self) -> int:
        """Examples of a run."""
        return int(self.about["description"].get("batch_size", 1))

    def latency_ms(self, units: Counter[OperationUnit]) -> float:
        """The sum over a network's units, and what every run takes.

        What was not measured, since no network that was looked at has it, is estimated by the
        roofline.
        """
        return self.base_ms + sum(n * self._of(unit) for unit, n in units.items())

    def energy_mj(self, units: Counter[OperationUnit]) -> float:
        """The sum over a network's units, and what every run takes.

        NaN where no counter measured it, or not of a unit that computes. Units that only move
        numbers, whose energy nobody measured, count nothing.
        """
        if self.base_mj is None:
            return math.nan
        return self.base_mj + sum(n * self._energy_of(unit) for unit, n in units.items())

    def _energy_of(self, unit: OperationUnit) -> float:
        tag = self.operations.get(unit.key)
        if tag is not None and tag.energy_mj is not None:
            return tag.energy_mj
        return math.nan if unit.multiply_adds and (tag is None or tag.kind == MEASURED) else 0.0

    def unknown(self, units: Counter[OperationUnit]) -> int:
        """How many of a network's units have no tag."""
        return sum(n for unit, n in units.items() if unit.key not in self.operations)

    def memory_bound(self, units: Counter[OperationUnit]) -> float:
        """The share of a network's time in units that wait for memory, by the roofline."""
        waits = whole = 0.0
        for unit, n in units.items():
            took = n * self._of(unit)
            arithmetic, moving = self.roofline.bounds_ms(unit.multiply_adds, unit.moved_bytes)
            whole += took
            waits += took if moving > arithmetic else 0.0
        return waits / whole if whole else 0.0

    def _of(self, unit: OperationUnit) -> float:
        tag = self.operations.get(unit.key)
        if tag is not None:
            return tag.latency_ms
        return self.roofline.estimate_ms(unit)

    @property
    def scale(self) -> float:
        """By what whole networks differ from their sums: the geometric mean; 1 without any."""
        if not self.whole:
            return 1.0
        measured, summed = self._whole
        return common_factor(summed, measured)

    @property
    def rescaled(self) -> Tags:
        """The tags as whole networks have them, each by a factor of its own.

        What is estimated by the roofline goes by the common factor, and everything does where it
        is not known which operations ran in the whole networks.
        """
        if not self.whole:
            return self
        common, factors = self.scale, factors_of_parts(self.parts, self._whole[0])
        own = np.full(len(self.operations), common) if len(factors) == 1 else factors[1:]
        operations = {
            key: replace(tag, latency_ms=tag.latency_ms * float(factor))
            for (key, tag), factor in zip(self.operations.items(), own, strict=True)
        }
        roofline = Roofline(
            self.roofline.giga_multiply_adds / common,
            self.roofline.gigabytes / common,
            self.roofline.launch_ms * common,
        )
        base = self.base_ms * float(factors[0])
        return replace(self, operations=operations, roofline=roofline, base_ms=base)

    @property
    def errors(self) -> tuple[float, float]:
        """Mean of |sum / measured - 1| over whole networks: as it is, and rescaled by the others.

        NaN without whole networks; the second with fewer than two.
        """
        if not self.whole:
            return math.nan, math.nan
        measured, summed = self._whole
        plain = float(np.mean(np.abs(summed / measured - 1)))
        if len(measured) < 2:
            return plain, math.nan
        parts, others = self.parts, ~np.eye(len(measured), dtype=bool)
        found = [
            row @ factors_of_parts(parts[o], measured[o])
            for row, o in zip(parts, others, strict=True)
        ]
        return plain, float(np.mean(np.abs(np.asarray(found) / measured - 1)))

    @property
    def _whole(self) -> tuple[Floats, Floats]:
        """Of whole networks, what was measured and the sums, each `[n]`."""
        measured, summed = np.asarray(list(self.whole.values()), dtype=np.float64).T
        return measured, summed

    @property
    def _adds_up(self) -> bool:
        """Whether the operations of whole networks sum up to what is stated."""
        return bool(np.allclose(self.parts.sum(1), self._whole[1], rtol=SUMS_AGREE, atol=0))

    @property
    def parts(self) -> Floats:
        """Of whole networks, what is beside operations and what each takes in all, `[n, parts]`.

        One column of sums where it is not known which operations they ran.
        """
        if self.whole.keys() != self.counts.keys():
            return self._whole[1][:, None]
        runs = np.asarray([self.counts[name] for name in self.whole], dtype=np.float64)
        prices = np.asarray([tag.latency_ms for tag in self.operations.values()])
        return np.column_stack([np.full(len(runs), self.base_ms), runs * prices])

    def describe(self) -> dict[str, Any]:
        """All of it; plain JSON values, as a file and a table's manifest hold them."""
        return {
            "nasbench_tags": FORMAT,
            "device": self.device,
            "about": dict(self.about),
            "roofline": asdict(self.roofline),
            "base_ms": self.base_ms,
            **({} if self.base_mj is None else {"base_mj": self.base_mj}),
            "whole": {name: list(pair) for name, pair in self.whole.items()},
            **({"counts": {n: list(c) for n, c in self.counts.items()}} if self.counts else {}),
            "operations": [asdict(tag) for tag in self.operations.values()],
        }

    @property
    def sha256(self) -> str:
        """Of what `describe` says."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, self.describe())

    @classmethod
    def load(cls, path: Path) -> Tags:
        """Read what `save` wrote.

        Raises:
            NasbenchError: where it is something else.
        """
        said = read_json(path, "tags", most=LARGEST)
        try:
            integer(said["nasbench_tags"], FORMAT, FORMAT)
            if len(said["operations"]) > MOST_TAGS:
                raise ValueError
            roofline = Roofline(
                _positive(said["roofline"]["giga_multiply_adds"]),
                _positive(said["roofline"]["gigabytes"]),
                number(said["roofline"].get("launch_ms", 0.0), 0, MOST_MS),
            )
            tags = {one["key"]: _tag(one) for one in said["operations"]}
            whole = {_text(name): _pair(pair) for name, pair in said["whole"].items()}
            base, about = number(said["base_ms"], -MOST_MS, MOST_MS), dict(said["about"])
            integer(dict(about["description"]).get("batch_size", 1), 1, MOST_BATCH)
            device, energy = said["device"], said.get("base_mj")
            if not _DEVICE.fullmatch(device) or len(tags) < len(said["operations"]):
                raise ValueError
            counts = {name: _counts(of, len(tags)) for name, of in said.get("counts", {}).items()}
            energy = None if energy is None else number(energy, -MOST, MOST)
            found = cls(device, about, roofline, tags, base, whole, energy, counts)
            if counts and (counts.keys() != whole.keys() or not found._adds_up):
                raise ValueError
            return found
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as e:
            raise DamagedFile(
                f"{path} holds no operation tags: make them with nasbench device tags"
            ) from e


def _tag(said: Mapping[str, Any]) -> OperationTag:
    energy = said["energy_mj"]
    if said["kind"] not in (MEASURED, ESTIMATED):
        raise ValueError
    return OperationTag(
        _text(said["key"]),
        _text(said["name"]),
        _text(said["inputs"]),
        number(said["latency_ms"], 0, MOST_MS),
        said["kind"],
        None if energy is None else _positive(energy),
        *(
            integer(said[name], 0, int(MOST))
            for name in ("weight_bytes", "moved_bytes", "multiply_adds")
        ),
    )


def _counts(said: Any, operations: int) -> tuple[int, ...]:
    found = tuple(integer(n, 0, MOST_RUNS) for n in said)
    if len(found) != operations:
        raise ValueError
    return found


def _pair(said: Any) -> tuple[float, float]:
    measured, summed = said
    return _positive(measured, MOST_MS), _positive(summed, MOST_MS)


def _positive(value: Any, most: float = MOST) -> float:
    return number(value, LEAST, most)


def _text(value: Any) -> str:
    """On one line, as it goes to terminals and tables."""
    if not isinstance(value, str) or value != printable(value):
        raise ValueError
    return value
