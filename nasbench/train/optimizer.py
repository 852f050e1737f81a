"""Optimizers as recipes ask for them, by PyTorch's own functions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from nasbench.train.recipe import Recipe

__all__ = ["SGD", "AdamW", "optimizer_of"]


class SGD:
    """The same bits as `torch.optim.SGD`, whose constructor imports PyTorch's compiler.

    That import takes a process longer than many a training; the function beneath the class
    does without. Parameters without a gradient stay as they are.

    Args:
        parameters: what is trained, all on one device; they are changed in place.
        recipe: gives momentum, Nesterov's or not, and weight decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], recipe: Recipe) -> None:
        self._parameters = list(parameters)
        self._buffers: list[Tensor | None] = [None] * len(self._parameters)
        self._recipe = recipe
        # One kernel over all parameters, where PyTorch has one.
        self._fused = all(p.device.type in ("cpu", "cuda") for p in self._parameters)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters along their gradients by one step of this rate."""
        graded = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        # The fused kernel takes no parameters of which some begin with this step.
        for begun in (True, False):
            chosen = [i for i in graded if (self._buffers[i] is not None) == begun]
            buffers = [self._buffers[i] for i in chosen]
            sgd(
                [self._parameters[i] for i in chosen],
                [gradient for i in chosen if (gradient := self._parameters[i].grad) is not None],
                buffers,
                fused=self._fused,
                lr=learning_rate,
                momentum=self._recipe.momentum,
                nesterov=self._recipe.nesterov,
                weight_decay=self._recipe.weight_decay,
                dampening=0,
                maximize=False,
            )
            for i, buffer in zip(chosen, buffers, strict=True):
                self._buffers[i] = buffer


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), on all parameters.

    Betas are .9 and .999, epsilon 1e-8: the same bits as `torch.optim.AdamW`, whose constructor
    imports PyTorch's compiler.

    Args:
        parameters: what is trained, all on one device; they are changed in place.
        recipe: gives the weight decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], recipe: Recipe) -> None:
        self._parameters = list(parameters)
        self._decay = recipe.weight_decay
        self._states: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters along their moments by one step of this rate."""
        graded = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        for i in graded:
            if i not in self._states:
                moments = torch.zeros_like(self._parameters[i])
                self._states[i] = moments, moments.clone(), torch.zeros(())
        means, squares, steps = map(list, zip(*(self._states[i] for i in graded), strict=True))
        adam(
            [self._parameters[i] for i in graded],
            [gradient for i in graded if (gradient := self._parameters[i].grad) is not None],
            means,
            squares,
            [],
            steps,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=self._decay,
            eps=1e-8,
            maximize=False,
            decoupled_weight_decay=True,
        )


def optimizer_of(parameters: Iterable[nn.Parameter], recipe: Recipe) -> SGD | AdamW:
    """The optimizer that a recipe asks for."""
    return AdamW(parameters, recipe) if recipe.optimizer == "adamw" else SGD(parameters, recipe)
