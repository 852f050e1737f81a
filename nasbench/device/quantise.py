"""An ONNX file in int8: convolutions and matrix products, calibrated on training images."""

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


def quantised(model: Any, images: Images) -> Any:
    """The model in int8, as an `onnx.ModelProto` with quantising and dequantising nodes.

    Weights have a scale a channel, activations one a tensor: the range that they have on the
    images. BatchNorm becomes a part of the convolution before it, where there is one.

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
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return onnx.load(str(made))


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


class _CalibrationBatches:
    """The images as ONNX Runtime's calibration reads them."""

    def __init__(self, images: Images) -> None:
        self._batches: Iterator[dict[str, Images]] = (
            {INPUT: images[start : start + _BATCH]} for start in range(0, len(images), _BATCH)
        )

    def get_next(self) -> dict[str, Images] | None:
        return next(self._batches, None)
