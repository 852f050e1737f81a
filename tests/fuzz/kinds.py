"""The kinds of foreign input: for each a good one, and a stream of mutated ones.

What a hash or a checksum covers is made right again after the mutation, so that the checks behind
it are what is tried; a share of the inputs has its bytes damaged as well, which the hash must see.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
import shutil
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import h5py
import mutations
import numpy as np
from forked import Input
from good import COMPARE, RECIPE, Seeds, made_up_table, release, searching, toml
from own_tasks import own_tasks
from PIL import Image

import nasbench as nb
from nasbench.building import build, read_spec
from nasbench.importers import hwnasbench, import_table
from nasbench.search import Comparison, compare
from nasbench.space import get
from nasbench.table.format import BLOCK, MAGIC

Make = Callable[[Random, Path], Input]
"""Writes a mutated input into an empty folder."""


# Recipes and image folders.


def recipes(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> Input:
        (folder / "images").symlink_to(seeds.folder / "images")
        changed = mutations.mutate(RECIPE, rng)
        written = toml(changed) if isinstance(changed, dict) else str(changed)
        if rng.random() < 0.25:
            written = mutations.text(written, rng)
        encoded = written.encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            encoded = mutations.data(encoded, rng)
        (folder / "r.toml").write_bytes(encoded)
        return _of_a_recipe(folder)

    return make


def _of_a_recipe(folder: Path, *, sealed: bool = False) -> Input:
    path = folder / "r.toml"
    words = ("build", path, "--out", folder / "out.h5", "--dry-run")
    return Input(words, lambda: read_spec(path), sealed)


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV", "LAB")
SUFFIXES = (
    ".png",
    ".jpg",
    ".bmp",
    ".gif",
    ".webp",
    ".tiff",
    ".ppm",
    ".eps",
    ".ico",
    ".tga",
    ".txt",
)


def image_folders(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> Input:
        root = folder / "images"
        shutil.copytree(seeds.folder / "images", root)
        sealed = [
            _one_image(rng, rng.choice((root, root / "a", root / "b")))
            for _ in range(rng.randrange(1, 6))
        ]
        task = dict(RECIPE["task"])
        if rng.random() < 0.3:
            for name in rng.sample(("train", "valid", "val", "test", "Test", ".git", "c"), 2):
                shutil.copytree(seeds.folder / "images", root / name)
        if rng.random() < 0.3:
            task = mutations.mutate(task, rng)
        written = toml({**RECIPE, "task": task})
        (folder / "r.toml").write_bytes(written.encode("utf-8", "surrogatepass"))
        return _of_a_recipe(folder, sealed=any(sealed))

    return make


def _one_image(rng: Random, folder: Path) -> bool:
    """A file of any mode, format, size and damage, under any name.

    Returns:
        Whether it is a PNG with a changed chunk whose checksums are right.
    """
    name = rng.choice(("x", ".x", "._x", "x y", "ü", "3", "x.png")) + rng.choice(SUFFIXES)
    path = folder / name
    size = rng.choice(((8, 8), (8, 8), (1, 1), (1, 900), (33, 7)))
    kind = rng.randrange(6)
    if path.exists() or path.with_suffix(".png").exists():
        return False
    if kind == 0:
        path.mkdir()
        return False
    if kind == 1:
        path.write_bytes(rng.randbytes(rng.randrange(200)))
        return False
    try:
        mode = rng.choice(MODES)
        pixels = rng.randbytes(size[0] * size[1] * 4)
        image = Image.frombytes("RGBA", size, pixels).convert("L" if mode in ("F", "I") else "RGB")
        frames = [image] * rng.choice((1, 1, 2))
        image.convert(mode).save(path, save_all=len(frames) > 1, append_images=frames[1:])
    except (OSError, ValueError, KeyError):  # a mode that the format does not have
        image.save(path.with_suffix(".png"))
        path = path.with_suffix(".png")
    written = path.read_bytes()
    sealed = kind == 2 and written.startswith(mutations.PNG) and rng.random() < 0.8
    if kind == 2:
        path.write_bytes((mutations.png if sealed else mutations.data)(written, rng))
    if kind == 3:
        path.rename(path.with_suffix(rng.choice((".png", ".jpg", ".jpeg"))))
    return sealed


# Imports.


def sheets(seeds: Seeds) -> Make:
    space = nb.space("nb201-mini")

    def make(rng: Random, folder: Path) -> Input:
        head = ["architecture", "seed", "epoch", "valid_accuracy", "train_seconds", "flops"]
        cells = [
            [space.string(a), seed, epoch, 50 + a + epoch, 2.5 * epoch, 1e6 + a // 2]
            for a in range(6)
            for seed in (0, 1)
            for epoch in (1, 2)
        ]
        lines = mutations.mutate([head, *cells], rng)
        separator = rng.choice(",,,,;\t")
        try:
            written = "\n".join(separator.join(map(str, line)) for line in lines)
        except TypeError:
            written = str(lines)
        if rng.random() < 0.4:
            written = mutations.text(written, rng)
        encoded = written.encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "replace")
        if rng.random() < 0.1:
            encoded = mutations.data(encoded, rng)
        (folder / "s.csv").write_bytes(encoded)
        options = ("--space", "nb201-mini", "--recipe", "2ep")
        return Input(("import", "csv", folder / "s.csv", *options, "--out", folder / "t.h5"))

    return make


def pickles(seeds: Seeds, space: str = "nb201-mini") -> Make:
    """HW-NAS-Bench's pickle, of a small space where a function of this process takes it."""
    good = {"nasbench201": {"cifar10": release(get(space))}, "fbnet": {}}

    def make(rng: Random, folder: Path) -> Input:
        path, out = folder / "p.pickle", folder / "t.h5"
        changed: Any = mutations.mutate(good, rng) if rng.random() < 0.5 else good
        if changed is not good and isinstance(changed, dict) and rng.random() < 0.3:
            changed["nasbench201"] = np.zeros(2, dtype=rng.choice(("f4", "O", "V8")))
        written = pickle.dumps(changed, protocol=rng.randrange(6))
        if rng.random() < 0.7:
            written = mutations.data(written, rng)
        path.write_bytes(written)
        options = ("--dataset", "cifar10", "--out", out)
        words = ("import", "hw-nas-bench", path, *options)
        return Input(words, lambda: _import_release(path, out, space))

    return make


def _import_release(source: Path, out: Path, space: str) -> None:
    hwnasbench.get = lambda name: get(space)  # type: ignore[assignment] # in a child alone
    import_table("hw-nas-bench", source, out, dataset="cifar10")


# Tables, surrogates.


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


KINDS: dict[str, Callable[[Seeds], Make]] = {
    "build journals": build_journals,
    "csv": sheets,
    "image folders": image_folders,
    "own tasks": own_tasks,
    "pickles": pickles,
    "recipes": recipes,
    "search journals": search_journals,
    "surrogates": surrogates,
    "tables": tables,
}
BY_COMMAND = {**KINDS, "pickles": partial(pickles, space="nb201")}
"""The command knows the published space alone."""
