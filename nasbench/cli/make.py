"""Making: tables from recipes."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._defaults import ENGINE, EXECUTOR, HARDWARE
from nasbench._limits import MOST_PROCESSES
from nasbench._words import counted, in_shell, rounded
from nasbench.cli.common import (
    Json,
    emit,
    file_option,
    progress,
    read_start,
    rows,
    say_engine,
)
from nasbench.cli.found import found_in, next_of
from nasbench.cli.sample import By, Complete, Design, Only, Sample, SampleSeed, emit_sample
from nasbench.cli.tasks import task_rows
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench.building import BuildSpec, Sampling
    from nasbench.stats import Estimate
    from nasbench.table import Table

__all__ = ["register"]


def complete_recipe(incomplete: str) -> list[str]:
    """Shipped recipes; files complete by themselves."""
    from nasbench.table import shipped_recipes

    return [name for name in shipped_recipes() if name.startswith(incomplete)]


RecipeArgument = Annotated[
    str, typer.Argument(help="A TOML file or a shipped name.", autocompletion=complete_recipe)
]
Engine = Annotated[str, typer.Option(help="That trains: auto, native, fused, reference.")]
Hardware = Annotated[str, typer.Option(help="To train on: auto, cpu, cuda, cuda:1, mps.")]
Out = Annotated[Path, file_option("The table to write.", suffix=".h5")]


def build(
    recipe: RecipeArgument,
    out: Out,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="Trainings side by side; a core each by default."
        ),
    ] = None,
    engine: Engine = ENGINE,
    hardware: Hardware = HARDWARE,
    executor: Annotated[
        str, typer.Option(help="Who trains: local, or ray, the CPUs of a Ray cluster.")
    ] = EXECUTOR,
    shard: Annotated[
        str | None, typer.Option(help="Train only this part, as 3/64; then: nasbench assemble.")
    ] = None,
    sample: Sample = None,
    complete: Complete = False,
    design: Design = None,
    by: By = None,
    seed: SampleSeed = None,
    only: Only = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many trainings, how long, how large.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and measure everything a recipe names, and write the table.

    A build that was stopped goes on where it was: run the same command again.

    Examples: `nasbench build nb201-mini-fashion16 --out mini.h5`, and with a part of the
    trainings `nasbench build nb201-mini-fashion16 --out mini.h5 --sample 30 --complete`; what
    searches chose, from scratch: `nasbench build RECIPE --out T.h5 --only chosen.txt`
    """
    from nasbench.building import Shard, spec_from, train_shard
    from nasbench.building.call import build_or_sample
    from nasbench.building.partial import sampling_of
    from nasbench.table import Table

    part = None if shard is None else Shard.parse(shard)
    spec = spec_from(recipe)
    named = None if only is None else read_start(only, spec.space, "--only")
    sampling = sampling_of(spec, sample, complete, design, by, seed, named)
    if sampling is not None and part is not None:
        option = "--sample" if only is None else "--only"
        raise NasbenchError(f"a sample is chosen and trained by one command: {option} or --shard")
    say_engine(engine, hardware)
    if dry_run:
        if part is not None or executor != "local":
            raise NasbenchError("--dry-run is of a whole build on this machine: no --shard or ray")
        _estimate(spec, out, workers, engine, hardware, sampling, complete, as_json)
        return
    if part is None:
        with progress() as tell:
            made = build_or_sample(
                spec,
                out,
                sampling,
                complete=complete,
                processes=workers,
                engine=engine,
                hardware=hardware,
                executor=executor,
                progress=tell,
            )
        if isinstance(made, Table):
            _emit_table(made, recipe, as_json)
        else:
            emit_sample(made, recipe, as_json)
        return
    with progress() as tell:
        trainings = train_shard(
            spec,
            out,
            part,
            processes=workers,
            engine=engine,
            hardware=hardware,
            executor=executor,
            progress=tell,
        )
    document = {"table": str(out), "shard": str(part), "trainings": trainings}
    text = (
        f"shard {part} of {out}: {counted(trainings, 'training')} done. When all shards are: "
        f"nasbench assemble {in_shell(recipe)} --out {in_shell(out)}"
    )
    emit(document, as_json, text)


