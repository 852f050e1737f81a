"""Command lines that measure an exported file with tools which are not here."""

from __future__ import annotations

import shlex
from pathlib import Path

from nasbench.device.onnx_trace import INPUT

__all__ = ["tensorrt_command"]


def tensorrt_command(path: Path, shape: tuple[int, ...], batch: int = 1) -> str:
    """The line by which NVIDIA's `trtexec` times an ONNX file of ours on a board with a GPU.

    Float32 is float32, as everywhere here: without `--noTF32` it would be ten bits. One stream,
    and waits that spin, so that what is timed is one inference and no queue of them.

    Args:
        path: of the file; its name is what stands in the line.
        shape: of an image: channels, height, width.
        batch: images of a run, which the file leaves open.

    Example:
        >>> tensorrt_command(Path("best.onnx"), (1, 16, 16))
        'trtexec --onnx=best.onnx --minShapes=images:1x1x16x16 --optShapes=images:1x1x16x16 \
--maxShapes=images:1x1x16x16 --noTF32 --infStreams=1 --useSpinWait --warmUp=1000 --duration=10'
    """
    size = f"{INPUT}:" + "x".join(map(str, (batch, *shape)))
    sizes = [f"--{which}Shapes={size}" for which in ("min", "opt", "max")]
    options = ["--noTF32", "--infStreams=1", "--useSpinWait", "--warmUp=1000", "--duration=10"]
    return shlex.join(["trtexec", f"--onnx={path.name}", *sizes, *options])
