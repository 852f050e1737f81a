"""Spaces to and from ConfigSpace, in which SMAC3, DEHB, NePS and CARP-S search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import BadValue, NasbenchError, Unsupported, unknown
from nasbench.space.base import Space
from nasbench.space.choices import ChoiceSpace
from nasbench.space.numbering import MOST_CHOICES
from nasbench.space.rules import MOST_RULES, Rules, Value, text_of

if TYPE_CHECKING:
    import ConfigSpace

__all__ = ["architecture_of", "configuration_of", "from_configspace", "to_configspace"]

SEPARATORS = ":|;/~!+_"

Combination = dict[str, list[Value]]
"""Choices of some decisions; all of these decisions take one of them."""


def to_configspace(space: Space, seed: int | None = None) -> ConfigSpace.ConfigurationSpace:
    """The space as a `ConfigurationSpace`, whose configurations are its networks.

    Decisions become hyperparameters of their names: numbers an ordinal one in ascending order,
    anything else a categorical one, and a single choice a constant. Choices keep their types;
    where Python takes two for one, as True and 1, they are their texts. `only_if` becomes
    conditions, `never` forbidden clauses, and so does the order of what is `alike`: of all that
    make one network a single configuration is allowed, so that configurations and the
    architectures that `canonical` gives and `allowed` allows are one to one. Cells have no rules:
    there it is a configuration for each architecture.

    The default configuration is architecture 0 where that can be built, else a draw.

    Args:
        space: any.
        seed: of the configurations that ConfigSpace draws.

    Raises:
        NasbenchError: without ConfigSpace, for rules that leave no architecture, or where the
            order of what is alike takes too many clauses.

    Example:
        >>> from nasbench.space import ChoiceSpace
        >>> space = ChoiceSpace("mine", {"depth": [1, 2], "kernel2": [3, 5]},
        ...     only_if={"kernel2": {"depth": [2]}})
        >>> found = to_configspace(space)
        >>> found["depth"].sequence, list(found.conditional_hyperparameters)
        ((1, 2), ['kernel2'])
    """
    cs = _configspace()
    default = _default(space)
    made: ConfigSpace.ConfigurationSpace = cs.ConfigurationSpace(name=space.name, seed=seed)
    of = {
        name: _hyperparameter(cs, name, choices, place)
        for (name, choices), place in zip(_values(space).items(), default, strict=True)
    }
    made.add(list(of.values()))
    if isinstance(space, ChoiceSpace) and space.rules:
        made.add(_conditions(cs, space, of))
        made.add(_forbidden(cs, space, of))
    return made


def configuration_of(
    configspace: ConfigSpace.ConfigurationSpace, space: Space, architecture: int
) -> ConfigSpace.Configuration:
    """The configuration of an architecture: that of the network which it stands for.

    Args:
        configspace: of `to_configspace`.
        space: of the same.
        architecture: of the space.

    Raises:
        NasbenchError: where rules forbid the architecture.

    Example:
        >>> from nasbench.space import ChoiceSpace
        >>> space = ChoiceSpace("mine", {"depth": [1, 2], "width": [8, 16]})
        >>> dict(configuration_of(to_configspace(space), space, 1))
        {'depth': 1, 'width': 16}
    """
    cs = _configspace()
    if not space.allowed(architecture):
        raise BadValue(f"{space.name} forbids {space.string(architecture)}: see never")
    known = _values(space)
    ops = space.normal(space.ops(architecture))
    counts = zip(known.items(), ops.tolist(), space.active(ops).tolist(), strict=True)
    taken = {name: choices[place] for (name, choices), place, active in counts if active}
    found: ConfigSpace.Configuration = cs.Configuration(configspace, values=taken)
    return found


def architecture_of(space: Space, configuration: Mapping[str, Any]) -> int:
    """The architecture that a configuration of the space means.

    Args:
        space: whose decisions the configuration names.
        configuration: of `to_configspace`, or a dictionary of the same names and values.

    Raises:
        NasbenchError: for a name or a value that the space does not have, and for a decision
            that counts and is left out.

    Example:
        >>> from nasbench.space import ChoiceSpace
        >>> space = ChoiceSpace("mine", {"depth": [1, 2], "width": [8, 16]})
        >>> architecture_of(space, {"depth": 1, "width": 16})
        1
    """
    given = dict(configuration)
    for name in given:
        if name not in space.decisions:
            raise unknown("decision", name, space.decisions)
    ops = np.zeros(len(space.choices), dtype=space.ops_dtype)
    for column, (name, choices) in enumerate(_values(space).items()):
        if name in given:
            value = _plain(given[name])
            text = text_of(f"a choice of {name}", value)
            if value not in choices:  # by value: ConfigSpace draws 1 and 0.5 as 1.0 and 0.5
                raise unknown(f"choice of {name}", text, space.decisions[name])
            ops[column] = choices.index(value)
    left_out = np.asarray([name not in given for name in space.decisions])
    for column in np.flatnonzero(space.active(ops) & left_out).tolist():
        raise BadValue(f"{tuple(space.decisions)[column]} counts here and has no choice")
    return int(space.index_of(ops))


def from_configspace(
    configspace: ConfigSpace.ConfigurationSpace, name: str | None = None
) -> ChoiceSpace:
    """A space with the hyperparameters of a `ConfigurationSpace` as decisions.

    They stand in the order of the configuration space, which is alphabetical, with those that
    are conditional last. Categorical and ordinal hyperparameters, constants and ranges of whole
    numbers are read, each with its values; weights and logarithmic scales are left behind, for
    here every choice has one chance. Conditions become `only_if`, forbidden clauses `never`.

    Args:
        configspace: to read.
        name: of the space; the configuration space's own where left out.

    Raises:
        NasbenchError: for a hyperparameter of real numbers, a condition that one of several
            parents can meet, or more than a space can hold.

    Example:
        >>> from ConfigSpace import ConfigurationSpace
        >>> space = from_configspace(ConfigurationSpace(
        ...     {"depth": (1, 3), "op": ["conv", "skip"]}), "mine")
        >>> space.values
        {'depth': (1, 2, 3), 'op': ('conv', 'skip')}
    """
    cs = _configspace()
    decisions = {of.name: _choices(cs, of) for of in configspace.values()}
    only_if: dict[str, Combination] = {}
    for child, conditions in configspace.parent_conditions_of.items():
        for condition in conditions:
            needs = _needs(cs, condition, decisions)
            only_if[child] = _both(only_if.get(child, {}), needs)
    never: list[Combination] = []
    for clause in configspace.forbidden_clauses:
        never += _combinations(cs, clause, decisions)
        if len(never) > MOST_RULES:
            raise Unsupported(f"forbidden clauses are more than {MOST_RULES:,} combinations")
    texts = "".join(str(one) for of in decisions.values() for one in of)
    return ChoiceSpace(
        name or configspace.name or "configspace",
        decisions,
        next((mark for mark in SEPARATORS if mark not in texts), SEPARATORS[0]),
        only_if={child: needs for child, needs in only_if.items() if needs},
        never=never,
    )


def _configspace() -> Any:
    try:
        import ConfigSpace
    except ImportError as error:
        raise NasbenchError(
            "this needs ConfigSpace: pip install 'nasbench-harness[configspace]'"
        ) from error
    return ConfigSpace


# To ConfigSpace.


def _values(space: Space) -> dict[str, tuple[Value, ...]]:
    """Choices as a configuration has them: as written, or as texts where Python mixes them up."""
    return {
        name: tuple(of) if len(set(of)) == len(of) else space.decisions[name]
        for name, of in space.values.items()
    }


def _default(space: Space) -> list[int]:
    """The choices of an architecture that can be built, in its normal form."""
    first = 0 if space.allowed(0) else space.sample(np.random.default_rng(0))
    found: list[int] = space.normal(space.ops(first)).tolist()
    return found


def _hyperparameter(cs: Any, name: str, choices: Sequence[Value], default: int) -> Any:
    if len(choices) == 1:
        return cs.Constant(name, choices[0])
    if all(type(one) in (int, float) for one in choices):
        ascending = sorted(choices)
        return cs.OrdinalHyperparameter(name, ascending, default_value=choices[default])
    return cs.CategoricalHyperparameter(name, list(choices), default_value=choices[default])


def _taken(space: ChoiceSpace, of: Any, given: Sequence[Value]) -> list[Value]:
    """Choices of a hyperparameter that a rule names, as the configuration has them."""
    texts, known = space.decisions[of.name], space.values[of.name]
    if len(set(known)) < len(known):
        known = texts
    return [known[place] for place in sorted({texts.index(text_of(of.name, o)) for o in given})]


def _conditions(cs: Any, space: ChoiceSpace, of: Mapping[str, Any]) -> list[Any]:
    found = []
    for child, needs in space.rules.only_if.items():
        each = [
            cs.InCondition(of[child], of[other], _taken(space, of[other], choices))
            for other, choices in needs.items()
        ]
        found.append(each[0] if len(each) == 1 else cs.AndConjunction(*each))
    return found


def _forbidden(cs: Any, space: ChoiceSpace, of: Mapping[str, Any]) -> list[Any]:
    sorting = list(itertools.islice(_out_of_order(space), MOST_RULES + 1))
    if len(sorting) > MOST_RULES:
        raise Unsupported(
            f"{space.name} has too many decisions that are alike: their order takes more than "
            f"{MOST_RULES:,} forbidden clauses"
        )
    found = []
    for rule in (*space.rules.never, *sorting):
        each = [
            cs.ForbiddenInClause(of[name], _taken(space, of[name], choices))
            for name, choices in rule.items()
        ]
        found.append(each[0] if len(each) == 1 else cs.ForbiddenAndConjunction(*each))
    return found


def _out_of_order(space: ChoiceSpace) -> Iterator[Combination]:
    """What says that alike groups which count are sorted: a later one is never the less."""
    for groups in space.rules.alike:
        for place in range(len(groups[0])):
            known = space.values[groups[0][place]]
            for before in _beginnings(space, groups[0], place):
                for first, second in itertools.combinations(groups, 2):
                    same: Combination = {}
                    for at, choice in before.items():
                        same |= {first[at]: [choice], second[at]: [choice]}
                    for choice in range(1, len(known)):
                        less = list(known[:choice])
                        yield {**same, first[place]: [known[choice]], second[place]: less}


def _beginnings(space: ChoiceSpace, group: Sequence[str], place: int) -> Iterator[dict[int, Value]]:
    """What a group can choose before a place that counts then: those that count, by place."""
    names = group[: place + 1]
    # What a decision depends on outside its group holds for the whole of it, or it is not there.
    inside = {
        name: {other: of for other, of in needs.items() if other in names}
        for name, needs in space.rules.only_if.items()
        if name in names
    }
    own = {name: needs for name, needs in inside.items() if needs}
    rules = Rules({name: space.decisions[name] for name in names}, own, (), ())
    for ops in itertools.product(*(range(len(space.decisions[name])) for name in names[:-1])):
        counts = rules.active([*ops, 0])
        if counts[-1] and not any(
            op for op, active in zip(ops, counts, strict=False) if not active
        ):
            yield {at: space.values[names[at]][op] for at, op in enumerate(ops) if counts[at]}


# From ConfigSpace.


def _plain(value: Any) -> Any:
    """A value as Python's own type."""
    return value.item() if isinstance(value, np.generic) else value


