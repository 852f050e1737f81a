"""Spaces that nobody can list are built as samples, of any design."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from user_space import RECIPE, written

import nasbench as nb
from nasbench.building import BuildSpec, Sampling, build, build_sample, read_spec
from nasbench.building.designs import candidates, some_of
from nasbench.building.estimate import estimate
from nasbench.errors import Unsupported
from nasbench.table import Table

BIG = """\
from torch import nn

from nasbench.space import ChoiceSpace

widths = {f"w{place}": list(range(1, 33)) for place in range(20)}
rule = {f"w{place}": {"depth": [20]} for place in range(10, 20)}
space = ChoiceSpace("big", {"depth": [10, 20], **widths}, only_if=rule)


def build(choices, inputs, outputs):
    width = choices["w0"] + choices.get("w19", 0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, outputs))
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> BuildSpec:
    """2.5e30 architectures."""
    return read_spec(written(tmp_path_factory.mktemp("big"), RECIPE, BIG))


@pytest.fixture(scope="module")
def out(spec: BuildSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of ten of them."""
    path = tmp_path_factory.mktemp("sampled") / "T.h5"
    build_sample(spec, path, Sampling(10, "random"), processes=1)
    return path


def test_a_table_holds_the_rows_of_the_sample(spec: BuildSpec, out: Path) -> None:
    table = Table(out)
    rows = table.rows.tolist()
    assert len(set(rows)) == 10
    assert rows == spec.space.canonical(rows).tolist()
    assert max(rows) > 2**64
    assert np.isfinite(table.values("valid_accuracy", rows)).all()
    assert out.stat().st_size < 60_000
    # A row without the deeper half is one that does not choose its widths.
    depths = {spec.space.choices_of(row)["depth"] for row in rows}
    assert depths == {10, 20}


def test_a_larger_sample_begins_with_the_smaller(spec: BuildSpec, out: Path) -> None:
    trained: list[str] = []
    before = Table(out).rows.tolist()
    build_sample(
        spec, out, Sampling(14, "random"), processes=1,
        progress=lambda what, done, of: trained.append(f"{what} {done}"),
    )  # fmt: skip
    after = Table(out).rows.tolist()
    assert set(before) < set(after)
    assert len(after) == 14
    held, others = candidates(spec.space, Sampling(2_000, "random"))
    for size in (10, 14):
        few, rest = candidates(spec.space, Sampling(size, "random"))
        assert few.tolist() == held[: len(few)].tolist()
        assert rest.tolist() == others[: len(rest)].tolist()


def test_other_designs_and_the_estimate_list_nothing(spec: BuildSpec, tmp_path: Path) -> None:
    found = estimate(spec, tmp_path / "T.h5", processes=1, sampling=Sampling(10, "random"))
    assert found.distinct == 10
    made = build_sample(spec, tmp_path / "A.h5", Sampling(30, "active"), processes=1)
    assert len(made.table.rows) == 30


def test_a_space_of_which_all_is_drawn_gives_what_it_has() -> None:
    small = nb.space("nb201-mini")
    assert len(some_of(small, 10**6, 0)) == small.unique


def test_it_is_not_built_whole_nor_completed(spec: BuildSpec, tmp_path: Path) -> None:
    for whole in (build, estimate):
        with pytest.raises(Unsupported, match=r"too many to train them all: train a sample"):
            whole(spec, tmp_path / "T.h5", processes=1)
    with pytest.raises(Unsupported, match="--complete predicts all of a space"):
        build_sample(spec, tmp_path / "T.h5", Sampling(20, "random"), complete=True, processes=1)
    assert not (tmp_path / "T.h5.build").exists()
