"""Which decisions matter: what each choice gains on average, and what each decision explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue
from nasbench.table import Table

__all__ = ["Choice", "Decision", "decision_effects"]

Floats = NDArray[np.float64]

RESAMPLES = 1_000
MOST_DRAWN = 20_000_000
"""Rows that are drawn in all resamples together; of large tables there are fewer resamples."""
FEWEST = 200
"""Resamples."""
TOGETHER = 50
"""Resamples that are in memory at once."""
LEAST_ROWS = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """What a choice gains on average over those of its decision.

    Attributes:
        name: the choice as text.
        rows: how many take it where the decision counts. A row that stands for architectures
            which chose differently is in each choice with their share.
        mean: of the metric over them; NaN of none.
        effect: that mean less the mean of all for which the decision counts.
        low, high: the bootstrap 95 % interval of the effect over rows.
    """

    name: str
    rows: float
    mean: float
    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision explains by itself.

    Attributes:
        name: of the decision.
        share: of the metric's variance that the means of its choices explain, from 0 to 1,
            corrected for the number of choices (epsilon squared: Kelley, PNAS 1935); not to
            count is a choice here.
        low, high: the basic bootstrap 95 % interval of the share over rows.
        choices: in the space's order.
    """

    name: str
    share: float
    low: float
    high: float
    choices: tuple[Choice, ...]