def _choices(cs: Any, of: Any) -> list[Value]:
    if isinstance(of, cs.CategoricalHyperparameter):
        return [_plain(one) for one in of.choices]
    if isinstance(of, cs.OrdinalHyperparameter):
        return [_plain(one) for one in of.sequence]
    if isinstance(of, cs.Constant):
        return [_plain(of.value)]
    whole = isinstance(getattr(of, "lower", None), int | np.integer)
    if not whole:
        raise Unsupported(
            f"{of.name} is a range of real numbers: a space has choices, as those of "
            f"OrdinalHyperparameter({of.name!r}, [0.1, 0.2])"
        )
    low, high = int(of.lower), int(of.upper)
    if high - low >= MOST_CHOICES:
        raise Unsupported(
            f"{of.name} has {high - low + 1:,} choices, {MOST_CHOICES:,} are the most"
        )
    return list(range(low, high + 1))


def _both(one: Combination, other: Combination) -> Combination:
    """What keeps both."""
    found = dict(one)
    for name, choices in other.items():
        found[name] = [c for c in choices if c in found[name]] if name in found else choices
    return found


def _needs(cs: Any, condition: Any, decisions: Mapping[str, list[Value]]) -> Combination:
    """Under which choices of its parents a hyperparameter is active."""
    if isinstance(condition, cs.AndConjunction):
        found: Combination = {}
        for part in condition.components:
            found = _both(found, _needs(cs, part, decisions))
        return found
    if isinstance(condition, cs.OrConjunction):
        parts = [_needs(cs, part, decisions) for part in condition.components]
        names = {name for part in parts for name in part}
        if len(names) > 1:
            raise Unsupported(
                f"a condition that {' or '.join(sorted(names))} can meet: only_if asks for all of "
                f"its decisions"
            )
        name = names.pop()
        return {name: [one for one in decisions[name] if any(one in part[name] for part in parts)]}
    parent = condition.parent.name
    met = [one for one in decisions[parent] if condition.satisfied_by_value({parent: one})]
    return {parent: met}


