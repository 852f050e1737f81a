"""Searching: many runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nasbench._defaults import FIGURE_FONT, FIGURE_WIDTH, RUNS
from nasbench._limits import MOST_PROCESSES
from nasbench.cli.common import (
    FigureFont,
    FigureWidth,
    Json,
    emit,
    folder_option,
    parse_seeds,
    parse_settings,
)
from nasbench.cli.look import complete_table
from nasbench.cli.protocol import (
    Isolate,
    ProtocolOptions,
    Surrogate,
    say_reach,
    with_protocol,
)
from nasbench.cli.strategies import complete_strategies
from nasbench.errors import NasbenchError, unknown

__all__ = ["register"]


@with_protocol
def compare(
    tables: Annotated[
        list[str],
        typer.Option(
            "--table", help="A table or name; give several times.", autocompletion=complete_table
        ),
    ],
    strategies: Annotated[
        str,
        typer.Option(
            help="Names with commas between; random_search runs beside them.",
            autocompletion=complete_strategies,
        ),
    ],
    out: Annotated[Path, folder_option("Folder for runs, page and summary.json.")],
    seeds: Annotated[
        str, typer.Option(help="Runs of each: how many, or which, as 0-9 or 3,5,8.")
    ] = str(RUNS),
    budget_mean_trainings: Annotated[
        float | None,
        typer.Option(
            help="In place of --budget-seconds: on each table as many as so many trainings of "
            "its average row take."
        ),
    ] = None,
    report_recipe: Annotated[
        str | None, typer.Option(help="What incumbents are looked up by.")
    ] = None,
    test_recipe: Annotated[
        str | None, typer.Option(help="What test metrics are looked up by; else --report-recipe.")
    ] = None,
    surrogate: Surrogate = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="STRATEGY.NAME=VALUE.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Another table, to look up what was found.", autocompletion=complete_table
        ),
    ] = None,
    share: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of nasbench share, to stand beside; give several times."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PROCESSES, help="Side by side; a core each by default."),
    ] = None,
    isolate: Isolate = False,
    figure_width: FigureWidth = FIGURE_WIDTH,
    figure_font: FigureFont = FIGURE_FONT,
    as_json: Json = False,
    *,
    options: ProtocolOptions,
) -> None:
    """Compare search strategies over many seeds; writes a page, figures, CSV and summary.json.

    Run again with the same folder, it keeps the runs that are there. Over several tables, also of
    different spaces, each has its own runs, and the page says which strategies are better over all
    of them; what cannot search one of them is left out there, with the reason.

    Example: `nasbench compare --table demo/table.h5 --strategies random_search,reinforce
    --budget-evaluations 30 --seeds 100 --out comparison`

    For several objectives: `--strategies nsga2,mo_rea --objective raspi4/latency_ms:min`; bounds
    are `--limit 'raspi4/latency_ms<=5'`, and soft ones `--soft 'raspi4/latency_ms<=5'`.
    """
    from nasbench.report import comparison_table
    from nasbench.search import Comparison, Comparisons
    from nasbench.search import compare as run_compare
    from nasbench.table import load

    say_reach(isolate)
    parameters: dict[str, dict[str, Any]] = {}
    numbers = parse_seeds(seeds)
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    if names and "random_search" not in names:
        names.append("random_search")  # what any other must beat
    for key, value in parse_settings(settings or ()).items():
        strategy, _, name = key.partition(".")
        if strategy not in names:
            raise unknown("strategy in --set", strategy, names)
        parameters.setdefault(strategy, {})[name] = value
    protocol = options.protocol(
        names,
        load(tables[0]).space,
        parameters=parameters,
        budget_mean_trainings=budget_mean_trainings,
        report_recipe=report_recipe,
        test_recipe=test_recipe,
        surrogate=surrogate,
        also=also or (),
    )
    one_or_several: Any = tables[0] if len(tables) == 1 else tables
    comparison: Comparison | Comparisons = run_compare(
        names,
        one_or_several,
        protocol,
        seeds=numbers,
        processes=processes,
        isolate=isolate,
        share=share or (),
        out=out,
    )
    page = comparison.report(out, figure_width=figure_width, figure_font=figure_font)
    several = comparison.tables.values() if isinstance(comparison, Comparisons) else [comparison]
    goals = dict.fromkeys((of.goal.metric, bool(of.goal.maximize)) for of in several)
    said = "\n".join(f"goal: {m}, {'more' if most else 'less'} is better" for m, most in goals)
    if isinstance(comparison, Comparisons):
        for table, refused in comparison.absent.items():
            said += "".join(f"\nleft out on {table}: {n}: {why}" for n, why in refused.items())
    shown = comparison_table(comparison).plain()
    emit(comparison.summary(), as_json, f"{shown}\n{said}\n{page}")
    if comparison.broken:
        raise NasbenchError("; ".join(comparison.broken.values()) + "; the others ran")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)
