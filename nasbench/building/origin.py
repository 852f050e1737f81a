"""What trained a table: the build that it came from, and the engine, as its manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench._python_file import HERE, UserFunction
from nasbench.building.spec import BuildSpec
from nasbench.errors import NasbenchError, Unsupported
from nasbench.space import Space
from nasbench.table import Table, manifests
from nasbench.table.format import PREDICTED
from nasbench.task import Signal, Task
from nasbench.task import get as get_task
from nasbench.task import names as task_names
from nasbench.task.without import without_examples
from nasbench.train import Recipe
from nasbench.train.engine import pick_engine
from nasbench.train.native import library
from nasbench.train.reference import pick_hardware

__all__ = ["built", "engine_of", "spec_of"]

_OWN = frozenset({"train", "evaluate", "options"})
"""What a recipe says of functions of the user's own."""


def spec_of(
    table: Table,
    task: Task | None,
    space: Space | None = None,
    recipes: Mapping[str, Recipe] | None = None,
    trains: bool = True,
) -> BuildSpec:
    """What trained a table, as its manifest says, without its seeds and devices.

    Args:
        table: that `build` made, or that was merged of such.
        task: that it was trained on, where that is not a shipped one.
        space: of the file that builds its networks, where that is the user's.
        recipes: by name, of the build recipe: a training loop or an evaluation of one's own is
            theirs, for a table runs no code.
        trains: whether something is trained: else recipes do without such functions.

    Raises:
        NasbenchError: where the table was imported, or the task is not here or not the same.
    """
    manifest = table.manifest
    if not table.recipes:
        raise NasbenchError(
            f"{table.name} holds no trainings, so it does not say how its networks are trained: "
            f"name the table that does"
        )
    if not built(table) and any(name.startswith(PREDICTED) for name in manifest["datasets"]):
        raise NasbenchError(
            f"{table.name} was completed by predictions: name the table that it was fitted on, "
            f"which says how its rows were trained"
        )
    described = [manifest["recipes"][name].get("trained") for name in table.recipes]
    if not built(table) or not all(isinstance(d, Mapping) for d in described):
        raise NasbenchError(
            f"{table.name} was imported: it does not say how its rows were trained, so none can be "
            f"trained again"
        )
    described_task = manifest.get("task", {})
    name, expected = str(described_task.get("name")), described_task.get("hash")
    if task is None and described_task.get("target", {}).get("kind") == "none":
        task = _without_examples(name, described_task)
    if task is None and name not in task_names():
        raise NasbenchError(
            f"the examples of task {name} do not come with the package: name the build recipe that "
            f"says where they are, with --recipe"
        )
    task = task or get_task(name)
    if task.hash != expected:
        raise NasbenchError(
            f"task {task.name} is not what {table.name} was trained on: its images and labels have "
            f"the hash {task.hash[:12]}, those of the table {str(expected)[:12]}"
        )
    return BuildSpec(
        name=table.name,
        space=_own_space(table, space),
        task=task,
        seeds=(),
        recipes={
            name: Recipe.from_dict(
                _with_functions(table, name, d, recipes or {}) if trains else _plain(d)
            )
            for name, d in zip(table.recipes, described, strict=True)
        },
        devices=(),
    )


def _without_examples(name: str, described: Mapping[str, Any]) -> Task:
    """A task of which all there is stands in the manifest."""
    signal = Signal.from_description(described["signal"])
    return without_examples(
        name=name,
        inputs=signal.shape,
        outputs=len(described["target"]["names"]),
        kind=signal.kind,
        vocabulary=signal.vocabulary,
    )


def _plain(described: Mapping[str, Any]) -> dict[str, Any]:
    """What a table says of a recipe, without the functions that it names."""
    return {key: v for key, v in described.items() if key not in _OWN}


def _with_functions(
    table: Table, name: str, described: Mapping[str, Any], recipes: Mapping[str, Recipe]
) -> dict[str, Any]:
    """What a table says of a recipe, with the functions that it names taken from the same recipe.

    Raises:
        NasbenchError: where that recipe is not given, or its functions say something else.
    """
    found = dict(described)
    for key in ("train", "evaluate"):
        said = described.get(key)
        if not isinstance(said, Mapping):  # none, or evaluations by name
            continue
        function = getattr(recipes.get(name), key, None)
        what = f"{said.get('function')} of {said.get('file')}"
        if not isinstance(function, UserFunction):
            raise Unsupported(
                f"recipe {name} of {table.name} calls {what}, and a table runs no code: name the "
                f"build recipe that has that function, with --recipe"
            )
        if function.describe() != said:
            raise NasbenchError(
                f"{function.name} of {function.file.name} is not what {table.name} was built with: "
                f"its file has the hash {function.file.sha256[:12]}, that of the table "
                f"{str(said.get('sha256'))[:12]}"
            )
        found[key] = function
    return found


def _own_space(table: Table, given: Space | None) -> Space:
    """The table's space; that of the user's file, which no table runs, where one builds it.

    Raises:
        NasbenchError: where that file is not named, or is not the one that built the table.
    """
    family = table.manifest.get("family", {})
    if "sha256" not in family:
        return table.space
    name, expected = str(family.get("name")), str(family["sha256"])
    source = None if given is None else given.source
    if source is None and name == HERE:
        raise Unsupported(
            f"the networks of {table.name} are built by a function of the program that trained it: "
            f"hand it over again, as in nb.export(..., network=...)"
        )
    if given is None or source is None:
        raise Unsupported(
            f"the networks of {table.name} are built by {name}, and a table runs no code: name the "
            f"build recipe that lies beside that file, with --recipe"
        )
    if source.sha256 != expected or given.describe() != table.space.describe():
        raise NasbenchError(
            f"{source.name} is not what {table.name} was built with: its text has the hash "
            f"{source.sha256[:12]}, that of the table {expected[:12]}"
        )
    return given


def built(table: Table) -> Mapping[str, Any]:
    """What a build says of itself, in its table or in one that it was joined with others in."""
    for said in manifests(table.manifest):
        if said.get("origin") == "built":
            return {**table.manifest, **said}  # what all say alike is said of the whole
    return {}


def engine_of(table: Table, spec: BuildSpec) -> tuple[str, str]:
    """The table's engine and hardware where they are here, else the fastest that are."""
    said = built(table)
    built_with = said.get("engine")
    kind = pick_hardware("auto").type
    if built_with == "native" and library() is not None:
        return "native", "cpu"
    if built_with == "fused" and kind == "cuda":
        return "fused", "auto"
    if built_with == "reference":
        on_gpu = "gpu" in said.get("hardware", {})
        if not on_gpu or kind == "cuda":
            return "reference", "auto" if on_gpu else "cpu"
    return pick_engine("auto", "auto", spec.space, spec.task, spec.recipes.values()), "auto"
