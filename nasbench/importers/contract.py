"""What every importer keeps to: what it hands over, and how that becomes a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import ArrayLike

from nasbench._files import utf8
from nasbench._names import LONGEST, is_name
from nasbench._progress import Progress
from nasbench.errors import BadValue, NasbenchError
from nasbench.space import Space
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["Contents", "Read", "check_task", "hash_source"]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a foreign source holds, in the terms of a table; see `write_table`.

    Attributes:
        name: of the table.
        space: of the architectures.
        rows: the architecture of each row, distinct, `[rows]`.
        recipes: for each its `epochs` and `seeds`, and `trained`: what is known of it.
        datasets: by name; the kind of each is `imported`, or `derived` with a sentence `note`
            on how.
        devices: for each what it is.
        missing: why values are NaN: `{"scope": prefix, "reason": why, "architectures": [...]}`.
        task: what was trained on: `name` and what else is known; None where nothing was.
        licence: of the source, by its SPDX name where it has one; "unknown" where nobody says.
        citation: what to cite.
        notes: sentences about the source, each under a short key.
        said: sentences on how the source was read, and what of it was not.

    Example:
        >>> import nasbench as nb
        >>> import numpy as np
        >>> space = nb.space("nb201-mini")
        >>> latency = Dataset(np.asarray([1.5, 2.5]), {"kind": "imported"})
        >>> found = Contents(
        ...     "toy", space, [0, 1], {}, {"device/npu/latency_ms": latency}, "CC0", "none",
        ...     devices={"npu": {"kinds": {"latency_ms": "imported"}}},
        ... )
        >>> found.name, len(found.rows)
        ('toy', 2)
    """

    name: str
    space: Space
    rows: ArrayLike
    recipes: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Dataset]
    licence: str
    citation: str
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: Sequence[Mapping[str, Any]] = ()
    task: Mapping[str, Any] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    said: Sequence[str] = ()


class Read(Protocol):
    """An importer: a function whose keyword-only parameters are the options of its kind.

    Where these are many its module has a dataclass `OPTIONS` for them, which comes in their place.
    """

    def __call__(
        self, source: Path, scratch: Scratch, progress: Progress, *given: Any, **options: Any
    ) -> Contents:
        """What the source holds; arrays too large for memory lie in `scratch`.

        Raises:
            NasbenchError: in one sentence where the source is not what it should be.
        """


def check_task(name: str | None) -> Mapping[str, Any] | None:
    """What a manifest says of the task of that name, which only the user knows.

    Raises:
        NasbenchError: where it can be no name.
    """
    if name is None:
        return None
    if not is_name(name):
        raise BadValue(f"a task's name is 1 to {LONGEST} printable characters, not {name[:40]!r}")
    return {"name": name}


def hash_source(source: Path, progress: Progress) -> tuple[str, int]:
    """SHA-256 and bytes of a file, or of a folder's files with their names.

    Raises:
        NasbenchError: where one of them cannot be read.
    """
    try:
        return _hash(source, progress)
    except OSError as error:
        raise NasbenchError(f"cannot read {error.filename or source}: {error.strerror}") from error


def _hash(source: Path, progress: Progress) -> tuple[str, int]:
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    total = sum(path.stat().st_size for path in files)
    done = 0
    folder = hashlib.sha256()
    for path in files:
        digest = hashlib.sha256()
        for block in _blocks(path):
            digest.update(block)
            done += len(block)
            progress("hashing the source", done, total)
        if source.is_file():
            return digest.hexdigest(), total
        name = utf8(path.relative_to(source).as_posix())
        line = f"{name} {digest.hexdigest()}\n"
        folder.update(line.encode("utf-8", "surrogateescape"))
    return folder.hexdigest(), total


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block
