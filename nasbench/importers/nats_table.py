"""From the records of NAS-Bench-201 and NATS-Bench to the contents of a table.

What a table keeps of them:

- accuracies as float64, equal to the last digit; losses and seconds as float32, whose seven
  digits are as many as these have: the release computed losses in float32, and clocked;
- `train_seconds` and `evaluation_seconds`: running sums of the recorded seconds of each epoch;
- `parameters` and `flops` as counts: the release has millions, which are multiplied and rounded;
- `latency_ms`: of a batch of 256 images, the mean over the seeds of the longest training.

A metric that no training has beyond its last epoch is kept for that epoch only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, unknown
from nasbench.importers.contract import Contents
from nasbench.importers.nats_columns import CurveStore
from nasbench.importers.nats_records import RUNS, NatsRun, Training, read_trainings
from nasbench.space import Space, get
from nasbench.table.format import Dataset
from nasbench.table.scratch import Scratch

__all__ = ["Collector"]

_MOST_SEEDS = 8
_LONGEST = 200  # of an architecture's string
_DEVICE = "nats-gpu"
_UNITS: Mapping[str, tuple[str, type[np.floating]]] = {
    "accuracy": ("percent", np.float64),
    "loss": ("nats", np.float32),
    "seconds": ("seconds, cumulative", np.float32),
}
_COUNTED = "the release has millions: multiplied and rounded to a count"


class Collector:
    """Takes records one by one and makes a table of them.

    Args:
        dataset: whose trainings to take: cifar10, cifar100 or ImageNet16-120.
        epochs: of the trainings under each key of a record.
        scratch: where arrays go.

    Raises:
        NasbenchError: for an unknown data set.
    """

    def __init__(self, dataset: str, epochs: Mapping[str, int], scratch: Scratch) -> None:
        if dataset not in RUNS:
            raise unknown("data set", dataset, RUNS)
        self._dataset = dataset
        self._epochs = epochs
        self._scratch = scratch
        self._space: Space | None = None
        self._rows: dict[int, int] = {}  # architecture to the order in which it came
        self._recipes: dict[str, _NatsRecipe] = {}
        self._costs: list[tuple[float, float, float]] = []  # parameters, flops, latency_ms

    @property
    def most(self) -> int:
        """How many architectures there can be; 0 before the first one tells of which space."""
        return self._space.size if self._space else 0

    def add(self, number: object, record: object) -> None:
        """One architecture's record.

        Args:
            number: under which the source has it.
            record: what was trained, by number of epochs as the source writes that.

        Raises:
            NasbenchError: where the record is not as it should be, is not of the space of the
                first one, or is of an architecture with another number.
        """
        where = f"architecture {number}" if type(number) is int else "an architecture"
        if type(number) is not int or type(record) is not dict or not record:
            raise NasbenchError(f"{where}: expected its number and a dict of its trainings")
        if number in self._rows:
            raise NasbenchError(f"{where}: the source has it twice")
        for key, state in record.items():
            if key not in self._epochs:
                known = " or ".join(self._epochs)
                raise NasbenchError(f"{where}: expected trainings under {known}, not {key!a:.20}")
            self._check(number, state, where)
        row = self._rows[number] = len(self._rows)
        longest: list[Training] = []
        for key in sorted(record, key=lambda key: self._epochs[key]):
            epochs = self._epochs[key]
            for run in RUNS[self._dataset]:
                trainings = read_trainings(record[key], run, epochs, f"{where}, {epochs} epochs")
                if trainings:
                    name = f"{epochs}ep{run.suffix}"
                    recipe = self._recipes.setdefault(name, _NatsRecipe(epochs, run, self._scratch))
                    recipe.add(row, trainings)
                    longest = trainings
        latencies = [t.latency for t in longest if t.latency > 0]
        self._costs.append(
            (
                _count([t.parameters for t in longest], longest),
                _count([t.flops for t in longest], longest),
                1e3 * sum(latencies) / len(latencies) if latencies else np.nan,
            )
        )

    def _check(self, number: int, state: object, where: str) -> None:
        """Raise NasbenchError unless the record is of the architecture of that number."""
        string = state.get("arch_str") if type(state) is dict else None
        if type(string) is not str or len(string) > _LONGEST:
            raise NasbenchError(f"{where}: there is no 'arch_str' that is an architecture's string")
        if self._space is None:
            self._space = get("nb201" if string.startswith("|") else "nats-size")
        architecture = self._space.index(string)
        if architecture != number:
            raise NasbenchError(f"{where}: {string} is architecture {architecture}")

    def contents(self, release: str, citation: str) -> Contents:
        """The table of what was added, architectures ascending.

        Args:
            release: its name, with which the table's begins.
            citation: of the release.

        Raises:
            NasbenchError: where there was no training on the data set.
        """
        if self._space is None or not self._recipes:
            raise NasbenchError(f"the source has no training on {self._dataset}")
        came = np.fromiter(self._rows, dtype=np.int64, count=len(self._rows))
        order = np.argsort(came)
        rows = came[order]
        datasets: dict[str, Dataset] = {}
        missing: list[dict[str, Any]] = []
        recipes = dict(sorted(self._recipes.items(), key=lambda item: item[1].epochs))
        for name, recipe in recipes.items():
            for metric, dataset in recipe.datasets(order):
                datasets[f"recipe/{name}/{metric}"] = dataset
            missing += recipe.missing(f"recipe/{name}", order, rows, datasets)
        costs = np.asarray(self._costs, dtype=np.float64)[order].T
        for key, values, about in (
            ("network/parameters", costs[0], {"kind": "imported", "note": _COUNTED}),
            ("network/flops", costs[1], {"kind": "imported", "note": _COUNTED}),
            (f"device/{_DEVICE}/latency_ms", costs[2], {"kind": "imported"}),
        ):
            if not np.isnan(values).all():
                datasets[key] = Dataset(np.ascontiguousarray(values), about)
                missing += _missing(key, "the release has no value", rows[np.isnan(values)])
        devices = {}
        if f"device/{_DEVICE}/latency_ms" in datasets:
            devices[_DEVICE] = {"hardware": "a GPU of the release's authors", "batch_size": 256}
        return Contents(
            name=f"{release}-{self._space.name}-{self._dataset}",
            space=self._space,
            rows=rows,
            recipes={name: recipe.describe() for name, recipe in recipes.items()},
            datasets=datasets,
            devices=devices,
            missing=missing,
            task={"name": self._dataset},
            licence="MIT",
            citation=citation,
        )


class _NatsRecipe:
    """All trainings of one run and number of epochs."""

    def __init__(self, epochs: int, run: NatsRun, scratch: Scratch) -> None:
        self.epochs = epochs
        self._run = run
        self._scratch = scratch
        self._curves: dict[str, CurveStore] = {}
        self._seeds: dict[int, tuple[int, ...]] = {}  # by row
        self._all_seeds: set[int] = set()
        self._steady = True

    def add(self, row: int, trainings: Sequence[Training]) -> None:
        """The trainings of one architecture, one or more."""
        self._seeds[row] = tuple(training.seed for training in trainings)
        self._all_seeds.update(self._seeds[row])
        if len(self._all_seeds) > _MOST_SEEDS:
            raise NasbenchError(f"the source has more than {_MOST_SEEDS} different seeds")
        for training in trainings:
            self._steady &= training.steady
            for metric, curve in training.curves.items():
                if metric not in self._curves:
                    _, dtype = _UNITS[metric.rpartition("_")[2]]
                    self._curves[metric] = CurveStore(self.epochs, dtype, self._scratch)
                self._curves[metric].put(row, training.seed, curve)

    def describe(self) -> dict[str, Any]:
        """The recipe's entry in a manifest."""
        return {
            "epochs": self.epochs,
            "seeds": sorted(self._all_seeds),
            "trained": {
                "run": self._run.key,
                "on": self._run.on,
                **{split: f"{key}: {what}" for key, (split, what) in self._run.splits.items()},
                "schedule": "the learning rate falls from 0.1 to 0 over this recipe's epochs",
            },
        }

    def datasets(self, order: NDArray[np.intp]) -> list[tuple[str, Dataset]]:
        """Each metric, `[rows, seeds, epochs]`."""
        made = []
        for metric, curves in sorted(self._curves.items()):
            unit, _ = _UNITS[metric.rpartition("_")[2]]
            about: dict[str, Any] = {"kind": "imported", "unit": unit}
            if metric.endswith("_seconds"):
                about |= {"kind": "derived", "note": self._seconds_note(metric)}
            first = 1 if curves.every_epoch else self.epochs
            about["epochs"] = list(range(first, self.epochs + 1))
            made.append((metric, Dataset(curves.assemble(order, sorted(self._all_seeds)), about)))
        return made

    def _seconds_note(self, metric: str) -> str:
        if metric == "evaluation_seconds":
            return "the sum of the recorded seconds of evaluating valid after each epoch"
        mean = ", a mean that is the same for every epoch" if self._steady else ""
        return f"the running sum of the recorded seconds of each epoch{mean}"

    def missing(
        self,
        scope: str,
        order: NDArray[np.intp],
        rows: NDArray[np.int64],
        datasets: Mapping[str, Dataset],
    ) -> list[dict[str, Any]]:
        """Why values are missing: seeds that were not trained, values that are not recorded."""
        trained = np.asarray(
            [
                [seed in self._seeds.get(row, ()) for seed in sorted(self._all_seeds)]
                for row in order.tolist()
            ]
        )
        entries = []
        for seed, column in zip(sorted(self._all_seeds), trained.T, strict=True):
            reason = f"the release has no training with seed {seed}"
            entries += _missing(scope, reason, rows[~column & trained.any(axis=1)])
        reason = "the release has no training of it by this recipe"
        entries += _missing(scope, reason, rows[~trained.any(axis=1)])
        for metric in sorted(self._curves):
            unrecorded = np.zeros(len(rows), dtype=np.bool_)
            values = datasets[f"{scope}/{metric}"].values
            for start in range(0, len(rows), 1024):  # it may be larger than memory
                stop = start + 1024
                absent = np.isnan(values[start:stop]).any(axis=2) & trained[start:stop]
                unrecorded[start:stop] = absent.any(axis=1)
            reason = "the release's record of the training has no finite number here"
            entries += _missing(f"{scope}/{metric}", reason, rows[unrecorded])
        return entries


def _missing(scope: str, reason: str, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The entry of a manifest about these rows, if there are any."""
    if not len(rows):
        return []
    return [{"scope": scope, "reason": reason, "architectures": rows.tolist()}]


def _count(millions: Sequence[float], trainings: Sequence[Training]) -> float:
    """What the trainings of a network say that it has, as a count; NaN where they do not.

    Some records of the release disagree by an old fault; then seed 888 is right, says its API.
    """
    if len({f"{value:.5f}" for value in millions}) > 1:
        millions = [m for m, t in zip(millions, trainings, strict=True) if t.seed == 888]
    mean = sum(millions) / len(millions) if millions else np.nan
    return float(np.rint(1e6 * mean))
