"""What work on shared weights costs, in the seconds of a table: the axis of all searches.

A training step along a path costs what the architecture's own training takes for as many
examples, times a measured factor; a scored example a third of a trained one. A mixture costs the
sum over all choices, which a linear model of the table's seconds knows. So a run's clock is a
function of its spec, on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.search.step import Paths, Step
from nasbench.space import Space
from nasbench.table import Table

__all__ = ["Factors", "Prices", "tells_prices"]


@dataclass(frozen=True, slots=True)
class Factors:
    """What is paid beside the table's seconds.

    Attributes:
        path: of a training step along a path. Measured: 1.3 of a plain step of the native engine
            (the weights of all paths are cleared, packed and moved).
        score: of a scored example beside one trained along the same path: forward alone, of
            three passes. The native engine takes .48.
        mixture: of a step of all choices, by PyTorch, beside the sum of what they cost in a table
            of the native engine. Measured: 8.
        along: of a step of a mixture along a path, or of one that distils, by PyTorch, beside the
            same path natively.
            Measured: 13.
        ahead: of a slope through a step ahead, beside a slope.
    """

    path: float = 1.3
    score: float = 1 / 3
    mixture: float = 8.0
    along: float = 13.0
    ahead: float = 4.3

    @classmethod
    def of(cls, engine: str) -> Factors:
        """Those beside a table that an engine trained, `native` or another.

        Measured beside plain PyTorch, of `mbv2-mini`, `mixed` and cells: a path's step 1.1 to
        1.3, a mixture along a path 1.1 (modules) to 2.8 (slices), a step ahead 3.5 to 7.9; a
        mixture's step 2.9 to 9.3 of an average network's.
        """
        if engine == "native":
            return cls()
        return cls(path=1.2, mixture=1.3, along=2.0, ahead=5.0)

    def describe(self) -> Mapping[str, float]:
        """Plain JSON values."""
        return asdict(self)


class Prices:
    """Seconds of steps by a table of the same space.

    Args:
        table: whose trainings took `train_seconds`.
        recipe: of the table.
        batch_size: examples of a training step of the shared weights.
        factors: see there.

    Raises:
        BadValue: where the table has no seconds of trainings, or does not say on how many
            examples they were.
    """

    def __init__(
        self, table: Table, recipe: str, batch_size: int, factors: Factors | None = None
    ) -> None:
        engine = str(table.manifest.get("engine", "native"))
        self.factors = factors or Factors.of(engine)
        # What distils is trained by PyTorch, also where the table's networks were not.
        self._distilled = self.factors.along if engine == "native" else 1.0
        self._space = table.space
        self._batch = batch_size
        seconds = _per_example(table, recipe)
        self._known = seconds
        self._row = table.row
        self._base, self._of_choice = _linear(self._space, table.rows, seconds)

    def of_paths(self, paths: Paths) -> NDArray[np.float64]:
        """Seconds an example of paths `[n, decisions]` in plain training, `[n]`.

        What the table has no row for is estimated by the linear model.
        """
        rows = np.asarray(self._row(self._space.index_of(paths)))
        own = np.where(rows >= 0, self._known[rows], np.nan)
        places = np.arange(paths.shape[1])
        estimated = self._base + self._of_choice[places, paths].sum(1)
        found: NDArray[np.float64] = np.where(np.isfinite(own), own, estimated)
        return found

    @property
    def of_all(self) -> float:
        """Seconds an example of a mixture of all choices, before its factor."""
        return float(self._base + self._of_choice.sum())

    def of(self, step: Step, examples: int) -> float:
        """What a step costs.

        Args:
            step: checked.
            examples: of its split, which a score of all sees.
        """
        factors = self.factors
        trains = step.rates is not None
        if step.paths is not None:
            each = self.of_paths(step.paths.reshape(-1, step.paths.shape[-1]))
            factor = factors.path
            if step.mixture is not None:
                factor *= factors.along
            elif step.distil:
                factor *= self._distilled
        else:
            each = np.asarray([self.of_all])
            factor = factors.mixture
        if step.mixture is not None and step.rates is not None:
            each = np.repeat(each, len(step.rates))
        if trains or step.gradient:
            batch = min(step.images, examples) or self._batch
            seen = batch * (factors.ahead if step.unrolled else 1.0)
        else:
            seen = (min(step.images, examples) or examples) * factors.score
        return float(each.sum() * factor * seen)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"kind": "table", **self.factors.describe()}


def tells_prices(table: Table, recipe: str) -> bool:
    """Whether a table says what training by a recipe takes, and on how many examples that was."""
    return "train_seconds" in table.metrics.get(recipe, ()) and _examples(table, recipe) > 0


def _examples(table: Table, recipe: str) -> int:
    """How many examples the trainings of a table had; 0 where it does not say."""
    trained = table.manifest["recipes"][recipe].get("trained", {})
    splits = table.manifest.get("task", {}).get("splits", {})
    return int(trained.get("train_images") or splits.get("train") or 0)


def _per_example(table: Table, recipe: str) -> NDArray[np.float64]:
    """Seconds of plain training an example, `[rows]`, the mean over seeds; NaN where unknown."""
    if not tells_prices(table, recipe):
        raise BadValue(
            f"{table.name} does not say what training by {recipe} takes: name a table that does"
        )
    seconds = table.column("train_seconds", recipe=recipe)
    found: NDArray[np.float64] = np.asarray(seconds, dtype=np.float64)
    epochs = int(table.manifest["recipes"][recipe]["epochs"])
    return found / (epochs * _examples(table, recipe))


def _linear(
    space: Space, rows: NDArray[Any], seconds: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Seconds as a sum: of the cheapest choices, and what each of the others adds.

    Returns:
        The base, and `[decisions, most choices]`, 0 for the cheapest choice of each decision.
    """
    known = np.isfinite(seconds)
    ops = space.ops(rows[known])
    columns = [ops == choice for choice in range(max(space.choices))]
    design = np.stack(columns, -1).reshape(len(ops), -1).astype(np.float64)
    ones = np.ones((len(ops), 1))
    fitted, *_ = np.linalg.lstsq(np.hstack([ones, design]), seconds[known], rcond=None)
    weights: NDArray[np.float64] = np.asarray(fitted[1:]).reshape(len(space.choices), -1)
    for decision, choices in enumerate(space.choices):
        weights[decision, choices:] = 0
        least = weights[decision, :choices].min()
        weights[decision, :choices] -= least
        fitted[0] += least
    return float(max(fitted[0], 0.0)), weights
