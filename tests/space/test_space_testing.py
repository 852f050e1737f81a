"""The contract of spaces passes what is right, and names what is wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from choice_spaces import choice_spaces
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, ChoiceSpace, Space, get, names
from nasbench.space.base import Architectures
from nasbench.space.testing import SpaceContract, check_space


class TestMini(SpaceContract):
    """As a third party's tests have it: a test a property."""

    space = get("nb201-mini")


@pytest.mark.parametrize("name", names())
def test_every_space_keeps_the_contract(name: str) -> None:
    check_space(get(name), np.random.default_rng(0))


@given(choice_spaces(), st.integers(0, 2**32))
def test_choices_keep_the_contract(space: ChoiceSpace, seed: int) -> None:
    check_space(space, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "space",
    [
        CellSpace("reversed", 3, order=np.arange(125)[::-1]),
        CellSpace("large", 6),
        ChoiceSpace("large", {f"layer{n}": range(10) for n in range(15)}),
        ChoiceSpace("point", {"only": ["one"]}),
    ],
    ids=lambda space: f"{space.name} {type(space).__name__}",
)
def test_spaces_of_any_size_keep_the_contract(space: Space) -> None:
    check_space(space, np.random.default_rng(0))


class Branches(ChoiceSpace):
    """Two branches that are added: swapping them changes nothing."""

    def __init__(self) -> None:
        kinds = ["conv", "pool", "skip"]
        super().__init__("branches", {"left": kinds, "right": kinds}, separator="+")

    @cached_property
    def classes(self) -> Architectures:
        ops = self.ops(np.arange(self.size))
        return self.index_of(np.sort(ops, axis=1))


class Bits(Space):
    """What every space must say, and no more."""

    def __init__(self) -> None:
        super().__init__("bits", (2,) * 5)

    def string(self, architecture: int) -> str:
        return "".join(map(str, self.ops(architecture).tolist()))

    def index(self, string: str) -> int:
        if len(string) != 5 or set(string) - set("01"):
            raise NasbenchError(f"not 5 bits: {string!r}")
        return int(self.index_of([int(bit) for bit in string]))

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name}


@pytest.mark.parametrize(("space", "unique"), [(Branches(), 6), (Bits(), 32)])
def test_a_small_class_is_a_space(space: Space, unique: int) -> None:
    check_space(space, np.random.default_rng(0))
    assert space.unique == unique


class Own(ChoiceSpace):
    """A space that is right, to be broken one method at a time."""

    def __init__(self) -> None:
        super().__init__("own", {"a": ["x", "y", "z"], "b": ["x", "y"], "c": range(4)})


class OneString(Own):
    def string(self, architecture: int) -> str:
        return super().string(int(self.check(architecture)) // 2 * 2)


class Numpy(Own):
    def index(self, string: str) -> int:
        return self.index_of(self.ops(super().index(string)))  # type: ignore[return-value]


class Lenient(Own):
    def index(self, string: str) -> int:
        return super().index(string.strip())


class Crashing(Own):
    def index(self, string: str) -> int:
        a, b, c = (self._places[i][choice] for i, choice in enumerate(string.split(":")))
        return int(self.index_of([a, b, c]))


class Shifted(Own):
    def index_of(self, ops: Any) -> Architectures:
        return (super().index_of(ops) + 1) % self.size


class Wrapping(Own):
    def check(self, architectures: Any) -> Architectures:
        return np.asarray(architectures, dtype=np.int64) % self.size


class NotJson(Own):
    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "size": np.int64(self.size)}


class Tuples(Own):
    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "stages": (1, 2)}


class Nameless(Own):
    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "name": "somebody"}


class Disguised(Own):
    """It hides that its classes are its own: a table of it would open as a plain space."""

    def describe(self) -> Mapping[str, Any]:
        return {key: value for key, value in super().describe().items() if key != "class"}


class Unpicklable(Own):
    def __reduce__(self) -> Any:
        return ChoiceSpace, ("own", {"a": ["x"]})


