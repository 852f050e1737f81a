"""A build recipe: the TOML file that names everything a table is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbench._files import local, utf8
from nasbench._limits import LARGEST_SEED
from nasbench._names import KEYS, LONGEST, is_key
from nasbench._python_file import UserFunction, function_of, is_here
from nasbench._toml import read_toml
from nasbench.building.limits import check_sizes
from nasbench.device import DeviceSpec
from nasbench.errors import BadValue, NasbenchError, shown, unknown
from nasbench.network import family_of
from nasbench.network.family import CELL, Family
from nasbench.network.making import check_signal, sizes_of
from nasbench.space import Space
from nasbench.space import get as get_space
from nasbench.space.registry import from_description
from nasbench.task import Task
from nasbench.task import from_spec as task_from_spec
from nasbench.train import Recipe

if TYPE_CHECKING:
    from nasbench.device.tags import Tags

__all__ = ["BuildSpec", "check_table_name", "read_seeds", "read_spec"]

_KEYS = ("name", "space", "task", "seeds", "recipe", "device")
_SPACE_KEYS = ("name", "nodes", "operations")

MOST_RECIPE_NAME = LONGEST - len("predicted//evaluation_seconds")
"""Letters: the longest data set that is named after a recipe is a name, too."""
MOST_SEEDS = 1_000


@dataclass(frozen=True, eq=False, slots=True)
class BuildSpec:
    """What a build trains and measures; checked as a whole when it is made.

    Attributes:
        name: of the table.
        space: every distinct architecture of it is trained.
        task: to train on.
        seeds: of each architecture's trainings.
        recipes: by name; each is trained with every seed. Networks are measured in the sizes
            of the first. All sizes of the family stand in them once the spec is made.
        devices: to measure on.
        tags: of operations on further devices, which are not here: what networks cost there is
            their sums, and estimated.

    Example:
        >>> from nasbench.space import get
        >>> from nasbench.task import get as task
        >>> recipe = Recipe(epochs=5, channels=4, cells=1)
        >>> spec = BuildSpec("mine", get("nb201-mini"), task("digits"), (0, 1), {"5ep": recipe}, ())
        >>> spec.distinct * len(spec.seeds)  # trainings
        130
    """

    name: str
    space: Space
    task: Task
    seeds: tuple[int, ...]
    recipes: Mapping[str, Recipe]
    devices: tuple[DeviceSpec, ...]
    tags: tuple[Tags, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self.name, self.recipes, self._device_names)
        for one in self.tags:
            one.check_space(self.space)
        check_signal(self.space, self.family, self.task.signal)
        settled = {name: _settled(name, of, self.family) for name, of in self.recipes.items()}
        object.__setattr__(self, "recipes", settled)
        sides = self.task.signal.shape[1:]
        for name, recipe in self.recipes.items():
            for split, images in self.task.splits.items():
                wanted = getattr(recipe, f"{split}_images")
                if wanted > len(images):
                    raise BadValue(
                        f"recipe {name}: {split}_images is {wanted}, "
                        f"{self.task.name} has {len(images)} {split} images"
                    )
            if recipe.crop_padding > max(sides, default=0):
                raise BadValue(
                    f"recipe {name}: crop_padding is {recipe.crop_padding}, more than the images "
                    f"of {self.task.name} have pixels: {' x '.join(map(str, sides)) or 'none'}"
                )
        check_sizes(self)

    @property
    def _device_names(self) -> list[str]:
        return [*(one.name for one in self.devices), *(one.device for one in self.tags)]

    @property
    def family(self) -> Family:
        """What builds the networks."""
        return family_of(self.space)

    @property
    def here(self) -> tuple[str, ...]:
        """The functions that the running program defines: no other process can train by them."""
        functions = [f for of in self.recipes.values() for f in (of.train, of.evaluate)]
        found = [f.name for f in functions if isinstance(f, UserFunction) and is_here(f.file)]
        if self.space.source is not None and is_here(self.space.source):
            found.insert(0, self.space.source.build)
        return tuple(dict.fromkeys(found))

    @property
    def distinct(self) -> int:
        """How many networks the space has; its size where they are too many to be told apart."""
        return self.space.unique if self.space.listable else self.space.size

    def describe_family(self, *, text: bool = True) -> dict[str, Any]:
        """What builds the networks, as a key of manifests; cells go without saying.

        Args:
            text: with that of a user's file, which its hash says shorter.
        """
        said = self.family.describe()
        if said == {"name": CELL}:
            return {}
        return {"family": {key: of for key, of in said.items() if text or key != "text"}}

    def describe(self) -> dict[str, Any]:
        """All of it by name; plain JSON values."""
        tags = [{"device": one.device, "sha256": one.sha256} for one in self.tags]
        return {
            "name": self.name,
            "space": dict(self.space.describe()),
            **self.describe_family(text=False),
            "task": self.task.describe(),
            "seeds": list(self.seeds),
            "recipes": {name: recipe.describe() for name, recipe in self.recipes.items()},
            "devices": [spec.describe() for spec in self.devices],
            **({"tags": tags} if tags else {}),
        }


def _settled(name: str, recipe: Recipe, family: Family) -> Recipe:
    """The recipe with all of a family's sizes in their place: those of cells are its own."""
    try:
        sizes = sizes_of(family, recipe)
        if family.name != CELL:
            return replace(recipe, network=sizes)
        return replace(recipe, **sizes, network={})  # type: ignore[arg-type]
    except NasbenchError as error:
        raise type(error)(f"recipe {name}: {error}") from error


