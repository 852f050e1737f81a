"""ONNX Runtime as a runtime: the CPU execution provider with all graph optimisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from nasbench._quiet import import_onnxruntime
from nasbench.device.base import Reading
from nasbench.device.inference import Images
from nasbench.device.onnx_graph import BATCH, INPUT, OUTPUT, import_onnx, to_onnx
from nasbench.errors import NasbenchError

__all__ = ["OnnxRuntime", "import_runtime", "open_session"]

_NO_MEMORY = "ONNX Runtime does not tell Python what its arena holds at the peak"


def import_runtime() -> Any:
    """The onnxruntime package; where it is missing, an error says which extra brings it."""
    try:
        return import_onnxruntime()
    except ImportError as error:
        raise NasbenchError(
            "ONNX Runtime is not installed; pip install 'nasbench-harness[onnx]'"
        ) from error


def open_session(model: Any, *, threads: int, batch_size: int | None = None) -> Any:
    """An `onnxruntime.InferenceSession` of a model of `to_onnx`.

    Args:
        model: the graph, or its bytes as a file has them.
        threads: of an operation; operations run one after the other.
        batch_size: fixes the batch, which lets ONNX Runtime plan its memory; None: any.
    """
    onnxruntime = import_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Waiting threads would spin and take the cores of the network whose turn it is.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if batch_size is not None:
        options.add_free_dimension_override_by_name(BATCH, batch_size)
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    """Runs networks in ONNX Runtime on the CPU.

    Args:
        threads: CPU threads of an operation.
    """

    def __init__(self, threads: int) -> None:
        import_onnx()
        self._version = str(import_runtime().__version__)
        self._threads = threads

    def describe(self) -> dict[str, Any]:
        return {
            "runtime_version": self._version,
            "mode": "CPUExecutionProvider, sequential, all graph optimisations, fixed batch",
            "memory": f"not measured: {_NO_MEMORY}",
        }

    def load(self, network: nn.Module, images: Images) -> Callable[[], object]:
        """A run of the network on these images."""
        shape = (images.shape[1], images.shape[2], images.shape[3])
        model = to_onnx(network, shape)
        session = open_session(model, threads=self._threads, batch_size=len(images))
        feed = {INPUT: images}
        return lambda: session.run([OUTPUT], feed)

    def memory_mib(self, network: nn.Module, images: Images) -> Reading:
        """NaN, with the reason."""
        return Reading(float("nan"), reason=_NO_MEMORY)
