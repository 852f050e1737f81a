"""What a build may ask for, in sum: beyond it memory ends, and a process with it.

Each number of a recipe has a bound of its own (see `Recipe` and `DeviceSpec`); these are of what
they come to together with the space and the images. All are far beyond what trains in a
lifetime, or fits into the memory of one machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nasbench.errors import Unsupported
from nasbench.space import CellSpace

if TYPE_CHECKING:
    from nasbench.building.spec import BuildSpec

__all__ = ["check_extent", "check_sizes", "check_whole"]

MOST_WEIGHTS = 10**9
"""Of a network: 4 GB in float32, and three times as much with gradients and momentum."""
MOST_LAYERS = 20_000
"""Operations of a network, each a few objects of Python."""
MOST_FEATURES = 2**34
"""Values of all feature maps of a batch that is trained: 64 GiB in float32."""
MOST_INPUTS = 2**30
"""Values of the largest feature map of a batch that a device runs: 4 GiB in float32."""
MOST_TRAININGS = 10**7
MOST_VALUES = 10**9
"""Of a table's curve: 4 GB, of which a recipe has five."""

_KERNELS = {"nor_conv_3x3": 9, "nor_conv_1x1": 1}
"""Weights of an operation by pairs of channels; the others have none."""


def check_sizes(spec: BuildSpec) -> None:
    """Refuse networks and batches that no machine holds.

    Raises:
        Unsupported: naming the recipe or device and the limit.
    """
    if not isinstance(spec.space, CellSpace):
        _check_others(spec)
        return
    _, height, width = spec.task.shape
    edges = len(spec.space.pairs)
    kernel = max(_KERNELS.get(name, 0) for name in spec.space.operations)
    for name, recipe in spec.recipes.items():
        # Three stages of 1, 2 and 4 times the channels, on 1, 1/4 and 1/16 of the pixels; between
        # them two blocks of two 3x3 convolutions and a 1x1 one each.
        squares = 21 * kernel * edges * recipe.cells + 56 * (1 + 4)
        images = min(recipe.batch_size, recipe.train_images or len(spec.task.train))
        features = 1.75 * recipe.channels * edges * recipe.cells * height * width * images
        sizes = {
            "weights": (recipe.channels**2 * squares, MOST_WEIGHTS),
            "operations": (3 * edges * recipe.cells, MOST_LAYERS),
            "values in the feature maps of a batch": (int(features), MOST_FEATURES),
        }
        for what, (size, most) in sizes.items():
            _check(f"a network of recipe {name} has", size, what, most)
    channels = max((recipe.channels for recipe in spec.recipes.values()), default=1)
    for device in spec.devices:
        size = device.batch_size * max(channels, spec.task.signal.shape[0]) * height * width
        _check(f"a batch of device {device.name} has", size, "values in a feature map", MOST_INPUTS)


def _check_others(spec: BuildSpec) -> None:
    """What can be said of networks before one is built: their inputs."""
    each = math.prod(spec.task.signal.shape)
    for name, recipe in spec.recipes.items():
        examples = min(recipe.batch_size, recipe.train_images or len(spec.task.train))
        _check(f"a batch of recipe {name} has", each * examples, "values", MOST_FEATURES)
    for device in spec.devices:
        _check(
            f"a batch of device {device.name} has", each * device.batch_size, "values", MOST_INPUTS
        )


def check_extent(spec: BuildSpec, architectures: int) -> None:
    """Refuse more trainings, or longer curves, than a table can hold.

    Args:
        spec: of the build.
        architectures: that are trained, or are rows of the table.

    Raises:
        Unsupported: naming the limit.
    """
    each = architectures * len(spec.seeds)
    _check("the build has", each * len(spec.recipes), "trainings", MOST_TRAININGS)
    for name, recipe in spec.recipes.items():
        _check(f"a curve of recipe {name} has", each * recipe.epochs, "values", MOST_VALUES)


def check_whole(spec: BuildSpec) -> None:
    """Refuse to train a space whole that cannot be listed, or is more than a table can hold.

    Raises:
        Unsupported: naming the limit.
    """
    if not spec.space.listable:
        raise Unsupported(
            f"{spec.space.name} has {spec.space.size:,} architectures, too many to train them all: "
            f"train a sample, as in --sample 100"
        )
    check_extent(spec, spec.distinct)


def _check(subject: str, size: int, what: str, most: int) -> None:
    if size > most:
        raise Unsupported(f"{subject} some {size:,} {what}, of which {most:,} are the most")
