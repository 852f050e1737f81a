"""Shared weights: train one set for all architectures, choose by it, and see what that is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasbench._limits import MOST_EPOCHS, MOST_PROCESSES
from nasbench.cli.common import Json, emit, folder_option, parse_seeds, parse_settings
from nasbench.cli.goals import Limits, Targets, parse_limits, parse_targets
from nasbench.cli.look import complete_table
from nasbench.cli.make import RecipeArgument
from nasbench.errors import Unsupported

__all__ = ["register"]


def complete_sharing(incomplete: str) -> list[str]:
    """Registered strategies that share weights."""
    from nasbench.search.catalog import searching_names
    from nasbench.search.strategy import strategy_names

    others = set(searching_names())
    return [n for n in strategy_names() if n not in others and n.startswith(incomplete)]


def share(
    strategy: Annotated[
        str,
        typer.Argument(
            help="One that shares weights; `nasbench strategies` says which do.",
            autocompletion=complete_sharing,
        ),
    ],
    recipe: RecipeArgument,
    out: Annotated[Path, folder_option("Folder for runs, page and summary.json.")],
    table: Annotated[
        str | None,
        typer.Option(
            help="Prices and judges; by default the shipped one of the recipe's name. none, or one "
            "that does not say what trainings took: measured seconds, and the best are really "
            "trained.",
            autocompletion=complete_table,
        ),
    ] = None,
    report_recipe: Annotated[
        str | None,
        typer.Option(help="The table's that judges; else that of the recipe's name, or its only."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_EPOCHS, help="Of the shared weights; 10, or the preset's."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Runs: how many, or which, as 0-9 or 3,5,8.")] = "1",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, the strategy's own.")
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option(
            help="BatchNorm of a score: batch (by default), recalibrated or running statistics."
        ),
    ] = None,
    affine: Annotated[
        bool, typer.Option("--affine", help="Train BatchNorm's scales inside cells, too.")
    ] = False,
    engine: Annotated[str, typer.Option(help="native, reference or auto.")] = "auto",
    budget_seconds: Annotated[
        float | None, typer.Option(help="Seconds, as they are priced, that end a run.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(help="A published protocol for what is left out: nas-bench-201, nats-bench."),
    ] = "",
    limit: Limits = None,
    soft: Targets = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="A table of inherited scores, or TABLE:PROXY, in the place of shared weights: "
            "nothing is trained."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PROCESSES, help="Side by side; a core each by default."),
    ] = None,
    begin_in: Annotated[list[str] | None, typer.Option("--begin-in", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Train weights that all architectures share, choose by them, and look the choice up.

    The shared weights are trained for real; each run goes on where it was stopped, to the same
    bytes. Its folder holds one SEED.jsonl a seed, and a page.

    Example: `nasbench share fairnas nb201-fashion16 --epochs 10 --seeds 5 --out shared`, then
    `nasbench compare --table nb201-fashion16 --strategies random_search --share shared ...`
    """
    if begin_in:
        raise Unsupported(
            "--begin-in is of search and compare: shared weights have the shapes of one space, and "
            "a larger one has none to go on with, so a run begins and ends in its recipe's space"
        )
    from nasbench.report.share_call import share as share_weights
    from nasbench.report.sharing import share_tables

    found = share_weights(
        strategy,
        recipe,
        table,
        out=out,
        report_recipe=report_recipe,
        epochs=epochs,
        seeds=parse_seeds(seeds),
        parameters=parse_settings(settings or ()),
        norm=norm,
        affine=affine,
        engine=engine,
        budget_seconds=budget_seconds,
        limits=parse_limits(limit),
        targets=parse_targets(soft),
        preset=preset,
        scores=scores,
        processes=processes,
    )
    shown = "\n".join(of.plain() for of in share_tables(found))
    emit(found.summary(), as_json, f"{shown}\n{out / 'index.html'}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(share)
