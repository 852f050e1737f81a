"""A network as an ONNX graph, written module by module: no tracer, no export library."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nasbench._version import __version__
from nasbench.device.inference import example_images
from nasbench.device.onnx_trace import BATCH, INPUT, OPSET, OUTPUT, Pixels, import_onnx, traced
from nasbench.errors import NasbenchError
from nasbench.network.cell import Cell, CellNetwork, Reduction, Shift, Zero

__all__ = ["BATCH", "INPUT", "OPSET", "OUTPUT", "Pixels", "import_onnx", "to_onnx"]

IR_VERSION = 8
"""Older than what any supported onnxruntime reads."""


def to_onnx(network: nn.Module, shape: tuple[int, int, int], pixels: Pixels | None = None) -> Any:
    """The network in evaluation mode as an `onnx.ModelProto` in float32.

    Its input `images` is `[batch, *shape]` with any batch, its output `logits`
    `[batch, classes]`. Weights keep the names of `network.state_dict()`. Images are float32 and
    standardised; with `pixels` they are uint8, and the graph standardises them.
    """
    onnx = import_onnx()
    example = example_images(network, shape, 1)  # checks the shape
    if not isinstance(network, CellNetwork):
        return traced(network, example, pixels)
    graph = _Graph(onnx)
    kind = onnx.TensorProto.FLOAT
    value = INPUT
    if pixels is not None:
        kind = onnx.TensorProto.UINT8
        value = graph.node("Cast", [INPUT], "pixels", to=onnx.TensorProto.FLOAT)
        for operation, name, number in (
            ("Sub", "mean", pixels.mean),
            ("Div", "deviation", pixels.deviation),
        ):
            constant = graph.weight(f"pixels.{name}", torch.from_numpy(number))
            value = graph.node(operation, [value, constant], f"pixels.{operation.lower()}")
    value = graph.write(network.stem, value, "stem")
    value = graph.write(network.blocks, value, "blocks")
    value = graph.write(network.last, value, "last")
    value = graph.node("GlobalAveragePool", [value], "mean")
    value = graph.node("Flatten", [value], "features")
    classifier = network.classifier
    weight = graph.weight("classifier.weight", classifier.weight)
    bias = graph.weight("classifier.bias", classifier.bias)
    graph.node("Gemm", [value, weight, bias], OUTPUT, transB=1)
    tensor = onnx.helper.make_tensor_value_info
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "network",
            [tensor(INPUT, kind, [BATCH, *shape])],
            [tensor(OUTPUT, onnx.TensorProto.FLOAT, [BATCH, classifier.out_features])],
            initializer=graph.weights,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nasbench-harness",
        producer_version=__version__,
    )


class _Graph:
    """Nodes and weights, in the order in which they are written.

    Values and weights are named after the module's path, as in a state dict.
    """

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        made = self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)
        self.nodes.append(made)
        return output

    def weight(self, name: str, tensor: Tensor) -> str:
        """Add a constant; returns its name."""
        array = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
        self.weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def write(self, module: nn.Module, value: str, path: str) -> str:
        """Write a module that reads `value`; returns the name of what it makes."""
        output = f"{path}.out"
        if isinstance(module, Cell):
            return self._cell(module, value, path)
        if isinstance(module, Reduction):
            shortcut = self.write(module.downsample, value, f"{path}.downsample")
            residual = self.write(module.conv_a, value, f"{path}.conv_a")
            residual = self.write(module.conv_b, residual, f"{path}.conv_b")
            return self.node("Add", [shortcut, residual], output)
        if isinstance(module, nn.Sequential):
            for name, child in module.named_children():
                value = self.write(child, value, f"{path}.{name}")
            return value
        if isinstance(module, nn.Conv2d):
            return self.node(
                "Conv",
                [value, self.weight(f"{path}.weight", module.weight)],
                output,
                kernel_shape=list(module.kernel_size),
                strides=list(module.stride),
                pads=[int(p) for p in module.padding] * 2,  # top, left, bottom, right
            )
        if isinstance(module, nn.BatchNorm2d):
            names = ("weight", "bias", "running_mean", "running_var")
            inputs = [self.weight(f"{path}.{name}", getattr(module, name)) for name in names]
            return self.node("BatchNormalization", [value, *inputs], output, epsilon=module.eps)
        if isinstance(module, nn.AvgPool2d):
            return self._average(module, value, output)
        if isinstance(module, nn.ReLU):
            return self.node("Relu", [value], output)
        if isinstance(module, nn.Identity):
            return value
        if isinstance(module, Shift):
            shift = self.weight(f"{path}.bias", module.bias[:, None, None])
            return self.node("Expand", [shift, self._shape(value, path)], output)
        if isinstance(module, Zero):
            return self._zeros(value, path)
        raise NasbenchError(f"{path} is a {type(module).__name__}, which has no ONNX form here")

    def _cell(self, cell: Cell, value: str, path: str) -> str:
        nodes: list[str | None] = [value] + [None] * (cell.graph.nodes - 1)
        for i, edge in enumerate(cell.graph.edges):
            source, target = nodes[edge.source] or value, nodes[edge.target]
            term = self.write(cell.operations[i], source, f"{path}.operations.{i}")
            if target is not None:
                term = self.node("Add", [target, term], f"{path}.sum.{i}")
            nodes[edge.target] = term
        return nodes[-1] or self._zeros(value, path)

    def _average(self, pool: nn.AvgPool2d, value: str, output: str) -> str:
        (kernel, stride, padding) = (
            side if isinstance(side, int) else side[0]
            for side in (pool.kernel_size, pool.stride, pool.padding)
        )
        # PyTorch never counts what ceil_mode adds beyond the image; ONNX does where padding is
        # counted. Neither pool of the skeleton counts padding, so leaving it out is right.
        return self.node(
            "AveragePool",
            [value],
            output,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[padding] * 4,
            ceil_mode=int(pool.ceil_mode),
            count_include_pad=0,
        )

    def _shape(self, value: str, path: str) -> str:
        return self.node("Shape", [value], f"{path}.shape")

    def _zeros(self, value: str, path: str) -> str:
        return self.node("ConstantOfShape", [self._shape(value, path)], f"{path}.zeros")
