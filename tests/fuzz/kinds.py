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
import sys
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import forked
import h5py
import mutations
import numpy as np
import zygote
from PIL import Image

import nasbench as nb
from nasbench.building import BuildSpec, build, read_spec
from nasbench.cli import main
from nasbench.importers import hwnasbench, import_table
from nasbench.search import compare
from nasbench.space import CellSpace, get
from nasbench.surrogate import fit
from nasbench.table import Dataset, Table, write_table
from nasbench.table.format import BLOCK, MAGIC

Make = Callable[[Random, Path], forked.Attempt]
"""Writes a mutated input into an empty folder; what takes it."""

RECIPE: dict[str, Any] = {
    "name": "small",
    "space": {"name": "small", "nodes": 3, "operations": ["none", "nor_conv_1x1"]},
    "task": {"source": "folder", "path": "images", "size": 8},
    "seeds": 1,
    "recipe": {
        "1ep": {
            "epochs": 1,
            "channels": 4,
            "cells": 1,
            "batch_size": 8,
            "learning_rate": 0.1,
            "momentum": 0.9,
        }
    },
    "device": [{"runtime": "torch", "batch_size": 1, "threads": 1}],
}


class Seeds:
    """Good inputs, made once in a folder by a process of its own: this one only forks.

    Libraries that have begun threads here would stand still in a fork.
    """

    def __init__(self, folder: Path) -> None:
        zygote.run(make_seeds, folder)
        self.folder = folder
        self.table = folder / "table.h5"
        self.surrogate = json.loads((folder / "surrogate.json").read_text(encoding="utf-8"))
        self.journal = folder / "built.h5.build"
        self.pickled = {"nasbench201": {"cifar10": release(get("nb201-mini"))}, "fbnet": {}}


def make_seeds(folder: Path) -> None:
    """The files of `Seeds`."""
    table = made_up_table(folder / "table.h5")
    fit(table, train=40).save(folder / "surrogate.json")
    images(folder / "images")
    sys.argv = ["nasbench", *map(str, searching(folder / "search.jsonl", table.path))]
    with suppress(SystemExit):
        main()
    interrupt(small_spec(), folder / "built.h5")
    compare(["random_search"], table, out=folder / "compared", **COMPARE)


COMPARE: dict[str, Any] = {"budget_evaluations": 4, "seeds": range(3)}


def made_up_table(path: Path) -> Table:
    rng = np.random.default_rng(0)
    space = nb.space("nb201-mini")
    rows = space.representatives
    shape = (len(rows), 2, 3)
    every = {"kind": "trained", "epochs": [1, 2, 3]}
    worth = rng.normal(70, 8, (len(rows), 1, 1)) + rng.normal(0, 1, shape)
    return write_table(
        path,
        name="made-up",
        space=space,
        rows=rows,
        sharing="canonical",
        recipes={"3ep": {"epochs": 3, "seeds": [0, 1]}},
        datasets={
            "recipe/3ep/valid_accuracy": Dataset(worth.astype(np.float32), every),
            "recipe/3ep/train_seconds": Dataset(rng.uniform(1, 2, shape).cumsum(2), every),
            "recipe/3ep/test_accuracy": Dataset(
                worth[:, :, -1:], {"kind": "trained", "epochs": [3]}
            ),
            "device/toy/latency_ms": Dataset(rng.uniform(1, 9, len(rows)), {"kind": "measured"}),
        },
        devices={"toy": {"kinds": {"latency_ms": "measured"}}},
        missing=[{"scope": "device/toy", "reason": "of another", "architectures": []}],
        about={"hardware": {"processor": "x"}, "versions": {"numpy": "2"}, "licence": "MIT"},
    )


# Recipes and image folders.


def toml(values: Any, name: str = "") -> str:
    """Plain values as TOML; what TOML has no word for is left as Python writes it."""
    plain, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict):
            under = f"{name}.{_key(key)}".lstrip(".")
            tables.append(f"\n[{under}]\n{toml(value, under)}")
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            under = f"{name}.{_key(key)}".lstrip(".")
            tables += [f"\n[[{under}]]\n{toml(inner, under)}" for inner in value]
        else:
            plain.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(plain + tables)


def _key(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())}}}"
    return json.dumps(value) if isinstance(value, str | bool) or value is None else repr(value)


