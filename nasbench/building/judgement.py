"""What a pilot found, figure by figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import write_json
from nasbench.building.pilot import Sample
from nasbench.errors import NasbenchError, unknown
from nasbench.space import Space
from nasbench.stats import Estimate
from nasbench.table import Table, trained_means, trained_values

__all__ = [
    "DECIDING",
    "SCOPES",
    "Candidate",
    "PilotResult",
    "RankQuality",
    "Reference",
    "write_judgement",
]

SCOPES = {"all cells": 1.0, "better half": 0.5, "best tenth": 0.1}
"""Which share of the cells figures are over: searches end among the best."""
DECIDING = "better half"


@dataclass(frozen=True, eq=False, slots=True)
class Reference:
    """Accuracies of another table of the same space, which recipes are to rank like.

    Attributes:
        table: looked up by architecture, whatever rows it shares.
        recipe: of the table.
        metric: an accuracy of it, after the recipe's last epoch, the mean over seeds.
    """

    table: Table
    recipe: str
    metric: str = "valid_accuracy"

    def check(self, space: Space) -> None:
        """Raise NasbenchError unless the table is of this space and has the metric."""
        if self.table.space.describe() != space.describe():
            raise NasbenchError(
                f"the reference {self.table.name} is of space {self.table.space.name}, the "
                f"candidates of {space.name}: give a table of the same space"
            )
        if self.metric not in self.table.metrics[self.recipe]:
            raise unknown(f"metric of {self.recipe}", self.metric, self.table.metrics[self.recipe])
        self.table.column(self.metric, recipe=self.recipe)

    def values(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The metric of cells, `[n]`; NaN where the table has none, or predicts it."""
        return trained_means(self.table, self.metric, cells, recipe=self.recipe)

    def of_seeds(self, cells: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """The metric of cells by seed, `[n, seeds]`; None where it is kept without seeds."""
        if not self.table.has_seeds(self.metric, recipe=self.recipe):
            return None
        return trained_values(self.table, self.metric, cells, recipe=self.recipe)

    def describe(self) -> dict[str, str]:
        """Table, its hash, recipe and metric; plain JSON values."""
        return {
            "table": self.table.name,
            "sha256": self.table.sha256,
            "recipe": self.recipe,
            "metric": self.metric,
        }


@dataclass(frozen=True, slots=True)
class RankQuality:
    """How a recipe ranks some of the cells.

    Attributes:
        seeds: rank correlation between two seeds: the mean over pairs, or what follows from
            `reliability` where the same seeds chose the cells.
        reliability: of the k-seed mean's ranks: Spearman-Brown of the above, which is about the
            squared ceiling, or that itself where the same seeds chose the cells.
        ceiling: rank correlation with the k-seed mean that a perfect prediction could reach.
        reference: rank correlation of the k-seed mean with the reference; None without one.
        partial: the same given FLOPs and parameters: what the recipe adds to them.
    """

    seeds: Estimate
    reliability: Estimate
    ceiling: Estimate
    reference: Estimate | None = None
    partial: Estimate | None = None

    @property
    def quality(self) -> Estimate:
        """What decides: `partial`, or `reliability` where there is no reference."""
        return self.reliability if self.partial is None else self.partial

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        figures = {name: getattr(self, name) for name in self.__slots__}
        return {name: f.describe() for name, f in figures.items() if f is not None}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the pilot says of one recipe.

    Attributes:
        seconds: of one training with its evaluation, mean over cells.
        cpu_hours: of the whole space with every seed, processes added up, and what setting
            a training up takes.
        hours: the same as wall time with the pilot's processes side by side.
        valid_accuracy: 5, 50 and 95 % quantile over cells of the mean over seeds, in percent.
        diverged: trainings.
        scopes: by name (`SCOPES`): the reference's or, without one, the recipe's own.
    """

    seconds: Estimate
    cpu_hours: float
    hours: float
    valid_accuracy: tuple[float, float, float]
    diverged: int
    scopes: Mapping[str, RankQuality]

    @property
    def quality(self) -> Estimate:
        """What decides, within the better half."""
        return self.scopes[DECIDING].quality

    @property
    def quality_per_cpu_hour(self) -> float:
        """Rank quality for an hour of one processor."""
        return self.quality.value / self.cpu_hours

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        per_hour = self.quality_per_cpu_hour
        return {
            "seconds": self.seconds.describe(),
            "cpu_hours": self.cpu_hours,
            "hours": self.hours,
            "valid_accuracy": list(self.valid_accuracy),
            "diverged": self.diverged,
            "quality_per_cpu_hour": per_hour if math.isfinite(per_hour) else None,
            "scopes": {name: scope.describe() for name, scope in self.scopes.items()},
        }


@dataclass(frozen=True, eq=False, slots=True)
class PilotResult:
    """All that a pilot says.

    Attributes:
        sample: what it trained.
        reference: None without one.
        reference_ceiling: what the reference's own seed noise leaves to be reached.
        compared: the cells that figures are over: those that the reference has.
        candidates: by recipe.
        sizes: by scope, rank correlation of FLOPs and parameters alone with the reference.
        recommended: the recipe; None where the sample does not tell.
        reason: one sentence.
    """

    sample: Sample
    reference: Reference | None
    reference_ceiling: Estimate | None
    compared: NDArray[np.int64]
    candidates: Mapping[str, Candidate]
    sizes: Mapping[str, Mapping[str, Estimate]]
    recommended: str | None
    reason: str

    def describe(self) -> dict[str, Any]:
        """All of it with the cells and their accuracies; plain JSON values."""
        sample = self.sample
        return {
            "spec": sample.spec.describe(),
            **sample.about,
            "processes": sample.processes,
            "overhead_seconds": sample.overhead,
            "recommended": self.recommended,
            "reason": self.reason,
            "reference": self.reference.describe() if self.reference else None,
            "reference_ceiling": (
                self.reference_ceiling.describe() if self.reference_ceiling else None
            ),
            "candidates": {name: c.describe() for name, c in self.candidates.items()},
            "sizes": {
                scope: {name: e.describe() for name, e in found.items()}
                for scope, found in self.sizes.items()
            },
            "cells": sample.cells.tolist(),
            "cells_compared": self.compared.tolist(),
            "valid_accuracy": {
                name: [[v if math.isfinite(v) else None for v in row] for row in values.tolist()]
                for name, values in sample.valid_accuracy.items()
            },
        }


def write_judgement(found: PilotResult, path: Path, *, new: bool = False) -> None:
    """Write all of it as JSON, whole or not at all; `new` as for `atomic_path`."""
    write_json(path, found.describe(), indent=1, new=new)
