"""Sections, and the files that they become: one HTML page, with Markdown, LaTeX and figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from nasbench._files import write_csv, write_text
from nasbench.errors import NasbenchError
from nasbench.report.figures import Drawing
from nasbench.report.html import Key, environment, legend_apart
from nasbench.report.latex import PREAMBLE, bibliography, latex_figure, slug
from nasbench.report.paper import Paper, save_for_paper
from nasbench.report.text import TextTable, markdown_text
from nasbench.report.theme import inline_svg, to_svg

__all__ = ["Brief", "Section", "cells_of", "write_sections"]

LONGEST_NAME = 80
"""Letters of a figure's file."""
Link = tuple[str, str]
"""What a link says, and the file that it leads to, as seen from the page."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What stands on top of every page, before anything else.

    Attributes:
        answers: what it is about in a word or two, and a sentence or two that answer it.
        cannot: what the numbers below do not tell, in sentences.
        commands: that make the page again.
        made_from: what else must be the same for that: files by their dates and hashes, versions.

    Raises:
        ValueError: where one of these is empty: no page goes without.
    """

    answers: Sequence[tuple[str, str]]
    cannot: str
    commands: Sequence[str]
    made_from: str

    def __post_init__(self) -> None:
        if not (self.answers and self.cannot and self.commands and self.made_from):
            raise ValueError("a page begins with answers, doubts, commands and versions")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Heads and sentences in their order; what cannot be told comes last."""
        return [*self.answers, ("What this cannot tell", self.cannot)]

    def markdown(self) -> str:
        """As a list."""
        lines = [f"- **{markdown_text(head)}**: {markdown_text(said)}" for head, said in self.lines]
        again = [f"- **Make it again**: {markdown_text(command)}" for command in self.commands]
        return (
            "\n".join([*lines, *again, f"- **Made from**: {markdown_text(self.made_from)}"]) + "\n"
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: a heading, a sentence, figures and tables.

    Attributes:
        title: the heading.
        lead: the sentence; may be empty.
        drawings: its figures.
        tables: below them.
        folded: whether a reader must open it first.

    Example:
        >>> Section("Notes", "What only the caller knows.", folded=True).folded
        True
    """

    title: str
    lead: str
    drawings: Sequence[Drawing] = ()
    tables: Sequence[TextTable] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A figure as the page has it, of so many inches."""

    svg: Markup
    inches: float
    wide: bool
    keys: Sequence[Key]
    files: Sequence[Link]
    latex: str


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where a page and what lies beside it are written."""

    out: Path
    names: set[str] = field(default_factory=set)

    def clear(self) -> None:
        """Make the folders, without what an earlier page left, which may have had others."""
        for kind, old in (
            ("figures", "[0-9]*-*.[ps][dv][fg]"),
            ("tables", "[0-9]*-*.[ct][se][vx]"),
        ):
            (self.out / kind).mkdir(parents=True, exist_ok=True)
            for path in (self.out / kind).glob(old):
                path.unlink()

    def name(self, kind: str, number: int, text: str) -> str:
        """A file without its ending, as seen from the page; each time another."""
        wanted = found = f"{kind}/{number}-{_file_name(text)}"
        others = 1
        while found in self.names:
            others += 1
            found = f"{wanted}-{others}"
        self.names.add(found)
        return found

    def write(self, address: str, text: str) -> None:
        """Write a text."""
        write_text(self.out / address, text)


def write_sections(
    sections: Sequence[Section],
    out: Path,
    title: str,
    brief: Brief,
    beside: Mapping[str, str] | None = None,
    paper: Paper | None = None,
) -> Path:
    """Write a page of these sections, as `write_report` does; gives its path.

    Args:
        sections: in their order.
        out: the folder.
        title: of the page.
        brief: what stands on top.
        beside: what else the caller writes into the folder: files by what links call them.
        paper: the measures of the files of figures.
    """
    folder = _Folder(out)
    template = environment().get_template("page.html")
    try:
        folder.clear()
        rendered = [
            (
                section,
                [
                    (drawing, _draw(folder, number, drawing, paper or Paper()))
                    for drawing in section.drawings
                ],
                [(table, _tabulate(folder, number, table)) for table in section.tables],
            )
            for number, section in enumerate(sections)
        ]
        texts = [
            text
            for _, drawings, tables in rendered
            for text in (*(shown.latex for _, shown in drawings), *(of.latex for _, of in tables))
        ]
        kept = {"Markdown": "report.md", "LaTeX": "report.tex", "BibTeX": "report.bib"}
        files = [*kept.items(), *(beside or {}).items()]
        page = template.render(title=title, brief=brief, sections=rendered, files=files)
        folder.write("index.html", page)
        tables = [table for section in sections for table in section.tables]
        head = f"# {markdown_text(title)}\n\n{brief.markdown()}\n"
        folder.write("report.md", head + "\n".join(table.markdown() for table in tables))
        folder.write("report.tex", "\n".join([PREAMBLE, *texts]))
        folder.write("report.bib", bibliography(texts))
    except OSError as error:
        raise NasbenchError(f"cannot write the report to {out}: {error.strerror}") from error
    return out / "index.html"


def _draw(folder: _Folder, number: int, drawing: Drawing, paper: Paper) -> _Rendered:
    """Write a figure's files; the page has its legend beside it, the files in it."""
    name = folder.name("figures", number, drawing.name)
    label = f"{drawing.title} ({number}, {drawing.name})"
    with legend_apart(drawing.figure, label) as keys:
        svg = Markup(inline_svg(to_svg(drawing.figure), label, drawing.tips))
    files = [("PDF", f"{name}.pdf"), ("SVG", f"{name}.svg")]
    inches, wide = drawing.inches, drawing.wide  # of the page's figure, not of the paper's
    across = save_for_paper(drawing.figure, paper, folder.out / name)
    latex = latex_figure(drawing.title, drawing.caption, drawing.more, f"{name}.pdf", wide=across)
    return _Rendered(svg, inches, wide, keys, files, latex)


@dataclass(frozen=True, slots=True)
class _Tabulated:
    """The files of a table, and its LaTeX."""

    files: Sequence[Link]
    latex: str


def _tabulate(folder: _Folder, number: int, table: TextTable) -> _Tabulated:
    """Write a table's files."""
    name = folder.name("tables", number, table.title)
    write_csv(folder.out / f"{name}.csv", table.columns, map(cells_of, table.rows))
    latex = table.latex(f"tab:{slug(name.partition('/')[2])}")
    folder.write(f"{name}.tex", latex)
    return _Tabulated([("CSV", f"{name}.csv"), ("LaTeX", f"{name}.tex")], latex)


def cells_of(row: Sequence[str]) -> list[str | float]:
    """A row as a CSV has it."""
    return [_number(cell) for cell in row]


def _number(cell: str) -> str | float:
    """A cell that is a number and nothing else as one, which no spreadsheet takes for a formula."""
    plain = cell.replace(",", "")
    return float(plain) if re.fullmatch(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", plain) else cell


def _file_name(name: str) -> str:
    """A figure's name, which holds a device's, as a file can be called anywhere."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-")[:LONGEST_NAME]
