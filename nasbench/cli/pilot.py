"""Piloting: which recipe is worth paying for."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED, MOST_PROCESSES
from nasbench.cli.common import Json, emit, file_option, progress, say_engine
from nasbench.cli.look import complete_table
from nasbench.cli.make import Engine, Hardware, RecipeArgument
from nasbench.errors import NasbenchError

__all__ = ["register"]

_UNITS = {"s": 1, "m": 60, "h": 3600}


def pilot(
    recipe: RecipeArgument,
    budget: Annotated[str, typer.Option(help="Wall time to spend: 90s, 20m, 1.5h.")],
    out: Annotated[Path, file_option("The file to write.", suffix=".json")] = Path("pilot.json"),
    cells: Annotated[
        int, typer.Option(min=1, max=MOST_COUNTED, help="Distinct cells at most.")
    ] = 60,
    seeds: Annotated[
        int | None, typer.Option(min=3, max=1_000, help="Of each cell; else those of the recipe.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the sample of cells.")] = 0,
    reference: Annotated[
        str | None,
        typer.Option(help="A table of the same space to rank like.", autocompletion=complete_table),
    ] = None,
    reference_recipe: Annotated[
        str | None, typer.Option(help="Where the reference has several.")
    ] = None,
    reference_metric: Annotated[
        str, typer.Option(help="An accuracy of the reference.")
    ] = "valid_accuracy",
    hours: Annotated[
        float, typer.Option(min=0, help="Recommend no recipe that takes longer on the whole space.")
    ] = math.inf,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="Trainings side by side; a core each by default."
        ),
    ] = None,
    engine: Engine = "auto",
    hardware: Hardware = "auto",
    as_json: Json = False,
) -> None:
    """Say which of a file's recipes is worth paying for, from a random sample of cells.

    Every [recipe.NAME] of the file is a candidate, trained on the same cells. A pilot that was
    stopped goes on from its journal; so does one that is given a larger --budget or more --cells.

    Example: `nasbench pilot candidates.toml --budget 20m --reference nb201.h5`
    """
    from dataclasses import replace

    from nasbench.building import spec_from
    from nasbench.building.judgement import Reference, write_judgement
    from nasbench.building.pilot import pilot as run_pilot
    from nasbench.building.recommend import judge
    from nasbench.report.pilot import pilot_tables
    from nasbench.table import load

    seconds = _seconds(budget)
    new = not out.exists()
    spec = spec_from(recipe)
    if seeds is not None:
        spec = replace(spec, seeds=tuple(range(seeds)))
    compared = None
    if reference is not None:
        table = load(reference)
        compared = Reference(table, table.recipe(reference_recipe), reference_metric)
        compared.check(spec.space)
    say_engine(engine, hardware)
    with progress() as tell:
        sample = run_pilot(
            spec,
            out,
            budget_seconds=seconds,
            cells=cells,
            seed=seed,
            processes=workers,
            engine=engine,
            hardware=hardware,
            progress=tell,
        )
    found = judge(sample, compared, hours)
    write_judgement(found, out, new=new)
    tables = "\n".join(table.plain() for table in pilot_tables(found))
    verdict = f"recommended: {found.recommended}" if found.recommended else "no recommendation"
    text = f"{tables}\n{verdict}: {found.reason}\n{out}: all figures, and the cells they are from"
    emit(found.describe(), as_json, text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or not float(match[1]):
        raise NasbenchError(f"a budget is a number with s, m or h, such as 20m, got {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pilot)
