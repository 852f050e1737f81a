"""Adult, or Census Income, as UCI published it: `adult.data` and `adult.test` in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasbench._files import read_text
from nasbench.errors import DamagedFile
from nasbench.task.base import Task, check_names
from nasbench.task.rows import RowOptions, Rows
from nasbench.task.splitting import SplitPlan
from nasbench.task.tables import table_of

__all__ = ["COLUMNS", "adult"]

COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status"),
    *("occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"),
    *("hours-per-week", "native-country", "income"),
)
_INCOMES = frozenset({"<=50K", ">50K"})
_LEFT_OUT = ("fnlwgt", "education")
"""A weight of the census, and what education-num says as a number."""
_MOST_BYTES = 1 << 26


def adult(path: str | Path, *, name: str = "adult", plan: SplitPlan | None = None) -> Task:
    """Whether somebody earns more than 50,000 dollars (Kohavi, 1996); sex and race are groups.

    Its own test split; the validation examples are split off the training examples.

    Args:
        path: of the folder with the two published files.
        name: the task's name.
        plan: of the splits.

    Raises:
        NasbenchError: where a file is missing or damaged.
    """
    path = Path(path)
    check_names(name, None)
    files = {"train": path / "adult.data", "test": path / "adult.test"}
    lines = {split: _read(file) for split, file in files.items()}
    columns = {
        column: {split: [row[place] for row in of] for split, of in lines.items()}
        for place, column in enumerate(COLUMNS)
    }
    return table_of(
        name,
        Rows(path, columns),
        RowOptions(target="income", groups=("sex", "race")),
        plan or SplitPlan(),
        leave_out=_LEFT_OUT,
        about={"source": "UCI Adult, https://archive.ics.uci.edu/dataset/2/adult"},
    )


def _read(path: Path) -> list[Sequence[str]]:
    """The rows of a published file: cells between commas, remarks behind `|`, some with names."""
    rows: list[Sequence[str]] = []
    for number, line in enumerate(read_text(path, "rows", most=_MOST_BYTES).split("\n"), 1):
        cells = [cell.strip() for cell in line.split(",")]
        if not line.strip() or line.startswith("|") or cells[0] == "age":
            continue
        income = cells[-1].removesuffix(".")  # as the test file has it
        if len(cells) != len(COLUMNS) or income not in _INCOMES:
            raise DamagedFile(
                f"{path}, line {number}: {len(COLUMNS)} cells that end with <=50K or >50K are "
                f"needed, got {line[:80]!r}"
            )
        rows.append((*cells[:-1], income))
    if not rows:
        raise DamagedFile(f"{path} has no rows")
    return rows
