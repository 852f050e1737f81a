"""The native engine, and what wheels call things.

There is one shared library for each instruction set, and none where no compiler is.
"""

import platform
import sys
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

BASE = ["-O3", "-g0", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden"]
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

STRATEGIES = "strategies"
IN_WHEELS = "nasbench_strategies"
"""What the folder is called where others' packages lie beside it: its own name is anybody's."""


def of_a_checkout(command: Command) -> bool:
    """Whether a checkout is installed in place, `pip install --editable`."""
    return "editable_wheel" in command.distribution.commands


class BuildPackages(build_py):
    """Wheels have the strategies under a name of ours; a checkout that is installed keeps it."""

    def finalize_options(self) -> None:
        """Take the folder for a package of the other name."""
        super().finalize_options()
        if not of_a_checkout(self):
            self.packages = [IN_WHEELS if name == STRATEGIES else name for name in self.packages]
            self.package_dir = {**self.package_dir, IN_WHEELS: STRATEGIES}


class BuildLibraries(build_ext):
    """Plain libraries have plain names, which no version of Python is part of."""

    def get_ext_filename(self, fullname: str) -> str:
        """Where a library goes, `nasbench/train/_native/engine_avx2.so`."""
        if self.inplace or of_a_checkout(self):
            return super().get_ext_filename(fullname)
        return f"{fullname.replace('.', '/')}.so"


class Wheel(bdist_wheel):
    """A wheel for every Python on its platform, with entry points that name what is in it."""

    def get_tag(self) -> tuple[str, str, str]:
        """Such as `py3-none-linux_x86_64`."""
        return ("py3", "none", super().get_tag()[2])

    def write_wheelfile(self, wheelfile_base: str, *args: str, **given: str) -> None:
        """Write it beside what names packages, which is there before."""
        super().write_wheelfile(wheelfile_base, *args, **given)
        if of_a_checkout(self):
            return
        for name, old, new in (
            ("entry_points.txt", f"= {STRATEGIES}.", f"= {IN_WHEELS}."),
            ("top_level.txt", STRATEGIES, IN_WHEELS),
        ):
            path = Path(wheelfile_base, name)
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


setup(
    ext_modules=[] if sys.platform == "win32" else extensions,
    cmdclass={"build_py": BuildPackages, "build_ext": BuildLibraries, "bdist_wheel": Wheel},
)
