"""Rules of a space of named decisions: which count, which orders are alike, what cannot be built.

Rules are data, so that a TOML file and a manifest hold them. All follows from one normal form:
a decision that does not count takes its first choice, and what is alike is sorted.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import BadValue, shown, unknown
from nasbench.space.applied_rules import Alike, Condition, Conditions
from nasbench.space.plain_rules import PlainRules

__all__ = ["Rules", "Value", "read_value", "text_of"]

Value = str | int | float | bool
"""A choice as its author wrote it."""

MOST_RULES = 4096
"""Conditions, groups and combinations that a space may have, all together."""

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,99}")

MOST_HELD = 2**24
"""Choices of all decisions that rules name, together: a rule keeps a byte of each."""

Decisions = Mapping[str, tuple[str, ...]]
Ops = NDArray[np.unsignedinteger[Any]]


class Rules:
    """The rules of a space, checked, and applied to many architectures at once.

    Args:
        decisions: of the space: each with its choices as text.
        only_if: for a decision, the earlier decisions on which it depends, each with the choices
            where it counts: `{"kernel2": {"depth": [2, 3]}}`. One that hangs on a decision that
            does not count does not count either.
        alike: lists of decisions whose order makes no difference, `[["left", "right"]]`; in place
            of a decision a group of them that moves as one,
            `[[["op1", "in1"], ["op2", "in2"]]]`.
        never: combinations that cannot be built, `[{"heads": 3, "width": 32}]`. They are judged
            on the normal form: a decision that does not count breaks none.

    Raises:
        UnknownName: for a decision or a choice that the space does not have.
        BadValue: for rules that contradict each other, are of another form, or leave nothing to
            build; the last as far as a tenth of a second of search tells.
    """

    def __init__(self, decisions: Decisions, only_if: object, alike: object, never: object) -> None:
        self._decisions = decisions
        self._column = {name: column for column, name in enumerate(decisions)}
        self._names = tuple(decisions)
        self.only_if: dict[str, dict[str, list[Value]]] = {}
        self.alike: list[list[list[str]]] = []
        self.never: list[dict[str, list[Value]]] = []
        self._conditions: list[Condition] = []
        self._groups: list[NDArray[np.int64]] = []  # [groups, decisions of each]
        self._combinations: list[list[tuple[int, NDArray[np.bool_]]]] = []
        self._places: dict[int, dict[str, int]] = {}  # of choices, by column
        self._held = 0  # choices of all decisions that rules name
        self._read_only_if(only_if)
        self._read_alike(alike)
        self._read_never(never)
        if len(self._conditions) + len(self._groups) + len(self._combinations) > MOST_RULES:
            raise BadValue(f"a space has {MOST_RULES:,} rules at most")
        self._check_some_left()

    def __bool__(self) -> bool:
        return bool(self._conditions or self._groups or self._combinations)

    def describe(self) -> dict[str, Any]:
        """The kinds of rules that there are; plain JSON values that make them again."""
        said = {"only_if": self.only_if, "alike": self.alike, "never": self.never}
        return {kind: rules for kind, rules in said.items() if rules}

    # Reading.

    def _read_only_if(self, given: object) -> None:
        form = 'only_if names decisions with what they depend on, as in {"b": {"a": [1, 2]}}'
        for name, needs in _mapping(given, form).items():
            column = self._find("only_if", name)
            needed = _mapping(needs, form)
            if not needed:
                raise BadValue(f"{form}; {name} depends on nothing")
            self.only_if[name] = {}
            for other, choices in needed.items():
                before = self._find("only_if", other)
                if before >= column:
                    raise BadValue(
                        f"only_if: {name} can depend on decisions before it alone, and {other} "
                        f"comes {'later' if before > column else 'with it'}"
                    )
                values, mask = self._choices(f"only_if of {name}", other, choices)
                self.only_if[name][other] = values
                self._conditions.append(Condition(column, before, mask))
        self._conditions.sort(key=lambda one: one.column)

    def _read_alike(self, given: object) -> None:
        form = (
            'alike lists decisions, as in [["a", "b"]], or groups, as in '
            '[[["a1", "a2"], ["b1", "b2"]]]'
        )
        taken: set[int] = set()
        for rule in _grouped(given, form):
            names = [[one] if isinstance(one, str) else list(one) for one in rule]
            columns = [[self._find("alike", name) for name in group] for group in names]
            flat = [column for group in columns for column in group]
            if len(columns) < 2 or len({len(group) for group in columns}) > 1 or not flat:
                raise BadValue(f"{form}: two or more of one length, got {shown(rule)}")
            if len(set(flat)) < len(flat) or taken & set(flat):
                raise BadValue(f"alike: a decision stands in two places of {shown(rule)}")
            taken |= set(flat)
            for first, *others in zip(*columns, strict=True):
                for other in others:
                    one, two = self._names[first], self._names[other]
                    if self._decisions[one] != self._decisions[two]:
                        raise BadValue(
                            f"alike: {one} and {two} have different choices (groups stand in "
                            f'lists of their own: [[["a1", "a2"], ["b1", "b2"]]])'
                        )
            self._check_alike(columns)
            self.alike.append(names)
            self._groups.append(np.asarray(columns, dtype=np.int64))

    def _check_alike(self, columns: list[list[int]]) -> None:
        """Swapping two groups may change nothing but what hangs on them."""
        inside = {
            column: (g, k) for g, group in enumerate(columns) for k, column in enumerate(group)
        }
        own: list[set[tuple[object, ...]]] = [set() for _ in columns]
        for column, other, mask in self._conditions:
            at, on = inside.get(column), inside.get(other)
            if on is not None and (at is None or at[0] != on[0]):
                raise BadValue(
                    f"alike: {self._names[column]} depends on {self._names[other]}, whose order "
                    f"makes a difference, then"
                )
            if at is not None and on is not None:
                own[at[0]].add((at[1], on[1], mask.tobytes()))
        if any(one != own[0] for one in own):
            raise BadValue(
                f"alike: within {self._names[columns[0][0]]} and what is alike, decisions depend "
                f"on each other in different ways"
            )
        for group in columns:
            outside = [self._outside(column, set(group)) for column in group]
            if any(one != outside[0] for one in outside):
                raise BadValue(
                    f"alike: {', '.join(self._names[column] for column in group)} count under "
                    f"different conditions"
                )

    def _outside(self, column: int, group: set[int]) -> set[tuple[int, bytes]]:
        """On what a decision depends outside its group, by way of the group, too."""
        found: set[tuple[int, bytes]] = set()
        asked = {column}
        # Last ones first: whoever asks for a decision comes behind it.
        for at, other, mask in reversed(self._conditions):
            if at not in asked:
                continue
            if other in group:
                asked.add(other)
            else:
                found.add((other, mask.tobytes()))
        return found

    def _read_never(self, given: object) -> None:
        form = 'never lists combinations, as in [{"a": 1, "b": 2}]'
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise BadValue(f"{form}, got {shown(given)}")
        for rule in given:
            combination = _mapping(rule, form)
            if not combination:
                raise BadValue(f"{form}: one of them is empty")
            read = {name: self._choices("never", name, of) for name, of in combination.items()}
            self.never.append({name: values for name, (values, _) in read.items()})
            self._combinations.append(
                [(self._column[name], mask) for name, (_, mask) in read.items()]
            )

    def _check_some_left(self) -> None:
        """Refuse rules that leave nothing to build, where that is quickly known."""
        counts = [len(choices) for choices in self._decisions.values()]
        tied = {rule[0][0] for rule in self._combinations}
        for columns in self.components() if tied else []:
            if tied.intersection(columns) and not self.plain.leaves_some(counts, columns):
                raise BadValue("never forbids every architecture: none is left to build")

    def _find(self, rule: str, name: object) -> int:
        if not isinstance(name, str) or name not in self._column:
            raise unknown(f"decision in {rule}", name, self._names)
        return self._column[name]

    def _choices(
        self, rule: str, name: object, given: object
    ) -> tuple[list[Value], NDArray[np.bool_]]:
        """One choice or a list of them, as a list and as what it holds of the decision's."""
        column = self._find(rule, name)
        if column not in self._places:
            known = self._decisions[self._names[column]]
            self._places[column] = {text: place for place, text in enumerate(known)}
        places = self._places[column]
        many = isinstance(given, Sequence) and not isinstance(given, str)
        values: list[Value] = list(given) if many else [given]  # type: ignore[call-overload, list-item]
        texts = [text_of(f"{rule}: a choice of {name}", value) for value in values]
        for text in texts:
            if text not in places:
                raise unknown(f"choice of {name} in {rule}", text, places)
        self._held += len(places)
        if self._held > MOST_HELD:
            raise BadValue(f"the rules of a space name decisions of {MOST_HELD:,} choices at most")
        if not texts:
            raise BadValue(f"{rule}: {name} has no choice")
        mask = np.zeros(len(places), dtype=np.bool_)
        mask[[places[text] for text in texts]] = True
        return values, mask

    # Applying.

    @cached_property
    def plain(self) -> PlainRules:
        """The same for one architecture at a time."""
        return PlainRules(self._conditions, self._groups, self._combinations)

    def active(self, ops: ArrayLike) -> NDArray[np.bool_]:
        """Which decisions count: bool like `ops`, `[..., decisions]`."""
        return self._active.active(ops)

    def normal(self, ops: Ops) -> Ops:
        """The decisions that stand for all that make the same network: like `ops`."""
        counts = self.active(ops)
        found = np.where(counts, ops, 0).astype(ops.dtype)
        for alike in self._alike:
            alike.sort(found, counts)
        return found

    @cached_property
    def _active(self) -> Conditions:
        return Conditions(self._conditions)

    @cached_property
    def _alike(self) -> list[Alike]:
        """What is alike, rules of one form together: they are sorted at once."""
        forms: dict[tuple[int, ...], list[NDArray[np.int64]]] = {}
        for columns in self._groups:
            forms.setdefault(columns.shape, []).append(columns)
        counts = np.asarray([len(choices) for choices in self._decisions.values()], dtype=object)
        return [Alike.of(np.stack(rules), counts) for rules in forms.values()]

    def allowed(self, ops: Ops, among: Collection[int] = ()) -> NDArray[np.bool_]:
        """Which of these normal forms can be built: bool `[...]`.

        Args:
            ops: normal forms.
            among: a component, whose rules alone are asked; without, all are.
        """
        if not self._combinations:
            return np.ones(ops.shape[:-1], dtype=np.bool_)
        counts = self.active(ops)
        broken = np.zeros(ops.shape[:-1], dtype=np.bool_)
        for rule in self._combinations:
            if among and rule[0][0] not in among:
                continue
            holds = [mask[ops[..., column]] & counts[..., column] for column, mask in rule]
            broken |= np.logical_and.reduce(holds)
        return ~broken

    def components(self) -> list[list[int]]:
        """Columns that rules tie together: those of different components are independent."""
        root = list(range(len(self._names)))

        def top(column: int) -> int:
            while root[column] != column:
                column = root[column]
            return column

        tied = [[column, other] for column, other, _ in self._conditions]
        tied += [columns.ravel().tolist() for columns in self._groups]
        tied += [[column for column, _ in rule] for rule in self._combinations]
        for columns in tied:
            for column in columns[1:]:
                root[top(column)] = top(columns[0])
        found: dict[int, list[int]] = {}
        for column in range(len(root)):
            found.setdefault(top(column), []).append(column)
        return list(found.values())


