"""What tells a piece of a user's code from another."""

from __future__ import annotations

from functools import partial
from typing import Any

from nasbench._code import digest, found_at, place_of

STEP = 1


def helper(x: int) -> int:
    return x + STEP


def user(x: int) -> int:
    return helper(x)


def _class(text: str) -> Any:
    names: dict[str, Any] = {"__name__": "session"}
    exec(text, names)
    return names["C"]


PLAIN = "class C:\n    rate = 1\n    def ask(self): return help(self)\ndef help(x): return {}"


def test_code_counts_and_places_do_not() -> None:
    one = digest(_class(PLAIN.format(1)))
    assert one == digest(_class("\n\n# a comment\n" + PLAIN.format(1)))
    others = [PLAIN.format(2), PLAIN.format(1).replace("rate = 1", "rate = 2")]
    others.append(PLAIN.format(1).replace("return help", "return 1 or help"))
    assert len({one, *map(digest, map(_class, others))}) == 4


def test_what_is_called_and_filled_in_counts(monkeypatch: Any) -> None:
    before = digest(user)
    assert digest(partial(user, x=1)) != digest(partial(user, x=2))
    monkeypatch.setitem(globals(), "STEP", 2)
    assert digest(user) != before


class Holder:
    @staticmethod
    def held() -> int:
        return 1


def test_what_stands_in_a_class_has_a_place() -> None:
    assert place_of(Holder.held) == f"{__name__}:Holder.held"
    assert found_at(place_of(Holder.held)) is Holder.held


def test_only_modules_are_places() -> None:
    assert place_of(helper) == f"{__name__}:helper"
    assert place_of(partial(helper)) == ""
    assert place_of(lambda: 0) == ""
    assert place_of(_class(PLAIN.format(1))) == ""
    assert place_of(3) == ""
