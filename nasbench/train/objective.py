"""What training makes small, and what it shows: of classes, and of a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.inputs import answer_to
from nasbench.task import Target
from nasbench.train.recipe import Recipe

__all__ = ["Classification", "Learning", "Regression", "count_right", "objective_of"]

EVALUATION_BATCH = 500


class Learning(Protocol):
    """What a target asks of a network's outputs `[n, outputs]`."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over a batch of what a step makes smaller."""

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Which of a batch are answered right, bool `[n]`; `[0]` where no answer is."""

    def shown(self, loss: float, right: float, n: int) -> Mapping[str, float]:
        """What an epoch showed of its `n` training examples, by curve, from the sums."""

    def evaluate(self, net: nn.Module, x: Tensor, y: Tensor) -> Mapping[str, float]:
        """What a network that does not train shows of a split, by metric: `loss` is among it."""


def objective_of(target: Target, recipe: Recipe, scale: float = 1.0) -> Learning:
    """The objective of a task.

    Args:
        target: classes or a number.
        recipe: gives the smoothing of labels.
        scale: the standard deviation by which numbers were divided.
    """
    return Regression(scale) if target.kind == "number" else Classification(recipe)


class Classification:
    """Cross entropy in nats, labels smoothed as the recipe says, and accuracy in percent."""

    def __init__(self, recipe: Recipe) -> None:
        self._smoothing = recipe.label_smoothing

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Learning`."""
        return F.cross_entropy(outputs, targets, label_smoothing=self._smoothing)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Where the largest output is the label's."""
        return outputs.detach().argmax(1) == targets

    def shown(self, loss: float, right: float, n: int) -> Mapping[str, float]:
        """See `Learning`."""
        return {"train_loss": loss / n, "train_accuracy": 100 * right / n}

    def evaluate(self, net: nn.Module, x: Tensor, y: Tensor) -> Mapping[str, float]:
        """Mean loss and accuracy; a split without examples has none."""
        loss = torch.zeros((), device=x.device)
        correct = torch.zeros((), device=x.device)
        for outputs, targets in _answers(net, x, y):
            loss += F.cross_entropy(outputs, targets, reduction="sum")
            correct += count_right(outputs, targets)
        n = len(x) or float("nan")
        return {"loss": loss.item() / n, "accuracy": 100 * correct.item() / n}


class Regression:
    """Squared error of the standardised target; absolute error in its unit, and R squared.

    Args:
        scale: the standard deviation by which targets were divided.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Learning`."""
        return F.mse_loss(outputs[:, 0], targets)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """None: numbers are nearer or farther."""
        return torch.zeros(0, dtype=torch.bool, device=outputs.device)

    def shown(self, loss: float, right: float, n: int) -> Mapping[str, float]:
        """See `Learning`."""
        return {"train_loss": loss / n}

    def evaluate(self, net: nn.Module, x: Tensor, y: Tensor) -> Mapping[str, float]:
        """Mean squared and absolute error, and the share of the variance that is explained."""
        squared = torch.zeros((), dtype=torch.float64, device=x.device)
        absolute = torch.zeros((), dtype=torch.float64, device=x.device)
        for outputs, targets in _answers(net, x, y):
            error = (outputs[:, 0] - targets).double()
            squared += (error**2).sum()
            absolute += error.abs().sum()
        n = len(x) or float("nan")
        variance = y.double().var(correction=0).item() if len(y) else float("nan")
        return {
            "loss": squared.item() / n,
            "mae": self._scale * absolute.item() / n,
            "r2": 1 - squared.item() / n / variance if variance > 0 else float("nan"),
        }


def count_right(logits: Tensor, labels: Tensor) -> Tensor:
    """For how many examples the largest logit is the label's."""
    return (logits.detach().argmax(1) == labels).sum()


@torch.no_grad()
def _answers(net: nn.Module, x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A network's outputs and the targets, part by part; BatchNorm by its running statistics."""
    net.eval()
    for start in range(0, len(x), EVALUATION_BATCH):
        chosen = slice(start, start + EVALUATION_BATCH)
        yield answer_to(net, x[chosen]), y[chosen]