def decision_effects(table: Table, values: ArrayLike, seed: int = 0) -> list[Decision]:
    """The marginal effects of every decision with more than one choice, the largest share first.

    They are means over rows, each a network that counts once, and no causes: in a sample that was
    not drawn at random, decisions may go together. What decisions do only together is in no
    share. Intervals resample rows.

    Args:
        table: of the rows.
        values: of each row, `[rows]`; NaN is left out.
        seed: of the resamples.

    Raises:
        BadValue: where fewer than 3 rows have a value, or all have the same.

    Example:
        >>> import nasbench as nb
        >>> table = nb.load("nb201-fashion16")
        >>> first = decision_effects(table, table.column("flops"))[0]
        >>> max(first.choices, key=lambda choice: choice.effect).name
        'nor_conv_3x3'
    """
    of = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(of))
    if len(known) < LEAST_ROWS or np.ptp(of[known]) == 0:
        raise BadValue(
            f"which decisions matter is told by {LEAST_ROWS} rows or more whose values differ"
        )
    levels = _Levels(table, known)
    y = of[known] - of[known].mean()  # shifted: squares of large numbers lose digits
    sums = _Sums.of(levels, y, np.ones((1, len(known))))
    whole = _shares(levels, sums)[0], _effects(levels, sums)[0]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    n = int(np.clip(MOST_DRAWN // len(known), FEWEST, RESAMPLES))
    shares, effects = [], []
    for start in range(0, n, TOGETHER):
        drawn = [
            np.bincount(rng.integers(len(known), size=len(known)), minlength=len(known))
            for _ in range(min(TOGETHER, n - start))
        ]
        sums_of = _Sums.of(levels, y, np.asarray(drawn, dtype=np.float64))
        shares.append(_shares(levels, sums_of))
        effects.append(_effects(levels, sums_of))
    ends = _quantiles(np.concatenate(effects))
    # Resamples explain more than there is: what they add is taken off on both sides.
    far, near = 2 * whole[0] - _quantiles(np.concatenate(shares))
    mean = sums.taken_value[0] / np.where(sums.taken[0] > 0, sums.taken[0], 1) + of[known].mean()
    found = []
    for number, name in enumerate(levels.names):
        columns = levels.columns[number]
        choices = tuple(
            Choice(
                choice,
                round(float(sums.taken[0, column]), 6),
                float(mean[column]) if sums.taken[0, column] else float("nan"),
                float(whole[1][column]),
                float(ends[0][column]),
                float(ends[1][column]),
            )
            for choice, column in zip(table.space.decisions[name], columns, strict=False)
        )
        share, low, high = (float(np.clip(v[number], 0, 1)) for v in (whole[0], near, far))
        found.append(Decision(name, share, low, high, choices))
    return sorted(found, key=lambda decision: -decision.share)


class _Levels:
    """What share of each row's architectures takes each choice: float64 `[rows, columns]`.

    Attributes:
        names: of the decisions with more than one choice.
        columns: of each, its choices' columns, and last the one of those where it does not count.
        taken: the shares.
    """

    def __init__(self, table: Table, known: NDArray[np.intp]) -> None:
        space = table.space
        place = np.full(len(table.rows), -1)
        place[known] = np.arange(len(known))
        architectures = table.architectures
        rows = place[table.row(architectures)]
        architectures, rows = architectures[rows >= 0], rows[rows >= 0]
        ops = space.normal(space.ops(architectures))
        counts = space.active(ops)
        free = [d for d, n in enumerate(space.choices) if n > 1]
        decisions = list(space.decisions)
        self.names = [decisions[d] for d in free]
        self.columns: list[NDArray[np.intp]] = []
        blocks = []
        for d in free:
            width = space.choices[d] + 1
            level = np.where(counts[:, d], ops[:, d], space.choices[d]).astype(np.int64)
            flat = np.bincount(rows * width + level, minlength=len(known) * width)
            blocks.append(flat.reshape(len(known), width).astype(np.float64))
            start = sum(map(len, self.columns))
            self.columns.append(np.arange(start, start + width))
        members = np.bincount(rows, minlength=len(known))[:, None]
        self.taken = np.concatenate([*blocks, np.zeros((len(known), 0))], axis=1) / members


@dataclass(frozen=True, eq=False, slots=True)
class _Sums:
    """Over resampled rows: of each choice `[resamples, columns]`, and of all `[resamples]`."""

    taken: Floats
    taken_value: Floats
    all: Floats
    value: Floats
    square: Floats
    rows: int

    @classmethod
    def of(cls, levels: _Levels, y: Floats, weights: Floats) -> _Sums:
        """By how often each row was drawn, `[resamples, rows]`."""
        return cls(
            weights @ levels.taken,
            (weights * y) @ levels.taken,
            weights.sum(1),
            weights @ y,
            weights @ y**2,
            len(y),
        )


def _shares(levels: _Levels, sums: _Sums) -> Floats:
    """Epsilon squared of each decision, `[resamples, decisions]`; below 0 by chance."""
    centre = sums.value**2 / sums.all
    total = np.maximum(sums.square - centre, np.finfo(np.float64).tiny)
    found = np.empty((len(sums.all), len(levels.names)))
    squares = sums.taken_value**2 / np.where(sums.taken > 0, sums.taken, 1)
    for number, columns in enumerate(levels.columns):
        explained = (squares[:, columns].sum(1) - centre) / total
        groups = (sums.taken[:, columns] > 0).sum(1)
        freedom = np.maximum(sums.rows - groups, 1)
        found[:, number] = 1 - (1 - explained) * (sums.rows - 1) / freedom
    return found


def _effects(levels: _Levels, sums: _Sums) -> Floats:
    """Each choice's mean less that of all for which the decision counts, `[resamples, columns]`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.taken_value / sums.taken
        for columns in levels.columns:
            own = columns[:-1]
            middle = sums.taken_value[:, own].sum(1) / sums.taken[:, own].sum(1)
            means[:, columns] -= middle[:, None]
    return np.asarray(means)


def _quantiles(resampled: Floats) -> Floats:
    """The ends of the middle 95 %, `[2, ...]`; NaN where most resamples have no value."""
    known = np.isfinite(resampled)
    filled = np.where(known, resampled, np.nan)
    enough = known.mean(0) > 0.5
    ends = np.full((2, resampled.shape[1]), np.nan)
    ends[:, enough] = np.nanquantile(filled[:, enough], (0.025, 0.975), axis=0)
    return ends
