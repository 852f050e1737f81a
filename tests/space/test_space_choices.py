"""Spaces of named decisions, checked against the list of all their strings."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from choice_spaces import choice_spaces
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError, Unsupported
from nasbench.space import ChoiceSpace, from_description, get

OWN = ChoiceSpace("own", {"stem": [16, 32], "block": ["conv", "mbconv", "none"], "depth": [1, 2]})
JOINED = ChoiceSpace("joined", {"first": ["a", "bb"], "second": ["x", "y"]}, separator="")


@given(choice_spaces())
def test_strings_are_the_product_of_the_choices_in_the_space_s_order(space: ChoiceSpace) -> None:
    product = itertools.product(*space.decisions.values())
    expected = [space.separator.join(choices) for choices in product]
    order = space.describe().get("order", range(space.size))
    strings = [space.string(architecture) for architecture in range(space.size)]
    assert strings == [expected[place] for place in order]
    assert len(set(strings)) == space.size == len(expected)
    assert [space.index(string) for string in strings] == list(range(space.size))


@given(choice_spaces(), st.text("ab01_ é~:-+", max_size=12))
def test_text_is_an_architecture_s_or_is_refused(space: ChoiceSpace, text: str) -> None:
    try:
        found = space.index(text)
    except NasbenchError:
        product = itertools.product(*space.decisions.values())
        assert text not in {space.separator.join(choices) for choices in product}
    else:
        assert space.string(found) == text


@given(choice_spaces())
def test_a_description_makes_an_equal_space(space: ChoiceSpace) -> None:
    described = json.loads(json.dumps(space.describe(), sort_keys=True))
    again = from_description(described)
    assert again.describe() == described
    for architecture in range(space.size):
        assert again.string(architecture) == space.string(architecture)


def test_whole_numbers_are_choices() -> None:
    assert OWN.decisions["stem"] == ("16", "32")
    assert (OWN.size, OWN.choices) == (12, (2, 3, 2))
    assert OWN.string(7) == "32:conv:2"


@pytest.mark.parametrize(
    ("space", "text", "told"),
    [
        (OWN, "16:mbcon:1", "unknown choice of block 'mbcon'; did you mean mbconv.* character 3"),
        (OWN, "16:conv:3", "unknown choice of depth '3'; known: 1, 2 at character 8"),
        (OWN, "16:conv", "expected ':' and a choice of depth, found the end at character 7"),
        (OWN, "16:conv:1:1", "expected the end, found ':' at character 9 of '16:conv:1:1'"),
        (OWN, "", "unknown choice of stem ''; known: 16, 32 at character 0"),
        (OWN, "x" * 200, r"'x{99}\.\.\.; known: 16, 32 at character 0 of 'x{117}\.\.\.'"),
        (JOINED, "bbz", "unknown choice of second 'z'; known: x, y at character 2"),
        (JOINED, "ax ", "expected the end, found ' ' at character 2"),
    ],
)
def test_an_error_names_the_decision_and_the_character(
    space: ChoiceSpace, text: str, told: str
) -> None:
    with pytest.raises(NasbenchError, match=f"^not an architecture of {space.name}: .*{told}"):
        space.index(text)


@pytest.mark.parametrize(
    ("decisions", "separator", "told"),
    [
        ({}, ":", "1 to 256 decisions"),
        ({str(n): ["a"] for n in range(257)}, ":", "1 to 256 decisions"),
        ({"a": []}, ":", "decision 'a' needs a list of choices"),
        ({"a": "bc"}, ":", "decision 'a' needs a list of choices, got 'bc'"),
        ({"a": {"b": 1}}, ":", "decision 'a' needs a list of choices"),
        ({"a": [1, "1"]}, ":", "decision 'a' names choice '1' twice"),
        ({"a": [1, 1.0, "1.0"]}, ":", "decision 'a' names choice '1.0' twice"),
        ({"a": [float("nan")]}, ":", "a choice of a is a text, a number, true or false, got nan"),
        ({"a": [None]}, ":", "got None"),
        ({"a": ["x\n"]}, ":", "printable"),
        ({"a": ["x" * 101]}, ":", r"got 'xxx.*\.\.\.x*'$"),
        ({"": ["x"]}, ":", "a decision is 1 to 100 printable characters, got ''"),
        ({"a": ["x:y"]}, ":", "choice 'x:y' of decision 'a' contains the separator ':'"),
        ({"a": ["x", "xy"]}, "", "choice 'xy' of decision 'a' begins with 'x'"),
        ({"a": ["x"]}, "::", "one printable character or none"),
        ({"a": ["x"]}, "\n", "one printable character or none"),
        ({"a": ["x"]}, 7, "one printable character or none"),
        ({"a": range(2**16 + 1)}, ":", "65536 choices at most, one of space 'bad' has 65537"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(decisions: Any, separator: Any, told: str) -> None:
    with pytest.raises(NasbenchError, match=told):
        ChoiceSpace("bad", decisions, separator)


@pytest.mark.parametrize(
    "order", [[0, 1], [0, 1, 1, 2], [1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0], [[0, 1], [2]], "0123", [{}]]
)
def test_an_order_is_a_permutation(order: Any) -> None:
    with pytest.raises(NasbenchError, match="no permutation of 0 to 3"):
        ChoiceSpace("bad", {"a": [1, 2], "b": [1, 2]}, order=order)


def test_a_space_too_large_to_list_is_still_sampled() -> None:
    space = ChoiceSpace("large", {f"layer{n}": range(10) for n in range(15)})
    architecture = space.sample(np.random.default_rng(0))
    assert space.index(space.string(architecture)) == architecture
    assert space.canonical(architecture) == architecture
    assert space.unique == space.size
    for listing in (lambda: space.representatives, lambda: space.check_listable("a table")):
        with pytest.raises(Unsupported, match=r"1,000,000,000,000,000 architectures.*16,777,216"):
            listing()


@pytest.mark.parametrize(
    ("text", "meant"),
    [("24", 23), ("0", 0), ("string:2", 1), ("number:2", 2), ("1", None), ("2", None)],
)
def test_digits_mean_one_architecture_or_are_refused(text: str, meant: int | None) -> None:
    space = ChoiceSpace("depths", {"depth": range(1, 25)})
    if meant is not None:
        assert space.parse(text) == meant
        return
    with pytest.raises(NasbenchError, match=f"write string:{text} or number:{text}"):
        space.parse(text)


@pytest.mark.parametrize("text", ["007", "7.0", "+7", " 7", "9" * 18, "9" * 30, "number:", "²", ""])
def test_what_is_neither_a_string_nor_a_number_is_refused(text: str) -> None:
    with pytest.raises(NasbenchError):
        get("nb-macro").parse(text)


def test_a_number_and_a_string_that_agree_are_one_architecture() -> None:
    space = ChoiceSpace("depths", {"depth": range(10)}, separator="")
    assert [space.parse(str(n)) for n in range(10)] == list(range(10))
    # Strings that look like a prefix stay strings.
    assert ChoiceSpace("odd", {"number": ["x", "number"], "n": ["1", "0"]}).parse("number:0") == 3


def test_whole_numbers_are_described_as_text_and_come_back_as_numbers() -> None:
    whole = ChoiceSpace("own", {"stem": [16, -2, 0], "block": ["conv", 3]})
    decisions = [["stem", ["16", "-2", "0"]], ["block", ["conv", "3"]]]
    assert whole.describe() == {"name": "own", "decisions": decisions, "separator": ":"}
    assert from_description(whole.describe()).values == whole.values


@pytest.mark.parametrize("choices", [["16", "8"], ["1", 2], [0.5, 1.0], [True, False], ["-1", 1]])
def test_what_text_does_not_say_is_described_beside_it(choices: list[Any]) -> None:
    space = ChoiceSpace("own", {"a": choices, "b": ["x", 7, "007", "1_0"]})
    described = json.loads(json.dumps(space.describe()))
    assert described["values"] == {"a": choices}
    again = from_description(described)
    assert [list(map(type, of)) for of in again.values.values()] == [
        list(map(type, of)) for of in space.values.values()
    ]
    assert again.values == space.values
    with pytest.raises(NasbenchError, match="not the description of a space"):
        from_description({**described, "values": {"a": [9]}})
    with pytest.raises(NasbenchError, match="not the description of a space"):
        from_description({**described, "values": {"c": [9]}})
    with pytest.raises(NasbenchError, match="not the description of a space"):
        from_description({**described, "values": [1]})
