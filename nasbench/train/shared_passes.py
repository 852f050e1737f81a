"""Passes through shared weights: of a batch by PyTorch, along a path or through a mixture.

Weights, SGD's velocity and BatchNorm's statistics are three flat arrays, which PyTorch's modules
see as their own and the native engine reads and writes: the two can take turns at every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasbench.errors import Unsupported, unknown
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.inputs import answer_to
from nasbench.network.sharing_check import norms_of
from nasbench.network.supernet import CellSupernet
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.feed import prepare
from nasbench.train.objective import count_right, objective_of
from nasbench.train.recipe import Recipe
from nasbench.train.shared_feed import SharedFeed, SplitName, parts_of
from nasbench.train.shared_start import Floats, check_shareable, flat, flatten, started, trained

__all__ = ["NORMS", "Passes", "Sharing"]

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


class Passes:
    """A supernet's network, its flat weights and its examples; what a batch says of them.

    Args:
        space: of the architectures.
        task: examples in classes.
        recipe: gives batches, SGD, crops and flips.
        seed: of the weights and of the order of the examples.
        sharing: how weights are shared.

    Attributes:
        engine: that runs along paths.
        parameters: all weights, flat, which the modules of `net` see as theirs.
        velocity: of SGD, likewise.
        statistics: of BatchNorm, likewise.
        trained: which weights are, bool.
        seconds: in passes so far, measured.
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
        given = self._as_given(mixture, gradient=gradient)
        loss = self._loss(batch, given, path, partial)
        to = [*self._weights, given] if gradient and given is not None else self._weights
        grads = torch.autograd.grad(loss, to, allow_unused=True)
        slope = None
        if gradient:
            found = grads[-1]
            assert found is not None
            slope = found.numpy()
        return loss.item(), flat(grads[: len(self._weights)], self._weights), slope

    def _slope_of_mixture(
        self,
        batch: tuple[Tensor, Tensor],
        mixture: Floats,
        path: Sequence[int] | None,
        partial: int,
    ) -> tuple[float, Floats]:
        """Loss of a batch and its slope to the mixture alone: nobody pays for that of weights."""
        given = self._as_given(mixture, gradient=True)
        assert given is not None
        loss = self._loss(batch, given, path, partial)
        (slope,) = torch.autograd.grad(loss, given)
        return loss.item(), slope.numpy()

    def _as_given(self, mixture: Floats | None, *, gradient: bool) -> Tensor | None:
        if mixture is None:
            return None
        return torch.from_numpy(mixture.astype(np.float32)).requires_grad_(gradient)

    def _loss(
        self,
        batch: tuple[Tensor, Tensor],
        mixture: Tensor | None,
        path: Sequence[int] | None = None,
        partial: int = 1,
    ) -> Tensor:
        """Of a batch, in training."""
        x, y = batch
        self.net.train()
        with self._drawing():
            return self._objective.loss(self._answer(x, mixture, path, partial), y)

    def _answer(
        self,
        x: Tensor,
        mixture: Tensor | None,
        path: Sequence[int] | None = None,
        partial: int = 1,
    ) -> Tensor:
        """The logits of a batch, which stays as it is: every pass of PyTorch is this one."""
        return answer_to(self.net, x, mixture, path, *self._partially(partial))

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
        here = self.parameters.copy()
        alpha = self._as_given(mixture, gradient=True)
        assert alpha is not None
        with sdpa_kernel(SDPBackend.MATH):  # others have no second derivative
            before = self._loss(self.feed.next_train(peek=True), alpha)
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
        self,
        split: SplitName,
        chosen: NDArray[np.int64],
        mixture: Floats | None,
        path: Sequence[int] | None = None,
    ) -> tuple[float, float]:
        """Mean loss and accuracy over examples, part by part."""
        given = self._as_given(mixture, gradient=False)
        loss, right = 0.0, 0
        for part in parts_of(chosen):
            x, y = self.feed.take(split, part)
            logits = self._answer(x, given, path)
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
                self._answer(self.feed.take("train", self.feed.fitted())[0], None, path)
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
