"""Images that are files, in a folder for each class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.task.base import Images, Task
from nasbench.task.splitting import make_task

__all__ = ["folder"]

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def folder(path: str | Path, *, size: int, channels: int = 3, name: str = "", **split: Any) -> Task:
    """A folder with one folder of images a class; each is resized to `size` x `size`.

    Folders that systems leave behind (`.git`, `__MACOSX`) are no classes.

    With `train/` and `test/` in it, each with the class folders, the test images are those;
    `split` is as for `npz`.
    """
    path = Path(path)
    name = name or path.name
    if channels not in (1, 3):
        raise NasbenchError(f"images have 1 or 3 channels, got {channels}")
    if size < 1:
        raise NasbenchError(f"an image size is 1 or more, got {size}")
    apart = (path / "train").is_dir() and (path / "test").is_dir()
    root = path / "train" if apart else path
    if not root.is_dir():
        raise NasbenchError(f"{path} is not a folder of class folders")
    classes = tuple(
        sorted(s.name for s in root.iterdir() if s.is_dir() and not s.name.startswith((".", "__")))
    )
    if not classes:
        raise NasbenchError(f"{root} has no class folders in it")
    images, labels = _read_classes(root, classes, size, channels)
    test = _read_classes(path / "test", classes, size, channels) if apart else None
    about = {"source": f"folder {path.name}"}
    return make_task(name, images, labels, test=test, classes=classes, about=about, **split)


def _read_classes(
    root: Path, classes: tuple[str, ...], size: int, channels: int
) -> tuple[Images, np.ndarray]:
    from PIL import Image

    images, labels = [], []
    for label, cls in enumerate(classes):
        files = sorted(f for f in (root / cls).glob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise NasbenchError(f"class folder {root / cls} has no image in it")
        for file in files:
            try:
                with Image.open(file) as image:
                    mode = image.convert("L" if channels == 1 else "RGB")
                    pixels = np.asarray(mode.resize((size, size), Image.Resampling.BOX))
            except Exception as error:  # a damaged image can raise anything
                raise NasbenchError(f"cannot read {file} as an image: {error}") from error
            images.append(pixels.reshape(size, size, channels).transpose(2, 0, 1))
            labels.append(label)
    return np.stack(images), np.asarray(labels)
