"""Where images come from: what the package ships, and the files that people have."""

from __future__ import annotations

from importlib import resources
from io import BytesIO

import numpy as np

from nasbench.task.arrays import npz
from nasbench.task.base import Split, Task
from nasbench.task.cifar import CIFAR10_CLASSES, cifar10
from nasbench.task.folders import folder
from nasbench.task.handwritten import handwritten
from nasbench.task.pixels import as_images
from nasbench.task.splitting import make_task

__all__ = ["CIFAR10_CLASSES", "cifar10", "digits", "fashion16", "folder", "npz"]

FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


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
    glyphs, labels = handwritten()
    images = as_images("digits", np.rint(glyphs * (255 / 16)).astype(np.uint8))
    about = {"source": "UCI Optical Recognition of Handwritten Digits", "licence": "CC BY 4.0"}
    classes = tuple(str(digit) for digit in range(10))
    return make_task("digits", images, labels, classes=classes, about=about)
