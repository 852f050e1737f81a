"""Descriptions of tasks from whatever a user has of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from nasbench._toml import read_toml
from nasbench.errors import DamagedFile, NasbenchError, unknown
from nasbench.search.journal import read_run
from nasbench.space import from_description
from nasbench.table import Table, load, shipped_tables, trained_means
from nasbench.task import Task, from_spec
from nasbench.task import get as get_task
from nasbench.task import names as task_names
from nasbench.transfer.description import Description, image_features, manifest_features

__all__ = ["METRIC", "describe", "longest_recipe", "of_table"]

METRIC = "valid_accuracy"
"""What tasks are compared by; test accuracy chooses nothing."""


def describe(
    source: str | Path, earlier: Mapping[str, Description] = MappingProxyType({})
) -> Description:
    """What is known of a task.

    Args:
        source: the name of a task, a table (a file or a shipped name), a build recipe (.toml)
            that names the task's images, the journal of a search (.jsonl), whose evaluations
            are the landmarks, or a description (.json).
        earlier: what is known by further names, as those of a repository's tasks.

    Example:
        >>> describe("digits").features["classes"]
        10
    """
    name, path = str(source), Path(source)
    if name in task_names():
        return _of_task(get_task(name))
    if name in shipped_tables() or path.suffix == ".h5":
        return of_table(load(source))
    if name in earlier:
        return earlier[name]
    readers = {".toml": _of_recipe, ".jsonl": _of_journal, ".json": Description.read}
    if path.suffix in readers:
        if not path.is_file():
            raise NasbenchError(f"there is no file {name}")
        return readers[path.suffix](path)
    raise unknown("task, table, recipe, journal or description", name, [*task_names(), *earlier])


def of_table(table: Table) -> Description:
    """A table's task; every architecture that it knows is a landmark.

    Where the task is one that comes with the package, and its hash is that of the table's, its
    images are looked at, too.
    """
    about = table.manifest.get("task") or {}
    name, digest = about.get("name", table.name), about.get("hash")
    features = manifest_features(about)
    if name in task_names() and get_task(name).hash == digest:
        features = image_features(get_task(name))
    return Description(name, features, digest, table.space, _accuracies(table))


def longest_recipe(table: Table) -> str:
    """The recipe of the most epochs: what a task's architectures are judged by."""
    if not table.recipes:
        raise NasbenchError(f"{table.name} holds no trainings: it says nothing of a task")
    return max(table.recipes, key=lambda name: table.manifest["recipes"][name]["epochs"])


def _accuracies(table: Table) -> dict[int, float]:
    """Mean validation accuracy by architecture, after the longest of the table's recipes."""
    recipe = longest_recipe(table)
    if METRIC not in table.metrics[recipe]:
        raise NasbenchError(f"{table.name} has no {METRIC} of recipe {recipe}")
    architectures = table.architectures
    values = trained_means(table, METRIC, architectures, recipe=recipe)
    taken = zip(architectures.tolist(), values.tolist(), strict=True)
    known = {a: value for a, value in taken if math.isfinite(value)}
    if not known:
        raise NasbenchError(f"every {METRIC} of {table.name} is missing: it says nothing of a task")
    return known


def _of_task(task: Task) -> Description:
    return Description(task.name, image_features(task), task.hash)


def _of_recipe(path: Path) -> Description:
    given = read_toml(path, "recipe")
    if "task" not in given:
        raise NasbenchError(f"{path}: 'task' is missing")
    return _of_task(from_spec(given["task"], path.parent))


def _of_journal(path: Path) -> Description:
    """The trainings of a search that went farthest; of a repeated one the last."""
    spec, asked = read_run(path)
    try:
        space, oracle = from_description(spec["space"]), spec["oracle"]
        farthest = max((e["epochs"] for e in asked), default=0)
        values = {e["architecture"]: e["values"] for e in asked if e["epochs"] == farthest}
        landmarks = {a: v[METRIC] for a, v in values.items() if v[METRIC] is not None}
        if not all(a < space.size and math.isfinite(v) for a, v in landmarks.items()):
            raise ValueError
        name = str(oracle.get("task", oracle["name"]))
        return Description(name, {}, oracle.get("task_hash"), space, landmarks)
    except NasbenchError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{path} is not the journal of a search that showed {METRIC}") from error
