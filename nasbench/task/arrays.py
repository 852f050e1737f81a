"""Examples that are arrays in a `.npz` file: images, or another signal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench._npz import Npz, open_npz
from nasbench._processes import memory
from nasbench.errors import BadValue
from nasbench.task.array_names import (
    find_pairs,
    kind_of_arrays,
    numbered,
    pair_of,
    said_kind,
    square_images,
)
from nasbench.task.base import Task, check_names
from nasbench.task.pixels import check_size
from nasbench.task.signal_arrays import ArrayOptions, signal_task
from nasbench.task.splitting import SplitPlan, check_shares, make_task
from nasbench.task.unread import counted

__all__ = ["npz"]

_MOST = 1 << 40
"""Bytes of arrays where a machine does not say how much memory it has."""


def npz(
    path: str | Path,
    *,
    name: str = "",
    size: int = 0,
    classes: tuple[str, ...] = (),
    kind: str = "",
    vocabulary: int = 0,
    target: str = "",
    kind_of_target: str = "",
    group: str = "",
    time: str = "",
    groups: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
    **split: Any,
) -> Task:
    """Examples of one's own, in arrays: `images` and `labels`, or apart by split.

    A split's arrays are called `x_train` and `y_train`, or `train_images` and `train_labels`, in
    any case; so are those of `valid`, `val` or `validation`, and of `test`. Splits that are there
    are used as they are; those that are not are split off the training examples. Other arrays are
    not read, and named in the task's notes.

    Args:
        path: a `.npz` with uint8 images as `as_images` reads them, and integer labels, `[n]` or
            `[n, 1]`; or with arrays of another signal, see `kind_of_arrays`.
        name: the task's name; the file's by default.
        size: mean-pool images to this size; 0 leaves square images as they are.
        classes: the classes' names; by default the numbers up to the highest label.
        kind: of the signal.
        vocabulary: how many ids tokens have, where the file does not say.
        target: what a number is called.
        kind_of_target: `classes` or `number`; by default floats are numbers.
        group: the arrays whose values no two splits may share.
        time: the arrays by whose order train comes before valid, and valid before test.
        groups: arrays, or columns with categories, that are kept for evaluation.
        about: source and licence.
        **split: `SplitPlan`'s `train`, `valid`, `test_share` and `seed`.

    Raises:
        NasbenchError: where the file is damaged, lacks an array, or has a split twice.
    """
    path = Path(path)
    name = name or utf8(path.stem)
    check_names(name, classes or ("0", "1"))  # before what may be large is read
    if size:
        check_size(size)
    kind = kind or said_kind(path)
    source = {"source": utf8(path.name), **(about or {})}
    most = memory() // 3 or _MOST  # as read, in order, and split
    with open_npz(path, wanted=lambda key: pair_of(key) is not None, most=most) as file:
        found = find_pairs(file)
        inputs = kind_of_arrays(file, found, kind)
        plain = inputs == "image" and not (kind or kind_of_target or group or time or groups)
        if plain:
            check_shares(name, found, split.get("valid"), split.get("test_share"))
            arrays = {
                part: (square_images(name, file.array(images), size), _labels(file, labels))
                for part, (images, labels) in found.items()
            }
            unread = file.passed_over
    if not plain:
        asked = ArrayOptions(
            inputs, size, vocabulary, classes, target, kind_of_target, group, time, groups
        )
        return signal_task(path, name, asked, SplitPlan(**split), most, source)
    images, labels = arrays["train"]
    notes = [f"not read: {counted(unread, 'array')} of {utf8(path.name)}"] if unread else []
    return make_task(
        name,
        images,
        labels,
        own_valid=arrays.get("valid"),
        test=arrays.get("test"),
        classes=classes or numbered(path, labels),
        about=source,
        notes=notes,
        **split,
    )


def _labels(file: Npz, key: str) -> NDArray[Any]:
    """Labels `[n]`, or `[n, 1]` as one column."""
    header = file.arrays[key]
    if header.dtype.kind not in "iu" or not header.size:
        raise BadValue(f"{file.source}: {key} must be integers [n], got {header}")
    array = file.array(key)
    return array.reshape(-1) if array.shape[1:] == (1,) else array
