"""What the data sets of a table may be called, and what numbers they may hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.table.endings import curve_ends, ran_of
from nasbench.table.metrics import is_error
from nasbench.table.reasons import ENDED

__all__ = [
    "NETWORK",
    "RECIPE",
    "check_name",
    "check_values",
    "dataset_of",
    "is_cost",
    "is_dataset",
    "is_metric",
    "seed_gaps",
    "told_by",
    "when_taken",
]

RECIPE: Mapping[str, str] = {
    **{f"{split}_accuracy": "percent" for split in ("train", "valid", "test")},
    **{f"{split}_top5_accuracy": "percent" for split in ("train", "valid", "test")},
    **{f"{split}_loss": "nats" for split in ("train", "valid", "test")},
    "valid_test_accuracy": "percent",
    "valid_test_loss": "nats",
    "train_seconds": "seconds, cumulative",
    "evaluation_seconds": "seconds, cumulative",
}
"""The usual metrics of a recipe and their units; `valid_test` is both splits together."""

NETWORK = ("parameters", "flops", "release_parameters", "release_flops")
"""What is counted of a network."""

_PARTS = {"recipe": 2, "network": 1, "device": 2, "proxy": 1}
"""How many names follow each room of a table's data sets."""

_OTHER_METRIC = re.compile(r"(train|valid|test)_[a-z0-9_]+")
"""What else a recipe may have: the name says the split."""
_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)
_DEVICE_METRIC = re.compile(r"[a-z][a-z0-9_]*_(ms|mj|mib|n)")


def is_metric(name: str) -> bool:
    """Whether a recipe can have a metric so called: a usual one, or another one of a split."""
    # A slip of the pen is no metric of one's own.
    misspelt = difflib.get_close_matches(name, RECIPE, n=1, cutoff=0.85)
    return name in RECIPE or (bool(_OTHER_METRIC.fullmatch(name)) and not misspelt)


def is_cost(name: str) -> bool:
    """Whether a device can have a metric so called: its end is a unit, and no recipe has it."""
    return not is_metric(name) and bool(_DEVICE_METRIC.fullmatch(name))


def is_dataset(name: str) -> bool:
    """Whether a name begins as those of a table's data sets do."""
    return name.partition("/")[0] in _PARTS


def dataset_of(name: str) -> str:
    """The data set that has this name outside the file; see `nasbench.table.metrics.metric_name`.

    Names of data sets stand for themselves, and so does what nothing is called.

    Example:
        >>> dataset_of("raspi4/latency_ms"), dataset_of("12ep/valid_accuracy"), dataset_of("flops")
        ('device/raspi4/latency_ms', 'recipe/12ep/valid_accuracy', 'network/flops')
    """
    _, found, metric = name.partition("/")
    if not found:
        return f"network/{name}" if name in NETWORK else name
    if is_dataset(name):
        return name
    if is_cost(metric):
        return f"device/{name}"
    return f"recipe/{name}" if is_metric(metric) else name


def check_name(name: str) -> None:
    """Raise NasbenchError unless `name` can be a data set of a table.

    That is `recipe/<recipe>/<metric>` with a metric of `RECIPE` or another one of a split
    (`valid_miou`), `network/<metric>` with one of `NETWORK`, `device/<device>/<metric_unit>`
    in `_ms`, `_mj`, `_mib` or `_n` (a count), or `proxy/<name>`.
    """
    room, *rest = name.split("/")
    if room == "recipe" and len(rest) == 2 and not is_metric(rest[1]):
        raise unknown("metric of a recipe", rest[1], RECIPE)
    if room == "network" and len(rest) == 1 and rest[0] not in NETWORK:
        raise unknown("metric of a network", rest[0], NETWORK)
    if room == "device" and len(rest) == 2 and not _DEVICE_METRIC.fullmatch(rest[1]):
        raise NasbenchError(
            f"{name}: the name of a device's metric ends in its unit: "
            f"_ms, _mj, _mib, or _n for a count"
        )
    if len(rest) != _PARTS.get(room) or not all(_NAME.fullmatch(part) for part in rest):
        raise NasbenchError(
            f"{name[:80]!r} is not the name of a data set: recipe/<recipe>/<metric>, "
            f"network/<metric>, device/<device>/<metric_unit> or proxy/<name>"
        )


