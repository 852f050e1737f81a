"""The notebook of the guide runs from top to bottom, and shows what it should.

Its cells are run here as Jupyter runs them: one after the other in one name space, the last value
of a cell shown by its `_repr_html_` or `_repr_svg_`. Jupyter itself would bring dozens of packages.
"""

from __future__ import annotations

import ast
import json
import re
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

NOTEBOOK = Path(str(resources.files("nasbench") / "guide" / "first-table.ipynb"))
SMALLER = {
    "epochs=3": "epochs=1",
    '"width": [4, 8, 16]': '"width": [4, 8]',
    "range(20)": "range(4)",
}


def run(notebook: Path, smaller: dict[str, str]) -> list[Any]:
    """The last value of each cell of code."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    session = ModuleType("__main__")  # what other processes cannot import
    shown = []
    for number, text in enumerate(texts):
        for old, new in smaller.items():
            text = text.replace(old, new)
        tree = ast.parse(text, f"cell {number}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {number}", "exec"), vars(session))
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "last", "eval"), vars(session))
        shown.append(value)
    return shown


@pytest.mark.slow
@pytest.mark.heavy
def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [value for value in run(NOTEBOOK, SMALLER) if value is not None]
    figures = [value for value in shown if isinstance(value, Figure)]
    tables = [v for v in shown if hasattr(v, "_repr_html_") and not isinstance(v, Figure)]
    assert all(table._repr_html_() for table in tables)
    assert all(figure._repr_svg_() for figure in figures)  # type: ignore[attr-defined]
    assert (len(tables), len(figures)) == (6, 4)
    assert {file.name for file in (tmp_path / "first-table").iterdir()} == {
        *("digits.h5", "page", "best.onnx")
    }
    assert re.match(
        r"<Exported first-table/best.onnx: \d+ of digit-nets, .* on test>", repr(shown[-1])
    )


def test_it_is_kept_without_what_it_printed() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == (
            [],
            None,
        )
