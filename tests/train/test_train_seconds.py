"""What a training took is the processor's time on one thread, and the wall's elsewhere."""

import time

import pytest
import torch

from nasbench.train.reference import cpu_threads
from nasbench.train.seconds import clock_of


def test_one_thread_is_timed_by_the_processor_and_more_by_the_wall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 1.0)
    monkeypatch.setattr(time, "perf_counter", lambda: 2.0)
    cpu = torch.device("cpu")
    with cpu_threads(1):
        one = clock_of(cpu)
    with cpu_threads(2):
        # The clock stays the one that it was, whatever a training does to PyTorch's threads.
        assert (one(), clock_of(cpu)()) == (1.0, 2.0)
