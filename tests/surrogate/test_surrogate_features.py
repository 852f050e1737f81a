"""Features: of structure against plain counting, of tables against what the tables hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_truth import noisy, worth
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, ChoiceSpace
from nasbench.space.base import Encoding
from nasbench.surrogate import Features, fit
from nasbench.surrogate.features import STRUCTURE, structure, usual_features
from nasbench.table import Dataset, Table, write_table

MakeTable = Callable[..., Table]


def _routes(edges: dict[tuple[int, int], str], allowed: set[str], last: int) -> list[list[str]]:
    """The operations along every way from node 0 to the last, found step by step."""
    ways: list[list[str]] = []

    def walk(node: int, told: list[str]) -> None:
        if node == last:
            ways.append(told)
        for (source, target), operation in edges.items():
            if source == node and operation in allowed:
                walk(target, [*told, operation])

    walk(0, [])
    return ways


@given(architecture=st.integers(0, 15_624))
def test_graph_features_count_what_a_walk_counts(nb201: CellSpace, architecture: int) -> None:
    standing = int(nb201.canonical(architecture))
    named = [nb201.operations[op] for op in nb201.ops(standing)]
    edges = dict(zip(nb201.pairs, named, strict=True))
    alive = [operation for operation in nb201.operations if operation != "none"]
    expected: list[float] = []
    for size in range(1, len(alive) + 1):
        for allowed in combinations(alive, size):
            lengths = [len(way) for way in _routes(edges, set(allowed), 3)]
            expected += [len(lengths), min(lengths, default=4), max(lengths, default=0)]
            there = [pair for pair, operation in edges.items() if operation in allowed]
            expected += [sum(target == node for _, target in there) for node in (1, 2, 3)]
            expected += [sum(source == node for source, _ in there) for node in (0, 1, 2)]
    ways = _routes(edges, set(alive), 3)
    for operation in alive:
        on = [way.count(operation) for way in ways]
        expected += [sum(on), max(on, default=0)]
    assert structure(nb201, architecture, "graph")[0].tolist() == expected


def test_structure_is_that_of_the_class(mini: CellSpace) -> None:
    every = np.arange(mini.size)
    for name in STRUCTURE:
        found = structure(mini, every, name)
        assert (found == found[mini.canonical(every)]).all(), name
        assert found.dtype == np.float32
    of_edges = structure(mini, every, "one_hot").reshape(mini.size, 3, -1)
    assert (structure(mini, every, "operations") == of_edges.sum(1)).all()
    assert (structure(mini, every, "adjacency") == of_edges.argmax(2)).all()


def test_spaces_without_cells_have_decisions() -> None:
    space = ChoiceSpace("own", {"a": [1, 2], "b": [3, 4, 5]})
    assert usual_features(space) == ("one_hot",)
    with pytest.raises(NasbenchError, match="own has no feature graph; it has one_hot"):
        structure(space, [0], "graph")


@pytest.fixture
def rich(tmp_path: Path, mini: CellSpace) -> Table:
    """A table of 40 distinct cells with everything that features are made of."""
    rows, rng = mini.representatives[:40], np.random.default_rng(0)
    accuracy = worth(mini, rows)[:, None, None] + rng.normal(0, 0.5, (40, 2, 5))
    draw = {name: rng.normal(size=40) for name in ("a", "b", "flops", "latency", "spread")}
    draw["b"][7] = np.nan
    trained = {"kind": "trained", "epochs": [1, 2, 3, 4, 5]}
    return write_table(
        tmp_path / "rich.h5",
        name="rich",
        space=mini,
        rows=rows,
        sharing="canonical",
        recipes={"5ep": {"epochs": 5, "seeds": [0, 1]}},
        datasets={
            "recipe/5ep/valid_accuracy": Dataset(accuracy, trained),
            "recipe/5ep/test_accuracy": Dataset(accuracy - 1, trained),
            "proxy/a": Dataset(draw["a"]),
            "proxy/b": Dataset(draw["b"]),
            "network/flops": Dataset(draw["flops"]),
            "device/d/latency_ms": Dataset(draw["latency"]),
            "device/d/latency_spread_ms": Dataset(draw["spread"]),
        },
        devices={"d": {}},
    )


class Widths(ChoiceSpace):
    """A space that knows more of its architectures than their choices."""

    def encodings(self) -> Mapping[str, Encoding]:
        return {**super().encodings(), "width": self._width}

    def _width(self, architectures: ArrayLike) -> NDArray[np.float32]:
        return 8 * (1 + self.ops(architectures).sum(-1, keepdims=True)).astype(np.float32)


def test_a_space_s_own_encoding_is_a_feature(tmp_path: Path) -> None:
    space = ChoiceSpace("widths", {"stem": [8, 16], "body": [8, 16, 24]})
    rows = np.arange(space.size)
    about = Dataset(rows.astype(float), {"kind": "imported", "epochs": [1]})
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=space,
        rows=rows,
        sharing="none",
        recipes={"r": {"epochs": 1, "seeds": []}},
        datasets={"recipe/r/valid_accuracy": about},
    )
    table.space.__class__ = Widths  # as a registered space is read
    found = Features.make(table, ("width", "one_hot")).of(rows)
    assert found[:, 0].tolist() == [8, 16, 24, 16, 24, 32]
    assert np.array_equal(found[:, 1:], space.one_hot(rows))
    with pytest.raises(NasbenchError, match="no feature path; it has one_hot, width"):
        structure(table.space, rows, "path")


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("proxies", ["proxy/a", "proxy/b"]),
        ("network", ["flops"]),
        ("devices", ["latency"]),
        ("devices:d", ["latency"]),
    ],
)
def test_columns_are_those_of_the_table(rich: Table, name: str, columns: list[str]) -> None:
    seen = Features.make(rich, [name]).of(rich.rows)
    whole = [
        rich.device_column("d", "latency_ms") if column == "latency" else rich.column(column)
        for column in columns
    ]
    assert np.array_equal(seen, np.stack(whole, 1).astype(np.float32), equal_nan=True)


def test_early_curves_end_where_they_are_told_to(rich: Table) -> None:
    seen = Features.make(rich, ["early:5ep@2"]).of(rich.rows)
    first = [rich.column("valid_accuracy", epoch=epoch) for epoch in (1, 2)]
    assert np.allclose(seen, np.stack(first, 1))


def test_the_end_that_is_predicted_is_no_feature(rich: Table) -> None:
    for name in ("early:5ep", "early:5ep@5"):
        with pytest.raises(NasbenchError, match=r"early:5ep.* holds what is to be predicted"):
            fit(rich, train=20, features=["one_hot", name])


def test_cells_without_a_row_are_missing_and_order_is_kept(rich: Table, mini: CellSpace) -> None:
    seen = Features.make(rich, ["proxies", "one_hot"])
    every = seen.of(np.arange(mini.size))
    known = np.isin(mini.classes, rich.rows)
    assert np.isfinite(every[known, -2]).all()
    assert np.isnan(every[~known, -2]).all()
    assert (every[:, :-2] == structure(mini, np.arange(mini.size), "one_hot")).all()


def test_members_of_a_class_share_the_mean(make_table: MakeTable, mini: CellSpace) -> None:
    """An imported table measures equal networks apart: they have one feature."""
    other = make_table(
        {"valid_accuracy": np.random.default_rng(0).normal(80, 1, (mini.size, 1))},
        rows=np.arange(mini.size),
        sharing="none",
        name="other",
    )
    table = make_table(noisy(65, 2, seed=0))
    seen = Features.make(table, [f"table:{other.path}"]).of(np.arange(mini.size))[:, 0]
    column = other.column("valid_accuracy")
    for standing in mini.representatives:
        members = mini.classes == standing
        assert np.allclose(seen[members], column[members].mean(), rtol=1e-6)


def test_description_gives_the_same(rich: Table, mini: CellSpace) -> None:
    seen = Features.make(rich, ["graph", "proxies"])
    again = Features.from_description(mini, seen.describe())
    every = np.arange(mini.size)
    assert np.array_equal(seen.of(every), again.of(every), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("one-hot", "unknown feature 'one-hot'; did you mean one_hot"),
        ("early:3ep", "unknown recipe '3ep'"),
        ("early:5ep@x", "an early learning curve is early:RECIPE@EPOCH"),
        ("early:5ep@0", "knows valid_accuracy of 5ep from epoch 1 on, not by 0"),
        ("devices:e", "rich holds nothing for the feature devices:e"),
        ("table:none.h5", "there is no table file"),
    ],
)
def test_bad_input_is_one_sentence(rich: Table, name: str, why: str) -> None:
    with pytest.raises(NasbenchError, match=why):
        Features.make(rich, [name])


def test_another_space_is_refused(rich: Table, make_table: MakeTable, nb201: CellSpace) -> None:
    rows = nb201.representatives[:5]
    other = make_table({"valid_accuracy": np.full((5, 1), 70.0)}, space=nb201, rows=rows)
    with pytest.raises(NasbenchError, match="known is of nb201, rich of nb201-mini"):
        Features.make(rich, [f"table:{other.path}"])


def test_no_features_are_refused(rich: Table) -> None:
    with pytest.raises(NasbenchError, match="a model sees at least one feature"):
        Features.make(rich, [])
