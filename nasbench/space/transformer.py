"""Small transformers for text."""

from __future__ import annotations

from nasbench.space.choices import ChoiceSpace
from nasbench.space.drawing import DrawnBlock, DrawnStage

__all__ = ["transformer"]


def transformer() -> ChoiceSpace:
    """Transformer encoders of 1 to 3 layers: 972 networks, all different.

    `dim` is the width of a token, `ffn` how many times wider the feed-forward layers are;
    `norm` stands before attention and feed-forward or behind; `position` says how a token's
    place is added to it.
    """
    space = ChoiceSpace(
        "transformer",
        {
            "layers": (1, 2, 3),
            "dim": (32, 64),
            "heads": (1, 2, 4),
            "ffn": (1, 2, 4),
            "activation": ("relu", "gelu", "silu"),
            "norm": ("pre", "post"),
            "position": ("none", "learned", "sinusoid"),
        },
    )
    attention = DrawnBlock("attention\nheads {heads}", "heads")
    fed = DrawnBlock("feed-forward\n{ffn} × {dim}\n{activation}", "activation")
    space.stages = (
        DrawnStage("tokens", (DrawnBlock("embedding\n{dim} wide\nposition {position}"),)),
        DrawnStage("layers, {norm}-norm", (attention, fed), "layers"),
        DrawnStage("answer", (DrawnBlock("mean\nlinear"),)),
    )
    return space
