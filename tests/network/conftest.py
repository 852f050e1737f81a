"""What the tests of networks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import nasbench as nb
from nasbench.task import Task


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from a second thread, and wait for it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Task:
    return nb.task("digits")
