"""How large a network is: no proxy worth its cost should be worse."""

from __future__ import annotations

import numpy as np

from nasbench.proxy.probe import Probe, Values

__all__ = ["flops", "params"]


def params(probe: Probe) -> Values:
    """Trainable numbers; see `nasbench.network.count.Counts`."""
    return np.asarray([counts.parameters for counts in probe.counts], dtype=np.float64)


def flops(probe: Probe) -> Values:
    """Multiply-adds for one image; see `nasbench.network.count.Counts`."""
    return np.asarray([counts.flops for counts in probe.counts], dtype=np.float64)
