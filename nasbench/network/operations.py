"""The operations of a network: what each reads, writes and computes, and what lives meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

from nasbench.network.shapes import Shape, bytes_of

__all__ = ["Graph", "How", "Liveness", "Operation", "Tag"]

How = Literal["traced", "run"]


class Tag(NamedTuple):
    """What an operation's cost depends on: equal tags cost the same.

    Attributes:
        kind: what it computes: a module's class or a function's name, in lower case.
        setting: a module's own description of its sizes, or a function's other arguments.
        inputs: the shapes that go in.
    """

    kind: str
    setting: str
    inputs: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a network.

    Attributes:
        tag: what it is and what goes in.
        sources: the places in the graph of the operations that it reads; -1 is the input.
        outputs: the shapes that come out.
        module: the path of its module in the network; empty for a function.
        parameters: numbers that it learns, and that no operation before it has.
        weight_bytes: of its parameters and buffers; those of a module that comes twice, once.
        multiply_adds: of convolutions, matrix products and attention; all else counts nothing.
        read_bytes: what it reads: inputs and weights, once each; 0 for a view.
        written_bytes: what it allocates; 0 for a view of its input.
    """

    tag: Tag
    sources: tuple[int, ...]
    outputs: tuple[Shape, ...]
    module: str
    parameters: int
    weight_bytes: int
    multiply_adds: int
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of a network on one batch, in the order in which they run.

    Attributes:
        operations: of the inference.
        how: `traced`, or `run` where no trace could be made: then operations are PyTorch's own
            smallest ones, which belong to no module.
        batch: examples that go in.
        parameters: trainable numbers of the network, of all that it holds.
        held_bytes: parameters and buffers of the network, and its input.
        activation_bytes: the most that the outputs of operations take at a time, each kept
            until its last reader has run.
    """

    operations: tuple[Operation, ...]
    how: How
    batch: int
    parameters: int
    held_bytes: int
    activation_bytes: int

    @property
    def multiply_adds(self) -> int:
        """Of the whole batch."""
        return sum(operation.multiply_adds for operation in self.operations)

    @property
    def peak_bytes(self) -> int:
        """What an inference in this order needs, without what kernels take for themselves."""
        return self.held_bytes + self.activation_bytes

    @property
    def moved_bytes(self) -> int:
        """What the operations read and write, summed."""
        return sum(one.read_bytes + one.written_bytes for one in self.operations)

    def tags(self) -> Counter[Tag]:
        """How often each operation that moves something occurs."""
        return Counter(one.tag for one in self.operations if one.written_bytes)


class Liveness:
    """Which tensors share memory, who made it, and until when it is needed."""

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        self.operations: list[Operation] = []
        held = {id(one): one for one in (*network.parameters(), *network.buffers())}
        self.held_bytes = sum(map(bytes_of, held.values())) + bytes_of(example)
        self.parameters = sum(one.numel() for one in network.parameters())
        self._made: dict[int, int] = {}  # the storage, and the operation that wrote it
        self._last: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no address is given twice
        self._weighed: set[int] = set()
        self.keep(example)

    def keep(self, tensor: Tensor) -> int:
        """Something that is there before the first operation."""
        self._kept.append(tensor)
        key = _storage(tensor)
        self._made.setdefault(key, -1)
        return key

    def weigh(self, weights: Iterable[Tensor]) -> tuple[int, int]:
        """Parameters and bytes of those weights that are new."""
        new = [one for one in weights if id(one) not in self._weighed]
        self._weighed.update(map(id, new))
        learned = sum(one.numel() for one in new if isinstance(one, nn.Parameter))
        return learned, sum(map(bytes_of, new))

    def add(
        self,
        tag: Tag,
        given: list[Tensor],
        result: list[Tensor],
        multiply_adds: int,
        module: str = "",
        weights: Iterable[Tensor] = (),
    ) -> None:
        """The next operation."""
        place = len(self.operations)
        read = [_storage(one) for one in given]
        sources = tuple(dict.fromkeys(self._made[key] for key in read if key in self._made))
        for key in read:
            self._last[key] = place
        written = 0
        for one in result:
            key = _storage(one)
            self._kept.append(one)
            if key not in self._made and key not in read:
                self._made[key] = place
                self._sizes[key] = size = bytes_of(one)
                written += size
            self._last[key] = place
        weights = [*weights]
        learned, weighs = self.weigh(weights)
        moved = sum(map(bytes_of, (*given, *weights))) if written else 0
        outputs = tuple(tuple(one.shape) for one in result)
        self.operations.append(
            Operation(tag, sources, outputs, module, learned, weighs, multiply_adds, moved, written)
        )

    def graph(self, how: How, batch: int, answer: list[Tensor]) -> Graph:
        """All of it; the answer is needed to the end."""
        for one in answer:
            self._last[_storage(one)] = len(self.operations)
        change = [0] * (len(self.operations) + 2)
        for key, size in self._sizes.items():
            change[self._made[key]] += size
            change[self._last[key] + 1] -= size
        live = peak = 0
        for step in change:
            live += step
            peak = max(peak, live)
        return Graph(tuple(self.operations), how, batch, self.parameters, self.held_bytes, peak)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
