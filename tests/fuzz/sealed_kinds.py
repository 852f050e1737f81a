"""Inputs that a hash or a checksum covers: tables, surrogates, journals.

It is made right again after the mutation, so that the checks behind it are what is tried; a share
of the inputs has its bytes damaged as well, which the hash must see.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import mutations
import numpy as np
from forked import Input
from good import COMPARE, Seeds, made_up_table, searching

from nasbench.building import build
from nasbench.search import Comparison, compare
from nasbench.table.format import BLOCK, MAGIC

Make = Callable[[Random, Path], Input]
"""Writes a mutated input into an empty folder."""


def rewritten(path: Path, out: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The table with another manifest, every hash right."""
    body = path.read_bytes()
    block = json.loads(body[len(MAGIC) : BLOCK].split(b"\n", 1)[0])
    place = block["manifest"]
    manifest = json.loads(body[place["offset"] : place["offset"] + place["length"]])
    text = json.dumps(change(manifest)).encode()
    rest = body[BLOCK:] + text
    block["length"] = BLOCK + len(rest)
    block["sha256"] = hashlib.sha256(rest).hexdigest()
    block["manifest"] = {
        "offset": len(body),
        "length": len(text),
        "sha256": hashlib.sha256(text).hexdigest(),
    }
    first = MAGIC + json.dumps(block).encode() + b"\n"
    out.write_bytes(first.ljust(BLOCK, b" ") + rest)


