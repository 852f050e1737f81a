"""Which recipe is worth paying for: how each ranks a pilot's cells, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nasbench.building.judgement import (
    DECIDING,
    SCOPES,
    Candidate,
    PilotResult,
    RankQuality,
    Reference,
)
from nasbench.building.pilot import Sample
from nasbench.stats import (
    Estimate,
    best_ceiling,
    bootstrap_estimate,
    partial_spearman,
    seed_agreement,
    spearman,
    spearman_brown,
    spearman_ceiling,
)
from nasbench.stats.interval import FEWEST

__all__ = ["judge"]


def judge(
    sample: Sample, reference: Reference | None = None, hours: float = math.inf
) -> PilotResult:
    """Say how each recipe ranks cells, at what cost, and recommend one.

    The better half and the best tenth are the reference's. Without one they are each recipe's
    own, by the mean over its seeds, as they will be in a table of that recipe, whatever the
    other candidates; how far seeds agree there is not read off the seeds that chose the cells,
    see `_own`.

    Recommended is, of the recipes that the hours pay for, the one whose quality within the
    better half has the highest lower bound, in steps of 0.01, the cheaper of two equal ones;
    none where no bound is above 0. Quality is what the recipe adds to FLOPs and parameters
    (partial rank correlation with the reference), or without a reference the reliability of
    its ranks.

    Args:
        sample: of a pilot.
        reference: a table to rank like.
        hours: most wall time for the whole space with the sample's processes.
    """
    known = np.ones(len(sample.cells), dtype=np.bool_)
    target = ceiling = None
    scopes: dict[str, NDArray[np.int64]] = {}
    alone: dict[str, dict[str, Estimate]] = {}
    if reference is not None:
        reference.check(sample.spec.space)
        target = reference.values(sample.cells)
        known = np.isfinite(target)
        of_seeds = reference.of_seeds(sample.cells[known])
        if of_seeds is not None and of_seeds.shape[1] > 1:
            ceiling = _noise(of_seeds)[2]
        for scope, share in SCOPES.items():
            pick = scopes[scope] = _best(target, known, share)
            alone[scope] = {
                name: bootstrap_estimate(spearman, size[pick], target[pick])
                for name, size in sample.sizes.items()
            }
    sizes = np.stack(list(sample.sizes.values()), axis=1)
    candidates = {}
    for name, values in sample.valid_accuracy.items():
        seconds = bootstrap_estimate(lambda s: s.mean(-1), sample.seconds[name])
        trainings = sample.spec.distinct * len(sample.spec.seeds)
        cpu_hours = (seconds.value + sample.overhead) * trainings / 3600
        candidates[name] = Candidate(
            seconds=seconds,
            cpu_hours=cpu_hours,
            hours=cpu_hours / sample.processes,
            valid_accuracy=_spread(values),
            diverged=int(np.isnan(values).sum()),
            scopes=(
                {scope: _own(values, share) for scope, share in SCOPES.items()}
                if target is None
                else {
                    scope: _compared(values[pick], target[pick], sizes[pick])
                    for scope, pick in scopes.items()
                }
            ),
        )
    recommended, reason = _recommend(candidates, hours)
    return PilotResult(
        sample=sample,
        reference=reference,
        reference_ceiling=ceiling,
        compared=sample.cells[known],
        candidates=candidates,
        sizes=alone,
        recommended=recommended,
        reason=reason,
    )


def _compared(
    values: NDArray[np.float64], target: NDArray[np.float64], sizes: NDArray[np.float64]
) -> RankQuality:
    """How accuracies `[n, seeds]` rank cells that the target, `[n]`, chose."""
    whole = np.isfinite(values).all(1)
    means, wanted = values[whole].mean(1), target[whole]
    return RankQuality(
        *_noise(values),
        bootstrap_estimate(spearman, means, wanted),
        bootstrap_estimate(partial_spearman, means, wanted, sizes[whole]),
    )


def _own(values: NDArray[np.float64], share: float) -> RankQuality:
    """How accuracies `[n, seeds]` rank that share of the cells, the best by their own mean.

    Cells with a diverged training are left out. Over all others figures are from what the seeds
    agree by. They agree less on cells that they chose than further seeds would: there the ceiling
    is of truths that may be (`best_ceiling`), reliability is its square, and what two seeds agree
    by follows from that (Spearman-Brown). All three are about what they are among the cells that
    are best in truth.
    """
    if share == 1:
        return RankQuality(*_noise(values))
    whole = values[np.isfinite(values).all(1)]
    n, k = math.ceil(share * len(whole)), values.shape[1]
    found = bootstrap_estimate(lambda v: best_ceiling(v, share), whole)
    ends = (found.low, found.high) if n >= FEWEST else (math.nan, math.nan)
    ceiling = Estimate(found.value, *ends, n)
    reliability = ceiling.map(lambda r: r**2)
    return RankQuality(reliability.map(lambda r: spearman_brown(r, 1 / k)), reliability, ceiling)


def _noise(values: NDArray[np.float64]) -> tuple[Estimate, Estimate, Estimate]:
    """Agreement of seeds `[n, seeds]`, then reliability and ceiling of their mean."""
    k = values.shape[1]
    seeds = bootstrap_estimate(seed_agreement, values[np.isfinite(values).all(1)])
    return (
        seeds,
        seeds.map(lambda r: spearman_brown(max(r, 0.0), k)),
        seeds.map(lambda r: spearman_ceiling(r, k)),
    )


def _best(merit: NDArray[np.float64], known: NDArray[np.bool_], share: float) -> NDArray[np.int64]:
    """Positions of that share of the known cells, those of the highest merit."""
    order = np.argsort(np.where(known, -merit, np.inf), kind="stable")
    return order[: math.ceil(share * int(known.sum()))]


def _spread(values: NDArray[np.float64]) -> tuple[float, float, float]:
    means = values[np.isfinite(values).all(1)].mean(1)
    low, middle, high = np.quantile(means if len(means) else [math.nan], (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def _recommend(candidates: Mapping[str, Candidate], hours: float) -> tuple[str | None, str]:
    paid = {name: c for name, c in candidates.items() if c.hours <= hours}
    if not paid:
        name = min(candidates, key=lambda n: candidates[n].hours)
        return None, (
            f"no recipe trains the whole space within {hours:g} hours: {name} is the cheapest "
            f"and takes {candidates[name].hours:.2g}"
        )
    judged = {name: c for name, c in paid.items() if math.isfinite(c.quality.low)}
    if not judged:
        n = max(c.quality.n for c in paid.values())
        return None, (
            f"n = {n} in the {DECIDING} is too little for an interval: a larger --budget or more "
            f"--cells go on from here"
        )
    name = max(judged, key=lambda n: (round(judged[n].quality.low, 2), -judged[n].hours))
    quality = judged[name].quality
    without = judged[name].scopes[DECIDING].partial is None
    what = (
        f"{'reliability' if without else 'what it adds to FLOPs and parameters'} in the {DECIDING}"
    )
    figure = f"{quality.value:.2f} [{quality.low:.2f}, {quality.high:.2f}], n = {quality.n}"
    if quality.low <= 0:
        return None, (
            f"for no recipe {what} is above 0 beyond doubt: {name} has the highest lower bound, "
            f"{figure}; more --cells tell more"
        )
    among = f"{len(paid)} of {len(candidates)} recipes within {hours:g} hours"
    if len(paid) == len(candidates):
        among = f"{len(candidates)} recipe{'s' * (len(candidates) > 1)}"
    return name, (
        f"{what}, {figure}, has the highest lower bound of {among}; the whole space takes "
        f"{judged[name].hours:.2g} hours"
    )
