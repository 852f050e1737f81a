"""What a manifest must say before anything is read by it: tables come from strangers, too."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nasbench._names import is_key, is_name
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.table.format import DTYPES, PREDICTED
from nasbench.table.metrics import is_test

__all__ = [
    "check_manifest",
    "covers",
    "manifests",
    "origins",
    "predictions",
    "scopes_of",
]

MOST_EPOCHS = 10**7
"""Of a recipe, as many as one that is trained can have."""
MOST_TEXT = 1 << 20
"""Characters of a family's file."""
MOST_SIZE = 10**9
"""Of a network's size, either side of zero."""
_SHA256 = re.compile("[0-9a-f]{64}")


def check_manifest(path: object, manifest: Mapping[str, Any]) -> None:
    """Raise NasbenchError unless every entry that reading relies on has its type and shape."""

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise DamagedFile(f"{path} is damaged: its manifest has no sound {what}")

    for key in ("name", "space", "sharing", "recipes", "devices", "missing", "datasets"):
        if key not in manifest:
            raise NasbenchError(f"{path}: the manifest has no {key!r}")
    need(is_key(manifest["name"]), "name")
    need(isinstance(manifest.get("content_sha256"), str), "content hash")
    need(isinstance(manifest["space"], dict), "space")
    need(manifest["sharing"] in ("canonical", "none"), "sharing")
    recipes, devices, datasets = (manifest[k] for k in ("recipes", "devices", "datasets"))
    for key, entries in (("recipes", recipes), ("devices", devices), ("datasets", datasets)):
        need(isinstance(entries, dict) and all(isinstance(e, dict) for e in entries.values()), key)
        need(all(map(is_key, entries)), f"names of {key}")
    for name, recipe in recipes.items():
        last, seeds = recipe.get("epochs"), recipe.get("seeds")
        need(type(last) is int and 0 < last <= MOST_EPOCHS, f"epochs of {name}")
        need(_integers(seeds) and len(set(seeds)) == len(seeds), f"seeds of {name}")
        need(all(0 <= seed < 2**63 for seed in seeds), f"seeds of {name}")
        need(isinstance(recipe.get("trained", {}), dict), f"description of {name}")
    for name, device in devices.items():
        kinds = device.get("kinds")
        need(isinstance(kinds, dict), f"kinds of {name}")
        for metric, kind in kinds.items():
            known = f"device/{name}/{metric}" in datasets
            need(known and is_name(kind), f"{metric} of {name}")
    need(isinstance(manifest["missing"], list), "reasons for what is missing")
    for entry in manifest["missing"]:
        sound = isinstance(entry, dict) and {"scope", "reason", "architectures"} <= set(entry)
        need(sound and _integers(entry["architectures"]), "reasons for what is missing")
        sound = isinstance(entry["scope"], str) and isinstance(entry["reason"], str)
        need(sound, "reasons for what is missing")
    for key in ("task", "hardware", "versions", "source"):
        need(isinstance(manifest.get(key, {}), dict), key)
    _check_networks(manifest, need)
    _check_facts(manifest, need)
    n = _rows(datasets, need)
    for name, entry in datasets.items():
        shape = entry.get("shape")
        need(_integers(shape), f"shape of {name}")
        need(entry.get("dtype") in sorted(DTYPES), f"dtype of {name}")
        need(type(entry.get("offset")) is int, f"offset of {name}")
        for key, default in (("sha256", None), ("note", ""), ("unit", "")):
            need(isinstance(entry.get(key, default), str), f"{key} of {name}")
        need(is_name(entry.get("kind", "imported")), f"kind of {name}")
        room, _, rest = name.partition("/")
        if room == "recipe":
            recipe = recipes.get(rest.rpartition("/")[0])
            epochs = entry.get("epochs")
            ascending = _integers(epochs) and epochs == sorted({e for e in epochs if e > 0})
            need(recipe is not None and ascending and bool(epochs), f"data set {name}")
            need(recipe is None or epochs[-1] <= recipe["epochs"], f"epochs of {name}")
            whole = [*n, len(recipe["seeds"]), len(epochs)] if recipe else []
            need(shape in (n, whole), f"shape of {name}")
        elif room == "last":
            curves = datasets.get(f"recipe/{rest}", {}).get("shape")
            need(_integers(curves) and shape == curves[:2], f"shape of {name}")
        elif room in ("device", "proxy"):
            need(shape == n, f"shape of {name}")
            need(entry.get("better", "high") in ("high", "low"), f"direction of {name}")
            need(_seconds(entry.get("seconds", 0.0)), f"seconds of {name}")
        elif room == "proxy_draws":
            known = datasets.get(f"proxy/{rest}", {}).get("shape") == n
            need(known and shape[:1] == n and len(shape) == 2, f"shape of {name}")
        elif room == "network":
            need(shape[:1] == n, f"shape of {name}")
        elif room == "predicted":
            known = f"recipe/{rest}" in datasets
            need(known and shape == n and entry["dtype"] == "uint8", f"data set {name}")


