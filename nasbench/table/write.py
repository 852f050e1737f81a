"""Writing a table: every row in place, a manifest that says how each came about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nasbench._names import KEYS, is_key
from nasbench._words import counted
from nasbench.errors import BadValue, DamagedFile, NasbenchError
from nasbench.space import Space, from_description
from nasbench.table.format import LAST, Dataset, TableFile
from nasbench.table.index import INDEX, index_datasets, rows_of_file
from nasbench.table.metrics import is_test, primary_of
from nasbench.table.pack import write_file
from nasbench.table.published import published
from nasbench.table.schema import check_manifest
from nasbench.table.table import Table
from nasbench.table.values import impossible

__all__ = ["content_hash", "write_anew", "write_table"]

_PLACES = ("shape", "dtype", "offset", "sha256")
"""What a manifest's entry of a data set says of where it lies, which writing says anew."""

CONTENT_KINDS = ("trained", "counted", "computed", "imported", "derived")
"""Kinds of data that the content hash covers: what was clocked or estimated is left out."""


def write_table(
    path: Path,
    *,
    name: str,
    space: Space,
    rows: ArrayLike,
    sharing: str,
    recipes: Mapping[str, Mapping[str, Any]],
    datasets: Mapping[str, Dataset],
    devices: Mapping[str, Mapping[str, Any]] | None = None,
    missing: Sequence[Mapping[str, Any]] = (),
    about: Mapping[str, Any] | None = None,
    new: bool = False,
) -> Table:
    """Write a table whole and open it.

    Args:
        path: of the file.
        name: of the table.
        space: of the architectures.
        rows: the architecture of each row, distinct, `[rows]`.
        sharing: `canonical` where a row stands for its whole class, `none` where it stands
            for itself.
        recipes: for each its `epochs`, its `seeds` and what it says of itself.
        datasets: by name: `recipe/<recipe>/<metric>` as `[rows, seeds, epochs]` or `[rows]`,
            `device/<device>/<metric_unit>`, `network/<metric>`, `proxy/<name>` as `[rows]`;
            `predicted/<recipe>/<metric>` as `[rows]`, 1 where its value is predicted;
            `proxy_draws/<name>` as `[rows, draws]`, of which `proxy/<name>` is the mean.
        devices: for each what it is; the kinds of its metrics are added from the data sets.
        missing: why values are NaN: `{"scope": prefix, "reason": why, "architectures": [...]}`;
            no architectures stands for all.
        about: further entries of the manifest: task, family, versions, hardware, history,
            sources; `primary`, the metric that architectures are judged by, where it is another
            than `nasbench.table.metrics.primary_of` says.
        new: nothing was at `path` when the work on it began; what appeared since stays, and is
            said.

    Example:
        >>> import numpy as np, tempfile
        >>> from nasbench.space import get
        >>> accuracy = Dataset(np.asarray([[[50.0, 60.0]]]), {"kind": "trained", "epochs": [1, 2]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = write_table(
        ...         Path(folder) / "T.h5",
        ...         name="toy",
        ...         space=get("nb201-mini"),
        ...         rows=[7],
        ...         sharing="none",
        ...         recipes={"2ep": {"epochs": 2, "seeds": [0]}},
        ...         datasets={"recipe/2ep/valid_accuracy": accuracy},
        ...     )
        ...     print(table.values("valid_accuracy", [7]))
        [60.]
    """
    for named, names in (
        ("table", [name]),
        ("recipe", recipes),
        ("device", devices or {}),
        ("data set", datasets),
    ):
        for one in names:
            if not is_key(one):
                raise BadValue(f"a {named}'s name is {KEYS}, not {one[:40]!r}: give another")
    told_apart = ["proxy", *recipes, *(devices or {})]
    if len(set(told_apart)) < len(told_apart):
        twice = max(told_apart, key=told_apart.count)
        raise BadValue(
            f"two of {name} are called {twice}: a metric is named by its recipe, its device or "
            f"proxy, so each needs a name of its own"
        )
    architectures = space.check(rows)
    if architectures.ndim != 1 or len(np.unique(architectures)) != len(architectures):
        raise NasbenchError(f"the rows of {name} must be distinct architectures")
    if not len(architectures):
        raise NasbenchError(f"{name} has no rows: a table holds one architecture or more")
    for key, dataset in datasets.items():
        if dataset.values.shape[:1] != architectures.shape:
            raise NasbenchError(
                f"{key} has {counted(dataset.values.shape[0], 'row')}, the table has "
                f"{len(architectures)}"
            )
        if wrong := impossible(key, dataset.values):
            raise BadValue(f"{key} {wrong}")
    said = about or {}
    manifest = {
        **published(said),
        **_primary(name, said.get("primary"), recipes, datasets),
        "name": name,
        "space": dict(space.describe()),
        "sharing": sharing,
        "recipes": recipes,
        "devices": {
            device: {**described, "kinds": _kinds(f"device/{device}/", datasets)}
            for device, described in (devices or {}).items()
        },
        "missing": list(missing),
        "content_sha256": content_hash(architectures, datasets),
    }
    index = index_datasets(space, architectures, sharing)
    write_file(path, manifest, {**index, **datasets, **_last_epochs(datasets)}, new=new)
    return Table(path)


