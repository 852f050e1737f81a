"""What a build will cost, before it is begun: how many trainings, how long, how large."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import check_out
from nasbench._progress import Progress, silent
from nasbench.building.assemble import assemble
from nasbench.building.builder import (
    about_build,
    exists_already,
    is_sample_of,
    plan_of,
)
from nasbench.building.crew import Crew
from nasbench.building.designs import COUNTED, HELD_OUT, POOL, Sampling, some_of
from nasbench.building.entries import COUNTS, EntryCheck
from nasbench.building.executor import Unit
from nasbench.building.journal import folder_of, holds_plan, line_of, read_entries
from nasbench.building.ledger import Done
from nasbench.building.limits import check_whole
from nasbench.building.measuring import counts_of, device_of
from nasbench.building.partial import scoring_of
from nasbench.building.provenance import session
from nasbench.building.proxies import chunks_of, score_chunks
from nasbench.building.shard import shards_in
from nasbench.building.spec import BuildSpec
from nasbench.device import DeviceSpec
from nasbench.device.base import METRICS, Reading, measurement_of
from nasbench.network import network
from nasbench.stats import Estimate, bootstrap_estimate
from nasbench.train import Recipe
from nasbench.train.record import Record, curves_of, tests_of

__all__ = ["BuildEstimate", "estimate", "table_bytes"]

CELLS = 16
"""Random cells that are timed, or four for each that trains at a time."""
SIDE_BY_SIDE = 64
"""As many where the engine trains them as one group."""
MEASURED = 4
"""Random cells on which devices are timed."""
MOST_IMAGES = 1_000
"""Of a split, on which cells are timed for an epoch."""


@dataclass(frozen=True, eq=False, slots=True)
class BuildEstimate:
    """What a build will cost on this machine.

    Attributes:
        trainings: in all, `distinct` cells by every recipe with every seed.
        journaled: those of them that an earlier session or shards have finished.
        distinct: cells that are trained.
        training_seconds: by recipe, of one training with its evaluation, mean over the cells
            that were timed; an interval needs ten of them, timed one by one.
        training_hours: wall time of the trainings that are left, with `processes` side by side.
        measuring_hours: wall time of the devices, measured from the start.
        counting_hours: wall time of counting parameters and FLOPs.
        scoring_hours: wall time of the proxy that spreads a sample, before the first training;
            0 where there is none.
        table_bytes: exact but for how long the manifest's sentences are.
        journal_bytes: what the journal grows to before the table takes its place.
        processes: trainings side by side.
        engine: that trains.
        timed: random cells that were trained.
        measured: random cells that devices were timed on.
    """

    trainings: int
    journaled: int
    distinct: int
    training_seconds: Mapping[str, Estimate]
    training_hours: Estimate
    measuring_hours: Mapping[str, float]
    counting_hours: float
    scoring_hours: float
    table_bytes: int
    journal_bytes: int
    processes: int
    engine: str
    timed: int
    measured: int

    @property
    def hours(self) -> float:
        """Of all of it."""
        measuring = sum(self.measuring_hours.values())
        return self.scoring_hours + self.training_hours.value + self.counting_hours + measuring

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        return {
            "trainings": self.trainings,
            "journaled": self.journaled,
            "distinct": self.distinct,
            "training_seconds": {n: e.describe() for n, e in self.training_seconds.items()},
            "training_hours": self.training_hours.describe(),
            "measuring_hours": dict(self.measuring_hours),
            "counting_hours": self.counting_hours,
            "scoring_hours": self.scoring_hours,
            "hours": self.hours,
            "table_bytes": self.table_bytes,
            "journal_bytes": self.journal_bytes,
            "processes": self.processes,
            "engine": self.engine,
            "timed": self.timed,
            "measured": self.measured,
        }


def estimate(
    spec: BuildSpec,
    out: Path,
    *,
    processes: int | None = None,
    engine: str = "auto",
    hardware: str = "auto",
    sampling: Sampling | None = None,
    complete: bool = False,
    progress: Progress | None = None,
) -> BuildEstimate:
    """Time an epoch of a few random cells, one device run and one scoring; nothing is kept.

    Args:
        spec: what would be built.
        out: where; what is journaled there counts as done.
        processes: as for `build`, and so are the others.
        engine: that trains.
        hardware: to train on.
        sampling: what of the space is trained; all where left out. What is journaled counts as
            part of the sample, as it is where an earlier one was smaller.
        complete: the rest is predicted: all are measured and in the table.
        progress: called as cells are timed.
    """
    crew = Crew.of(spec, processes, engine, hardware, "local")
    if check_out(out) and not is_sample_of(out, plan_of(spec, crew.engine)):
        raise exists_already(out)
    if sampling is None:
        check_whole(spec)
    distinct = sampling.size if sampling else spec.distinct
    rows = spec.distinct if complete else distinct
    each = len(spec.seeds) * distinct
    done = _journaled(spec, out, crew.engine)
    named = set(sampling.these) if sampling else set()
    trained = Counter(
        unit.recipe for unit in done.records if not named or unit.architecture in named
    )
    left = {name: max(0, each - trained[name]) for name in spec.recipes}
    tell = progress or silent
    # Enough that the end, where some wait for the last, is a small part of it.
    n = SIDE_BY_SIDE if crew.engine == "fused" else max(CELLS, 4 * crew.side_by_side)
    cells = some_of(spec.space, n, 0)
    seconds: dict[str, NDArray[np.float64]] = {}
    journal = 0.0
    for name in spec.recipes:
        seconds[name], line = _time_recipe(crew, name, cells, tell)
        journal += line * each
    hours: dict[str, float] = {}
    for device in spec.devices:
        took, line = _time_device(spec, device, cells[:MEASURED])
        hours[device.name] = took * rows / 3600
        journal += line * rows
    pool = spec.distinct if spec.space.listable else max(POOL, 4 * distinct)
    candidates = pool - pool // HELD_OUT
    counts_of(spec, cells[0])  # the first count can pay what comes once
    started = perf_counter()
    for cell in cells[:MEASURED]:
        counts_of(spec, cell)
    counting = (perf_counter() - started) / len(cells[:MEASURED]) / 3600
    # What a sample is spread over is counted whole, with what is trained beside it, held out.
    counted = rows
    if sampling and sampling.by in COUNTED:
        counted = max(rows, candidates + sampling.held_out)
    counting *= max(0, counted - len(done.counts))
    scoring = 0.0
    if sampling and sampling.scored:
        tell(f"timing {sampling.by}", 0, 1)
        waiting = candidates - len(done.scores.get((str(sampling.by), sampling.seed), ()))
        took, line = _time_scoring(crew, sampling, cells)
        scoring = took * waiting / (crew.processes or 1) / 3600
        journal += line * waiting
        tell(f"timing {sampling.by}", 1, 1)
    side_by_side = crew.side_by_side
    all_left = np.sum([seconds[name] * left[name] for name in spec.recipes], axis=0)
    return BuildEstimate(
        trainings=each * len(spec.recipes),
        journaled=each * len(spec.recipes) - sum(left.values()),
        distinct=distinct,
        training_seconds={name: _mean(crew, of_cells) for name, of_cells in seconds.items()},
        training_hours=_mean(crew, all_left / side_by_side / 3600),
        measuring_hours=hours,
        counting_hours=counting,
        scoring_hours=scoring,
        table_bytes=table_bytes(spec, rows),
        journal_bytes=round(journal),
        processes=side_by_side,
        engine=crew.engine,
        timed=len(cells),
        measured=len(cells[:MEASURED]) if spec.devices else 0,
    )


def _journaled(spec: BuildSpec, out: Path, engine: str) -> Done:
    """What earlier sessions and shards have journaled."""
    plan, folder = plan_of(spec, engine), folder_of(out)
    parts = ("", *(shard.folder for shard in shards_in(folder)))
    return Done(
        entry
        for part in parts
        if holds_plan(out, plan, part)
        for entry in read_entries(folder / part, EntryCheck(spec))
    )


def _time_scoring(crew: Crew, sampling: Sampling, cells: list[int]) -> tuple[float, float]:
    """Seconds that one process takes to score a cell, and the bytes of it in the journal."""
    scoring = scoring_of(crew.spec, sampling)
    chunk = chunks_of(cells, crew.hardware)[0]
    for _ in range(2):  # the first time pays what comes once
        started = perf_counter()
        ((_, entry),) = score_chunks(crew.spec, scoring, [chunk], 1, crew.hardware)
        took = perf_counter() - started
    return took / len(chunk), len(line_of(entry)) / len(chunk)


def _time_recipe(
    crew: Crew, name: str, cells: list[int], tell: Progress
) -> tuple[NDArray[np.float64], float]:
    """Seconds of a whole training of each cell, and the bytes of its line in the journal.

    An epoch on some of the images is trained. Training takes time by training images,
    evaluation by validation images in each epoch and test images in the last; setting a
    training up takes what the clock on the wall shows beyond both.
    """
    recipe, task = crew.spec.recipes[name], crew.spec.task
    whole = {s: len(i.first(getattr(recipe, f"{s}_images"))) for s, i in task.splits.items()}
    short = _on_few(replace(recipe, epochs=1), whole, MOST_IMAGES)
    timing = replace(crew, spec=replace(crew.spec, recipes={name: short}))
    units = [Unit(name, cell, crew.spec.seeds[0]) for cell in cells]
    found: dict[int, Record] = {}
    started = spent = 0.0
    for unit, record in timing.train(units, lambda entry: None):
        if not found:  # what comes before the first is paid once
            started = perf_counter()
        else:
            spent += float(record.curves["train_seconds"][-1]) + record.evaluation_seconds
        found[unit.architecture] = record
        tell(f"timing {name}", len(found), len(units))
    wall = (perf_counter() - started) * min(crew.side_by_side, len(units))
    beyond = max(wall - spent, 0.0) / max(len(found) - 1, 1)
    records = [found[cell] for cell in cells]
    trained = np.asarray([r.curves["train_seconds"][-1] for r in records], dtype=np.float64)
    evaluated = np.asarray([r.evaluation_seconds for r in records])
    epochs = recipe.epochs * (whole["train"] / short.train_images if short.train_images else 1)
    seen = short.valid_images + short.test_images
    passes = (recipe.epochs * whole["valid"] + whole["test"]) / seen if seen else 1.0
    lines = []
    for record in records:
        curves = {c: np.repeat(curve, recipe.epochs) for c, curve in record.curves.items()}
        entry = {"recipe": name, "record": replace(record, curves=curves).to_json()}
        lines.append(len(line_of({"entry": "training", **entry})))
    return trained * epochs + evaluated * passes + beyond, float(np.mean(lines))


def _on_few(recipe: Recipe, splits: Mapping[str, int], most: int) -> Recipe:
    """The recipe on so many images of each split at most."""
    return replace(
        recipe,
        train_images=min(splits["train"], most),
        valid_images=min(splits["valid"], most),
        test_images=min(splits["test"], most),
    )


def _time_device(spec: BuildSpec, device: DeviceSpec, cells: list[int]) -> tuple[float, float]:
    """Seconds that a device takes for a cell, and the bytes that the journal keeps of it."""
    recipe = next(iter(spec.recipes.values()))
    networks = [network(spec.space, cell, spec.task, recipe) for cell in cells]
    opened = device_of(spec, device)
    opened.measure(networks[:1], spec.task.signal)  # a runtime takes longest at its first run
    started = perf_counter()
    measured = opened.measure(networks, spec.task.signal)
    took = (perf_counter() - started) / len(cells)
    return took, float(np.mean([len(line_of(asdict(m))) for m in measured]))


def _mean(crew: Crew, of_cells: NDArray[np.float64]) -> Estimate:
    found = bootstrap_estimate(lambda v: v.mean(-1), of_cells)
    if crew.engine == "fused":  # a group's networks share its time: their spread is no one's
        return replace(found, low=math.nan, high=math.nan)
    return found


def table_bytes(spec: BuildSpec, rows: int) -> int:
    """How large a table of so many rows will be, from one of a row that is made up.

    Exact but for what a manifest says in words, reasons for what is missing and sessions, and for
    some kilobytes in which HDF5 keeps its own. A completed table has the last epoch alone, and
    is smaller.
    """
    one = int(spec.space.canonical(0))
    done = Done([session()])
    for device in spec.devices:
        done.measured(device.name, device_of(spec, device).describe())[one] = asdict(_MEASURED_ONCE)
    with TemporaryDirectory() as folder:
        table = assemble(
            spec,
            Path(folder) / "one.h5",
            {Unit(r, one, seed): _made_up(spec, r, one, seed) for r, seed in _trainings(spec)},
            done.measurements,
            {one: dict.fromkeys(COUNTS, 1.0)},
            about_build(spec, "reference", done),
            np.asarray([one]),
        )
        size = table.path.stat().st_size
    # Further members of the rows' classes; of a sample as many as of the space.
    others = 0
    if spec.space.lists_classes:
        others = round(rows * (spec.space.size / spec.space.unique - 1))
    for name, entry in table.manifest["datasets"].items():
        found = others if name in ("others", "others_row") else rows
        row = math.prod(entry["shape"][1:]) * np.dtype(entry["dtype"]).itemsize
        size += (found - entry["shape"][0]) * row
    return size


_MEASURED_ONCE = measurement_of({metric: Reading(1.0) for metric in METRICS})


def _trainings(spec: BuildSpec) -> Iterator[tuple[str, int]]:
    return product(spec.recipes, spec.seeds)


def _made_up(spec: BuildSpec, recipe: str, architecture: int, seed: int) -> Record:
    ones = np.ones(spec.recipes[recipe].epochs, dtype=np.float32)
    target = spec.task.target
    return Record(
        architecture,
        seed,
        dict.fromkeys(curves_of(target), ones),
        dict.fromkeys(tests_of(target), 1.0),
        1.0,
    )
