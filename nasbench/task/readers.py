"""Where images come from: what the package ships, and the files that people have."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.task.base import Images, Split, Task, as_images, make_task, mean_pool

__all__ = ["cifar10", "digits", "fashion16", "folder", "npz"]

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def fashion16() -> Task:
    """Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017) at 16 x 16, shipped with the package.

    28 x 28 images zero-padded to 32 x 32 and 2 x 2 mean-pooled; 10,000 train and 5,000 valid
    images from its training set, all 10,000 test images.
    """
    data = (resources.files("nasbench.task") / "data" / "fashion16.npz").read_bytes()
    arrays = np.load(BytesIO(data), allow_pickle=False)
    train, valid, test = (
        Split(arrays[f"{name}_images"], arrays[f"{name}_labels"].astype(np.int64))
        for name in ("train", "valid", "test")
    )
    about = {
        "source": "Fashion-MNIST, https://github.com/zalandoresearch/fashion-mnist",
        "licence": "MIT",
        "transform": "zero-padded to 32 x 32, then 2 x 2 mean-pooled to 16 x 16",
        "split": {"seed": 0, "stratified": True},
    }
    return Task("fashion16", train, valid, test, FASHION_CLASSES, about)


def digits() -> Task:
    """scikit-learn's 1,797 handwritten digits, 8 x 8: quick to train, too easy to rank by."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = as_images("digits", np.rint(data.images * (255 / 16)).astype(np.uint8))
    about = {"source": "UCI Optical Recognition of Handwritten Digits", "licence": "CC BY 4.0"}
    classes = tuple(str(digit) for digit in range(10))
    return make_task("digits", images, data.target, classes=classes, about=about)


def cifar10(path: str | Path, *, name: str = "cifar10", size: int = 32, **split: Any) -> Task:
    """CIFAR-10 from a folder of the published batches, python or binary layout, or `.npz`.

    `split` are `make_task`'s `train`, `valid` and `seed`. Where the folder is empty and
    torchvision is there, it downloads the python batches into the folder.
    """
    path = Path(path)
    about = {"source": "CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html"}
    if path.is_file() and path.suffix == ".npz":
        return npz(path, name=name, size=size, classes=CIFAR10_CLASSES, about=about, **split)
    found = {
        file.name: file
        for folder in (path, path / "cifar-10-batches-py", path / "cifar-10-batches-bin")
        for pattern in ("data_batch_[1-5]*", "test_batch*")
        for file in sorted(folder.glob(pattern))
    }
    if not found:
        found = _download_cifar10(path)
    parts = [_cifar10_batch(found[key]) for key in sorted(found) if key.startswith("data_batch_")]
    tests = [_cifar10_batch(found[key]) for key in sorted(found) if key.startswith("test_batch")]
    if len(parts) != 5 or len(tests) != 1:
        raise NasbenchError(
            f"{path} holds {len(parts)} of CIFAR-10's 5 training batches and {len(tests)} of its "
            f"1 test batch; all six of one layout are needed, and nothing else"
        )
    return make_task(
        name,
        mean_pool(np.concatenate([images for images, _ in parts]), size),
        np.concatenate([labels for _, labels in parts]),
        test=(mean_pool(tests[0][0], size), tests[0][1]),
        classes=CIFAR10_CLASSES,
        about=about,
        **split,
    )


def npz(
    path: str | Path,
    *,
    name: str = "",
    size: int = 0,
    classes: tuple[str, ...] = (),
    about: Mapping[str, Any] | None = None,
    **split: Any,
) -> Task:
    """Images of one's own: `images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Args:
        path: a `.npz` with uint8 images as `as_images` reads them, and integer labels.
        name: the task's name; the file's by default.
        size: mean-pool to this size; 0 leaves square images as they are.
        classes: the classes' names; by default the numbers up to the highest label.
        about: source and licence.
        **split: `make_task`'s `train`, `valid`, `test_share` and `seed`.
    """
    path = Path(path)
    name = name or path.stem
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except Exception as error:  # a damaged zip can raise anything
        raise NasbenchError(f"cannot read {path} as .npz of plain arrays: {error}") from error
    keys = ("x_train", "y_train") if "x_train" in arrays else ("images", "labels")
    for key in keys:
        if key not in arrays:
            raise NasbenchError(
                f"{path} has no array {key!r}; it holds {', '.join(sorted(arrays)) or 'nothing'}, "
                f"and images and labels (or x_train, y_train, x_test, y_test) are needed"
            )
    test = None
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise NasbenchError(f"{path} has one of x_test and y_test: give both or neither")
    if "x_test" in arrays:
        test = (
            _square(name, as_images(name, arrays["x_test"]), size),
            arrays["y_test"].reshape(-1),
        )
    labels = arrays[keys[1]]
    labels = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if not classes:
        if labels.dtype.kind not in "iu" or not labels.size:
            raise NasbenchError(f"{path}: labels must be integers [n], got {labels.dtype}")
        highest = int(labels.max())
        if highest >= len(labels):
            raise NasbenchError(
                f"{path}: label {highest} with {len(labels)} images: labels count up"
            )
        classes = tuple(str(label) for label in range(highest + 1))
    images = _square(name, as_images(name, arrays[keys[0]]), size)
    source = {"source": path.name, **(about or {})}
    return make_task(name, images, labels, test=test, classes=classes, about=source, **split)


