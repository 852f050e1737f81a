"""Samples spread by a proxy: evenly, scored once, the same after a kill and for any processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zygote
from numpy.typing import NDArray
from small_builds import ENGINES, journaled, small_spec, trained

from nasbench.building import BuildSpec, Sampling, build_sample
from nasbench.building import proxies as scoring_room
from nasbench.building.designs import divided, spread
from nasbench.errors import NasbenchError
from nasbench.proxy import proxy, registry, score
from nasbench.space import CellSpace
from nasbench.table import Table

pytestmark = pytest.mark.heavy

HERE = Path(__file__).parent

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3")
"""Of three nodes: 30 distinct cells, 24 to choose from."""

NWOT = Sampling(10, "stratified", seed=2, by="nwot")


@pytest.fixture(autouse=True)
def _chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_room, "ON_CPU", 2)


@pytest.fixture
def spec() -> BuildSpec:
    """Thirty distinct cells, one seed: thirty trainings."""
    return small_spec(OPERATIONS, seeds=(0,))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Table:
    patched = pytest.MonkeyPatch()
    patched.setattr(scoring_room, "ON_CPU", 2)
    table = make(small_spec(OPERATIONS, seeds=(0,)), tmp_path_factory.mktemp("u") / "t.h5", NWOT)
    patched.undo()
    return table


def make(spec: BuildSpec, out: Path, sampling: Sampling, **options: Any) -> Table:
    """The table of a sample; `processes` are of the scoring, a training takes no time."""
    options = {"processes": 1, "engine": ENGINES[-1], "hardware": "cpu", **options}
    made = build_sample(spec, out, sampling, **options)
    assert made.table.manifest["sample"] == made.outcome.describe()
    return made.table


def chosen(table: Table) -> list[int]:
    found: list[int] = table.manifest["sample"]["chosen"]
    return found


def to_choose_from(space: CellSpace, seed: int) -> NDArray[np.int64]:
    return divided(space.representatives.astype(np.int64), seed)[1]


def scored(out: Path) -> list[tuple[str, int, int]]:
    """Proxy, seed and architecture of every score in a journal."""
    return [
        (name, entry["seed"], architecture)
        for entry in journaled(out)
        if entry["entry"] == "scores"
        for name in entry["values"]
        for architecture in entry["architectures"]
    ]


def places(scores: NDArray[np.float64], of: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where some stand in the order of all by their scores, ascending, in [0, 1)."""
    return np.flatnonzero(of[np.argsort(scores, kind="stable")]) / len(scores)


# Which.


@pytest.mark.slow
def test_a_sample_is_spread_evenly_over_the_scores_of_its_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_room, "ON_CPU", 64)
    spec = small_spec(seeds=(0,), epochs=1)
    space = CellSpace("four", 4, ("none", "nor_conv_1x1", "avg_pool_3x3"))
    spec = replace(spec, space=space)
    table = make(spec, tmp_path / "t.h5", Sampling(60, "stratified", seed=1, by="nwot"))
    candidates = to_choose_from(space, 1)
    assert len(candidates) == 238
    known = values(table.path)
    assert sorted(known) == sorted(candidates.tolist())
    few = candidates[:12]
    found = score(
        space, few, spec.task, spec.recipes["2ep"], ["nwot"], seed=1, batch_size=60
    ).values["nwot"][:, 0]
    np.testing.assert_allclose([known[a] for a in few.tolist()], found, rtol=1e-5)
    scores = np.asarray([known[a] for a in candidates.tolist()])
    n = len(chosen(table))
    assert n == 48
    at = places(scores, np.isin(candidates, chosen(table)))
    assert np.abs(at - (np.arange(n) + 0.5) / n).max() * n < 3  # at random about sqrt(n)


def test_those_without_a_score_stand_together_at_the_end() -> None:
    candidates = np.random.default_rng(1).permutation(1000).astype(np.int64)
    scores = np.where(candidates % 10 < 3, np.nan, candidates)
    order = spread(candidates, scores, seed=0)
    assert sorted(order.tolist()) == list(range(1000))
    without = candidates[np.isnan(scores)]
    for n in (8, 21, 50, 100, 300):
        taken = int(np.isin(order[:n], without).sum())
        assert abs(taken - 0.3 * n) < 3, n
    last = [*np.sort(candidates[~np.isnan(scores)]), *without]
    u = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1,))).random()
    assert order[0] == last[int(u * 1000)]


@pytest.fixture
def odd() -> Iterator[str]:
    """A proxy that has a score for some networks only."""

    @proxy(better="high", random=False)
    def weights_of_some(network: Any, images: Any, labels: Any) -> float:
        n = sum(weights.numel() for weights in network.parameters())
        return float("nan") if n % 3 == 0 else float(n)

    yield weights_of_some.name
    del registry._decorated[weights_of_some.name]