class Chained(Own):
    @cached_property
    def classes(self) -> Architectures:
        return np.maximum(np.arange(self.size) - 1, 0)


class Beyond(Own):
    @cached_property
    def classes(self) -> Architectures:
        return np.full(self.size, self.size)


class Narrow(Own):
    @cached_property
    def classes(self) -> Any:
        return np.arange(self.size, dtype=np.int32)


class Standing(Own):
    @cached_property
    def representatives(self) -> Architectures:
        return np.arange(self.size - 1)


class Alone(Own):
    def neighbors(self, architecture: int) -> Architectures:
        return super().neighbors(architecture)[1:]


class Far(Own):
    def neighbors(self, architecture: int) -> Architectures:
        return (super().neighbors(architecture) + 9) % self.size


class OffByOne(Own):
    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        near = self.neighbors(architecture)
        return int(near[rng.integers(0, len(near) - 1)])


class Still(Own):
    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        return architecture


class Stranger(Own):
    def crossover(self, first: int, second: int, rng: np.random.Generator) -> int:
        return self.sample(rng)


class Overdrawn(Own):
    def sample(self, rng: np.random.Generator, n: int | None = None) -> Any:
        drawn = rng.integers(self.size + 9, size=n)
        return int(drawn) if n is None else drawn


class Stuck(Own):
    def sample(self, rng: np.random.Generator, n: int | None = None) -> Any:
        return 3 if n is None else np.full(n, 3)


class Global(Own):
    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        random.random()
        return super().mutate(architecture, rng)


class Legacy(Own):
    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        np.random.rand()  # noqa: NPY002
        return super().mutate(architecture, rng)


class Unseeded(Own):
    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        return super().mutate(architecture, np.random.default_rng())


class Merged(Own):
    def one_hot(self, architectures: Any) -> Any:
        return super().one_hot(architectures)[..., :-1]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (OneString, r"index reads 'x:x:0', the string of 1, as 0"),
        (Numpy, r"index of own gives a int64, not int"),
        (Lenient, r"index reads 'x:x:0 ' as 0, which is 'x:x:0'"),
        (Crashing, r"index of '' must raise NasbenchError, raised KeyError"),
        (Shifted, r"index_of\(ops\(i\)\) of 0 is 1, expected 0"),
        (Wrapping, r"check\(-1\) must be refused, gave"),
        (NotJson, r"not described in plain JSON: Object of type int64"),
        (Tuples, r"description of own changes when written as JSON"),
        (Nameless, r"description of own lacks its name"),
        (Disguised, r"own made again by describe is a ChoiceSpace"),
        (Unpicklable, r"own made again by pickle is a ChoiceSpace"),
        (Chained, r"the one that stands for a class of 1 is 0, expected 1"),
        (Beyond, r"classes of own name 24"),
        (Narrow, r"classes of own are int32 \[24\], not int64 \[24\]"),
        (Standing, r"representatives of own are not"),
        (Alone, r"has 5 neighbors, not 6"),
        (Far, r"neighbor \d+ of \d+ differs in [02-9] decisions"),
        (OffByOne, r"mutate never leads from \d+ to \d+"),
        (Still, r"mutate led from (\d+) to \1, which differs in 0 decisions, not 1"),
        (Stranger, r"which has a decision of neither"),
        (Overdrawn, r"sample of own drew (2[4-9]|3\d)"),
        (Stuck, r"sample of own draws 3 only"),
        (Global, r"own draws from Python's global random numbers"),
        (Legacy, r"own draws from numpy's global random numbers"),
        (Unseeded, r"own moves differently with the same generator"),
        (Merged, r"one_hot of own has not one column for each choice"),
    ],
)
def test_a_broken_space_is_told_what_is_wrong(broken: type[Own], told: str) -> None:
    check_space(Own(), np.random.default_rng(0))
    with pytest.raises(AssertionError, match=told) as caught:
        check_space(broken(), np.random.default_rng(0))
    assert "\n" not in str(caught.value)
