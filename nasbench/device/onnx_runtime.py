"""Runtimes that read ONNX files: ONNX Runtime and OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from nasbench._quiet import import_onnxruntime, import_openvino
from nasbench.device.base import DeviceSpec, Reading
from nasbench.device.equal import check_answers, untimed
from nasbench.device.inference import Images
from nasbench.device.onnx_graph import INPUT, OUTPUT, import_onnx, onnx_of
from nasbench.device.probe import LOADERS, compiled_by_openvino, onnxruntime_session
from nasbench.device.quantise import quantised
from nasbench.errors import BadValue, NasbenchError

__all__ = ["OnnxFileRuntime", "any_batch", "import_runtime", "open_session"]

_NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
_CHECKED = 32
"""Training images on which an int8 file is held against PyTorch."""
_EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}
_MODES = {
    "onnxruntime": "CPUExecutionProvider, sequential, all graph optimisations, fixed batch",
    "openvino": "CPU, float32 forced where the file is float32, one stream, fixed batch",
}


def import_runtime(name: str = "onnxruntime") -> Any:
    """The package of a runtime; where it is missing, an error says which extra brings it."""
    try:
        return import_openvino() if name == "openvino" else import_onnxruntime()
    except ImportError as error:
        raise NasbenchError(
            f"{_NAMES[name]} is not installed; pip install 'nasbench-harness[{_EXTRAS[name]}]'"
        ) from error


def open_session(model: Any, *, threads: int, batch_size: int | None = None) -> Any:
    """An `onnxruntime.InferenceSession` of a model of `to_onnx`.

    Args:
        model: the graph, or its bytes as a file has them.
        threads: of an operation; operations run one after the other.
        batch_size: fixes the batch, which lets ONNX Runtime plan its memory; None: any.
    """
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime_session(import_runtime(), content, threads=threads, batch=batch_size)


def any_batch(content: bytes, runtime: str = "onnxruntime") -> Callable[[Images], Any]:
    """An ONNX file's bytes as a function from inputs of any batch to answers, on one thread."""
    package = import_runtime(runtime)
    if runtime == "openvino":
        core = package.Core()
        compiled = compiled_by_openvino(core, core.read_model(content), 1)
        return lambda inputs: np.array(compiled(inputs)[0])
    session = open_session(content, threads=1)
    return lambda inputs: session.run([OUTPUT], {INPUT: inputs})[0]


class OnnxFileRuntime:
    """Runs networks, as ONNX files, in ONNX Runtime or OpenVINO.

    Args:
        spec: names the runtime, its threads and the precision.
        calibration: standardised training images that an int8 file is calibrated on.
    """

    def __init__(self, spec: DeviceSpec, calibration: Images | None = None) -> None:
        import_onnx()
        self._spec = spec
        self._package = import_runtime(spec.runtime)
        if spec.precision == "int8":
            import_runtime("onnxruntime")  # which quantises for the others, too
        self._calibration = calibration

    def describe(self) -> dict[str, Any]:
        said = {
            "runtime_version": str(self._package.__version__).partition("-")[0],
            "mode": _MODES[self._spec.runtime],
            "memory": f"not measured: {self._no_memory}",
        }
        if self._spec.precision == "int8":
            said["quantised"] = (
                "convolutions and matrix products but those that read the input; weights per "
                "channel, activations by the range they have on training images"
            )
        return said

    @property
    def _no_memory(self) -> str:
        return f"{_NAMES[self._spec.runtime]} does not tell Python what it holds at the peak"

    def load(self, network: nn.Module, images: Images) -> Callable[[], object]:
        """A run of the network on these images.

        Raises:
            Untimed: where the runtime cannot run it, or computes something else than PyTorch.
        """
        with untimed("it cannot be written as ONNX"):
            model = onnx_of(network, images)
        checked = images
        if self._spec.precision == "int8":
            if self._calibration is None:
                raise BadValue("an int8 device needs training images to calibrate with")
            model = quantised(model, self._calibration)
            # Noise is beyond the range that activations have on images.
            checked = self._calibration[:_CHECKED]
        content, runtime = model.SerializeToString(), _NAMES[self._spec.runtime]
        with untimed(f"{runtime} cannot run it"):
            run = self._run(content, images)
            answer = (run if checked is images else self._run(content, checked))()
        check_answers(network, checked, answer, runtime, self._spec.precision)
        return run

    def _run(self, content: bytes, images: Images) -> Callable[[], Any]:
        load = LOADERS[self._spec.runtime]
        return load(self._package, content, images, threads=self._spec.threads)

    def memory_mib(self, network: nn.Module, images: Images) -> Reading:
        """NaN, with the reason."""
        return Reading(float("nan"), reason=self._no_memory)
