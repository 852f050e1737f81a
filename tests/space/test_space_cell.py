"""Cells as strings, graphs and encodings, against slow ways of writing and reading them."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.space import NB201_OPERATIONS, CellSpace, Edge

FIRST = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
MINI = CellSpace("mini", 3)
MINI_STRINGS = {MINI.string(a) for a in range(MINI.size)}
PREFIXES = {string[:n] for string in MINI_STRINGS for n in range(len(string) + 1)}


def read(string: str) -> list[list[tuple[str, int]]]:
    """The string's nodes, each a list of (operation, source), read by plain splitting."""
    nodes = [node.strip("|").split("|") for node in string.split("+")]
    return [[(edge.split("~")[0], int(edge.split("~")[1])) for edge in node] for node in nodes]


# Strings and numbers.


def test_every_string_reads_back(nb201: CellSpace) -> None:
    strings = [nb201.string(architecture) for architecture in range(nb201.size)]
    assert len(set(strings)) == nb201.size == 15_625
    assert [nb201.index(string) for string in strings] == list(range(nb201.size))


def test_the_numbers_are_the_official_ones(nb201: CellSpace) -> None:
    assert nb201.string(0) == FIRST
    # Of all strings in order; equal to the release's list, see the next test.
    strings = "\n".join(nb201.string(architecture) for architecture in range(nb201.size))
    assert hashlib.sha256(strings.encode()).hexdigest() == (
        "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"
    )


def test_the_order_is_the_release_s_shuffle(nb201: CellSpace) -> None:
    order = list(range(nb201.size))
    random.Random(88).shuffle(order)
    assert nb201.describe().get("order") is None
    assert [nb201.index_of(nb201.ops(i)) for i in (0, 7, 15_624)] == [0, 7, 15_624]
    lexicographic = np.asarray(order)[:, None] // 5 ** np.arange(5, -1, -1) % 5
    np.testing.assert_array_equal(nb201.ops(np.arange(nb201.size)), lexicographic)


def test_the_order_is_that_of_the_release(nb201: CellSpace, published: Mapping[str, Any]) -> None:
    strings = [nb201.string(architecture) for architecture in range(nb201.size)]
    assert strings == published["architectures"].tolist()


@given(
    nodes=st.integers(2, 5),
    operations=st.lists(st.sampled_from(NB201_OPERATIONS), min_size=1, unique=True),
    data=st.data(),
)
def test_strings_of_any_cell_space_read_back(
    nodes: int, operations: list[str], data: st.DataObject
) -> None:
    space = CellSpace("any", nodes, operations)
    architecture = data.draw(st.integers(0, space.size - 1))
    string = space.string(architecture)
    assert space.index(string) == architecture
    ops = [operations.index(op) for node in read(string) for op, _ in node]
    assert space.ops(architecture).tolist() == ops
    assert [[source for _, source in node] for node in read(string)] == [
        list(range(target)) for target in range(1, nodes)
    ]


