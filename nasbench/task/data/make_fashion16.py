"""Rebuild fashion16.npz from the four published IDX files of Fashion-MNIST.

    python make_fashion16.py FOLDER_WITH_THE_IDX_FILES

Debian's package dataset-fashion-mnist holds the files.
"""

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.task import make_task, mean_pool
from nasbench.task.readers import FASHION_CLASSES


def idx(folder: Path, name: str) -> np.ndarray:
    """One IDX file: images uint8 `[n, 28, 28]` or labels uint8 `[n]`."""
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    shape = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def main() -> None:
    """Read, pool, split, write."""
    folder = Path(sys.argv[1])
    images = {s: idx(folder, f"{s}-images-idx3-ubyte")[:, None] for s in ("train", "t10k")}
    labels = {s: idx(folder, f"{s}-labels-idx1-ubyte") for s in ("train", "t10k")}
    task = make_task(
        "fashion16",
        mean_pool(images["train"], 16),
        labels["train"],
        test=(mean_pool(images["t10k"], 16), labels["t10k"]),
        classes=FASHION_CLASSES,
        train=10_000,
        valid=5_000,
    )
    arrays: dict[str, Any] = {}
    for name, split in task.splits.items():
        arrays[f"{name}_images"] = split.images
        arrays[f"{name}_labels"] = split.labels.astype(np.uint8)
    np.savez_compressed(Path(__file__).with_name("fashion16.npz"), **arrays)
    print(task.hash)


if __name__ == "__main__":
    main()