def write_anew(path: Path, out: Path) -> None:
    """Write a table as this release writes tables, its arrays byte for byte as they were.

    Older tables name the hosts and processes that built them; what is written here does not.
    The content hash stays, the file's own hash does not.

    Args:
        path: of a table, of which every hash is checked.
        out: of the new one, which may take the other's place.

    Raises:
        DamagedFile: where the arrays do not give the content hash that the manifest states.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16-proxies")
        >>> with TemporaryDirectory() as folder:
        ...     write_anew(table.path, Path(folder) / "anew.h5")
        ...     anew = nb.load(Path(folder) / "anew.h5")
        ...     anew.manifest["content_sha256"] == table.manifest["content_sha256"]
        True
    """
    file = TableFile(path)
    check_manifest(path, file.manifest)
    file.verify()
    manifest = published(file.manifest)
    datasets = {
        name: Dataset(file.array(name), {k: v for k, v in entry.items() if k not in _PLACES})
        for name, entry in manifest.pop("datasets").items()
    }
    hashed = {k: v for k, v in datasets.items() if k not in INDEX and not k.startswith(LAST)}
    space = from_description(manifest["space"])
    if content_hash(rows_of_file(file, space), hashed) != manifest["content_sha256"]:
        raise DamagedFile(f"{path} is damaged: it does not have the content hash it states")
    write_file(out, manifest, datasets)


def _primary(
    table: str, said: str | None, recipes: Mapping[str, Any], datasets: Mapping[str, Dataset]
) -> dict[str, str]:
    """The metric that architectures are judged by, as a key of the manifest; {} where is none."""
    if said is None:
        found = primary_of(recipes, datasets)
        return {} if found is None else {"primary": found}
    trained = {f"recipe/{recipe}/{said}" for recipe in recipes}
    if is_test(said) or not (trained | {f"device/{said}"}) & datasets.keys():
        raise BadValue(
            f"architectures of {table} cannot be judged by {said}: primary is a metric of its "
            f"recipes, not of the test split, or a cost, as <device>/<metric_unit>"
        )
    return {"primary": said}


def _last_epochs(datasets: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The last epoch of each curve: what is asked for most lies together."""
    return {
        LAST + name.removeprefix("recipe/"): Dataset(
            dataset.values[:, :, -1], {**dataset.about, "epochs": [dataset.about["epochs"][-1]]}
        )
        for name, dataset in datasets.items()
        if name.startswith("recipe/") and dataset.values.ndim == 3 and dataset.values.shape[2] > 1
    }


def _kinds(prefix: str, datasets: Mapping[str, Dataset]) -> dict[str, str]:
    """How each metric of a device came about."""
    return {
        name.removeprefix(prefix): str(dataset.about.get("kind", "imported"))
        for name, dataset in datasets.items()
        if name.startswith(prefix)
    }


def content_hash(rows: ArrayLike, datasets: Mapping[str, Dataset]) -> str:
    """SHA-256 over rows and data sets, less what was clocked or estimated: hex digits.

    Two builds of one recipe on one machine have the same.

    Example:
        >>> import numpy as np
        >>> latency = {"device/npu/latency_ms": Dataset(np.asarray([1.5]), {"kind": "measured"})}
        >>> content_hash([0], latency) == content_hash([0], {})
        True
    """
    numbers = np.asarray(rows)
    digest = hashlib.sha256()
    if numbers.dtype.kind == "O":
        digest.update(" ".join(map(str, numbers.tolist())).encode())
    else:
        digest.update(numbers.astype("<i8").tobytes())
    for name in sorted(datasets):
        dataset = datasets[name]
        if dataset.about.get("kind") in CONTENT_KINDS:
            digest.update(f"{name} {dataset.values.dtype} {dataset.values.shape}".encode())
            digest.update(np.ascontiguousarray(dataset.values).data)
    return digest.hexdigest()
