"""Which files of a folder are the examples of a task, and which are not: all are accounted for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasbench._files import local, utf8
from nasbench.errors import BadValue, NasbenchError
from nasbench.task.base import SPLITS
from nasbench.task.unread import counted, named

__all__ = ["PASSED_OVER", "FileKind", "Listing", "Rest", "entries_of", "list_files"]

PASSED_OVER = frozenset(
    {
        *(".DS_Store", "Thumbs.db", "desktop.ini", ".directory", "@eaDir", "__MACOSX"),
        *(".git", ".gitignore", ".gitattributes", ".gitkeep", ".ipynb_checkpoints", "__pycache__"),
    }
)
"""What systems and tools leave in folders: nobody's examples, and no word is lost on it."""
_HIDDEN = (".", "__")
_KINDS = 5
"""Suffixes that a sentence has room for."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """Files that are examples: what one is called, and how its name ends, in lower case."""

    noun: str
    suffixes: frozenset[str]

    def has(self, file: Path) -> bool:
        """Whether a file is one of them by its name."""
        return file.suffix.lower() in self.suffixes and not file.name.startswith(".")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a task.

    Attributes:
        classes: their names, sorted.
        splits: by its name each split's files: those of each class, sorted. `train` is always
            there; others are where they come apart.
        unread: what else is in the folder, a sentence each.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Sequence[Path]]]
    unread: Sequence[str]


def list_files(path: Path, kind: FileKind) -> Listing:
    """The examples in a folder of class folders, by split and class.

    Raises:
        NasbenchError: where there is no class folder, a class has no example, or a split lacks a
            class of the training examples.
    """
    rest = Rest(path, kind)
    roots = _roots(path, rest)
    found = {split: _by_class(root, rest) for split, root in roots.items()}
    classes = tuple(sorted(found["train"]))
    if not classes:
        raise BadValue(f"{roots['train']} has no class folders in it")
    for split, by_class in found.items():
        more = sorted(set(by_class) - set(classes))
        if lacking := [cls for cls in classes if cls not in by_class]:
            also = f", and has {named(more)}, which train has not" if more else ""
            raise BadValue(
                f"{roots[split]} has no folder of class {named(lacking)}{also}: every split needs "
                f"all classes"
            )
        if empty := [cls for cls in classes if not by_class[cls]]:
            raise BadValue(
                f"class folder {roots[split] / empty[0]} has no {kind.noun} in it: "
                f"{kind.noun}s are called {', '.join(sorted(kind.suffixes))}"
            )
        rest.add(f"that only {split} has", "class", [roots[split] / local(cls) for cls in more])
    files = {split: [by_class[cls] for cls in classes] for split, by_class in found.items()}
    return Listing(classes, files, rest.sentences())


def _roots(path: Path, rest: Rest) -> dict[str, Path]:
    """The folder of each split that comes apart; the folder itself as train where none does."""
    folders, files = entries_of(path)
    called: dict[str, list[Path]] = {}
    for folder in folders:
        if split := SPLITS.get(folder.name.lower()):
            called.setdefault(split, []).append(folder)
    if "train" in called and (len(called) > 1 or _holds_splits(called["train"][0], rest.kind)):
        for split, those in called.items():
            if len(those) > 1:
                twice = named([folder.name for folder in those])
                raise BadValue(
                    f"{path} has {split} {rest.kind.noun}s twice, in {twice}: leave one out"
                )
        apart = {split: those[0] for split, those in called.items()}
        rest.add("beside the splits", "folder", [f for f in folders if f not in apart.values()])
        rest.files(files, "beside the splits")
        return apart
    for folder in (folder for split in ("valid", "test") for folder in called.get(split, ())):
        if _holds_splits(folder, rest.kind):
            raise BadValue(
                f"{path} has {folder.name}, but no train beside it: call the folder of the "
                f"training {rest.kind.noun}s train"
            )
        rest.say(f"{folder.name} is taken for a class: there is no train beside it")
    return {"train": path}


def _holds_splits(path: Path, kind: FileKind) -> bool:
    """Whether a folder is one of class folders, and not of examples."""
    folders, files = entries_of(path)
    return bool(folders) and not any(map(kind.has, files))


def _by_class(root: Path, rest: Rest) -> dict[str, list[Path]]:
    """The examples in each class folder; what else is there is counted."""
    folders, files = entries_of(root)
    rest.files(files, "beside class folders")
    hidden = [folder for folder in folders if folder.name.startswith(_HIDDEN)]
    rest.add("whose names begin with a dot or __", "folder", hidden)
    found = {}
    for cls in (folder for folder in folders if folder not in hidden):
        within, files = entries_of(cls)
        rest.add("within class folders", "folder", within)
        rest.files([file for file in files if not rest.kind.has(file)], "")
        found[utf8(cls.name)] = [file for file in files if rest.kind.has(file)]
    return found


def entries_of(path: Path) -> tuple[list[Path], list[Path]]:
    """The folders in a folder and what else is there, sorted, but for what systems leave."""
    try:
        every = sorted(entry for entry in path.iterdir() if entry.name not in PASSED_OVER)
        folders = [entry for entry in every if entry.is_dir()]
    except OSError as error:
        raise NasbenchError(f"{path} is not a folder of class folders: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name
        raise BadValue(f"{str(path)!r} is not a folder of class folders: {error}") from error
    inside = set(folders)
    return folders, [entry for entry in every if entry not in inside]


class Rest:
    """What is not read, by where it is and what it is, and named from the task's folder on."""

    def __init__(self, path: Path, kind: FileKind) -> None:
        self._path, self.kind = path, kind
        self._found: dict[tuple[str, str], list[Path]] = {}
        self._said: list[str] = []

    def say(self, sentence: str) -> None:
        """Add a sentence of another kind."""
        self._said.append(sentence)

    def add(self, where: str, what: str, entries: Iterable[Path]) -> None:
        """Count entries that are not read."""
        for entry in entries:
            self._found.setdefault((where, what), []).append(entry)

    def files(self, files: Iterable[Path], where: str) -> None:
        """Count files that are not read: examples by where they are, others by what they are."""
        for file in files:
            if file.name.startswith("."):
                self.add("", "hidden file", [file])
            elif self.kind.has(file):
                self.add(where, self.kind.noun, [file])
            else:
                self.add("", "file", [file])

    def sentences(self) -> list[str]:
        """One for each kind."""
        return self._said + [
            f"not read: {self._names(what, entries)}{f' {where}' if where else ''}"
            f"{self._inside(what, entries)}"
            for (where, what), entries in self._found.items()
        ]

    def _names(self, what: str, entries: Sequence[Path]) -> str:
        names = [utf8(entry.relative_to(self._path).as_posix()) for entry in entries]
        return counted(names, what, "classes" if what == "class" else "")

    def _inside(self, what: str, entries: Sequence[Path]) -> str:
        """How many examples are in folders that are not read; of which kinds files are."""
        if what in ("folder", "class"):
            examples = sum(
                self.kind.has(Path(name))
                for entry in entries
                for _, _, names in os.walk(entry)
                for name in names
            )
            return f", with {examples:,} {self.kind.noun}{'' if examples == 1 else 's'}"
        if what == "file":
            kinds = Counter(utf8(entry.suffix.lower()) or "without suffix" for entry in entries)
            most = [f"{n:,} {kind}" for kind, n in kinds.most_common(_KINDS)]
            return f" of other kinds: {named(most)}{', ...' if len(kinds) > _KINDS else ''}"
        return ""
