"""Zero-cost proxies: which there are, what they say of networks, and what that is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._defaults import BATCH_SIZE, HARDWARE, STARTS
from nasbench._limits import LARGEST_SEED, MOST_COUNTED, MOST_PROCESSES
from nasbench._words import in_shell, rounded
from nasbench.cli.common import (
    Json,
    complete_proxy,
    emit,
    file_option,
    folder_option,
    parse_seeds,
    rows,
)
from nasbench.cli.look import TableArgument, complete_table
from nasbench.cli.make import Hardware, Out, RecipeArgument
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench.proxy import Proxy

__all__ = ["register"]

proxies = typer.Typer(no_args_is_help=True, help="Zero-cost proxies: score networks, judge scores.")


@proxies.command("list")
def list_proxies(as_json: Json = False) -> None:
    """Say which proxies there are, which of their values speak for a network, and their papers.

    Example: `nasbench proxies list`
    """
    from nasbench.proxy import get, names

    found = {name: get(name) for name in names()}
    document = {
        name: {
            "better": proxy.better,
            "random": proxy.random,
            "paper": proxy.paper,
            "about": proxy.about,
            "cells": proxy.cells,
        }
        for name, proxy in found.items()
    }
    shown = [
        (name, f"{proxy.better:<4}  {'; '.join(filter(None, _said(proxy)))}")
        for name, proxy in found.items()
    ]
    emit(document, as_json, rows(shown))


def _said(proxy: Proxy) -> tuple[str, ...]:
    alone = f"of networks of cells alone, since {proxy.cells}" if proxy.cells else ""
    return proxy.paper, proxy.about, alone


@proxies.command()
def score(
    recipe: RecipeArgument,
    out: Out,
    table: Annotated[
        str | None,
        typer.Option(
            help="Whose architectures are scored, and which --out holds as well.",
            autocompletion=complete_table,
        ),
    ] = None,
    chosen: Annotated[
        str | None,
        typer.Option(
            "--proxies",
            help="Names with commas between; else all that the networks have.",
            autocompletion=complete_proxy,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_COUNTED, help="Score so many distinct architectures, drawn at random."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, max=1_000, help="Starts and batches that are averaged over.")
    ] = STARTS,
    batch_size: Annotated[int, typer.Option(min=4, max=65_536, help="Images of a batch.")] = (
        BATCH_SIZE
    ),
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of starts, batches and sample.")
    ] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="Processes side by side; a core each by default."
        ),
    ] = None,
    hardware: Hardware = HARDWARE,
    as_json: Json = False,
) -> None:
    """Compute proxies of every distinct architecture of a recipe's space, into a table.

    The recipe gives space, task and, with its first [recipe.NAME], the width and depth of the
    networks. A scoring that was stopped goes on where it was: run the same command again.

    Example: `nasbench proxies score nb201-mini-fashion16 --proxies synflow,nwot --out scores.h5`
    """
    import numpy as np

    from nasbench.building import spec_from
    from nasbench.building.call import score_proxies
    from nasbench.proxy.scoring import names_for

    spec = spec_from(recipe)
    asked = names_for(spec.space) if chosen is None else tuple(dict.fromkeys(split(chosen)))
    written = score_proxies(
        spec,
        out,
        asked,
        table=table,
        sample=sample,
        draws=draws,
        batch_size=batch_size,
        seed=seed,
        workers=workers,
        hardware=hardware,
    )
    found = {name: written.manifest["datasets"][f"proxy/{name}"] for name in asked}
    scored = {name: int(np.isfinite(written.column(f"proxy/{name}")).sum()) for name in asked}
    document = {
        "table": str(out),
        "rows": len(written.rows),
        "proxies": {
            name: {"seconds": about["seconds"], "draws": about["draws"], "scored": scored[name]}
            for name, about in found.items()
        },
    }
    shown = [
        (
            name,
            f"{scored[name]:,} of {len(written.rows):,} rows have it; "
            f"{rounded(1000 * about['seconds'], 3)} ms an architecture and draw, "
            f"draws: {about['draws']}",
        )
        for name, about in found.items()
    ]
    file = in_shell(out)
    following = f"nasbench proxies report {file} --out report" if table else f"nasbench info {file}"
    emit(document, as_json, rows([("table", out), *shown, ("next", following)]))


@proxies.command()
def inherited(
    recipe: RecipeArgument,
    out: Out,
    by: Annotated[
        str, typer.Option(help="Strategies that train supernets, with epochs: fairnas10,spos50.")
    ] = "fairnas10",
    seeds: Annotated[str, typer.Option(help="Supernets of each: how many, or which.")] = "1",
    images: Annotated[
        int, typer.Option(min=0, max=MOST_COUNTED, help="Validation images of a score; 0: all.")
    ] = 2000,
    norm: Annotated[
        str, typer.Option(help="BatchNorm of a score: batch, recalibrated or running.")
    ] = "batch",
    engine: Annotated[str, typer.Option(help="native, reference or auto.")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PROCESSES, help="Supernets side by side."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score every distinct architecture with weights that all share: one column a supernet.

    Supernets are trained as the strategies do that `nasbench share` runs. Losses and accuracies
    stand in columns as those of any proxy; `nasbench merge` joins them with other tables. A
    scoring that was stopped goes on where it was: run the same command again.

    Example: `nasbench proxies inherited nb201-fashion16 --by fairnas10,spos50 --seeds 5 --out
    oneshot.h5`
    """
    from nasbench._processes import cores
    from nasbench._progress import shown as progress
    from nasbench.building import spec_from
    from nasbench.building.provenance import hardware, versions
    from nasbench.search.inherited import Inheriting, inherited_table, parse_supernets
    from nasbench.search.share_setting import ShareSetting

    spec = spec_from(recipe)
    supernets = parse_supernets(by)
    name = next(iter(spec.recipes))
    setting = ShareSetting(
        supernets[0].strategy,
        spec.space,
        spec.task,
        name,
        spec.recipes[name],
        norm=norm,
        engine=engine,
    )
    asked = Inheriting(setting, tuple(supernets), tuple(parse_seeds(seeds)), images)
    about = {"recipe_file": spec.describe(), "versions": versions(), "hardware": hardware()}
    with progress() as tell:
        written = inherited_table(
            asked,
            out,
            name=f"{spec.name}-oneshot",
            about=about,
            processes=workers or cores(),
            progress=tell,
        )
    columns = [key for key in written.manifest["datasets"] if key.startswith("proxy/")]
    document = {"table": str(out), "rows": len(written.rows), "columns": columns}
    shown = [("table", out), ("rows", f"{len(written.rows):,}"), ("columns", ", ".join(columns))]
    emit(document, as_json, rows(shown))


