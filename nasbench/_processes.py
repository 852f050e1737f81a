"""Worker processes that do not outlive who started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process

__all__ = ["leave_with_parent"]


def leave_with_parent() -> None:
    """End this process when its parent is killed: nobody would take its results."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
