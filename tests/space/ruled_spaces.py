"""Spaces with rules drawn by hypothesis, and what their rules mean, found by brute force."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from nasbench.space import ChoiceSpace

VALUES = [1, 2, 7, 0.5, 0.25, "relu", "a b", True, False]


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """`decisions`, `only_if`, `alike` and `never` of a space of some thousand architectures."""
    lists = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique_by=repr)
    decisions = {f"d{n}": draw(lists) for n in range(draw(st.integers(1, 4)))}
    alike: list[Any] = []
    if draw(st.booleans()):
        # Two or three places of one or two decisions each, the second maybe hanging on the first.
        first, second = draw(lists), draw(lists)
        groups = [[f"op{n}", f"in{n}"] for n in range(draw(st.integers(2, 3)))]
        for op, at in groups:
            decisions |= {op: first, at: second}
        alike = [groups]
    only_if: dict[str, dict[str, list[Any]]] = {}
    if alike and draw(st.booleans()):
        some = draw(st.lists(st.sampled_from(first), min_size=1, unique_by=repr))
        only_if |= {at: {op: some} for op, at in groups}
    plain = [name for name in decisions if name.startswith("d")]
    for number, name in enumerate(plain[1:], 1):
        if draw(st.booleans()):
            other = plain[draw(st.integers(0, number - 1))]
            some = st.lists(st.sampled_from(decisions[other]), min_size=1, unique_by=repr)
            only_if[name] = {other: draw(some)}
    if alike and draw(st.booleans()):
        # The last places may be missing: a depth before them says so.
        some = draw(st.lists(st.sampled_from(decisions["d0"]), min_size=1, unique_by=repr))
        only_if.setdefault(groups[-1][0], {})["d0"] = some
        if groups[-1][0] not in only_if.get(groups[-1][1], {}):
            only_if.setdefault(groups[-1][1], {})["d0"] = some
    never = []
    for _ in range(draw(st.integers(0, 2))):
        names = draw(st.lists(st.sampled_from(sorted(decisions)), min_size=1, max_size=2))
        rule = {
            name: draw(st.lists(st.sampled_from(decisions[name]), min_size=1, unique_by=repr))
            for name in names
        }
        never.append(rule)
    order = sorted(decisions, key=lambda name: (name[0] != "d", name[-1], name[0] != "o"))
    decisions = {name: decisions[name] for name in order}
    return {"decisions": decisions, "only_if": only_if, "alike": alike, "never": never}


def as_toml(name: str, given: Mapping[str, Any]) -> str:
    """The same as a file; JSON writes numbers, texts and lists as TOML does."""
    lines = [f"name = {json.dumps(name)}", f"alike = {json.dumps(given['alike'])}"]
    tables = [
        "{ " + ", ".join(f"{key} = {json.dumps(of)}" for key, of in rule.items()) + " }"
        for rule in given["never"]
    ]
    lines += [f"never = [{', '.join(tables)}]", "[decisions]"]
    lines += [f"{key} = {json.dumps(choices)}" for key, choices in given["decisions"].items()]
    for key, needs in given["only_if"].items():
        lines += [f"[only_if.{key}]"]
        lines += [f"{other} = {json.dumps(choices)}" for other, choices in needs.items()]
    return "\n".join(lines)


def _same(value: Any, choices: list[Any]) -> bool:
    return any(value == one and type(value) is type(one) for one in choices)


def counts(given: Mapping[str, Any], taken: Mapping[str, Any], name: str) -> bool:
    """Whether a decision counts where these choices are taken: as the rule reads, recursively."""
    needs = given["only_if"].get(name, {})
    return all(
        counts(given, taken, other) and _same(taken[other], choices)
        for other, choices in needs.items()
    )


def classes(given: Mapping[str, Any]) -> list[set[int]]:
    """Architectures that differ in what does not count, or in the order of what is alike.

    Every such pair is joined, one by one; nothing is put into a normal form.
    """
    names = list(given["decisions"])
    every = list(itertools.product(*given["decisions"].values()))
    # True and 1 are equal to Python, and two choices here.
    number = {tuple(map(repr, taken)): place for place, taken in enumerate(every)}
    root = list(range(len(every)))

    def top(place: int) -> int:
        while root[place] != place:
            place = root[place]
        return place

    def join(place: int, other: Mapping[str, Any]) -> None:
        root[top(place)] = top(number[tuple(repr(other[name]) for name in names)])

    for place, values in enumerate(every):
        taken = dict(zip(names, values, strict=True))
        for name in names:
            if not counts(given, taken, name):
                for choice in given["decisions"][name]:
                    join(place, {**taken, name: choice})
        for groups in given["alike"]:
            present = [group for group in groups if counts(given, taken, group[0])]
            for one, two in itertools.combinations(present, 2):
                swapped = {a: taken[b] for a, b in zip(one, two, strict=True)}
                swapped |= {b: taken[a] for a, b in zip(one, two, strict=True)}
                join(place, {**taken, **swapped})
    found: dict[int, set[int]] = {}
    for place in range(len(every)):
        found.setdefault(top(place), set()).add(place)
    return list(found.values())


def broken(given: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    """Whether a combination that cannot be built is there, as the rule reads."""
    return any(
        all(
            counts(given, taken, name) and _same(taken[name], choices)
            for name, choices in rule.items()
        )
        for rule in given["never"]
    )


def buildable(given: Mapping[str, Any]) -> list[int]:
    """The architectures that stand for a network that can be built: the least of each class."""
    names, every = list(given["decisions"]), list(itertools.product(*given["decisions"].values()))
    standing = sorted(map(min, classes(given)))
    return [a for a in standing if not broken(given, dict(zip(names, every[a], strict=True)))]


def made(given: Mapping[str, Any]) -> ChoiceSpace:
    """The space with these rules."""
    return ChoiceSpace("drawn", **given)
