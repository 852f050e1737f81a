"""Writing a network as an ONNX file that is known to compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasbench._files import atomic_path
from nasbench.device.inference import evaluating, example_images
from nasbench.device.onnx_graph import INPUT, OUTPUT, import_onnx, to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.errors import NasbenchError
from nasbench.train.network import CellNetwork

__all__ = ["TOLERANCE", "export_onnx"]

TOLERANCE = 1e-4
"""Largest difference to PyTorch, times the largest logit where that is above 1."""

_CHECK_BATCH = 4


def export_onnx(network: CellNetwork, shape: tuple[int, int, int], path: str | Path) -> float:
    """Write the network, in evaluation mode, as an ONNX file of any batch size.

    The file appears only once the graph is valid and ONNX Runtime computes from it what
    PyTorch computes.

    Args:
        network: trained or not.
        shape: of an image: channels, height, width.
        path: of the file.

    Returns:
        The largest absolute difference between the two on a batch of noise.

    Raises:
        NasbenchError: where they differ by more than `TOLERANCE` or the file cannot be written.
    """
    onnx = import_onnx()
    model = to_onnx(network, shape)
    onnx.checker.check_model(model, full_check=True)
    images = example_images(network, shape, _CHECK_BATCH)
    with evaluating(network, images) as x:
        wanted = network(x).cpu().numpy()
    (got,) = open_session(model, threads=1).run([OUTPUT], {INPUT: images})
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, which is refused
        difference = float(np.abs(got - wanted).max())
    # Untrained networks without BatchNorm on their paths reach logits in the millions, where
    # float32 is coarser than any absolute bound.
    allowed = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    if not difference <= allowed:
        raise NasbenchError(
            f"{path} is not written: ONNX Runtime and PyTorch differ by {difference:.2g} on this "
            f"network, {allowed:.2g} is allowed; does it hold values that are not finite?"
        )
    with atomic_path(Path(path)) as partial:
        partial.write_bytes(model.SerializeToString())
    return difference
