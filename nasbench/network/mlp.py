"""Networks of the spaces `mlp` and `policy-mlp`: features in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.network.blocks import Residual, activation_of

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = ["NORMS", "SIGNALS", "FeatureColumns", "Policy", "mlp", "policy_mlp"]

SIGNALS = frozenset({"features"})

NORMS = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class FeatureColumns(nn.Module):
    """The columns of a table side by side, those of categories embedded: `[n, width]`.

    A column of `k` categories becomes (k + 1) / 2 numbers, but not more than `most`.

    Args:
        categories: how many each column has, 0 for a number.
        most: numbers that a category becomes.

    Attributes:
        width: of what comes out.

    Example:
        >>> FeatureColumns((0, 0, 5)).width
        5
    """

    def __init__(self, categories: tuple[int, ...], most: int = 8) -> None:
        super().__init__()
        widths = {at: min(most, (n + 1) // 2) for at, n in enumerate(categories) if n}
        self.embeddings = nn.ModuleDict(
            {str(at): nn.Embedding(categories[at], width) for at, width in widths.items()}
        )
        self.numbers = [at for at, n in enumerate(categories) if not n]
        self.width = sum(widths.values()) + len(self.numbers)

    def forward(self, x: Tensor) -> Tensor:
        if not self.embeddings:
            return x
        parts = [x[:, self.numbers]] if self.numbers else []
        parts += [embed(x[:, int(at)].long()) for at, embed in self.embeddings.items()]
        return torch.cat(parts, 1)


def _columns(inputs: Signal) -> FeatureColumns:
    if inputs.kind != "features":
        raise Unsupported(f"a network of features cannot take {inputs}")
    return FeatureColumns(inputs.categories or (0,) * inputs.shape[0])


def mlp(choices: Mapping[str, Any], inputs: Signal, outputs: int) -> nn.Module:
    """A network of the space `mlp`."""
    columns, width = _columns(inputs), choices["width"]
    activation, norm = activation_of(choices["activation"]), NORMS[choices["norm"]]
    hidden: list[nn.Module] = []
    for _ in range(choices["depth"]):
        layers = [norm(width), activation()]
        layers += [nn.Dropout(choices["dropout"])] if choices["dropout"] else []
        layer = nn.Sequential(*layers, nn.Linear(width, width))
        hidden.append(Residual(layer) if choices["residual"] else layer)
    first = nn.Linear(columns.width, width)
    return nn.Sequential(columns, first, *hidden, activation(), nn.Linear(width, outputs))


class Policy(nn.Module):
    """What to do and what it is worth: `[n, columns]` to logits `[n, actions]` and values `[n]`.

    Args:
        columns: of what is observed.
        hidden: from the columns to the policy.
        critic: from the columns to the value; None: the layers of the policy.
        width: of what both put out.
        actions: how many there are.
    """

    def __init__(
        self,
        columns: FeatureColumns,
        hidden: nn.Module,
        critic: nn.Module | None,
        width: int,
        actions: int,
    ) -> None:
        super().__init__()
        self.columns = columns
        self.hidden = hidden
        self.critic = critic
        self.policy = nn.Linear(width, actions)
        self.value = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.columns(x)
        hidden = self.hidden(x)
        seen = hidden if self.critic is None else self.critic(x)
        return self.policy(hidden), self.value(seen).squeeze(1)


def policy_mlp(choices: Mapping[str, Any], inputs: Signal, outputs: int) -> nn.Module:
    """A network of the space `policy-mlp`: two outputs, of which logits are the first."""
    columns, width = _columns(inputs), choices["width"]
    activation, norm = activation_of(choices["activation"]), NORMS[choices["norm"]]

    def trunk() -> nn.Module:
        layers: list[nn.Module] = []
        for depth in range(choices["depth"]):
            layers.append(nn.Linear(width if depth else columns.width, width))
            layers += [norm(width), activation()]
        return nn.Sequential(*layers)

    critic = None if choices["shared"] else trunk()
    return Policy(columns, trunk(), critic, width, outputs)
