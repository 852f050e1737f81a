"""The parts of a supernet: layers that hold all choices of a decision and run the chosen one.

A supernet is a network of such parts inside a `Supernet`. Along a path each part runs what the
network of that architecture has: one module of several (`Choose`), or a slice of one weight, its
first channels, the middle of its kernels, its first blocks (Cai et al., "Once-for-All", ICLR
2020). By a mixture modules are weighed and added (Liu et al., "DARTS", ICLR 2019, equation 2);
channels are multiplied by the share of the choices that have them (Wan et al., "FBNetV2", CVPR
2020, section 3.2), kernels likewise (Stamoulis et al., "Single-Path NAS", ECML 2019), so that all
sizes take one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import Unsupported, unknown
from nasbench.space import Space

__all__ = [
    "Channels",
    "Choose",
    "Depth",
    "ElasticConv",
    "ElasticLinear",
    "ElasticNorm",
    "Kernel",
    "Supernet",
    "Valued",
]


class Running:
    """What a supernet runs at this moment: a path, a mixture, or a mixture along a path.

    Args:
        space: of the architectures.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.places = {name: place for place, name in enumerate(space.decisions)}
        self.path: Sequence[int] | None = None
        self.mixture: Tensor | None = None

    def place(self, decision: str) -> int:
        """Where a decision stands; raises UnknownName naming the near ones."""
        if decision not in self.places:
            raise unknown(f"decision of {self.space.name}", decision, self.places)
        return self.places[decision]

    def choice(self, decision: str) -> int | None:
        """The choice that runs alone; None of a mixture."""
        return None if self.path is None else int(self.path[self.place(decision)])

    def weights(self, decision: str) -> Tensor:
        """Of each choice of a decision, `[choices]`; of a mixture."""
        assert self.mixture is not None
        place = self.place(decision)
        return self.mixture[place, : self.space.choices[place]]


class Part(nn.Module):
    """A layer that reads what runs; inside a `Supernet` alone."""

    running: Running | None = None

    @property
    def now(self) -> Running:
        """What runs."""
        if self.running is None:
            raise Unsupported(f"{type(self).__name__} is a part of a Supernet, and stands in none")
        return self.running


