"""Tables and figures in LaTeX, as a paper has them: labels, short captions, cited names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import resources
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nasbench.report.text import TextTable

__all__ = [
    "PREAMBLE",
    "bibliography",
    "latex_figure",
    "latex_table",
    "latex_text",
    "readable",
    "slug",
]

PREAMBLE = """\
% In the preamble: \\usepackage[T1]{fontenc} \\usepackage{booktabs,graphicx}
% At the end of the document, with report.bib beside it: \\bibliography{report}
% Figures are those in figures/; \\graphicspath{{FOLDER/}} where this file is in another FOLDER.
"""

# How many letters of a table fit, at 10 points and at 8: one column of two, and both.
_COLUMN, _SMALL_COLUMN, _BOTH, _SMALL_BOTH, _SMALLEST = 46, 58, 97, 120, 145
_BETWEEN = 2.4
"""Letters that the space between two columns takes."""
SHORT = 20
"""Words of so many letters stay in one line."""

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {char: "\\" + char for char in "&%$#_{}"}
_LATEX |= {"±": r"$\pm$", "–": "--", "τ": r"$\tau$", "ρ": r"$\rho$", "²": r"$^2$", "×": r"$\times$"}
_LATEX |= {"“": "``", "”": "''", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
_LATEX |= {"…": r"\ldots{}", "≤": r"$\leq$", "≥": r"$\geq$", "−": "--", "ε": r"$\varepsilon$"}
_LATEX["∞"] = r"$\infty$"


class _Named(NamedTuple):
    """A strategy as a paper names it, and the key of what it cites."""

    name: str
    key: str = ""


_STRATEGIES = {
    "asha": _Named("ASHA", "li2020system"),
    "bananas": _Named("BANANAS", "white2021bananas"),
    "bohb": _Named("BOHB", "falkner2018bohb"),
    "curve_stopping": _Named("Curve stopping"),
    "darts": _Named("DARTS", "liu2019darts"),
    "dehb": _Named("DEHB", "awad2021dehb"),
    "enas": _Named("ENAS", "pham2018efficient"),
    "fairnas": _Named("FairNAS", "chu2021fairnas"),
    "fbnet": _Named("FBNet", "wu2019fbnet"),
    "gdas": _Named("GDAS", "dong2019searching"),
    "genetic_algorithm": _Named("Genetic algorithm"),
    "gp_bo": _Named("GP-BO", "snoek2012practical"),
    "hybrid": _Named("Hybrid"),
    "hyperband": _Named("Hyperband", "li2018hyperband"),
    "local_search": _Named("Local search", "white2021exploring"),
    "meta_qnn": _Named("MetaQNN", "baker2017designing"),
    "mo_rea": _Named("Multi-objective evolution"),
    "nsga2": _Named("NSGA-II", "deb2002fast"),
    "one random draw": _Named("One random draw"),
    "ofa": _Named("Once-for-All", "cai2020once"),
    "optuna_sampler": _Named("Optuna", "akiba2019optuna"),
    "pc_darts": _Named("PC-DARTS", "xu2020pcdarts"),
    "pnas": _Named("PNAS", "liu2018progressive"),
    "ppo_controller": _Named("PPO controller", "zoph2018learning"),
    "predictor_evolution": _Named("Predictor evolution"),
    "random_search": _Named("Random search", "bergstra2012random"),
    "regularized_evolution": _Named("Regularized evolution", "real2019regularized"),
    "reinforce": _Named("REINFORCE", "williams1992simple"),
    "rnn_reinforce": _Named("RNN controller", "zoph2017neural"),
    "rsps": _Named("RSPS", "li2019random"),
    "smac": _Named("SMAC", "lindauer2022smac3"),
    "snas": _Named("SNAS", "xie2019snas"),
    "spos": _Named("SPOS", "guo2020single"),
    "successive_halving": _Named("Successive halving", "jamieson2016nonstochastic"),
    "tpe": _Named("TPE", "bergstra2011algorithms"),
}


def readable(name: str) -> str:
    """A strategy as a paper names it; what is none of ours stays as it is.

    Example:
        >>> readable("regularized_evolution"), readable("my_search")
        ('Regularized evolution', 'my_search')
    """
    return _STRATEGIES[name].name if name in _STRATEGIES else name


def latex_text(text: str) -> str:
    """A stranger's text in LaTeX: shown as it is written.

    Example:
        >>> print(latex_text("a_b & 5 %"))
        a\\_b \\& 5 \\%
    """
    return "".join(_LATEX.get(letter, letter) for letter in text)


def latex_table(table: TextTable, label: str = "") -> str:
    """A table (package booktabs), across both columns where it is wide.

    Args:
        table: the best of its cells are bold. Where the first column has strategies, they are
            named and cited as in a paper.
        label: of `\\ref`; the title's words by default.
    """
    shown = [[_cell_text(table, row, column) for column in range(len(row))] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.columns, *shown, strict=True)]
    letters = sum(widths) + _BETWEEN * len(widths)
    float_ = "table*" if table.prose or letters > _SMALL_COLUMN else "table"
    heads = [latex_text(head) for head in table.columns]
    body = [
        " & ".join(_cell(table, number, column) for column in range(len(row))) + r" \\"
        for number, row in enumerate(table.rows)
    ]
    for number in sorted(table.reference, reverse=True):
        if number and number - 1 not in table.reference:
            body.insert(number, r"\midrule")
    caption = latex_text(f"{table.title}. {table.note}".strip())
    lines = [
        rf"\begin{{{float_}}}",
        r"\centering",
        *_size(letters, prose=table.prose),
        rf"\caption[{_argument(table.title)}]{{{caption}}}",
        rf"\label{{{label or f'tab:{slug(table.title)}'}}}",
        rf"\begin{{tabular}}{{{_columns(table, widths)}}}",
        r"\toprule",
        *([" & ".join(heads) + r" \\", r"\midrule"] if any(heads) else ()),
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n" + _comment(table.more)


def latex_figure(title: str, caption: str, more: str, file: str, *, wide: bool) -> str:
    """A figure (package graphicx) of a file that has the size at which it is shown."""
    float_ = "figure*" if wide else "figure"
    name = file.rpartition("/")[2].removesuffix(".pdf")
    lines = [
        rf"\begin{{{float_}}}",
        r"\centering",
        rf"\includegraphics{{{file}}}",
        rf"\caption[{_argument(title)}]{{{latex_text(f'{title}. {caption}'.strip())}}}",
        rf"\label{{fig:{slug(name)}}}",
        rf"\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n" + _comment(more)


def bibliography(texts: Iterable[str]) -> str:
    """The entries that these LaTeX texts cite, in BibTeX."""
    cited = {key for text in texts for key in re.findall(r"\\cite\{([a-z0-9]+)\}", text)}
    source = resources.files("nasbench.report") / "templates" / "references.bib"
    entries = source.read_text(encoding="utf-8").strip().split("\n\n")
    return "".join(
        f"{entry}\n\n" for entry in entries if entry.partition("{")[2].partition(",")[0] in cited
    )


def slug(text: str) -> str:
    """Words of a label."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _argument(text: str) -> str:
    """In brackets: a bracket of its own would end them."""
    return f"{{{latex_text(text)}}}"


