"""The records of NAS-Bench-201 and NATS-Bench, architecture by architecture, as a table.

Both releases write one record for each architecture: for each number of epochs a dict with
`arch_str` and `all_results`, which maps (data set, seed) to the lists of one training. A record is
a stranger's: whatever in it is not of its type is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError

__all__ = ["RUNS", "NatsRun", "Training", "read_trainings"]


@dataclass(frozen=True, slots=True)
class NatsRun:
    """One of the trainings that the releases did on a data set.

    Attributes:
        key: how the release calls it.
        suffix: of its recipes' names.
        on: the images that it trained on.
        splits: what the release evaluated it on: its name to ours, and what that is.
    """

    key: str
    suffix: str
    on: str
    splits: Mapping[str, tuple[str, str]]


def _split_test(images: int) -> dict[str, tuple[str, str]]:
    """Where the official test images were halved; `ori-test` is both halves."""
    return {
        "x-valid": ("valid", f"one half of the official test images ({images:,})"),
        "x-test": ("test", f"the other half ({images:,})"),
        "ori-test": ("valid_test", "both halves: nothing to select by, since test is in it"),
    }


RUNS: Mapping[str, tuple[NatsRun, ...]] = {
    "cifar10": (
        NatsRun(
            "cifar10-valid",
            "-half",
            "half of the official training images (25,000)",
            {
                "x-valid": ("valid", "the other half (25,000)"),
                "ori-test": ("test", "the official test images (10,000)"),
            },
        ),
        NatsRun(
            "cifar10",
            "-full",
            "all official training images (50,000)",
            {"ori-test": ("test", "the official test images (10,000)")},
        ),
    ),
    "cifar100": (
        NatsRun("cifar100", "", "all official training images (50,000)", _split_test(5_000)),
    ),
    "ImageNet16-120": (
        NatsRun("ImageNet16-120", "", "all training images (151,700)", _split_test(3_000)),
    ),
}
"""The trainings of each data set. Two of CIFAR-10: never to be mixed."""

_NO_VALUE = float("nan")
_MOST = 1e30  # of a loss or of seconds: what float32 holds with room for sums
_OPTIONAL = ("train_acc5es", "train_times", "eval_times")  # not in every version of the releases


@dataclass(frozen=True, slots=True)
class Training:
    """One training: a seed of a run of an architecture.

    Attributes:
        seed: its number.
        curves: by metric, float64 `[epochs]`: accuracies in percent, losses in nats, seconds
            cumulative; NaN where the record has no value. Metrics without any are left out.
        steady: whether the record gives each epoch the same seconds.
        parameters: of the network, in millions as the release has them; NaN where it has none.
        flops: for one image, in millions likewise.
        latency: of one batch, in seconds; NaN where the release has none.
    """

    seed: int
    curves: Mapping[str, NDArray[np.float64]]
    steady: bool
    parameters: float
    flops: float
    latency: float


def read_trainings(state: object, run: NatsRun, epochs: int, where: str) -> list[Training]:
    """The trainings of a run in a record of trainings of `epochs` epochs, by ascending seed.

    Args:
        state: of the architecture at that number of epochs.
        run: which training.
        epochs: of each training.
        where: names the record in sentences.

    Raises:
        NasbenchError: naming the entry that is not as it should be.
    """
    results = _entry(state, "all_results", dict, where)
    listed = _entry(state, "dataset_seed", dict, where).get(run.key, [])
    seeds = [key[1] for key in results if type(key) is tuple and key[:1] == (run.key,)]
    if type(listed) is not list or any(type(seed) is not int for seed in [*listed, *seeds]):
        raise NasbenchError(f"{where}: the seeds of {run.key} are not integers")
    if sorted(seeds) != sorted(listed):
        raise NasbenchError(f"{where}: its lists of the seeds of {run.key} differ")
    return [
        _training(results[run.key, seed], seed, run, epochs, f"{where}, {run.key}, seed {seed}")
        for seed in sorted(seeds)
    ]


def _training(result: Any, seed: int, run: NatsRun, epochs: int, where: str) -> Training:
    if _entry(result, "epochs", int, where) != epochs:
        raise NasbenchError(f"{where}: it is not of {epochs} epochs, as its place says")
    each = range(epochs)
    curves = {
        "train_accuracy": _curve(result, "train_acc1es", each, 100, where),
        "train_top5_accuracy": _curve(result, "train_acc5es", each, 100, where),
        "train_loss": _curve(result, "train_losses", each, _MOST, where),
    }
    seconds = _curve(result, "train_times", each, _MOST, where)
    curves["train_seconds"] = np.cumsum(seconds)
    for name, (split, _) in run.splits.items():
        keys = _evaluations(name, epochs)
        curves[f"{split}_accuracy"] = _curve(result, "eval_acc1es", keys, 100, where)
        curves[f"{split}_loss"] = _curve(result, "eval_losses", keys, _MOST, where)
        if split == "valid":
            spent = np.cumsum(_curve(result, "eval_times", keys, _MOST, where))
            spent[:-1] = _NO_VALUE  # the sum is what counts
            curves["evaluation_seconds"] = spent
    return Training(
        seed=seed,
        curves={name: curve for name, curve in curves.items() if not np.isnan(curve).all()},
        steady=len(set(seconds.tolist())) == 1,
        parameters=_number(result.get("params"), f"{where}: params"),
        flops=_number(result.get("flop"), f"{where}: flop"),
        latency=_latency(result.get("latency"), f"{where}: latency"),
    )


@cache
def _evaluations(name: str, epochs: int) -> list[str]:
    """How a record calls the evaluations of each epoch."""
    return [f"{name}@{epoch}" for epoch in range(epochs)]


def _entry(holder: object, key: str, kind: type, where: str) -> Any:
    if type(holder) is not dict or key not in holder:
        raise NasbenchError(f"{where}: there is no entry {key!r}")
    value = holder[key]
    if type(value) is not kind:
        raise NasbenchError(
            f"{where}: {key!r} is a {type(value).__name__}, expected a {kind.__name__}"
        )
    return value


def _curve(
    result: dict[str, Any], name: str, keys: Sequence[object], most: float, where: str
) -> NDArray[np.float64]:
    """The values under these keys, float64 `[keys]`; NaN where there is none that is finite."""
    values = result.get(name) if name in _OPTIONAL else _entry(result, name, dict, where)
    if values is None:
        return np.full(len(keys), np.nan)
    if type(values) is not dict:
        raise NasbenchError(f"{where}: {name!r} is a {type(values).__name__}, expected a dict")
    found = list(map(values.get, keys))
    if not set(map(type, found)) <= {float, int, NoneType}:
        raise NasbenchError(f"{where}: {name!r} holds something else than numbers")
    curve = np.asarray(found, dtype=np.float64)  # None becomes NaN
    curve[np.isinf(curve)] = np.nan
    if (curve < 0).any() or (curve > most).any():
        raise NasbenchError(f"{where}: {name!r} holds a value outside 0 to {most:g}")
    return curve


def _number(value: object, what: str) -> float:
    if value is None:
        return _NO_VALUE
    if type(value) not in (float, int) or not 0 <= value < 1e12:  # type: ignore[operator]
        raise NasbenchError(f"{what} is not a number that can be")
    return float(value)  # type: ignore[arg-type]


def _latency(value: object, what: str) -> float:
    """The mean of the measurements; the release writes -1 or nothing where it has none."""
    if value is None or value == [] or value == [-1]:
        return _NO_VALUE
    if type(value) is not list:
        raise NasbenchError(f"{what} is not a list")
    numbers = [_number(each, what) for each in value]
    return sum(numbers) / len(numbers)
