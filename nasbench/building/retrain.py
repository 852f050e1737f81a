"""Training some of a table's rows again, and saying whether they agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress, silent
from nasbench.building.executor import Unit, processes_of, train_units
from nasbench.building.origin import built, engine_of, spec_of
from nasbench.errors import NasbenchError
from nasbench.space import Space
from nasbench.stats import Estimate, bootstrap_estimate
from nasbench.table import Table, trained_values
from nasbench.table.format import PREDICTED
from nasbench.table.metrics import primary
from nasbench.task import Task
from nasbench.train.recipe import Recipe
from nasbench.train.record import Record

__all__ = ["Again", "Reproduction", "compare_record", "retrain"]

DRAWS = 10_000
DOUBT = 0.001
"""So rarely are trainings told to disagree that differ as two seeds do."""


@dataclass(frozen=True, slots=True)
class Again:
    """One training of a table and its repetition.

    Attributes:
        recipe: of both.
        architecture: of both.
        seed: of both.
        stored: valid accuracy after the last epoch in the table, in percent.
        retrained: the same now; NaN, as above, where the training diverged.
        identical: whether all curves but the seconds are the same, bit for bit.
    """

    recipe: str
    architecture: int
    seed: int
    stored: float
    retrained: float
    identical: bool

    @property
    def difference(self) -> float:
        """Points of valid accuracy, now less then; NaN where one of the two diverged."""
        if math.isnan(self.stored) and math.isnan(self.retrained):
            return 0.0
        return self.retrained - self.stored


@dataclass(frozen=True, eq=False, slots=True)
class Reproduction:
    """What training again showed.

    Attributes:
        rows: what was trained again.
        trainings: that the table holds.
        engine: that trained now.
        built_with: the engine that trained the table.
        difference: mean of now less then, in points of valid accuracy.
        apart: how far apart the rows are, the mean of the differences' sizes.
        seeds_apart: how far apart two seeds of a row are in the table; NaN with one seed.
        agrees: whether the rows are identical, or differ no more than two seeds do.
        verdict: one sentence.
    """

    rows: tuple[Again, ...]
    trainings: int
    engine: str
    built_with: str
    difference: Estimate
    apart: float
    seeds_apart: float
    agrees: bool
    verdict: str

    def describe(self) -> dict[str, Any]:
        """By name, NaN as None: plain JSON values."""
        return {
            "trainings": self.trainings,
            "engine": self.engine,
            "built_with": self.built_with,
            "identical": self.identical,
            "difference": self.difference.describe(),
            "apart": _plain(self.apart),
            "seeds_apart": _plain(self.seeds_apart),
            "agrees": self.agrees,
            "verdict": self.verdict,
            "rows": [
                {name: _plain(value) for name, value in asdict(again).items()}
                for again in self.rows
            ],
        }

    @property
    def identical(self) -> int:
        """How many rows are the same, bit for bit."""
        return sum(again.identical for again in self.rows)


def retrain(
    table: Table,
    n: int,
    *,
    seed: int = 0,
    task: Task | None = None,
    space: Space | None = None,
    recipes: Mapping[str, Recipe] | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Train random rows of a built table again as its manifest says, and compare.

    Rows agree where they are identical; or where they are no further apart than as many pairs
    of seeds of the table's rows in 999 of 1,000 draws, and their mean difference is no further
    from zero than with random signs in as many (Fisher's randomisation test, 1935).

    Args:
        table: that `build` made.
        n: trainings, all there are at most.
        seed: of the choice.
        task: that it was trained on, where that is not a shipped one.
        space: of the file that builds its networks, where that is the user's.
        recipes: of the build recipe, by name, where one has a training loop of its own.
        processes: how many trainings run side by side; a core each by default.
        progress: called as trainings end.

    Raises:
        NasbenchError: where the table was imported or completed by predictions, or the task is
            not here or not the same.
    """
    if any(name.startswith(PREDICTED) for name in table.manifest["datasets"]):
        raise NasbenchError(
            f"{table.name} holds predicted values, which no training gave: verify a table of what "
            f"was trained"
        )
    spec = spec_of(table, task, space, recipes)
    engine, hardware = engine_of(table, spec)
    members = _members(table)
    every = [
        Unit(name, int(members[row]), table.seeds[name][column])
        for name in table.recipes
        # Whoever diverged has its seconds all the same; who was not trained has none.
        for row, column in np.argwhere(np.isfinite(_trained(table, "train_seconds", name)))
    ]
    chosen = np.random.default_rng(seed).choice(len(every), min(n, len(every)), replace=False)
    units = [every[i] for i in np.sort(chosen)]
    tell = progress or silent
    found: dict[Unit, Record] = {}
    processes = processes_of(spec, processes, hardware)
    for unit, record in train_units(spec, units, processes, engine, hardware):
        found[unit] = record
        tell("training again", len(found), len(units))
    rows = tuple(compare_record(table, unit, found[unit]) for unit in units)
    return _judge(table, rows, len(every), engine)


