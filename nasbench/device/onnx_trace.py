"""Any network as an ONNX graph, by PyTorch's own exporter, which traces one run of it."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench._python_file import where
from nasbench._quiet import without_prints
from nasbench._version import __version__
from nasbench.device.raw import Raw
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.inputs import answer_of
from nasbench.network.tracing import without_fast_path

__all__ = ["BATCH", "INPUT", "OPSET", "OUTPUT", "import_onnx", "traced"]

OPSET = 17
"""Older than what any supported onnxruntime reads."""

INPUT, OUTPUT, BATCH = "images", "logits", "batch"


def import_onnx() -> Any:
    """The onnx package; where it is missing, an error says which extra brings it."""
    try:
        import onnx
        import onnx.checker  # noqa: F401
        import onnx.helper  # noqa: F401
        import onnx.numpy_helper  # noqa: F401
    except ImportError as error:
        raise NasbenchError(
            "an ONNX graph needs the package onnx; pip install 'nasbench-harness[onnx]'"
        ) from error
    return onnx


class _Answering(nn.Module):
    """A network that takes what is stored, and gives its answer alone."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, raw: Raw | None) -> None:
        super().__init__()
        self.network = network
        self._raw = raw
        if raw is not None and raw.mean is not None and raw.deviation is not None:
            self.register_buffer("mean", torch.from_numpy(raw.mean))
            self.register_buffer("deviation", torch.from_numpy(raw.deviation))

    def forward(self, images: Tensor) -> Tensor:
        raw = self._raw
        if raw is None:
            return answer_of(self.network(images))
        if raw.mean is not None:
            images = (images.float() - self.mean) / self.deviation
        if raw.missing:
            images = torch.where(torch.isnan(images), 0.0, images)
        answer = answer_of(self.network(images))
        return answer * raw.scale + raw.shift if raw.answers else answer


def traced(network: nn.Module, example: NDArray[Any], raw: Raw | None = None) -> Any:
    """The network in evaluation mode as an `onnx.ModelProto` in float32, of any batch size.

    What its `forward` decides by the values of its inputs is fixed as the example decides it.

    Args:
        network: of any family; it stays as it is.
        example: what goes in, `[n, ...]`.
        raw: as for `to_onnx`.

    Raises:
        Unsupported: where PyTorch has no ONNX for what the network does.
    """
    onnx = import_onnx()
    answering = _Answering(copy.deepcopy(network).cpu(), raw).eval()
    given = example if raw is None else raw.noise(example.shape)
    if raw is not None and raw.mean is None:
        given = example
    written = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad(), without_fast_path(), without_prints():
            # The newer exporter asks for a package more, and loads PyTorch's compiler.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                answering,
                (torch.from_numpy(given),),
                written,  # type: ignore[arg-type]
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: BATCH}, OUTPUT: {0: BATCH}},
            )
    except Exception as error:  # PyTorch raises errors of many kinds
        raise Unsupported(
            f"{type(network).__name__} cannot be written as ONNX: {where(error)}"
        ) from error
    model = onnx.load_from_string(written.getvalue())
    model.producer_name, model.producer_version = "nasbench-harness", __version__
    return model
