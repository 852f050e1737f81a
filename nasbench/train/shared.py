"""Shared weights: one set for every architecture of a space, trained along paths or mixtures.

Weights, SGD's velocity and BatchNorm's statistics are three flat arrays, which PyTorch's modules
see as their own and the native engine reads and writes: the two can take turns at every step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasbench.errors import Unsupported, unknown
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.sharing_check import norms_of
from nasbench.network.supernet import CellSupernet
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.feed import prepare
from nasbench.train.objective import count_right, objective_of
from nasbench.train.recipe import Recipe
from nasbench.train.shared_feed import SharedFeed, SplitName, parts_of
from nasbench.train.shared_start import Floats, check_shareable, flat, flatten, started, trained

__all__ = ["NORMS", "SharedState", "SharedWeights", "Sharing"]

NORMS = ("batch", "recalibrated", "running")
"""Whose statistics BatchNorm takes in a score: those of the scored examples themselves (by
parts of 500 at most), of 500 training examples along the same path, or running ones, which mix
those of all paths."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How weights are shared.

    Attributes:
        norm: one of `NORMS`.
        affine: whether BatchNorm's scales and shifts inside cells are trained. They are not in
            the search of NAS-Bench-201: scales of one path would be those of all.
    """

    norm: str = "batch"
    affine: bool = False

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise unknown("statistics of BatchNorm", self.norm, NORMS)


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


class SharedWeights:
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

    engine = "reference"

    def __init__(
        self,
        space: Space,
        task: Task,
        recipe: Recipe,
        seed: int,
        sharing: Sharing | None = None,
    ) -> None:
        check_shareable(space, task, recipe)
        self.space = space
        self.recipe = recipe
        self.sharing = sharing or Sharing()
        self.seconds = 0.0
        self._seed = seed
        self.feed = SharedFeed(prepare(task, recipe, torch.device("cpu")), recipe, seed)
        self.net = started(space, task, recipe, seed)
        self.parameters, self.statistics = flatten(self.net)
        self.velocity = np.zeros_like(self.parameters)
        self.trained = trained(self.net, affine=self.sharing.affine)
        self._weights = list(self.net.parameters())
        self._objective = objective_of(task.target, recipe)

    # What a strategy asks for.

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
            loss, _, slope = self._slopes(batch, mixture, path, gradient=True, partial=partial)
            assert slope is not None
            return loss, slope

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
            weights = torch.from_numpy(mixture)
            return self._looked(lambda x: self.net(x, weights), "valid", self._first(images))[0]

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
            weights = torch.from_numpy(mixture)
            chosen = self.feed.drawn(split, images)
            return self._looked(lambda x: self.net(x, weights), split, chosen)

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
                found[place] = self._looked(
                    lambda x, path=path: self.net(x, None, path), split, chosen
                )
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
                    logits = self.net(x, None, path)
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

    # Passes.

    def _slopes(
        self,
        batch: tuple[Tensor, Tensor],
        mixture: Floats | None,
        path: Sequence[int] | None = None,
        *,
        gradient: bool = False,
        partial: int = 1,
    ) -> tuple[float, Floats, Floats | None]:
        """Loss of a batch, its slope to the weights, and to the mixture where it is asked for."""
        weights = None if mixture is None else torch.from_numpy(mixture.astype(np.float32))
        to: list[Tensor] = [*self._weights]
        if gradient and weights is not None:
            to.append(weights.requires_grad_())
        x, y = batch
        self.net.train()
        how = (weights, path, *self._partially(partial))
        with self._drawing():
            loss = self._objective.loss(self.net(x, *how), y)
        grads = torch.autograd.grad(loss, to, allow_unused=True)
        slope = None
        if gradient:
            found = grads[-1]
            assert found is not None
            slope = found.numpy()
        return loss.item(), flat(grads[: len(self._weights)], self._weights), slope

    def _update(self, grads: Floats, rate: float) -> None:
        """One step of SGD, as PyTorch has it, on what is trained."""
        recipe = self.recipe
        grads = np.where(self.trained, grads + recipe.weight_decay * self.parameters, 0)
        self.velocity[:] = recipe.momentum * self.velocity + grads
        moved = grads + recipe.momentum * self.velocity if recipe.nesterov else self.velocity
        self.parameters -= np.float32(rate) * moved

    def _unrolled(
        self, valid: tuple[Tensor, Tensor], mixture: Floats, rate: float
    ) -> tuple[float, Floats]:
        """The slope through one step of training, as autograd has it.

        The paper takes its second part by finite differences (equation 8), which see the kinks
        of every ReLU between their two ends: they differ with the size of the step.
        """
        x, y = self.feed.next_train(peek=True)
        here = self.parameters.copy()
        alpha = torch.from_numpy(mixture.astype(np.float32)).requires_grad_()
        self.net.train()
        with self._drawing(), sdpa_kernel(SDPBackend.MATH):  # others have no second derivative
            before = self._objective.loss(self.net(x, alpha), y)
        slopes = torch.autograd.grad(before, self._weights, create_graph=True, allow_unused=True)
        held = [slope for slope in slopes if slope is not None]
        step = flat([None if s is None else s.detach() for s in slopes], self._weights)
        step += self.recipe.weight_decay * here + self.recipe.momentum * self.velocity
        self.parameters -= np.float32(rate) * np.where(self.trained, step, 0)
        try:
            loss, ahead, slope = self._slopes(valid, mixture, gradient=True)
        finally:
            self.parameters[:] = here
        assert slope is not None
        ahead = np.where(self.trained, ahead, np.float32(0))
        parts = np.split(ahead, np.cumsum([weight.numel() for weight in self._weights])[:-1])
        by = [
            torch.from_numpy(part).view(weight.shape)
            for part, weight, of in zip(parts, self._weights, slopes, strict=True)
            if of is not None
        ]
        (through,) = torch.autograd.grad(held, alpha, grad_outputs=by)
        return loss, (slope - rate * through.numpy()).astype(np.float32)

    def _looked(
        self, answer: Any, split: SplitName, chosen: NDArray[np.int64]
    ) -> tuple[float, float]:
        """Mean loss and accuracy over examples, part by part."""
        loss, right = 0.0, 0
        for part in parts_of(chosen):
            x, y = self.feed.take(split, part)
            logits = answer(x)
            loss += len(part) * nn.functional.cross_entropy(logits, y).item()
            right += int(count_right(logits, y))
        return loss / len(chosen), 100 * right / len(chosen)

    @contextmanager
    def _normed(self, path: Sequence[int] | None) -> Iterator[None]:
        """BatchNorm as a score takes it; the running statistics stay as they are.

        Without a path it goes by the scored examples.
        """
        norms = norms_of(self.net)
        kept = self.statistics.copy()
        try:
            norm_by = "batch" if path is None else self.sharing.norm
            self.net.eval()
            if norm_by == "recalibrated":
                for norm in norms:
                    norm.momentum = 1.0
                    norm.train()
                self.net(self.feed.take("train", self.feed.fitted())[0], None, path)
            for norm in norms:  # dropout has no part in a score
                norm.train(norm_by == "batch")
            yield
        finally:
            for norm in norms:
                norm.momentum = 0.1
            self.statistics[:] = kept

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """What layers draw, such as dropout, follows from the seed and the batches so far."""
        if isinstance(self.net, CellSupernet):  # draws nothing
            yield
            return
        key = (self._seed, self.feed.trained, self.feed.looked)
        with generator_kept():
            reseed(int(np.random.SeedSequence(key).generate_state(1)[0]))
            yield

    def _partially(self, partial: int) -> tuple[int, ...]:
        """What a pass is given besides, where part of the channels is mixed."""
        if partial == 1:
            return ()
        if not isinstance(self.net, CellSupernet):
            raise Unsupported(
                f"part of the channels is mixed in cells alone, and {self.space.name} has networks "
                f"of another kind"
            )
        return (partial,)

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
