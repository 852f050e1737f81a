"""A network traced once (`torch.fx`), and the trace run on tensors that have a shape alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from nasbench.network.shapes import (
    ATEN,
    ELEMENTWISE,
    PRODUCTS,
    RULES,
    averaged,
    broadcast,
    tensors_in,
)

__all__ = [
    "META",
    "Products",
    "Seen",
    "ShapeRun",
    "evaluation_mode",
    "run_shapes",
    "without_fast_path",
]

META = torch.device("meta")
"""Where tensors have shapes and no numbers."""


class Seen(NamedTuple):
    """One call of a trace.

    Attributes:
        kind: a module's class or a function's name, in lower case.
        path: of the module in the network; empty for a function.
        module: that is called; None for a function.
        args: as given, tensors without numbers.
        kwargs: likewise.
        result: what comes out: a tensor, or several.
        multiply_adds: of its convolutions and products.
    """

    kind: str
    path: str
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    multiply_adds: int


class ShapeRun(fx.Interpreter):
    """Runs a trace on tensors without numbers; `note` says what is done with each call.

    Attributes:
        weights: by the `id` of what stands for it: the path and the tensor of a weight that
            functions read.
    """

    def __init__(self, network: nn.Module, trace: fx.Graph) -> None:
        super().__init__(network, garbage_collect_values=False, graph=trace)
        self.weights: dict[int, tuple[str, Tensor]] = {}
        self._modules = dict(network.named_modules())
        self._shown: dict[str, Tensor] = {}
        self._products = Products()

    def note(self, seen: Seen) -> None:
        """Called after each call that gives a tensor."""
        raise NotImplementedError

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        found = super().get_attr(target, args, kwargs)
        if not isinstance(found, Tensor):
            return found
        if target not in self._shown:
            self._shown[target] = shown = torch.empty_like(found, device=META)
            self.weights[id(shown)] = str(target), found
        return self._shown[target]

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        module = self._modules[target]
        rule = RULES.get(type(module))
        result = rule(module, args[0]) if rule and len(args) == 1 and not kwargs else None
        if result is not None:
            counted = PRODUCTS.get(type(module))
            products = counted(module, args[0], result) if counted else 0
        else:
            result, products = self._watched(_without_numbers, module, args, kwargs)
        kind = type(module).__name__.lower()
        self.note(Seen(kind, str(target), module, args, kwargs, result, products))
        return result

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._called(str(getattr(target, "__name__", target)), target, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._called(str(target), getattr(type(args[0]), str(target)), args, kwargs)

    def _called(self, kind: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        result, products = broadcast(args) if kind in ELEMENTWISE else None, 0
        if kind == "mean":
            result = averaged(*args, **kwargs)
        if result is None:
            result, products = self._watched(function, *args, **kwargs)
        if tensors_in(result):
            self.note(Seen(kind.strip("_"), "", None, args, kwargs, result, products))
        return result

    def _watched(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, int]:
        """What a function gives, and the multiply-adds of PyTorch's own operations in it."""
        before = self._products.multiply_adds
        with META, self._products:
            result = function(*args, **kwargs)
        return result, self._products.multiply_adds - before


Run = TypeVar("Run", bound=ShapeRun)


def run_shapes(
    network: nn.Module, given: Tensor, make: Callable[[nn.Module, fx.Graph], Run]
) -> tuple[Run, Any]:
    """Trace a network in evaluation mode and run the trace; the network stays as it is.

    Args:
        network: of any kind.
        given: what goes in, on `META`.
        make: what runs the trace.

    Returns:
        What ran it, and the network's answer.

    Raises:
        Exception: of any kind, where a trace cannot follow what the network does.
    """
    before = set(vars(network))
    try:
        with evaluation_mode(network), torch.no_grad():
            trace = fx.Tracer().trace(network)
            placeholders = [node for node in trace.nodes if node.op == "placeholder"]
            left_out = [node.args[0] for node in placeholders[1:]]  # and so at their defaults
            run = make(network, trace)
            return run, run.run(given, *left_out, enable_io_processing=False)
    finally:
        for name in vars(network).keys() - before:  # a tracer keeps constants in the network
            delattr(network, name)


class Products(TorchDispatchMode):
    """Counts the multiply-adds of what runs, from the shapes of convolutions and products.

    Args:
        note: called with each of PyTorch's own operations: its name, what goes in by place and
            by name, what comes out, and its multiply-adds.
    """

    def __init__(self, note: Callable[[str, Any, Any, Any, int], None] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0
        self._note = note

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing here is compiled: do not load PyTorch's compiler to leave it out."""
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        found = ATEN[name](args, result) if name in ATEN else 0
        self.multiply_adds += found
        if self._note is not None:
            self._note(name, args, kwargs, result, found)
        return result


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards each module is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def without_fast_path() -> Iterator[None]:
    """PyTorch's attention as the operations that it is made of, meanwhile.

    In evaluation PyTorch runs attention, and a whole layer of a transformer, as one operation of
    its own, on nested tensors where there is padding: no format has it, and nothing can be read
    off it.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _without_numbers(module: nn.Module, args: Any, kwargs: Any) -> Any:
    """What a module of any kind makes of tensors that have a shape alone."""
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if not held:
        return module(*args, **kwargs)
    shapes = tree_map_only(Tensor, lambda one: torch.empty_like(one, device=META), held)
    return torch.func.functional_call(module, shapes, args, kwargs)