def check_table_name(name: str) -> None:
    """Refuse what no table can be called: its file, pages and folders are named after it."""
    if not is_key(name):
        raise BadValue(
            f'a table\'s name is {KEYS}, got {shown(name)}: give another, as in name = "mine"'
        )


def _check_names(name: str, recipes: Iterable[str], taken: Sequence[str]) -> None:
    """Refuse names before they stand in data sets, files and pages, side by side."""
    check_table_name(name)
    if len(set(taken)) < len(taken):
        raise BadValue(f"two devices are called {max(taken, key=list(taken).count)}")
    for recipe in recipes:
        if len(recipe) > MOST_RECIPE_NAME:
            raise BadValue(
                f"a recipe's name has {MOST_RECIPE_NAME} letters at most, got {shown(recipe)}"
            )
        if not re.fullmatch(r"[\w.-]+", recipe) or not is_key(recipe):
            raise BadValue(
                f"a recipe's name is letters, digits, '_', '-', '.', and not . or .., got "
                f"{shown(recipe)}"
            )
        if recipe == "proxy" or recipe in taken:
            other = "the proxies" if recipe == "proxy" else "a device"
            raise BadValue(
                f"a recipe is called {recipe}, and so are the metrics of {other}: give it another "
                f"name"
            )


def read_spec(path: Path) -> BuildSpec:
    """Read a build recipe; an unknown key, name or value is an error that names it.

    Example:
        >>> from nasbench.table import recipe_path
        >>> spec = read_spec(recipe_path("nb201-mini-fashion16"))
        >>> list(spec.recipes), spec.seeds
        (['5ep'], (0, 1, 2))
    """
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
            raise BadValue(f"{key!r} is missing")
    name = values.get("name", utf8(path.stem))
    if not isinstance(name, str):
        raise BadValue(f"name is a text, got {shown(name)}")
    recipes = {}
    if not isinstance(values["recipe"], Mapping) or not values["recipe"]:
        raise BadValue("recipes are tables: [recipe.NAME] with epochs = ...")
    for called, given in values["recipe"].items():
        if not isinstance(given, Mapping):
            raise BadValue(
                f"recipes are tables: [recipe.NAME], got recipe.{called} = {shown(given)}"
            )
        recipes[called] = Recipe.from_dict(_with_functions(called, given, path.parent))
    devices, tags = _devices(values.get("device", []), path.parent)
    names = [*(one.name for one in devices), *(one.device for one in tags)]
    _check_names(name, recipes, names)  # before images are read, which can take minutes
    seeds = read_seeds(values.get("seeds", 1))
    space = _space(values["space"], path.parent)
    task = task_from_spec(values["task"], path.parent)
    return BuildSpec(name, space, task, seeds, recipes, devices, tags)


def _with_functions(recipe: str, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a recipe says, its functions read from where they stand; nothing is run."""
    read = dict(given)
    for key in ("train", "evaluate"):
        value = given.get(key)
        named = key == "evaluate" and (isinstance(value, list) or ":" not in str(value))
        if key in given and not named:
            read[key] = function_of(f"{key} of recipe {recipe}", value, folder)
    return read


def _space(given: object, folder: Path) -> Space:
    if isinstance(given, str):
        own = given.endswith((".toml", ".py"))
        space = get_space(folder / local(given) if own else given)
    elif isinstance(given, Mapping):
        for key in given:
            if key not in _SPACE_KEYS:
                raise unknown("key of [space]", key, _SPACE_KEYS)
        space = from_description(given)
    else:
        raise BadValue(f"space is a name, a file or a table [space], got {shown(given)}")
    family_of(space)  # what nobody builds is said before the task is read
    return space


def _devices(given: object, folder: Path) -> tuple[tuple[DeviceSpec, ...], tuple[Tags, ...]]:
    """What is measured on, and what stands for a device in a file of tags."""
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise BadValue(f"devices are a list of tables: [[device]], got {shown(given)}")
    measured = tuple(DeviceSpec.from_dict(one) for one in given if "tags" not in one)
    return measured, tuple(_tags(one, folder) for one in given if "tags" in one)


def _tags(given: Mapping[str, Any], folder: Path) -> Tags:
    from nasbench.device.tags import Tags

    if len(given) > 1:
        other = next(key for key in given if key != "tags")
        raise BadValue(f"a device of tags is what their file says: leave out {other}")
    if not isinstance(given["tags"], str):
        raise BadValue(f"tags of a device are a file's path, got {shown(given['tags'])}")
    return Tags.load(folder / local(given["tags"]))


def read_seeds(given: object) -> tuple[int, ...]:
    """A number of seeds, counted from 0, or a list of them."""
    if type(given) is int and 0 < given <= MOST_SEEDS:
        return tuple(range(given))
    if isinstance(given, list) and 0 < len(given) <= MOST_SEEDS:
        if len(set(map(repr, given))) != len(given):
            raise BadValue(f"a seed is named twice in {shown(given)}")
        if all(type(seed) is int and 0 <= seed <= LARGEST_SEED for seed in given):
            return tuple(given)
    raise BadValue(
        f"seeds must be a number of 1 or more, or a list of them, {MOST_SEEDS:,} at most, each 0 "
        f"or more and below 2**32, got {shown(given)}"
    )
