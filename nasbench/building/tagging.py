"""Tags of a recipe's family: which networks are looked at to measure them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasbench._progress import Progress, silent
from nasbench.building.costs import choose_rows
from nasbench.building.measuring import timed_network
from nasbench.building.spec import BuildSpec
from nasbench.device import Device
from nasbench.device.tagging import measure_tags
from nasbench.device.tags import Tags

__all__ = ["tag_operations"]


def tag_operations(
    spec: BuildSpec,
    device: Device,
    *,
    sample: int = 100,
    whole: int = 5,
    seed: int = 0,
    progress: Progress = silent,
) -> Tags:
    """Measure the units of a recipe's networks.

    Args:
        spec: whose networks, in the sizes of its first recipe.
        device: to measure on.
        sample: random architectures in which units are looked for.
        whole: how many of them are measured whole, to say how far sums are off.
        seed: of the sample.
        progress: called as it goes on.
    """
    known = choose_rows(spec, _possible(spec, sample), seed)
    rng = np.random.default_rng(seed)
    checked = rng.permutation(known)[:whole].tolist()
    networks = {spec.space.string(a): timed_network(spec, a) for a in known.tolist()}
    strings = [spec.space.string(a) for a in checked]
    found = measure_tags(device, networks, spec.task.signal, strings, progress)
    return replace(found, about={**found.about, "space": dict(spec.space.describe())})


def _possible(spec: BuildSpec, sample: int) -> int | None:
    """The sample, or all of a space that is no larger."""
    return None if spec.space.listable and spec.distinct <= sample else sample
