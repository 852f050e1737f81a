"""How figures look: one drawing for the page, in light and dark, and for the paper."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from zlib import crc32

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from nasbench._defaults import FIGURE_FONT

__all__ = [
    "COLOURS",
    "FAINT",
    "INK",
    "figure",
    "inline_svg",
    "label",
    "page_colours",
    "plain_numbers",
    "prefix_of",
    "save_pdf",
    "series",
    "styled",
    "to_svg",
]

# Okabe & Ito, "Color Universal Design", 2008: told apart by colour-blind readers; lines and
# points differ in dashes too. The last four are of our own, for where there are many lines.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#882255", "#999933", "#5D3FD3", "#6F4E37"),
)
_NAMES = tuple(f"series-{i}" for i in range(len(COLOURS)))
DASHES = ("-", "--", "-.", ":")

# Stand for the page's own colours, which follow the reader's light or dark setting.
INK, FAINT = "#010203", "#a1a2a3"
_STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.dpi": 100,
    "font.family": "sans-serif",
    "font.size": FIGURE_FONT,
    "legend.frameon": False,
    # TrueType letters: what checks papers before they are printed refuses Type 3.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "nasbench",
    "text.color": INK,
    # Names are drawn as they are: a dollar sign in one begins no formula.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Letters are only measured here; what shows a figure has fonts for more of them.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


styled = _style()
"""Decorates what draws: matplotlib takes colours and fonts when an artist is made."""


def label(name: str) -> str:
    """A name as a legend shows it: matplotlib leaves out those that begin with an underscore."""
    return f" {name}" if name.startswith("_") else name


@styled
def figure(width: float = 4.6, height: float = 3.2) -> tuple[Figure, Axes]:
    """An empty figure of that size in inches, with its axes."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.add_subplot()
    axes.grid(color=FAINT, linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    return drawn, axes


def plain_numbers(axis: Axis) -> None:
    """Write 0.1, 1 and 10 along a logarithmic axis: its own powers are formulas, see `_STYLE`."""
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def series(n: int) -> list[tuple[str, str]]:
    """A colour and a dash for each of `n` series; up to 20 no two are alike in both."""
    return list(islice(zip(cycle(COLOURS), cycle(DASHES), strict=False), n))


@styled
def to_svg(drawn: Figure) -> str:
    """The figure as an SVG document for a paper, the same each time."""
    buffer = StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@styled
def save_pdf(drawn: Figure, path: Path) -> None:
    """Write the figure as PDF, the same bytes each time."""
    drawn.savefig(path, format="pdf", metadata={"CreationDate": None})


def page_colours(text: str) -> str:
    """SVG with the page's colours, which follow the reader's setting, in place of fixed ones."""
    for colour, name in (*zip(COLOURS, _NAMES, strict=True), (INK, "ink"), (FAINT, "faint")):
        text = text.replace(colour.lower(), f"var(--{name})")
    return text


def prefix_of(label: str) -> str:
    """What begins the ids of the figure of that label, and of no other on its page."""
    return f"f{crc32(label.encode(errors='surrogateescape')):x}"


def inline_svg(svg: str, label: str, tips: Mapping[str, Sequence[str]]) -> str:
    """An SVG document of `to_svg` as an `<svg>` element for the page, in the page's colours.

    Args:
        svg: the document.
        label: what a screen reader says of it; different for each figure of a page.
        tips: for the artists with these gids, what hovering over each of their points shows.
    """
    svg = page_colours(_short(svg[svg.index("<svg") :]))
    # Its own ids must not meet those of another figure on the page.
    prefix = prefix_of(label)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    for gid, texts in tips.items():
        svg = _with_tips(svg, f"{prefix}-{gid}", texts)
    attributes = f'class="figure" role="img" aria-label="{escape(label, quote=True)}"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def _short(svg: str) -> str:
    """The same figure in half of the bytes: hundredths of a point, short ids, the page's fonts."""
    for place, found in enumerate(dict.fromkeys(re.findall(r'id="(\w*[0-9a-f]{10})"', svg))):
        svg = svg.replace(found, f"{place}")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*(; )?", "", svg)

    def tag(match: re.Match[str]) -> str:
        return re.sub(r"(\.\d\d)\d+", r"\1", match.group())

    return re.sub(r"\n\s*<", "\n<", re.sub(r"<[^>]*>", tag, svg))


def _with_tips(svg: str, gid: str, texts: Sequence[str]) -> str:
    """Give the n-th mark of a group the n-th text as its `data-tip`."""
    start = svg.index(f'<g id="{gid}"')
    depth, at = 0, start
    for match in re.finditer(r"<g\b|</g>", svg[start:]):
        depth += 1 if match.group() == "<g" else -1
        at = start + match.end()
        if depth == 0:
            break
    waiting = iter(texts)

    def mark(match: re.Match[str]) -> str:
        text = next(waiting, None)
        return match.group() if text is None else f'<use data-tip="{escape(text, quote=True)}" '

    # Each mark has a frame of its own to be cut by, which none that is shown reaches.
    group = re.sub(r'<g clip-path="[^"]*">\s*(<use [^>]*/>)\s*</g>', r"\1", svg[start:at])
    group = _with_one_fill(re.sub(r"<use ", mark, group))
    return svg[:start] + group + svg[at:]


def _with_one_fill(group: str) -> str:
    """A group of marks, which says once the colour that all of them have."""
    fills = set(re.findall(r'<use data-tip[^>]* style="fill: ([^;"]*)', group))
    if len(fills) != 1:
        return group
    group = re.sub(r'(<use data-tip[^>]* style=")fill: [^;"]*(; )?', r"\1", group)
    return group.replace("<g ", f'<g style="fill: {fills.pop()}" ', 1)