def _check_networks(manifest: Mapping[str, Any], need: Callable[[bool, str], None]) -> None:
    """How large networks are, and what they are judged by."""
    if "primary" in manifest:
        # No manifest makes a test metric what is searched for.
        need(is_key(manifest["primary"]) and not is_test(manifest["primary"]), "primary metric")
    for name, recipe in manifest["recipes"].items():
        sizes = recipe.get("trained", {}).get("network", {})
        need(isinstance(sizes, dict), f"network sizes of {name}")
        need(all(map(is_name, sizes)), f"network sizes of {name}")
        need(all(map(_is_size, sizes.values())), f"network sizes of {name}")


def _is_size(value: object) -> bool:
    if isinstance(value, str):
        return is_name(value)
    return isinstance(value, int | float) and abs(value) <= MOST_SIZE


def _check_task(task: Mapping[str, Any], need: Callable[[bool], None]) -> None:
    need(isinstance(task.get("name"), str))
    need(isinstance(task.get("hash", ""), str))
    need(_integers(task.get("shape", [])))
    splits = task.get("splits", {})
    need(isinstance(splits, dict) and _integers(list(splits.values())))
    for key in ("classes", "notes"):
        need(_texts(task.get(key, [])))
    groups = task.get("groups", {})
    need(isinstance(groups, dict) and _integers(list(groups.values())))
    if "signal" in task:
        signal, target = task["signal"], task.get("target", {})
        need(isinstance(signal, dict) and isinstance(target, dict))
        need(signal.get("kind") in ("image", "tokens", "audio", "features"))
        need(isinstance(signal.get("dtype"), str) and _integers(signal.get("shape")))
        need(type(signal.get("vocabulary", 0)) is int and _integers(signal.get("categories", [])))
        need(target.get("kind") in ("classes", "number", "none"))
        need(_texts(target.get("names")) and bool(target["names"]))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _rows(
    datasets: Mapping[str, Mapping[str, Any]], need: Callable[[bool, str], None]
) -> list[int]:
    """The shape `[rows]`, of either format."""
    if "ops" in datasets:
        shape: Any = datasets["ops"].get("shape")
        need(datasets["ops"].get("dtype") in ("uint8", "uint16"), "ops")
        need(_integers(shape) and len(shape) == 2 and min(shape) > 0, "ops")
        for key in ("rows", "row_of"):
            need(key not in datasets, key)
        need(("others" in datasets) == ("others_row" in datasets), "others")
        if "others" in datasets:
            others, row = datasets["others"], datasets["others_row"]
            need(others.get("dtype") == datasets["ops"]["dtype"], "others")
            need(row.get("dtype") == "int32" and _integers(row.get("shape")), "others_row")
            need(others.get("shape") == [*row["shape"], shape[1]], "others")
        return list(shape[:1])
    for key in ("rows", "row_of"):
        need(datasets.get(key, {}).get("dtype") == "int32", key)
    shape = datasets["rows"].get("shape")
    need(_integers(shape) and len(shape) == 1 and shape[0] > 0, "rows")
    return list(shape)