def _members(table: Table) -> NDArray[Any]:
    """The networks that can have a row: all of a space, or those that have one."""
    return table.space.representatives if table.space.listable else table.rows


def _trained(table: Table, metric: str, recipe: str) -> NDArray[np.float64]:
    """A metric of the networks that stand for their class, `[representatives, seeds]`."""
    return trained_values(table, metric, _members(table), recipe=recipe)


def compare_record(table: Table, unit: Unit, record: Record) -> Again:
    """A training of a table beside what was trained now."""
    row = table.row(unit.architecture)
    column = table.seeds[unit.recipe].index(unit.seed)

    def stored(metric: str) -> NDArray[Any]:
        values: NDArray[Any] = table.curves(metric, recipe=unit.recipe)[row, column]
        return values

    now: dict[str, NDArray[Any]] = {
        name: curve for name, curve in record.curves.items() if name != "train_seconds"
    }
    now |= {name: np.asarray([of], dtype=np.float32) for name, of in record.tests.items()}
    metric = primary(record.curves) or next(iter(now))
    return Again(
        *unit,
        stored=float(stored(metric)[-1]),
        retrained=float(record.curves[metric][-1]),
        identical=all(np.array_equal(stored(m), now[m], equal_nan=True) for m in now),
    )


def _judge(table: Table, rows: tuple[Again, ...], trainings: int, engine: str) -> Reproduction:
    built_with = str(built(table).get("engine"))
    differences = np.asarray([again.difference for again in rows])
    known = differences[np.isfinite(differences)]
    difference = bootstrap_estimate(lambda v: v.mean(-1), known)
    apart = float(np.abs(known).mean()) if len(known) else math.nan
    null = _seed_differences(table, rows)
    seeds_apart = float(np.abs(null).mean()) if null.size else math.nan
    agrees, verdict = True, "the rows agree: they are the same, bit for bit"
    identical = sum(again.identical for again in rows)
    broken = len(differences) - len(known)
    if broken:
        agrees = False
        verdict = f"the rows do not agree: {broken} diverged in one training and not in the other"
    elif identical < len(rows):
        agrees, verdict = _within_noise(known, null)
    return Reproduction(
        rows=rows,
        trainings=trainings,
        engine=engine,
        built_with=built_with,
        difference=difference,
        apart=apart,
        seeds_apart=seeds_apart,
        agrees=agrees,
        verdict=verdict,
    )


def _seed_differences(table: Table, rows: Sequence[Again]) -> NDArray[np.float64]:
    """By how much pairs of seeds differ in draws of as many rows: `[draws, rows]` or empty."""
    rng = np.random.default_rng(0)
    parts = []
    for name, of in Counter(again.recipe for again in rows).items():
        last = _trained(table, str(table.primary(name)), name)
        whole = last[np.isfinite(last).all(1)]
        if not len(whole) or whole.shape[1] < 2:
            return np.empty((0, len(rows)))
        drawn = rng.integers(len(whole), size=(DRAWS, of))
        first = rng.integers(whole.shape[1], size=(DRAWS, of))
        other = (first + rng.integers(1, whole.shape[1], size=(DRAWS, of))) % whole.shape[1]
        parts.append(whole[drawn, first] - whole[drawn, other])
    return np.concatenate(parts, axis=1)


def _within_noise(differences: NDArray[np.float64], null: NDArray[np.float64]) -> tuple[bool, str]:
    """Whether differences are within what seeds differ by, and the sentence that says so."""
    if not null.size:
        return (
            False,
            "the rows differ, and a table of one seed does not tell whether by more than seeds do",
        )
    apart = float(np.abs(differences).mean())
    most = float(np.quantile(np.abs(null).mean(1), 1 - DOUBT))
    if apart > most:
        return False, (
            f"the rows do not agree: they are {apart:.2f} points apart on average, two seeds are "
            f"less than {most:.2f} in 999 of 1,000 draws"
        )
    # Were neither training better, each difference could as well have the other sign.
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(DRAWS, len(differences)))
    off = float(differences.mean())
    if (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).mean() < DOUBT:
        return False, (
            f"the rows do not agree: they are off by {off:.2f} points on average, more than "
            f"chance makes them in 999 of 1,000 draws"
        )
    return True, (
        f"the rows agree within seed noise: they are {apart:.2f} points apart on average, where "
        f"two seeds can be {most:.2f}, and off by {off:.2f}, which can be chance"
    )


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
