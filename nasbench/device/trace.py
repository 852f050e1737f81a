"""What one inference holds in memory and moves through it, seen operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nasbench.device.inference import Images, evaluating
from nasbench.network.shapes import bytes_of, tensors_in
from nasbench.network.tracing import without_fast_path

__all__ = ["MemoryTrace", "trace"]


@dataclass(frozen=True, slots=True)
class MemoryTrace:
    """One inference of a batch in PyTorch.

    Attributes:
        peak_bytes: the most that weights, BatchNorm's statistics, images and live activations
            took together. What an operation allocates for its own use is not seen.
        moved_bytes: what the operations read (inputs and weights) and wrote, summed; an
            operation that only looks at its input in another shape moves nothing.
    """

    peak_bytes: int
    moved_bytes: int


def trace(network: nn.Module, images: Images) -> MemoryTrace:
    """Run the network once and watch the storages of its tensors come and go."""
    with evaluating(network, images) as x:
        watch = _Watch((*network.parameters(), *network.buffers(), x))
        with watch, without_fast_path():
            network(x)
    return MemoryTrace(watch.peak, watch.moved)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that are alive, from `held` on."""

    def __init__(self, held: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.moved = 0
        self._known: set[int] = set()
        for tensor in held:
            self._hold(tensor)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing here is compiled: do not load PyTorch's compiler, 1.3 CPU s, to leave it out."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        written = [t for t in tensors_in(result) if self._hold(t)]
        if written:
            # The zeros of a `none` take the shape of their input but no value of it.
            zeros = func is torch.ops.aten.zeros_like.default
            read = [] if zeros else tensors_in((args, kwargs))
            self.moved += sum(bytes_of(t) for t in (*read, *written))
        return result

    def _hold(self, tensor: Tensor) -> bool:
        """Count the tensor's storage; False where it is counted already."""
        storage = tensor.untyped_storage()
        key = id(storage)  # the same object for every tensor on this storage, while one lives
        if key in self._known:
            return False
        size = storage.nbytes()
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._release, key, size)
        return True

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size