def text_of(what: str, value: object) -> str:
    """A choice as strings write it: `3`, `0.2`, `gelu`, `true`.

    Raises:
        BadValue: where it is neither text nor a number nor true or false.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int or (type(value) is float and abs(value) < float("inf")):
        return repr(value)
    if isinstance(value, str):
        return value
    plain = "; of an array write .tolist()" if hasattr(value, "tolist") else ""
    raise BadValue(f"{what} is a text, a number, true or false, got {reprlib.repr(value)}{plain}")


def read_value(text: str) -> Value:
    """What a text of a description stands for where it says no more: a whole number or itself.

    Example:
        >>> read_value("16"), read_value("016"), read_value("gelu")
        (16, '016', 'gelu')
    """
    return int(text) if _WHOLE.fullmatch(text) else text


def _mapping(given: object, form: str) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise BadValue(f"{form}, got {shown(given)}")
    return given


def _grouped(given: object, form: str) -> list[list[str | list[str]]]:
    """Each rule as a list of its groups: texts, or lists of them."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise BadValue(f"{form}, got {shown(given)}")
    rules: list[list[str | list[str]]] = []
    for rule in given:
        listed = isinstance(rule, Sequence) and not isinstance(rule, str)
        if not listed or not all(isinstance(one, str | list | tuple) for one in rule):
            raise BadValue(f"{form}, got {shown(given)}")
        rules.append(list(rule))
    return rules
