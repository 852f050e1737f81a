"""A page to look around in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasbench.cli.common import Json, emit, folder_option, rows
from nasbench.cli.look import TableArgument

__all__ = ["register"]


def explore(
    table: TableArgument,
    out: Annotated[Path, folder_option("Folder for the page, index.html.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="Whose metric judges architectures; that of most epochs by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one page to look around in a table: limits, fronts, neighbours, two side by side.

    Example: `nasbench explore demo/table.h5 --out around`
    """
    from nasbench.report.explore import explore as write

    page = write(table, out, recipe=recipe)
    size = page.stat().st_size
    shown = [("page", page), ("size", f"{size / 1e6:.2f} MB; it needs no network")]
    emit({"page": str(page), "bytes": size}, as_json, rows(shown))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explore)
