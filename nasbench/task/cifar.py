"""CIFAR-10 as its authors published it: six batches, as Python pickles or as plain bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import open_file
from nasbench._pickles import load_pickle
from nasbench.errors import DamagedFile, NasbenchError, Unsupported
from nasbench.task.arrays import npz
from nasbench.task.base import Task, check_names
from nasbench.task.pixels import Images, check_size, mean_pool
from nasbench.task.splitting import make_task
from nasbench.task.unread import counted

__all__ = ["CIFAR10_CLASSES", "cifar10"]

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_BATCH = re.compile("data_batch_[1-5]|test_batch")
_BESIDE = frozenset({"batches.meta", "batches.meta.txt", "readme.html"})
"""What is published beside the batches, and says what is known."""
_PIXELS = 3 * 32 * 32
_BINARY = 10_000 * (1 + _PIXELS)
"""Bytes of a batch in the binary layout: a label and its image, 10,000 times."""


def cifar10(path: str | Path, *, name: str = "cifar10", size: int = 32, **split: Any) -> Task:
    """CIFAR-10 from a folder of the published batches, python or binary layout, or `.npz`.

    Where the folder is empty and torchvision is there, it downloads the python batches into the
    folder.

    Args:
        path: the folder, or a `.npz` as `npz` reads it.
        name: the task's name.
        size: mean-pool to this size.
        **split: `make_task`'s `train`, `valid` and `seed`.

    Raises:
        NasbenchError: where a batch is missing, damaged, or names anything but numbers; nothing
            that a batch names is run.
    """
    path = Path(path)
    check_names(name, CIFAR10_CLASSES)
    check_size(size)
    about = {"source": "CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html"}
    if os.path.isfile(path) and path.suffix == ".npz":  # a name too long for a file is none
        return npz(path, name=name, size=size, classes=CIFAR10_CLASSES, about=about, **split)
    found, unread = _find(path)
    if not found:
        found = _download(path)
    parts = [_read_batch(found[key]) for key in sorted(found) if key.startswith("data_batch_")]
    tests = [_read_batch(found[key]) for key in sorted(found) if key.startswith("test_batch")]
    if len(parts) != 5 or len(tests) != 1:
        raise NasbenchError(
            f"{path} holds {len(parts)} of CIFAR-10's 5 training batches and {len(tests)} of its "
            f"1 test batch; all six of one layout are needed, and nothing else"
        )
    return make_task(
        name,
        mean_pool(np.concatenate([images for images, _ in parts]), size),
        np.concatenate([labels for _, labels in parts]),
        test=(mean_pool(tests[0][0], size), tests[0][1]),
        classes=CIFAR10_CLASSES,
        about=about,
        notes=[f"not read: {counted(unread, 'file')} beside CIFAR-10's batches"] if unread else (),
        **split,
    )


def _find(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The batches by name, and the names of what else lies in their folder."""
    found: dict[str, Path] = {}
    unread: list[str] = []
    for folder in (path, path / "cifar-10-batches-py", path / "cifar-10-batches-bin"):
        files = sorted(folder.iterdir()) if os.path.isdir(folder) else []
        batches = {file.name: file for file in files if _BATCH.match(file.name)}
        if batches:
            beside = _BESIDE | {"cifar-10-batches-py", "cifar-10-batches-bin"} | set(batches)
            unread += [file.name for file in files if file.name not in beside]
        found |= batches
    return found, unread


def _read_batch(path: Path) -> tuple[Images, NDArray[np.int64]]:
    """Images `[10000, 3, 32, 32]` and labels of one published batch."""
    return _read_binary(path) if path.suffix == ".bin" else _read_python(path)


def _read_binary(path: Path) -> tuple[Images, NDArray[np.int64]]:
    with open_file(path, "CIFAR-10 batch") as file:
        data = file.read(_BINARY + 1)
    if len(data) != _BINARY:
        size = path.stat().st_size
        raise DamagedFile(f"{path} has {size:,} bytes, a CIFAR-10 batch has {_BINARY:,}")
    rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + _PIXELS)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def _read_python(path: Path) -> tuple[Images, NDArray[np.int64]]:
    """A pickle of a dict, whose keys Python 2 wrote as strings and Python 3 writes as bytes."""
    batch = load_pickle(path)
    if isinstance(batch, dict):
        images, labels = (batch.get(key, batch.get(key.encode())) for key in ("data", "labels"))
        if (
            isinstance(images, np.ndarray)
            and images.dtype == np.uint8
            and images.shape[1:] == (_PIXELS,)
            and isinstance(labels, list)
            and len(labels) == len(images)
            and all(type(label) is int and 0 <= label < len(CIFAR10_CLASSES) for label in labels)
        ):
            return images.reshape(-1, 3, 32, 32), np.asarray(labels, np.int64)
    raise DamagedFile(
        f"{path} is not a CIFAR-10 python batch: it needs `data`, uint8 [n, {_PIXELS}], and "
        f"`labels`, a list of as many whole numbers from 0 to {len(CIFAR10_CLASSES) - 1}"
    )


def _download(path: Path) -> dict[str, Path]:
    try:
        dataset = _torchvision_datasets().CIFAR10
    except (ImportError, RuntimeError) as error:
        raise Unsupported(
            f"no CIFAR-10 batch in {path}; put the six published batches there, or install "
            f"torchvision to download them: pip install 'nasbench-harness[vision]'"
        ) from error
    try:
        dataset(path, download=True)
    except (OSError, RuntimeError) as error:
        raise NasbenchError(f"cannot download CIFAR-10 to {path}: {error}") from error
    return {f.name: f for f in (path / "cifar-10-batches-py").glob("*_batch*")}


def _torchvision_datasets() -> Any:
    """Torchvision's data sets; beside a CPU build of torch two operators must be declared first.

    They are the CUDA package's own, and nothing here calls them.
    """
    from importlib import import_module

    try:
        return import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    import torch

    boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", boxes)
    return import_module("torchvision.datasets")
