"""Importing one `.npz` of plain arrays.

Its keys, with N architectures, S seeds and E epochs:

- `architectures` `[N]`: strings of the space, distinct, in any order;
- `recipe/NAME/epochs` `[E]`: after how many epochs a recipe's values are, ascending;
- `recipe/NAME/seeds` `[S]`, optional: the seeds' numbers; without it they are 0 to S - 1;
- `recipe/NAME/<metric>`: `[N, S, E]`, or `[N]`: one number at the last epoch, without seeds;
- `parameters`, `flops` and what else is counted, `[N]`;
- `device/<name>/<metric_unit>` `[N]`, `proxy/<name>` `[N]`, and `proxy_draws/<name>`
  `[N, draws]` of which that is the mean;
- `about/<key>`: a sentence for the manifest. `about/licence` and `about/citation` say those;
  `about/<array>` speaks of an array: `derived: ...` marks it derived, `missing: ...` says why
  its NaNs are missing.

An epoch at which a metric has no value for any architecture is one at which it was not taken.
Values are float32 or float64 and stay so, bit for bit; integers become float64. NaN is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench._npz import SMALL, Npz, open_npz
from nasbench._progress import Progress
from nasbench.importers.contract import Contents, check_task
from nasbench.importers.quantities import NETWORK, check_name, told_by
from nasbench.importers.seconds import check_meaning
from nasbench.importers.settling import Settled, settle
from nasbench.space import Architectures, Space, get
from nasbench.table.format import Dataset
from nasbench.table.reasons import ENDED
from nasbench.table.scratch import Scratch

__all__ = ["read"]


def read(
    source: Path,
    scratch: Scratch,
    progress: Progress,
    *,
    space: str,
    task: str | None = None,
    seconds: str | None = None,
) -> Contents:
    """The arrays of an `.npz` file; see this module for their names.

    Args:
        source: the file.
        scratch: where the arrays go.
        progress: called with the bytes read.
        space: the name of the architectures' space.
        task: what was trained on.
        seconds: `cumulative` or `per-epoch`, which are summed; see `settle_seconds`.

    Raises:
        NasbenchError: naming the array that is not as it should be.
    """
    of = get(space)
    check_meaning(seconds)
    with open_npz(source, progress) as npz:
        contents = _contents(npz, of, scratch, seconds)
    said = ("seconds are of each epoch, and were summed",) if seconds == "per-epoch" else ()
    return replace(contents, task=check_task(task), said=said)


def _contents(npz: Npz, space: Space, scratch: Scratch, seconds: str | None) -> Contents:
    about = {key.removeprefix("about/"): npz.text(key) for key in npz.keys("about/")}
    architectures = _architectures(npz, space)
    rows, row = np.unique(architectures, return_inverse=True)
    if len(rows) < len(architectures):
        twice = int(rows[np.argmax(np.bincount(row))])
        raise npz.fault(f"holds architecture {twice} twice: {space.string(twice)}")
    recipes = _recipes(npz)
    arrays: dict[str, NDArray[np.floating]] = {}
    sentences: dict[str, str] = {}
    for key in npz.arrays:
        room, _, rest = key.partition("/")
        if (
            key == "architectures"
            or room == "about"
            or (room == "recipe" and rest.endswith(("/epochs", "/seeds")))
        ):
            continue
        name = f"network/{key}" if key in NETWORK else key
        if name in arrays:
            raise npz.fault(f"holds {name} twice")
        check_name(f"proxy/{rest}" if room == "proxy_draws" else name)
        recipe = recipes.get(rest.partition("/")[0]) if room == "recipe" else None
        arrays[name] = _values(npz, key, recipe, row, scratch)
        sentences[name] = about.get(key, "")
    taken = {name: recipe.epochs for name, recipe in recipes.items()}
    settled = settle(arrays, taken, rows, seconds)
    datasets = {
        name: Dataset(of.values, {**_describe(name, sentences[name]), **of.about})
        for name, of in settled.items()
    }
    missing = [r for name, of in settled.items() for r in _reasons(name, of, rows, sentences[name])]
    for key in about:
        if key.startswith(("recipe/", "device/", "proxy/")) and key not in npz.arrays:
            raise npz.fault(f"has a sentence about {key[:80]!r}, which it does not hold")
    notes = {key: text for key, text in about.items() if key not in ("licence", "citation")}
    if any(recipe.numbered for recipe in recipes.values()):
        notes["numbering"] = "the source does not number its seeds: they stand as 0, 1, 2, ..."
    return Contents(
        name=utf8(npz.source.stem),
        space=space,
        rows=rows,
        recipes={
            name: {"epochs": recipe.epochs[-1], "seeds": recipe.seeds}
            for name, recipe in recipes.items()
        },
        datasets=datasets,
        devices={name.split("/")[1]: {} for name in datasets if name.startswith("device/")},
        missing=missing,
        licence=about.get("licence", "unknown"),
        citation=about.get("citation", "unknown"),
        notes=notes,
    )


@dataclass(frozen=True, slots=True)
class _NpzRecipe:
    """When a recipe's values were taken, and the numbers of its seeds.

    `numbered` says that the numbers are ours, for want of any in the file.
    """

    epochs: list[int]
    seeds: list[int]
    numbered: bool


def _architectures(npz: Npz, space: Space) -> Architectures:
    """The architecture of each entry, `[N]`."""
    if "architectures" not in npz.arrays:
        raise npz.fault("holds no `architectures`, the strings of its architectures")
    array = npz.arrays["architectures"]
    if array.dtype.kind != "U" or len(array.shape) != 1:
        raise npz.fault(f"holds `architectures` that are {array}, not [N] strings")
    if not 0 < array.shape[0] <= space.size or array.dtype.itemsize > SMALL:
        raise npz.fault(f"holds `architectures` that are {array}; {space.name} has {space.size:,}")
    strings = (string for block in npz.blocks("architectures") for string in block.tolist())
    return space.check([space.index(string) for string in strings])


def _recipes(npz: Npz) -> dict[str, _NpzRecipe]:
    recipes = {}
    for name in dict.fromkeys(key.split("/")[1] for key in npz.keys("recipe/")):
        prefix = f"recipe/{name}/"
        if f"{prefix}epochs" not in npz.arrays:
            raise npz.fault(f"does not say with {prefix}epochs when its values were taken")
        epochs = npz.integers(f"{prefix}epochs")
        if epochs != sorted(set(epochs)) or epochs[0] < 1:
            raise npz.fault(f"holds {prefix}epochs that do not ascend from 1 or more")
        curves = {
            array.shape[1]
            for array in (npz.arrays[key] for key in npz.keys(prefix))
            if len(array.shape) == 3
        }
        if len(curves) > 1:
            raise npz.fault(f"holds metrics of recipe {name} with {sorted(curves)} seeds")
        count = curves.pop() if curves else 0
        numbered = f"{prefix}seeds" not in npz.arrays
        seeds = list(range(count)) if numbered else npz.integers(f"{prefix}seeds")
        if len(set(seeds)) != len(seeds) or (count and len(seeds) != count):
            raise npz.fault(f"needs {prefix}seeds to be {count} distinct numbers")
        recipes[name] = _NpzRecipe(epochs, seeds, numbered and count > 0)
    return recipes


def _values(
    npz: Npz, key: str, recipe: _NpzRecipe | None, row: NDArray[np.intp], scratch: Scratch
) -> NDArray[np.floating]:
    """An array in the order of the rows, out of memory."""
    array = npz.arrays[key]
    allowed: list[tuple[int, ...]] = [(len(row),)]
    if recipe is not None:
        allowed.append((len(row), len(recipe.seeds), len(recipe.epochs)))
    if key.startswith("proxy_draws/"):
        if f"proxy/{key.removeprefix('proxy_draws/')}" not in npz.arrays:
            raise npz.fault(f"holds {key} without the mean of its draws")
        allowed = [(len(row), max((1, *array.shape[1:2])))]
    if array.shape not in allowed or array.dtype.kind == "U":
        shapes = " or ".join(str(list(shape)) for shape in allowed)
        raise npz.fault(f"holds {key} that is {array}, not {shapes} numbers")
    single = array.dtype.newbyteorder("=") == np.float32
    values = scratch.missing(*array.shape, dtype=np.float32 if single else np.float64)
    start = 0
    for block in npz.blocks(key):
        values[row[start : start + len(block)]] = block
        start += len(block)
    return values


def _describe(name: str, said: str) -> dict[str, Any]:
    kind = "derived" if said.startswith("derived") else "imported"
    described: dict[str, Any] = {"kind": kind, **told_by(name)}
    return {**described, "note": said} if said else described


def _reasons(name: str, of: Settled, rows: NDArray[np.int64], said: str) -> list[Mapping[str, Any]]:
    """Why values are missing, as far as the file tells; curves that end tell it themselves."""
    absent = np.isnan(of.values).reshape(len(rows), -1).any(axis=1)
    if not said.startswith("missing:") or not absent.any():
        return list(of.gaps)
    ended = [gap for gap in of.gaps if gap["reason"] == ENDED]
    absent &= ~np.isin(rows, [row for gap in ended for row in gap["architectures"]])
    reason = said.removeprefix("missing:").strip()
    entry = {"scope": name, "reason": reason, "architectures": rows[absent].tolist()}
    return [*([entry] if absent.any() else []), *ended]
