"""What befalls examples: corruption, and small steps against the network that sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.inputs import answer_to
from nasbench.task import Signal
from nasbench.task.signal import PADDING, UNKNOWN

__all__ = ["ATTACKS", "Attack", "Harm", "corruptions"]

NOISE = 0.5
"""Standard deviation of what is added to standardised inputs."""
DROPPED = 0.2
"""Share of cells that go missing, and of words that become unknown."""
CONTRAST = 0.4
"""Of which this share is left."""
STEP = 0.1
"""How far an attack moves each number, in standard deviations of the training examples; of images
of 8 bits with a deviation of 90 that is 9 of 255."""
STEPS = 5

Harm = Callable[[Tensor, torch.Generator], Tensor]
"""From inputs `[n, ...]`, standardised, to harmed ones; what it draws is the generator's."""


def corruptions(signal: Signal) -> Mapping[str, Harm]:
    """What can happen to inputs of a kind, by name.

    Images: `noise`, `blur` (the mean of 3 x 3), `contrast` and `occlusion` (a square of half a
    side, anywhere). Sound: `noise`, and of spectrograms `occlusion` of a quarter of all frames.
    Features: `noise` in numbers, and cells that go `missing`: numbers to their mean, categories
    to 0, the unknown one. Tokens: words that become `unknown`, and neighbours that are `swapped`.
    """
    if signal.kind == "image":
        return {"noise": _noise, "blur": _blur, "contrast": _contrast, "occlusion": _occlusion}
    if signal.kind == "audio":
        spectrogram = {"occlusion": _silence} if len(signal.shape) == 3 else {}
        return {"noise": _noise, **spectrogram}
    if signal.kind == "features":
        numbers = torch.tensor([not count for count in signal.categories] or [True])

        def noise(x: Tensor, rng: torch.Generator) -> Tensor:
            return torch.where(numbers.to(x.device), _noise(x, rng), x)

        return {"noise": noise, "missing": _missing}
    return {"unknown": _unknown, "swapped": _swapped}


def _noise(x: Tensor, rng: torch.Generator) -> Tensor:
    return x + NOISE * torch.randn(x.shape, generator=rng).to(x.device)


def _blur(x: Tensor, _: torch.Generator) -> Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _contrast(x: Tensor, _: torch.Generator) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return mean + CONTRAST * (x - mean)


def _occlusion(x: Tensor, rng: torch.Generator) -> Tensor:
    hidden = torch.ones(1, dtype=torch.bool)
    for axis in (2, 3):
        places = torch.arange(x.shape[axis]).view(-1, *[1] * (3 - axis))
        side = x.shape[axis] // 2
        first = torch.randint(x.shape[axis] - side + 1, (len(x), 1, 1), generator=rng)
        hidden = hidden & (places >= first) & (places < first + side)
    return x.masked_fill(hidden[:, None].to(x.device), 0.0)


def _silence(x: Tensor, rng: torch.Generator) -> Tensor:
    frames = x.shape[3]
    long = frames // 4
    first = torch.randint(frames - long + 1, (len(x), 1, 1, 1), generator=rng)
    places = torch.arange(frames)
    hidden = (places >= first) & (places < first + long)
    return torch.where(hidden.to(x.device), x.amin(), x)


def _missing(x: Tensor, rng: torch.Generator) -> Tensor:
    gone = torch.rand(x.shape, generator=rng) < DROPPED
    return x.masked_fill(gone.to(x.device), 0.0)


def _unknown(x: Tensor, rng: torch.Generator) -> Tensor:
    gone = (torch.rand(x.shape, generator=rng) < DROPPED).to(x.device)
    return torch.where(gone & (x != PADDING), UNKNOWN, x)


def _swapped(x: Tensor, rng: torch.Generator) -> Tensor:
    """Words 2k and 2k + 1 change places, of each pair with chance one half; padding stays."""
    even = x.shape[1] // 2 * 2
    pairs = x[:, :even].reshape(len(x), -1, 2)
    chosen = (torch.rand(pairs.shape[:2], generator=rng) < 0.5).to(x.device)
    chosen &= (pairs != PADDING).all(2)
    moved = torch.where(chosen[:, :, None], pairs.flip(2), pairs).flatten(1)
    return torch.cat([moved, x[:, even:]], 1)


class Attack:
    """Steps along the sign of the loss's gradient, within `STEP` of the example.

    Args:
        steps: 1 is Goodfellow, Shlens & Szegedy's fast gradient sign method (ICLR 2015), from
            the example itself. More are projected gradient descent (Madry et al., ICLR 2018),
            from a random start, each step 2.5 / steps of the way.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __call__(
        self, net: nn.Module, x: Tensor, y: Tensor, span: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Inputs that the network finds harder.

        Args:
            net: that does not train.
            x: standardised inputs `[n, ...]`.
            y: their labels.
            span: how far each place of an input may move: `STEP`, and 0 of categories.
            rng: of the start.
        """
        moved, rate = x, 1.0
        if self._steps > 1:
            start = 2 * torch.rand(x.shape, generator=rng).to(x.device) - 1
            moved, rate = x + span * start, 2.5 / self._steps
        for _ in range(self._steps):
            moved = moved.detach().requires_grad_()
            loss = F.cross_entropy(answer_to(net, moved), y)
            (slope,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + rate * span * slope.sign()
            moved = torch.maximum(torch.minimum(moved, x + span), x - span)
        return moved


ATTACKS: Mapping[str, Attack] = {"fgsm": Attack(1), "pgd": Attack(STEPS)}
"""By name, from the weakest."""
