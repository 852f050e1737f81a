"""Images that are files, in a folder for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue
from nasbench.task.base import Task, check_names
from nasbench.task.images import SUFFIXES, Picture, Style, parse_colour, read_image
from nasbench.task.listing import FileKind, Listing, list_files
from nasbench.task.pixels import Images, check_memory, check_size
from nasbench.task.splitting import check_shares, make_task
from nasbench.task.unread import counted

__all__ = ["folder"]

_IMAGES = FileKind("image", SUFFIXES)


def folder(
    path: str | Path,
    *,
    size: int,
    channels: int = 3,
    name: str = "",
    background: str | int | Sequence[int] = "white",
    **split: Any,
) -> Task:
    """A folder with one folder of images a class; each is resized to `size` x `size`.

    With `train/` in it and `valid/` or `test/` beside that (or `val/`, `Validation/`, `Test/`:
    in any case), each with the class folders, those splits are used as they are. What is in the
    folder and not read, and what had to be done to images, is in the task's notes.

    Args:
        path: of the folder.
        size: pixels, wide and high.
        channels: 1 (grey) or 3 (colour).
        name: the task's name; the folder's by default.
        background: that transparent images are laid on: a colour's name or `#rrggbb`, a grey
            level, or red, green and blue.
        **split: `make_task`'s `train`, `valid`, `test_share` and `seed`.

    Raises:
        NasbenchError: where there are no class folders, a class has no images, or a file that is
            called an image cannot be read as one.
    """
    path = Path(path)
    if channels not in (1, 3):
        raise BadValue(f"images have 1 or 3 channels, got {channels}")
    check_size(size)
    style = Style(size, channels, parse_colour(background))
    listing = list_files(path, _IMAGES)
    name = name or utf8(path.resolve().name)
    check_names(name, listing.classes)
    check_shares(name, listing.splits, split.get("valid"), split.get("test_share"))
    check_memory(sum(map(len, _every(listing))), channels, size)
    done = _Done(path, listing.classes, background)
    parts = {part: _read(files, style, done) for part, files in listing.splits.items()}
    images, labels = parts["train"]
    return make_task(
        name,
        images,
        labels,
        own_valid=parts.get("valid"),
        test=parts.get("test"),
        classes=listing.classes,
        about={"source": f"folder {utf8(path.name)}"},
        notes=[*listing.unread, *done.notes()],
        **split,
    )


def _every(listing: Listing) -> list[Sequence[Path]]:
    return [files for split in listing.splits.values() for files in split]


class _Done:
    """What was done to images, counted over all of them."""

    def __init__(self, path: Path, classes: Sequence[str], background: object) -> None:
        self._path, self._classes, self._background = path, classes, background
        self._names: dict[str, list[str]] = {}
        self._changed: Counter[int] = Counter()  # by label: images scaled or laid on something
        self._lost: Counter[int] = Counter()
        self._brightest = -1

    def add(self, label: int, file: Path, picture: Picture) -> None:
        """Count one image."""
        for what in ("frames", "turned", "unclear", "transparent", "deep", "lost"):
            if getattr(picture, what):
                name = utf8(file.relative_to(self._path).as_posix())
                self._names.setdefault(what, []).append(name)
        self._changed[label] += picture.transparent or picture.deep
        self._lost[label] += picture.lost
        if picture.brightest is not None:
            self._brightest = max(self._brightest, picture.brightest)

    def notes(self) -> list[str]:
        """A sentence for each kind of thing that was done.

        Raises:
            NasbenchError: where nothing is left to be seen on images of any class.
        """
        self._refuse_lost()
        bright = f", the brightest value is {self._brightest:,}" if self._brightest >= 0 else ""
        sentences = {
            "frames": "with several frames: the first is used",
            "turned": "turned upright, as their EXIF says",
            "unclear": "with damaged EXIF, taken as they are stored",
            "transparent": f"with transparency, laid on {self._background}",
            "deep": f"of more than 8 bits, scaled to 8{bright}",
            "lost": "of one colour now, which they were not before: is the background right?",
        }
        return [
            f"{counted(self._names[what], 'image')} {text}"
            for what, text in sentences.items()
            if what in self._names
        ]

    def _refuse_lost(self) -> None:
        if 0 <= self._brightest <= 255:
            raise BadValue(
                f"{counted(self._names['deep'], 'image')} of 16 bits hold no value above "
                f"{self._brightest}: save them with 8 bits, or they are black"
            )
        labels = range(len(self._classes))
        if all(0 < self._changed[label] == self._lost[label] for label in labels):
            if "transparent" in self._names:
                raise BadValue(
                    f"{counted(self._names['lost'], 'image')} with transparency are of one colour "
                    f"on {self._background}, in all classes: give another background in [task]"
                )
            raise BadValue(
                f"{counted(self._names['lost'], 'image')} of 16 bits a channel are black once "
                f"they are scaled to 8, in all classes: save them with 8 bits"
            )


def _read(
    files: Sequence[Sequence[Path]], style: Style, done: _Done
) -> tuple[Images, NDArray[np.int64]]:
    """Images `[n, channels, size, size]` and labels `[n]` of one split, from each class's files."""
    labels = np.repeat(np.arange(len(files)), [len(of) for of in files])
    images = np.empty((len(labels), style.channels, style.size, style.size), np.uint8)
    every = [(label, file) for label, of in enumerate(files) for file in of]
    for i, (label, file) in enumerate(every):
        picture = read_image(file, style)
        images[i] = picture.pixels
        done.add(label, file, picture)
    return images, labels
