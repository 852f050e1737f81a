"""The parts that the shipped networks are made of, and that a network of one's own can use.

All of it is plain `torch.nn`: what is called here returns a module, and modules of images map
`[n, channels, height, width]` to the same with other channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import Unsupported, unknown

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Attention",
    "ChannelNorm",
    "ImageHead",
    "Residual",
    "SqueezeExcite",
    "activation_of",
    "conv_bn",
    "image_channels",
    "inverted_residual",
    "rounded",
]

Activation = Callable[[], nn.Module]

ACTIVATIONS: Mapping[str, Activation] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "hardswish": nn.Hardswish,
}
"""Activations by the names that choices give them."""

Skip = Literal["identity", "pool", "none"]
"""What goes round a block whose output has the shape of its input."""


def activation_of(name: str) -> Activation:
    """What makes the activation of that name; raises UnknownName naming the near ones.

    Example:
        >>> activation_of("gelu")()
        GELU(approximate='none')
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]


def image_channels(inputs: Signal) -> int:
    """The channels of what goes into a network of images: log-mel spectrograms are images.

    Raises:
        Unsupported: where what goes in has no height and width, such as a waveform.

    Example:
        >>> from nasbench.task import Signal
        >>> image_channels(Signal("image", (3, 32, 32), "uint8"))
        3
    """
    if inputs.kind not in ("image", "audio") or len(inputs.shape) != 3:
        raise Unsupported(f"a network of images or log-mel spectrograms cannot take {inputs}")
    return inputs.shape[0]


def rounded(channels: float, to: int = 8) -> int:
    """The multiple of `to` nearest to a scaled number of channels, never under 90 % of it.

    So Sandler et al. (MobileNetV2, CVPR 2018) and all who followed scale a width.

    Example:
        >>> rounded(32 * 1.4), rounded(24 * 0.35)
        (48, 8)
    """
    nearest = max(to, int(channels + to / 2) // to * to)
    return nearest + to if nearest < 0.9 * channels else nearest


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: Activation | None = None,
) -> nn.Sequential:
    """A convolution without bias that keeps the image's size up to its stride, and BatchNorm.

    Example:
        >>> conv_bn(3, 16, 3, stride=2, activation=nn.ReLU)[0]
        Conv2d(3, 16, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
    """
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Residual(nn.Module):
    """What a body computes, added to its input.

    Args:
        body: from a shape to the same shape.
        shortcut: what the input passes through; nothing unless given.

    Example:
        >>> import torch
        >>> Residual(nn.Identity())(torch.ones(1))
        tensor([2.])
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        skipped: Tensor = self.shortcut(x)
        residual: Tensor = self.body(x)
        return skipped + residual


class SqueezeExcite(nn.Module):
    """Each channel scaled by a number in (0, 1) that the mean of all channels decides.

    Hu, Shen & Sun, "Squeeze-and-Excitation Networks", CVPR 2018.

    Args:
        channels: of input and output.
        squeezed: in between.
        activation: in between.
    """

    def __init__(self, channels: int, squeezed: int, activation: Activation) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = activation()
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.activation(self.reduce(x.mean((2, 3), keepdim=True)))
        scale: Tensor = self.expand(squeezed).sigmoid()
        return x * scale


def inverted_residual(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    *,
    expand: float = 6,
    squeeze: float = 0.0,
    activation: Activation = nn.ReLU6,
    skip: Skip = "identity",
) -> nn.Module:
    """The block of MobileNetV2: expand by 1 x 1, filter each channel alone, project by 1 x 1.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: of the depthwise convolution, odd.
        stride: of the depthwise convolution.
        expand: how many times wider the middle is; at 1 there is no first convolution.
        squeeze: the channels of a `SqueezeExcite` in the middle as a share of `inputs`; 0: none.
        activation: after the first two convolutions; the third has none.
        skip: what goes round the block where input and output have the same shape.

    Example:
        >>> sum(p.numel() for p in inverted_residual(16, 24, stride=2).parameters())
        5136
    """
    hidden = round(inputs * expand)
    layers = [conv_bn(inputs, hidden, activation=activation)] if expand != 1 else []
    layers.append(conv_bn(hidden, hidden, kernel, stride, groups=hidden, activation=activation))
    body: list[nn.Module] = [*layers]
    if squeeze:
        body.append(SqueezeExcite(hidden, max(1, int(inputs * squeeze)), activation))
    body.append(conv_bn(hidden, outputs))
    return skipped(nn.Sequential(*body), skip if stride == 1 and inputs == outputs else "none")


def skipped(body: nn.Module, skip: Skip) -> nn.Module:
    """A body with what goes round it: its input, that input averaged over 3 x 3, or nothing."""
    if skip == "none":
        return body
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False) if skip == "pool" else None
    return Residual(body, pool)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each place of an image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Attention of every place of a sequence to all of them: `[n, length, width]` to the same.

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Args:
        width: of the sequence, a multiple of `heads`.
        heads: so many attend apart.

    Example:
        >>> import torch
        >>> Attention(8, heads=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise Unsupported(f"{heads} heads cannot share a width of {width}: it is no multiple")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Attend; `keep`, bool `[n, length]`, says which places can be attended to."""
        # [n, length, 3 * width] to [3, n, heads, length, width / heads]
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        mask = None if keep is None else keep[:, None, None, :]
        attended = functional.scaled_dot_product_attention(q, k, v, mask)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out


class ImageHead(nn.Sequential):
    """The mean over an image's places, dropout, and a linear layer: `[n, outputs]`.

    Args:
        channels: of the image.
        outputs: how many numbers come out.
        dropout: the share of channels that a training leaves out, 0 to below 1.
    """

    def __init__(self, channels: int, outputs: int, dropout: float = 0.0) -> None:
        layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        layers += [nn.Dropout(dropout)] if dropout else []
        super().__init__(*layers, nn.Linear(channels, outputs))
