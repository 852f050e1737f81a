"""Shared weights: one set for every architecture of a space, trained along paths or mixtures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.train.shared_feed import SplitName
from nasbench.train.shared_passes import Passes
from nasbench.train.shared_start import Floats, flat

__all__ = ["SharedState", "SharedWeights"]


class SharedState(NamedTuple):
    """All that goes on from: a checkpoint.

    Attributes:
        parameters: the weights, in PyTorch's order.
        velocity: of SGD, likewise.
        statistics: BatchNorm's running means where its scales are, variances where its shifts.
        counts: training batches, validation batches and draws of examples so far.
    """

    parameters: Floats
    velocity: Floats
    statistics: Floats
    counts: NDArray[np.int64]


class SharedWeights(Passes):
    """One set of weights for every architecture of a space, on a task, by a recipe.

    Along a path it is the network that `nasbench.network(..., live=False)` builds, with the same
    weights. SGD is the recipe's; all weights decay at each step, also those off the path. Every
    number is a function of the seed and of what was asked before, on one machine.

    Args:
        space: of the architectures; its family has a supernet.
        task: examples in classes.
        recipe: gives batches, momentum, weight decay, label smoothing, crops and flips. The
            learning rate is that of each step.
        seed: of the weights and of the order of the examples.
        sharing: see there.

    Raises:
        Unsupported: for a family without a supernet, and what a recipe asks for beyond SGD.

    Example:
        >>> import nasbench as nb
        >>> recipe = nb.Recipe(epochs=1, train_images=64, valid_images=64, channels=4, cells=1)
        >>> shared = SharedWeights(nb.space("nb201-mini"), nb.task("digits"), recipe, seed=0)
        >>> paths = np.asarray([[0, 1, 2], [2, 2, 2]])
        >>> loss, accuracy = shared.score(paths)
        >>> loss.shape, accuracy.shape
        ((2,), (2,))
    """

    def train(
        self, paths: NDArray[np.integer[Any]], rates: Floats, *, distil: bool = False
    ) -> Floats:
        """A step for each rate along paths `[steps, together, decisions]`; losses of each.

        The paths of a step see one batch; their gradients are summed, then the weights move.

        Args:
            paths: of each step.
            rates: of each step.
            distil: paths behind the first of a step learn its outputs in place of the labels.
        """
        with self._clocked():
            if distil:
                return self._train_distilled(paths, rates)
            return self._train_paths(paths, rates)

    def mix(
        self,
        mixture: Floats,
        rates: Floats,
        *,
        path: Sequence[int] | None = None,
        gradient: bool = False,
        partial: int = 1,
    ) -> tuple[Floats, Floats | None]:
        """A training step for each rate by a mixture, or by its part along a path.

        Args:
            mixture: `[decisions, most choices]`.
            rates: of each step.
            path: only these choices run.
            gradient: whether the slope to the mixture is wanted.
            partial: one in so many channels goes through the mixture, of cells alone.

        Returns:
            Losses `[steps, 1]`, and the slope of the last to the mixture where it is asked for.
        """
        self._check_norm()
        with self._clocked():
            losses, slope = [], None
            for rate in rates.tolist():
                batch = self.feed.next_train()
                loss, grads, slope = self._slopes(
                    batch, mixture, path, gradient=gradient, partial=partial
                )
                self._update(grads, rate)
                losses.append([loss])
            return np.asarray(losses, dtype=np.float32), slope

    def slope(
        self,
        mixture: Floats,
        *,
        path: Sequence[int] | None = None,
        unrolled: float = 0.0,
        images: int = 0,
        partial: int = 1,
    ) -> tuple[float, Floats]:
        """Loss of the next validation batch and its slope to the mixture.

        Args:
            mixture: `[decisions, most choices]`.
            path: only these choices run.
            unrolled: the rate of a step ahead on the next training batch, which stays the next:
                the slope is that after the step, through it (Liu et al., equations 6 to 8).
            images: of the first so many validation examples, the same each time, in place of
                the next batch; 0: of that.
            partial: as for `mix`.
        """
        self._check_norm()
        with self._clocked():
            if images:
                batch = self.feed.take("valid", self._first(images))
            else:
                batch = self.feed.next_valid()
            if unrolled:
                return self._unrolled(batch, mixture, unrolled)
            return self._slope_of_mixture(batch, mixture, path, partial)

    def score(
        self, paths: NDArray[np.integer[Any]], images: int = 0, split: SplitName = "valid"
    ) -> tuple[Floats, Floats]:
        """Loss and accuracy (%) of paths `[n, decisions]` with the shared weights.

        Args:
            paths: to score.
            images: so many examples, the same for all paths and drawn anew each time; 0, or more
                than there are: all.
            split: of the examples.
        """
        with self._clocked():
            return self._score_paths(paths, split, self.feed.drawn(split, images))

    def judge(self, paths: NDArray[np.integer[Any]], images: int) -> tuple[Floats, Floats]:
        """A score on the first validation examples: what comes next stays as it was."""
        with self._clocked():
            return self._score_paths(paths, "valid", self._first(images))

    def judge_mixture(self, mixture: Floats, images: int) -> float:
        """Loss of a whole mixture on the same examples; nothing else changes."""
        self._check_norm()
        with self._clocked(), torch.no_grad(), self._normed(None):
            return self._looked("valid", self._first(images), mixture)[0]

    def _first(self, images: int) -> NDArray[np.int64]:
        """So many of the validation examples, the first ones; 0: all."""
        n = len(self.feed.data.valid[0])
        return np.arange(min(images, n) or n)

    def score_mixture(
        self, mixture: Floats, images: int = 0, split: SplitName = "valid"
    ) -> tuple[float, float]:
        """Loss and accuracy (%) of a whole mixture, by the scored examples' statistics."""
        self._check_norm()
        with self._clocked(), torch.no_grad(), self._normed(None):
            return self._looked(split, self.feed.drawn(split, images), mixture)

    def state(self) -> SharedState:
        """A copy of all that goes on from here."""
        counts = np.asarray([self.feed.trained, self.feed.looked, self.feed.scored])
        return SharedState(
            self.parameters.copy(), self.velocity.copy(), self.statistics.copy(), counts
        )

    def restore(self, state: SharedState) -> None:
        """Go on from a state of a supernet of the same space, task and recipe.

        Raises:
            Unsupported: for that of another.
        """
        if state.parameters.shape != self.parameters.shape:
            raise Unsupported("the state is that of another supernet")
        self.parameters[:] = state.parameters
        self.velocity[:] = state.velocity
        self.statistics[:] = state.statistics
        self.feed.trained, self.feed.looked, self.feed.scored = map(int, state.counts)

    # Along paths: what the native engine does in another way.

    def _train_paths(self, paths: NDArray[np.integer[Any]], rates: Floats) -> Floats:
        losses = np.empty(paths.shape[:2], dtype=np.float32)
        for step, rate in enumerate(rates.tolist()):
            batch = self.feed.next_train()
            total = np.zeros_like(self.parameters)
            for place, path in enumerate(paths[step].tolist()):
                loss, grads, _ = self._slopes(batch, None, path)
                losses[step, place] = loss
                total += grads
            self._update(total, rate)
        return losses

    def _score_paths(
        self, paths: NDArray[np.integer[Any]], split: SplitName, chosen: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        found = np.empty((len(paths), 2), dtype=np.float32)
        for place, path in enumerate(paths.tolist()):
            with torch.no_grad(), self._normed(path):
                found[place] = self._looked(split, chosen, None, path)
        return found[:, 0], found[:, 1]

    def _train_distilled(self, paths: NDArray[np.integer[Any]], rates: Floats) -> Floats:
        """As `_train_paths`; all but the first of a step learn that one's probabilities."""
        losses = np.empty(paths.shape[:2], dtype=np.float32)
        for step, rate in enumerate(rates.tolist()):
            x, y = self.feed.next_train()
            self.net.train()
            total = np.zeros_like(self.parameters)
            taught: Tensor | None = None
            for place, path in enumerate(paths[step].tolist()):
                with self._drawing():
                    logits = self._answer(x, None, path)
                if taught is None:
                    loss = self._objective.loss(logits, y)
                    taught = logits.detach().softmax(1)
                else:
                    loss = nn.functional.cross_entropy(logits, taught)
                grads = torch.autograd.grad(loss, self._weights, allow_unused=True)
                losses[step, place] = loss.item()
                total += flat(grads, self._weights)
            self._update(total, rate)
        return losses

    def _check_norm(self) -> None:
        if self.sharing.norm == "running":
            raise Unsupported(
                "running statistics are those of paths: with a mixture BatchNorm goes by batch "
                "or recalibrated ones"
            )

    @contextmanager
    def _clocked(self) -> Iterator[None]:
        begun = time.thread_time()
        try:
            yield
        finally:
            self.seconds += time.thread_time() - begun