def tables(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> Input:
        path = folder / "t.h5"
        sealed = rng.random() >= 0.15
        if not sealed:
            path.write_bytes(mutations.data(seeds.table.read_bytes(), rng))
        elif rng.random() < 0.25:
            _lying_arrays(path, rng)
        else:
            rewritten(seeds.table, path, lambda m: mutations.mutate(m, rng))
        words = rng.choice(
            (
                ("info", path),
                ("query", path, rng.choice((0, 7, 124))),
                ("verify", path),
                ("dump", path, "--to", rng.choice(("csv", "npz")), "--out", folder / "d"),
                ("search", "local_search", "--table", path, "--budget-evaluations", 3),
                ("search", "hyperband", "--table", path, "--budget-seconds", 9),
                ("diff", path, seeds.table),
                ("merge", path, seeds.table, "--out", folder / "m.h5"),
            )
        )
        return Input(words, sealed=sealed)

    return make


def _lying_arrays(path: Path, rng: Random) -> None:
    """A table whose values nobody measured: NaN, infinities, the largest numbers."""
    table = made_up_table(path)
    names = [name for name in table.manifest["datasets"] if not name.startswith("last/")]
    changed = rng.choice(names)
    with h5py.File(path) as file:
        values = file[changed][...]
    flat = values.reshape(-1)
    for _ in range(rng.choice((1, 5, flat.size))):
        place = rng.randrange(flat.size)
        if values.dtype.kind == "f":
            flat[place] = rng.choice((np.nan, np.inf, -np.inf, 3e38, -1, 0, 1e-30))
        else:
            limits = np.iinfo(values.dtype)
            flat[place] = rng.choice((0, 1, limits.max, int(limits.min) or limits.max - 1))
    body = bytearray(path.read_bytes())
    entry = table.manifest["datasets"][changed]
    offset = int(entry["offset"])
    body[offset : offset + values.nbytes] = values.tobytes()
    raw = path.with_suffix(".raw")
    raw.write_bytes(body)

    def honest(manifest: dict[str, Any]) -> dict[str, Any]:
        found = copy.deepcopy(manifest)
        found["datasets"][changed]["sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
        return found

    rewritten(raw, path, honest)


def surrogates(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> Input:
        document = copy.deepcopy(seeds.surrogate)
        document.pop("sha256")
        if rng.random() < 0.5:
            metrics = document["metrics"]
            members = metrics[rng.choice(sorted(metrics))]["members"]
            place = rng.randrange(len(members))
            model = json.loads(zlib.decompress(base64.b64decode(members[place])))
            text = json.dumps(mutations.mutate(model, rng)).encode()
            members[place] = base64.b64encode(zlib.compress(text, 1)).decode()
        else:
            document = mutations.mutate(document, rng)
        if isinstance(document, dict):
            text_ = json.dumps(document, sort_keys=True).encode()
            document["sha256"] = hashlib.sha256(text_).hexdigest()
        written = json.dumps(document, sort_keys=True).encode()
        sealed = isinstance(document, dict) and rng.random() >= 0.1
        if not sealed:
            written = mutations.data(written, rng)
        path = folder / "s.json"
        path.write_bytes(written)
        words = rng.choice(
            (
                ("search", "random_search", "--surrogate", path, "--budget-evaluations", 3),
                ("surrogate", "score", path, seeds.table),
            )
        )
        return Input(words, sealed=sealed)

    return make


# Journals.


def lines(path: Path, rng: Random) -> bool:
    """Change lines of a journal of checksummed JSON.

    Returns:
        Whether the checksum of all that is changed is right.
    """
    found = path.read_bytes().split(b"\n")
    full = [number for number, line in enumerate(found) if line]
    sealed = True
    for _ in range(rng.choice((1, 1, 2))):
        number = rng.choice(full)
        kind = rng.randrange(8)
        try:
            entry = json.loads(found[number].partition(b" ")[2])
        except (ValueError, RecursionError):  # of a line that is changed already
            kind = 5
        if kind < 5:
            changed = json.dumps(mutations.mutate(entry, rng), separators=(",", ":"))
            found[number] = _with_checksum(changed.encode())
        elif kind == 5:
            found[number] = mutations.data(found[number], rng)
            sealed = False
        elif kind == 6:
            found.insert(number, found[rng.choice(full)])
        else:
            found[number] = _with_checksum(b"[" * 200_000)
    path.write_bytes(b"\n".join(found))
    return sealed


def _with_checksum(text: bytes) -> bytes:
    return b"%08x %s" % (zlib.crc32(text), text)


def build_journals(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> Input:
        out = folder / "t.h5"
        into = folder / "t.h5.build"
        shutil.copytree(seeds.journal, into)
        sealed = rng.random() >= 0.2
        if sealed:
            sealed = lines(into / "journal.jsonl", rng)
        else:  # which has no checksum
            _change_json(into / "plan.json", rng)
        alone = ("--engine", "reference", "--workers", 1)
        words = ("build", seeds.recipe, "--out", out, *alone)
        return Input(words, lambda: build(seeds.spec, out, processes=1, engine="reference"), sealed)

    return make


def _change_json(path: Path, rng: Random) -> None:
    changed = mutations.mutate(json.loads(path.read_text(encoding="utf-8")), rng)
    path.write_text(json.dumps(changed), encoding="utf-8")


def search_journals(seeds: Seeds) -> Make:
    """Journals of a search, and the runs that a comparison keeps."""

    def make(rng: Random, folder: Path) -> Input:
        if rng.random() < 0.5:
            path = folder / "j.jsonl"
            shutil.copy(seeds.folder / "search.jsonl", path)
            sealed = lines(path, rng)
            return Input(searching(path, seeds.table), sealed=sealed)
        into = folder / "compared"
        shutil.copytree(seeds.folder / "compared", into)
        (folder / seeds.table.name).symlink_to(seeds.table)  # which it names from where it lies
        if rng.random() < 0.3:
            _change_json(into / "comparison.json", rng)
            words = ("report", seeds.table, "--compare", into, "--out", folder / "page")
            return Input(words, lambda: Comparison.load(into).summary())
        sealed = lines(into / "runs" / "random_search.jsonl", rng)
        budget = ("--seeds", 3, "--budget-evaluations", COMPARE["budget_evaluations"])
        of = ("--table", seeds.table, "--strategies", "random_search", "--processes", 1)
        return Input(
            ("compare", *of, *budget, "--out", into),
            lambda: compare(["random_search"], seeds.table, out=into, **COMPARE).summary(),
            sealed,
        )

    return make
