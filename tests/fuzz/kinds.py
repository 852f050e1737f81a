"""The kinds of foreign input: for each a good one, and a stream of mutated ones."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
from forked import Input
from good import RECIPE, Seeds, release, toml
from own_tasks import own_tasks
from PIL import Image
from sealed_kinds import Make, build_journals, search_journals, surrogates, tables

import nasbench as nb
from nasbench.building import read_spec
from nasbench.importers import hwnasbench, import_table
from nasbench.space import get

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