def test_how_many_have_no_score_is_told(odd: str, spec: BuildSpec, tmp_path: Path) -> None:
    table = make(spec, tmp_path / "t.h5", Sampling(10, "stratified", by=odd))
    candidates = to_choose_from(CellSpace("small", 3, OPERATIONS), 0)
    found = score(
        spec.space, candidates, spec.task, spec.recipes["2ep"], ["params"], batch_size=60
    ).values["params"][:, 0]
    unscored = int((found % 3 == 0).sum())
    assert 0 < unscored < 24
    assert table.manifest["sample"]["by"] == {
        "proxy": odd,
        "seed": 0,
        "draws": 1,
        "unscored": unscored,
    }


def test_what_is_counted_is_not_scored(spec: BuildSpec, tmp_path: Path) -> None:
    table = make(spec, tmp_path / "t.h5", Sampling(10, "stratified", by="params"))
    assert not scored(table.path)
    candidates = to_choose_from(CellSpace("small", 3, OPERATIONS), 0)
    counts = score(
        spec.space, candidates, spec.task, spec.recipes["2ep"], ["params"], batch_size=60
    ).values["params"][:, 0]
    assert chosen(table) == spread(candidates, counts, seed=0)[:8].tolist()
    assert table.manifest["sample"]["by"]["proxy"] == "params"
    assert Sampling(10, "stratified") == Sampling(10, "stratified", by="flops")
    assert Sampling(10, "random").by is None


# Once.


def killed(out: Path) -> None:
    """What ends itself when eight of the 24 are scored; in a process of its own."""
    scoring_room.ON_CPU = 2

    def told(what: str, done: int, total: int) -> None:
        if what == "scoring nwot" and done == 8:
            signal.raise_signal(signal.SIGKILL)

    make(small_spec(OPERATIONS, seeds=(0,)), out, NWOT, progress=told)


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_killed_while_scoring_it_ends_as_if_nothing_had_happened(
    spec: BuildSpec, undisturbed: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"
    with zygote.begun(killed, out) as (ended, _):
        ended.join(zygote.LIMIT)
    assert ended.exitcode == -signal.SIGKILL
    before = scored(out)
    assert len(before) == 8
    assert not trained(out)
    told: list[tuple[int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "scoring nwot":
            told.append((done, total))

    # Two processes, in place of one, change nothing.
    table = make(spec, out, NWOT, processes=2, progress=progress)
    assert told == [(done, 24) for done in range(8, 25, 2)]
    after = scored(out)
    assert after[:8] == before
    assert len(set(after)) == len(after) == 24
    assert {seed for _, seed, _ in after} == {2}
    assert table.manifest["sample"] == undisturbed.manifest["sample"]
    assert values(out) == values(undisturbed.path)


def values(out: Path) -> dict[int, float]:
    """What a journal says of each architecture, to the last bit."""
    return {
        architecture: value
        for entry in journaled(out)
        if entry["entry"] == "scores"
        for architecture, [value] in zip(
            entry["architectures"], entry["values"]["nwot"], strict=True
        )
    }


def test_another_proxy_goes_on_from_the_same_trainings(
    spec: BuildSpec, undisturbed: Table, tmp_path: Path
) -> None:
    out = tmp_path / "t.h5"
    by_flops = make(spec, out, Sampling(10, "stratified", seed=2))
    first = trained(out)
    table = make(spec, out, NWOT)
    assert set(chosen(table)) != set(chosen(by_flops))
    assert table.manifest["sample"] == undisturbed.manifest["sample"]
    both = trained(out)
    assert both[:10] == first
    assert len(set(both)) == len(both) < 20  # what is held out is the same at least
    larger = make(spec, out, Sampling(20, "stratified", seed=2, by="nwot"))
    assert chosen(larger)[:8] == chosen(table)
    assert len(scored(out)) == 24
    make(spec, out, Sampling(10, "stratified", seed=3, by="nwot"))
    assert len(set(scored(out))) == len(scored(out)) == 48


# Errors.


def test_what_a_sample_cannot_be_spread_by_is_refused() -> None:
    for design in ("random", "active"):
        with pytest.raises(NasbenchError, match=f"spread by a proxy, and this one is {design}"):
            Sampling(5, design, by="nwot")
    with pytest.raises(NasbenchError, match=r"unknown proxy 'naswot'; did you mean .*nwot"):
        Sampling(5, "stratified", by="naswot")
    with pytest.raises(NasbenchError, match="unknown proxy ''"):
        Sampling(5, "stratified", by="")
