"""Installs the strategies of `cheating` as a stranger's package, so that any process finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cheating
import pytest

from nasbench.search import strategy


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Until the end of the block; the folder must be empty."""
    info = folder / "cheating-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cheating\nVersion: 1.0\n")
    names = [
        name
        for name, one in vars(cheating).items()
        if isinstance(one, type) and issubclass(one, cheating.Honest)
    ]
    points = "".join(f"{name} = cheating:{name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[{strategy.GROUP}]\n{points}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        strategy._registered.cache_clear()
        yield
    strategy._registered.cache_clear()