@proxies.command()
def report(
    table: TableArgument,
    out: Annotated[Path, folder_option("Folder for the page and its figures.")],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="RECIPE/METRIC or DEVICE/METRIC; the first is shown most."),
    ] = None,
    chosen: Annotated[
        str | None, typer.Option("--proxies", help="Names with commas between; else all.")
    ] = None,
    combined: Annotated[
        str | None, typer.Option("--combine", help="What combinations are made of; else all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how well a table's scores rank its accuracies and costs, on a page with figures.

    Rank correlations over all architectures and among the best, precision at the top, what scores
    add to the size of networks, the ceiling of seed noise, how proxies agree, and what vote, rank
    average, AZ-NAS's sum of log ranks and a fit make of them.

    Example: `nasbench proxies report scored.h5 --metric 200ep/valid_accuracy --out report`
    """
    from nasbench.report.proxies import proxy_tables
    from nasbench.validity.call import judge_proxies

    found = judge_proxies(
        table, proxies=split(chosen), metrics=metrics or (), combined=split(combined)
    )
    page = found.report(out)
    shown = "\n".join(of.plain() for of in proxy_tables(found))
    emit(found.describe(), as_json, f"{shown}\n{page}")


@proxies.command()
def start(
    table: TableArgument,
    by: Annotated[str, typer.Option(help="A proxy that the table holds.")],
    out: Annotated[Path, file_option("The text file to write.", suffix=".txt")],
    k: Annotated[int, typer.Option(min=1, max=MOST_COUNTED, help="How many architectures.")] = 10,
    as_json: Json = False,
) -> None:
    """Write the k distinct architectures that a proxy puts first, to begin searches with.

    Example: `nasbench proxies start scored.h5 --by synflow --k 10 --out start.txt`, then
    `nasbench compare --table scored.h5 --start start.txt ...`
    """
    from nasbench._files import atomic_path, write_text
    from nasbench.table import load
    from nasbench.validity.scores import first_by

    opened = load(table)
    found = first_by(opened, by, k)
    lines = [f"{opened.space.string(a)}  # {a}" for a in found]
    with atomic_path(out) as partial:
        write_text(partial, "\n".join([f"# by {by} of {opened.name}, the best first", *lines, ""]))
    document = {"start": str(out), "by": by, "architectures": found}
    emit(document, as_json, f"{out}: the {len(found)} distinct architectures first by {by}")


def split(names: str | None) -> tuple[str, ...]:
    """Names with commas between."""
    if names is None:
        return ()
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    if not found:
        raise NasbenchError(f"names stand with commas between, as in synflow,nwot, got {names!r}")
    return found


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(proxies, name="proxies")
