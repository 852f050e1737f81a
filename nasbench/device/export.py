"""Writing a network as an ONNX file that is known to compute the same, and measuring the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench._files import atomic_path
from nasbench._progress import Progress, silent
from nasbench._python_file import where
from nasbench._quiet import without_prints
from nasbench.device.equal import allowed, difference
from nasbench.device.inference import evaluating, examples
from nasbench.device.onnx_graph import INPUT, OUTPUT, Raw, import_onnx, to_onnx
from nasbench.device.onnx_runtime import any_batch, open_session
from nasbench.device.quantise import quantised
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.inputs import answer_to
from nasbench.task import Signal, Split

__all__ = ["answers_of", "export_onnx"]

_CHECK_BATCH = 4
_BATCH = 500


def export_onnx(
    network: nn.Module,
    inputs: Signal,
    path: str | Path,
    *,
    raw: Raw | None = None,
    about: Mapping[str, str] | None = None,
    calibration: NDArray[Any] | None = None,
) -> float:
    """Write the network, in evaluation mode, as an ONNX file of any batch size.

    The file appears only once the graph is valid and ONNX Runtime computes from it what
    PyTorch computes.

    Args:
        network: trained or not.
        inputs: what goes in.
        path: of the file.
        raw: have the graph take what is stored, and standardise it so; else it takes inputs that
            are standardised.
        about: what the file says of itself, its `metadata_props`.
        calibration: training examples, as the file takes them, on which it is made int8.

    Returns:
        The largest absolute difference between the two on a batch of noise, in float32.

    Raises:
        NasbenchError: where they differ by more than is `allowed` or the file cannot be written.
    """
    onnx = import_onnx()
    model = to_onnx(network, inputs, raw)
    onnx.checker.check_model(model, full_check=True)
    standard: NDArray[Any] = examples(network, inputs, _CHECK_BATCH)
    fed = standard
    if raw is not None and raw.mean is not None:
        fed = raw.noise(standard.shape)
        for column, categories in enumerate(inputs.categories):
            if categories:
                fed[:, column] = standard[:, column]
        standard = raw.standardise(fed)
    with evaluating(network, standard) as x:
        wanted = answer_to(network, x).cpu().numpy()
    if raw is not None:
        wanted = wanted * np.float32(raw.scale) + np.float32(raw.shift)
    try:
        with without_prints():
            (got,) = open_session(model, threads=1).run([OUTPUT], {INPUT: fed})
    except NasbenchError:
        raise
    except Exception as error:  # a runtime's C++ raises errors of many kinds
        raise Unsupported(
            f"{path} is not written: ONNX Runtime cannot run it on {len(fed)} examples "
            f"({where(error)})"
        ) from error
    found, most = difference(wanted, got), allowed(wanted)
    if not found <= most:
        raise NasbenchError(
            f"{path} is not written: ONNX Runtime and PyTorch differ by {found:.2g} on this "
            f"network, {most:.2g} is allowed; does it hold values that are not finite, or that "
            f"choose its way?"
        )
    if calibration is not None:
        model = quantised(model, calibration)
        about = {
            **(about or {}),
            "precision": "int8: convolutions and matrix products but the first",
        }
    if about:
        onnx.helper.set_model_props(model, dict(about))
    with atomic_path(Path(path)) as partial:
        partial.write_bytes(model.SerializeToString())
    return found


def answers_of(
    content: bytes,
    split: Split,
    raw: Raw,
    runtime: str = "onnxruntime",
    *,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """What a file answers to all examples of a split, float32 `[n, outputs]`.

    Args:
        content: of a file that takes what is stored.
        split: examples as they are stored.
        raw: as the file was written with.
        runtime: that runs it, on one thread: `onnxruntime` or `openvino`.
        progress: called with how many examples are done.
    """
    run = any_batch(content, runtime)
    tell = progress or silent
    found = []
    for start in range(0, len(split), _BATCH):
        inputs = np.ascontiguousarray(split.inputs[start : start + _BATCH], dtype=raw.dtype)
        found.append(run(inputs))
        tell(f"testing the file in {runtime}", start + len(inputs), len(split))
    return np.concatenate(found)
