"""Figures for a paper: as wide as its column, with letters as large as its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from nasbench._defaults import FIGURE_FONT, FIGURE_WIDTH
from nasbench._files import write_text
from nasbench.errors import BadValue
from nasbench.report.latex import readable
from nasbench.report.theme import save_pdf, styled, to_svg

__all__ = ["Paper", "save_for_paper"]

COLUMN = 3.6
"""Inches; a wider figure goes across both columns."""
PAGE = 7.0
"""Inches; no figure is wider."""
LETTER = 0.58
"""Widths of a letter, about, as shares of its points."""
_LEAST, _MOST = 1.0, 20.0


@dataclass(frozen=True, slots=True)
class Paper:
    """The measures of a document.

    Attributes:
        width: of its figures, in inches: about 3.3 is a column of two, 5.5 to 7 the whole page.
        font: of its text, in points.

    Raises:
        BadValue: for a size that no paper has.

    Example:
        >>> from nasbench.report.paper import Paper
        >>> Paper(width=5.5, font=10).wide
        True
    """

    width: float = FIGURE_WIDTH
    font: float = FIGURE_FONT

    def __post_init__(self) -> None:
        if not _LEAST <= self.width <= _MOST:
            raise BadValue(f"a figure is {_LEAST:g} to {_MOST:g} inches wide, got {self.width:g}")
        if not 4 <= self.font <= 24:
            raise BadValue(f"a figure's letters are 4 to 24 points large, got {self.font:g}")

    @property
    def wide(self) -> bool:
        """Whether figures go across both columns."""
        return self.width > COLUMN


@styled
def save_for_paper(drawn: Figure, paper: Paper, file: Path) -> bool:
    """Write a figure as PDF and SVG at a paper's measures; it is of no more use afterwards.

    A figure with one pair of axes gets that width, whatever it has on a page. Diagrams whose parts
    are placed by hand, fields, and panels side by side are scaled as a whole, up to the width of a
    page: their letters have the paper's size, or less.

    Args:
        drawn: the figure.
        paper: its measures.
        file: without an ending.

    Returns:
        Whether it is wider than a column.
    """
    width, height = drawn.get_size_inches()
    laid_out = _can_be_laid_out(drawn)
    scale = paper.font / FIGURE_FONT if laid_out else min(paper.font / FIGURE_FONT, PAGE / width)
    ticks: set[Text] = set()
    for axis in (axis for axes in drawn.axes for axis in (axes.xaxis, axes.yaxis)):
        labels: list[Any] = axis.get_ticklabels()
        if labels:  # ticks that come later have their size, too
            axis.set_tick_params(labelsize=labels[0].get_fontsize() * scale)
        ticks.update(labels)
    texts: list[Any] = drawn.findobj(Text)
    for text in texts:
        if text not in ticks:
            text.set_fontsize(text.get_fontsize() * scale)
            text.set_text("  ".join(map(readable, text.get_text().split("  "))))
    if laid_out:
        drawn.set_size_inches(paper.width, paper.width * height / width)
        _wrap(drawn, paper)
        _make_room(drawn, paper)
    else:
        drawn.set_size_inches(width * scale, height * scale)
    svg = to_svg(drawn)
    drawn.set_layout_engine("none")  # the PDF has it, too: to find one takes most of a save
    write_text(file.with_name(f"{file.name}.svg"), svg)
    save_pdf(drawn, file.with_name(f"{file.name}.pdf"))
    return bool(drawn.get_figwidth() > COLUMN)


def _can_be_laid_out(drawn: Figure) -> bool:
    """Whether its parts find their places at any width."""
    if not isinstance(drawn.get_layout_engine(), ConstrainedLayoutEngine) or len(drawn.axes) != 1:
        return False
    return drawn.axes[0].get_aspect() == "auto"


def _wrap(drawn: Figure, paper: Paper) -> None:
    """Labels of axes that are longer than these take two lines."""
    letter = paper.font * LETTER / 72
    for axes in drawn.axes:
        box = axes.get_position()
        axes.set_xlabel(fill(axes.get_xlabel(), int(max(box.width * paper.width / letter, 12))))
        height = drawn.get_figheight()
        axes.set_ylabel(fill(axes.get_ylabel(), int(max(box.height * height / letter, 12))))


def _make_room(drawn: Figure, paper: Paper) -> None:
    """Legends below the axes get as many columns as fit, and the figure their height."""
    below = list(drawn.legends)
    drawn.legends.clear()
    for old in below:
        labels = [text.get_text() for text in old.get_texts()]
        for columns in range(min(4, len(labels)), 0, -1):
            legend = drawn.legend(
                [handle for handle in old.legend_handles if handle is not None],
                labels,
                loc="outside lower left",
                ncols=columns,
                fontsize=paper.font * 8 / 9,
            )
            box = legend.get_window_extent()
            if box.width / drawn.dpi <= paper.width or columns == 1:
                break
            legend.remove()
        width, height = drawn.get_size_inches()
        drawn.set_size_inches(width, height + box.height / drawn.dpi)