def told_by(name: str) -> Mapping[str, str]:
    """What the manifest says of a data set because of its name.

    That is the unit of a recipe's usual metric, and of a proxy that is a loss or an error that low
    values speak for a network. Elsewhere the name says the unit, and a proxy's high values speak.

    Example:
        >>> told_by("recipe/r/valid_loss"), told_by("proxy/fairnas_loss"), told_by("proxy/flops")
        ({'unit': 'nats'}, {'better': 'low'}, {})
    """
    room, metric = name.partition("/")[0], name.rpartition("/")[2]
    if room == "proxy":
        return {"better": "low"} if is_error(metric) else {}
    return {"unit": RECIPE[metric]} if room == "recipe" and metric in RECIPE else {}


def check_values(
    name: str, values: NDArray[np.floating], architectures: NDArray[np.integer]
) -> None:
    """Raise NasbenchError unless a data set holds what its name says; NaN is missing.

    Nothing is infinite; accuracies are percent, not fractions; losses, seconds, counts and
    what a device costs are not negative; seconds do not fall from epoch to epoch.

    Args:
        name: of the data set, one that passes `check_name`.
        values: `[rows]` or `[rows, seeds, epochs]`.
        architectures: of the rows, for the sentence that names one.
    """
    room, metric = name.split("/")[0], name.rpartition("/")[2]
    low = 0.0 if room != "recipe" or metric in RECIPE else -np.inf
    low = -np.inf if room in ("proxy", "proxy_draws") else low
    high = 100.0 if metric.endswith("_accuracy") else np.inf
    largest = 0.0
    for start in range(0, len(values), 4096):  # in blocks: the array may be larger than memory
        block = np.asarray(values[start : start + 4096], dtype=np.float64)
        of = architectures[start : start + 4096]
        _refuse(np.isinf(block), name, block, of, "a missing value is written nan or left empty")
        asked = "percent are expected" if high == 100 else "0 or more is expected"
        _refuse((block < low) | (block > high), name, block, of, asked)
        if metric.endswith("_seconds") and block.ndim == 3:
            known = np.where(np.isnan(block), -np.inf, block)
            before = np.maximum.accumulate(known, axis=2)
            why = "seconds are expected to count from the training's start and never to fall"
            _refuse(block < before, name, block, of, why)
        if not np.isnan(block).all():
            largest = max(largest, float(np.nanmax(block)))
    if high == 100 and 0 < largest <= 1:
        raise NasbenchError(
            f"the values of {name} are fractions? the largest is {largest:g}; "
            f"percent are expected: multiply by 100"
        )


def when_taken(
    values: NDArray[np.floating], epochs: list[int]
) -> tuple[NDArray[np.floating], list[int]]:
    """Curves `[rows, seeds, epochs]` without the epochs at which nothing at all is known.

    Where nothing is known at any epoch, the last one stays.
    """
    known = [i for i in range(len(epochs)) if not np.isnan(values[:, :, i]).all()]
    known = known or [len(epochs) - 1]
    if len(known) == len(epochs):
        return values, epochs
    return values[:, :, known], [epochs[i] for i in known]


def seed_gaps(
    name: str,
    values: NDArray[np.floating],
    architectures: NDArray[np.integer],
    ran: NDArray[np.bool_] | None = None,
) -> list[dict[str, Any]]:
    """Why some trainings lack values: the source has fewer seeds, or their curves end early.

    Args:
        name: of the data set.
        values: `[rows, seeds, epochs]`.
        architectures: of the rows.
        ran: which trainings there were, `[rows, seeds]`; None: those that `values` has some of.
    """
    ends = curve_ends(values, lambda: ran_of([values]) if ran is None else ran)
    whole = ends == values.shape[2]
    lost = whole & np.isnan(values[:, :, -1])
    found = {
        "the source has fewer seeds of this architecture": lost.any(axis=1) & ~lost.all(axis=1),
        ENDED: ~whole.all(axis=1),
    }
    return [
        {"scope": name, "reason": reason, "architectures": architectures[rows].tolist()}
        for reason, rows in found.items()
        if rows.any()
    ]


def _refuse(
    bad: NDArray[np.bool_],
    name: str,
    values: NDArray[np.float64],
    architectures: NDArray[np.integer],
    why: str,
) -> None:
    if bad.any():
        first = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise NasbenchError(
            f"{name} of architecture {int(architectures[first[0]])} is {values[first]:g}: {why}"
        )
