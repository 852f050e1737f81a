"""Published protocols of weight sharing, by name: which settings one method had where.

Figures of one method under one name differ by tens of points, since benchmarks and re-runs
searched by other settings. A preset sets what this harness can set: whose statistics BatchNorm
takes, the epochs and the strategy's parameters. Data, skeleton, batch and momentum are the
recipe's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from nasbench.errors import BadValue, unknown

__all__ = ["PRESETS", "Followed", "Preset", "preset_of"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A published protocol.

    Attributes:
        about: whose, and where it searched.
        norm: whose statistics BatchNorm takes in a score of paths; mixtures go by the batch.
        epochs: of the shared weights, by strategy.
        parameters: of the strategies, by name.
    """

    about: str
    norm: str
    epochs: Mapping[str, int]
    parameters: Mapping[str, Mapping[str, Any]]


_ENAS = {
    "controller_steps": 50,
    "draws": 20,
    "baseline_decay": 0.99,
    "entropy_weight": 1e-4,
    "controller_rate": 0.001,
    "candidates": 100,
    "warm_up": 0.0,
}
_RATES = {"learning_rate": 0.025, "least_rate": 0.001}
_ALPHAS = {**_RATES, "logit_rate": 3e-4, "logit_decay": 1e-3}
_ALIKE: Mapping[str, Mapping[str, Any]] = {
    "darts": {**_ALPHAS, "discretise": "all"},
    "gdas": {**_ALPHAS, "tau": 10.0, "least_tau": 0.1},
    "rsps": {**_RATES, "candidates": 100, "images": 512, "by": "accuracy"},
}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "nas-bench-201": Preset(
            "NAS-Bench-201 (Dong & Yang, ICLR 2020): searched on CIFAR-10 alone, looked up on "
            "three data sets; BatchNorm of running statistics",
            norm="running",
            epochs={"darts": 50, "gdas": 240, "enas": 310, "rsps": 100},
            parameters={**_ALIKE, "enas": {**_ENAS, "learning_rate": 0.05}},
        ),
        "nats-bench": Preset(
            "NATS-Bench (Dong, Liu, Musial & Gabrys, TPAMI 2021): searched on each data set; "
            "BatchNorm of batch statistics without scales",
            norm="batch",
            epochs={"darts": 100, "gdas": 100, "enas": 100, "rsps": 100},
            parameters={**_ALIKE, "enas": _ENAS},
        ),
    }
)
"""By name. Epochs are shortened by whoever sets them; what was run stands on the page."""

_MIXED = ("darts", "gdas")


class Followed(NamedTuple):
    """What a run of one strategy takes from a preset.

    Attributes:
        norm: whose statistics BatchNorm takes in a score.
        epochs: of the shared weights.
        parameters: of the strategy.
    """

    norm: str
    epochs: int
    parameters: Mapping[str, Any]


def preset_of(name: str, strategy: str) -> Followed:
    """What a strategy does in a published protocol.

    Raises:
        UnknownName: for a protocol that is not known, with the near ones.
        BadValue: for a strategy that it does not have.

    Example:
        >>> preset_of("nats-bench", "rsps").norm
        'batch'
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    preset = PRESETS[name]
    if strategy not in preset.epochs:
        known = ", ".join(preset.epochs)
        raise BadValue(f"the preset {name} is of {known}, and not of {strategy}")
    norm = "batch" if strategy in _MIXED else preset.norm
    return Followed(norm, preset.epochs[strategy], preset.parameters[strategy])
