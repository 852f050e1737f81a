"""The document of a surrogate: read from a file that anyone may have written, and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasbench._files import read_json
from nasbench._names import is_name
from nasbench.errors import DamagedFile, Unsupported
from nasbench.space import Architectures, Space
from nasbench.table.metrics import is_test

__all__ = ["FORMAT", "VERSION", "ascending", "check_document", "hash_of", "need", "read_document"]

FORMAT = "nasbench-surrogate"
VERSION = 2

LARGEST = 1 << 26
"""Bytes of a file: a hundred times what one of a large table has."""
MOST_EPOCHS = 10**7
MOST_MODELS = 32
"""Of all metrics together."""


def read_document(path: Path) -> dict[str, Any]:
    """What a surrogate's file holds, with the hash that it states.

    The hash says that the file is whole, and nothing of who wrote it: see `check_document`.

    Raises:
        NasbenchError: where it cannot be read, is of another format or version, or damaged.
    """
    try:
        document = read_json(path, "surrogate", most=LARGEST)
    except DamagedFile as error:
        raise DamagedFile(f"{path} is not a surrogate of this project: it is no JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DamagedFile(f"{path} is not a surrogate of this project")
    version = document.get("version")
    if version != VERSION and isinstance(version, int):
        raise Unsupported(
            f"{path} has surrogate format {version:.6g}, "
            f"this release reads format {VERSION}: fit it again"
        )
    if document.pop("sha256", None) != hash_of(document):
        raise DamagedFile(f"{path} is damaged: it does not have the hash it states")
    return document


def hash_of(document: Mapping[str, Any]) -> str:
    """The hash of a document, whatever the order of its entries."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def need(holds: object, what: str) -> None:
    """Raise ValueError, naming what is not sound, unless it holds."""
    if not holds:
        raise ValueError(f"it has no sound {what}")


def ascending(numbers: Any, space: Space, what: str) -> Architectures:
    """Distinct architectures of a space, `[n]`; else `need` says what."""
    whole = isinstance(numbers, list) and set(map(type, numbers)) <= {int}
    need(whole and (not numbers or (min(numbers) >= 0 and max(numbers) < space.size)), what)
    found = space.check(numbers)
    need((np.diff(found) > 0).all(), f"order of {what}")
    return found


def check_document(document: Mapping[str, Any]) -> None:
    """Check what no other class reads: names, numbers, which metrics and how many models.

    Raises:
        ValueError: naming the entry that is not sound.
    """
    need(document.get("version") == VERSION, "version")
    table: Any = document.get("table")
    need(isinstance(table, dict) and is_name(table.get("name")), "table")
    need(re.fullmatch("[0-9a-f]{64}", str(table.get("sha256"))), "hash of its table")
    need(is_name(document.get("recipe")), "recipe")
    epochs: Any = document.get("epochs")
    seed: Any = document.get("seed")
    need(type(epochs) is int and 0 < epochs <= MOST_EPOCHS, "epochs")
    need(type(seed) is int and 0 <= seed < 2**63, "seed")
    versions: Any = document.get("versions")
    need(
        isinstance(versions, dict) and all(map(is_name, (*versions, *versions.values()))),
        "versions",
    )
    for key in ("space", "features", "metrics"):
        need(isinstance(document.get(key), dict), key)
    need(document["metrics"] and all(map(is_name, document["metrics"])), "metrics")
    members = []
    for metric, said in document["metrics"].items():
        # Whoever searches with a surrogate is shown all that it predicts.
        hidden = is_test(metric) or metric.rpartition("/")[2].startswith("test")
        need(not hidden, "metrics: test metrics are never predicted")
        need(
            isinstance(said, dict) and isinstance(said.get("settings"), dict),
            f"settings of {metric}",
        )
        plain = all(isinstance(v, str | int | float) for v in said["settings"].values())
        need(plain and all(map(is_name, said["settings"])), f"settings of {metric}")
        kendall: Any = said.get("kendall_out_of_fold")
        tau = isinstance(kendall, int | float) and -1 <= kendall <= 1
        need(kendall is None or tau, f"tau of {metric}")
        found = said.get("members")
        need(isinstance(found, list) and found, f"models of {metric}")
        members += found
    need(all(isinstance(text, str) for text in members), "models")
    need(len(members) <= MOST_MODELS, f"models: there are more than {MOST_MODELS}")
