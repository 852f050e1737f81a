"""Spaces some of whose architectures were published under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from nasbench.space.choices import ChoiceSpace
from nasbench.space.drawing import DrawnStage
from nasbench.space.rules import Value

__all__ = ["PublishedSpace"]


class PublishedSpace(ChoiceSpace):
    """Named decisions, with published architectures that are known by name.

    Their names are read wherever an architecture's string is: as an argument of a command, too.

    Args:
        name: of the space.
        decisions: see `ChoiceSpace`.
        published: by name, the choices that make an architecture: those that count.
        only_if: see `ChoiceSpace`.
        stages: how its networks are drawn, see `Space`.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("mbv2-mini")
        >>> {name: space.string(one) for name, one in space.named.items()}
        {'mobilenetv2': '16:1:3:6:2:3:6:3:3:6'}
        >>> space.parse("mobilenetv2") == space.named["mobilenetv2"]
        True
    """

    def __init__(
        self,
        name: str,
        decisions: Mapping[str, Sequence[Value]],
        published: Mapping[str, Mapping[str, Value]],
        *,
        only_if: Mapping[str, Mapping[str, Sequence[Value]]] | None = None,
        stages: tuple[DrawnStage, ...] = (),
    ) -> None:
        super().__init__(name, decisions, only_if=only_if)
        self.stages = stages
        self._published = published

    @cached_property
    def named(self) -> Mapping[str, int]:
        """The published architectures by name."""
        return {name: self.made_of(choices) for name, choices in self._published.items()}

    def made_of(self, choices: Mapping[str, Value]) -> int:
        """The architecture that takes these choices; what they leave out does not count."""
        taken = [values.index(choices.get(name, values[0])) for name, values in self.values.items()]
        return int(self.index_of(taken))

    def index(self, string: str) -> int:
        """The architecture that `string` writes or names; raises NasbenchError saying why not."""
        return self.named[string] if string in self.named else super().index(string)
