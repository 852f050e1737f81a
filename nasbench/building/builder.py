"""From a recipe to a table: train, measure, assemble, and lose nothing on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasbench._defaults import ENGINE, EXECUTOR, HARDWARE
from nasbench._files import check_out
from nasbench._progress import Progress, silent
from nasbench._version import __version__
from nasbench.building.assemble import assemble
from nasbench.building.crew import Crew
from nasbench.building.entries import EntryCheck
from nasbench.building.executor import Unit
from nasbench.building.journal import (
    BuildFolder,
    another,
    folder_of,
    holds_plan,
    nameless,
    read_plan,
)
from nasbench.building.ledger import Done, Ledger
from nasbench.building.limits import check_whole
from nasbench.building.measuring import count_networks, device_of, measure
from nasbench.building.provenance import hardware as describe_hardware
from nasbench.building.provenance import session, versions
from nasbench.building.shard import Shard, divide, shards_in
from nasbench.building.spec import BuildSpec
from nasbench.errors import NasbenchError
from nasbench.table import Table

__all__ = [
    "about_build",
    "assemble_shards",
    "build",
    "check_shards",
    "entries_of",
    "exists_already",
    "is_sample_of",
    "plan_of",
    "train_missing",
    "train_shard",
    "units_of",
]


def build(
    spec: BuildSpec,
    out: Path,
    *,
    processes: int | None = None,
    engine: str = ENGINE,
    hardware: str = HARDWARE,
    executor: str = EXECUTOR,
    progress: Progress | None = None,
) -> Table:
    """Train every distinct architecture with every seed, measure devices, write the table.

    A build that was stopped, killed or ran out of disk goes on from its journal in the folder
    `<out>.build`, which goes when the table is there. What shards have trained is taken up, and
    so is a sample, whose table (see `nasbench.building.partial`) gives place to the whole one.

    Args:
        spec: what to build.
        out: the table; must not exist.
        processes: how many trainings run side by side, each on one thread; a core each by
            default.
        engine: one of `nasbench.train.engine.ENGINES`, or `auto` for the fastest that is here.
        hardware: to train on: a torch device's name, or `auto`.
        executor: `local` trains on this machine, `ray` on the CPUs of a Ray cluster. Devices
            are measured on this machine.
        progress: called as the build goes on.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import CellSpace
        >>> from nasbench.task import get
        >>> from nasbench.train import Recipe
        >>> space = CellSpace("tiny", 2, ("skip_connect", "nor_conv_1x1"))
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> spec = BuildSpec("tiny", space, get("digits"), (0,), {"1ep": recipe}, ())
        >>> with TemporaryDirectory() as folder:
        ...     table = build(spec, Path(folder) / "tiny.h5", processes=1, engine="reference")
        ...     print(table.rows.tolist(), table.recipes)
        [0, 1] ('1ep',)
    """
    crew = Crew.of(spec, processes, engine, hardware, executor)
    plan = plan_of(spec, crew.engine)
    check_whole(spec)
    if check_out(out) and not is_sample_of(out, plan):
        return _tidy_up(spec, out, crew.engine)
    return _make(spec, out, plan, crew, progress or silent)


def train_shard(
    spec: BuildSpec,
    out: Path,
    shard: Shard,
    *,
    processes: int | None = None,
    engine: str = ENGINE,
    hardware: str = HARDWARE,
    executor: str = EXECUTOR,
    progress: Progress | None = None,
) -> int:
    """Train a shard's part of a build, of which `assemble_shards` makes the table.

    A shard journals to its own folder inside `<out>.build`, so that shards on a shared file
    system never write to one file; a shard that was stopped goes on from there. It measures no
    device: that is for one machine to do.

    Args:
        spec: what to build.
        out: the table-to-be; must not exist.
        shard: which part.
        processes: as for `build`, and so are the others.
        engine: one for all shards.
        hardware: to train on.
        executor: who trains.
        progress: called as the shard goes on.

    Returns:
        How many trainings the shard has.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.building import Shard
        >>> from nasbench.space import CellSpace
        >>> from nasbench.task import get
        >>> from nasbench.train import Recipe
        >>> space = CellSpace("tiny", 2, ("skip_connect", "nor_conv_1x1"))
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> spec = BuildSpec("tiny", space, get("digits"), (0,), {"1ep": recipe}, ())
        >>> with TemporaryDirectory() as folder:
        ...     out = Path(folder) / "tiny.h5"
        ...     train_shard(spec, out, Shard.parse("2/2"), processes=1, engine="reference")
        1
    """
    crew = Crew.of(spec, processes, engine, hardware, executor)
    check_out(out, new=True)
    plan = plan_of(spec, crew.engine)
    check_whole(spec)
    units = divide(units_of(spec), shard.of)[shard.number - 1]
    check_shards(out, plan, shard)
    folder = BuildFolder(out, plan, shard.folder)
    try:
        done = Ledger(folder, folder.entries(EntryCheck(spec)))
        done.keep({**session(), "shard": str(shard)})
        train_missing(crew, units, done, progress or silent)
    finally:
        folder.close(remove=False)
    return len(units)


def assemble_shards(spec: BuildSpec, out: Path, *, progress: Progress | None = None) -> Table:
    """Measure devices on this machine and write the table of what shards have trained.

    Raises:
        NasbenchError: where trainings are missing; it names their shards.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.building import Shard
        >>> from nasbench.space import CellSpace
        >>> from nasbench.task import get
        >>> from nasbench.train import Recipe
        >>> space = CellSpace("tiny", 2, ("skip_connect", "nor_conv_1x1"))
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> spec = BuildSpec("tiny", space, get("digits"), (0,), {"1ep": recipe}, ())
        >>> with TemporaryDirectory() as folder:
        ...     out = Path(folder) / "tiny.h5"
        ...     _ = train_shard(spec, out, Shard.parse("1/1"), processes=1, engine="reference")
        ...     print(len(assemble_shards(spec, out).rows))
        2
    """
    if check_out(out):
        return _tidy_up(spec, out)
    folder = folder_of(out)
    plans = [read_plan(folder / shard.folder) for shard in shards_in(folder)]
    # The shards' engine, whatever this machine would have picked.
    engine = next((str(plan["engine"]) for plan in plans if plan), None)
    if engine is None:
        raise NasbenchError(
            f"there are no shards in {folder}: train them first, with --shard 1/N to --shard N/N "
            f"and the same --out"
        )
    return _make(spec, out, plan_of(spec, engine), None, progress or silent)


def exists_already(out: Path) -> NasbenchError:
    """What to say of a table that is in the way."""
    return NasbenchError(f"{out} is there already: give another --out or remove it")


def plan_of(spec: BuildSpec, engine: str) -> dict[str, Any]:
    """What is built, in plain JSON values."""
    plan = {
        "spec": spec.describe(),
        "distinct": spec.distinct,
        "engine": engine,
        "version": __version__,
    }
    return nameless(plan)


def units_of(spec: BuildSpec, architectures: Sequence[int] | None = None) -> list[Unit]:
    """All trainings of a build, or of some of its distinct architectures."""
    chosen = spec.space.representatives.tolist() if architectures is None else architectures
    return [
        Unit(recipe, architecture, seed)
        for recipe in spec.recipes
        for seed in spec.seeds
        for architecture in chosen
    ]


def is_sample_of(out: Path, plan: Mapping[str, Any]) -> bool:
    """Whether a file is the table of a sample of the build whose journal lies beside it."""
    folder = folder_of(out)
    return folder.is_dir() and read_plan(folder) == plan and "sample" in Table(out).manifest


def _tidy_up(spec: BuildSpec, out: Path, engine: str | None = None) -> Table:
    """The table of this very build, if a kill was all that kept its folder from being removed."""
    folder = folder_of(out)
    if folder.is_dir():
        table = Table(out)
        plan = plan_of(spec, str(table.manifest.get("engine")))
        parts = [folder, *(folder / shard.folder for shard in shards_in(folder))]
        if (
            table.manifest.get("recipe_file") == spec.describe()
            and "sample" not in table.manifest
            and engine in (plan["engine"], None)
            and all(read_plan(part) in (plan, None) for part in parts)
        ):
            _remove_shards(out, plan)
            BuildFolder(out, plan).close(remove=True)
            return table
    raise exists_already(out)


def _remove_shards(out: Path, plan: Mapping[str, Any]) -> None:
    for shard in shards_in(folder_of(out)):
        BuildFolder(out, plan, shard.folder).close(remove=True)


def _make(
    spec: BuildSpec, out: Path, plan: Mapping[str, Any], crew: Crew | None, tell: Progress
) -> Table:
    """Train what is missing, measure, assemble; without a crew nothing may be missing."""
    devices = [device_of(spec, device) for device in spec.devices]
    new = not out.exists()
    check_shards(out, plan)
    folder = BuildFolder(out, plan)
    finished = False
    try:
        done = Ledger(folder, entries_of(spec, folder, out, plan))
        if crew is None:
            _check_whole(spec, out, done)
        done.keep(session())
        if crew is not None:
            train_missing(crew, units_of(spec), done, tell)
        architectures = spec.space.representatives.tolist()
        count_networks(spec, architectures, done, tell)
        measure(spec, architectures, devices, done, tell)
        about = about_build(spec, plan["engine"], done)
        table = assemble(spec, out, done.records, done.measurements, done.counts, about, new=new)
        _remove_shards(out, plan)
        finished = True
    finally:
        folder.close(remove=finished)
    return table


def check_shards(out: Path, plan: Mapping[str, Any], joining: Shard | None = None) -> None:
    """Refuse shards of another plan, and one that joins another plan or division."""
    if joining:
        holds_plan(out, plan)
    for shard in shards_in(folder_of(out), joining):
        found = read_plan(folder_of(out) / shard.folder)
        if found not in (plan, None):
            raise NasbenchError(
                f"shard {shard} of {out} is of {another(found, plan)}; give another --out, or "
                f"remove {folder_of(out)}"
            )


def entries_of(
    spec: BuildSpec, folder: BuildFolder, out: Path, plan: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """What shards, none of which may be at work, and a build itself have journaled."""
    check = EntryCheck(spec)
    for shard in shards_in(folder_of(out)):
        part = BuildFolder(out, plan, shard.folder)
        try:
            yield from part.entries(check)
        finally:
            part.close(remove=False)
    yield from folder.entries(check)


def _check_whole(spec: BuildSpec, out: Path, done: Ledger) -> None:
    """Refuse what is not trained in full, and name the shards to run again."""
    units = units_of(spec)
    missing = sum(unit not in done.records for unit in units)
    if not missing:
        return
    of = shards_in(folder_of(out))[0].of
    unfinished = []
    for number, part in enumerate(divide(units, of), 1):
        trained = sum(unit in done.records for unit in part)
        if trained < len(part):
            unfinished.append(f"{Shard(number, of)} ({trained:,} of {len(part):,} trained)")
    raise NasbenchError(
        f"{missing:,} of {len(units):,} trainings are missing for {out}: build again with --shard "
        f"{', '.join(unfinished)}"
    )


def train_missing(crew: Crew, units: Sequence[Unit], done: Ledger, tell: Progress) -> None:
    """Train and journal those of the units that nobody has trained."""
    missing = [unit for unit in units if unit not in done.records]
    trained = len(units) - len(missing)
    tell("training", trained, len(units))
    for unit, record in crew.train(crew.mixed(missing), done.keep):
        done.keep({"entry": "training", "recipe": unit.recipe, "record": record.to_json()})
        trained += 1
        tell("training", trained, len(units))


def about_build(spec: BuildSpec, engine: str, done: Done) -> dict[str, Any]:
    """What the manifest says beside the data: where all this comes from."""
    return {
        "origin": "built",
        "engine": engine,
        "recipe_file": spec.describe(),
        "task": spec.task.manifest(),
        "versions": versions(),
        "hardware": describe_hardware(),
        "device_descriptions": done.devices,
        "history": done.sessions,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
