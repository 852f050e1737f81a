"""What the strategies with a fitted model share, on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from asking import GOAL, play, play_together

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, ChoiceSpace, Space, get
from strategies._predictor import features, paths_or_decisions
from strategies.bananas import Bananas
from strategies.hybrid import Hybrid
from strategies.pnas import Pnas
from strategies.predictor_evolution import PredictorEvolution

pytestmark = pytest.mark.heavy

Make = Callable[..., Any]
BATCHED = pytest.mark.parametrize("make", [Bananas, Pnas, PredictorEvolution])
ALL = pytest.mark.parametrize("make", [Bananas, Hybrid, Pnas, PredictorEvolution])
UNEVEN = ChoiceSpace("uneven", {"a": [1, 2], "b": [1, 2, 3, 4], "c": [1], "d": [1, 2, 3]})


def _values(space: Space) -> np.ndarray:
    return np.random.default_rng(8).normal(size=space.size)


@BATCHED
@pytest.mark.parametrize("space", [UNEVEN, ChoiceSpace("one", {"a": [1]}), get("nb201-mini")])
def test_asks_for_one_of_each_class_and_ends(make: Make, space: Space) -> None:
    asked = play(make(space, GOAL, np.random.default_rng(1)), _values(space), 10_000)
    classes = space.canonical(np.asarray(asked)).tolist()
    assert sorted(classes) == space.representatives.tolist()


@ALL
def test_same_seed_asks_the_same_with_outcomes_in_any_order(make: Make) -> None:
    space = get("nb201")
    runs = [
        play_together(
            make(space, GOAL, np.random.default_rng(seed)),
            _values(space),
            60,
            np.random.default_rng(2),
        )
        for seed in (3, 3, 4)
    ]
    assert len(runs[0]) == len(set(runs[0])) == 60
    assert runs[0] == runs[1] != runs[2]


@ALL
def test_a_fifth_of_trainings_diverge_and_are_avoided(make: Make) -> None:
    """What diverges is known by its first decision: few of those asked for later do."""
    space = get("nats-size")
    ops = space.ops(np.arange(space.size))
    values = np.where(ops[:, 0] == 5, np.nan, ops.sum(1))
    asked = play(make(space, GOAL, np.random.default_rng(5)), values, 80)
    assert np.isnan(values[asked[50:]]).mean() < 0.05


@ALL
def test_all_diverging_is_borne(make: Make) -> None:
    space = get("nb201")
    values = np.full(space.size, np.nan)
    assert len(play(make(space, GOAL, np.random.default_rng(5)), values, 50)) == 50


class _Sum:
    """Values of a space too large to list: the sum of the decisions."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def __getitem__(self, architecture: int) -> int:
        return int(self.space.ops(architecture).sum())


LARGE = (
    ChoiceSpace("wide", {f"d{i}": range(4) for i in range(30)}),
    CellSpace("tall", 6),
    CellSpace("taller", 7),
    CellSpace("dense", 6, ("nor_conv_1x1", "nor_conv_3x3")),
)


def _searches_of_large_spaces() -> Iterator[Any]:
    for make in (Bananas, Hybrid, Pnas, PredictorEvolution):
        for space in LARGE:
            # Thousands of paths through a cell take seconds to see; one such space is enough.
            slow = space.name == "tall" or (make is Hybrid and space.name == "taller")
            yield pytest.param(make, space, marks=[pytest.mark.slow] * slow)


@pytest.mark.parametrize(("make", "space"), list(_searches_of_large_spaces()))
def test_large_spaces_are_searched_without_listing_them(make: Make, space: Space) -> None:
    values: Any = _Sum(space)
    parameters = {"candidates": 300} if make is Pnas else {}
    count = 30 if make is Hybrid else 60  # it fits a process of all paths before each query
    asked = play(make(space, GOAL, np.random.default_rng(1), **parameters), values, count)
    assert len(set(asked)) == count
    assert np.mean([values[a] for a in asked[-count // 2 :]]) > np.mean(
        [values[a] for a in asked[:10]]
    )


@BATCHED
@pytest.mark.parametrize("bad", [0, -1, 2.0, True])
def test_bad_counts_are_refused(make: Make, bad: object) -> None:
    name = "beam_size" if make is Pnas else "batch_size"
    with pytest.raises(NasbenchError, match=f"{name} must be an integer of 1 or more, got"):
        make(UNEVEN, GOAL, np.random.default_rng(1), **{name: bad})


def test_cells_of_one_class_look_the_same(nb201: CellSpace) -> None:
    cells = np.random.default_rng(0).integers(nb201.size, size=500)
    alike = nb201.canonical(cells)
    assert (cells != alike).any()
    for encode in (paths_or_decisions, features):
        assert np.array_equal(encode(nb201, cells), encode(nb201, alike))


def test_encodings_have_a_column_for_each_path_or_choice(nb201: CellSpace) -> None:
    # 4 + 16 + 64 paths; 6 edges of 5 operations, and the edges of each operation.
    assert paths_or_decisions(nb201, [0, 1]).shape == (2, 84)
    both = features(nb201, [0, 1])
    assert both.shape == (2, 30 + 84 + 5)
    assert (both[:, -5:].sum(1) == 6).all()
    for encode in (paths_or_decisions, features):
        assert np.array_equal(encode(UNEVEN, [0, 7]), UNEVEN.one_hot([0, 7]))
        tall = CellSpace("tall", 7)  # 5,460 paths
        # What is dead is left out: equal networks look alike.
        standing = tall.one_hot(tall.canonical([0, 7]))
        assert np.array_equal(encode(tall, [0, 7])[:, : 21 * 5], standing)


def test_one_edge_cell_has_one_path(nb201: CellSpace) -> None:
    cell = nb201.index("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    (row,) = paths_or_decisions(nb201, [cell])
    assert [nb201.paths[place] for place in np.flatnonzero(row)] == [("nor_conv_3x3",)]