def folder(path: str | Path, *, size: int, channels: int = 3, name: str = "", **split: Any) -> Task:
    """A folder with one folder of images a class; each is resized to `size` x `size`.

    Folders that systems leave behind (`.git`, `__MACOSX`) are no classes.

    With `train/` and `test/` in it, each with the class folders, the test images are those;
    `split` is as for `npz`.
    """
    path = Path(path)
    name = name or path.name
    if channels not in (1, 3):
        raise NasbenchError(f"images have 1 or 3 channels, got {channels}")
    if size < 1:
        raise NasbenchError(f"an image size is 1 or more, got {size}")
    apart = (path / "train").is_dir() and (path / "test").is_dir()
    root = path / "train" if apart else path
    if not root.is_dir():
        raise NasbenchError(f"{path} is not a folder of class folders")
    classes = tuple(
        sorted(s.name for s in root.iterdir() if s.is_dir() and not s.name.startswith((".", "__")))
    )
    if not classes:
        raise NasbenchError(f"{root} has no class folders in it")
    images, labels = _read_classes(root, classes, size, channels)
    test = _read_classes(path / "test", classes, size, channels) if apart else None
    about = {"source": f"folder {path.name}"}
    return make_task(name, images, labels, test=test, classes=classes, about=about, **split)


def _square(name: str, images: Images, size: int) -> Images:
    if size:
        return mean_pool(images, size)
    if images.shape[2] != images.shape[3]:
        raise NasbenchError(
            f"task {name}: images are {images.shape[2]} x {images.shape[3]}; "
            f"give a size to make them square"
        )
    return images


def _read_classes(
    root: Path, classes: tuple[str, ...], size: int, channels: int
) -> tuple[Images, np.ndarray]:
    from PIL import Image

    images, labels = [], []
    for label, cls in enumerate(classes):
        files = sorted(f for f in (root / cls).glob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise NasbenchError(f"class folder {root / cls} has no image in it")
        for file in files:
            try:
                with Image.open(file) as image:
                    mode = image.convert("L" if channels == 1 else "RGB")
                    pixels = np.asarray(mode.resize((size, size), Image.Resampling.BOX))
            except Exception as error:  # a damaged image can raise anything
                raise NasbenchError(f"cannot read {file} as an image: {error}") from error
            images.append(pixels.reshape(size, size, channels).transpose(2, 0, 1))
            labels.append(label)
    return np.stack(images), np.asarray(labels)


class _ArraysOnly(pickle.Unpickler):
    """Reads what CIFAR-10's python batches hold, and refuses anything else by name."""

    allowed = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise NasbenchError(f"refused: the file asks for {module}.{name}, not for images")
        return super().find_class(module, name)


def _cifar10_batch(path: Path) -> tuple[Images, np.ndarray]:
    """Images `[10000, 3, 32, 32]` and labels of one published batch."""
    data = path.read_bytes()
    if path.suffix == ".bin":
        if len(data) != 10_000 * 3_073:
            raise NasbenchError(f"{path} has {len(data):,} bytes, a CIFAR-10 batch has 30,730,000")
        rows = np.frombuffer(data, np.uint8).reshape(10_000, 3_073)
        return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)
    try:
        batch = _ArraysOnly(BytesIO(data), encoding="bytes").load()
        images = np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        return images, np.asarray(batch[b"labels"], dtype=np.int64)
    except NasbenchError as error:
        raise NasbenchError(f"{path}: {error}") from error
    except Exception as error:  # a hostile pickle can raise anything
        raise NasbenchError(f"{path} is not a CIFAR-10 python batch: {error}") from error


def _download_cifar10(path: Path) -> dict[str, Path]:
    try:
        dataset = _torchvision_datasets().CIFAR10
    except (ImportError, RuntimeError) as error:
        raise NasbenchError(
            f"no CIFAR-10 batch in {path}; put the six published batches there, or install "
            f"torchvision to download them: pip install 'nasbench-harness[vision]'"
        ) from error
    try:
        dataset(path, download=True)
    except (OSError, RuntimeError) as error:
        raise NasbenchError(f"cannot download CIFAR-10 to {path}: {error}") from error
    return {f.name: f for f in (path / "cifar-10-batches-py").glob("*_batch*")}


def _torchvision_datasets() -> Any:
    """Torchvision's data sets; beside a CPU build of torch two operators must be declared first.

    They are the CUDA package's own, and nothing here calls them.
    """
    from importlib import import_module

    try:
        return import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    import torch

    boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", boxes)
    return import_module("torchvision.datasets")
