"""What networks cost to run, predicted: from few that were measured, or from their operations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED
from nasbench._words import counted, in_shell, rounded
from nasbench.cli.common import Json, check_apart, emit, file_option, progress, rows
from nasbench.cli.devices import device
from nasbench.cli.look import TableArgument, complete_table
from nasbench.cli.make import RecipeArgument
from nasbench.errors import BadValue, unknown

if TYPE_CHECKING:
    from nasbench.device.tags import Tags
    from nasbench.surrogate.cost_tables import PredictedCosts

__all__ = ["register"]


def predict(
    table: TableArgument,
    samples: Annotated[
        str | None,
        typer.Option(
            help="A table of what was measured; TABLE itself where left out.",
            autocompletion=complete_table,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--device", help="To predict, where the samples have several.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Its metric, such as energy_mj.")] = "latency_ms",
    sources: Annotated[
        str | None,
        typer.Option(help="Other devices of TABLE to learn from, by commas, or none; all."),
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(help="Of nasbench device tags: sums of what operations take; with --recipe."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Whose networks the tags are summed over.")
    ] = None,
    level: Annotated[float, typer.Option(min=0.01, max=0.999, help="Of the intervals.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of folds and trees.")] = 0,
    out: Annotated[
        Path | None,
        file_option("A table of the estimates to merge with others.", suffix=".h5"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate a device's cost for all networks of a table, from 5 to 100 that were measured.

    With `--tags` it is summed over operations instead, also where no network was measured.

    Examples: `nasbench device predict T.h5 --samples costs.h5 --out estimated.h5`, and
    `nasbench device predict T.h5 --tags TAGS.json --recipe my.toml --out estimated.h5`
    """
    from nasbench.surrogate.cost_tables import predict_table_costs
    from nasbench.table import load

    check_apart(out, "--out", table, samples, tags)
    if (tags is None) != (recipe is None):
        raise BadValue("tags are summed over a recipe's networks: give both --tags and --recipe")
    if tags is not None and recipe is not None:
        if samples is not None or name is not None or sources is not None:
            raise BadValue(
                "tags say the device and need no samples: leave out --samples, --device, --sources"
            )
        if metric != "latency_ms":
            raise BadValue("--metric is of samples: tags give all that they say at once")
        _sum_tags(table, tags, recipe, out, as_json)
        return
    new = out is not None and not out.exists()
    chosen = None if sources is None else _names(sources)
    predicted = predict_table_costs(
        load(table),
        None if samples is None else load(samples),
        device=name,
        metric=metric,
        sources=chosen,
        seed=seed,
    )
    low, high = predicted.found.interval(level)  # also where nothing is written: a level is said
    document = {"metric": predicted.metric, "level": level, **predicted.found.describe()}
    text = _told(predicted, level, float(sum(high / low) / len(high)) ** 0.5)
    if out is not None:
        made = predicted.write(out, level=level, new=new)
        document |= {"table": str(out), "sha256": made.sha256}
        text += (
            f"\n{out}: all of them, kind estimated. Join: nasbench merge {in_shell(table)} "
            f"{in_shell(out)} --out ..."
        )
    emit(document, as_json, text)


