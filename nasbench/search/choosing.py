"""Choosing one architecture of a table: `nb.choose`, and `nasbench choose`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._result import Result
from nasbench._words import rounded
from nasbench.errors import BadValue
from nasbench.search.candidates import Candidates
from nasbench.search.goal import Limit
from nasbench.stats import choose, gains, knee, non_dominated
from nasbench.table import Table, load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ChosenArchitecture", "choose_from"]

Floats = NDArray[np.float64]
Limits = Mapping[str, tuple[float | None, float | None]] | Iterable[Limit]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class ChosenArchitecture(Result):
    """What was chosen, beside what it is compared with.

    Attributes:
        architecture: the pick.
        reference: what its gains are shares of; by `within` the best one.
        values: by metric, what the pick is worth and costs; those weighed first.
        reference_values: likewise of the reference.
        gains: by metric that is weighed, how much better than the reference, as a share of it.
        score: the weighted mean of the gains; NaN by `within`.
        listed: rows of the table that have all the metrics.
        kept: rows among them that keep the limits.
        missing: rows that lack a metric, and so are not looked at.
        front: architectures among those kept that no other beats in everything.
        topsis: what TOPSIS picks from the front; None by `within`.
        knee: where the front bends most.
        over_seeds: by architecture, how often it is picked where one seed stands for each; empty
            where no metric has seeds.
        over_weights: likewise where weights are drawn around those given; empty by `within`.
        among: what was chosen from.
        asked: the arguments of `choose_from` that were given, by name.
    """

    architecture: int
    reference: int
    values: Mapping[str, float]
    reference_values: Mapping[str, float]
    gains: Mapping[str, float]
    score: float
    listed: int
    kept: int
    missing: int
    front: tuple[int, ...]
    topsis: int | None
    knee: int
    over_seeds: Mapping[int, float]
    over_weights: Mapping[int, float]
    among: Candidates
    asked: Mapping[str, Any]

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name} {rounded(value, 6)} (reference {rounded(self.reference_values[name], 6)})"
            for name, value in self.values.items()
        )
        of = f"{self.architecture} of {self.among.table.name}"
        return f"<ChosenArchitecture {of}: {values}; {self.kept:,} rows keep the limits>"

    def frame(self) -> pd.DataFrame:
        """A row each for the pick, the reference and the second opinions, with their metrics."""
        import pandas as pd

        roles = {"pick": self.architecture, "reference": self.reference}
        if self.topsis is not None:
            roles["topsis"] = self.topsis
        roles["knee"] = self.knee
        space, among = self.among.table.space, self.among
        rows = [
            {"role": role, "architecture": one, "string": space.string(one)}
            | among.values(among.place(one))
            for role, one in roles.items()
        ]
        return pd.DataFrame(rows)

    def describe(self) -> dict[str, Any]:
        """Everything by name but what was chosen from, and how; plain JSON values."""
        hidden = ("among", "asked")
        found = {name: getattr(self, name) for name in self.__slots__ if name not in hidden}
        for name in ("over_seeds", "over_weights"):
            found[name] = {str(one): share for one, share in found[name].items()}
        return {**found, "front": list(self.front), "score": _number(self.score)}


def choose_from(
    table: Table | str | Path,
    *,
    limits: Limits = (),
    weights: Mapping[str, float] | None = None,
    reference: int | str | None = None,
    within: float | None = None,
    least: str | None = None,
    metric: str | None = None,
    recipe: str | None = None,
    seed: int = 0,
) -> ChosenArchitecture:
    """Choose an architecture: limits first, then the front, then a weighted sum of gains.

    A gain is a share of what the reference has: with weights 10 for accuracy and 1 for latency,
    a tenth of the reference's latency is worth a hundredth of its accuracy. Nothing depends on
    which others the table lists. In place of weights, `within` and `least` ask for the cheapest
    within so many points of the best.

    Args:
        table: a name or path will do.
        limits: by metric, at least and at most (None for no bound), or `Limit`s.
        weights: by metric, above 0. Metrics are called as searches call them, and also
            `<recipe>/<metric>`; those of the test split are refused: the choice would have seen
            it.
        reference: an architecture of the table, as number or text; needed with weights.
        within: points of `metric` that the cheapest may be behind the best that keeps limits.
        least: the cost of which least is asked for, with `within`.
        metric: of `within`; what `Table.primary` says where left out.
        recipe: of the metrics that are of a recipe, where the table has several.
        seed: of the draws that say how often the pick is the same.

    Raises:
        NasbenchError: for unknown metrics, limits that nothing keeps, and what contradicts.

    Example:
        >>> import nasbench as nb
        >>> found = nb.choose("nb201-fashion16", within=1, least="parameters")
        >>> found.values["parameters"] < found.reference_values["parameters"]
        True
    """
    opened = load(table)
    bounds = _limits(limits)
    given = {"limits": bounds, "weights": weights, "reference": reference, "within": within}
    given |= {"least": least, "metric": metric, "recipe": recipe, "seed": seed or None}
    asked = {name: value for name, value in given.items() if value is not None and value != ()}
    if within is not None or least is not None:
        if weights or reference is not None:
            raise BadValue("the cheapest within some points needs no weights and no reference")
        if within is None or least is None:
            raise BadValue("the cheapest within some points takes both: within and least")
        if not 0 <= within < np.inf:
            raise BadValue(f"the cheapest is within 0 points or more of the best, got {within}")
        first = metric if metric is not None else opened.primary(recipe)
        if first is None:
            raise BadValue(f"{opened.name} says not what is best: name a metric")
        weighed = {first: 1.0, least: 1.0}
        if len(weighed) < 2:
            raise BadValue(f"{first} is what is best: name another cost of which least is wanted")
    elif not weights:
        raise BadValue("name weights and a reference, or within and least")
    elif reference is None:
        raise BadValue("gains are shares of a reference: name an architecture of the table")
    elif metric is not None:
        raise BadValue("a metric is named for within; others are weighed")
    else:
        weighed = dict(weights)
    among = Candidates(opened, tuple(weighed), bounds, recipe)
    rng = np.random.default_rng(seed)
    if within is not None:
        return _cheapest(among, within, rng, asked)
    return _weighed(among, np.asarray([*weighed.values()], dtype=np.float64), rng, asked)


def _weighed(
    among: Candidates, weights: Floats, rng: np.random.Generator, asked: Mapping[str, Any]
) -> ChosenArchitecture:
    base = among.place(asked["reference"])
    kept = np.flatnonzero(among.kept)
    found = choose(among.means[kept], among.maximize, weights, among.means[base], rng=rng)

    def pick(values: Floats, keeps: NDArray[np.bool_]) -> int:
        scores = gains(values, among.maximize, among.means[base]) @ weights
        return int(np.argmax(np.where(keeps, scores, -np.inf)))

    return _chosen(
        among,
        (int(kept[found.pick]), base),
        score=found.score,
        front=_named(among, kept[found.front]),
        topsis=among.architecture(int(kept[found.topsis])),
        knee=among.architecture(int(kept[found.knee])),
        over_seeds=among.over_seeds(pick, rng),
        over_weights=among.named({int(kept[p]): s for p, s in found.over_weights.items()}),
        asked=asked,
    )


def _cheapest(
    among: Candidates, within: float, rng: np.random.Generator, asked: Mapping[str, Any]
) -> ChosenArchitecture:
    signed = np.where(among.maximize, 1.0, -1.0)

    def pick(values: Floats, keeps: NDArray[np.bool_]) -> int:
        merit, thrift = np.where(keeps, values[:, 0] * signed[0], -np.inf), values[:, 1] * signed[1]
        near = np.flatnonzero(merit >= merit.max() - within)
        return int(near[np.lexsort((-merit[near], -thrift[near]))[0]])

    kept = np.flatnonzero(among.kept)
    best = int(kept[np.argmax(among.means[kept, 0] * signed[0])])
    front = kept[non_dominated(among.means[kept] * signed)]
    return _chosen(
        among,
        (pick(among.means, among.kept), best),
        score=float("nan"),
        front=_named(among, front),
        topsis=None,
        knee=among.architecture(int(front[knee(among.means[front] * signed)])),
        over_seeds=among.over_seeds(pick, rng),
        over_weights={},
        asked=asked,
    )


def _chosen(among: Candidates, places: tuple[int, int], **said: Any) -> ChosenArchitecture:
    """The pick beside the reference, at these places, and what else is said of it."""
    pick, base = places
    values, base_values = among.values(pick), among.values(base)
    signs = np.where(among.maximize, 1.0, -1.0).tolist()
    gained = {
        name: sign * (values[name] / base_values[name] - 1) if base_values[name] else math.nan
        for name, sign in zip(among.weighed, signs, strict=True)
    }
    return ChosenArchitecture(
        among.architecture(pick),
        among.architecture(base),
        values,
        base_values,
        gained,
        listed=len(among.listed),
        kept=int(among.kept.sum()),
        missing=len(among.table.rows) - len(among.listed),
        among=among,
        **said,
    )


def _named(among: Candidates, places: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(map(among.architecture, places.tolist()))


def _limits(given: Limits) -> tuple[Limit, ...]:
    if not isinstance(given, Mapping):
        return tuple(given)
    return tuple(Limit(name, at_most=high, at_least=low) for name, (low, high) in given.items())


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
