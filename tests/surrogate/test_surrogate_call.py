"""`nb.fit` and `nb.score`, as the command line has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import BadValue, NasbenchError
from nasbench.table import Table


@pytest.fixture
def table(make_table: Any) -> Table:
    rng = np.random.default_rng(0)
    n = len(nb.space("nb201-mini").representatives)
    made: Table = make_table({"valid_accuracy": rng.normal(70, 5, (n, 2))})
    return made


def says(*words: object) -> Any:
    ran = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    return json.loads(ran.stdout)


def test_the_command_line_fits_the_same(table: Table, tmp_path: Path) -> None:
    words = ["--train", 20, "--features", "one_hot,graph", "--out", tmp_path / "cli.json"]
    said = says("surrogate", "fit", table.path, *words)
    fitted = nb.fit(table, tmp_path / "py.json", train=20, features=("one_hot", "graph"))
    assert said["sha256"] == fitted.sha256
    assert (tmp_path / "cli.json").read_bytes() == (tmp_path / "py.json").read_bytes()
    scored = nb.score(tmp_path / "py.json", str(table.path))
    assert says("surrogate", "score", tmp_path / "cli.json", table.path) == scored.describe()
    assert scored.frame()["architecture"].tolist() == scored.architectures.tolist()
    assert f"{scored.agreement.n} rows of known" in repr(scored)
    assert "fitted on 20 rows of known" in repr(fitted)


def test_half_by_default_and_all_to_complete(table: Table, tmp_path: Path) -> None:
    half = nb.fit(table)
    assert len(half.trained_on) == round(len(table.rows) / 2)
    whole = nb.fit(table, complete=tmp_path / "whole.h5")
    assert len(whole.trained_on) == len(table.rows) == len(nb.fit(table, train=1).trained_on)
    assert nb.load(tmp_path / "whole.h5").manifest["predicted"]["rows_predicted"] == 0
    frame = half.frame([3, 5])
    assert frame["valid_accuracy"].tolist() == half.predict("valid_accuracy", [3, 5]).tolist()
    assert len(half.frame()) == len(table.space.representatives)


def test_sizes_as_the_command_line_has_them(table: Table, tmp_path: Path) -> None:
    words = ["--sizes", "8,12", "--draws", 2, "--predictors", "ridge", "--seed", 4]
    said = says("surrogate", "score", table.path, *words)
    told: list[Any] = []
    found = nb.score(
        table,
        sizes=(8, 12),
        draws=2,
        predictors=["ridge"],
        seed=4,
        out=tmp_path,
        progress=lambda *of: told.append(of),
    )
    again = nb.score(table, sizes=(8, 12), draws=2, predictors=["ridge"], seed=4, out=tmp_path)
    for one in (said, found.describe(), again.describe()):
        one["scores"] = [
            {k: v for k, v in of.items() if "seconds" not in k} for of in one["scores"]
        ]
    documents = [found.describe(), again.describe()]
    assert documents[0]["scores"][0]["all"] == said["scores"][0]["all"]
    assert documents[0] == documents[1]  # seconds, too: they were kept
    assert told[-1] == ("fitting", 4, 4)
    assert found.frame()[["size", "draw"]].values.tolist() == [[8, 0], [8, 1], [12, 0], [12, 1]]


def test_what_cannot_be_scored_is_one_sentence(table: Table) -> None:
    with pytest.raises(BadValue, match="name a surrogate and a table"):
        nb.score(table)  # type: ignore[call-overload]
    with pytest.raises(BadValue, match="name one table"):
        nb.score(nb.fit(table, train=20), table, sizes=[20])  # type: ignore[call-overload]
    with pytest.raises(NasbenchError, match="share of rows"):
        nb.fit(table, train=0.0)
