"""What a training took: seconds of the processor where it has one thread, else those of the wall.

A machine that does other things besides makes a training's wall time longer, not its work.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

__all__ = ["clock_of"]


def clock_of(hardware: torch.device) -> Callable[[], float]:
    """A clock, in seconds, of which only differences are taken.

    On one CPU thread it counts CPU time of this process, as the native engine does; elsewhere
    wall time, once the hardware has done what it was given.

    Args:
        hardware: that trains, with as many threads as PyTorch has now.
    """
    if hardware.type == "cpu" and torch.get_num_threads() == 1:
        return time.process_time

    def clock() -> float:
        if hardware.type == "cuda":
            torch.cuda.synchronize(hardware)
        elif hardware.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    return clock
