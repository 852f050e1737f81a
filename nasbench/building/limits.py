"""What a build may ask for, in sum: beyond it memory ends, and a process with it.

Each number of a recipe has a bound of its own (see `Recipe` and `DeviceSpec`); these are of what
they come to together with the space and the images. All are far beyond what trains in a
lifetime, or fits into the memory of one machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nasbench.errors import Unsupported
from nasbench.network.extent import extent_of

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


def check_sizes(spec: BuildSpec) -> None:
    """Refuse networks and batches that no machine holds.

    Raises:
        Unsupported: naming the recipe or device and the limit.
    """
    each = math.prod(spec.task.signal.shape)
    widest = each
    for name, recipe in spec.recipes.items():
        examples = min(recipe.batch_size, recipe.train_images or len(spec.task.train))
        known = extent_of(spec.space, spec.task.signal, recipe.channels, recipe.cells)
        if known is None:
            _check(f"a batch of recipe {name} has", each * examples, "values", MOST_FEATURES)
            continue
        widest = max(widest, known.largest)
        features = int(known.values * examples)
        of = f"a network of recipe {name} has"
        _check(of, known.weights, "weights", MOST_WEIGHTS)
        _check(of, known.operations, "operations", MOST_LAYERS)
        _check(of, features, "values in the feature maps of a batch", MOST_FEATURES)
    for device in spec.devices:
        size = device.batch_size * widest
        _check(f"a batch of device {device.name} has", size, "values in a feature map", MOST_INPUTS)


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
