"""A repository of small tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from earlier_tasks import MakeTask, write_task
from numpy.typing import ArrayLike

from nasbench.table import Table


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """Writes a task's table into the test's own repository, `earlier`."""

    def make(name: str, accuracy: ArrayLike, **options: Any) -> Table:
        folder = tmp_path / "earlier"
        folder.mkdir(exist_ok=True)
        return write_task(folder / f"{name}.h5", accuracy, **options)

    return make