class Supernet(nn.Module):
    """One set of weights for every architecture of a space.

    Args:
        space: of the architectures.
        body: what maps inputs to logits, made of the parts here and of any other modules, which
            all architectures share.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("nb201-mini")
        >>> names = list(space.decisions)
        >>> choices = [nn.Identity(), nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU()]
        >>> net = Supernet(space, nn.Sequential(nn.Linear(2, 3), Choose(names[0], choices)))
        >>> net(torch.ones(1, 2), path=[2, 0, 0]).shape
        torch.Size([1, 3])
    """

    def __init__(self, space: Space, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self._running = Running(space)
        for part in body.modules():
            if isinstance(part, Part):
                part.running = self._running

    def forward(
        self, inputs: Tensor, mixture: Tensor | None = None, path: Sequence[int] | None = None
    ) -> Tensor:
        """Logits along a path, of a mixture, or of a mixture's part along a path.

        Args:
            inputs: a batch.
            mixture: `[decisions, most choices]`, a weight for each.
            path: one choice a decision.
        """
        assert path is not None or mixture is not None, "a supernet runs a path or a mixture"
        self._running.path, self._running.mixture = path, mixture
        try:
            logits: Tensor = self.body(inputs)
        finally:
            self._running.path = self._running.mixture = None
        return logits


class Choose(Part):
    """One of several modules, as a decision says.

    A module that stands for several choices, such as one whose size follows from the same
    decision, is weighed by the sum of theirs.

    Args:
        decision: its name.
        modules: one a choice, in the decision's order.
    """

    def __init__(self, decision: str, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        distinct = list(dict.fromkeys(modules))
        self.options = nn.ModuleList(distinct)
        self.which = [distinct.index(module) for module in modules]

    def forward(self, x: Tensor) -> Tensor:
        now = self.now
        choice = now.choice(self.decision)
        if now.mixture is None:
            assert choice is not None
            found: Tensor = self.options[self.which[choice]](x)
            return found
        weights = now.weights(self.decision)
        if choice is None:
            terms = [  # each gets a copy, for another may write over its input
                weights[[w == place for w in self.which]].sum() * option(x.clone())
                for place, option in enumerate(self.options)
            ]
            return torch.stack(terms).sum(0)
        # As GDAS's release: what does not run is zeros that are added, and so has a slope.
        others = weights.sum() - weights[choice]
        value: Tensor = self.options[self.which[choice]](x)
        return value * weights[choice] + others


class Depth(Part):
    """The first so many of a chain of blocks, as a decision says.

    Args:
        decision: its name.
        depths: blocks of each choice, 1 or more.
        blocks: as many as the most; from the second on they keep the shape.
    """

    def __init__(self, decision: str, depths: Sequence[int], blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        self.depths = list(depths)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        now = self.now
        if now.mixture is None:
            choice = now.choice(self.decision)
            assert choice is not None
            for place in range(self.depths[choice]):
                x = self.blocks[place](x)
            return x
        weights = now.weights(self.decision)
        total: Tensor | None = None
        for depth, block in enumerate(self.blocks, 1):
            x = block(x.clone())  # which may write over its input, and that has a slope to give
            for weight, of in zip(weights, self.depths, strict=True):
                if of == depth:
                    total = weight * x if total is None else total + weight * x
        assert total is not None
        return total


class Valued:
    """A whole number that decisions set: so many channels, or the size of a kernel.

    Args:
        numbers: one for each combination of the decisions' choices, an axis a decision.
        decisions: their names; none: it is the same always.

    Example:
        >>> Valued([8, 16], "width").most
        16
    """

    def __init__(self, numbers: Any, *decisions: str) -> None:
        self.numbers = np.asarray(numbers, dtype=np.int64)
        self.decisions = decisions
        self.most = int(self.numbers.max())
        levels = np.unique(self.numbers)
        # [combinations, levels]: which of the sizes a combination reaches.
        self._reaches = torch.from_numpy((self.numbers.reshape(-1, 1) >= levels).astype(np.float32))
        self._widths = np.diff(levels, prepend=0)

    @classmethod
    def of(cls, space: Space, number: Callable[..., float], *decisions: str) -> Self:
        """A number as a function of the decisions' values.

        Example:
            >>> import nasbench as nb
            >>> Valued.of(nb.space("mbv2-mini"), lambda width: 3 * width, "width").numbers
            array([24, 48])
        """
        values = [space.values[name] for name in decisions]
        shape = [len(choices) for choices in values]
        found = [
            number(*(choices[at] for choices, at in zip(values, place, strict=True)))
            for place in np.ndindex(*shape)
        ]
        return cls(np.asarray(found, dtype=np.int64).reshape(shape), *decisions)

    def along(self, now: Running) -> int:
        """The number along the path."""
        return int(self.numbers[tuple(now.choice(name) for name in self.decisions)])

    def shares(self, now: Running) -> Tensor:
        """Of each unit, how much of the mixture has it, `[most]`."""
        together = torch.ones((), dtype=self._reaches.dtype)
        for name in self.decisions:
            together = together[..., None] * now.weights(name)
        shares = together.reshape(-1) @ self._reaches.to(together.dtype)
        return shares.repeat_interleave(torch.from_numpy(self._widths))


class Channels(Valued):
    """How many channels a map has: the first so many of one weight."""


class Kernel(Valued):
    """The size of a kernel, odd: the middle of the largest."""

    def mask(self, now: Running) -> Tensor:
        """How much of the mixture has each place of the largest kernel, `[most, most]`."""
        half = self.most // 2
        away = (torch.arange(self.most) - half).abs()
        ring = torch.maximum(away[:, None], away[None, :])  # 0 in the middle
        shares = self.shares(now)  # a kernel of k has the places that are k // 2 away at most
        return shares[2 * ring]


class ElasticConv(nn.Conv2d, Part):
    """A convolution without bias whose channels and kernel are slices of one weight.

    Args:
        inputs: channels.
        outputs: channels; of a depthwise convolution those of its inputs.
        kernel: its size.
        stride: of it.
        depthwise: whether each channel is filtered alone.
    """

    def __init__(
        self,
        inputs: Channels,
        outputs: Channels,
        kernel: Kernel,
        stride: int = 1,
        *,
        depthwise: bool = False,
    ) -> None:
        groups = inputs.most if depthwise else 1
        half = kernel.most // 2
        super().__init__(
            inputs.most, outputs.most, kernel.most, stride, half, groups=groups, bias=False
        )
        self.outputs, self.kernel, self.depthwise = outputs, kernel, depthwise

    def forward(self, x: Tensor) -> Tensor:
        now = self.now
        if now.mixture is not None:
            weight = self.weight
            if self.kernel.decisions:
                weight = weight * self.kernel.mask(now)
            return functional.conv2d(
                x, weight, stride=self.stride, padding=self.padding, groups=self.groups
            )
        inputs, size = x.shape[1], self.kernel.along(now)
        cut = (self.kernel.most - size) // 2
        weight = self.weight[:, :, cut : cut + size, cut : cut + size]
        if self.depthwise:
            weight, groups = weight[:inputs], inputs
        else:
            weight, groups = weight[: self.outputs.along(now), :inputs], 1
        return functional.conv2d(x, weight, stride=self.stride, padding=size // 2, groups=groups)


class ElasticNorm(nn.BatchNorm2d, Part):
    """BatchNorm of the first so many channels; of a mixture each channel times its share.

    Args:
        channels: of the map.
    """

    def __init__(self, channels: Channels) -> None:
        super().__init__(channels.most)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        now, n = self.now, x.shape[1]
        assert self.running_mean is not None
        assert self.running_var is not None
        normed = functional.batch_norm(
            x,
            self.running_mean[:n],
            self.running_var[:n],
            self.weight[:n],
            self.bias[:n],
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        if now.mixture is None or not self.channels.decisions:
            return normed
        return normed * self.channels.shares(now)[:, None, None]


class ElasticLinear(nn.Linear):
    """A linear layer of the first so many features, as many as come in."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight[:, : x.shape[1]], self.bias)