def images(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(14):
            pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def recipes(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> forked.Attempt:
        (folder / "images").symlink_to(seeds.folder / "images")
        written = toml(mutations.mutate(RECIPE, rng))
        if rng.random() < 0.25:
            written = mutations.text(written, rng)
        encoded = written.encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            encoded = mutations.data(encoded, rng)
        (folder / "r.toml").write_bytes(encoded)
        return lambda: read_spec(folder / "r.toml")

    return make


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
    def make(rng: Random, folder: Path) -> forked.Attempt:
        root = folder / "images"
        shutil.copytree(seeds.folder / "images", root)
        for _ in range(rng.randrange(1, 6)):
            _one_image(rng, rng.choice((root, root / "a", root / "b")))
        task = dict(RECIPE["task"])
        if rng.random() < 0.3:
            for name in rng.sample(("train", "valid", "val", "test", "Test", ".git", "c"), 2):
                shutil.copytree(seeds.folder / "images", root / name)
        if rng.random() < 0.3:
            task = mutations.mutate(task, rng)
        written = toml({**RECIPE, "task": task})
        (folder / "r.toml").write_bytes(written.encode("utf-8", "surrogatepass"))
        return lambda: read_spec(folder / "r.toml")

    return make


def _one_image(rng: Random, folder: Path) -> None:
    """A file of any mode, format, size and damage, under any name."""
    name = rng.choice(("x", ".x", "._x", "x y", "ü", "3", "x.png")) + rng.choice(SUFFIXES)
    path = folder / name
    size = rng.choice(((8, 8), (8, 8), (1, 1), (1, 900), (33, 7)))
    kind = rng.randrange(6)
    if path.exists() or path.with_suffix(".png").exists():
        return
    if kind == 0:
        path.mkdir()
        return
    if kind == 1:
        path.write_bytes(rng.randbytes(rng.randrange(200)))
        return
    try:
        mode = rng.choice(MODES)
        pixels = rng.randbytes(size[0] * size[1] * 4)
        image = Image.frombytes("RGBA", size, pixels).convert("L" if mode in ("F", "I") else "RGB")
        frames = [image] * rng.choice((1, 1, 2))
        image.convert(mode).save(path, save_all=len(frames) > 1, append_images=frames[1:])
    except (OSError, ValueError, KeyError):  # a mode that the format does not have
        image.save(path.with_suffix(".png"))
        path = path.with_suffix(".png")
    if kind == 2 and path.is_file():
        path.write_bytes(mutations.data(path.read_bytes(), rng))
    if kind == 3 and path.is_file():
        path.rename(path.with_suffix(rng.choice((".png", ".jpg", ".jpeg"))))


# Imports.


def sheets(seeds: Seeds) -> Make:
    space = nb.space("nb201-mini")

    def make(rng: Random, folder: Path) -> forked.Attempt:
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
        return ("import", "csv", folder / "s.csv", *options, "--out", folder / "t.h5")

    return make


def release(space: Any) -> dict[str, Any]:
    """HW-NAS-Bench's layout, on a small space."""
    strings = [{"arch_str": space.string(a)} for a in range(space.size)]
    costs = {
        f"{device}_{metric}": [float(a % 7 + 1) for a in range(space.size)]
        for device in ("edgegpu", "raspi4", "eyeriss", "fpga")
        for metric in ("latency", "energy")
    }
    return {"config": strings, **costs}


def pickles(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> forked.Attempt:
        path = folder / "p.pickle"
        if rng.random() < 0.5:
            changed: Any = mutations.mutate(seeds.pickled, rng)
            if rng.random() < 0.3:
                changed["nasbench201"] = np.zeros(2, dtype=rng.choice(("f4", "O", "V8")))
            written = pickle.dumps(changed, protocol=rng.randrange(6))
        else:
            written = pickle.dumps(seeds.pickled, protocol=rng.randrange(6))
        if rng.random() < 0.7:
            written = mutations.data(written, rng)
        path.write_bytes(written)
        return lambda: _import_mini(path, folder / "t.h5")

    return make


def _import_mini(source: Path, out: Path) -> None:
    hwnasbench.get = lambda name: get("nb201-mini")  # type: ignore[assignment] # in a child alone
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
    def make(rng: Random, folder: Path) -> forked.Attempt:
        path = folder / "t.h5"
        if rng.random() < 0.15:
            path.write_bytes(mutations.data(seeds.table.read_bytes(), rng))
        elif rng.random() < 0.25:
            _lying_arrays(path, rng)
        else:
            rewritten(seeds.table, path, lambda m: mutations.mutate(m, rng))
        return rng.choice(
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
            flat[place] = rng.choice((-1, 0, 2**31 - 1, -(2**31)))
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
    def make(rng: Random, folder: Path) -> forked.Attempt:
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
        if rng.random() < 0.1:
            written = mutations.data(written, rng)
        path = folder / "s.json"
        path.write_bytes(written)
        return rng.choice(
            (
                ("search", "random_search", "--surrogate", path, "--budget-evaluations", 3),
                ("surrogate", "score", path, seeds.table),
            )
        )

    return make


# Journals.


def small_spec() -> BuildSpec:
    base = nb.Recipe(
        epochs=1, train_images=20, valid_images=20, test_images=20, channels=4, cells=1
    )
    space = CellSpace("small", 3, ("none", "skip_connect"))
    return BuildSpec("small", space, nb.task("digits"), (0, 1), {"1ep": replace(base)}, ())


def interrupt(spec: BuildSpec, out: Path) -> None:
    """A build that is stopped when all but one training is done."""

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == total - 1:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        build(spec, out, processes=1, engine="reference", progress=stop)


def lines(path: Path, rng: Random) -> bytes:
    """A journal of checksummed JSON lines, some of them changed, their checksums right."""
    found = path.read_bytes().split(b"\n")
    full = [number for number, line in enumerate(found) if line]
    for _ in range(rng.choice((1, 1, 2))):
        number = rng.choice(full)
        checksum, space, text = found[number].partition(b" ")
        kind = rng.randrange(8)
        with_checksum = len(checksum) == 8 and space
        try:
            entry = json.loads(text if with_checksum else found[number])
        except (ValueError, RecursionError):  # of a line that is changed already
            kind = 5
        if kind < 5:
            changed = json.dumps(mutations.mutate(entry, rng), separators=(",", ":")).encode()
            checked = b"%08x %s" % (zlib.crc32(changed), changed)
            found[number] = checked if with_checksum else changed
        elif kind == 5:
            found[number] = mutations.data(found[number], rng)
        elif kind == 6:
            found.insert(number, found[rng.choice(full)])
        else:
            deep = b"[" * 200_000
            found[number] = b"%08x %s" % (zlib.crc32(deep), deep)
    return b"\n".join(found)


def build_journals(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> forked.Attempt:
        out = folder / "t.h5"
        into = folder / "t.h5.build"
        shutil.copytree(seeds.journal, into)
        if rng.random() < 0.2:
            plan = json.loads((into / "plan.json").read_text(encoding="utf-8"))
            changed = json.dumps(mutations.mutate(plan, rng))
            (into / "plan.json").write_text(changed, encoding="utf-8")
        else:
            (into / "journal.jsonl").write_bytes(lines(into / "journal.jsonl", rng))
        return lambda: build(small_spec(), out, processes=1, engine="reference")

    return make


def searching(journal: Path, table: Path) -> Sequence[object]:
    options = ("--table", table, "--budget-evaluations", 6, "--seed", 3)
    return ("search", "regularized_evolution", *options, "--out", journal)


def search_journals(seeds: Seeds) -> Make:
    def make(rng: Random, folder: Path) -> forked.Attempt:
        if rng.random() < 0.5:
            path = folder / "j.jsonl"
            path.write_bytes(lines(seeds.folder / "search.jsonl", rng))
            return searching(path, seeds.table)
        into = folder / "compared"
        shutil.copytree(seeds.folder / "compared", into)
        kept = into / "comparison.json"
        if rng.random() < 0.3:
            changed = mutations.mutate(json.loads(kept.read_text(encoding="utf-8")), rng)
            kept.write_text(json.dumps(changed), encoding="utf-8")
            from nasbench.search.comparison import Comparison

            return lambda: Comparison.load(into).summary()
        runs = into / "runs" / "random_search.jsonl"
        runs.write_bytes(lines(runs, rng))
        return lambda: compare(["random_search"], seeds.table, out=into, **COMPARE).summary()

    return make


KINDS: dict[str, Callable[[Seeds], Make]] = {
    "build journals": build_journals,
    "csv": sheets,
    "image folders": image_folders,
    "pickles": pickles,
    "recipes": recipes,
    "search journals": search_journals,
    "surrogates": surrogates,
    "tables": tables,
}
