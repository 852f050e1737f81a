"""The contract of spaces as tests that any of them can be put to, one a property.

    from nasbench.space.testing import SpaceContract

    class TestMySpace(SpaceContract):
        space = MySpace()

Or all in one: `check_space(MySpace(), np.random.default_rng(0))`.
"""

from __future__ import annotations

import json
import math
import pickle
import random
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.space.base import Architectures, Space
from nasbench.space.choices import ChoiceSpace
from nasbench.space.registry import from_description

__all__ = ["SpaceContract", "check_space"]

SAMPLED = 400
"""Architectures that are looked at, at most."""
MOVED = 20
"""Of these, architectures that are moved from."""


def check_space(space: Space, rng: np.random.Generator) -> None:
    """Put a space to the contract; raises AssertionError where it breaks it.

    Architectures are numbered from 0 without gaps; numbers, decisions and strings turn into
    each other, and what is none of them is refused with a NasbenchError; what the space says
    of itself is JSON; classes have one member that stands for all; moves change what they say,
    follow the generator and no other. Of large spaces a sample is looked at.

    Args:
        space: any.
        rng: draws the sample.
    """
    given = {"space": space, "seed": int(rng.integers(2**32))}
    contract = type("Contract", (SpaceContract,), given)()
    for test in vars(SpaceContract):
        if test.startswith("test_"):
            try:
                getattr(contract, test)()
            except NasbenchError as error:  # it refuses what is its own
                raise AssertionError(f"{space.name}: {error}") from error


class SpaceContract:
    """Tests of a space, one a property: inherit, and pytest runs them.

    Attributes:
        space: any.
        seed: of the sample that is looked at where the space is large.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.space.testing import SpaceContract
        >>> class TestMini(SpaceContract):
        ...     space = nb.space("nb201-mini")
        >>> TestMini().test_strings_are_read_back()
    """

    space: ClassVar[Space]
    seed: ClassVar[int] = 0

    def test_numbers_and_decisions_turn_into_each_other(self) -> None:
        _check_numbers(self.space, self._sample())

    def test_what_is_no_architecture_is_refused(self) -> None:
        _check_refusals(self.space)

    def test_strings_are_read_back(self) -> None:
        _check_strings(self.space, self._sample())

    def test_its_description_makes_it_again(self) -> None:
        sample = self._sample()
        strings = [self.space.string(architecture) for architecture in sample.tolist()]
        _check_description(self.space, sample, strings)

    def test_one_of_a_class_stands_for_all(self) -> None:
        _check_classes(self.space, self._sample())

    def test_neighbors_differ_in_one_decision(self) -> None:
        _check_neighbors(self.space, self._moved())

    def test_moves_change_what_they_say_and_follow_the_generator(self) -> None:
        _check_moves(self.space, self._moved(), self.seed)

    def test_one_hot_says_each_decision(self) -> None:
        _check_one_hot(self.space, self._sample())

    def _sample(self) -> Architectures:
        size, rng = self.space.size, np.random.default_rng(self.seed)
        if size <= SAMPLED:
            return np.arange(size)
        if self.space.listable:
            return np.unique(np.r_[0, rng.integers(size, size=SAMPLED - 2), size - 1])
        shape = (SAMPLED, len(self.space.choices))
        ends = np.repeat([[0], [1]], shape[1], axis=1) * (np.asarray(self.space.choices) - 1)
        drawn = rng.integers(np.asarray(self.space.choices), size=shape)
        return np.unique(self.space.index_of(np.concatenate([ends, drawn])))

    def _moved(self) -> list[int]:
        """Some of the sample."""
        rng = np.random.default_rng(self.seed + 1)
        moved: list[int] = rng.permutation(self._sample())[:MOVED].tolist()
        return moved


def _check_numbers(space: Space, sample: Architectures) -> None:
    size = math.prod(space.choices)
    assert space.size == size, f"{space.name} has size {space.size}, its choices make {size}"
    ops = space.ops(sample)
    shape = (len(sample), len(space.choices))
    assert ops.dtype == space.ops_dtype, f"ops of {space.name} are {ops.dtype}"
    assert ops.shape == shape, f"ops of {space.name} have shape {ops.shape}, not {shape}"
    assert (ops < np.asarray(space.choices)).all(), f"{space.name} has ops beyond its choices"
    back = space.index_of(ops)
    _same(space, "index_of(ops(i))", sample, back, sample)
    assert space.index_of(ops[:1][None]).shape == (1, 1), (
        f"index_of of {space.name} loses the shape of what it is given"
    )


