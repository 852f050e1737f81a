"""A pilot: a random sample of cells, trained by every candidate recipe, before one is paid for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import check_out
from nasbench._progress import Progress, silent
from nasbench._version import __version__
from nasbench.building.builder import exists_already
from nasbench.building.crew import Crew
from nasbench.building.designs import some_of
from nasbench.building.entries import EntryCheck
from nasbench.building.executor import Unit
from nasbench.building.journal import BuildFolder, folder_of, nameless
from nasbench.building.ledger import Ledger
from nasbench.building.limits import check_extent
from nasbench.building.measuring import counts_of
from nasbench.building.provenance import hardware as describe_hardware
from nasbench.building.spec import BuildSpec
from nasbench.errors import NasbenchError
from nasbench.train.record import Record

__all__ = ["Sample", "pilot"]

FEWEST_CELLS = 5
"""Of fewer cells nothing is reported."""
SIDE_BY_SIDE = 20
"""Cells that take turns where the engine trains them as one group: else each takes its own."""


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """What a pilot trained: the same cells by every recipe.

    Attributes:
        spec: gives space, task, seeds and the candidate recipes.
        cells: the canonical architectures that every recipe trained with every seed, in the
            order in which they were drawn, int64 `[n]`.
        valid_accuracy: by recipe, in percent after its last epoch, float64 `[n, seeds]`; NaN
            where the training diverged.
        seconds: by recipe, of one training with its evaluation, the mean over seeds,
            float64 `[n]`.
        sizes: `flops` and `parameters` of the cells' networks, float64 `[n]`, in the width and
            depth of the first recipe, as tables count them.
        processes: how many trainings ran side by side.
        overhead: what setting a training up took, beside its seconds.
        about: engine, hardware, seed and time spent; plain JSON values.
    """

    spec: BuildSpec
    cells: NDArray[np.int64]
    valid_accuracy: Mapping[str, NDArray[np.float64]]
    seconds: Mapping[str, NDArray[np.float64]]
    sizes: Mapping[str, NDArray[np.float64]]
    processes: int
    overhead: float
    about: Mapping[str, Any]


def pilot(
    spec: BuildSpec,
    out: Path,
    *,
    budget_seconds: float,
    cells: int,
    seed: int = 0,
    processes: int | None = None,
    engine: str = "auto",
    hardware: str = "auto",
    progress: Progress | None = None,
) -> Sample:
    """Train random distinct cells by every recipe with every seed until the time is spent.

    Cell after cell over all recipes and seeds, so that whenever it ends all recipes have
    trained the same cells. What is trained is journaled in the folder `<out>.build`, which
    stays: a pilot that was stopped, or is given more time or more cells, goes on from there.

    Args:
        spec: its recipes are the candidates; three seeds or more tell their noise.
        out: what the caller will write; it may be there only if the journal is, too.
        budget_seconds: wall time, that of earlier sessions counted. It is looked at whenever a
            training ends; those that still run are then given up.
        cells: how many at most.
        seed: of the sample.
        processes: how many trainings run side by side; a core each by default.
        engine: one of `nasbench.train.engine.ENGINES`, or `auto` for the fastest that is here.
        hardware: to train on: a torch device's name, or `auto`.
        progress: called as the pilot goes on.
    """
    if len(spec.seeds) < 3:
        raise NasbenchError("a pilot needs 3 seeds or more to tell their noise: give --seeds 3")
    cells = min(cells, spec.distinct)
    if cells < FEWEST_CELLS:
        raise NasbenchError(f"a pilot needs {FEWEST_CELLS} distinct cells or more, got {cells}")
    check_extent(spec, cells)
    crew = Crew.of(spec, processes, engine, hardware, "local")
    # More cells begin with the fewer ones, and so does their journal.
    drawn = some_of(spec.space, cells, seed)
    together = SIDE_BY_SIDE if crew.engine == "fused" else 1
    units = [
        Unit(recipe, cell, training_seed)
        for start in range(0, cells, together)
        for recipe in spec.recipes
        for training_seed in spec.seeds
        for cell in drawn[start : start + together]
    ]
    plan = nameless(
        {
            "pilot": spec.describe(),
            "seed": seed,
            "engine": crew.engine,
            "version": __version__,
        }
    )
    if check_out(out) and not folder_of(out).exists():
        raise exists_already(out)
    folder = BuildFolder(out, plan)
    try:
        records, spent, paid = _train(crew, units, folder, budget_seconds, progress)
    finally:
        folder.close(remove=False)
    torn = {unit.architecture for unit in units if unit not in records}
    found = spec.space.check([cell for cell in drawn if cell not in torn])
    if len(found) < FEWEST_CELLS:
        raise NasbenchError(
            f"{spent:.0f} seconds were enough for {len(found)} whole cells, {FEWEST_CELLS} are "
            f"needed: the same command with a larger --budget goes on from there"
        )
    by_recipe = {
        name: [[records[Unit(name, cell, s)] for s in spec.seeds] for cell in found.tolist()]
        for name in spec.recipes
    }
    return Sample(
        spec=spec,
        cells=found,
        valid_accuracy={
            name: np.asarray([[r.merit for r in row] for row in rows], float)
            for name, rows in by_recipe.items()
        },
        seconds={
            name: np.asarray([np.mean([_seconds(r) for r in row]) for row in rows])
            for name, rows in by_recipe.items()
        },
        sizes=_sizes(spec, found.tolist()),
        processes=crew.side_by_side,
        overhead=_overhead(list(records.values()), paid),
        about={
            "engine": crew.engine,
            "hardware": describe_hardware(),
            "seed": seed,
            "spent_seconds": round(spent, 1),
        },
    )


def _train(
    crew: Crew, units: list[Unit], folder: BuildFolder, budget: float, progress: Progress | None
) -> tuple[dict[Unit, Record], float, float]:
    """Train what is missing while time is left.

    Returns:
        All records; the seconds spent on them; and those times the trainings side by side.
    """
    entries = list(folder.entries(EntryCheck(crew.spec)))
    spent = max((entry.get("spent_seconds", 0.0) for entry in entries), default=0.0)
    paid = max((entry.get("paid_seconds", 0.0) for entry in entries), default=0.0)
    ledger = Ledger(folder, entries)
    missing = [unit for unit in units if unit not in ledger.records]
    done = len(units) - len(missing)
    tell = progress or silent
    tell("piloting", done, len(units))
    started, before, paid_before = time.monotonic() - spent, spent, paid
    if spent < budget:
        for unit, record in crew.train(missing, lambda session: None):
            spent = time.monotonic() - started
            paid = paid_before + (spent - before) * crew.side_by_side
            entry = {"entry": "training", "recipe": unit.recipe, "record": record.to_json()}
            clock = {"spent_seconds": round(spent, 3), "paid_seconds": round(paid, 3)}
            ledger.keep({**entry, **clock})
            done += 1
            tell("piloting", done, len(units))
            if spent >= budget:
                break
    return ledger.records, spent, paid


def _overhead(records: list[Record], spent: float) -> float:
    """What a training costs beside the time of its record, on average."""
    return max(spent - sum(map(_seconds, records)), 0.0) / len(records)


def _seconds(record: Record) -> float:
    return float(record.curves["train_seconds"][-1]) + record.evaluation_seconds


def _sizes(spec: BuildSpec, cells: list[int]) -> dict[str, NDArray[np.float64]]:
    counts = [counts_of(spec, cell) for cell in cells]
    return {
        name: np.asarray([of[name] for of in counts], dtype=np.float64)
        for name in ("flops", "parameters")
    }
