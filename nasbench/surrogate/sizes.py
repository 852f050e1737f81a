"""How well predictors do, by how much they were fitted on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench._defaults import DRAWS, PREDICTORS
from nasbench._result import Result
from nasbench.errors import NasbenchError
from nasbench.space import Architectures
from nasbench.stats import Ceiling, Summary, agreement, summarize
from nasbench.surrogate.features import LISTABLE, Features, published, stand_ins
from nasbench.surrogate.fitting import target_of
from nasbench.surrogate.predictors import predictor
from nasbench.surrogate.scoring import LEVEL, ceiling_of
from nasbench.surrogate.targets import from_scale, to_scale, unit_of
from nasbench.surrogate.trials import MEASURES, REGIONS, Trial, TrialJournal
from nasbench.surrogate.tuning import fit_members, mean_prediction, tune
from nasbench.surrogate.uncertainty import Calibration, covered
from nasbench.table import Table, direction, table_name, trained_column, trained_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "REGIONS", "SizeScores", "score_sizes"]

FEWEST = 20
"""Rows that are scored on, at the least."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class SizeScores(Result):
    """What `score_sizes` found.

    Attributes:
        about: the table, what commands call it and its hash, the recipe, the metric, how rows were
            drawn, and how many of them are `broken`, of less than half the median (more than
            twice, where less is better): plain JSON values.
        ceilings: by region, what seed noise leaves to be reached; None where not known.
        trials: every fit.

    Example:
        >>> from nasbench.table import load
        >>> found = score_sizes(
        ...     load("nb201-fashion16"), [10], draws=2, predictors=("ridge",), metric="parameters"
        ... )
        >>> found.summary(found.series[0], 10, "all", "kendall").mean > 0.5
        True
    """

    about: dict[str, Any]
    ceilings: dict[str, Ceiling | None]
    trials: tuple[Trial, ...]

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(name for name, _ in self.series))
        sizes = ", ".join(map(str, self.about["sizes"]))
        return f"<SizeScores of {names} on {self.about['table']}, fitted on {sizes} rows>"

    def frame(self) -> pd.DataFrame:
        """A row a fit: predictor, features, size and draw, then measures by region, and seconds."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "predictor": trial.predictor,
                    "features": trial.features,
                    "size": trial.size,
                    "draw": trial.draw,
                    **{
                        f"{region}/{measure}": trial.measures[region][measure]
                        for region in REGIONS
                        for measure in MEASURES
                    },
                    "fit_seconds": trial.fit_seconds,
                    "predict_seconds": trial.predict_seconds,
                }
                for trial in self.trials
            ]
        )

    @property
    def series(self) -> list[tuple[str, str]]:
        """Predictors with their features, in the order in which they were tried."""
        return list(dict.fromkeys((trial.predictor, trial.features) for trial in self.trials))

    def summary(self, series: tuple[str, str], size: int, region: str, measure: str) -> Summary:
        """A measure over the draws: its mean with the bootstrap interval (95 %)."""
        return summarize([t.measures[region][measure] for t in self._of(series, size)])

    def seconds(self, series: tuple[str, str], size: int) -> tuple[float, float]:
        """Mean CPU seconds of fitting, and of predicting the space."""
        found = self._of(series, size)
        fits, predictions = [t.fit_seconds for t in found], [t.predict_seconds for t in found]
        return float(np.mean(fits)), float(np.mean(predictions))

    def _of(self, series: tuple[str, str], size: int) -> list[Trial]:
        return [t for t in self.trials if (t.predictor, t.features) == series and t.size == size]

    def describe(self) -> dict[str, Any]:
        """Everything by name; plain JSON values."""
        scores = []
        for name, features in self.series:
            for size in self.about["sizes"]:
                fit, predict = self.seconds((name, features), size)
                regions = {
                    region: {
                        measure: self.summary((name, features), size, region, measure).describe()
                        for measure in MEASURES
                    }
                    for region in REGIONS
                }
                scores.append(
                    {
                        "predictor": name,
                        "features": ",".join(map(published, features.split(","))),
                        "size": size,
                        **regions,
                        "fit_seconds": fit,
                        "predict_seconds": predict,
                    }
                )
        ceilings = {k: c.describe() if c else None for k, c in self.ceilings.items()}
        return {**self.about, "ceilings": ceilings, "scores": scores}


def score_sizes(
    table: Table,
    sizes: Sequence[int],
    *,
    draws: int = DRAWS,
    predictors: Sequence[str] = PREDICTORS,
    features: Sequence[Sequence[str] | None] = (None,),
    recipe: str | None = None,
    metric: str | None = None,
    seed: int = 0,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> SizeScores:
    """Fit predictors of a metric on few rows, score them on all others.

    Every predictor sees the same rows; those of a smaller size are among those of a larger.
    Rows of a class that was fitted on are not scored on. The best half is that of the rows
    scored on by what was measured.

    Args:
        table: of measured values; without a metric its `Table.primary` is predicted.
        sizes: rows fitted on.
        draws: random orders of the rows.
        predictors: names of `PREDICTORS`.
        features: what they see, each a list for `Features.make`; None is the space's usual one.
        recipe: to predict; may be left out where the table has one.
        metric: to predict, see `fit`.
        seed: of the orders, folds and models; 0 or more.
        journal: a file that keeps trials as they are done; what it has is not done again.
        progress: called after each trial with how many are done, and of how many.

    Example:
        >>> from nasbench.table import load
        >>> found = score_sizes(
        ...     load("nb201-fashion16"), [10], draws=1, predictors=("ridge",), metric="parameters"
        ... )
        >>> found.about["sizes"], len(found.trials)
        ([10], 1)
    """
    named = metric
    recipe, metric = target_of(table, recipe, named)
    column = trained_column(table, metric, recipe=recipe)
    rows = table.space.check(table.rows)[np.isfinite(column)]
    sizes = sorted(set(sizes))
    if len(rows) < FEWEST + 2:
        raise NasbenchError(
            f"{table.name} has {len(rows)} trained rows; to fit on some and score the others takes "
            f"{FEWEST + 2}"
        )
    if not sizes or sizes[0] < 2 or sizes[-1] > len(rows) - FEWEST:
        raise NasbenchError(
            f"training sizes are 2 to {len(rows) - FEWEST} of the {len(rows)} trained rows of "
            f"{table.name}, since {FEWEST} are kept to be scored on, got "
            f"{', '.join(map(str, sizes)) or 'none'}"
        )
    if draws < 1 or seed < 0:
        raise NasbenchError(f"draws are 1 or more and a seed 0 or more, got {draws} and {seed}")
    trained = trained_values(table, metric, rows, recipe=recipe)
    data = _Data(table, metric, rows, trained, stand_ins(table.space, rows))
    seen = {name: predictor(name).features for name in predictors}
    plans = list(
        dict.fromkeys(
            (name, Features.make(table, seen[name] or chosen, recipe, metric).names)
            for chosen in features
            for name in predictors
        )
    )
    about = {
        "table": table.name,
        "table_file": table_name(table),
        "sha256": table.sha256,
        "recipe": recipe,
        "rows": len(rows),
        "metric": metric,
        "broken": _broken(data),
        "sizes": sizes,
        "draws": draws,
        "seed": seed,
        "level": LEVEL,
    }
    told = ("sha256", "recipe", "seed", "level", *(("metric",) if named else ()))
    kept = TrialJournal(journal, {key: about[key] for key in told})
    total = len(plans) * len(sizes) * draws
    trials = []
    with closing(kept):
        for name, chosen in plans:
            made: Features | None = None
            for size in sizes:
                for draw in range(draws):
                    trial = kept.trials.get((name, ",".join(chosen), size, draw))
                    if trial is None:
                        made = made or Features.make(table, chosen, recipe, metric)
                        trial = _trial(data, made, name, size, draw, seed)
                        kept.add(trial)
                    trials.append(trial)
                    if progress:
                        progress(len(trials), total)
    best = data.merit >= np.median(data.merit)
    ceilings = {"all": ceiling_of(trained), "best half": ceiling_of(trained[best])}
    return SizeScores(about, ceilings, tuple(trials))


@dataclass(frozen=True, eq=False, slots=True)
class _Data:
    """The rows that can be fitted and scored on, with their trainings and classes."""

    table: Table
    metric: str
    rows: Architectures
    trained: NDArray[np.float64]
    classes: Architectures

    @property
    def mean(self) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = np.nanmean(self.trained, axis=1)
        return mean

    @property
    def merit(self) -> NDArray[np.float64]:
        """The mean, turned round where less of it is better."""
        return -self.mean if direction(self.metric) == "min" else self.mean


def _broken(data: _Data) -> int:
    """How many rows have less than half the median, or more than twice where less is better."""
    median = np.median(data.mean)
    if direction(data.metric) == "min":
        return int((data.mean > 2 * median).sum())
    return int((data.mean < median / 2).sum())


def _trial(data: _Data, seen: Features, name: str, size: int, draw: int, seed: int) -> Trial:
    metric, method = data.metric, predictor(name)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))
    mine = np.sort(rng.permutation(len(data.rows))[:size])
    others = np.flatnonzero(~np.isin(data.classes, data.classes[mine]))
    x, y = seen.of(data.rows[mine]), to_scale(metric, data.mean[mine])
    # The whole space, as a search on the model would see it; of large ones, the rows.
    listed = data.table.space.size <= LISTABLE
    whole = seen.of(np.arange(data.table.space.size) if listed else data.rows)
    start = time.process_time()
    unit = unit_of(metric, y)
    tuned = tune(method, x, y / unit, data.classes[mine], seed)
    members = fit_members(method, tuned.settings, x, y / unit, seed)
    fitted = time.process_time()
    everywhere = mean_prediction(members, whole) * unit
    done = time.process_time()
    scaled = everywhere[data.rows[others] if listed else others]
    calibration = Calibration.fit(tuned.out_of_fold * unit, to_scale(metric, data.trained[mine]))
    low, high = (from_scale(metric, end) for end in calibration.interval(scaled, LEVEL))
    predicted = from_scale(metric, scaled)
    measured, trained = data.mean[others], data.trained[others]
    merit = data.merit[others]
    regions = {
        "all": np.ones(len(others), dtype=bool),
        "best half": merit >= np.median(merit),
    }
    measures = {}
    for region, of in regions.items():
        rounded = scipy.stats.kendalltau(measured[of].round(1), predicted[of].round(1))
        found = agreement(measured[of], predicted[of]).describe()
        measures[region] = {
            **{measure: found[measure] for measure in MEASURES if measure in found},
            # A smooth scale has fewer ties than percents that are cut off at 0 or 100.
            "kendall": float(scipy.stats.kendalltau(measured[of], scaled[of]).statistic),
            "sparse_kendall": float(rounded.statistic),
            "coverage": covered(trained[of], low[of], high[of]),
        }
    features = ",".join(seen.names)
    return Trial(name, features, size, draw, measures, fitted - start, done - fitted)