def _check_refusals(space: Space) -> None:
    for given in (-1, space.size, 0.5, "0", True):
        for name in ("check", "ops", "string", "canonical"):
            _refuses(space, name, given)
    for decision, count in enumerate(space.choices):
        ops = [0] * len(space.choices)
        ops[decision] = count
        _refuses(space, "index_of", ops)
    _refuses(space, "index_of", [0] * (len(space.choices) + 1))


def _check_strings(space: Space, sample: Architectures) -> None:
    architectures = sample.tolist()
    strings = [space.string(architecture) for architecture in architectures]
    for architecture, string in zip(architectures, strings, strict=True):
        back = space.index(string)
        assert type(back) is int, f"index of {space.name} gives a {type(back).__name__}, not int"
        assert back == architecture, (
            f"{space.name}: index reads {string!r}, the string of {architecture}, as {back}"
        )
    for string in strings[:MOVED]:
        half = len(string) // 2
        swapped = string[half:] + string[:half]
        for text in ("", string[:half], string + string, f"{string} ", f"?{string[1:]}", swapped):
            try:
                found = space.index(text)
            except NasbenchError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"{space.name}: index of {text!r} must raise NasbenchError, raised {error!r}"
                ) from error
            # A decision that does not count can be written in two ways.
            written = space.string(found)
            assert written == text or (not space.active(space.ops(found)).all()), (
                f"{space.name}: index reads {text!r} as {found}, which is {written!r}"
            )


