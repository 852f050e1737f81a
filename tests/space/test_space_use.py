"""A table of a space without cells serves whatever a table serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb
from nasbench.cli import main
from nasbench.errors import NasbenchError
from nasbench.report import Report, write_report
from nasbench.search import compare
from nasbench.space import ChoiceSpace, Space
from nasbench.surrogate import Surrogate, fit, score
from nasbench.table import Dataset, Table, load, write_table

OWN = ChoiceSpace("own", {"stem": [8, 16, 24, 32], "depth": range(1, 6), "block": ["a", "b"]})
Write = Callable[..., Table]
Shown = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(space: Space = OWN, sharing: str = "none") -> Table:
        """A made-up table whose accuracy grows with the first decision and falls with the last."""
        rows = space.representatives if sharing == "canonical" else np.arange(space.size)
        ops = space.ops(rows).astype(float)
        noise = np.random.default_rng(0).normal(0, 0.1, (len(rows), 3, 1))
        accuracy = 60 + 5 * ops[:, :1, None] - 3 * ops[:, -1:, None] + noise
        about = {"kind": "trained", "epochs": [4]}
        return write_table(
            tmp_path / f"{space.name}.h5",
            name="made-up",
            space=space,
            rows=rows,
            sharing=sharing,
            recipes={"4ep": {"epochs": 4, "seeds": [0, 1, 2]}},
            datasets={
                "recipe/4ep/valid_accuracy": Dataset(accuracy, about),
                "recipe/4ep/test_accuracy": Dataset(accuracy - 1, about),
                "recipe/4ep/train_seconds": Dataset(np.full_like(accuracy, 2.0), about),
            },
        )

    return write


def test_a_table_opens_on_the_space_that_it_was_written_with(write: Write) -> None:
    opened = load(str(write().path))
    assert isinstance(opened.space, ChoiceSpace)
    assert opened.space.describe() == OWN.describe()
    best = int(np.argmax(opened.values("valid_accuracy", np.arange(OWN.size))))
    stem, _, block = opened.space.string(best).split(":")
    assert (stem, block) == ("32", "a")


def test_equal_networks_share_a_row(write: Write) -> None:
    space = nb.space("nb-macro")
    table = write(space, sharing="canonical")
    assert len(table.rows) == 3_969
    values = table.values("valid_accuracy", [space.index("10101101"), space.index("10110110")])
    assert values[0] == values[1]


def test_a_predictor_sees_the_decisions(write: Write, tmp_path: Path) -> None:
    table = write()
    surrogate = fit(table, train=20)
    surrogate.save(tmp_path / "own.json")
    again = Surrogate.load(tmp_path / "own.json")
    assert again.space.describe() == OWN.describe()
    assert score(again, table).agreement.kendall > 0.5


def test_searches_and_pages_need_no_cells(write: Write, tmp_path: Path) -> None:
    table = write()
    runs = compare(["random_search", "regularized_evolution"], table, budget_seconds=60, seeds=[0])
    report = Report(table, "4ep", {"Search": runs}, score(fit(table, train=20), table))
    write_report(report, tmp_path / "page", "Own")
    page = (tmp_path / "page" / "index.html").read_text()
    assert "own: 40 architectures, 40 rows" in page
    assert "The best cells" not in page


def test_no_network_is_known() -> None:
    with pytest.raises(NasbenchError, match="no network is known for architectures of own"):
        nb.network(OWN, 0, nb.task("digits"), nb.Recipe(epochs=1))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What `nasbench space` prints."""

    def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["nasbench", "space", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        return capsys.readouterr().out

    return run


def test_the_command_shows_the_decisions(shown: Shown) -> None:
    lines = shown("nats-size").splitlines()
    assert "decision residual2  8, 16, 24, 32, 40, 48, 56, 64" in lines
    assert ["example", "16384", "=", "40:8:8:8:8"] in [line.split() for line in lines]
    assert "identity, MB3_K3, MB6_K5" in shown("nb-macro")


def test_the_command_reads_a_file(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "skips"\nnodes = 3\noperations = ["none", "skip_connect"]\n')
    # Nothing, the input, or twice the input.
    assert json.loads(shown(str(path), "--json"))["unique"] == 3
    path.write_text('name = "large"\nnodes = 8\noperations = ["none", "skip_connect"]\n')
    assert "not counted: large has 268,435,456 architectures" in shown(str(path))
    assert json.loads(shown(str(path), "--json"))["unique"] is None
