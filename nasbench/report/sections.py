"""Sections, and the files that they become: one HTML page, with Markdown, LaTeX and figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nasbench._files import write_text
from nasbench._names import printable
from nasbench._version import __version__
from nasbench.errors import NasbenchError
from nasbench.report.figures import Drawing
from nasbench.report.text import TextTable, markdown_text
from nasbench.report.theme import inline_svg, save_pdf, to_svg

__all__ = ["Section", "write_sections"]

LONGEST_NAME = 80
"""Letters of a figure's file."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: a heading, a sentence, figures and tables."""

    title: str
    lead: str
    drawings: Sequence[Drawing] = ()
    tables: Sequence[TextTable] = ()


def write_sections(sections: Sequence[Section], out: Path, title: str) -> Path:
    """Write a page of these sections, as `write_report` does; gives its path."""
    figures = out / "figures"
    environment = Environment(
        loader=PackageLoader("nasbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_on_one_line,
    )
    try:
        figures.mkdir(parents=True, exist_ok=True)
        for old in figures.glob("[0-9]*-*.[ps][dv][fg]"):
            old.unlink()  # of an earlier page, which may have had others
        rendered = []
        for number, section in enumerate(sections):
            shown = []
            for drawing in section.drawings:
                name = f"{number}-{_file_name(drawing.name)}"
                svg = to_svg(drawing.figure)
                write_text(figures / f"{name}.svg", svg)
                save_pdf(drawing.figure, figures / f"{name}.pdf")
                label = f"{drawing.title} ({number}, {drawing.name})"
                shown.append((drawing, inline_svg(svg, label, drawing.tips)))
            rendered.append((section, shown))
        page = out / "index.html"
        write_text(
            page,
            environment.get_template("page.html").render(
                title=title, sections=rendered, version=__version__
            ),
        )
        tables = [table for section in sections for table in section.tables]
        text = f"# {markdown_text(title)}\n\n" + "\n".join(table.markdown() for table in tables)
        write_text(out / "report.md", text)
        head = "% Needs the package booktabs.\n\n"
        write_text(out / "report.tex", head + "\n".join(table.latex() for table in tables))
    except OSError as error:
        raise NasbenchError(f"cannot write the report to {out}: {error.strerror}") from error
    return page


def _on_one_line(value: Any) -> Any:
    """What the page shows; figures are HTML of our own."""
    return value if isinstance(value, Markup) else printable(str(value))


def _file_name(name: str) -> str:
    """A figure's name, which holds a device's, as a file can be called anywhere."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:LONGEST_NAME]
