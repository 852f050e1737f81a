"""What the manifests of several tables say together; of one thing all must say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from nasbench.errors import NasbenchError
from nasbench.table.table import Table
from nasbench.table.trust import clock_of

__all__ = [
    "alike",
    "check_spaces",
    "labelled_tables",
    "source_of",
    "unite",
    "united_devices",
    "united_recipes",
    "united_task",
    "without_task",
]

_MADE_ANEW = frozenset(
    {
        *("name", "space", "sharing", "recipes", "devices", "missing", "datasets", "task"),
        *("content_sha256", "sources", "versions", "primary"),
    }
)
"""Entries of the manifest that are joined one by one, or made by writing."""


def without_task(tables: Sequence[Table]) -> list[str]:
    """Tables with trainings that do not say what they were trained on, by name.

    `merge` cannot know whether that is what the others were trained on.
    """
    trained = [table for table in tables if table.recipes]
    without = [table.name for table in trained if not table.manifest.get("task")]
    return without if len(trained) > 1 else []


def labelled_tables(tables: Sequence[Table]) -> dict[str, Table]:
    """The tables by name, by name and file where names are the same."""
    labelled = {table.name: table for table in tables}
    if len(labelled) < len(tables):
        labelled = {f"{table.name} ({table.path})": table for table in tables}
    if len(labelled) < len(tables):
        raise NasbenchError("the same table is named twice: merging takes different ones")
    return labelled


def check_spaces(labelled: Mapping[str, Table]) -> None:
    """Refuse tables over different spaces, naming two of them."""
    (first, table), *others = labelled.items()
    for label, other in others:
        if other.manifest["space"] != table.manifest["space"]:
            raise NasbenchError(
                f"{first} is of space {table.space.name}, {label} of {other.space.name}"
                f"{' with another description' if other.space.name == table.space.name else ''}: "
                f"only tables over one space can be merged"
            )


def united_task(labelled: Mapping[str, Table]) -> dict[str, Any] | None:
    """What all were trained on: as said by the first table that knows the task's hash."""
    tasks = {label: t.manifest["task"] for label, t in labelled.items() if t.manifest.get("task")}
    for (a, first), (b, other) in combinations(tasks.items(), 2):
        key = "hash" if "hash" in first and "hash" in other else "name"
        if first.get(key) != other.get(key):
            raise NasbenchError(
                f"{a} was trained on task {_task_words(first)}, {b} on {_task_words(other)}: only "
                f"tables of one task can be merged"
            )
    known = sorted(tasks.values(), key=lambda task: "hash" not in task)
    return dict(known[0]) if known else None


def _task_words(task: Mapping[str, Any]) -> str:
    name = str(task.get("name"))
    return f"{name} (hash {str(task['hash'])[:16]})" if "hash" in task else name


def united_recipes(labelled: Mapping[str, Table]) -> dict[str, dict[str, Any]]:
    """Every recipe with the seeds of all tables."""
    joined: dict[str, tuple[str, dict[str, Any]]] = {}
    for label, table in labelled.items():
        for recipe, described in table.manifest["recipes"].items():
            if recipe not in joined:
                joined[recipe] = label, dict(described)
                continue
            first, before = joined[recipe]
            seeds = [*before["seeds"], *(s for s in described["seeds"] if s not in before["seeds"])]
            said = {key: value for key, value in described.items() if key != "seeds"}
            united = unite(f"recipe {recipe}", first, before, label, said)
            joined[recipe] = first, {**united, "seeds": seeds}
    return {recipe: described for recipe, (_, described) in joined.items()}


def unite(
    what: str, a: str, first: Mapping[str, Any], b: str, other: Mapping[str, Any]
) -> dict[str, Any]:
    """What two tables say of the same thing; where both say something it must be the same."""
    united = dict(first)
    for key, value in other.items():
        if key not in united:
            united[key] = value
        elif isinstance(united[key], Mapping) and isinstance(value, Mapping):
            united[key] = unite(f"{what}, {key}", a, united[key], b, value)
        elif united[key] != value:
            raise NasbenchError(
                f"{what}: {key} is {united[key]!r} in {a} and {value!r} in {b}; what is not the "
                f"same needs another name"
            )
    return united


def united_devices(labelled: Mapping[str, Table]) -> dict[str, dict[str, Any]]:
    """Every device as it is described; a table may name one without saying what it is."""
    _check_clocks(labelled)
    joined: dict[str, tuple[str, dict[str, Any]]] = {}
    for label, table in labelled.items():
        for device, entry in table.manifest["devices"].items():
            described = {key: value for key, value in entry.items() if key != "kinds"}
            first, before = joined.get(device, (label, {}))
            if not before:
                joined[device] = label, described
            elif described and described != before:
                keys = [*before, *(key for key in described if key not in before)]
                key = next(key for key in keys if before.get(key) != described.get(key))
                raise NasbenchError(
                    f"device {device} is not the same in {first} and {label}: {key} is "
                    f"{before.get(key)!r} and {described.get(key)!r}; build or import one of "
                    f"them with another name for its device"
                )
    return {device: described for device, (_, described) in joined.items()}


def _check_clocks(labelled: Mapping[str, Table]) -> None:
    """Refuse latencies of one device that were taken by two clocks."""
    clocks: dict[str, tuple[str, str]] = {}
    for label, table in labelled.items():
        for device, described in table.manifest["devices"].items():
            if "latency_ms" not in described["kinds"]:
                continue
            clock = clock_of(described)
            first, before = clocks.setdefault(device, (label, clock))
            if clock != before:
                raise NasbenchError(
                    f"{device}/latency_ms is by the {before} clock in {first} and by the {clock} "
                    f"clock in {label}: what is not measured alike cannot stand in one column; "
                    f"build one of them with another clock for its device"
                )


def alike(tables: Sequence[Table]) -> dict[str, Any]:
    """The entries that every manifest has, and has the same."""
    first, *others = (table.manifest for table in tables)
    return {
        key: value
        for key, value in first.items()
        if key not in _MADE_ANEW and all(key in m and m[key] == value for m in others)
    }


def source_of(table: Table, tables: Sequence[Table], sharing: str) -> dict[str, Any]:
    """A table in the manifest of the one it went into."""
    shared = alike(tables)
    manifest = table.manifest
    kept = {k: v for k, v in manifest.items() if k not in _MADE_ANEW and k not in shared}
    kept |= {key: manifest[key] for key in ("sources", "versions") if key in manifest}
    return {
        "name": table.name,
        "sha256": table.sha256,
        "content_sha256": manifest.get("content_sha256"),
        "rows": len(table.rows),
        "sharing": manifest["sharing"],
        "written_out": manifest["sharing"] != sharing,
        **kept,
    }
