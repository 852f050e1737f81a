"""Perceptrons of several layers: for tables of features, and for policies."""

from __future__ import annotations

from nasbench.space.choices import ChoiceSpace
from nasbench.space.drawing import DrawnBlock, DrawnStage

__all__ = ["mlp", "policy_mlp"]


def mlp() -> ChoiceSpace:
    """Perceptrons for tables of features: 720 networks, all different.

    `depth` counts the hidden layers between the first and the last.
    """
    space = ChoiceSpace(
        "mlp",
        {
            "depth": (1, 2, 3, 4),
            "width": (8, 16, 32, 64, 128),
            "activation": ("relu", "gelu", "tanh"),
            "norm": ("none", "batch", "layer"),
            "residual": (False, True),
            "dropout": (0.0, 0.2),
        },
    )
    hidden = DrawnBlock("norm {norm}\n{activation}\nlinear {width}", "activation")
    space.stages = (
        DrawnStage("columns", (DrawnBlock("linear {width}"),)),
        DrawnStage("residual {residual}\ndropout {dropout}", (hidden,), "depth"),
        DrawnStage("answer", (DrawnBlock("{activation}\nlinear"),)),
    )
    return space


def policy_mlp() -> ChoiceSpace:
    """Policies with a value, for reinforcement learning: 180 networks, all different.

    `shared` says whether actions and value come from the same hidden layers.
    """
    space = ChoiceSpace(
        "policy-mlp",
        {
            "depth": (1, 2, 3),
            "width": (4, 8, 16, 32, 64),
            "activation": ("relu", "tanh", "silu"),
            "norm": ("none", "layer"),
            "shared": (True, False),
        },
    )
    hidden = DrawnBlock("linear {width}\nnorm {norm}\n{activation}", "activation")
    space.stages = (
        DrawnStage("observation\nshared {shared}", (hidden,), "depth"),
        DrawnStage("answer", (DrawnBlock("policy\nlinear"), DrawnBlock("value\nlinear"))),
    )
    return space
