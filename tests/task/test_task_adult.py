"""Adult from its published files: layout, groups, missing values, and what is no such file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nasbench.errors import NasbenchError
from nasbench.task import from_spec

ROW = (
    "{age}, {work}, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, {race}, "
    "{sex}, 2174, 0, 40, United-States, {income}"
)


def row(k: int, dot: str = "") -> str:
    return ROW.format(
        age=20 + k,
        work="?" if k % 5 == 0 else "Private",
        race=["White", "Black"][k % 3 == 0],
        sex=["Female", "Male"][k % 2],
        income=["<=50K", ">50K"][k % 4 == 0] + dot,
    )


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "adult.data").write_text("\n".join(map(row, range(60))) + "\n\n")
    test = "\n".join(row(k, ".") for k in range(20))
    (tmp_path / "adult.test").write_text(f"|1x3 Cross validator\n{test}\n\n")
    return tmp_path


def test_published_files_are_a_task_with_groups(published: Path) -> None:
    task = from_spec({"source": "adult", "path": str(published)})
    assert task.name == "adult"
    assert task.classes == ("<=50K", ">50K")
    assert [len(of) for of in task.splits.values()] == [48, 12, 20]
    assert task.groups == {"sex": ("Female", "Male"), "race": ("Black", "White")}
    columns = task.legend["columns"]
    assert len(columns) == 12
    assert "fnlwgt" not in columns
    age = columns.index("age")
    for split in task.splits.values():
        k = split.inputs[:, age].astype(int) - 20
        assert (split.groups["sex"] == k % 2).all()
        assert (split.groups["race"] == (k % 3 != 0)).all()
        assert (split.targets == (k % 4 == 0)).all()
        names = np.array(task.legend["columns/workclass"])
        work = names[split.inputs[:, columns.index("workclass")].astype(int)]
        assert (work == np.where(k % 5 == 0, "missing", "Private")).all()
    assert task.notes == ("left out: 2 columns (fnlwgt, education)",)


def test_other_files_are_refused(published: Path) -> None:
    (published / "adult.test").write_text("39, State-gov\n")
    with pytest.raises(NasbenchError, match=r"adult.test, line 1: 15 cells that end with <=50K"):
        from_spec({"source": "adult", "path": str(published)})
    (published / "adult.test").unlink()
    with pytest.raises(NasbenchError, match=r"cannot read rows .*adult.test: No such file"):
        from_spec({"source": "adult", "path": str(published)})
