"""An ONNX file in int8: convolutions and matrix products, calibrated on training images.

Every runtime is to answer alike, and OpenVINO computes three things otherwise than a file says. A
layer that reads bytes may get them as they are, on a grid near the one that was calibrated: such
layers stay float32. Where a quantised convolution is added to something and the sum quantised, it
leaves out the first rounding ("drop rounding one special residual pattern" in its post-ops); and
the mean of a pool over one that is quantised next is rounded once more. So the greater of a
convolution's output and itself, which changes nothing, stands before sums and pools.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nasbench._quiet import import_onnxruntime, import_quantization, without_remarks
from nasbench.device.inference import Images
from nasbench.device.onnx_graph import INPUT, import_onnx

__all__ = ["CALIBRATION_IMAGES", "OPERATIONS", "quantised"]

OPERATIONS = ["Conv", "Gemm", "MatMul"]
"""Pools and sums stay float32: in int8 they are slower than in float32, and two runtimes differ
in what they make of them."""

CALIBRATION_IMAGES = 256
_BATCH = 32

_BEFORE_LAYERS = {
    *("Cast", "Sub", "Div", "IsNaN", "Where"),
    *("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"),
}
"""What stands between the input and the layers that read it: standardising, and shapes."""

_ROUND_ALIKE = {"QuantizeLinear", *OPERATIONS, "Relu", "Clip"}
"""What may read a quantised convolution as it is."""


def quantised(model: Any, images: Images) -> Any:
    """The model in int8, as an `onnx.ModelProto` with quantising and dequantising nodes.

    Weights have a scale a channel, activations one a tensor: the range that they have on the
    images. BatchNorm becomes a part of the convolution before it, where there is one. Layers that
    read the input stay float32.

    Args:
        model: of `to_onnx`; it stays as it is.
        images: training examples `[n, ...]`, as the model takes them.
    """
    onnx, quantization = import_onnx(), import_quantization()
    with TemporaryDirectory() as folder, without_remarks():
        fused, made = Path(folder) / "fused.onnx", Path(folder) / "int8.onnx"
        _fuse(model.SerializeToString(), fused)
        quantization.quantize_static(
            str(fused),
            str(made),
            _CalibrationBatches(images),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=OPERATIONS,
            nodes_to_exclude=_layers_of_input(onnx.load(str(fused)).graph),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        found = onnx.load(str(made))
    _keep_roundings(found.graph)
    return found


def _fuse(content: bytes, path: Path) -> None:
    """Write the model with constants folded and BatchNorm within convolutions."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    # Beyond the basic level there are operations that only ONNX Runtime has.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _layers_of_input(graph: Any) -> list[str]:
    """The names of the layers that read the input, standardised and reshaped at most."""
    near, found = {INPUT}, []
    for node in graph.node:  # in the order in which they run
        if near.isdisjoint(node.input):
            continue
        if node.op_type in _BEFORE_LAYERS:
            near.update(node.output)
        elif node.op_type in OPERATIONS:
            found.append(node.name)
    return found


def _keep_roundings(graph: Any) -> None:
    """Let a maximum that changes nothing stand where quantised convolutions go on in float32."""
    onnx = import_onnx()
    makers = {name: node for node in graph.node for name in node.output}
    kept: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            if node.op_type in _ROUND_ALIKE or not _is_quantised_convolution(makers, name):
                continue
            if name not in kept:
                kept[name] = f"{name}_kept"
                nodes.append(onnx.helper.make_node("Max", [name, name], [kept[name]]))
            node.input[place] = kept[name]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _is_quantised_convolution(makers: dict[str, Any], name: str) -> bool:
    """Whether a name is the output of a convolution, rounded to eight bits."""
    for kind in ("DequantizeLinear", "QuantizeLinear", "Conv"):
        node = makers.get(name)
        if node is None or node.op_type != kind:
            return False
        name = node.input[0]
    return True


class _CalibrationBatches:
    """The images as ONNX Runtime's calibration reads them."""

    def __init__(self, images: Images) -> None:
        self._batches: Iterator[dict[str, Images]] = (
            {INPUT: images[start : start + _BATCH]} for start in range(0, len(images), _BATCH)
        )

    def get_next(self) -> dict[str, Images] | None:
        return next(self._batches, None)
