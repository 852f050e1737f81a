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
from nasbench.device.equal import allowed, difference
from nasbench.device.inference import evaluating, examples
from nasbench.device.onnx_graph import INPUT, OUTPUT, Pixels, import_onnx, to_onnx
from nasbench.device.onnx_runtime import open_session
from nasbench.errors import NasbenchError
from nasbench.network.inputs import answer_of
from nasbench.task import Signal, Split

__all__ = ["count_right", "export_onnx"]

_CHECK_BATCH = 4
_BATCH = 500


def export_onnx(
    network: nn.Module,
    inputs: Signal,
    path: str | Path,
    *,
    pixels: Pixels | None = None,
    about: Mapping[str, str] | None = None,
) -> float:
    """Write the network, in evaluation mode, as an ONNX file of any batch size.

    The file appears only once the graph is valid and ONNX Runtime computes from it what
    PyTorch computes.

    Args:
        network: trained or not.
        inputs: what goes in.
        path: of the file.
        pixels: have the graph take uint8 images, and standardise them so; else it takes float32
            images that are standardised.
        about: what the file says of itself, its `metadata_props`.

    Returns:
        The largest absolute difference between the two on a batch of noise.

    Raises:
        NasbenchError: where they differ by more than is `allowed` or the file cannot be written.
    """
    onnx = import_onnx()
    model = to_onnx(network, inputs, pixels)
    if about:
        onnx.helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model, full_check=True)
    standard: NDArray[Any] = examples(network, inputs, _CHECK_BATCH)
    fed = standard
    if pixels is not None:
        fed = np.random.default_rng(0).integers(0, 256, standard.shape, dtype=np.uint8)
        standard = pixels.standardise(fed)
    with evaluating(network, standard) as x:
        wanted = answer_of(network(x)).cpu().numpy()
    (got,) = open_session(model, threads=1).run([OUTPUT], {INPUT: fed})
    found, most = difference(wanted, got), allowed(wanted)
    if not found <= most:
        raise NasbenchError(
            f"{path} is not written: ONNX Runtime and PyTorch differ by {found:.2g} on this "
            f"network, {most:.2g} is allowed; does it hold values that are not finite?"
        )
    with atomic_path(Path(path)) as partial:
        partial.write_bytes(model.SerializeToString())
    return found


def count_right(path: str | Path, split: Split, progress: Progress | None = None) -> int:
    """For how many images of a split the file's largest logit is that of their label.

    Args:
        path: of a file that takes uint8 images; ONNX Runtime runs it, one thread.
        split: images uint8 `[n, channels, height, width]` and labels.
        progress: called with how many images are done.
    """
    session = open_session(Path(path).read_bytes(), threads=1)
    tell = progress or silent
    right = 0
    for start in range(0, len(split), _BATCH):
        images, labels = (part[start : start + _BATCH] for part in (split.images, split.labels))
        (logits,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(images)})
        right += int((logits.argmax(1) == labels).sum())
        tell("testing the file", start + len(images), len(split))
    return right