def _estimate(
    spec: BuildSpec,
    out: Path,
    workers: int | None,
    engine: str,
    hardware: str,
    sampling: Sampling | None,
    complete: bool,
    as_json: bool,
) -> None:
    from nasbench.building.estimate import estimate
    from nasbench.stats import Estimate

    with progress() as tell:
        found = estimate(
            spec,
            out,
            processes=workers,
            engine=engine,
            hardware=hardware,
            sampling=sampling,
            complete=complete,
            progress=tell,
        )
    left = f", {found.journaled:,} of them journaled" if found.journaled else ""
    of = f" of {spec.distinct:,}" if sampling else ""
    until = f"until the table{' of the whole build' if sampling else ''} is there"
    whole = f"{found.distinct:,}{of} distinct networks × {counted(len(spec.seeds), 'seed')}"
    recipes = f" × {len(spec.recipes)} recipes" if len(spec.recipes) > 1 else ""
    shown: list[tuple[str, object]] = [
        *task_rows(spec.task.describe()),  # its notes are said already
        ("trainings", f"{found.trainings:,}: {whole}{recipes}{left}"),
        *((name, f"{_time(e, 1)} a training") for name, e in found.training_seconds.items()),
        (
            "training",
            f"{_time(found.training_hours, 3600)} with {found.processes} side by side, "
            f"{found.engine} engine",
        ),
    ]
    by = f"scoring by {sampling.by}" if sampling and sampling.scored else None
    beside = {by: found.scoring_hours} if by else {}
    beside["counting parameters and FLOPs"] = found.counting_hours
    for what, hours in {**beside, **found.measuring_hours, "altogether": found.hours}.items():
        shown.append((what, _time(Estimate(hours, math.nan, math.nan, 0), 3600)))
    shown += [
        ("table", f"{found.table_bytes / 1e6:.2f} MB{' at the most' if complete else ''}"),
        ("journal", f"{found.journal_bytes / 1e6:.2f} MB or so, {until}"),
    ]
    on_devices = f", {found.measured} of them on devices" if found.measured else ""
    note = (
        f"An estimate for this machine: {found.timed} random networks were timed for an epoch on "
        f"some of\nthe images{on_devices}. What else needs the cores comes on top. In brackets: "
        f"95 % interval\nof the mean over networks."
    )
    if by:
        note += f"\nThe time of {by}, which comes before training, is that of some of these cells."
    if complete or (sampling and sampling.design == "active"):
        note += "\nFitting models comes on top; a sample that ends early takes less."
    document = {**found.describe(), "task": spec.task.manifest()}
    emit(document, as_json, f"{rows(shown)}\n\n{note}")


def _time(of: Estimate, seconds: int) -> str:
    """An estimate in units of so many seconds, in the unit that reads best."""
    value = of.value * seconds
    size, unit = next(
        (size, unit) for size, unit in ((3600, "hours"), (60, "min"), (0, "s")) if value >= 2 * size
    )
    value, low, high = (v * seconds / (size or 1) for v in (of.value, of.low, of.high))
    interval = f" [{rounded(low, 3)}, {rounded(high, 3)}]" if low == low else ""
    return f"{rounded(value, 3)}{interval} {unit}"


def assemble(recipe: RecipeArgument, out: Out, as_json: Json = False) -> None:
    """Write the table of a build whose shards are trained; measure devices on this machine.

    Example: `nasbench assemble nb201-mini-fashion16 --out mini.h5`
    """
    from nasbench.building import assemble_shards, spec_from

    spec = spec_from(recipe)
    with progress() as tell:
        table = assemble_shards(spec, out, progress=tell)
    _emit_table(table, recipe, as_json)


def _emit_table(table: Table, recipe: str, as_json: bool) -> None:
    from nasbench.table import LatencyTrust

    n, path = len(table.rows), table.path
    found = {device: LatencyTrust.of(table, device) for device in table.devices}
    trust = {device: of for device, of in found.items() if of}
    document = {"table": str(path), "sha256": table.sha256, "rows": n}
    document["latency"] = {device: asdict(of) for device, of in trust.items()}
    said = [f"{device}: latency {of.sentence()}." for device, of in trust.items()]
    shown = [("table", f"{path}: {counted(n, 'row')}"), *found_in(table), *next_of(table, recipe)]
    emit(document, as_json, "\n".join([*said, rows(shown)]))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (build, assemble):
        app.command()(command)
