"""A build in parts, for many machines that share no more than a file system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nasbench.building.executor import Unit
from nasbench.errors import NasbenchError

__all__ = ["Shard", "divide", "shards_in"]


class Shard(NamedTuple):
    """Part `number`, counted from 1, of `of` parts of a build's trainings.

    Example:
        >>> Shard.parse("3/64")
        Shard(number=3, of=64)
        >>> str(Shard(3, 64))
        '3/64'
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that `3/64` names."""
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise NasbenchError(f"a shard is I/N with I from 1 to N, as in 3/64, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder(self) -> str:
        """What its folder inside the build's is called."""
        return f"shard-{self.number}-of-{self.of}"


def divide(units: Sequence[Unit], parts: int) -> list[list[Unit]]:
    """The trainings of each of so many shards.

    In turn, since neighbours cost alike: each shard gets its share of the dear ones.
    """
    return [list(units[number::parts]) for number in range(parts)]


def shards_in(folder: Path, joining: Shard | None = None) -> list[Shard]:
    """The shards that have a folder inside that of a build, in order.

    Args:
        folder: of the build.
        joining: a shard that is about to get one.

    Raises:
        NasbenchError: where shards of two divisions would lie side by side.
    """
    matches = [re.fullmatch(r"shard-(\d+)-of-(\d+)", path.name) for path in folder.glob("shard-*")]
    shards = sorted(Shard(int(match[1]), int(match[2])) for match in matches if match)
    numbers = sorted({shard.of for shard in (*shards, joining) if shard})
    if len(numbers) > 1:
        raise NasbenchError(
            f"{folder} would hold shards of {' and of '.join(map(str, numbers))}, and a table is "
            f"made of one division: keep to it, or remove the folders of the other"
        )
    return shards
