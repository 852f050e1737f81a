"""The native engine: one shared library for each instruction set, none where no compiler is."""

import platform
import sys

from setuptools import Extension, setup

BASE = ["-O3", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden"]
X86 = {
    "avx512": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"],
    "avx2": ["-mavx2", "-mfma"],
    "base": [],
}
VARIANTS = X86 if platform.machine().lower() in ("x86_64", "amd64") else {"base": []}
FOLDER = "nasbench/train/_native"
HEADERS = (
    *("simd", "tensor", "memory", "convolution", "weights"),
    *("pointwise", "layers", "head", "network", "caller", "paths", "sharing"),
)

# Not Python modules but plain libraries, which ctypes loads; setuptools builds them all the same.
extensions = [
    Extension(
        f"nasbench.train._native.engine_{name}",
        [f"{FOLDER}/engine.cpp"],
        depends=[f"{FOLDER}/{h}.h" for h in HEADERS],
        extra_compile_args=BASE + flags,
        language="c++",
        optional=True,  # without a compiler the package installs, and trains with PyTorch
    )
    for name, flags in VARIANTS.items()
]

setup(ext_modules=[] if sys.platform == "win32" else extensions)
