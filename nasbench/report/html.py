"""Pages: the templates that they are made from, and figures as a page shows them.

What draws was weighed. A page must be read on paper, by screen readers, with scripts off and
without a network, and its figures are those of the paper: matplotlib draws them once, as SVG in the
page, and `templates/page.js` shows, hides, names and pins what is drawn already. A library that
draws in the browser leaves an empty page where scripts are off, needs a second drawing for the
paper, and stands whole in every page. Minified, as their packages had it in November 2026: plotly
4.8 MB, Vega with Vega-Lite and Embed 0.83 MB, Observable Plot with D3 0.49 MB, uPlot 51 kB, which
draws on a canvas that says nothing to a screen reader. What they add is zooming.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from nasbench._names import printable
from nasbench._version import __version__
from nasbench.report.theme import page_colours, prefix_of

__all__ = ["Key", "environment", "legend_apart"]


def environment() -> Environment:
    """Templates of pages: a page of one's own extends `base.html`, which has style and script.

    It fills the blocks `body`, and `style` and `script` where it needs more than all pages have.
    Every value is escaped and put on one line.

    Example:
        >>> from nasbench.report.html import environment
        >>> page = environment().from_string(
        ...     "{% extends 'base.html' %}{% block body %}<h1>{{ title }}</h1>{% endblock %}"
        ... )
        >>> "<h1>&lt;b&gt;</h1>" in page.render(title="<b>")
        True
    """
    loader = PackageLoader("nasbench.report")
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_on_one_line,
        trim_blocks=True,
    )
    made.globals["version"] = __version__
    made.globals["asset"] = lambda name: Markup(loader.get_source(made, name)[0])
    return made


def _on_one_line(value: Any) -> Any:
    """What the page shows; figures are HTML of our own."""
    return value if isinstance(value, Markup) else printable(str(value))


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend, as HTML.

    Attributes:
        label: its words.
        swatch: how what it names is drawn.
        target: the id of what it names; that and all that begin with it and a dash belong to it.
    """

    label: str
    swatch: Markup
    target: str


@contextmanager
def legend_apart(drawn: Figure, label: str) -> Iterator[list[Key]]:
    """The legend of a figure for a page; within the context the figure itself has none.

    An artist that it names and that has no gid gets one, by which a script finds it. Others that
    belong to the same entry, such as a band around a line, have that gid with a dash and a word.

    Args:
        drawn: the figure, not yet rendered.
        label: that `inline_svg` is given.
    """
    below = list(drawn.legends)
    within = [legend for axes in drawn.axes if (legend := axes.get_legend())]
    keys = _keys(drawn, prefix_of(label)) if below or within else []
    drawn.legends.clear()  # what is only hidden would keep its place
    for legend in within:
        legend.set_visible(False)
    yield keys
    drawn.legends.extend(below)
    for legend in within:
        legend.set_visible(True)


def _keys(drawn: Figure, prefix: str) -> list[Key]:
    keys: list[Key] = []
    for axes in drawn.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            if isinstance(handle, Artist):
                handle.set_gid(handle.get_gid() or f"key-{len(keys)}")
                keys.append(Key(name.strip(), _swatch(handle), f"{prefix}-{handle.get_gid()}"))
    return keys


# Lengths of dashes and gaps, as matplotlib draws them.
_DASHES = {"--": (7.4, 3.2), "-.": (12.8, 3.2, 2, 3.2), ":": (2, 3.3)}
_SWATCH = '<svg class="key" viewBox="0 0 28 12" aria-hidden="true">{}</svg>'


def _swatch(handle: Artist) -> Markup:
    """A short piece of a line, a mark, or a patch of its colour."""
    parts = []
    if isinstance(handle, Line2D):
        given: Any = handle.get_color()
        colour = to_hex(given)
        dashes = _DASHES.get(str(handle.get_linestyle()), ())
        if handle.get_linestyle() != "None":
            dashed = f' stroke-dasharray="{" ".join(f"{d:g}" for d in dashes)}"' if dashes else ""
            parts.append(f'<path d="M1 6H27" stroke="{colour}" stroke-width="2"{dashed}/>')
        if handle.get_marker() not in ("None", None, ""):
            parts.append(_mark(MarkerStyle(handle.get_marker()), colour, filled=True))
    elif isinstance(handle, PathCollection):
        faces, edges = (np.asarray(of) for of in (handle.get_facecolor(), handle.get_edgecolor()))
        filled = len(faces) > 0
        colour = to_hex(tuple((faces if filled else edges)[0].tolist()))
        parts.append(_outline(handle.get_paths()[0], colour, filled=filled))
    elif isinstance(handle, Patch | Collection):
        face = np.atleast_2d(np.asarray(handle.get_facecolor()))[0]
        parts.append(
            f'<path d="M3 1H25V11H3Z" fill="{to_hex(face[:3])}" fill-opacity="{face[3]:g}"/>'
        )
    return Markup(_SWATCH.format(page_colours("".join(parts))))


def _mark(style: MarkerStyle, colour: str, *, filled: bool) -> str:
    return _outline(style.get_path().transformed(style.get_transform()), colour, filled=filled)


def _outline(path: Outline, colour: str, *, filled: bool) -> str:
    """A shape about the middle of a swatch, as large as fits."""
    shapes = [np.asarray(shape, dtype=np.float64) for shape in path.to_polygons()]
    size = max((float(np.abs(shape).max()) for shape in shapes), default=1.0) or 1.0
    drawn = " ".join(
        "M"
        + "L".join(f"{14 + 4.5 * x / size:.3g} {6 - 4.5 * y / size:.3g}" for x, y in shape.tolist())
        + "Z"
        for shape in shapes
    )
    look = f'fill="{colour}"' if filled else f'fill="none" stroke="{colour}"'
    return f'<path d="{escape(drawn)}" {look}/>'
