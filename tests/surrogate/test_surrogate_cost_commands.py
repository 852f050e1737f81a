"""Cost predictors by command: estimates are written as such, and compared with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import nasbench as nb
from nasbench.cli import app
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.surrogate.cost_scoring import score_costs
from nasbench.surrogate.cost_tables import cost_sources, predict_table_costs
from nasbench.surrogate.operation_counts import operation_counts
from nasbench.table import Dataset, Table, write_table

PRICES = {"a": ("written", 3.0), "b": ("reaching", 1.0), "board": ("reaching", 2.0)}


def costs(space: CellSpace, device: str) -> np.ndarray:
    graph, base = PRICES[device]
    counts = operation_counts(space, np.arange(space.size))[graph][:, :5]
    return base + counts @ ([0.2, 0.6, 3.0, 0.9, 0.1] if device != "a" else [0.1, 2, 2.5, 0.3, 0.4])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, mini: CellSpace) -> Table:
    """Every cell on devices a and b."""
    return of_devices(tmp_path_factory.mktemp("costs") / "known.h5", mini, ["a", "b"], 1)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, mini: CellSpace) -> Table:
    """Every eighth cell on the board."""
    return of_devices(tmp_path_factory.mktemp("costs") / "few.h5", mini, ["board"], 8)


def of_devices(path: Path, space: CellSpace, devices: list[str], step: int) -> Table:
    rows = np.arange(0, space.size, step)
    return write_table(
        path,
        name=path.stem,
        space=space,
        rows=rows,
        sharing="none",
        recipes={},
        datasets={
            f"device/{device}/latency_ms": Dataset(costs(space, device)[rows], {"kind": "measured"})
            for device in devices
        },
        devices={device: {} for device in devices},
    )


def run(*words: object) -> str:
    ran = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)
    assert ran.exit_code == 0
    return ran.stdout


def test_estimates_are_written_as_such_and_join_others(
    known: Table, few: Table, tmp_path: Path, mini: CellSpace
) -> None:
    out, both = tmp_path / "estimated.h5", tmp_path / "both.h5"
    said = run("device", "predict", known.path, "--samples", few.path, "--out", out)
    assert "board/latency_ms of 125 architectures" in said
    assert "(reaching)" in said
    run("merge", known.path, out, "--out", both)
    made = nb.load(both)
    kinds = made.manifest["devices"]["board"]["kinds"]
    assert set(kinds) == {"latency_ms", "latency_low_ms", "latency_high_ms"}
    assert set(kinds.values()) == {"estimated"}
    assert made.manifest["devices"]["board"]["estimated"]["samples"] == len(few.rows)
    found = made.cost("board", "latency_ms", np.arange(mini.size))
    assert np.abs(found / costs(mini, "board") - 1).max() < 0.1
    # What is estimated is no content: two machines estimate alike, and nobody says measured.
    assert made.manifest["datasets"]["device/board/latency_ms"]["kind"] == "estimated"


def test_the_document_says_what_the_text_does(known: Table, few: Table) -> None:
    said = json.loads(run("device", "predict", known.path, "--samples", few.path, "--json"))
    assert said["metric"] == "board/latency_ms"
    assert said["graph"] == "reaching"
    assert said["samples"] == 16
    assert sum(said["weights"].values()) == pytest.approx(1)


def test_a_table_predicts_its_own_device_from_the_rows_that_have_it(
    few: Table, mini: CellSpace
) -> None:
    found = predict_table_costs(few).found
    assert (found.architectures == few.rows).all()
    assert found.error < 0.01


def test_intervals_and_spreads_are_no_devices_to_learn_from(
    known: Table, few: Table, tmp_path: Path
) -> None:
    predicted = predict_table_costs(known, few)
    made = predicted.write(tmp_path / "made.h5", level=0.8)
    assert list(cost_sources(made, "latency_ms")) == ["board"]
    with pytest.raises(NasbenchError, match="unknown device with latency_low_ms"):
        cost_sources(made, "latency_low_ms", ["board"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--device", "boart"], "did you mean board"),
        (["--metric", "energy_mj"], "latency_ms"),
        (["--sources", "c"], "unknown device with latency_ms 'c'"),
        (["--sources", ","], "names devices, by commas, or none"),
        (["--level", "0.99"], r"up to 0\.941"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    known: Table, few: Table, words: list[str], says: str
) -> None:
    with pytest.raises(NasbenchError, match=says):
        run("device", "predict", known.path, "--samples", few.path, *words)


def test_samples_of_another_space_are_refused(few: Table, tmp_path: Path) -> None:
    other = of_devices(tmp_path / "other.h5", nb.space("nb201-mini"), ["a"], 9)
    object.__setattr__(other, "space", nb.space("nb201"))
    with pytest.raises(NasbenchError, match="is of nb201-mini, other of nb201"):
        predict_table_costs(other, few)


def test_measured_cells_that_a_table_lacks_are_named(few: Table, tmp_path: Path) -> None:
    part = of_devices(tmp_path / "part.h5", nb.space("nb201-mini"), ["a"], 16)
    with pytest.raises(NasbenchError, match="measured 8 architectures that part lacks, "):
        predict_table_costs(part, few)


# Scores.


def test_predictors_are_scored_on_the_same_other_rows(known: Table) -> None:
    names = ["cost", "cost_counts", "cost_sources", "best_source", "xgboost"]
    found = score_costs(known, "b/latency_ms", [10, 20], draws=3, predictors=names)
    means = {n: [found.summary(n, size, "spearman").mean for size in (10, 20)] for n in names}
    assert means["cost_counts"][1] > 0.99
    assert means["cost"][1] > means["best_source"][1]
    assert means["cost"][0] > means["xgboost"][0]
    assert found.graphs(20).keys() <= {"reaching", "live"}  # alike in these few cells
    assert 0.5 < found.summary("cost", 20, "coverage").mean <= 1
    assert found.about["sources"] == ["a"]


def test_help_stands_beside_what_it_was_published_of(
    nb201: CellSpace, tmp_path: Path, capsys: Any
) -> None:
    rows = np.arange(0, nb201.size, 50)
    counts = operation_counts(nb201, rows)["written"]
    datasets = {
        f"device/{device}/latency_ms": Dataset(2 + counts @ [0.1, 1, k, 1, 0.2, 0], {})
        for device, k in (("fpga", 3), ("mine", 5))
    }
    path = tmp_path / "published.h5"
    write_table(
        *(path,),
        name="published",
        space=nb201,
        rows=rows,
        sharing="none",
        recipes={},
        datasets=datasets,
        devices={"fpga": {}, "mine": {}},
    )
    words = ["--sizes", "10", "--draws", "1", "--predictors", "cost_counts"]
    said = run("surrogate", "score", path, "--metric", "fpga/latency_ms", *words)
    (row,) = (line for line in said.splitlines() if line.startswith("HELP, as published"))
    assert row.split()[-1] == ".985"
    assert "HELP" not in run("surrogate", "score", path, "--metric", "mine/latency_ms", *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "4"], "sizes are 5 to 120, got 4"),
        (["--sizes", "10", "--predictors", "cost,ridge"], "unknown cost predictor 'ridge'"),
        (["--sizes", "10", "--features", "one_hot"], "without --features"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(known: Table, words: list[str], says: str) -> None:
    if "--predictors" not in words:
        words = [*words, "--predictors", "cost"]
    with pytest.raises(NasbenchError, match=says):
        run("surrogate", "score", known.path, "--metric", "b/latency_ms", *words)
