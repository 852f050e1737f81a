"""PNAS: what grows from what, against brute force, and its search on the published table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from asking import GOAL, play

from nasbench.search import Outcome
from nasbench.space import CellSpace, ChoiceSpace
from strategies.pnas import Pnas


def test_cells_grow_node_by_node(published: Mapping[str, Any], nb201: CellSpace) -> None:
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    asked = play(Pnas(nb201, GOAL, np.random.default_rng(0)), values, 25)
    ops = nb201.ops(asked)  # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3; `none` is 0
    first, second, third = ops[:5], ops[5:15], ops[15:]
    assert sorted(map(tuple, first.tolist())) == [(0, 0, 0, op, 0, 0) for op in range(5)]
    assert not second[:, [1, 2, 5]].any()
    kept = {tuple(row) for row in ops[:15, [0, 3, 4]].tolist()}
    assert {tuple(row) for row in third[:, [0, 3, 4]].tolist()} <= kept


def test_decisions_are_made_one_by_one() -> None:
    space = ChoiceSpace("uneven", {"a": [1, 2, 3], "b": [1], "c": [1, 2, 3, 4], "d": [1, 2, 3]})
    ops = space.ops(np.arange(space.size)).astype(int)
    values = ops @ [-1.0, 0.0, 2.0, 5.0]
    asked = play(Pnas(space, GOAL, np.random.default_rng(2), beam_size=2), values, 7)
    steps = [space.ops(asked[:3]), space.ops(asked[3:5]), space.ops(asked[5:])]
    assert sorted(map(tuple, steps[0].tolist())) == [(a, 0, 0, 0) for a in range(3)]
    assert (steps[1][:, 2] > 0).all()  # the first choice is what was trained before
    assert not steps[1][:, [1, 3]].any()
    grown = {tuple(row[:3]) for row in space.ops(asked[:5]).tolist()}
    assert {tuple(row[:3]) for row in steps[2].tolist()} <= grown
    # What the first step showed of the first decision counts in the second.
    assert set(steps[1][:, 0].tolist()) == {0}


def test_a_step_waits_for_the_one_before(nb201: CellSpace) -> None:
    strategy = Pnas(nb201, GOAL, np.random.default_rng(0))
    queries = [strategy.ask() for _ in range(5)]
    assert None not in queries
    assert strategy.ask() is None
    for value, query in enumerate(queries):
        assert strategy.ask() is None
        assert query is not None
        strategy.tell(query, Outcome({"valid_accuracy": float(value)}, 1.0))
    assert strategy.ask() is not None


def test_a_seed_orders_equals_and_chooses_little(
    published: Mapping[str, Any], nb201: CellSpace
) -> None:
    """Its growth and its fit are functions of what was told: seeds agree on much of a search."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    runs = [play(Pnas(nb201, GOAL, np.random.default_rng(s)), values, 60) for s in range(4)]
    assert len({tuple(asked) for asked in runs}) == 4
    assert len({frozenset(asked[:5]) for asked in runs}) == 1
    best = {asked[int(values[asked].argmax())] for asked in runs}
    assert len(best) < len(runs)


def test_small_cells_teach_of_large_ones(published: Mapping[str, Any], nb201: CellSpace) -> None:
    """The first full cells, chosen from what smaller ones showed, against random cells."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    asked = play(Pnas(nb201, GOAL, np.random.default_rng(1)), values, 25)
    assert np.median(values[asked[15:]]) > np.quantile(values, 0.8)


def test_regret_is_under_half_of_random_searchs(
    published: Mapping[str, Any], nb201: CellSpace
) -> None:
    """Random search's is .58 after 100 distinct cells, in closed form."""
    values = np.nanmean(published["recipe/200ep/valid_accuracy"], axis=(1, 2))
    runs = [play(Pnas(nb201, GOAL, np.random.default_rng(s)), values, 100) for s in range(3)]
    regret = [values.max() - values[asked].max() for asked in runs]
    assert np.mean(regret) < 0.582 / 2