def _check_description(space: Space, sample: Architectures, strings: list[str]) -> None:
    described = space.describe()
    try:
        again = json.loads(json.dumps(described, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{space.name} is not described in plain JSON: {error}") from error
    assert again == described, f"the description of {space.name} changes when written as JSON"
    assert described.get("name") == space.name, f"the description of {space.name} lacks its name"
    copies = {"pickle": pickle.loads(pickle.dumps(space))}
    with suppress(NasbenchError):  # not registered
        copies["describe"] = from_description(again)
    for way, copy in copies.items():
        which = f"{space.name} made again by {way}"
        assert type(copy) is type(space), f"{which} is a {type(copy).__name__}"
        assert copy.describe() == described, f"{which} describes itself otherwise"
        assert [copy.string(a) for a in sample.tolist()] == strings, (
            f"{which} is numbered otherwise"
        )


def _check_classes(space: Space, sample: Architectures) -> None:
    try:
        classes = space.classes
    except NasbenchError:
        return  # too large to list
    kind = f"{classes.dtype} {list(classes.shape)}"
    expected = f"int64 [{space.size}]"
    assert kind == expected, f"classes of {space.name} are {kind}, not {expected}"
    inside = (classes >= 0) & (classes < space.size)
    assert inside.all(), f"classes of {space.name} name {classes[~inside][0]}"
    _same(space, "the class of the one that stands for a class", classes, classes[classes], classes)
    _same(space, "canonical", sample, space.canonical(sample), classes[sample])
    one = space.canonical(int(sample[0]))
    assert isinstance(one, int), f"canonical of {space.name} gives a {type(one).__name__}, not int"
    standing = np.flatnonzero(classes == np.arange(space.size))
    standing = standing[space.allowed(standing)]
    assert np.array_equal(space.representatives, standing), (
        f"representatives of {space.name} are not those that stand for their class and are allowed"
    )
    assert space.unique == len(standing), (
        f"{space.name} has {len(standing)} classes, unique says {space.unique}"
    )


def _check_neighbors(space: Space, moved: list[int]) -> None:
    expected = sum(space.choices) - len(space.choices)
    for architecture in moved:
        neighbors = space.neighbors(architecture).tolist()
        if _has_rules(space):
            assert len(set(neighbors)) == len(neighbors), f"{space.name} repeats a neighbor"
            _check_stand(space, f"neighbors of {architecture}", neighbors)
            assert space.canonical(architecture) not in neighbors, (
                f"{space.name}: {architecture} is the same network as one of its neighbors"
            )
            continue
        assert len(set(neighbors)) == len(neighbors) == expected, (
            f"{space.name}: {architecture} has {len(set(neighbors))} neighbors, not {expected}"
        )
        for other in neighbors:
            changed = _changed(space, architecture, other)
            assert changed == 1, (
                f"{space.name}: neighbor {other} of {architecture} differs in {changed} decisions"
            )
            assert architecture in space.neighbors(other), (
                f"{space.name}: {other} is a neighbor of {architecture}, but not the other way"
            )


def _check_moves(space: Space, moved: list[int], seed: int) -> None:
    legacy = str(np.random.get_state(legacy=False))  # noqa: NPY002  watched, not used
    standard = random.getstate()
    first, second = (_moves(space, moved, np.random.default_rng(seed)) for _ in range(2))
    assert first == second, f"{space.name} moves differently with the same generator"
    now = str(np.random.get_state(legacy=False))  # noqa: NPY002
    assert now == legacy, f"{space.name} draws from numpy's global random numbers"
    assert random.getstate() == standard, f"{space.name} draws from Python's global random numbers"
    if max(space.choices) > 1 and not _has_rules(space):
        _check_mutations(space, moved[0], np.random.default_rng(seed))


def _moves(space: Space, moved: list[int], rng: np.random.Generator) -> list[int]:
    """What is drawn, and where moves lead."""
    one = space.sample(rng)
    assert isinstance(one, int), f"sample of {space.name} gives a {type(one).__name__}, not int"
    drawn = space.sample(rng, 50)
    assert drawn.shape == (50,), f"sample of {space.name} draws {drawn.shape}, asked for (50,)"
    reached = [one, *drawn.tolist()]
    for architecture in reached:
        assert 0 <= architecture < space.size, f"sample of {space.name} drew {architecture}"
    assert space.size == 1 or len(set(reached)) > 1 or _has_rules(space), (
        f"sample of {space.name} draws {one} only"
    )
    if _has_rules(space):
        _check_stand(space, "samples", reached)
        return [*reached, *_ruled_moves(space, moved, one, rng)]
    for architecture in moved:
        if max(space.choices) > 1:
            child = space.mutate(architecture, rng)
            changed = _changed(space, architecture, child)
            assert changed == 1, (
                f"{space.name}: mutate led from {architecture} to {child}, "
                f"which differs in {changed} decisions, not 1"
            )
            reached.append(child)
        child = space.crossover(architecture, one, rng)
        ops = space.ops([child, architecture, one])
        assert ((ops[0] == ops[1]) | (ops[0] == ops[2])).all(), (
            f"{space.name}: crossover of {architecture} and {one} gave {child}, "
            f"which has a decision of neither"
        )
        reached.append(child)
    return reached


def _ruled_moves(space: Space, moved: list[int], one: int, rng: np.random.Generator) -> list[int]:
    """Where moves lead in a space with rules, from what can be built."""
    standing = [space.canonical(a) for a in moved if space.allowed(a)]
    children = [space.crossover(architecture, one, rng) for architecture in standing]
    for architecture in standing:
        if len(space.neighbors(architecture)):
            child = space.mutate(architecture, rng)
            assert child != architecture, f"{space.name}: mutate led from {child} to itself"
            children.append(child)
    _check_stand(space, "children", children)
    return children


def _has_rules(space: Space) -> bool:
    """Whether decisions may not count, or not all ways to choose can be built."""
    return isinstance(space, ChoiceSpace) and bool(space.rules)


def _check_stand(space: Space, what: str, found: list[int]) -> None:
    """What a space with rules gives stands for its class, and can be built."""
    if found:
        assert space.canonical(found).tolist() == found, f"{what} of {space.name} stand for none"
        assert space.allowed(found).all(), f"{what} of {space.name} cannot be built"


def _check_mutations(space: Space, architecture: int, rng: np.random.Generator) -> None:
    """Every neighbor is reached, as it would be by chance but once in many million times."""
    free = [count for count in space.choices if count > 1]
    rarest = 1 / len(free) / (max(free) - 1)
    reached = {space.mutate(architecture, rng) for _ in range(math.ceil(25 / rarest))}
    never = set(space.neighbors(architecture).tolist()) - reached
    assert not never, f"{space.name}: mutate never leads from {architecture} to {min(never)}"


def _check_one_hot(space: Space, sample: Architectures) -> None:
    encoded, ops = space.one_hot(sample), space.normal(space.ops(sample))
    counts = space.active(ops)
    expected: list[NDArray[np.bool_]] = [
        (ops[:, d, None] == np.arange(count)) & counts[:, d, None]
        for d, count in enumerate(space.choices)
    ]
    assert np.array_equal(encoded, np.concatenate(expected, axis=1)), (
        f"one_hot of {space.name} has not one column for each choice of each decision that counts"
    )


def _same(
    space: Space, what: str, of: Architectures, found: Architectures, expected: Architectures
) -> None:
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        at = wrong[0]
        raise AssertionError(
            f"{space.name}: {what} of {of[at]} is {found[at]}, expected {expected[at]}"
        )


def _refuses(space: Space, name: str, given: object) -> None:
    method: Callable[[object], object] = getattr(space, name)
    try:
        found = method(given)
    except NasbenchError:
        return
    except Exception as error:
        raise AssertionError(
            f"{space.name}: {name}({given!r}) must raise NasbenchError, raised {error!r}"
        ) from error
    raise AssertionError(f"{space.name}: {name}({given!r}) must be refused, gave {found!r}")


def _changed(space: Space, first: int, second: int) -> int:
    """In how many decisions two architectures differ."""
    return int((space.ops(first) != space.ops(second)).sum())