def _check_family(family: Any, need: Callable[[bool, str], None]) -> None:
    """What builds the networks; nothing of a user's file is run."""
    need(isinstance(family, dict) and is_name(family.get("name")), "family")
    sha256, text = family.get("sha256", "0" * 64), family.get("text", "")
    need(isinstance(sha256, str) and bool(_SHA256.fullmatch(sha256)), "hash of its family")
    need(isinstance(text, str) and len(text) <= MOST_TEXT, "text of its family")


def _check_facts(manifest: Mapping[str, Any], need: Callable[[bool, str], None]) -> None:
    """What is only shown: the task, families, the source of an import, the sessions of a build."""
    if manifest.get("task") is not None:
        _check_task(manifest["task"], lambda sound: need(sound, "task"))
    for one in manifests(manifest):  # its sources come next, and have been looked at by then
        sources = one.get("sources", [])
        need(isinstance(sources, list) and all(isinstance(s, dict) for s in sources), "sources")
        need(isinstance(one.get("hardware", {}), dict), "hardware")
        if "family" in one:
            _check_family(one["family"], need)
        source = one.get("source", {})
        need(isinstance(source, dict), "source")
        for key in ("kind", "name", "licence", "citation"):
            need(isinstance(source.get(key, ""), str), "source")
        if "predicted" in one:
            predicted = one["predicted"]
            need(isinstance(predicted, dict), "predictions")
            need(isinstance(predicted.get("recipe"), str), "recipe of predictions")
            for key in ("rows_trained", "rows_fitted", "rows_predicted"):
                need(type(predicted.get(key)) is int, f"{key} of predictions")
    for key, kind in (("processor", str), ("system", str), ("cores", int)):
        need(isinstance(manifest.get("hardware", {}).get(key, kind()), kind), "hardware")
    need(isinstance(manifest.get("engine", ""), str), "engine")
    need(all(isinstance(v, str) for v in manifest.get("versions", {}).values()), "versions")
    history = manifest.get("history", [])
    need(isinstance(history, list), "history")
    for session in history:
        sound = isinstance(session, dict) and isinstance(session.get("hardware"), dict)
        need(sound and isinstance(session.get("started"), str), "history")
        need(isinstance(session["hardware"].get("processor"), str), "history")


def manifests(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A table's manifest, and what is kept in it of those that it was merged of, and they of.

    Example:
        >>> import nasbench as nb
        >>> len(list(manifests(nb.load("nb201-fashion16").manifest)))
        1
    """
    waiting = deque([manifest])
    while waiting:
        yield (one := waiting.popleft())
        waiting += one.get("sources", ())


def origins(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was imported into a table, or into those that it was merged of: their `source`s.

    Example:
        >>> import nasbench as nb
        >>> origins(nb.load("nb201-fashion16").manifest)
        []
    """
    return _told(manifest, "source")


def predictions(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was predicted in a table, or in those that it was merged of, and is there still.

    Example:
        >>> import nasbench as nb
        >>> predictions(nb.load("nb201-fashion16").manifest)
        []
    """
    return [
        said
        for said in _told(manifest, "predicted")
        if any(name.startswith(f"{PREDICTED}{said['recipe']}/") for name in manifest["datasets"])
    ]


def _told(manifest: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Each once: what two tables were merged of may be the same."""
    found: list[Mapping[str, Any]] = []
    for one in manifests(manifest):
        if key in one and one[key] not in found:
            found.append(one[key])
    return found


def covers(scope: str, dataset: str) -> bool:
    """Whether a `missing` entry of this scope speaks of that data set."""
    return f"{dataset}/".startswith(f"{scope}/")


def scopes_of(mine: set[str], every: Iterable[str]) -> list[str]:
    """The shortest prefixes that cover these data sets and none of the others."""
    others = set(every) - mine
    found: dict[str, None] = {}
    for name in sorted(mine):
        parts = name.split("/")
        prefixes = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        found[next(p for p in prefixes if not any(covers(p, other) for other in others))] = None
    return list(found)


def _seconds(value: object) -> bool:
    return isinstance(value, float) and 0 <= value < math.inf


def _integers(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)
