"""Checking a table: its hashes, and rows of it that are trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED, MOST_PROCESSES
from nasbench._words import counted
from nasbench.cli.common import Json, emit, progress, rows
from nasbench.cli.look import TableArgument

if TYPE_CHECKING:
    from nasbench.building.retrain import Reproduction
    from nasbench.table import Table

__all__ = ["register"]


def verify(
    table: TableArgument,
    retrain: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_COUNTED, help="Train so many random rows again and compare."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the choice of rows.")] = 0,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A build recipe that says where the task's images, or the networks' file, are."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="Trainings side by side; a core each by default."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the hash of a table and of everything in it; with --retrain train rows again.

    Exit status 1 says that rows which were trained again do not agree.

    Example: `nasbench verify demo/table.h5 --retrain 20`
    """
    from nasbench.table import load

    opened = load(table)
    opened.verify()
    n = len(opened.manifest["datasets"])
    document: dict[str, Any] = {
        "path": str(opened.path),
        "sha256": opened.sha256,
        "datasets": n,
        "whole": True,
    }
    text = f"{opened.path} is whole: {n} data sets, SHA-256 {opened.sha256}"
    if retrain is None:
        emit(document, as_json, text)
        return
    found = _retrain(opened, retrain, seed, recipe, workers)
    emit({**document, "retrained": found.describe()}, as_json, f"{text}\n{_comparison(found)}")
    if not found.agrees:
        raise typer.Exit(1)


def _retrain(
    table: Table, n: int, seed: int, recipe: str | None, workers: int | None
) -> Reproduction:
    from nasbench.building import read_spec
    from nasbench.building.retrain import retrain
    from nasbench.table import recipe_path

    spec = read_spec(recipe_path(recipe)) if recipe else None
    task, space, recipes = (spec.task, spec.space, spec.recipes) if spec else (None,) * 3
    with progress() as tell:
        return retrain(
            table,
            n,
            seed=seed,
            task=task,
            space=space,
            recipes=recipes,
            processes=workers,
            progress=tell,
        )


def _comparison(found: Reproduction) -> str:
    engine = f"{found.engine} engine"
    if found.engine != found.built_with:
        engine += f" (the table's, {found.built_with}, is not here)"
    of = found.difference
    shown = [
        ("trained again", f"{len(found.rows)} of {counted(found.trainings, 'training')}, {engine}"),
        ("identical", f"{found.identical} of {len(found.rows)}, bit for bit"),
    ]
    if found.identical < len(found.rows):
        most = max(found.rows, key=lambda again: abs(again.difference))
        interval = f" [{of.low:.3f}, {of.high:.3f}]" if of.low == of.low else ""
        shown += [
            ("now less then", f"{of.value:.3f}{interval} points of valid accuracy on average"),
            (
                "largest",
                f"{most.difference:.3f} points: architecture {most.architecture}, seed "
                f"{most.seed}, recipe {most.recipe}",
            ),
            ("apart", f"{found.apart:.3f} points on average; two seeds {found.seeds_apart:.3f}"),
        ]
    return f"{rows(shown)}\n{found.verdict}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)
