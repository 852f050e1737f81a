"""What a strategy that shares weights asks for besides trainings: pieces of work on a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, shown
from nasbench.search.goal import Outcome, Query
from nasbench.space import Space

__all__ = [
    "Mixture",
    "Paths",
    "Schedule",
    "SharingState",
    "SharingStrategy",
    "Step",
    "StepOutcome",
    "check_step",
    "one_hot",
]

Paths = NDArray[np.integer[Any]]
"""`[..., decisions]`: one choice a decision, as `space.ops` writes an architecture."""
Mixture = NDArray[np.float32]
"""`[decisions, most choices]`: a weight for each choice of each decision; 0 past its own."""

MOST_PATHS = 10_000_000
"""Of one step: more is a slip, and would fill any memory."""


class Step(NamedTuple):
    """A piece of supernet training or scoring.

    Paths with rates train: all paths of a step (`together`) see one batch, their gradients are
    summed, and the weights move once. Paths without rates are scored. A mixture with rates trains
    all choices, each times its weight; without rates the weights stay, and `gradient` asks for
    the slope of the loss to the mixture. A mixture with one path runs that path's choices alone,
    each times its weight, as GDAS does.

    Attributes:
        paths: `[steps, together, decisions]`; with a mixture `[1, 1, decisions]`; or None.
        mixture: `[decisions, most choices]`, or None.
        split: `train` or `valid`: whose examples are seen.
        rates: learning rates `[steps]`; None where the weights stay.
        images: of a score, how many examples are seen, the same for all of its paths and drawn
            anew for each step; 0, or more than there are: all. Of a slope: the first so many,
            the same each time; 0: the next batch.
        gradient: whether the slope to the mixture is wanted.
        unrolled: the learning rate of a step ahead on the next training batch, at whose end the
            slope is taken (DARTS of second order); 0: no such step.
        partial: only one in so many channels goes through the mixture of an edge; the others
            pass by, times the sum of the edge's weights (PC-DARTS). 1: all go through it.
        distil: whether the paths of a training step behind its first learn that one's outputs in
            place of the labels (BigNAS).

    Example:
        >>> step = Step.score(np.zeros((3, 6), dtype=np.int64), images=100)
        >>> step.paths.shape, step.split, step.rates
        ((3, 1, 6), 'valid', None)
    """

    paths: Paths | None
    mixture: Mixture | None
    split: Literal["train", "valid"]
    rates: NDArray[np.float32] | None
    images: int = 0
    gradient: bool = False
    unrolled: float = 0.0
    partial: int = 1
    distil: bool = False

    @classmethod
    def train(cls, paths: Paths, rates: ArrayLike, *, distil: bool = False) -> Step:
        """Train along paths `[steps, together, decisions]` with a rate for each step."""
        each = np.atleast_1d(np.asarray(rates, dtype=np.float32))
        return cls(paths, None, "train", each, distil=distil)

    @classmethod
    def score(cls, paths: Paths, images: int = 0) -> Step:
        """Loss and accuracy of paths `[n, decisions]` on validation examples."""
        return cls(paths[:, None], None, "valid", None, images)

    @classmethod
    def mix(
        cls,
        mixture: Mixture,
        rate: float,
        *,
        path: Paths | None = None,
        gradient: bool = False,
        partial: int = 1,
    ) -> Step:
        """One training step of a mixture, along a path `[decisions]` alone where one is given."""
        rates = np.asarray([rate], dtype=np.float32)
        return cls(_single(path), mixture, "train", rates, gradient=gradient, partial=partial)

    @classmethod
    def slope(
        cls,
        mixture: Mixture,
        *,
        path: Paths | None = None,
        unrolled: float = 0.0,
        images: int = 0,
        partial: int = 1,
    ) -> Step:
        """The slope of the loss on validation examples to a mixture."""
        return cls(
            _single(path),
            mixture,
            "valid",
            None,
            images,
            gradient=True,
            unrolled=unrolled,
            partial=partial,
        )


def _single(path: Paths | None) -> Paths | None:
    return None if path is None else path[None, None]


class StepOutcome(NamedTuple):
    """What a step showed.

    Attributes:
        loss: `[steps, together]`; of a mixture `[steps, 1]`.
        accuracy: of a score, in percent, `[steps, together]`; else None.
        gradient: the slope to the mixture, where it was asked for.
        seconds: what was paid.
    """

    loss: NDArray[np.float32]
    accuracy: NDArray[np.float32] | None
    gradient: Mixture | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long the shared weights are trained: what a strategy plans by.

    Attributes:
        epochs: passes over the training examples.
        steps_per_epoch: batches of a pass.

    Example:
        >>> Schedule(2, 3).cosine(0.1).round(3)
        array([0.1  , 0.093, 0.075, 0.05 , 0.025, 0.007], dtype=float32)
    """

    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.epochs * self.steps_per_epoch

    def cosine(self, rate: float, least: float = 0.0) -> NDArray[np.float32]:
        """The rate of every step `[steps]`, falling from `rate` to `least` as a cosine does."""
        turned = 1 + np.cos(np.pi * np.arange(self.steps) / self.steps)
        return (least + 0.5 * (rate - least) * turned).astype(np.float32)

    def epoch_of(self, rates: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:
        """The rates of one epoch, of those of every step."""
        return rates[epoch * self.steps_per_epoch : (epoch + 1) * self.steps_per_epoch]


class SharingState(NamedTuple):
    """What a sharing strategy would choose now, and how sure it is.

    Attributes:
        architecture: that it would choose; None before it has a reason for any.
        probabilities: of each choice of each decision, `[decisions, most choices]`; None where
            it holds none.
        also: architectures that it chose for limits of their own, by what they are for.
        eigenvalue: the dominant one of the Hessian of the validation loss to the logits; None
            where it was not taken.
    """

    architecture: int | None
    probabilities: Mixture | None = None
    also: Mapping[str, int] = MappingProxyType({})
    eigenvalue: float | None = None


@runtime_checkable
class SharingStrategy(Protocol):
    """A strategy that shares weights: it asks for steps, and for trainings of the best.

    Its class says `shares_weights = True`, and its constructor takes
    `(space, goal, rng, *, schedule, **own parameters)`. It is numpy alone: no tensor, no clock,
    no file. One request is open at a time.
    """

    shares_weights: bool

    def ask(self) -> Step | Query | None:
        """The next request; None at the end."""

    def tell(self, asked: Step | Query, outcome: StepOutcome | Outcome) -> None:
        """What a request showed."""

    def state(self) -> SharingState:
        """What would be chosen now. It changes nothing."""


def one_hot(space: Space, path: ArrayLike) -> Mixture:
    """The mixture that is one path `[decisions]`.

    Example:
        >>> import nasbench as nb
        >>> one_hot(nb.space("nb201-mini"), [0, 2, 1])
        array([[1., 0., 0., 0., 0.],
               [0., 0., 1., 0., 0.],
               [0., 1., 0., 0., 0.]], dtype=float32)
    """
    mixture = np.zeros((len(space.choices), max(space.choices)), dtype=np.float32)
    np.put_along_axis(mixture, np.asarray(path, dtype=np.int64)[:, None], 1, axis=1)
    return mixture


def check_step(space: Space, step: Step) -> None:
    """Refuse a step that no supernet of the space can run.

    Raises:
        BadValue: in one sentence.
    """
    decisions = len(space.choices)
    if step.split not in ("train", "valid"):
        raise BadValue(f"the split of a step is train or valid, got {shown(step.split)}")
    if step.paths is None and step.mixture is None:
        raise BadValue("a step has paths, a mixture or both")
    if step.rates is not None:
        _check_rates(step)
    if step.paths is not None:
        _check_paths(space, step.paths)
    if step.mixture is not None:
        _check_mixture(space, step, decisions)
    elif step.gradient or step.unrolled:
        raise BadValue("a slope is taken to a mixture, and this step has none")
    if type(step.images) is not int or step.images < 0:
        raise BadValue(f"images of a step are counted from 0 on, got {shown(step.images)}")
    if step.images and (step.rates is not None or step.unrolled):
        raise BadValue("images are of a score or a slope: training is on the next batch")
    if not 0 <= step.unrolled < np.inf:
        raise BadValue(f"the rate of a step ahead is 0 or more, got {shown(step.unrolled)}")
    if step.unrolled and (step.rates is not None or step.paths is not None):
        raise BadValue("a step ahead is for the slope of a whole mixture")
    if type(step.partial) is not int or step.partial < 1:
        raise BadValue(f"one in 1 or more channels is mixed, got {shown(step.partial)}")
    if step.partial > 1 and (step.mixture is None or step.paths is not None or step.unrolled):
        raise BadValue("part of the channels goes through a whole mixture, without a step ahead")
    if step.distil and (step.rates is None or step.mixture is not None):
        raise BadValue("paths of a training step learn from its first: a mixture has none")


def _check_rates(step: Step) -> None:
    rates = np.asarray(step.rates)
    if step.split != "train":
        raise BadValue("weights are trained on the training split alone")
    if rates.ndim != 1 or not len(rates) or not np.isfinite(rates).all() or (rates < 0).any():
        raise BadValue("rates of a step are finite numbers of 0 or more, one a step")
    if step.paths is not None and step.mixture is None and len(step.paths) != len(rates):
        raise BadValue(f"a rate is of one step: {len(rates)} rates for {len(step.paths)} steps")


def _check_paths(space: Space, paths: Paths) -> None:
    choices = np.asarray(space.choices)
    if not isinstance(paths, np.ndarray) or paths.dtype.kind not in "iu":
        raise BadValue("paths are an array of whole numbers")
    if paths.ndim != 3 or paths.shape[2] != len(choices) or 0 in paths.shape:
        raise BadValue(
            f"paths are [steps, together, {len(choices)} decisions], got {list(paths.shape)}"
        )
    if paths.size > MOST_PATHS:
        raise BadValue(f"paths of one step have {MOST_PATHS:,} numbers at most")
    if (paths < 0).any() or (paths >= choices).any():
        raise BadValue(f"a path holds a choice that {space.name} has not")


def _check_mixture(space: Space, step: Step, decisions: int) -> None:
    wanted = (decisions, max(space.choices))
    mixture = step.mixture
    if not isinstance(mixture, np.ndarray) or mixture.shape != wanted:
        raise BadValue(f"a mixture is [{wanted[0]} decisions, {wanted[1]} choices at most]")
    if mixture.dtype.kind != "f" or not np.isfinite(mixture).all():
        raise BadValue("a mixture is of finite numbers")
    if step.paths is not None and step.paths.shape[:2] != (1, 1):
        raise BadValue("a mixture runs along one path at a time")
    if step.gradient and step.rates is not None and len(step.rates) != 1:
        raise BadValue("a slope is of one step: give one rate with it")
