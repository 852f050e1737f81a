"""A space in a file of the user's own, as the guide shows it."""

from __future__ import annotations

from pathlib import Path

MY_SPACE = """\
from torch import nn

from nasbench.space import ChoiceSpace

space = ChoiceSpace(
    "widths",
    {"depth": [1, 2], "kernel2": [1, 3], "drop": [0.0, 0.2]},
    only_if={"kernel2": {"depth": [2]}},
)


def build(choices, inputs, outputs, *, width=4):
    layers, channels = [], inputs.shape[0]
    for place in range(choices["depth"]):
        kernel = choices["kernel2"] if place else 3
        layers += [nn.Conv2d(channels, width, kernel, 2, kernel // 2), nn.ReLU()]
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(choices["drop"])]
    return nn.Sequential(*layers, nn.Linear(width, outputs))
"""

RECIPE = """\
space = "my_space.py"
task = "digits"

[recipe.r]
epochs = 2
train_images = 60
valid_images = 50
test_images = 40
"""


def written(folder: Path, recipe: str = RECIPE, space: str = MY_SPACE) -> Path:
    """The recipe's path, its space beside it."""
    (folder / "my_space.py").write_text(space)
    path = folder / "mine.toml"
    path.write_text(recipe)
    return path
