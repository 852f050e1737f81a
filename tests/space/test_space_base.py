"""What every space derives from its choices, checked on a toy space of mixed choices."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasbench.errors import NasbenchError
from nasbench.space import Space

CHOICES = (2, 3, 1, 4)
OPS = list(itertools.product(*map(range, CHOICES)))  # lexicographic


class Toy(Space):
    def string(self, architecture: int) -> str:
        return str(architecture)

    def index(self, string: str) -> int:
        return int(string)

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name}


ORDER = np.random.default_rng(3).permutation(len(OPS))


@pytest.fixture(params=[None, ORDER], ids=["lexicographic", "reordered"])
def toy(request: pytest.FixtureRequest) -> Toy:
    return Toy("toy", CHOICES, order=request.param)


def ops_of(toy: Toy, architecture: int) -> tuple[int, ...]:
    """Independent of the arithmetic of `ops`: looked up in the list of all."""
    return OPS[architecture if toy._order is None else int(ORDER[architecture])]


def test_ops_are_the_lexicographic_list_in_the_space_s_order(toy: Toy) -> None:
    everything = np.arange(toy.size)
    assert toy.size == 24
    assert toy.ops(everything).dtype == np.uint8
    assert list(map(tuple, toy.ops(everything).tolist())) == [ops_of(toy, a) for a in everything]
    assert toy.index_of(toy.ops(everything)).tolist() == everything.tolist()
    assert toy.ops([[1, 2], [3, 4]]).shape == (2, 2, 4)
    assert toy.index_of(toy.ops([[1, 2], [3, 4]])).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint64])
def test_many_architectures_are_numbered_as_few_are(toy: Toy, dtype: type) -> None:
    several = np.random.default_rng(0).integers(toy.size, size=(90, 60))
    ops = toy.ops(several).astype(dtype)
    assert toy.index_of(ops).tolist() == several.tolist()
    ops[1, 2, 1] = 3
    with pytest.raises(NasbenchError, match="outside the choices"):
        toy.index_of(ops)


def test_neighbours_are_what_differs_in_one_decision(toy: Toy) -> None:
    for architecture in range(toy.size):
        ops = ops_of(toy, architecture)
        expected = [
            other
            for other in range(toy.size)
            if sum(a != b for a, b in zip(ops, ops_of(toy, other), strict=True)) == 1
        ]
        assert sorted(toy.neighbors(architecture).tolist()) == expected
        assert len(expected) == sum(n - 1 for n in CHOICES)


def test_sampling_is_uniform(toy: Toy) -> None:
    counts = np.bincount(toy.sample(np.random.default_rng(0), 24_000), minlength=24)
    assert stats.chisquare(counts).pvalue > 1e-4
    rng = np.random.default_rng(1)
    single = np.bincount([toy.sample(rng) for _ in range(4_800)], minlength=24)
    assert stats.chisquare(single).pvalue > 1e-4


def test_mutation_changes_one_decision_and_each_change_is_equally_likely(toy: Toy) -> None:
    rng = np.random.default_rng(0)
    start = 5
    counts = Counter(toy.mutate(start, rng) for _ in range(9_000))
    assert set(counts) == set(toy.neighbors(start).tolist())
    free = sum(count > 1 for count in CHOICES)
    expected = []
    for child in counts:
        before, after = ops_of(toy, start), ops_of(toy, child)
        changed = next(d for d in range(4) if before[d] != after[d])
        expected.append(9_000 / free / (CHOICES[changed] - 1))
    assert stats.chisquare(list(counts.values()), expected).pvalue > 1e-4


def test_nothing_can_change_where_there_is_one_architecture() -> None:
    with pytest.raises(NasbenchError, match="nothing can change"):
        Toy("point", (1, 1)).mutate(0, np.random.default_rng(0))


def test_crossover_takes_each_decision_from_either_parent(toy: Toy) -> None:
    rng = np.random.default_rng(0)
    first, second = int(toy.index_of([0, 2, 0, 1])), int(toy.index_of([1, 0, 0, 1]))
    children = Counter(toy.crossover(first, second, rng) for _ in range(4_000))
    expected = {int(toy.index_of([a, b, 0, 1])) for a in (0, 1) for b in (0, 2)}
    assert set(children) == expected
    assert stats.chisquare(list(children.values())).pvalue > 1e-4
    assert toy.crossover(7, 7, rng) == 7


def test_random_moves_follow_the_generator_and_no_other(toy: Toy) -> None:
    def moves(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        at = toy.sample(rng)
        walk = [at, *toy.sample(rng, 3).tolist()]
        for _ in range(20):
            at = toy.mutate(at, rng)
            walk += [at, toy.crossover(at, walk[0], rng)]
        return walk

    before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    first = moves(4)
    np.random.seed(2)  # noqa: NPY002
    assert moves(4) == first != moves(5)
    np.random.seed(2)  # noqa: NPY002
    fresh = np.random.get_state()[1].tolist()  # noqa: NPY002
    moves(6)
    assert np.random.get_state()[1].tolist() == fresh  # noqa: NPY002
    assert random.getstate() == before[1]


def test_one_hot_has_a_column_for_each_choice(toy: Toy) -> None:
    encoded = toy.one_hot(np.arange(toy.size))
    assert (encoded.shape, encoded.dtype) == ((24, 10), np.float32)
    for architecture in range(toy.size):
        columns = []
        for op, count in zip(ops_of(toy, architecture), CHOICES, strict=True):
            columns += [1.0 if choice == op else 0.0 for choice in range(count)]
        assert encoded[architecture].tolist() == columns


def test_each_architecture_stands_for_itself_by_default(toy: Toy) -> None:
    assert toy.unique == toy.size
    assert toy.canonical(3) == 3
    assert isinstance(toy.canonical(3), int)
    assert toy.canonical([[3], [4]]).tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (24, "architectures 0 to 23, got 24"),
        ([0, -1], "got -1"),
        (np.asarray([2**63], dtype=np.uint64), "architectures 0 to 23"),
        (1.0, "integers, got float64"),
        (True, "integers, got bool"),
        ("1", "integers, got <U1"),
    ],
)
def test_what_is_no_architecture_is_refused(given: Any, told: str) -> None:
    space = Toy("toy", CHOICES)
    with pytest.raises(NasbenchError, match=told):
        space.check(given)
    with pytest.raises(NasbenchError, match=told):
        space.canonical(given)


def test_no_architectures_are_architectures() -> None:
    assert Toy("toy", CHOICES).ops([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("ops", "told"),
    [
        ([0, 0, 0], "has 4 decisions"),
        ([0, 3, 0, 0], "outside the choices"),
        ([-1, 0, 0, 0], "outside the choices"),
    ],
)
def test_decisions_that_fit_no_choice_are_refused(ops: list[int], told: str) -> None:
    with pytest.raises(NasbenchError, match=told):
        Toy("toy", CHOICES).index_of(ops)


@pytest.mark.parametrize("choices", [(), (2, 0)])
def test_a_space_without_choices_is_refused(choices: tuple[int, ...]) -> None:
    with pytest.raises(NasbenchError, match="at least one choice"):
        Toy("empty", choices)
