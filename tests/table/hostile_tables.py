"""Tables whose hashes are right and whose contents are not: what a stranger can write."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.table import Dataset, Table
from nasbench.table.pack import write_file

Contents = tuple[dict[str, Any], dict[str, Dataset]]
"""A manifest and data sets, both to be changed at will."""


def contents(table: Table) -> Contents:
    """What `forged` writes anew."""
    manifest = copy.deepcopy(table.manifest)
    datasets = {}
    for name in manifest.pop("datasets"):
        found = table.dataset(name)
        datasets[name] = Dataset(found.values.copy(), copy.deepcopy(dict(found.about)))
    return manifest, datasets


def forged(
    path: Path, table: Table, change: Callable[[dict[str, Any], dict[str, Dataset]], Any]
) -> Path:
    """The table with something changed in it, and every hash right."""
    manifest, datasets = contents(table)
    change(manifest, datasets)
    write_file(path, manifest, datasets)
    return path


def in_format_1(table: Table, path: Path) -> Table:
    """The same table in format 1: `rows` and `row_of` in place of `ops` and what goes with it."""

    def change(manifest: dict[str, Any], datasets: dict[str, Dataset]) -> None:
        for name in ("ops", "others", "others_row"):
            datasets.pop(name, None)
        index = {
            "rows": Dataset(table.rows.astype(np.int32)),
            "row_of": Dataset(table.row_of.copy()),
        }
        others = dict(datasets)
        datasets.clear()
        datasets.update({**index, **others})

    return Table(forged(path, table, change))


VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**9, 2**63, 1e308, "", "x" * 5000, [], {}, [[]], ["a"], {"a": []}),
    *(
        "a\nb",
        "\x1b[2J",
        "$\\frac{$",
        "<script>",
        "=cmd|calc",
        "../../x",
        "| a | b |",
        "日本",
        "\udcff",
    ),
)


def mutate(manifest: dict[str, Any], datasets: dict[str, Dataset], rng: random.Random) -> None:
    """Change, take away, rename or move one entry of a manifest or of what it says of data."""
    about = {name: dict(dataset.about) for name, dataset in datasets.items()}
    whole = {**manifest, "about": about}
    places = _places(whole)
    place, other = rng.choice(places), rng.choice(places)
    inner: Any = _at(whole, place[:-1])
    match rng.randrange(4):
        case 0:
            del inner[place[-1]]
        case 1:
            inner[place[-1]] = copy.deepcopy(_at(whole, other))
        case 2 if isinstance(inner, dict):
            inner[str(rng.choice(VALUES))] = inner.pop(place[-1])
        case _:
            inner[place[-1]] = rng.choice(VALUES)
    manifest.clear()
    manifest.update({key: value for key, value in whole.items() if key != "about"})
    for name, said in whole.get("about", {}).items():
        if name in datasets and isinstance(said, dict):
            datasets[name] = Dataset(datasets[name].values, said)
        elif datasets:  # another name for what is there
            datasets[name] = datasets.pop(next(iter(datasets)))


def corrupt(datasets: dict[str, Dataset], rng: random.Random) -> None:
    """Put one number into a data set that no table has."""
    values = datasets[rng.choice(sorted(datasets))].values
    if values.dtype.kind == "f":
        odd: list[Any] = [np.inf, -np.inf, np.nan, 3e38, -1.0, 0.0]
    else:
        most = int(np.iinfo(values.dtype).max)
        odd = [0, 1, most, int(np.iinfo(values.dtype).min) or most - 1]
    values.flat[rng.randrange(values.size)] = rng.choice(odd)


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a document has a value; of long lists some."""
    if isinstance(value, dict):
        entries = list(value.items())
    else:
        entries = list(enumerate(value))[:5] if isinstance(value, list) else []
    return [(*place, key) for key, _ in entries] + [
        found for key, entry in entries for found in _places(entry, (*place, key))
    ]
