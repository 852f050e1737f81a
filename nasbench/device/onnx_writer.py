"""A traced network as an ONNX graph: each call of the trace by a rule, any batch size.

What no rule knows raises `Unwritten`; PyTorch's own exporter takes over then, see `to_onnx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from nasbench._version import __version__
from nasbench.device.onnx_rules import FUNCTIONS, MODULES, Rule, Unwritten
from nasbench.device.onnx_trace import BATCH, INPUT, OPSET, OUTPUT, import_onnx
from nasbench.device.raw import Raw
from nasbench.network.inputs import answer_of
from nasbench.network.tracing import META, Seen, ShapeRun, run_shapes

__all__ = ["Unwritten", "Writer", "written"]

IR_VERSION = 8
"""Older than what any supported onnxruntime reads."""

MANY = 8191
"""The batch that is traced: no size of a network has this prime as a factor."""


def written(network: nn.Module, example: NDArray[Any], raw: Raw | None = None) -> Any:
    """The network in evaluation mode as an `onnx.ModelProto`, without a run of it.

    Weights keep the names of `network.state_dict()`.

    Args:
        network: of any family; it stays as it is.
        example: what goes in, `[n, ...]`: its shape behind `n`, and its dtype.
        raw: as for `to_onnx`.

    Raises:
        Exception: `Unwritten`, or of any kind where no trace follows the network.
    """
    onnx = import_onnx()
    given = torch.empty((MANY, *example.shape[1:]), dtype=_torch_dtype(example), device=META)
    run, answer = run_shapes(network, given, lambda net, trace: Writer(net, trace, given, raw))
    out = answer_of(answer)
    tensor = onnx.helper.make_tensor_value_info
    taken = example.dtype if raw is None else np.dtype(raw.dtype)
    kind = onnx.helper.np_dtype_to_tensor_dtype(taken)
    value = run.value_of(out)
    if raw is not None and raw.answers:
        value = run.node("Mul", [value, run.value_of(raw.scale, out)], "raw.scaled")
        value = run.node("Add", [value, run.value_of(raw.shift, out)], "raw.shifted")
    run.node("Identity", [value], OUTPUT)
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            run.nodes,
            "network",
            [tensor(INPUT, kind, [BATCH, *example.shape[1:]])],
            [tensor(OUTPUT, onnx.TensorProto.FLOAT, [BATCH, *out.shape[1:]])],
            initializer=list(run.constants.values()),
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nasbench-harness",
        producer_version=__version__,
    )


def _torch_dtype(array: NDArray[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, array.dtype)).dtype


class Writer(ShapeRun):
    """Writes nodes and constants as the trace runs.

    Values of modules are named after the module's path, those of functions after the function.
    """

    def __init__(self, network: nn.Module, trace: fx.Graph, given: Tensor, raw: Raw | None) -> None:
        super().__init__(network, trace)
        self._onnx = import_onnx()
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._kept: list[Tensor] = []  # so that no `id` is given twice
        self._taken: dict[str, int] = {}
        value = INPUT
        if raw is not None and raw.mean is not None and raw.deviation is not None:
            if raw.dtype != "float32":
                value = self.node("Cast", [INPUT], "raw", to=self._onnx.TensorProto.FLOAT)
            mean, deviation = (
                self.constant(f"raw.{name}", getattr(raw, name)) for name in ("mean", "deviation")
            )
            value = self.node("Sub", [value, mean], "raw.sub")
            value = self.node("Div", [value, deviation], "raw.div")
            if raw.missing:
                lost = self.node("IsNaN", [value], "raw.lost")
                value = self.node("Where", [lost, self.value_of(0.0, given), value], "raw.filled")
        self._named(given, value)

    def note(self, seen: Seen) -> None:
        """Write one call."""
        rules: Mapping[str, Rule] = FUNCTIONS if seen.module is None else MODULES
        if seen.kind not in rules:
            raise Unwritten(f"{seen.kind} has no ONNX form here")
        made = rules[seen.kind](self, seen)
        if isinstance(seen.result, Tensor):
            self._named(seen.result, made[0])
        else:
            for one, name in zip(seen.result, made, strict=True):
                self._named(one, name)

    def _named(self, tensor: Tensor, name: str) -> None:
        self._names[id(tensor)] = name
        self._kept.append(tensor)

    def value_of(self, value: Any, like: Tensor | None = None) -> str:
        """The name of a value: a tensor of the trace, a weight, or a number like a tensor."""
        if isinstance(value, Tensor):
            if id(value) in self.weights:
                path, weight = self.weights[id(value)]
                return self.constant(path, weight.detach().cpu().numpy())
            return self._names[id(value)]
        if isinstance(value, bool | int | float) and like is not None:
            dtype = torch.empty(0, dtype=like.dtype).numpy().dtype
            return self.constant(f"{value}:{dtype}", np.asarray(value, dtype))
        raise Unwritten(f"{value!r} has no ONNX form here")

    def node(self, kind: str, inputs: list[str], base: str, **attributes: Any) -> str:
        """Add a node of one output; the output's name."""
        return self.several(kind, inputs, [base], **attributes)[0]

    def several(
        self, kind: str, inputs: list[str], bases: list[str], **attributes: Any
    ) -> list[str]:
        """Add a node; the names of its outputs, which are `bases` unless these are taken."""
        names = []
        for base in bases:
            again = self._taken.get(base, 0)
            self._taken[base] = again + 1
            names.append(f"{base}.{again}" if again else base)
        made = self._onnx.helper.make_node(kind, inputs, names, name=names[0], **attributes)
        self.nodes.append(made)
        return names

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant, once for each name; the name."""
        if name not in self.constants:
            whole = np.ascontiguousarray(array).reshape(np.shape(array))
            self.constants[name] = self._onnx.numpy_helper.from_array(whole, name)
        return name

    def integers(self, values: list[int]) -> str:
        """A constant of shapes and axes."""
        return self.constant(f"{values}", np.asarray(values, np.int64))

    def weight(self, seen: Seen, name: str) -> str:
        """A weight of a module, under the name that it has in the network."""
        tensor = getattr(seen.module, name)
        return self.constant(f"{seen.path}.{name}", tensor.detach().cpu().numpy())

    def type_of(self, dtype: torch.dtype) -> int:
        """ONNX's number of a kind of numbers."""
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(kind))

    def reshaped(self, value: str, to: Tensor, base: str) -> str:
        """The value in another shape, whose dimension of the batch is found when it runs."""
        if sum(size % MANY == 0 for size in to.shape) != 1:
            raise Unwritten("a shape without one dimension of the batch")
        sizes = [-1 if size % MANY == 0 else size for size in to.shape]
        return self.node("Reshape", [value, self.integers(sizes)], base)
