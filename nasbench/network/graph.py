"""A network as a graph of operations with shapes: what counting, memory, tags and ONNX read.

A network is traced once (`torch.fx`), and the trace is run on shapes without numbers. What a
trace cannot follow, such as a branch that depends on shapes or values, is seen operation by
operation while the network runs, and the graph says so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from nasbench.network.inputs import example_inputs
from nasbench.network.operations import Graph, Liveness, Operation, Tag
from nasbench.network.shapes import (
    ATEN,
    ELEMENTWISE,
    PRODUCTS,
    RULES,
    broadcast,
    shapes_of,
    tensors_in,
)
from nasbench.task import Signal

__all__ = ["Graph", "Operation", "Tag", "graph_of"]

_META = torch.device("meta")
"""Where tensors have shapes and no numbers."""


def graph_of(network: nn.Module, inputs: Signal, batch: int = 1) -> Graph:
    """The graph of a network in evaluation mode; the network stays as it is.

    Args:
        network: of any family, not lazy.
        inputs: what goes in.
        batch: examples.

    Example:
        >>> from nasbench.task import Signal
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        >>> graph = graph_of(net, Signal("image", (3, 4, 4), "uint8"))
        >>> [one.tag.kind for one in graph.operations], graph.multiply_adds
        (['conv2d', 'relu'], 3456)
        >>> graph.activation_bytes == 2 * 8 * 4 * 4 * 4
        True
    """
    example = example_inputs(inputs, batch)
    try:
        with _evaluating(network), torch.no_grad():
            return _traced(network, example)
    except Exception:  # forward is anybody's code: what tracing does not follow is run
        return _run(network, example)


def _traced(network: nn.Module, example: Tensor) -> Graph:
    before = set(vars(network))
    try:
        trace = fx.Tracer().trace(network)
        given = torch.empty_like(example, device=_META)
        liveness = Liveness(network, given)
        placeholders = [node for node in trace.nodes if node.op == "placeholder"]
        defaults = [node.args[0] for node in placeholders[1:]]  # of arguments that are left out
        shapes = _Shapes(network, trace, liveness)
        answer = shapes.run(given, *defaults, enable_io_processing=False)
    finally:
        for name in vars(network).keys() - before:  # a tracer keeps constants in the network
            delattr(network, name)
    return liveness.graph("traced", len(example), tensors_in(answer))


class _Shapes(fx.Interpreter):
    """Runs a trace on tensors without numbers, and notes every operation."""

    def __init__(self, network: nn.Module, trace: fx.Graph, liveness: Liveness) -> None:
        super().__init__(network, garbage_collect_values=False, graph=trace)
        self._liveness = liveness
        self._modules = dict(network.named_modules())
        self._shown: dict[str, Tensor] = {}  # what stands for a weight that functions read
        self._weights: dict[int, Tensor] = {}
        self._products = _Products()

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        found = super().get_attr(target, args, kwargs)
        if not isinstance(found, Tensor):
            return found
        if target not in self._shown:
            self._shown[target] = shown = torch.empty_like(found, device=_META)
            self._weights[id(shown)] = found
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
        given = tensors_in((args, kwargs))
        tag = Tag(type(module).__name__.lower(), module.extra_repr(), shapes_of(given))
        weights = (*module.parameters(), *module.buffers())
        self._liveness.add(tag, given, tensors_in(result), products, str(target), weights)
        return result

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._noted(str(getattr(target, "__name__", target)), target, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._noted(str(target), getattr(type(args[0]), str(target)), args, kwargs)

    def _noted(self, kind: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        result, products = broadcast(args) if kind in ELEMENTWISE else None, 0
        if result is None:
            result, products = self._watched(function, *args, **kwargs)
        if found := tensors_in(result):
            tag, given = _tag(kind, args, kwargs)
            read = [one for one in given if id(one) not in self._weights]
            weights = [self._weights[id(one)] for one in given if id(one) in self._weights]
            self._liveness.add(tag, read, found, products, weights=weights)
        return result

    def _watched(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, int]:
        """What a function gives, and the multiply-adds of PyTorch's own operations in it."""
        before = self._products.multiply_adds
        with _META, self._products:
            result = function(*args, **kwargs)
        return result, self._products.multiply_adds - before


class _Products(TorchDispatchMode):
    """Counts the multiply-adds of what runs, from the shapes of convolutions and products."""

    def __init__(self, liveness: Liveness | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0
        self._liveness = liveness

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
        if self._liveness is not None and (written := tensors_in(result)):
            tag, given = _tag(name, args, kwargs)
            self._liveness.add(tag, given, written, found)
        return result


def _run(network: nn.Module, example: Tensor) -> Graph:
    """The graph of one run: without numbers where that is possible."""
    try:
        return _ran(network, example, "meta")
    except Exception:  # a network that looks at its numbers cannot run without them
        return _ran(network, example, "cpu")


def _ran(network: nn.Module, example: Tensor, device: str) -> Graph:
    ran = copy.deepcopy(network).eval().to(device)
    given = example.to(device)
    liveness = Liveness(ran, given)
    for weight in (*ran.parameters(), *ran.buffers()):
        liveness.keep(weight)
    with torch.no_grad(), torch.device(device), _Products(liveness):
        answer = ran(given)
    return liveness.graph("run", len(example), tensors_in(answer))


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards each module is as it was."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _without_numbers(module: nn.Module, args: Any, kwargs: Any) -> Any:
    """What a module of any kind makes of tensors that have a shape alone."""
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if not held:
        return module(*args, **kwargs)
    shapes = tree_map_only(Tensor, lambda one: torch.empty_like(one, device=_META), held)
    return torch.func.functional_call(module, shapes, args, kwargs)


def _tag(kind: str, args: Any, kwargs: Any) -> tuple[Tag, list[Tensor]]:
    """The tag of a function, and the tensors that go in."""
    leaves = tree_leaves((args, kwargs))
    given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    setting = ", ".join(str(leaf) for leaf in leaves if not isinstance(leaf, Tensor))
    return Tag(kind.strip("_"), setting, shapes_of(given)), given