def tags(
    recipe: RecipeArgument,
    out: Annotated[Path, file_option("The tags to write, .json.", new=True, suffix=".json")],
    sample: Annotated[
        int, typer.Option(min=1, max=MOST_COUNTED, help="Random networks to find operations in.")
    ] = 100,
    whole: Annotated[
        int, typer.Option(min=0, max=1_000, help="Of them measured whole, to say the error.")
    ] = 5,
    name: Annotated[
        str | None, typer.Option("--device", help="Of the recipe, where it has several.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the sample.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure what each operation of a recipe's networks takes on a device.

    Every operation at every width and resolution that it occurs with: latency, bytes of weights
    and activations, multiply-adds, and energy where something counts it.

    Example: `nasbench device tags nb201-mini-fashion16 --out TAGS.json`
    """
    from nasbench.building import spec_from
    from nasbench.building.measuring import device_of
    from nasbench.building.tagging import tag_operations

    spec = spec_from(recipe)
    known = {one.name: one for one in spec.devices}
    if not known:
        raise BadValue(f"{recipe} names no devices: add [[device]] to it")
    if name is None and len(known) > 1:
        raise BadValue(f"{recipe} has the devices {', '.join(known)}: name one with --device")
    if name is not None and name not in known:
        raise unknown("device", name, known)
    chosen = known[name] if name is not None else next(iter(known.values()))
    with progress() as tell:
        found = tag_operations(
            spec, device_of(spec, chosen), sample=sample, whole=whole, seed=seed, progress=tell
        )
    found.save(out)
    plain, scaled = found.errors
    measured = sum(tag.kind == "measured" for tag in found.operations.values())
    document = {
        "tags": str(out),
        "device": found.device,
        "operations": len(found.operations),
        "measured": measured,
        "base_ms": found.base_ms,
        "scale": found.scale,
        "error": plain,
        "error_rescaled": scaled,
        "giga_multiply_adds": found.roofline.giga_multiply_adds,
        "gigabytes": found.roofline.gigabytes,
    }
    shown: list[tuple[str, object]] = [
        ("tags", f"{out}: {counted(len(found.operations), 'operation')}, {measured} measured"),
        ("device", found.device),
        ("beside operations", f"{rounded(found.base_ms)} ms, of {found.about['skeleton']}"),
        (
            "at best",
            f"{rounded(found.roofline.giga_multiply_adds, 3)} billion multiply-adds and "
            f"{rounded(found.roofline.gigabytes, 3)} GB a second",
        ),
        ("error of sums", _errors(found)),
    ]
    emit(document, as_json, rows(shown))


def _errors(found: Tags) -> str:
    plain, scaled = found.errors
    if plain != plain:
        return "not known: no network was measured whole"
    rescaled = "" if scaled != scaled else f", {100 * scaled:.1f} % rescaled by the others"
    return f"{100 * plain:.1f} % on average over {len(found.whole)} networks{rescaled}"


def _sum_tags(table: str, path: Path, recipe: str, out: Path | None, as_json: bool) -> None:
    import numpy as np

    from nasbench.building import spec_from
    from nasbench.building.sums import sum_tags, write_sums
    from nasbench.device.tags import Tags
    from nasbench.table import load

    found, spec, opened = Tags.load(path), spec_from(recipe), load(table)
    if opened.space.describe() != spec.space.describe():
        raise BadValue(
            f"{opened.name} is of {opened.space.name}, the recipe's networks of {spec.space.name}"
        )
    found.check_space(spec.space)
    new = out is not None and not out.exists()
    with progress() as tell:
        sums = sum_tags(spec, found, opened.rows.tolist(), tell)
    untagged = int((sums["untagged"] > 0).sum())
    document: dict[str, Any] = {
        "device": found.device,
        "architectures": len(opened.rows),
        "error": found.errors[0],
        "error_rescaled": found.errors[1],
        "memory_bound": float(np.mean(sums["memory_bound"])),
        "untagged": untagged,
    }
    low, high = sums["latency_ms"].min(), sums["latency_ms"].max()
    shown: list[tuple[str, object]] = [
        ("estimated", f"{found.device}/latency_ms of {len(opened.rows):,} architectures"),
        ("latency", f"{rounded(low)} to {rounded(high)} ms"),
        ("error of sums", _errors(found)),
        ("waits for memory", f"{100 * document['memory_bound']:.0f} % of the time, on average"),
    ]
    if untagged:
        shown.append(("without a tag", f"an operation of {untagged:,} architectures: roofline"))
    text = rows(shown)
    if out is not None:
        made = write_sums(opened, found, sums, out, new=new)
        document |= {"table": str(out), "sha256": made.sha256}
        text += (
            f"\n{out}: all of them, as estimated. Join: nasbench merge {in_shell(table)} "
            f"{in_shell(out)} --out NEW.h5"
        )
    emit(document, as_json, text)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise BadValue("--sources names devices, by commas, or none")
    return [] if names == ["none"] else names


def _told(predicted: PredictedCosts, level: float, factor: float) -> str:
    from nasbench.surrogate.operation_counts import GRAPHS

    found = predicted.found
    by_graph = ", ".join(f"{g} {100 * error:.1f} %" for g, error in found.graph_errors.items())
    weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found.weights.items())
    if found.ratio:
        weights += f"; XGBoost's correction by {100 * found.ratio:.0f} %"
    shown: list[tuple[str, Any]] = [
        ("estimated", f"{predicted.metric} of {len(found.values):,} architectures"),
        (
            "from",
            f"{found.samples} that were measured; {counted(predicted.sources, 'other device')}",
        ),
        ("most likely ran", f"{GRAPHS.get(found.graph, found.graph)} ({found.graph})"),
        ("errors by graph", by_graph),
        ("mean of", weights),
        (
            "on samples left out",
            f"rank correlation {found.spearman:.3f}, half of the errors within "
            f"{100 * found.error:.1f} %",
        ),
        (f"{100 * level:.0f} % interval", f"a factor of {factor:.2f} to either side on average"),
    ]
    shown += [(f"not used: {name}", why) for name, why in found.unused.items()]
    return rows(shown)


def register(app: typer.Typer) -> None:
    """Add the commands to those of `nasbench device`."""
    device.command()(predict)
    device.command()(tags)
