"""Measuring operation tags: each unit of a family by itself, on a device."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from nasbench._progress import Progress
from nasbench.device.base import ESTIMATED, MEASURED, Device, Measurement
from nasbench.device.inference import evaluating, examples
from nasbench.device.operation_tag import OperationTag, Roofline
from nasbench.device.tags import Tags
from nasbench.device.units import OperationUnit, units_of
from nasbench.errors import BadValue
from nasbench.network.graph import graph_of
from nasbench.network.inputs import answer_of
from nasbench.task import Signal

__all__ = ["measure_tags"]

FEW, MANY = 2, 8
"""How many copies run side by side; their difference leaves out what every run takes."""
TRIES = 5
"""Of a unit, until it is estimated."""
SHORTEST = 1e-9
"""Milliseconds, or millijoules, so that a clock that saw nothing gives a number."""
PEAK = (64, 32)
"""Channels, and pixels a side, of the convolution and the addition that the roofline is of."""


class Repeated(nn.Module):
    """Copies of a unit: in a row where its output can be its input, else side by side, summed.

    No two compute the same, or a runtime would compute it once: weights differ a little, and
    beside each other each copy gets an input of its own.
    """

    def __init__(self, unit: nn.Module, copies: int, *, in_a_row: bool) -> None:
        super().__init__()
        self.in_a_row = in_a_row
        self.units = nn.ModuleList(copy.deepcopy(unit) for _ in range(copies))
        self.shifts = nn.ParameterList(torch.full((1,), 0.01 * k) for k in range(copies))
        with torch.no_grad():
            for place, one in enumerate(self.units):
                for weight in one.parameters():
                    weight.mul_(1 + 0.001 * place)

    def forward(self, x: Tensor) -> Tensor:
        if self.in_a_row:
            for unit in self.units:
                x = unit(x)
            return x
        whole: Tensor = self.units[0](x)
        for place in range(1, len(self.units)):
            whole = whole + self.units[place](x + self.shifts[place])
        return whole


class Shaped(nn.Module):
    """A network that takes two or three dimensions, on an image of as many numbers."""

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.last = 5 - dimensions

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.network(x.flatten(1, self.last))
        return answer


class Attended(nn.Module):
    """Attention `[batch, heads, length, width]` of an input to itself, over and over."""

    mask: Tensor | None

    def __init__(self, times: int, mask: tuple[int, ...] | None) -> None:
        super().__init__()
        self.times = times
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("mask", torch.ones(mask, dtype=torch.bool) if mask else None)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = nn.functional.scaled_dot_product_attention(x, x, x, self.mask)
        return x


class Added(nn.Module):
    """An input, added up."""

    def __init__(self, additions: int) -> None:
        super().__init__()
        self.additions = additions
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        whole = x
        for _ in range(self.additions):
            whole = whole + x
        return whole


def measure_tags(
    device: Device,
    networks: Mapping[str, nn.Module],
    inputs: Signal,
    whole: Sequence[str],
    tell: Progress,
) -> Tags:
    """Measure every unit of these networks, and some of the networks whole.

    A unit is measured as the difference between eight and two copies of it in a row; side by
    side, less the additions that it takes, where its output is no input of it. Functions but
    additions and attention, and units of tokens, are estimated by the roofline and said to be.
    One network is measured whole, the skeleton: the one with the fewest multiply-adds whose
    answer hears of its input. What it takes beside its units every other takes, too.

    Args:
        device: to measure on.
        networks: by architecture as text, to find the units in: all that a family has, or a
            sample in which each occurs.
        inputs: of the networks.
        whole: which of them to measure whole, to say how far sums are off.
        tell: called as it goes on.

    Raises:
        BadValue: where nothing of them can be measured.
    """
    batch = device.spec.batch_size
    seen: dict[str, tuple[OperationUnit, nn.Module]] = {}
    counts: dict[str, Counter[OperationUnit]] = {}
    for done, (name, network) in enumerate(networks.items(), 1):
        counts[name] = units_of(graph_of(network, inputs, batch))
        for unit in counts[name]:
            seen.setdefault(unit.key, (unit, network))
        tell("finding units", done, len(networks))
    shapes = {
        shape for unit, _ in seen.values() for shape in (unit.outputs, unit.tags[0].inputs[0])
    }
    shapes = {shape for shape in shapes if _is_taken(shape, batch)}
    channels, side = PEAK
    top, least = (batch, channels, side, side), (batch, 1, 1, 1)
    shapes |= {top, least}
    added = {shape: _pair(device, Added(FEW), Added(MANY), shape) for shape in sorted(shapes)}
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    peak = _repeated(device, conv, top, in_a_row=True)
    move = added[top]
    if peak is None or move is None:
        raise BadValue(f"{device.spec.name} measures no convolution: no tags can be made")
    products = batch * channels * channels * 9 * side * side
    moved = 3 * 4 * math.prod(top)
    launch = added[least]
    roofline = Roofline(
        1e-6 * products / max(peak.latency, SHORTEST),
        1e-6 * moved / max(move.latency, SHORTEST),
        launch.latency if launch else 0.0,
    )
    tags = {}
    for done, (key, (unit, network)) in enumerate(seen.items(), 1):
        tags[key] = _tag_of(device, unit, network, added, roofline)
        tell(f"measuring units on {device.spec.name}", done, len(seen))
    work = {name: sum(u.multiply_adds * n for u, n in c.items()) for name, c in counts.items()}
    light = sorted(work, key=lambda name: work[name])
    base = next((name for name in light if _hears(networks[name], inputs)), light[0])
    asked = list(dict.fromkeys([base, *whole]))
    times: dict[str, float] = {}
    taken: dict[str, Measurement] = {}
    for _ in range(TRIES):
        if left := [name for name in asked if name not in times]:
            measured = device.measure([networks[name] for name in left], inputs)
            taken |= {n: m for n, m in zip(left, measured, strict=True) if _known(m)}
            times = {name: m.latency_ms for name, m in taken.items()}
    sums = {n: sum(k * tags[u.key].latency_ms for u, k in counts[n].items()) for n in times}
    if base not in times:
        raise BadValue(f"{device.spec.name} did not measure the skeleton {base}: no tags are made")
    skeleton = times[base] - sums[base]
    checked = {
        name: (times[name], skeleton + sums[name])
        for name in whole
        if name in times and name != base and skeleton + sums[name] > 0
        # What is folded to a constant says nothing of sums.
        if _hears(networks[name], inputs)
    }
    about = {"description": device.describe(), "looked_at": len(networks), "skeleton": base}
    found = Tags(device.spec.name, about, roofline, tags, skeleton, checked, 0.0)
    counted = taken[base].kind.get("energy_mj") == MEASURED
    energy = taken[base].energy_mj - found.energy_mj(counts[base]) if counted else math.nan
    runs = {name: Counter({u.key: n for u, n in counts[name].items()}) for name in checked}
    return replace(
        found,
        base_mj=energy if math.isfinite(energy) else None,
        counts={name: tuple(of[key] for key in tags) for name, of in runs.items()},
    )


class _Cost:
    """What one more copy takes, in ms and mJ; the energy NaN where it is not measured."""

    def __init__(self, few: Measurement, many: Measurement, copies: int) -> None:
        self.latency = max((many.latency_ms - few.latency_ms) / copies, 0.0)
        measured = many.kind.get("energy_mj") == MEASURED
        self.energy = (many.energy_mj - few.energy_mj) / copies if measured else math.nan

    def less(self, other: _Cost) -> _Cost:
        """What is left beside another."""
        left = copy.copy(self)
        left.latency = max(self.latency - other.latency, 0.0)
        left.energy = self.energy - other.energy
        return left


def _hears(network: nn.Module, inputs: Signal) -> bool:
    """Whether the answer depends on the input: a runtime folds what does not to a constant."""
    with evaluating(network, examples(network, inputs, 2)) as x:
        answer = answer_of(network(x))
    return not torch.equal(answer[0], answer[1])


def _known(measured: Measurement) -> bool:
    return bool(np.isfinite(measured.latency_ms))


def _pair(device: Device, few: nn.Module, many: nn.Module, shape: tuple[int, ...]) -> _Cost | None:
    """What one more copy takes on inputs of a shape of two to four dimensions, a batch first.

    On a busy machine a turn may not keep its speed: then it is taken again.
    """
    if len(shape) < 4:
        few, many = Shaped(few, len(shape)), Shaped(many, len(shape))
    image = Signal("image", (*(1,) * (4 - len(shape)), *shape[1:]), "uint8")
    for _ in range(TRIES):
        first, second = device.measure([few, many], image)
        if _known(first) and _known(second):
            return _Cost(first, second, MANY - FEW)
    return None


def _repeated(
    device: Device, unit: nn.Module, shape: tuple[int, ...], *, in_a_row: bool
) -> _Cost | None:
    few, many = (Repeated(unit, n, in_a_row=in_a_row) for n in (FEW, MANY))
    return _pair(device, few, many, shape)


def _tag_of(
    device: Device,
    unit: OperationUnit,
    network: nn.Module,
    added: Mapping[tuple[int, ...], _Cost | None],
    roofline: Roofline,
) -> OperationTag:
    found: _Cost | None = None
    net = 0.0
    first, *others = unit.tags[0].inputs
    batch = device.spec.batch_size
    taken = _is_taken(first, batch) and _is_taken(unit.outputs, batch)
    if _is_addition(unit) and taken:
        found = added[first]
        net = found.latency if found else 0.0
    elif _is_attention(unit) and taken:
        mask = next(iter(others[2:]), None)
        found = _pair(device, Attended(FEW, mask), Attended(MANY, mask), first)
        net = found.latency if found else 0.0
    elif (
        all(unit.modules)
        and taken
        and not isinstance(network.get_submodule(unit.modules[0]), nn.Embedding)
    ):
        row = nn.Sequential(*(network.get_submodule(path) for path in unit.modules))
        shape = first
        in_a_row = shape == unit.outputs
        found = _repeated(device, row, shape, in_a_row=in_a_row)
        joined = [] if in_a_row else [added[shape], added[unit.outputs]]
        for one in joined:
            found = found.less(one) if found and one else found
        net = found.latency if found else 0.0
    kind = MEASURED if found else ESTIMATED
    if found is None:
        net = roofline.estimate_ms(unit)
    energy = found.energy if found else math.nan
    return OperationTag(
        unit.key,
        unit.name,
        unit.inputs,
        net,
        kind,
        None if math.isnan(energy) else max(energy, SHORTEST),
        unit.weight_bytes,
        unit.moved_bytes,
        unit.multiply_adds,
    )


def _is_taken(shape: tuple[int, ...], batch: int) -> bool:
    """Whether something of this shape can be the input of what is measured."""
    return 2 <= len(shape) <= 4 and shape[0] == batch


def _is_addition(unit: OperationUnit) -> bool:
    """Two of one shape, added."""
    (first, *_) = unit.tags
    alike = len(first.inputs) == 2 and first.inputs[0] == first.inputs[1]
    return first.kind in ("add", "iadd") and alike


def _is_attention(unit: OperationUnit) -> bool:
    """Queries, keys and values of one shape."""
    (first, *_) = unit.tags
    alike = len(first.inputs) >= 3 and len(set(first.inputs[:3])) == 1
    return first.kind == "scaled_dot_product_attention" and alike
