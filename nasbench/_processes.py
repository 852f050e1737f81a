"""Worker processes: how many, with how much, and that they do not outlive who started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process

__all__ = ["cores", "leave_with_parent", "memory"]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory that this machine has; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def leave_with_parent() -> None:
    """End this process when its parent is killed: nobody would take its results."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
