"""Efficiency, novelty and time to adapt, against sums and counts done one by one."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import Comparison, novelty, time_to_adapt, toll
from nasbench.table import Table

COMMON = {"budget_seconds": 120.0, "search_recipe": "short", "report_recipe": "long"}


@pytest.fixture(scope="module")
def comparison(made_up_table: Table) -> Comparison:
    return nb.compare(["random_search"], made_up_table, seeds=range(12), processes=1, **COMMON)


@pytest.mark.parametrize("within", [0.0, 4.0, 100.0])
def test_the_toll_is_all_that_was_spent_by_success(comparison: Comparison, within: float) -> None:
    evaluations = seconds = successes = 0.0
    for trace in comparison.traces["random_search"]:
        regret = comparison.lookup.regret(trace.incumbents())
        place = next((i for i, r in enumerate(regret) if r <= within), None)
        last = len(regret) - 1 if place is None else place
        evaluations, seconds = evaluations + last + 1, seconds + trace.finished[last]
        successes += place is not None
    found = toll(comparison, "random_search", within)
    assert found.share.value == successes / 12
    expected = (evaluations / successes, seconds / successes) if successes else (math.inf,) * 2
    assert (found.evaluations.value, found.seconds.value) == pytest.approx(expected)
    assert found.seconds.low <= found.seconds.value <= found.seconds.high


def test_transfer_that_begins_with_the_best_adapts_at_once(
    comparison: Comparison, made_up_table: Table
) -> None:
    shown = made_up_table.column("valid_accuracy", recipe="short")
    best = int(made_up_table.rows[np.nanargmax(shown)])
    within = float(comparison.lookup.regret(np.asarray([best]))[0])
    warm = nb.compare(
        ["random_search"], made_up_table, start=[best], seeds=range(12), processes=1, **COMMON
    )
    saved = time_to_adapt(comparison, warm, "random_search", within)
    assert saved.with_.evaluations.value == 1
    assert saved.seconds.low <= saved.seconds.value <= saved.seconds.high
    assert saved.seconds.value < 1
    none = time_to_adapt(comparison, warm, "random_search", -1.0)
    assert math.isnan(none.seconds.value)
    assert none.with_.seconds.value == math.inf
    same = time_to_adapt(comparison, comparison, "random_search", 5.0)
    assert same.seconds.value == 1


def test_distance_and_rarity_are_counted() -> None:
    space = nb.space("nb201")
    rng = np.random.default_rng(0)
    found, known = (space.canonical(space.sample(rng, n)) for n in (8, 40))
    given = novelty(space, found, known)
    old = [tuple(space.ops(int(k)).tolist()) for k in known]
    for place, one in enumerate(found.tolist()):
        new = tuple(space.ops(one).tolist())
        assert given.distance[place] == min(
            sum(a != b for a, b in zip(new, other, strict=True)) for other in old
        )
        bits = []
        for i, j in combinations(range(6), 2):
            motifs = {(o[i], o[j]) for o in old}
            alike = sum((o[i], o[j]) == (new[i], new[j]) for o in old)
            bits.append(-math.log2((alike + 1) / (len(old) + len(motifs) + 1)))
        assert given.rarity[place] == pytest.approx(np.mean(bits))
    itself = novelty(space, known, known)
    assert (itself.distance == 0).all()
    assert itself.rarity.mean() == pytest.approx(itself.usual)


def test_a_twin_of_the_known_is_not_new() -> None:
    """Cells that compute the same function are one architecture."""
    space = nb.space("nb201")
    twins = next(
        of
        for of in np.arange(15_625).reshape(-1, 125)
        if len(set(space.canonical(of).tolist())) < 125
    )
    canonical = space.canonical(twins)
    first = int(np.flatnonzero(canonical != twins)[0])
    assert novelty(space, [int(twins[first])], [int(canonical[first])]).distance.tolist() == [0]


def test_what_cannot_be_measured_is_refused(comparison: Comparison) -> None:
    with pytest.raises(NasbenchError, match="random_search"):
        toll(comparison, "random_serch", 1.0)
    with pytest.raises(NasbenchError, match="beside ones"):
        novelty(nb.space("nb201"), [], [1])
