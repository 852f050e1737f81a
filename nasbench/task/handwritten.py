"""The digits that scikit-learn ships, read from its file.

To import scikit-learn takes each process more than a second of CPU, to read the file hundredths.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["handwritten"]


def handwritten() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All 1,797 images, float64 `[n, 8, 8]` from 0 to 16, and their labels, int64 `[n]`."""
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)

    from sklearn.datasets import load_digits  # it keeps the file elsewhere, or is not here

    data = load_digits()
    return data.images, data.target.astype(np.int64)
