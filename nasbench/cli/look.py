"""Looking: spaces, tables, single values."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nasbench.cli.common import Json, emit, parse_architecture, rows
from nasbench.errors import NasbenchError

__all__ = ["register"]


def complete_table(incomplete: str) -> list[str]:
    """Shipped tables; files complete by themselves."""
    from nasbench.table import shipped_tables

    return [name for name in shipped_tables() if name.startswith(incomplete)]


def complete_space(incomplete: str) -> list[str]:
    """Spaces known by name."""
    from nasbench.space import names

    return [name for name in names() if name.startswith(incomplete)]


TableArgument = Annotated[
    str, typer.Argument(help="A table file or a shipped name.", autocompletion=complete_table)
]


def space(
    name: Annotated[str, typer.Argument(help="Its name.", autocompletion=complete_space)],
    as_json: Json = False,
) -> None:
    """Say what a space holds.

    Example: `nasbench space nb201`
    """
    from nasbench.space import get

    found = get(name)
    example = found.string(found.size // 2)
    document = {
        **found.describe(),
        "size": found.size,
        "unique": found.unique,
        "choices": list(found.choices),
        "example": example,
    }
    shown = [
        ("space", name),
        ("architectures", f"{found.size:,}"),
        ("distinct", f"{found.unique:,} (the same function with the same weights counts once)"),
        *((key, ", ".join(map(str, v))) for key, v in document.items() if key == "operations"),
        ("example", f"{found.size // 2} = {example}"),
    ]
    emit(document, as_json, rows(shown))


def info(table: TableArgument, as_json: Json = False) -> None:
    """Say what a table holds, and where it comes from.

    Example: `nasbench info demo/table.h5`
    """
    from nasbench.table import load

    opened = load(table)
    manifest = opened.manifest
    shown: list[tuple[str, object]] = [
        ("table", opened.name),
        ("file", opened.path),
        ("sha256", opened.sha256),
        ("space", f"{opened.space.name}, {opened.space.size:,} architectures"),
        ("rows", f"{len(opened.rows):,} (sharing: {manifest['sharing']})"),
    ]
    if "task" in manifest:
        shown.append(("task", f"{manifest['task']['name']}, hash {manifest['task']['hash'][:16]}"))
    for recipe in opened.recipes:
        described = manifest["recipes"][recipe]
        seeds = ", ".join(map(str, described["seeds"]))
        metrics = ", ".join(opened.metrics[recipe])
        shown.append(
            (f"recipe {recipe}", f"{described['epochs']} epochs, seeds {seeds}: {metrics}")
        )
    for device in opened.devices:
        kinds = manifest["devices"][device]["kinds"]
        shown.append((f"device {device}", ", ".join(f"{m} ({k})" for m, k in kinds.items())))
    for entry in manifest["missing"]:
        n = len(entry["architectures"]) or "all"
        shown.append(("missing", f"{entry['scope']}, {n} rows: {entry['reason']}"))
    for session in manifest.get("history", ()):
        shown.append(("built", f"from {session['started']}, {session['hardware']['processor']}"))
    emit({"path": str(opened.path), "sha256": opened.sha256, **manifest}, as_json, rows(shown))


def verify(table: TableArgument, as_json: Json = False) -> None:
    """Check the hash of a table and of everything in it.

    Example: `nasbench verify demo/table.h5`
    """
    from nasbench.table import load

    opened = load(table)
    opened.verify()
    n = len(opened.manifest["datasets"])
    document = {"path": str(opened.path), "sha256": opened.sha256, "datasets": n, "whole": True}
    emit(document, as_json, f"{opened.path} is whole: {n} data sets, SHA-256 {opened.sha256}")


def query(
    table: TableArgument,
    architecture: Annotated[str, typer.Argument(help="A number, or a cell string in quotes.")],
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    epoch: Annotated[int, typer.Option(help="After how many epochs; -1: the last.")] = -1,
    seed: Annotated[int | None, typer.Option(help="Of one training; else the mean.")] = None,
    as_json: Json = False,
) -> None:
    """Look one architecture up.

    Example: `nasbench query demo/table.h5 62 --epoch 3 --seed 0`
    """
    from nasbench.table import load

    opened = load(table)
    index = parse_architecture(opened.space, architecture)
    chosen = opened.recipe(recipe)
    last = opened.manifest["recipes"][chosen]["epochs"] if epoch == -1 else epoch
    values: dict[str, Any] = {}
    for metric in opened.metrics[chosen]:
        if last not in opened.epochs(metric, recipe=chosen):
            continue
        of_seed = seed if opened.has_seeds(metric, recipe=chosen) else None
        found = opened.values(metric, index, recipe=chosen, epoch=last, seed=of_seed)
        values[metric] = float(found)
    if not values:
        raise NasbenchError(f"recipe {chosen} shows nothing after {last} epochs")
    costs = {
        f"{device}/{metric}": float(opened.cost(device, metric, index))
        for device in opened.devices
        for metric in opened.manifest["devices"][device]["kinds"]
    }
    document = {
        "architecture": index,
        "string": opened.space.string(index),
        "canonical": int(opened.space.canonical(index)),
        "recipe": chosen,
        "epoch": last,
        "seed": seed,
        "values": values,
        "costs": costs,
    }
    shown = [
        ("architecture", f"{index} = {document['string']}"),
        ("network", f"that of architecture {document['canonical']}"),
        ("recipe", f"{chosen} after {last} epochs, {_of(seed)}"),
        *((name, f"{value:.6g}") for name, value in {**values, **costs}.items()),
    ]
    emit(document, as_json, rows(shown))


def _of(seed: int | None) -> str:
    return "mean over seeds" if seed is None else f"seed {seed}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (space, info, verify, query):
        app.command()(command)
