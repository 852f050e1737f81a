"""Words of messages that depend on a number, and numbers as they are written."""

from __future__ import annotations

import shlex

__all__ = ["counted", "in_shell", "rounded"]


def counted(n: int, what: str, several: str = "") -> str:
    """So many of what, which is in the singular; `several` where its plural has more than an s.

    Example:
        >>> counted(1, "epoch"), counted(12_000, "epoch")
        ('1 epoch', '12,000 epochs')
        >>> counted(2, "class", "classes")
        '2 classes'
    """
    return f"{n:,} {what if n == 1 else several or f'{what}s'}"


def in_shell(value: object) -> str:
    """A path or a name as a word of a command that is printed to be copied.

    Example:
        >>> in_shell("T.h5"), in_shell("my table.h5")
        ('T.h5', "'my table.h5'")
    """
    return shlex.quote(str(value))


def rounded(value: float, most: int = 4) -> str:
    """So many digits, and before the point all there are: no exponent of what is large.

    Example:
        >>> rounded(12_483.2), rounded(0.029_114), rounded(12.0)
        ('12,483', '0.02911', '12')
    """
    return f"{value:,.0f}" if abs(value) >= 10 ** (most - 1) else f"{value:.{most}g}"
