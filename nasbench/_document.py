"""Writes the interface of Python as pages, from docstrings: python -m nasbench._document FOLDER.

Rooms load their names when they are first used, and pdoc reads a module as it lies there: so
every name of `__all__` is put in its place before.
"""

import sys
import warnings
from importlib import import_module
from pathlib import Path

import pdoc

import nasbench

ROOMS = [
    "nasbench",
    *(
        f"nasbench.{path.name}"
        for path in sorted(Path(nasbench.__file__).parent.iterdir())
        if (path / "__init__.py").exists() and path.name not in ("cli", "guide", "_pickles")
    ),
]


def settle(name: str) -> None:
    """Put the public names of a module into it, those that it would load later, too."""
    module = import_module(name)
    for public in getattr(module, "__all__", ()):
        vars(module).setdefault(public, getattr(module, public))


def main() -> None:
    """Write the pages of all rooms into the folder that is named."""
    for name in ROOMS:
        settle(name)
    # Annotations that only a type checker resolves are shown as they are written.
    warnings.filterwarnings("ignore", "Error parsing type annotation")
    pdoc.render.configure(docformat="google")
    hidden = ("!nasbench._", "!nasbench.cli", "!nasbench.guide")
    pdoc.pdoc("nasbench", *hidden, output_directory=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
