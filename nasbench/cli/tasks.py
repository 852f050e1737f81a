"""What commands say of tasks: what is in them, and what of a user's data was not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench.cli.common import Json, emit, rows
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from nasbench.task import Task

__all__ = ["complete_task", "named_task", "register", "task_rows"]

_CLASSES = 12
"""Names that a line has room for."""
_NOTES = 30
"""More than reading ever makes; a strange table may have any number, of any length."""
_LONGEST = 500


def complete_task(incomplete: str) -> list[str]:
    """Tasks that ship."""
    from nasbench.task import names

    return [name for name in names() if name.startswith(incomplete)]


def _names(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _CLASSES else ""
    return f"{len(names):,}: {', '.join(names[:_CLASSES])[:_LONGEST]}{more}"


def _signal(described: Mapping[str, Any]) -> str:
    """A signal as `Signal` says it, from a manifest's description of it."""
    from nasbench.task import Signal

    return str(Signal.from_description(described))


def tasks(
    task: Annotated[
        str, typer.Argument(help="One of them, or a recipe file.", autocompletion=complete_task)
    ] = "",
    as_json: Json = False,
) -> None:
    """List the tasks that ship, or show one: splits, what goes in, what comes out.

    Example: `nasbench tasks banking77`

    Of a recipe file the task is read as `build` reads it, and what was not read is said.
    """
    from nasbench.task import get, names

    if not task:
        every = [get(name) for name in names()]
        text = rows([(found.name, _line(found)) for found in every])
        emit({"tasks": [found.manifest() for found in every]}, as_json, text)
        return
    found = named_task(task)
    about = [(key, value) for key, value in found.about.items() if isinstance(value, str)]
    emit(found.manifest(), as_json, rows([*task_rows(found.manifest()), *about]))


def named_task(name: str) -> Task:
    """The task of that name, or of a recipe file as `build` reads it."""
    from nasbench._toml import read_toml
    from nasbench.task import from_spec, get

    path = Path(name)
    if path.suffix != ".toml":
        return get(name)
    values = read_toml(path, "recipe")
    if "task" not in values:
        raise BadValue(f"{path} has no task")
    return from_spec(values["task"], path.parent)


def _line(task: Task) -> str:
    sizes = ", ".join(f"{len(split):,} {name}" for name, split in task.splits.items())
    return f"{sizes}; {task.signal}; {task.target}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tasks)


def task_rows(task: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What a manifest tells of a task, or as much of it as it knows, for `rows`."""
    hashed = f", hash {task['hash'][:16]}" if "hash" in task else ""
    shown: list[tuple[str, object]] = [("task", f"{task['name']}{hashed}")]
    splits = {name: n for name, n in task.get("splits", {}).items() if n}
    facts = [", ".join(f"{n:,} {name}" for name, n in splits.items())]
    what = "examples" if "signal" in task else "images"
    if "signal" in task:
        facts.append(_signal(task["signal"]))
    elif len(shape := task.get("shape", ())) == 3:
        channels, height, width = shape
        facts.append(f"{height} x {width} pixels, {channels} channel{'s' if channels > 1 else ''}")
    if any(facts):
        shown.append((what, "; ".join(filter(None, facts))))
    if classes := task.get("classes"):
        shown.append(("classes", _names(classes)))
    elif target := task.get("target"):
        kind = "number" if target["kind"] == "number" else "outputs"
        shown.append((kind, _names(target["names"]) if kind == "outputs" else target["names"][0]))
    shown += [(f"by {name}", f"{n:,} groups") for name, n in task.get("groups", {}).items()]
    return shown + [("note", note[:_LONGEST]) for note in task.get("notes", ())[:_NOTES]]
