"""The sample of the NATS-Bench release, changed and packed in the ways the tests need."""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nasbench as nb

__all__ = ["FOLDERS", "records", "write_file", "write_folder"]

FOLDERS = {
    "nb201": "natsbench_sample/NATS-tss-v1_0-3ffb9-simple",
    "nats-size": "natsbench_sample/NATS-sss-v1_0-50262-simple",
}
"""For each space its folder among the published figures: real files."""


def records(folder: Path) -> dict[int, Any]:
    """The records of a folder, as Python's own unpickler reads them."""
    return {
        int(path.name[:6]): pickle.loads(bz2.decompress(path.read_bytes()))
        for path in sorted(folder.glob("0*.pickle.pbz2"))
    }


def write_folder(folder: Path, found: Mapping[int, Any]) -> Path:
    """A folder in the layout of the release's fast mode."""
    folder.mkdir(exist_ok=True)
    for number, record in found.items():
        path = folder / f"{number:06d}.pickle.pbz2"
        path.write_bytes(bz2.compress(pickle.dumps(record, protocol=4), 1))
    return folder


def whole(space: str, found: Mapping[int, Any]) -> dict[str, Any]:
    """All records as one dict, in the layout of the release's single files."""
    known = nb.space(space)
    return {
        "meta_archs": [known.string(i) for i in range(known.size)],
        "total_archs": known.size,
        "arch2infos": OrderedDict(found),
        "evaluated_indexes": set(found),
    }


def write_file(path: Path, space: str, found: Mapping[int, Any]) -> Path:
    """One file in the layout of the release's single files: built, not the real one."""
    path.write_bytes(bz2.compress(pickle.dumps(whole(space, found), protocol=4), 1))
    return path
