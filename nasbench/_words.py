"""Words of messages that depend on a number."""

from __future__ import annotations

__all__ = ["counted"]


def counted(n: int, what: str, several: str = "") -> str:
    """So many of what, which is in the singular; `several` where its plural has more than an s.

    Example:
        >>> counted(1, "epoch"), counted(12_000, "epoch")
        ('1 epoch', '12,000 epochs')
        >>> counted(2, "class", "classes")
        '2 classes'
    """
    return f"{n:,} {what if n == 1 else several or f'{what}s'}"