def _combinations(cs: Any, clause: Any, decisions: Mapping[str, list[Value]]) -> list[Combination]:
    """What a forbidden clause forbids: any of these."""
    if isinstance(clause, cs.ForbiddenAndConjunction):
        parts = [_combinations(cs, part, decisions) for part in clause.components]
        if math.prod(map(len, parts)) > MOST_RULES:
            raise Unsupported(f"a forbidden clause has more than {MOST_RULES:,} combinations")
        found = []
        for taken in itertools.product(*parts):
            rule: Combination = {}
            for part in taken:
                rule = _both(rule, part)
            found.append(rule)
    elif isinstance(clause, cs.ForbiddenOrConjunction):
        found = [one for part in clause.components for one in _combinations(cs, part, decisions)]
    elif isinstance(clause, cs.forbidden.ForbiddenRelation):
        left, right = clause.left.name, clause.right.name
        found = [
            {
                left: [one],
                right: [
                    other
                    for other in decisions[right]
                    if clause.is_forbidden_value({left: one, right: other})
                ],
            }
            for one in decisions[left]
        ]
    else:
        name = clause.hyperparameter.name
        found = [{name: [o for o in decisions[name] if clause.is_forbidden_value({name: o})]}]
    return [rule for rule in found if all(rule.values())]
