"""Which spaces come with networks, and whether a family's networks are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from nasbench.cli.common import Json, emit, rows
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench.network.testing import FamilyCheck
    from nasbench.space import Space

__all__ = ["checked", "register"]


def families(as_json: Json = False) -> None:
    """List the spaces whose networks can be built: what goes in, and the networks' sizes.

    Example: `nasbench families`

    A size is set in a recipe, under `[recipe.NAME.network]`. A Python file of your own with
    `space` and `build` is named by its path: `nasbench space my_space.py --check`.
    """
    from nasbench.network import family_of, names
    from nasbench.space import get

    known: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    for name in names():
        try:
            family = family_of(get(name))
        except NasbenchError as error:  # another's package: the rest is listed all the same
            broken[name] = str(error)
            continue
        known.append(
            {
                "space": name,
                "family": family.name,
                "signals": sorted(family.signals),
                "sizes": dict(family.sizes),
            }
        )
    text = [(one["space"], _line(one)) for one in known] + list(broken.items())
    emit({"families": known, "broken": broken}, as_json, rows(text))


def _line(family: dict[str, Any]) -> str:
    sizes = ", ".join(f"{name}={value}" for name, value in family["sizes"].items())
    signals = ", ".join(family["signals"])
    return f"{signals}  ({sizes})" if sizes else signals


def checked(space: Space, task: str | None) -> FamilyCheck:
    """What `--check` finds, on a task or on made-up examples, one thread."""
    from nasbench.cli.tasks import named_task
    from nasbench.network.testing import Asked, check_family
    from nasbench.train.reference import cpu_threads

    asked = None
    if task is not None:
        named = named_task(task)
        asked = Asked(named.signal, named.outputs)
    with cpu_threads(1):
        return check_family(space, asked)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(families)
