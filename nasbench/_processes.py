"""Worker processes: how many, and that they do not outlive who started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process

__all__ = ["cores", "leave_with_parent"]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave_with_parent() -> None:
    """End this process when its parent is killed: nobody would take its results."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
