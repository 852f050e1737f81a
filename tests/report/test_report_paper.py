"""What a paper takes from a report: figures of its measures, tables that are cited and fit."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import drawing
import pytest
from beginnings import ANY_BRIEF

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.report import Report, TextTable, write_comparison
from nasbench.report.latex import _STRATEGIES, bibliography, latex_table
from nasbench.report.paper import Paper
from nasbench.report.sections import write_sections
from nasbench.search import Comparison, strategy_names
from nasbench.search.strategy import is_ours
from nasbench.table import Table

pytestmark = pytest.mark.heavy

STRATEGIES = ["random_search", "regularized_evolution", "reinforce"]
DOCUMENT = r"""
\documentclass[twocolumn,10pt]{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx}
\begin{document}
See \ref{tab:0-search-strategies-on-made-up} and \ref{fig:0-regret-seconds}.
\input{report}
\bibliographystyle{plain}
\bibliography{report}
\end{document}
"""


@pytest.fixture(scope="module")
def found(table: Table) -> Comparison:
    return nb.compare(STRATEGIES, table, budget_seconds=30, seeds=range(12))


@pytest.fixture(scope="module")
def folder(found: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paper")
    with drawing.drawn("pdf"):
        write_comparison(found, out)
    return out


def pdf_text(path: Path) -> str:
    """A PDF with what is compressed in it, as far as it is ours."""
    data = path.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    plain = [zlib.decompress(s) for s in streams if s[:1] == b"\x78"]
    return b"\n".join([data, *plain]).decode("latin-1")


def size(path: Path) -> tuple[float, float]:
    box = re.search(r"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf_text(path))
    assert box, path
    return float(box[1]), float(box[2])


def test_figures_embed_truetype_letters(folder: Path) -> None:
    files = sorted((folder / "figures").glob("*.pdf"))
    assert len(files) > 5
    for path in files:
        text = pdf_text(path)
        assert "/Type3" not in text, path.name
        assert "/FontFile2" in text, path.name  # TrueType, embedded
        if shutil.which("pdffonts"):
            told = subprocess.run(["pdffonts", path], capture_output=True, text=True, check=True)
            for line in told.stdout.splitlines()[2:]:
                assert "TrueType" in line
                assert line.split()[-5:-3] == ["yes", "yes"]  # embedded, of the letters used


@pytest.mark.drawn("pdf")
@pytest.mark.parametrize(("width", "font"), [(3.15, 9.0), (6.75, 10.0)])
def test_figures_have_the_paper_s_measures(
    table: Table, tmp_path: Path, width: float, font: float
) -> None:
    first = Report(table, "4ep").sections()[0]
    one = replace(first, drawings=first.drawings[:1], tables=())
    write_sections([one], tmp_path, "t", ANY_BRIEF, paper=Paper(width, font))
    path = tmp_path / "figures" / "0-accuracy.pdf"
    assert size(path)[0] == pytest.approx(72 * width, abs=0.5)
    sizes = set(re.findall(r"/F\d+ ([\d.]+) Tf", pdf_text(path)))
    assert {float(of) for of in sizes} == {font}
    text = (tmp_path / "report.tex").read_text(encoding="utf-8")
    figure = text[: text.index("0-accuracy.pdf")].rpartition(r"\begin{")[2]
    assert figure.startswith("figure*" if width > 4 else "figure}")


def test_measures_that_no_paper_has_are_refused(table: Table, tmp_path: Path) -> None:
    for given in ({"figure_width": 0.0}, {"figure_font": 1e9}, {"figure_width": float("nan")}):
        with pytest.raises(BadValue):
            nb.report(table, tmp_path / "page", **given)
    assert not (tmp_path / "page").exists()


def test_tables_are_ranked_named_cited_and_labelled(folder: Path, found: Comparison) -> None:
    text = (folder / "report.tex").read_text(encoding="utf-8")
    body = text[text.index("Search strategies on made") :]
    body = body[body.index(r"\midrule") : body.index(r"\bottomrule")]
    assert r"Regularized evolution~\cite{real2019regularized} & 12 &" in body
    lines = [line for line in body.splitlines() if "&" in line]
    regret = [float(re.findall(r"([\d.]+) \$\\pm\$", line)[-1]) for line in lines[:-1]]
    assert regret == sorted(regret)
    assert r"\textbf{" in lines[0]
    assert lines[-1].startswith("One random draw")
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == text.count(r"\caption[")
    assert all(len(c) < 400 for c in re.findall(r"^\\caption.*", text, re.MULTILINE))
    cited = set(re.findall(r"\\cite\{(\w+)\}", text))
    entries = (folder / "report.bib").read_text(encoding="utf-8")
    assert set(re.findall(r"^@\w+\{(\w+),", entries, re.MULTILINE)) == cited


def test_every_strategy_of_ours_has_a_name_and_each_key_an_entry() -> None:
    ours = {name for name in strategy_names() if is_ours(name)}
    assert ours <= _STRATEGIES.keys()
    for _, key in _STRATEGIES.values():
        assert not key or f"{{{key}," in bibliography([rf"\cite{{{key}}}"])


def test_wide_tables_go_across_both_columns() -> None:
    narrow = TextTable("T", ("a", "b"), [("x", "1")], "N.", more="More of it.")
    assert r"\begin{table}" in latex_table(narrow)
    assert latex_table(narrow).endswith("% More of it.\n")
    wide = TextTable("T", ("a", *"bcdefgh"), [("x" * 30, *["1.23 ± 4.56"] * 7)], "N.")
    assert r"\begin{table*}" in latex_table(wide, "tab:own")
    assert r"\label{tab:own}" in latex_table(wide, "tab:own")


@pytest.mark.process
def test_a_document_with_all_of_it_compiles(folder: Path, tmp_path: Path) -> None:
    tools = [shutil.which(name) for name in ("pdflatex", "bibtex", "kpsewhich")]
    if None in tools or subprocess.run(["kpsewhich", "booktabs.sty"], check=False).returncode:
        pytest.skip("no LaTeX with booktabs")
    for name in ("report.tex", "report.bib"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "figures").symlink_to(folder / "figures")
    (tmp_path / "document.tex").write_text(DOCUMENT, encoding="utf-8")
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document"]
    for command in (latex, ["bibtex", "document"], latex, latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    log = (tmp_path / "document.log").read_text(encoding="latin-1")
    assert "undefined" not in log
    assert "Overfull" not in log
    assert (tmp_path / "document.pdf").stat().st_size > 20_000
