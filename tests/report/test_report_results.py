"""What results show of themselves, and that it is what the command line writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import BadValue, NasbenchError, UnknownName, Unsupported
from nasbench.search import Comparison
from nasbench.table import Table

pytestmark = pytest.mark.heavy

NAMES = ["random_search", "regularized_evolution"]
COMMON: dict[str, Any] = {"budget_seconds": 40, "seeds": range(5)}


@pytest.fixture(scope="module")
def comparison(table: Table) -> Comparison:
    return nb.compare(NAMES, table, **COMMON)


def test_python_writes_what_the_command_line_writes(table: Table, tmp_path: Path) -> None:
    words = ["compare", "--table", str(table.path), "--strategies", ",".join(NAMES)]
    words += ["--budget-seconds", "40", "--seeds", "5", "--out", str(tmp_path / "cli")]
    CliRunner().invoke(app, words, catch_exceptions=False)
    nb.compare(NAMES, table, out=tmp_path / "py", **COMMON).report(tmp_path / "py")
    for name in ("summary.json", "runs.csv", "curves.csv", "report.md", "report.tex"):
        files = [tmp_path / where / name for where in ("cli", "py")]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    for name in NAMES:
        runs = [tmp_path / where / "runs" / f"{name}.jsonl" for where in ("cli", "py")]
        assert runs[0].read_bytes() == runs[1].read_bytes()


def test_a_page_takes_comparisons_and_folders(comparison: Comparison, tmp_path: Path) -> None:
    page = nb.report(comparison.table, tmp_path, compare={"Who won": comparison})
    assert "Who won" in page.read_text(encoding="utf-8")
    with pytest.raises(NasbenchError, match="holds no comparison"):
        nb.report(comparison.table, tmp_path, compare=tmp_path / "nothing")


def test_a_frame_has_a_row_a_run(comparison: Comparison) -> None:
    frame = comparison.frame()
    assert frame["strategy"].value_counts().to_dict() == dict.fromkeys(NAMES, 5)
    for name, mine in frame.groupby("strategy"):
        for metric, values in comparison.finals(str(name)).items():
            assert mine[metric].tolist() == values.tolist()
        assert mine["architecture"].tolist() == comparison.last[str(name)].tolist()
    assert comparison.parameters["regularized_evolution"]["population_size"] == 10


def test_notebooks_get_a_table_and_a_page_escapes(comparison: Comparison) -> None:
    html = comparison._repr_html_()
    assert html.count("<tr>") == 2 + len(NAMES)  # head, and one random draw
    assert "random_search" in html
    assert "<up>" not in html
    assert "made & <up>" in repr(comparison)
    assert f"{comparison.scores['random_search'].mean():.4g}" in repr(comparison)


def test_latex_is_given_and_written(comparison: Comparison, tmp_path: Path) -> None:
    text = comparison.to_latex(tmp_path / "table.tex")
    assert text == (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert r"Random search~\cite{bergstra2012random}" in text
    assert r"\label{tab:mine}" in comparison.to_latex(label="tab:mine")
    with pytest.raises(BadValue, match="a label of LaTeX"):
        comparison.to_latex(label="tab}mine")


def test_figures_are_those_of_pages(comparison: Comparison) -> None:
    drawn = comparison.plot()
    assert isinstance(drawn, Figure)
    assert "seconds" in drawn.axes[0].get_xlabel()
    assert comparison.plot("ranks").axes
    with pytest.raises(UnknownName, match="unknown figure 'regrets'; did you mean regret"):
        comparison.plot("regrets")


def test_the_best_are_named_at_their_curves(comparison: Comparison) -> None:
    axes = comparison.plot("best").axes[0]
    names = ["Regularized evolution", "Random search"]  # which comes last, whatever it found
    texts = {text.get_text(): text for text in axes.texts}
    ends = {}
    for gid, name in enumerate(names):
        (line,) = (one for one in axes.get_lines() if one.get_gid() == f"strategy-{gid}")
        assert texts[name].get_color() == line.get_color()
        ends[name] = line.get_ydata()[-1]
    heights = {name: texts[name].get_position()[1] for name in names}
    assert sorted(names, key=ends.__getitem__) == sorted(names, key=heights.__getitem__)
    assert abs(heights[names[0]] - heights[names[1]]) > 0.06  # so that neither covers the other


@pytest.mark.drawn
def test_a_figure_shows_itself_and_is_saved_the_same_each_time(
    comparison: Comparison, tmp_path: Path
) -> None:
    drawn = comparison.plot("regret")
    assert drawn._repr_svg_().lstrip().startswith("<?xml")  # type: ignore[attr-defined]
    drawn.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_every_kind_of_result_has_its_own(table: Table, tmp_path: Path) -> None:
    run = nb.search("random_search", table, budget_evaluations=5)
    fitted = nb.fit(table, train=20)
    scored = nb.score(fitted, table)
    sizes = nb.score(table, sizes=[10], draws=1, predictors=["ridge"])
    both = nb.compare(NAMES[:1], [table], budget_evaluations=3, seeds=[0])
    chosen = nb.choose(table, within=2, least="toy/latency_ms")
    for result in (run, scored, sizes, table, fitted, chosen):
        assert result._repr_html_().startswith("<table>")
        assert r"\begin{tabular}" in result.to_latex()
        assert isinstance(result.plot(), Figure)
    assert "tau" in fitted._repr_html_()
    assert both.frame().columns[0] == "table"
    assert both.frame()["table"].tolist() == [table.name]
    sizes.report(tmp_path)
    assert json.loads((tmp_path / "scores.json").read_text())["sizes"] == [10]
    line = run.plot("best").axes[0].lines[0].get_ydata()
    assert line[-1] == run.values["valid_accuracy"]
    band = fitted.plot().axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() < fitted.frame()["valid_accuracy"].min()
    assert band.max() > fitted.frame()["valid_accuracy"].max()
    roles = chosen.frame().set_index("role")
    assert roles.loc["pick", "architecture"] == chosen.architecture
    assert roles.loc["reference", "toy/latency_ms"] == chosen.reference_values["toy/latency_ms"]
    (at,) = chosen.plot().axes[0].collections[-1].get_offsets().tolist()
    assert at == [chosen.values["toy/latency_ms"], chosen.values["valid_accuracy"]]
    assert "among" not in json.dumps(chosen.describe())


def test_what_has_no_figure_says_so(table: Table) -> None:
    alone = nb.choose(table, weights={"valid_accuracy": 1}, reference=int(table.rows[0]))
    with pytest.raises(Unsupported, match="there is no figure"):
        alone.plot()


@pytest.mark.drawn("svg")
def test_figures_are_as_wide_as_asked(table: Table, tmp_path: Path) -> None:
    """As the command line does, of any result."""
    run = nb.search("random_search", table, budget_evaluations=3)
    run.report(tmp_path, figure_width=5, figure_font=8)
    (svg,) = (tmp_path / "figures").glob("*.svg")
    assert f'width="{72 * 5}pt"' in svg.read_text(encoding="utf-8")
    with pytest.raises(BadValue, match="inches wide"):
        run.report(tmp_path, figure_width=0.1)
