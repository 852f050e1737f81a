"""What the arrays of a `.npz` file of examples are called, and what they say they are."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._npz import SMALL, Npz, open_npz
from nasbench._words import counted
from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.task.base import SPLITS
from nasbench.task.pixels import Images, as_images, mean_pool
from nasbench.task.unread import named

__all__ = [
    "KINDS",
    "SIGNS",
    "Pairs",
    "find_pairs",
    "kind_of_arrays",
    "lower_keys",
    "numbered",
    "pair_of",
    "said_kind",
    "square_images",
]

KINDS = ("image", "tokens", "audio", "features")
SIGNS = {"vocabulary": "tokens", "columns": "features", "categories": "features"}
"""Arrays that say by their being there what the inputs are."""

Pairs = dict[str, tuple[str, str]]
"""By split the names of its arrays of inputs and of targets."""


def pair_of(key: str) -> tuple[str, str, str] | None:
    """The split that an array is of, and the names of that split's inputs and targets."""
    first, _, last = key.lower().partition("_")
    if (first, last) in (("images", ""), ("labels", "")):
        return "train", "images", "labels"
    if first in ("x", "y") and last in SPLITS:
        return SPLITS[last], f"x_{last}", f"y_{last}"
    if last in ("images", "labels") and first in SPLITS:
        return SPLITS[first], f"{first}_images", f"{first}_labels"
    return None


def find_pairs(file: Npz) -> Pairs:
    """The names of the arrays of inputs and of targets by split; training ones are among them."""
    keys = lower_keys(file)
    pairs = [pair for key in keys if (pair := pair_of(key))]
    found: Pairs = {}
    for split, inputs, targets in dict.fromkeys(pairs):
        for missing in (key for key in (inputs, targets) if key not in keys):
            raise _lacks(file, missing)
        if split in found:
            one, other = found[split][0], keys[inputs]
            raise file.fault(f"has {split} images twice, {one!r} and {other!r}: leave one out")
        found[split] = keys[inputs], keys[targets]
    if "train" not in found:
        raise _lacks(file, "images")
    return found


def lower_keys(file: Npz) -> dict[str, str]:
    """The arrays' names by what they are in lower case."""
    keys: dict[str, str] = {}
    for key in file.arrays:
        if key.lower() in keys:
            raise file.fault(f"holds {keys[key.lower()]!r} and {key!r}: which of the two is it?")
        keys[key.lower()] = key
    return keys


def _lacks(file: Npz, key: str) -> NasbenchError:
    held = [*file.arrays, *file.passed_over]
    return file.fault(
        f"has no array {key!r}; it holds {named(held) or 'nothing'}, and "
        f"images and labels (or x_train, y_train, x_test, y_test) are needed"
    )


def said_kind(path: Path) -> str:
    """The signal that an array `kind` of a file names; nothing where there is none such."""
    with (
        suppress(NasbenchError),  # of another kind, or a file that reading will refuse
        open_npz(path, wanted=lambda key: key.lower() == "kind", most=SMALL) as file,
    ):
        for key, header in file.arrays.items():
            if header.dtype.kind == "U" and header.shape in ((), (1,)):
                said = file.array(key)[0] if header.shape else file.text(key)
                return str(said) if said in KINDS else ""
    return ""


def kind_of_arrays(file: Npz, pairs: Pairs, asked: str) -> str:
    """What the inputs are: as asked, or as the file says.

    Bytes with three or four sides are images, whatever lies beside them. Else a `vocabulary` says
    tokens, `columns` or `categories` features; and so do floating-point numbers in columns.

    Args:
        file: with the headers of the inputs, and the names of everything else.
        pairs: of the inputs.
        asked: by `[task]`, or by the array `kind`.

    Returns:
        `image` where nothing says anything else.
    """
    if asked:
        if asked not in KINDS:
            raise unknown("kind of signal", asked, KINDS)
        return asked
    header = file.arrays[pairs["train"][0]]
    if header.dtype == np.uint8 and len(header.shape) in (3, 4):
        return "image"
    beside = {key.lower() for key in file.passed_over}
    for sign, kind in SIGNS.items():
        if sign in beside:
            return kind
    return "features" if header.dtype.kind == "f" and len(header.shape) == 2 else "image"


def square_images(name: str, array: NDArray[Any], size: int) -> Images:
    """Images as they are read, pooled to a size or square already."""
    images = as_images(name, array)
    if size:
        return mean_pool(images, size)
    if images.shape[2] != images.shape[3]:
        raise BadValue(
            f"task {name}: images are {images.shape[2]} x {images.shape[3]}; "
            f"give a size to make them square"
        )
    return images


def numbered(path: Path, labels: NDArray[Any]) -> tuple[str, ...]:
    """Names of classes that have none: the numbers up to the highest label."""
    if labels.dtype.kind not in "iu" or not labels.size:
        raise BadValue(
            f"{path}: labels must be integers [n], got {labels.dtype} {list(labels.shape)}"
        )
    highest = int(labels.max())
    if highest >= len(labels):
        raise BadValue(
            f"{path}: label {highest} with {counted(len(labels), 'image')}: labels count up"
        )
    return tuple(str(label) for label in range(highest + 1))
