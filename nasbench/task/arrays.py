"""Images that are arrays in a `.npz` file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench._npz import Npz, open_npz
from nasbench._processes import memory
from nasbench.errors import BadValue, NasbenchError
from nasbench.task.base import SPLITS, Images, Task, as_images, check_names, check_size, mean_pool
from nasbench.task.splitting import check_shares, make_task
from nasbench.task.unread import counted, named

__all__ = ["npz"]

_MOST = 1 << 40
"""Bytes of arrays where a machine does not say how much memory it has."""


def npz(
    path: str | Path,
    *,
    name: str = "",
    size: int = 0,
    classes: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
    **split: Any,
) -> Task:
    """Images of one's own, in arrays: `images` and `labels`, or apart by split.

    A split's arrays are called `x_train` and `y_train`, or `train_images` and `train_labels`, in
    any case; so are those of `valid`, `val` or `validation`, and of `test`. Splits that are there
    are used as they are; those that are not are split off the training images. Other arrays are
    not read, and named in the task's notes.

    Args:
        path: a `.npz` with uint8 images as `as_images` reads them, and integer labels, `[n]` or
            `[n, 1]`.
        name: the task's name; the file's by default.
        size: mean-pool to this size; 0 leaves square images as they are.
        classes: the classes' names; by default the numbers up to the highest label.
        about: source and licence.
        **split: `make_task`'s `train`, `valid`, `test_share` and `seed`.

    Raises:
        NasbenchError: where the file is damaged, lacks an array, or has a split twice.
    """
    path = Path(path)
    name = name or utf8(path.stem)
    check_names(name, classes or ("0", "1"))  # before what may be large is read
    if size:
        check_size(size)
    most = memory() // 3 or _MOST  # as read, in order, and split
    with open_npz(path, wanted=lambda key: _pair(key) is not None, most=most) as file:
        found = _find(file)
        check_shares(name, found, split.get("valid"), split.get("test_share"))
        arrays = {
            part: (_images(name, file.array(images), size), _labels(file, labels))
            for part, (images, labels) in found.items()
        }
        unread = file.passed_over
    images, labels = arrays["train"]
    notes = [f"not read: {counted(unread, 'array')} of {utf8(path.name)}"] if unread else []
    return make_task(
        name,
        images,
        labels,
        own_valid=arrays.get("valid"),
        test=arrays.get("test"),
        classes=classes or _numbers(path, labels),
        about={"source": utf8(path.name), **(about or {})},
        notes=notes,
        **split,
    )


def _pair(key: str) -> tuple[str, str, str] | None:
    """The split that an array is of, and the names of that split's images and labels."""
    first, _, last = key.lower().partition("_")
    if (first, last) in (("images", ""), ("labels", "")):
        return "train", "images", "labels"
    if first in ("x", "y") and last in SPLITS:
        return SPLITS[last], f"x_{last}", f"y_{last}"
    if last in ("images", "labels") and first in SPLITS:
        return SPLITS[first], f"{first}_images", f"{first}_labels"
    return None


def _find(file: Npz) -> dict[str, tuple[str, str]]:
    """The names of the arrays of images and of labels by split; training ones are among them."""
    keys: dict[str, str] = {}
    for key in file.arrays:
        if key.lower() in keys:
            raise file.fault(f"holds {keys[key.lower()]!r} and {key!r}: which of the two is it?")
        keys[key.lower()] = key
    pairs = [pair for key in keys if (pair := _pair(key))]
    found: dict[str, tuple[str, str]] = {}
    for split, images, labels in dict.fromkeys(pairs):
        for missing in (key for key in (images, labels) if key not in keys):
            raise _lacks(file, missing)
        if split in found:
            one, other = found[split][0], keys[images]
            raise file.fault(f"has {split} images twice, {one!r} and {other!r}: leave one out")
        found[split] = keys[images], keys[labels]
    if "train" not in found:
        raise _lacks(file, "images")
    return found


def _lacks(file: Npz, key: str) -> NasbenchError:
    held = [*file.arrays, *file.passed_over]
    return file.fault(
        f"has no array {key!r}; it holds {named(held) or 'nothing'}, and "
        f"images and labels (or x_train, y_train, x_test, y_test) are needed"
    )


def _images(name: str, array: NDArray[Any], size: int) -> Images:
    images = as_images(name, array)
    if size:
        return mean_pool(images, size)
    if images.shape[2] != images.shape[3]:
        raise BadValue(
            f"task {name}: images are {images.shape[2]} x {images.shape[3]}; "
            f"give a size to make them square"
        )
    return images


def _labels(file: Npz, key: str) -> NDArray[Any]:
    """Labels `[n]`, or `[n, 1]` as one column."""
    header = file.arrays[key]
    if header.dtype.kind not in "iu" or not header.size:
        raise BadValue(f"{file.source}: {key} must be integers [n], got {header}")
    array = file.array(key)
    return array.reshape(-1) if array.shape[1:] == (1,) else array


def _numbers(path: Path, labels: NDArray[Any]) -> tuple[str, ...]:
    """Names of classes that have none: the numbers up to the highest label."""
    highest = int(labels.max())
    if highest >= len(labels):
        raise BadValue(f"{path}: label {highest} with {len(labels)} images: labels count up")
    return tuple(str(label) for label in range(highest + 1))
