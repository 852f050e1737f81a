"""Looking: spaces, tables, single values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED
from nasbench._words import counted, rounded
from nasbench.cli.common import Json, emit, rows
from nasbench.cli.tasks import task_rows
from nasbench.errors import BadValue, NasbenchError

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
    name: Annotated[
        str,
        typer.Argument(
            help="Its name, a TOML or Python file, or package.module:name.",
            autocompletion=complete_space,
        ),
    ],
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Build samples of its networks, run and differentiate them, and name decisions "
            "that change none.",
        ),
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(help="With --check: what the networks are for; a task, or a recipe file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a space holds; with --check, whether its networks are sound.

    Example: `nasbench space nb201`

    A Python file of your own is run. What `--check` finds is a hint for its author, and the exit
    status 0; networks that cannot be built, or answer in another shape, are an error.
    """
    from nasbench.cli.families import checked
    from nasbench.space import ChoiceSpace, get
    from nasbench.space.drawing import drawn_in_words
    from nasbench.space.published import PublishedSpace

    if task is not None and not check:
        raise BadValue("--task says what --check builds networks for: give both")
    found = get(name)
    example = found.string(found.size // 2)
    distinct: int | None = None
    try:
        distinct = found.unique
        unique = f"{distinct:,} (the same function with the same weights counts once)"
    except NasbenchError as error:  # too large to list
        unique = f"not counted: {error}"
    document = {
        **found.describe(),
        "size": found.size,
        "unique": distinct,
        "choices": list(found.choices),
        "example": example,
    }
    shown = [
        ("space", found.name),
        ("architectures", f"{found.size:,}"),
        ("distinct", unique),
        *((key, ", ".join(map(str, v))) for key, v in document.items() if key == "operations"),
    ]
    if isinstance(found, ChoiceSpace):
        taken = found.decisions.items()
        shown += [(f"decision {decision}", ", ".join(choices)) for decision, choices in taken]
        shown += [(kind, json.dumps(rules)) for kind, rules in found.rules.describe().items()]
    if isinstance(found, PublishedSpace):
        named = {which: found.string(one) for which, one in found.named.items()}
        document["named"] = named
        shown += [(f"named {which}", string) for which, string in named.items()]
    shown.append(("example", f"{found.size // 2} = {example}"))
    drawn = drawn_in_words(found, found.size // 2)
    shown += [(f"  {title}", boxes) for title, boxes in drawn]
    if check:
        of = checked(found, task)
        document["check"] = of.describe()
        low, high = of.parameters
        shown.append(
            ("checked", f"{of.networks} networks of {low:,} to {high:,} parameters on {of.inputs}")
        )
        shown += [("finding", finding) for finding in of.findings] or [("findings", "none")]
    emit(document, as_json, rows(shown))


def info(table: TableArgument, as_json: Json = False) -> None:
    """Say what a table holds, and where it comes from.

    Example: `nasbench info demo/table.h5`
    """
    import numpy as np

    from nasbench.table import LatencyTrust, load, origins
    from nasbench.table.format import PREDICTED

    opened = load(table)
    manifest = opened.manifest
    shown: list[tuple[str, object]] = [
        ("table", opened.name),
        ("file", opened.path),
        ("sha256", opened.sha256),
        ("content", f"{manifest['content_sha256']}, measured columns left out"),
        ("space", f"{opened.space.name}, {opened.space.size:,} architectures"),
        ("rows", f"{len(opened.rows):,} (sharing: {manifest['sharing']})"),
    ]
    shown += [("networks", of) for of in _own_networks(manifest)]
    if "task" in manifest:
        shown += task_rows(manifest["task"])
    for source in origins(manifest):
        shown.append(("imported", f"{source.get('name')} ({source.get('kind')})"))
        shown += [(key, source[key]) for key in ("licence", "citation") if key in source]
    for recipe in opened.recipes:
        described = manifest["recipes"][recipe]
        seeds = ", ".join(map(str, described["seeds"]))
        metrics = _listed(opened.metrics[recipe])
        shown.append(
            (
                f"recipe {recipe}",
                f"{counted(described['epochs'], 'epoch')}, seeds {seeds}: {metrics}",
            )
        )
    for name in manifest["datasets"]:
        if name.startswith(PREDICTED):
            marked = int(opened.dataset(name).values.sum())
            predicted = f"{marked:,} of {len(opened.rows):,} rows are predicted, not trained"
            shown.append((name, predicted))
    trusted: dict[str, dict[str, Any]] = {}
    for device in opened.devices:
        kinds = manifest["devices"][device]["kinds"]
        came = {
            metric: kind if np.isfinite(opened.device_column(device, metric)).any() else "missing"
            for metric, kind in kinds.items()
        }
        shown.append((f"device {device}", ", ".join(f"{m} ({k})" for m, k in came.items())))
        if trust := LatencyTrust.of(opened, device):
            trusted[device] = asdict(trust)
            shown.append((f"latency {device}", trust.sentence()))
    proxies: dict[str, list[str]] = {}
    for name, about in manifest["datasets"].items():
        room, _, proxy = name.partition("/")
        if room == "proxy":
            proxies.setdefault(about.get("kind", "imported"), []).append(proxy)
    shown += [("proxies", f"{', '.join(names)} ({kind})") for kind, names in proxies.items()]
    shown += [("missing", text) for text in _missing(manifest["missing"])]
    sessions: dict[str, list[str]] = {}  # by processor: a cluster has hundreds
    for session in manifest.get("history", ()):
        sessions.setdefault(session["hardware"]["processor"], []).append(session["started"])
    for processor, started in sessions.items():
        shown.append(("built", f"from {min(started)}, {processor}, sessions: {len(started)}"))
    document = {"path": str(opened.path), "sha256": opened.sha256, **manifest, "latency": trusted}
    emit(document, as_json, rows(shown))


def _own_networks(manifest: Mapping[str, Any]) -> list[str]:
    """The file of a user's that built the networks, or each of those that were merged."""
    from nasbench._python_file import HERE
    from nasbench.table.schema import manifests

    found = []
    for said in manifests(manifest):
        of = said.get("family", {})
        if "sha256" in of or "text" in of:
            built = "of the program that trained them alone" if of["name"] == HERE else of["name"]
            text = "; --json has its text" if "text" in of else ""
            found.append(f"{built}, SHA-256 {of.get('sha256', 'not known')}{text}")
    return list(dict.fromkeys(found))


def _missing(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each reason once, with all that it is about; a table of many parts has it from each."""
    rows_of: dict[tuple[str, str], frozenset[int]] = {}  # of a scope and a reason; empty: all
    for entry in entries:
        key, rows = (entry["scope"], entry["reason"]), frozenset(entry["architectures"])
        known = rows_of.get(key, rows)
        rows_of[key] = rows | known if rows and known else frozenset()
    scopes: dict[tuple[str, frozenset[int]], list[str]] = {}
    for (scope, reason), rows in rows_of.items():
        scopes.setdefault((reason, rows), []).append(scope)
    return [
        f"{', '.join(about)}, {counted(len(rows), 'row') if rows else 'all rows'}: {reason}"
        for (reason, rows), about in scopes.items()
    ]


def _listed(metrics: Sequence[str]) -> str:
    """The names of metrics; those that bound others are said in one word."""
    bounds = {
        f"{name}{end}" for name in metrics for end in ("_low", "_high") if f"{name}_low" in metrics
    }
    shown = ", ".join(name for name in metrics if name not in bounds)
    bounded = len(bounds & set(metrics)) // 2
    return f"{shown}; of {bounded} of them also _low and _high" if bounded else shown


def query(
    table: TableArgument,
    architecture: Annotated[str, typer.Argument(help="A number, or a cell string in quotes.")],
    recipe: Annotated[str | None, typer.Option(help="Where the table has several.")] = None,
    epoch: Annotated[
        int, typer.Option(min=-1, max=MOST_COUNTED, help="After how many epochs; -1: the last.")
    ] = -1,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Of one training; else the mean.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look one architecture up.

    Example: `nasbench query demo/table.h5 62 --epoch 3 --seed 0`
    """
    from nasbench.table import load

    opened = load(table)
    index = opened.space.parse(architecture)
    # A table of devices alone has no recipe.
    chosen = opened.recipe(recipe) if opened.recipes or recipe else None
    last = opened.manifest["recipes"][chosen]["epochs"] if chosen and epoch == -1 else epoch
    values: dict[str, Any] = {}
    for metric in opened.metrics[chosen] if chosen else ():
        if last not in opened.epochs(metric, recipe=chosen):
            continue
        of_seed = seed if opened.has_seeds(metric, recipe=chosen) else None
        found = opened.values(metric, index, recipe=chosen, epoch=last, seed=of_seed)
        values[metric] = float(found)
    if chosen and not values:
        raise NasbenchError(f"recipe {chosen} shows nothing after {counted(last, 'epoch')}")
    predicted = [
        metric
        for metric in values
        if (row := opened.row(index)) >= 0 and opened.predicted(metric, recipe=chosen)[row]
    ]
    costs = {
        f"{device}/{metric}": float(opened.cost(device, metric, index))
        for device in opened.devices
        for metric in opened.manifest["devices"][device]["kinds"]
    }
    unknown = {
        name: opened.why(name, index, recipe=chosen, epoch=last, seed=seed)
        if name in values
        else opened.why(name, index)
        for name, value in {**values, **costs}.items()
        if math.isnan(value)
    }
    document = {
        "architecture": index,
        "string": opened.space.string(index),
        "canonical": int(opened.space.canonical(index)),
        "recipe": chosen,
        "epoch": last if chosen else None,
        "seed": seed,
        "values": values,
        "predicted": predicted,
        "costs": costs,
        "missing": unknown,
    }
    by_model = {
        f"{device}/{metric}"
        for device in opened.devices
        for metric, kind in opened.manifest["devices"][device]["kinds"].items()
        if kind == "estimated"
    }
    shown = [
        ("architecture", f"{index} = {document['string']}"),
        ("network", f"that of architecture {document['canonical']}"),
        *([("recipe", f"{chosen} after {counted(last, 'epoch')}, {_of(seed)}")] if chosen else []),
        *(
            (name, f"{rounded(value, 6)}{_mark(name, predicted, by_model)}")
            if name not in unknown
            else (name, ": ".join(filter(None, ("missing", unknown[name]))))
            for name, value in {**values, **costs}.items()
        ),
    ]
    emit(document, as_json, rows(shown))


def _mark(name: str, predicted: Collection[str], by_model: Collection[str]) -> str:
    """What is to be known of a value that nobody took."""
    if name in by_model:
        return " (estimated by a model that knows no runtime)"
    return " (predicted)" if name in predicted else ""


def _of(seed: int | None) -> str:
    return "mean over seeds" if seed is None else f"seed {seed}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (space, info, query):
        app.command()(command)
