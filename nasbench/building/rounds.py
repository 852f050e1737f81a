"""Training a sample in rounds: fit, see what held-out architectures say of it, ask for more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from nasbench.building.designs import DRAWS, Sampling, candidates, spread, unsure
from nasbench.space import Space
from nasbench.stats import Ceiling, Estimate, bootstrap_agreement
from nasbench.surrogate.features import stand_ins, structure_blocks, usual_features
from nasbench.surrogate.predictors import predictor
from nasbench.surrogate.scoring import ceiling_of
from nasbench.surrogate.targets import to_scale
from nasbench.surrogate.tuning import fit_members, tune

__all__ = ["BACK", "FLAT", "Round", "SamplingResult", "run_rounds", "sizes_of"]

FIRST = 24
"""Architectures that the first model is fitted on; each round adds a third."""

BACK = 3
"""Rounds over which a gain is looked for; the fitted part more than doubles in them."""

EARLIEST, FEWEST = 100, 40
"""Architectures fitted on and held out: with fewer a gain says too little to stop by."""

FLAT = 2
"""Rounds in succession without a gain, after which it stops."""

RESAMPLES = 500

Integers = NDArray[Any]
Floats = NDArray[np.float64]
Train = Callable[[Integers], Floats]
"""Trains architectures `[n]`; valid accuracies at the end, `[n, seeds]`, NaN of a divergence."""


@dataclass(frozen=True, slots=True)
class Round:
    """A model, and how well it ranks what was held out.

    Attributes:
        fitted: architectures chosen to fit it on.
        kendall: tau on the architectures that were held out, with its bootstrap interval.
        gain: by how much tau rose over the last `BACK` rounds, on the same architectures; NaN
            before.
        noise: standard error of the gain, from paired bootstrap resamples; NaN before.
    """

    fitted: int
    kendall: Estimate
    gain: float = math.nan
    noise: float = math.nan

    def describe(self) -> dict[str, Any]:
        """By name, None for NaN: plain JSON values."""
        return {
            "fitted": self.fitted,
            "kendall": self.kendall.describe(),
            "gain": None if math.isnan(self.gain) else self.gain,
            "noise": None if math.isnan(self.noise) else self.noise,
        }


@dataclass(frozen=True, eq=False, slots=True)
class SamplingResult:
    """What was trained, and what rounds made of it.

    Attributes:
        sampling: what was asked for.
        chosen: architectures to fit on, in the order in which they were chosen.
        held_out: architectures that no model was fitted on, a random part of the space.
        diverged: those of both whose trainings gave no accuracy.
        rounds: one for each model; none where nothing was to be fitted.
        ceiling: what the noise of seeds leaves to be reached on what was held out; None of one
            seed, which tells no noise.
        stopped: whether it ended before as many were trained as were asked for.
        unscored: of those to choose from, how many the proxy of `stratified` gives no score;
            they stand last in its order.
    """

    sampling: Sampling
    chosen: Integers
    held_out: Integers
    diverged: Integers
    rounds: tuple[Round, ...]
    ceiling: Ceiling | None
    stopped: bool
    unscored: int

    @property
    def trained(self) -> Integers:
        """All that was trained, ascending."""
        return np.sort(np.concatenate((self.chosen, self.held_out)))

    @property
    def fitted(self) -> Integers:
        """What the last model was fitted on, ascending."""
        return np.setdiff1d(self.chosen, self.diverged)

    def describe(self) -> dict[str, Any]:
        """What a manifest says of a sample; plain JSON values."""
        sampling = self.sampling
        by = {
            "proxy": sampling.by,
            "seed": sampling.seed,
            "draws": DRAWS,
            "unscored": self.unscored,
        }
        return {
            "design": sampling.design,
            "by": by if sampling.by else None,
            "seed": sampling.seed,
            "asked": sampling.size,
            "trained": len(self.trained),
            "chosen": self.chosen.tolist(),
            "held_out": self.held_out.tolist(),
            "rounds": [one.describe() for one in self.rounds],
            "ceiling": self.ceiling.describe() if self.ceiling else None,
            "stopped": self.stopped,
        }


def sizes_of(most: int) -> list[int]:
    """On how many architectures the models of the rounds are fitted, the last on all."""
    sizes = []
    size = FIRST
    while size < most:
        sizes.append(size)
        size = math.ceil(size * 4 / 3)
    return [*sizes, most]


def run_rounds(
    space: Space,
    sampling: Sampling,
    train: Train,
    *,
    proxy: Callable[[Integers], Floats],
    models: bool,
    report: Callable[[Round], None],
) -> SamplingResult:
    """Train a sample; with models, until more of it no longer ranks what is held out better.

    What is held out is trained first: it is a random part of the space that no model is fitted
    on, and that no choice depends on. The others come in rounds. A round fits the ensemble that
    `nasbench.surrogate.fit` fits, on all that was chosen so far. The rule: rounds end when, for
    the second time in succession, tau on what is held out rose over three rounds by no more
    than the standard error of that rise; not before a model is fitted on 100 and scored on 40.
    A single look would too often take a chance for the end: which few were chosen moves tau, too.

    What is chosen depends on the space, the sampling and what earlier rounds trained, in no
    order: a replay chooses the same.

    Args:
        space: whose distinct architectures are sampled, or a pool of them where they are too
            many to list.
        sampling: how many at the most, and which.
        train: called with the architectures of each round.
        proxy: scores of architectures `[n]` by `sampling.by`, NaN where there is none; asked for
            by `stratified`, once.
        models: False trains the sample whole; `active` fits some to choose it all the same.
        report: called with each round.
    """
    held_out, others = candidates(space, sampling)
    pool = np.sort(np.concatenate((held_out, others)))
    held_out = held_out[: sampling.held_out]
    most = sampling.size - len(held_out)
    unscored = 0
    if sampling.design == "stratified":
        scores = proxy(others)
        unscored = int(np.isnan(scores).sum())
        others = spread(others, scores, sampling.seed)
    active = sampling.design == "active"
    truth = train(held_out)
    scored = _known(truth)
    fits = models or active
    learner = _Learner(space, pool if fits else pool[:0], sampling.seed)
    chosen, values = others[:0], np.empty((0, truth.shape[1]))
    guesses: list[Floats] = []
    rounds: list[Round] = []
    members: Floats | None = None
    for number, size in enumerate(sizes_of(most) if fits else [most]):
        if active and members is not None:
            left = others[~np.isin(others, chosen)]
            doubt = members[:, learner.places(left)].std(0)
            batch = unsure(left, doubt, size - len(chosen), sampling.seed, number)
        else:
            batch = others[len(chosen) : size]
        chosen = np.concatenate((chosen, batch))
        values = np.concatenate((values, train(batch)))
        if size == most and not models:
            break
        members = learner.fit(chosen, values)
        guesses.append(members[:, learner.places(held_out[scored])].mean(0))
        rounds.append(_judge(size, _mean(truth[scored]), guesses))
        report(rounds[-1])
        if models and _is_flat(rounds):
            break
    both = np.concatenate((held_out, chosen))
    return SamplingResult(
        sampling=sampling,
        chosen=chosen,
        held_out=held_out,
        diverged=both[~np.concatenate((scored, _known(values)))],
        rounds=tuple(rounds),
        ceiling=ceiling_of(truth),
        stopped=len(chosen) < most,
        unscored=unscored,
    )


def _is_flat(rounds: list[Round]) -> bool:
    """Whether more trainings no longer tell: see `run_rounds`."""
    enough = rounds[-1].fitted >= EARLIEST and rounds[-1].kendall.n >= FEWEST
    return enough and all(one.gain <= one.noise for one in rounds[-FLAT:])


def _judge(fitted: int, truth: Floats, guesses: list[Floats]) -> Round:
    """The newest of the models on what was held out, and beside it an earlier one."""
    if len(truth) < 2:  # the others diverged
        return Round(fitted, Estimate(math.nan, math.nan, math.nan, len(truth)))
    ends = bootstrap_agreement(truth, guesses[-1], RESAMPLES)["kendall"]
    kendall = Estimate(_tau(truth, guesses[-1]), *ends, len(truth))
    if len(guesses) <= BACK:
        return Round(fitted, kendall)
    now, before = guesses[-1], guesses[-1 - BACK]
    drawn = np.random.default_rng(0).integers(len(truth), size=(RESAMPLES, len(truth)))
    gains = [_tau(truth[pick], now[pick]) - _tau(truth[pick], before[pick]) for pick in drawn]
    noise = np.std([gain for gain in gains if math.isfinite(gain)] or [math.nan])
    return Round(fitted, kendall, kendall.value - _tau(truth, before), float(noise))


def _tau(truth: Floats, guess: Floats) -> float:
    return float(scipy.stats.kendalltau(truth, guess).statistic)


class _Learner:
    """Fits what `nasbench.surrogate.fit` would, of valid accuracies that no table holds yet."""

    def __init__(self, space: Space, pool: Integers, seed: int) -> None:
        self._architectures = pool
        blocks = structure_blocks(space, self._architectures, usual_features(space))
        self._features = np.concatenate(blocks, axis=1)
        self._classes = stand_ins(space, self._architectures)
        self._seed = seed

    def places(self, architectures: Integers) -> NDArray[np.intp]:
        """Where these are among the distinct architectures."""
        return np.searchsorted(self._architectures, architectures)

    def fit(self, architectures: Integers, values: Floats) -> Floats:
        """What each member of the ensemble says of the space, float64 `[members, distinct]`."""
        known = _known(values)
        at, trained = self.places(architectures[known]), values[known]
        order = np.argsort(at)  # the order in which trainings were chosen is nothing to a fit
        at = at[order]
        x, y = self._features[at], to_scale("valid_accuracy", _mean(trained[order]))
        method = predictor("xgboost")
        settings = tune(method, x, y, self._classes[at], self._seed).settings
        members = fit_members(method, settings, x, y, self._seed)
        return np.asarray([m.predict(self._features) for m in members], dtype=np.float64)


def _known(values: Floats) -> NDArray[np.bool_]:
    """Of which architectures no training diverged, `[n, seeds]`: the others have no mean."""
    return np.asarray(np.isfinite(values).all(1))


def _mean(values: Floats) -> Floats:
    """Over the seeds, `[n, seeds]` to `[n]`; NaN where one diverged, as in the table."""
    return np.asarray(np.mean(values, axis=1))
