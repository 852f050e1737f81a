"""By how much whole networks take more or less than the sum of their parts, part by part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_factor", "factors_of_parts"]

Floats = NDArray[np.float64]

DOUBT = 0.1
"""How little a whole network is believed beside the parts' own measurements: of five to ten, .03 to
.3 gave alike errors over three families and two runtimes."""


def common_factor(sums: Floats, measured: Floats) -> float:
    """The geometric mean of what was measured by the sum of parts, each `[n]`."""
    return float(np.exp(np.mean(np.log(measured / sums))))


def factors_of_parts(parts: Floats, measured: Floats) -> Floats:
    """A factor for each part, by which sums over parts come near what was measured.

    A part costs within a network what it costs alone, times a factor of its own: caches are
    fuller, or a layout need not be changed. Factors are random about the common one, with a
    variance that falls with the part's share, as of a sum of many small errors; so this is the
    regression of a Gaussian process (Rasmussen & Williams 2006, equation 2.25) on relative errors.
    A handful of networks moves what they spend most on, together, and hardly anything else.

    Args:
        parts: what the parts of each network cost alone, `[n, parts]`, each sum above 0.
        measured: what each network took, above 0, `[n]`.

    Returns:
        `[parts]`, none below 0.

    Example:
        >>> parts = np.asarray([[4.0, 1.0], [1.0, 4.0], [3.0, 3.0]])
        >>> factors_of_parts(parts, parts @ [1.0, 1.0]).round(6).tolist()
        [1.0, 1.0]
        >>> first, second = factors_of_parts(parts, parts @ [1.5, 1.0])
        >>> bool(1.3 < first < 1.5 and 1.0 < second < 1.2)
        True
    """
    common = common_factor(parts.sum(1), measured)
    factors = np.full(parts.shape[1], common)
    if len(factors) == 1:
        return factors
    relative = parts / measured[:, None]
    share = relative.mean(0)
    there = share > 0
    relative, share = relative[:, there], share[there]
    alike = (relative / share) @ relative.T
    misses = 1.0 - common * parts.sum(1) / measured
    weights = np.linalg.solve(alike + DOUBT * len(measured) * np.eye(len(measured)), misses)
    factors[there] += (relative.T @ weights) / share
    found: Floats = np.maximum(factors, 0.0)
    return found
