"""What the tests of every room share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import nasbench as nb
from nasbench.space import CellSpace

# No test depends on how fast the machine is.
settings.register_profile("nasbench", deadline=None, max_examples=60)
settings.load_profile("nasbench")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of published figures to check against, which no installation needs."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NASBENCH_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no published figures in {folder}; NASBENCH_SHARED_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def published(shared_data: Path) -> Mapping[str, Any]:
    """NAS-Bench-201 on CIFAR-10 as its authors published it: arrays in the official order."""
    with np.load(shared_data / "nb201_cifar10.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="session")
def nb201() -> CellSpace:
    return nb.space("nb201")


@pytest.fixture(scope="session")
def mini() -> CellSpace:
    return nb.space("nb201-mini")
