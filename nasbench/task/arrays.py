"""Images that are arrays in a `.npz` file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.task.base import Images, Task, as_images, make_task, mean_pool

__all__ = ["npz"]


def npz(
    path: str | Path,
    *,
    name: str = "",
    size: int = 0,
    classes: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
    **split: Any,
) -> Task:
    """Images of one's own: `images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Args:
        path: a `.npz` with uint8 images as `as_images` reads them, and integer labels.
        name: the task's name; the file's by default.
        size: mean-pool to this size; 0 leaves square images as they are.
        classes: the classes' names; by default the numbers up to the highest label.
        about: source and licence.
        **split: `make_task`'s `train`, `valid`, `test_share` and `seed`.
    """
    path = Path(path)
    name = name or path.stem
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except Exception as error:  # a damaged zip can raise anything
        raise NasbenchError(f"cannot read {path} as .npz of plain arrays: {error}") from error
    keys = ("x_train", "y_train") if "x_train" in arrays else ("images", "labels")
    for key in keys:
        if key not in arrays:
            raise NasbenchError(
                f"{path} has no array {key!r}; it holds {', '.join(sorted(arrays)) or 'nothing'}, "
                f"and images and labels (or x_train, y_train, x_test, y_test) are needed"
            )
    test = None
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise NasbenchError(f"{path} has one of x_test and y_test: give both or neither")
    if "x_test" in arrays:
        test = (
            _square(name, as_images(name, arrays["x_test"]), size),
            arrays["y_test"].reshape(-1),
        )
    labels = arrays[keys[1]]
    labels = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if not classes:
        if labels.dtype.kind not in "iu" or not labels.size:
            raise NasbenchError(f"{path}: labels must be integers [n], got {labels.dtype}")
        highest = int(labels.max())
        if highest >= len(labels):
            raise NasbenchError(
                f"{path}: label {highest} with {len(labels)} images: labels count up"
            )
        classes = tuple(str(label) for label in range(highest + 1))
    images = _square(name, as_images(name, arrays[keys[0]]), size)
    source = {"source": path.name, **(about or {})}
    return make_task(name, images, labels, test=test, classes=classes, about=source, **split)


def _square(name: str, images: Images, size: int) -> Images:
    if size:
        return mean_pool(images, size)
    if images.shape[2] != images.shape[3]:
        raise NasbenchError(
            f"task {name}: images are {images.shape[2]} x {images.shape[3]}; "
            f"give a size to make them square"
        )
    return images
