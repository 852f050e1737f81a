"""A page of a table, as a session asks for it: `nb.report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nasbench._defaults import FIGURE_FONT, FIGURE_WIDTH
from nasbench._files import check_folder
from nasbench.report.page import Report, write_report
from nasbench.report.paper import Paper
from nasbench.search import Comparison
from nasbench.surrogate import Surrogate, score
from nasbench.table import Table, load

__all__ = ["report_on"]

Found = Comparison | str | Path
"""A comparison, or the folder that keeps one."""


def report_on(
    table: Table | str | Path,
    out: str | Path,
    *,
    recipe: str | None = None,
    surrogate: Surrogate | str | Path | None = None,
    compare: Found | Sequence[Found] | Mapping[str, Found] = (),
    figure_width: float = FIGURE_WIDTH,
    figure_font: float = FIGURE_FONT,
) -> Path:
    """Write one page of a table, a surrogate and comparisons, with Markdown, LaTeX and figures.

    Args:
        table: a name or path will do.
        out: the folder for the page and its figures.
        recipe: where the table has several.
        surrogate: a fitted one, or its file, to score on the table.
        compare: a comparison, or the folder that `nasbench compare` wrote; several of them; or by
            the titles that they have on the page.
        figure_width: of the files in `figures/`, in inches: a column's, or that of a whole page.
        figure_font: their letters, in points, as the paper's.

    Returns:
        The path of the page.

    Example:
        >>> import nasbench as nb, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nb.report("nb201-fashion16", folder).name
        'index.html'
    """
    folder, paper = Path(out), Paper(figure_width, figure_font)
    check_folder(folder, "out")
    opened = load(table)
    loaded = _titled(compare)
    fitted = Surrogate.load(surrogate) if isinstance(surrogate, str | Path) else surrogate
    scored = None if fitted is None else score(fitted, opened)
    chosen = opened.recipe(recipe) if opened.recipes or recipe else None  # of devices alone
    report = Report(opened, chosen, loaded, scored, surrogate=fitted)
    return write_report(report, folder, opened.name, paper)


def _titled(compare: Found | Sequence[Found] | Mapping[str, Found]) -> dict[str, Comparison]:
    if isinstance(compare, Comparison | str | Path):
        compare = [compare]
    if not isinstance(compare, Mapping):
        several = len(compare) > 1
        compare = {
            _title(one, place if several else 0): one for place, one in enumerate(compare, 1)
        }
    return {
        title: one if isinstance(one, Comparison) else Comparison.load(one)
        for title, one in compare.items()
    }


def _title(found: Found, place: int) -> str:
    if isinstance(found, Comparison):
        return f"Search strategies {place}" if place else "Search strategies"
    return f"Search: {Path(found).name}"
