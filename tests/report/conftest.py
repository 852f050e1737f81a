"""The table to report on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_report import write_made_up

from nasbench.table import Table


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table whose name must be escaped."""
    return write_made_up(tmp_path_factory.mktemp("report") / "made-up.h5", "made & <up>")


@pytest.fixture
def other_table(tmp_path: Path) -> Callable[[int], Table]:
    """Another table of the same space and of the same hostile name, by seed."""
    return lambda seed: write_made_up(tmp_path / f"{seed}.h5", "made & <up>", seed)
