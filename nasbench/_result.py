"""How results show themselves: in a notebook, as a figure, in LaTeX, on a page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbench._defaults import FIGURE_FONT, FIGURE_WIDTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Facts", "Result"]


class Result:
    """What a session gets back: tables and figures as pages have them.

    `nasbench.report.results` knows what each kind of result shows; it is loaded when it is asked.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The first table, for notebooks."""
        return str(_results().html_of(self))

    def plot(self, what: str = "") -> Figure:
        """A figure of it, which a notebook shows and `savefig` writes as pages have it.

        Args:
            what: which, by its name; the first where left out. An unknown name lists them.

        Raises:
            UnknownName: for a figure that it does not have.
            Unsupported: where it has none.
        """
        figure: Figure = _results().figure_of(self, what)
        return figure

    def to_latex(self, path: str | Path | None = None, *, label: str = "") -> str:
        """Its first table in LaTeX (package booktabs).

        Args:
            path: a file to write it to as well.
            label: of `\\ref`; the title's words by default.
        """
        return str(_results().latex_of(self, path, label))

    def report(
        self,
        out: str | Path,
        *,
        figure_width: float = FIGURE_WIDTH,
        figure_font: float = FIGURE_FONT,
    ) -> Path:
        """Write its page, with figures, Markdown and LaTeX, into a folder; gives the page's path.

        Of a comparison that is what `nasbench compare` writes, with `summary.json`.

        Args:
            out: the folder, which is made.
            figure_width: of the files in `figures/`, in inches: a column's, or a whole page's.
            figure_font: their letters, in points, as the paper's.
        """
        page: Path = _results().page_of(self, Path(out), figure_width, figure_font)
        return page


class Facts(Result):
    """A result of a handful of facts, each with a name, where others have rows."""

    __slots__ = ()

    def describe(self) -> dict[str, Any]:
        """Its facts by name; plain JSON values, those of a part by names of their own."""
        raise NotImplementedError

    def frame(self) -> pd.DataFrame:
        """One row, a column a fact; one of a part is called `<part>/<fact>`."""
        import pandas as pd

        return pd.json_normalize(self.describe(), sep="/")


def _results() -> Any:
    """The module of reports, which stands above all results."""
    return import_module("nasbench.report.results")
