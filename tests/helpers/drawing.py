"""Figures are made and not drawn, which is most of what a page takes, but for who looks at them.

That is a test with the mark `drawn`, or what a fixture makes within `drawn()`: figures as the page
has them. Their files for a paper are drawn where they are asked for by name: `svg`, or `pdf`, which
takes as long as two others, since letters are embedded into each, and has the SVG beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

_kinds: tuple[str, ...] | None = None


def begin(item: pytest.Item) -> None:
    """Whether what follows is drawn, from before the test's fixtures are made."""
    global _kinds
    mark = item.get_closest_marker("drawn")
    _kinds = mark and mark.args


@contextmanager
def drawn(*kinds: str) -> Iterator[None]:
    """Figures are drawn meanwhile, for a paper, too, with `drawn("svg")` or `drawn("pdf")`."""
    with _as(kinds):
        yield


@contextmanager
def _as(kinds: tuple[str, ...] | None) -> Iterator[None]:
    global _kinds
    before, _kinds = _kinds, kinds
    try:
        yield
    finally:
        _kinds = before


@contextmanager
def by_marks() -> Iterator[None]:
    """Let marks decide meanwhile."""
    real = Figure.savefig

    def save(figure: Figure, file: Any, *, format: str = "", **given: Any) -> None:
        if _kinds is not None and (format != "pdf" or "pdf" in _kinds):
            return real(figure, file, **({"format": format} if format else {}), **given)
        named = {artist.get_gid() for artist in figure.findobj()} - {None}
        marks = "".join(f'<g id="{name}"><use /></g>\n' for name in sorted(named))
        svg = f'<svg width="1pt" height="1pt" viewBox="0 0 1 1">\n{marks}</svg>'
        text = svg if format == "svg" else "%PDF-"
        place = Path(file) if isinstance(file, str) else file
        _ = place.write_text(text, "utf-8") if isinstance(place, Path) else place.write(text)
        return None

    def to_svg(figure: Figure) -> str:
        with _as(_kinds or None):  # without a kind, for the page alone
            return for_paper(figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        if paper := sys.modules.get("nasbench.report.paper"):  # what was collected reports
            for_paper = paper.to_svg
            patch.setattr(paper, "to_svg", to_svg)
        yield
