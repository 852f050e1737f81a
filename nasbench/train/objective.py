"""What training makes small, and what it shows: cross entropy and accuracy of classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.inputs import answer_of
from nasbench.train.recipe import Recipe

__all__ = ["count_right", "evaluate", "loss_of"]

EVALUATION_BATCH = 500


def loss_of(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Mean cross entropy of a batch in nats, its labels smoothed as the recipe says."""
    return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)


def count_right(logits: Tensor, labels: Tensor) -> Tensor:
    """For how many examples the largest logit is the label's."""
    return (logits.detach().argmax(1) == labels).sum()


@torch.no_grad()
def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean loss in nats and accuracy in percent, BatchNorm by its running statistics."""
    net.eval()
    loss = torch.zeros((), device=x.device)
    correct = torch.zeros((), device=x.device)
    for start in range(0, len(x), EVALUATION_BATCH):
        labels = y[start : start + EVALUATION_BATCH]
        logits = answer_of(net(x[start : start + EVALUATION_BATCH]))
        loss += F.cross_entropy(logits, labels, reduction="sum")
        correct += count_right(logits, labels)
    return loss.item() / len(x), 100 * correct.item() / len(x)
