"""A build recipe: the TOML file that names everything a table is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench._files import read_toml
from nasbench.device import DeviceSpec
from nasbench.errors import NasbenchError, unknown
from nasbench.space import CellSpace, Space
from nasbench.space import get as get_space
from nasbench.space.registry import from_description
from nasbench.task import Task
from nasbench.task import from_spec as task_from_spec
from nasbench.train import Recipe

__all__ = ["BuildSpec", "read_spec"]

_KEYS = ("name", "space", "task", "seeds", "recipe", "device")
_SPACE_KEYS = ("name", "nodes", "operations")


@dataclass(frozen=True, eq=False, slots=True)
class BuildSpec:
    """What a build trains and measures.

    Attributes:
        name: of the table.
        space: every distinct architecture of it is trained.
        task: to train on.
        seeds: of each architecture's trainings.
        recipes: by name; each is trained with every seed. Networks are measured in the width
            and depth of the first.
        devices: to measure on.
    """

    name: str
    space: Space
    task: Task
    seeds: tuple[int, ...]
    recipes: Mapping[str, Recipe]
    devices: tuple[DeviceSpec, ...]

    def describe(self) -> dict[str, Any]:
        """All of it by name; plain JSON values."""
        return {
            "name": self.name,
            "space": dict(self.space.describe()),
            "task": self.task.describe(),
            "seeds": list(self.seeds),
            "recipes": {name: recipe.describe() for name, recipe in self.recipes.items()},
            "devices": [spec.describe() for spec in self.devices],
        }


def read_spec(path: Path) -> BuildSpec:
    """Read a build recipe; an unknown key, name or value is an error that names it."""
    values = read_toml(path, "recipe")
    try:
        return _parse(values, path)
    except NasbenchError as error:
        raise type(error)(f"{path}: {error}") from error


def _parse(values: Mapping[str, Any], path: Path) -> BuildSpec:
    for key in values:
        if key not in _KEYS:
            raise unknown("key", key, _KEYS)
    for key in ("space", "task", "recipe"):
        if key not in values:
            raise NasbenchError(f"{key!r} is missing")
    recipes = {}
    if not isinstance(values["recipe"], Mapping) or not values["recipe"]:
        raise NasbenchError("recipes are tables: [recipe.NAME] with epochs = ...")
    for name, given in values["recipe"].items():
        if not isinstance(given, Mapping):
            raise NasbenchError(f"recipes are tables: [recipe.NAME], got recipe.{name} = {given!r}")
        if not re.fullmatch(r"[\w.-]+", name):
            raise NasbenchError(f"a recipe's name is letters, digits, '_', '-', '.', got {name!r}")
        recipes[name] = Recipe.from_dict(given)
    devices = _devices(values.get("device", []))
    if not isinstance(values["task"], str | Mapping):
        raise NasbenchError(f"task is a name or a table [task], got {values['task']!r}")
    task = task_from_spec(values["task"], path.parent)
    for name, recipe in recipes.items():
        for split, images in task.splits.items():
            wanted = getattr(recipe, f"{split}_images")
            if wanted > len(images):
                raise NasbenchError(
                    f"recipe {name}: {split}_images is {wanted}, "
                    f"{task.name} has {len(images)} {split} images"
                )
    return BuildSpec(
        name=str(values.get("name", path.stem)),
        space=_space(values["space"], path.parent),
        task=task,
        seeds=_seeds(values.get("seeds", 1)),
        recipes=recipes,
        devices=devices,
    )


def _space(given: object, folder: Path) -> Space:
    if isinstance(given, str):
        space = get_space(folder / given if given.endswith(".toml") else given)
    elif isinstance(given, Mapping):
        for key in given:
            if key not in _SPACE_KEYS:
                raise unknown("key of [space]", key, _SPACE_KEYS)
        space = from_description(given)
    else:
        raise NasbenchError(f"space is a name, a file or a table [space], got {given!r}")
    if not isinstance(space, CellSpace):
        raise NasbenchError(f"no network is known for architectures of {space.name}")
    return space


def _devices(given: object) -> tuple[DeviceSpec, ...]:
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise NasbenchError(f"devices are a list of tables: [[device]], got {given!r}")
    devices = tuple(DeviceSpec.from_dict(one) for one in given)
    names = [spec.name for spec in devices]
    if len(set(names)) != len(names):
        raise NasbenchError(f"two devices are called {max(names, key=names.count)}")
    return devices


def _seeds(given: object) -> tuple[int, ...]:
    """A number of seeds, counted from 0, or a list of them."""
    if type(given) is int and given > 0:
        return tuple(range(given))
    if isinstance(given, list) and given and all(type(s) is int and s >= 0 for s in given):
        if len(set(given)) != len(given):
            raise NasbenchError(f"a seed is named twice in {given}")
        return tuple(given)
    raise NasbenchError(f"seeds must be a number of 1 or more, or a list of them, got {given!r}")
