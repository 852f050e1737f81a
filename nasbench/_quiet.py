"""What dependencies would send or leave behind, switched off before they are first imported.

ONNX Runtime and OpenVINO report to their makers, Ray counts its users and shows a dashboard,
matplotlib makes two folders in the home directory. None of that is asked for by whoever trains a
network. What the user has set in the environment stands.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = [
    "import_onnxruntime",
    "import_openvino",
    "import_quantization",
    "quiet_matplotlib",
    "quiet_ray",
    "without_prints",
    "without_remarks",
]


def import_onnxruntime() -> Any:
    """The package onnxruntime, its telemetry off.

    It would look up its maker's host, and write a device id under the home directory, with its
    first import. Processes started by this one inherit the setting.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def import_openvino() -> Any:
    """The package openvino, without its maker's telemetry.

    Its converter, which is never used here, would bring the package that sends it.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


def import_quantization() -> Any:
    """The package onnxruntime.quantization, which sets up everybody's logging when imported."""
    import_onnxruntime()
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    module = importlib.import_module("onnxruntime.quantization")
    root.setLevel(level)
    root.handlers[:] = handlers
    return module


@contextmanager
def without_remarks() -> Iterator[None]:
    """No log records below an error meanwhile: a library remarks on what is meant as it is."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def without_prints() -> Iterator[None]:
    """Nothing is printed meanwhile, by C++ neither: PyTorch's exporter prints what it gives up."""
    held: list[tuple[int, int]] = []
    with suppress(OSError), open(os.devnull, "wb") as nowhere:
        for stream in (1, 2):
            _flush()
            held.append((os.dup(stream), stream))
            os.dup2(nowhere.fileno(), stream)
    try:
        yield
    finally:
        _flush()
        for kept, stream in held:
            os.dup2(kept, stream)
            os.close(kept)


def _flush() -> None:
    """Write what waits to be printed, in Python and in C."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


def quiet_ray() -> None:
    """To be called before `ray` is imported: no usage statistics, and a cluster that is ours alone.

    Where `RAY_ADDRESS` names no cluster, one is started: it then listens on the loopback address
    only, which Ray would replace by one that others reach, and asks for a token that only this
    process and those that it starts have, in their environment; Ray would write one under home.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.get("RAY_ADDRESS"):
        return
    # For Windows and macOS this is Ray's default.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def quiet_matplotlib() -> None:
    """To be called before matplotlib is imported: it makes no folders in the home directory.

    Where it has its folders already, and may write to them, it keeps to them and to what the user
    wrote there.
    """
    if "matplotlib" in sys.modules or os.environ.get("MPLCONFIGDIR"):
        return
    if all(folder.is_dir() and os.access(folder, os.W_OK) for folder in _matplotlib_folders()):
        return
    folder = tempfile.mkdtemp(prefix="nasbench-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MPLCONFIGDIR"] = folder


def _matplotlib_folders() -> list[Path]:
    """Where matplotlib keeps its settings and its list of fonts."""
    home = Path(os.path.expanduser("~"))
    if not sys.platform.startswith(("linux", "freebsd")):
        return [home / ".matplotlib"]
    places = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    return [
        Path(os.environ.get(name) or home / beneath) / "matplotlib"
        for name, beneath in places.items()
    ]