@pytest.mark.parametrize(
    ("string", "place", "told"),
    [
        ("", 0, "expected '|', found the end"),
        ("none~0|+|none~0|none~1|", 0, "expected '|', found 'n'"),
        ("|conv_3x3~0|+|none~0|none~1|", 1, "did you mean nor_conv_3x3"),
        ("|~0|+|none~0|none~1|", 1, "unknown operation ''"),
        ("|none~1|+|none~0|none~1|", 6, "expected '0', found '1'"),
        ("|none~0+|none~0|none~1|", 7, "expected '|', found '+'"),
        ("|none~0|none~1|+|none~0|none~1|", 8, "expected '+', found 'n'"),
        ("|none~0||+|none~0|none~1|", 8, "expected '+', found '|'"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", 17, "unknown operation ''"),
        ("|none~0|+|none~0|none~1", 23, "expected '|', found the end"),
        ("|none~0|+|none~0|none~1| ", 24, "expected the end, found ' '"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 24, "expected the end, found '+'"),
    ],
)
def test_a_malformed_string_names_the_character(string: str, place: int, told: str) -> None:
    with pytest.raises(NasbenchError) as error:
        MINI.index(string)
    assert f"at character {place} of" in str(error.value)
    assert told in str(error.value)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A cell string with a character put in, taken out or changed."""
    string = draw(st.sampled_from(sorted(MINI_STRINGS)))
    at = draw(st.integers(0, len(string)))
    put = draw(st.text("|~+0123456789_acdefghiklnoprstvx \n€", max_size=2))
    return string[:at] + put + string[at + draw(st.integers(0, 2)) :]


@given(damaged())
def test_the_named_character_is_where_the_string_leaves_the_grammar(string: str) -> None:
    if string in MINI_STRINGS:
        assert MINI.string(MINI.index(string)) == string
        return
    with pytest.raises(NasbenchError) as error:
        MINI.index(string)
    place = int(str(error.value).split(" at character ")[1].split(" ")[0])
    # The first character after which no cell string goes on like this; an unknown operation
    # is named where it begins.
    left = next((n for n in range(len(string)) if string[: n + 1] not in PREFIXES), len(string))
    if "unknown operation" in str(error.value):
        left = string.rindex("|", 0, left) + 1
    assert place == left


# Graphs and encodings.


def test_the_graph_is_what_the_string_says(nb201: CellSpace) -> None:
    for architecture in range(0, nb201.size, 101):
        edges = [
            Edge(source, target, operation)
            for target, node in enumerate(read(nb201.string(architecture)), start=1)
            for operation, source in node
        ]
        assert nb201.graph(architecture).edges == tuple(edges)


def test_a_cell_has_24_neighbours_that_differ_in_one_operation(nb201: CellSpace) -> None:
    for architecture in (0, 1, 77, 15_624):
        found = nb201.neighbors(architecture)
        assert len(set(found.tolist())) == 24
        mine = read(nb201.string(architecture))
        for other in found.tolist():
            theirs = read(nb201.string(other))
            pairs = zip(itertools.chain(*mine), itertools.chain(*theirs), strict=True)
            assert sum(a != b for a, b in pairs) == 1


def test_moves_in_the_official_order_keep_to_the_operations(nb201: CellSpace) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        first, second = nb201.sample(rng), nb201.sample(rng)
        child = nb201.mutate(first, rng)
        assert (nb201.ops(first) != nb201.ops(child)).sum() == 1
        mixed = nb201.ops(nb201.crossover(first, second, rng))
        assert ((mixed == nb201.ops(first)) | (mixed == nb201.ops(second))).all()


def test_adjacency_is_the_graph_as_a_matrix(nb201: CellSpace) -> None:
    some = np.arange(0, nb201.size, 97)
    matrices = nb201.adjacency(some)
    for architecture, matrix in zip(some.tolist(), matrices, strict=True):
        expected = np.zeros((4, 4), dtype=int)
        for edge in nb201.graph(architecture).edges:
            expected[edge.source, edge.target] = 1 + NB201_OPERATIONS.index(edge.operation)
        assert matrix.tolist() == expected.tolist()
    block = nb201.adjacency(some[:4].reshape(2, 2))
    assert block.reshape(4, 4, 4).tolist() == matrices[:4].tolist()


def walked(space: CellSpace, architecture: int) -> set[tuple[str, ...]]:
    """The operations along every way from input to output, found by walking the graph."""
    edges = [e for e in space.graph(architecture).edges if e.operation != "none"]
    found = set()
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        node, path = waiting.pop()
        if node == space.nodes - 1:
            found.add(path)
        waiting += [(e.target, (*path, e.operation)) for e in edges if e.source == node]
    return found


@pytest.mark.parametrize(
    "space",
    [CellSpace("two", 2), MINI, CellSpace("four", 4), CellSpace("five", 5, NB201_OPERATIONS[:3])],
    ids=lambda space: space.name,
)
def test_path_encoding_is_what_a_walk_finds(space: CellSpace) -> None:
    others = len(space.operations) - 1
    assert len(space.paths) == sum(others**n for n in range(1, space.nodes))
    some = np.unique(np.linspace(0, space.size - 1, 150).astype(int))
    encoded = space.path_encoding(some)
    assert encoded.dtype == np.float32
    for architecture, row in zip(some.tolist(), encoded, strict=True):
        assert {space.paths[i] for i in np.flatnonzero(row)} == walked(space, architecture)
    assert space.path_encoding(int(some[1])).tolist() == encoded[1].tolist()


# Spaces that cannot be.


@pytest.mark.parametrize(
    ("nodes", "operations", "told"),
    [
        (1, NB201_OPERATIONS, "2 nodes or more, got 1"),
        (3, ("none", "nor_conv_5x5"), "unknown operation 'nor_conv_5x5'; did you mean"),
        (3, ("none", "none"), "named twice"),
        (3, (), "at least one choice"),
    ],
)
def test_a_space_that_cannot_be_is_refused(
    nodes: int, operations: tuple[str, ...], told: str
) -> None:
    with pytest.raises(NasbenchError, match=told):
        CellSpace("impossible", nodes, operations)


def test_equal_spaces_find_their_classes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are named and numbered: each table brings a space of its own."""
    operations = ("nor_conv_1x1", "none", "skip_connect")
    first = CellSpace("first", 3, operations)
    order = np.roll(np.arange(first.size), 7)
    keys = [first.normal_form(one).key for one in range(first.size)]
    assert [keys.index(key) for key in keys] == [keys.index(keys[a]) for a in first.classes]
    monkeypatch.setattr("nasbench.space.normal.Normalizer.form", None)
    assert np.array_equal(CellSpace("again", 3, operations).classes, first.classes)
    turned = CellSpace("turned", 3, operations, order=order)
    same = turned.classes[:, None] == turned.classes
    assert np.array_equal(same, (first.classes[:, None] == first.classes)[np.ix_(order, order)])


def test_a_space_too_large_to_enumerate_leaves_out_what_is_dead() -> None:
    large = CellSpace("large", 6)
    assert large.size == 5**15
    assert large.index(large.string(large.size - 1)) == large.size - 1
    with pytest.raises(NasbenchError, match="too many to find the classes"):
        large.classes  # noqa: B018
    drawn = large.sample(np.random.default_rng(0), 60)
    standing = large.canonical(drawn)
    assert (large.canonical(standing) == standing).all()
    assert len(set(standing.tolist()) - set(drawn.tolist())) > 20
    for architecture, canonical in zip(drawn.tolist(), standing.tolist(), strict=True):
        one, other = large.normal_form(architecture), large.normal_form(canonical)
        assert (one.key, one.live_edges) == (other.key, other.live_edges)
        assert large.live_graph(architecture) == large.live_graph(canonical)
    whole = CellSpace("whole", 7, ("skip_connect", "nor_conv_3x3"))
    assert whole.canonical(5) == 5
