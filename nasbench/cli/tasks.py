"""What commands say of tasks: what is in them, and what of a user's data was not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from nasbench._names import printable

if TYPE_CHECKING:
    from nasbench.building import BuildSpec

__all__ = ["read_recipe", "task_rows"]

_CLASSES = 12
"""Names that a line has room for."""
_NOTES = 30
"""More than reading ever makes; a strange table may have any number, of any length."""
_LONGEST = 500


def read_recipe(recipe: str) -> BuildSpec:
    """A build recipe, by its file or name; what of its task was not read goes to stderr, once."""
    from nasbench.building import read_spec
    from nasbench.table import recipe_path

    spec = read_spec(recipe_path(recipe))
    for note in spec.task.notes:
        typer.echo(printable(f"nasbench: task {spec.task.name}: {note}"), err=True)
    return spec


def task_rows(task: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What a manifest tells of a task, or as much of it as it knows, for `rows`."""
    hashed = f", hash {task['hash'][:16]}" if "hash" in task else ""
    shown: list[tuple[str, object]] = [("task", f"{task['name']}{hashed}")]
    facts = [", ".join(f"{n:,} {name}" for name, n in task.get("splits", {}).items())]
    if len(shape := task.get("shape", ())) == 3:
        channels, height, width = shape
        facts.append(f"{height} x {width} pixels, {channels} channel{'s' if channels > 1 else ''}")
    if any(facts):
        shown.append(("images", "; ".join(filter(None, facts))))
    if classes := task.get("classes"):
        more = ", ..." if len(classes) > _CLASSES else ""
        named = ", ".join(classes[:_CLASSES])[:_LONGEST]
        shown.append(("classes", f"{len(classes):,}: {named}{more}"))
    return shown + [("note", note[:_LONGEST]) for note in task.get("notes", ())[:_NOTES]]
