"""What makes networks of a space's architectures: the protocol, and functions that keep it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from nasbench.errors import BadValue, Unsupported, shown, unknown
from nasbench.space import Space
from nasbench.task import Signal

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "CELL",
    "SIGNALS",
    "Family",
    "FunctionFamily",
    "SharingFunctionFamily",
    "Size",
    "check_sizes",
]

Size = int | float | str | bool
"""Of a family's own parameters: a width, a dropout, the name of an activation."""

CELL = "cell"
"""The name of the family of cells, whose sizes stand in a recipe itself."""

SIGNALS = frozenset({"image", "tokens", "audio", "features"})
"""What can go into networks; see `nasbench.task.Signal`."""

MOST_SIZE = 10**6
"""Of a whole number: more is a slip of the keyboard, and would fill any memory."""
LONGEST = 100
"""Characters of a size that is text."""


@runtime_checkable
class Family(Protocol):
    """How the architectures of a space become `torch.nn.Module`s.

    Attributes:
        name: the family's name, as manifests say it.
        signals: the kinds of what can go into its networks, of `SIGNALS`.
        sizes: its own parameters with their defaults.

    Example:
        >>> from nasbench.network import family_of
        >>> from nasbench.space import get
        >>> family = family_of(get("nb201-mini"))
        >>> isinstance(family, Family), family.name
        (True, 'cell')
    """

    name: str
    signals: frozenset[str]
    sizes: Mapping[str, Size]

    def build(
        self,
        space: Space,
        architecture: int,
        inputs: Signal,
        outputs: int,
        sizes: Mapping[str, Size],
    ) -> nn.Module:
        """The architecture's network, its weights as PyTorch's global generator draws them.

        Args:
            space: of the family.
            architecture: of the space.
            inputs: what goes in, of a kind in `signals`.
            outputs: how many numbers come out for an example.
            sizes: all of the family's, by name.
        """

    def describe(self) -> dict[str, Any]:
        """For manifests, plain JSON values: `name`, and what else tells it from others."""


Build = Callable[..., "nn.Module"]
"""`build(choices, inputs, outputs, *, width=16, ...)`."""


class FunctionFamily:
    """A function `build(choices, inputs, outputs, **sizes)` as a family.

    `choices` are those decisions of the architecture that count, as the space's author wrote
    them; `inputs` is the task's signal, `outputs` an int. Parameters by name alone, each with a
    default, are the family's sizes.

    Args:
        name: the family's.
        build: the function.
        signals: kinds of what can go in; all where the function does not say.
        said: what `describe` says besides the name.

    Raises:
        Unsupported: where the function cannot be called so.

    Example:
        >>> from torch import nn
        >>> def build(choices, inputs, outputs, *, width=16):
        ...     return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, outputs))
        >>> FunctionFamily("flat", build).sizes
        mappingproxy({'width': 16})
    """

    def __init__(
        self,
        name: str,
        build: Build,
        signals: Collection[str] = SIGNALS,
        said: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.signals = frozenset(signals)
        self.sizes: Mapping[str, Size] = MappingProxyType(_sizes(name, build))
        self._build = build
        self._said = said

    def __repr__(self) -> str:
        return f"<FunctionFamily {self.name}>"

    def build(
        self,
        space: Space,
        architecture: int,
        inputs: Signal,
        outputs: int,
        sizes: Mapping[str, Size],
    ) -> nn.Module:
        """See `Family.build`."""
        return self._build(space.choices_of(architecture), inputs, outputs, **sizes)

    def describe(self) -> dict[str, Any]:
        """See `Family.describe`."""
        return {"name": self.name, **self._said}


class SharingFunctionFamily(FunctionFamily):
    """A family whose weights all architectures can share: `build`, and a function `supernet`.

    `supernet(space, inputs, outputs, **sizes)` takes the sizes of `build`, by name alone, and
    returns what `nasbench.network.capability.SharesWeights` says of one.

    Args:
        family: with the function that builds single networks.
        supernet: the function.

    Raises:
        Unsupported: where the function cannot be called so.
    """

    def __init__(self, family: FunctionFamily, supernet: Build) -> None:
        super().__init__(family.name, family._build, family.signals, family._said)
        form = "supernet(space, inputs, outputs, *, width=16)"
        sizes = _sizes(self.name, supernet, "supernet", form)
        if sizes != dict(self.sizes):
            raise Unsupported(
                f"supernet of {self.name} has the sizes {sizes}, and build {dict(self.sizes)}: "
                f"they are of one network, so give both the same"
            )
        self._supernet = supernet

    def supernet(
        self, space: Space, inputs: Signal, outputs: int, sizes: Mapping[str, Size]
    ) -> nn.Module:
        """See `nasbench.network.capability.SharesWeights`."""
        return self._supernet(space, inputs, outputs, **sizes)


def _sizes(
    name: str,
    build: Build,
    what: str = "build",
    form: str = "build(choices, inputs, outputs, *, width=16)",
) -> dict[str, Size]:
    """The parameters of a function that are sizes, with their defaults."""
    form = f"{form}: sizes by name alone, with defaults"
    if not callable(build):
        raise Unsupported(f"{what} of {name} is a {type(build).__name__}, no function {form}")
    given = list(inspect.signature(build).parameters.values())
    by_place = [one for one in given if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    three = len(by_place) == 3 and not any(
        one.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        for one in by_place
    )
    if not three:
        raise Unsupported(f"{what} of {name} takes {', '.join(map(str, given))}, and not {form}")
    sizes: dict[str, Size] = {}
    for one in given[3:]:
        if not isinstance(one.default, int | float | str):
            has = "no default" if one.default is one.empty else f"default {shown(one.default)}"
            raise Unsupported(
                f"size {one.name} of {name} has {has}: a size has one that is a number, a text, "
                f"True or False"
            )
        sizes[one.name] = one.default
    return sizes


def check_sizes(family: Family, given: Mapping[str, object]) -> dict[str, Size]:
    """All sizes of a family: those given, the others as they are by default.

    Raises:
        UnknownName: for a size that it does not have, with the near ones.
        BadValue: for a value of another type than the default's, or out of all bounds.

    Example:
        >>> check_sizes(FunctionFamily("f", lambda choices, inputs, outputs, *, width=16: None), {})
        {'width': 16}
    """
    sizes = dict(family.sizes)
    for name, value in given.items():
        if name not in sizes:
            raise unknown(f"size of {family.name}", name, sizes)
        sizes[name] = _size(f"size {name} of {family.name}", sizes[name], value)
    return sizes


def _size(what: str, default: Size, value: object) -> Size:
    wanted = type(default)
    if wanted is float and type(value) is int:
        value = float(value) if abs(value) <= MOST_SIZE else value
    if type(value) is not wanted:
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise BadValue(f"{what} is {words[wanted]}, as in {shown(default)}, got {shown(value)}")
    if isinstance(value, str):
        if not value.isprintable() or len(value) > LONGEST:
            raise BadValue(f"{what} is {LONGEST} printable characters at most, got {shown(value)}")
        return value
    assert isinstance(value, int | float)
    if not 0 <= value <= MOST_SIZE:  # not a number lies nowhere
        raise BadValue(f"{what} is 0 to {MOST_SIZE:,}, got {shown(value)}")
    return value
