"""From one architecture to others: neighbours, draws, mutation, crossover."""

from __future__ import annotations

from functools import cached_property
from typing import overload

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.space.numbering import COUNTABLE, Architectures, Numbering

__all__ = ["Moves"]

FEW = 2**32
"""Below, a number out of so many is drawn from one float of 53 bits: even to 2**-21."""


class Moves(Numbering):
    """The moves of strategies. Without rules each decision is free; see `nasbench.space.ruled`."""

    def neighbors(self, architecture: int) -> Architectures:
        """Every architecture that differs in one decision, `[sum(choices - 1)]`."""
        ops = self.ops(architecture).astype(self._dtype)
        code = int(ops @ self._weights)
        steps = [
            code + (choice - int(op)) * int(weight)
            for op, count, weight in zip(ops, self.choices, self._weights, strict=True)
            for choice in range(count)
            if choice != op
        ]
        return self._numbered(np.asarray(steps, dtype=self._dtype))

    @overload
    def sample(self, rng: np.random.Generator) -> int: ...
    @overload
    def sample(self, rng: np.random.Generator, n: int) -> Architectures: ...
    def sample(self, rng: np.random.Generator, n: int | None = None) -> int | Architectures:
        """One architecture, or `n` with repeats, uniform over all of them."""
        if self.size < COUNTABLE:
            if n is not None:
                return rng.integers(self.size, size=n)
            if self.size < FEW:
                return int(rng.random() * self.size)
            return int(rng.integers(self.size))
        shape = (1 if n is None else n, len(self.choices))
        drawn = self.index_of(rng.integers(np.asarray(self.choices), size=shape))
        return int(drawn[0]) if n is None else drawn

    def mutate(self, architecture: int, rng: np.random.Generator) -> int:
        """One decision, chosen uniformly, changed to another choice, chosen uniformly.

        Decisions with a single choice cannot change and are not drawn.
        """
        free = self._free
        if not len(free):
            raise NasbenchError(f"{self.name} has one architecture: nothing can change")
        drawn = rng.random() * len(free)
        count, weight = free[int(drawn)]
        code = self._code(architecture)
        old = code // weight % count
        new = (old + 1 + int(drawn % 1 * (count - 1))) % count
        return self._architecture(code + (new - old) * weight)

    def crossover(self, first: int, second: int, rng: np.random.Generator) -> int:
        """Each decision from one parent or the other with equal chance (uniform crossover)."""
        take = rng.random(len(self.choices)) < 0.5
        ops = np.where(take, self.ops(first), self.ops(second)).astype(self._dtype)
        return self._architecture(int(ops @ self._weights))

    @cached_property
    def _free(self) -> list[tuple[int, int]]:
        """Choices and weight of each decision that can change."""
        weights = self._weights.tolist()
        return [(count, w) for count, w in zip(self.choices, weights, strict=True) if count > 1]
