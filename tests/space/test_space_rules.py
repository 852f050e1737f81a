"""Rules of a space against brute force: what counts, what is alike, what cannot be built."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from ruled_spaces import as_toml, buildable, classes, made, rules

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError
from nasbench.space import ChoiceSpace, from_description
from nasbench.space.testing import SpaceContract, check_space

pytestmark = pytest.mark.heavy

MBV2 = {
    "width": [8, 16],
    **{
        f"s{s}.{name}": choices
        for s in range(3)
        for name, choices in {
            "depth": [1, 2, 3],
            "b0.kernel": [3, 5],
            "b1.kernel": [3, 5],
            "b2.kernel": [3, 5],
            "expand": [3, 6],
        }.items()
    },
}
KERNELS = {
    f"s{s}.b{b}.kernel": {f"s{s}.depth": [d for d in (1, 2, 3) if d > b]}
    for s in range(3)
    for b in (1, 2)
}
NASNET = {
    f"{cell}{node}.{name}": range(count)
    for cell in ("normal", "reduce")
    for node in range(5)
    for name, count in (("in1", node + 2), ("op1", 13), ("in2", node + 2), ("op2", 13))
}


class TestStages(SpaceContract):
    space = ChoiceSpace("stages", MBV2, only_if=KERNELS)


class TestWithoutLimit(SpaceContract):
    space = ChoiceSpace("nasnet", NASNET)


class TestWithoutLimitWithRules(SpaceContract):
    space = ChoiceSpace(
        "nasnet-alike",
        NASNET,
        alike=[
            [[f"{c}{n}.in1", f"{c}{n}.op1"], [f"{c}{n}.in2", f"{c}{n}.op2"]]
            for c in ("normal", "reduce")
            for n in range(5)
        ],
    )


def _agrees_with_brute_force(drawn: dict[str, Any], path: Path) -> None:
    built = buildable(drawn)
    if not built:
        with pytest.raises(BadValue, match="drawn': never forbids every architecture"):
            made(drawn)
        return
    space = made(drawn)
    path.write_text(as_toml("drawn", drawn), encoding="utf-8")
    read = nb.space(path)
    assert read.describe() == space.describe() == json.loads(json.dumps(space.describe()))
    assert from_description(space.describe()).describe() == space.describe()
    assert isinstance(read, ChoiceSpace)
    assert read.values == space.values
    expected = classes(drawn)
    canonical = space.canonical(np.arange(space.size))
    assert np.array_equal(canonical, space.classes)
    for one in expected:
        standing = set(canonical[sorted(one)].tolist())
        assert len(standing) == 1, "one of a class stands for all of it"
        assert standing <= one
    assert len(np.unique(canonical)) == len(expected)
    for taken in space.ops(np.arange(0, space.size, space.size // 9 + 1)):
        normal = space.rules.normal(taken)
        assert space.rules.plain.active(taken.tolist()) == space.rules.active(taken).tolist()
        assert space.rules.plain.normal(taken.tolist()) == normal.tolist()
        assert space.rules.plain.allowed(normal.tolist()) == bool(space.rules.allowed(normal))
    for architecture in np.unique(canonical).tolist():
        assert bool(space.allowed(architecture)) is (architecture in built)
    assert space.representatives.tolist() == built
    assert space.unique == len(built)
    rng = np.random.default_rng(0)
    assert set(space.sample(rng, 200).tolist()) <= set(built)
    for architecture in built[:: len(built) // 4 + 1]:
        assert space.index(space.string(architecture)) == architecture
        assert set(space.neighbors(architecture).tolist()) <= set(built) - {architecture}
        assert space.crossover(architecture, built[-1], rng) in built
    check_space(space, rng)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=rules())
def test_rules_mean_what_brute_force_finds(drawn: dict[str, Any], tmp_path: Path) -> None:
    _agrees_with_brute_force(drawn, tmp_path / "drawn.toml")


@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("NASBENCH_SPACES", "2000")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=rules())
def test_rules_of_two_thousand_spaces(drawn: dict[str, Any], tmp_path: Path) -> None:
    _agrees_with_brute_force(drawn, tmp_path / "drawn.toml")


def test_depth_decides_which_kernels_count() -> None:
    space = TestStages.space
    assert (space.size, space.unique) == (221_184, 43_904)  # 2 ((2 + 4 + 8) 2)^3
    deep = space.index("8:2:3:5:-:3:1:5:-:-:6:3:3:3:5:3")
    assert space.choices_of(deep)["s0.b1.kernel"] == 5
    with pytest.raises(KeyError, match=r"s0\.b2\.kernel does not count here"):
        space.choices_of(deep)["s0.b2.kernel"]
    assert space.canonical(space.index("8:2:3:5:5:3:1:5:5:5:6:3:3:3:5:3")) == deep
    with pytest.raises(NasbenchError, match=r"s0\.b1\.kernel counts here and has no choice"):
        space.index("8:2:3:-:-:3:1:5:-:-:6:3:3:3:5:3")


def test_choices_are_what_their_author_wrote() -> None:
    space = ChoiceSpace("typed", {"n": [3], "drop": [0.2], "act": ["gelu"], "bias": [True]})
    taken = space.choices_of(0)
    assert [(type(value), value) for value in taken.values()] == [
        (int, 3),
        (float, 0.2),
        (str, "gelu"),
        (bool, True),
    ]
    assert space.string(0) == "3:0.2:gelu:true"


def test_a_space_without_limit_is_numbered_exactly() -> None:
    space = TestWithoutLimit.space
    assert space.size == (2 * 3 * 4 * 5 * 6 * 13**5) ** 4
    assert space.unique == space.size
    assert not space.listable
    last = space.size - 1
    assert space.index(space.string(last)) == last
    assert space.index_of(space.ops([last, 0])).tolist() == [last, 0]
    # Each decision is uniform: 4,000 draws of 13 choices, within five standard deviations.
    ops = space.ops(space.sample(np.random.default_rng(0), 4000))
    seen = np.bincount(ops[:, 1], minlength=13)
    assert (abs(seen - 4000 / 13) < 5 * (4000 / 13) ** 0.5).all()


def test_pairs_in_either_order_are_one_network() -> None:
    # Node n has m = 13 (n + 2) pairs of input and operation: m (m + 1) / 2 sets of two.
    pairs = [13 * (n + 2) for n in range(5)]
    assert (
        TestWithoutLimitWithRules.space.unique
        == np.prod([m * (m + 1) // 2 for m in pairs], dtype=object) ** 2
    )


def test_a_smaller_space_is_part_of_a_larger() -> None:
    small = ChoiceSpace(
        "small", {"depth": [1, 2], "kernel2": [3, 5]}, only_if={"kernel2": {"depth": [2]}}
    )
    large = ChoiceSpace(
        "large",
        {"width": [8, 16], "depth": [1, 2, 3], "kernel2": [3, 5, 7], "kernel3": [3, 5]},
        only_if={"kernel2": {"depth": [2, 3]}, "kernel3": {"depth": [3]}},
    )
    lifted = large.lift(small, small.representatives, {"width": 16})
    assert [large.string(a) for a in lifted.tolist()] == ["16:1:-:-", "16:2:3:-", "16:2:5:-"]
    with pytest.raises(NasbenchError, match="does not have decision width of large"):
        large.lift(small, [0])
    with pytest.raises(NasbenchError, match="large is no part of small: unknown decision 'width'"):
        small.lift(large, [0])
    with pytest.raises(NasbenchError, match="unknown choice of width '3'"):
        large.lift(small, [0], {"width": 3})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"only_if": {"c": {"a": [1]}}}, "unknown decision in only_if 'c'"),
        ({"only_if": {"b": {"a": [9]}}}, "unknown choice of a in only_if of b '9'"),
        ({"only_if": {"a": {"b": [1]}}}, "b comes later"),
        ({"only_if": {"b": {}}}, "b depends on nothing"),
        ({"only_if": [["b"]]}, "only_if names decisions"),
        ({"alike": [["a"]]}, "two or more of one length"),
        ({"alike": [["a", "d"]]}, "a and d have different choices"),
        ({"alike": [["a", "b"], ["b", "e"]]}, "a decision stands in two places"),
        ({"alike": [["a", "b"]], "only_if": {"e": {"a": [1]}}}, "e depends on a, whose order"),
        ({"alike": ["ab"]}, "alike lists decisions"),
        ({"never": [{}]}, "one of them is empty"),
        ({"never": [{"a": []}]}, "a has no choice"),
        ({"never": {"a": 1}}, "never lists combinations"),
        ({"never": [{"a": 1}] * 5000}, "4,096 rules at most"),
    ],
)
def test_rules_that_cannot_be_are_refused(rule: Any, said: str) -> None:
    decisions = {"a": [1, 2], "b": [1, 2], "d": [3], "e": [1, 2]}
    with pytest.raises(NasbenchError, match=f"space 'bad': .*{said}"):
        ChoiceSpace("bad", decisions, **rule)


def test_rules_of_a_stranger_are_read_at_once() -> None:
    # Each of 80 decisions depends on all before it: 2^80 ways lead from the last to the first.
    first, second = ([f"{side}{n}" for n in range(80)] for side in "ab")
    only_if = {
        names[at]: {before: [1] for before in names[:at]}
        for names in (first, second)
        for at in range(1, 80)
    }
    decisions = {name: [1, 2] for name in (*first, *second)}
    with pytest.raises(NasbenchError, match="4,096 rules at most"):
        ChoiceSpace("deep", decisions, only_if=only_if, alike=[[first, second]])
    wide = {"a": range(2**16)}
    assert ChoiceSpace("wide", wide, never=[{"a": range(2**16 - 1)}]).rules
    with pytest.raises(NasbenchError, match="16,777,216 choices at most"):
        ChoiceSpace("wide", wide, never=[{"a": 1}] * 300)


def test_what_forbids_all_is_refused_as_far_as_is_quickly_known() -> None:
    decisions = {"a": [1, 2], "b": [1, 2], "c": [1, 2]} | {f"d{n}": range(70) for n in range(30)}
    only_if = {"b": {"a": 2}}
    pairs = [{"a": 1, "c": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]
    assert ChoiceSpace("s", decisions, only_if=only_if, never=pairs).rules
    with pytest.raises(BadValue, match="space 's': never forbids every architecture"):
        ChoiceSpace("s", decisions, only_if=only_if, never=[*pairs, {"a": 1, "c": 2}])
    # Eight pigeons and seven holes: none can be built, which takes long to find out.
    holes = {f"p{n}": range(7) for n in range(8)}
    apart = [{f"p{a}": n, f"p{b}": n} for a in range(8) for b in range(a) for n in range(7)]
    space = ChoiceSpace("pigeons", holes, never=apart)
    with pytest.raises(NasbenchError, match="none can be built"):
        space.sample(np.random.default_rng(0))
