"""Which network is exported: an architecture of a table or of a build recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nasbench.building.origin import engine_of, spec_of
from nasbench.building.spec import BuildSpec
from nasbench.errors import BadValue, unknown
from nasbench.space import Space
from nasbench.table import Table
from nasbench.task import Task
from nasbench.train import Recipe

__all__ = ["Chosen", "choose_in_recipe", "choose_in_table"]


@dataclass(frozen=True, eq=False, slots=True)
class Chosen:
    """What is exported, and how it would be trained.

    Attributes:
        spec: gives space, task and recipes.
        architecture: of the space.
        recipe_name: one of the spec's.
        seed: of start and training.
        engine: `native` or `reference`.
        hardware: a torch device's name, or `auto`.
        table: that has the architecture, if one is meant.
    """

    spec: BuildSpec
    architecture: int
    recipe_name: str
    seed: int
    engine: str
    hardware: str
    table: Table | None = None

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.spec.recipes[self.recipe_name]

    @property
    def canonical(self) -> int:
        """The architecture that stands for its class, and is built and trained."""
        return int(self.spec.space.canonical(self.architecture))


def choose_in_table(
    table: Table,
    architecture: int,
    *,
    recipe: str | None = None,
    seed: int | None = None,
    task: Task | None = None,
    space: Space | None = None,
    recipes: Mapping[str, Recipe] | None = None,
    hardware: str = "auto",
    trains: bool = True,
) -> Chosen:
    """An architecture as a table trained it: the same task, recipe, seed and engine.

    Args:
        table: that `build` made.
        architecture: of its space.
        recipe: where the table has several.
        seed: the table's first by default.
        task: that the table was trained on, where it is not a shipped one.
        space: of the file that builds its networks, where that is the user's.
        recipes: by name, of the build recipe that has the table's own training loop.
        hardware: to train on by the reference engine; by default what the table was trained on.
        trains: whether it is trained: else nothing runs the recipe's own functions.

    Raises:
        NasbenchError: where the table was imported, has several recipes and none is named, or the
            task is not here or not the one that its manifest says.
    """
    spec = spec_of(table, task, space, recipes, trains)
    name = _recipe_name(spec, recipe)
    engine, found = engine_of(table, spec)
    if hardware != "auto" or engine == "fused":  # which gives no single networks
        engine, found = "reference", hardware
    seeds = table.seeds[name]
    return Chosen(
        spec, architecture, name, seeds[0] if seed is None else seed, engine, found, table
    )


def choose_in_recipe(
    spec: BuildSpec,
    architecture: int,
    *,
    recipe: str | None = None,
    seed: int = 0,
    hardware: str = "auto",
) -> Chosen:
    """An architecture as a build recipe describes it, trained by the reference engine.

    Args:
        spec: gives space and task.
        architecture: of the space.
        recipe: where the spec has several.
        seed: of start and training.
        hardware: a torch device's name, or `auto`.
    """
    return Chosen(spec, architecture, _recipe_name(spec, recipe), seed, "reference", hardware)


def _recipe_name(spec: BuildSpec, name: str | None) -> str:
    if name is None:
        if len(spec.recipes) > 1:
            raise BadValue(
                f"{spec.name} has the recipes {', '.join(spec.recipes)}: name one with "
                f"--recipe-name"
            )
        return next(iter(spec.recipes))
    if name not in spec.recipes:
        raise unknown("recipe", name, spec.recipes)
    return name
