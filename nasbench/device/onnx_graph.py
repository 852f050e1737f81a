"""A network as an ONNX graph: by rules where a trace follows it, else by PyTorch's exporter."""

from __future__ import annotations

from typing import Any

from torch import nn

from nasbench.device.inference import Images, examples
from nasbench.device.onnx_trace import BATCH, INPUT, OPSET, OUTPUT, import_onnx, traced
from nasbench.device.onnx_writer import written
from nasbench.device.raw import Raw
from nasbench.task import Signal

__all__ = ["BATCH", "INPUT", "OPSET", "OUTPUT", "Raw", "import_onnx", "onnx_of", "to_onnx"]


def to_onnx(network: nn.Module, inputs: Signal, raw: Raw | None = None) -> Any:
    """The network in evaluation mode as an `onnx.ModelProto` in float32.

    Its input `images` is `[batch, *inputs.shape]` with any batch: float32, or int64 of tokens;
    its output `logits` is `[batch, outputs]`. Weights keep the names of `network.state_dict()`.
    Inputs are standardised; with `raw` they are what is stored, and the graph standardises them.

    Raises:
        Unsupported: where neither way knows what the network does.
    """
    import_onnx()
    return onnx_of(network, examples(network, inputs, 1), raw)


def onnx_of(network: nn.Module, example: Images, raw: Raw | None = None) -> Any:
    """The network as `to_onnx` writes it, for what has the shape and dtype of an example."""
    try:
        return written(network, example, raw)
    except Exception:  # forward is anybody's code: PyTorch's exporter runs what cannot be traced
        return traced(network, example, raw)
