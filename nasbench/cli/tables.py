"""Tables out and side by side: dump, merge, diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._files import check_out
from nasbench._words import counted, rounded
from nasbench.cli.common import Json, emit, file_option, parse_settings, progress, rows
from nasbench.cli.look import TableArgument, complete_table
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from nasbench.table.differences import Column, Difference

__all__ = ["register"]

_WIDEST = 60
"""Letters of a manifest's value in a line."""


def complete_format(incomplete: str) -> list[str]:
    """What a table can be written as."""
    from nasbench.table.dumping import FORMATS

    return [to for to in FORMATS if to.startswith(incomplete)]


def complete_per(incomplete: str) -> list[str]:
    """What a line of a sheet can stand for."""
    from nasbench.table.dumping import PER

    return [per for per in PER if per.startswith(incomplete)]


def dump(
    table: TableArgument,
    to: Annotated[str, typer.Option(help="csv, parquet or npz.", autocompletion=complete_format)],
    per: Annotated[
        str | None,
        typer.Option(
            help="A line of csv or parquet: epoch (everything), seed, or architecture (means).",
            autocompletion=complete_per,
        ),
    ] = None,
    out: Annotated[Path | None, file_option("The file; else NAME.csv and so on.", new=True)] = None,
    as_json: Json = False,
) -> None:
    """Write a table for other tools, with every architecture that it answers for.

    Values that there are for each seed and epoch are lines; what there is once for an
    architecture stands on each of its lines under its full name. Where architectures that are
    one network share a training, the column `canonical` tells whose it is. The manifest goes
    along, in Parquet's metadata or as FILE.json.

    Example: `nasbench dump demo/table.h5 --to csv --per architecture`
    """
    from nasbench.table import load
    from nasbench.table.dumping import dump as dump_table

    opened = load(table)
    out = out or Path(f"{opened.path.stem}.{to}")
    check_out(out, new=True)
    if to != "parquet":
        check_out(out.with_name(f"{out.name}.json"), new=True)
    with progress() as tell:
        n = dump_table(opened, out, to=to, per=per, progress=tell)
    document = {"path": str(out), "table": opened.name, "to": to, "lines": n}
    what = "architectures" if to == "npz" else "lines"
    emit(document, as_json, f"{out}: {n:,} {what}, {out.stat().st_size:,} bytes")


def merge(
    tables: Annotated[
        list[str],
        typer.Argument(help="Two or more, files or shipped names.", autocompletion=complete_table),
    ],
    out: Annotated[Path, file_option("The table, an .h5 file.", new=True, suffix=".h5")],
    name: Annotated[str | None, typer.Option(help="Of the table; else the first's.")] = None,
    from_first: Annotated[
        list[str] | None,
        typer.Option(help="A metric to take from the first that has it: flops, raspi4/latency_ms."),
    ] = None,
    lift: Annotated[
        bool,
        typer.Option("--lift", help="Take tables of smaller spaces as of the largest, by names."),
    ] = False,
    lift_with: Annotated[
        list[str] | None,
        typer.Option(help="With --lift: NAME=CHOICE of a decision that smaller spaces lack."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Join tables over one space: rows, recipes, seeds, devices.

    A value that two of them have must be the same in both, and so must what they were trained
    on, as far as they say it.

    Example: `nasbench merge accuracies.h5 costs.h5 --out both.h5`
    """
    from nasbench.table import load
    from nasbench.table.merging import merge as merge_tables
    from nasbench.table.uniting import without_task

    if lift_with and not lift:
        raise BadValue("--lift-with is for smaller spaces: give --lift, too")
    opened = [load(table) for table in tables]
    lifted = parse_settings(lift_with or ()) if lift else False
    with progress() as tell:
        merged = merge_tables(
            opened, out, name=name, from_first=from_first or (), lift=lifted, progress=tell
        )
    without = without_task(opened)
    if without:
        typer.echo(
            f"nasbench: not known: whether all were trained on the same task, since "
            f"{', '.join(without)} {'does' if len(without) == 1 else 'do'} not say on what; import "
            f"with --task NAME",
            err=True,
        )
    shown: list[tuple[str, object]] = [
        ("table", merged.path),
        ("rows", f"{len(merged.rows):,} (sharing: {merged.manifest['sharing']})"),
    ]
    for recipe, seeds in merged.seeds.items():
        metrics = ", ".join(merged.metrics[recipe])
        shown.append((f"recipe {recipe}", f"seeds {', '.join(map(str, seeds))}: {metrics}"))
    shown.append(("devices", ", ".join(merged.devices) or "none"))
    for source in merged.manifest["sources"]:
        spread = ", each for all of its class" if source["written_out"] else ""
        shown.append(("from", f"{source['name']}, {counted(source['rows'], 'row')}{spread}"))
    document = {"path": str(out), "sha256": merged.sha256, **merged.manifest}
    emit({**document, "tables_without_task": without}, as_json, rows(shown))


def diff(
    a: TableArgument,
    b: TableArgument,
    as_json: Json = False,
) -> None:
    """Say where two tables differ.

    Exit status 0 says that what was trained, counted or imported is the same number by number,
    1 that it is not. What was clocked or estimated is compared, but does not count.

    Example: `nasbench diff demo/table.h5 again.h5`
    """
    from nasbench.table import load
    from nasbench.table.differences import diff as diff_tables

    with progress() as tell:
        found = diff_tables(load(a), load(b), progress=tell)
    emit(found.describe(), as_json, _difference(found))
    if not found.same_content:
        raise typer.Exit(1)


def _difference(found: Difference) -> str:
    shown: list[tuple[str, object]] = [
        ("A", f"{found.a.name}, {found.a.path}"),
        ("B", f"{found.b.name}, {found.b.path}"),
        ("content", _content(found)),
        (
            "architectures",
            f"{found.rows:,} in both, {len(found.only_a):,} only in A, "
            f"{len(found.only_b):,} only in B",
        ),
        *((fact.what, f"{_short(fact.a)} | {_short(fact.b)}") for fact in found.facts),
        *((name, "only in A") for name in found.datasets_only_a),
        *((name, "only in B") for name in found.datasets_only_b),
    ]
    if not found.columns:
        return rows(shown)
    header = "data set|equal|differ|only A|only B|largest|at|mean|Spearman"
    lines = [header.split("|"), *(_line(column) for column in found.columns)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    table = "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        ).rstrip()
        for cells in lines
    )
    return f"{rows(shown)}\n\n{table}"


def _content(found: Difference) -> str:
    if found.same_hash:
        return "the same, hash and all"
    return "the same, number by number" if found.same_content else "differs"


def _line(column: Column) -> list[str]:
    rank = column.spearman
    correlation = "" if rank is None else f"{rank.value:.4f}"
    if rank is not None and rank.low == rank.low:
        correlation += f" [{rank.low:.4f}, {rank.high:.4f}]"
    return [
        column.name if column.content else f"{column.name} (does not count)",
        *(f"{n:,}" for n in (column.equal, column.differ, column.only_a, column.only_b)),
        *((rounded(column.largest, 6), str(column.at)) if column.differ else ("", "")),
        rounded(column.mean, 6) if column.differ else "",
        correlation,
    ]


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (dump, merge, diff):
        app.command()(command)