def _comment(text: str) -> str:
    """What a reader of the source must know, where a caption would be too long."""
    lines = fill(latex_text(text), 96, break_long_words=False, break_on_hyphens=False).splitlines()
    return "".join(f"% {line}\n" for line in lines)


def _cell_text(table: TextTable, row: Sequence[str], column: int) -> str:
    """What is seen of a cell."""
    cell = row[column]
    if column == 0 and table.columns[0] == "strategy":
        return readable(cell) + (" [00]" if cell in _STRATEGIES else "")
    if column == 0 and table.columns[0] == "pair":
        return " – ".join(map(readable, cell.split(" – ")))
    return cell


def _cell(table: TextTable, number: int, column: int) -> str:
    cell = table.rows[number][column]
    if column == 0 and table.columns[0] == "strategy" and cell in _STRATEGIES:
        name, key = _STRATEGIES[cell]
        return latex_text(name) + (rf"~\cite{{{key}}}" if key else "")
    shown = latex_text(_cell_text(table, table.rows[number], column))
    return rf"\textbf{{{shown}}}" if (number, column) in table.best else shown


def _size(letters: float, *, prose: bool) -> list[str]:
    """How a table is made to fit."""
    if prose:
        return [r"\footnotesize"]
    if letters > _SMALL_BOTH:
        return [r"\scriptsize", r"\setlength{\tabcolsep}{3pt}"]
    small = _COLUMN < letters <= _SMALL_COLUMN or letters > _BOTH
    return [r"\footnotesize", r"\setlength{\tabcolsep}{4pt}"] if small else []


def _columns(table: TextTable, widths: Sequence[int]) -> str:
    """Figures to the right; words in lines whose lengths share what short columns leave."""
    if not table.prose:
        return "l" + "r" * (len(widths) - 1)
    words = sum(width for width in widths if width > SHORT)
    return "".join(
        rf"p{{{0.75 * width / words:.2f}\linewidth}}" if width > SHORT else "l" for width in widths
    )
