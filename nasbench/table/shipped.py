"""Tables by name: those that come with the package, else a path."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from nasbench.errors import NasbenchError, unknown
from nasbench.table.table import Table

__all__ = [
    "load",
    "name_of_hash",
    "recipe_path",
    "shipped_recipes",
    "shipped_tables",
    "table_name",
]

_PACKAGE = Path(__file__).resolve().parents[1]


def _folder() -> Path:
    """`nasbench/_data/tables` in an installed wheel, `tables` beside the package in a checkout."""
    installed = _PACKAGE / "_data" / "tables"
    return installed if installed.is_dir() else _PACKAGE.parent / "tables"


def shipped_tables() -> dict[str, Path]:
    """The newest file of each shipped table; files are called `<name>-v<number>.h5`.

    Example:
        >>> "nb201-fashion16" in shipped_tables()
        True
    """
    newest: dict[str, tuple[int, Path]] = {}
    for path in _folder().glob("*.h5"):
        match = re.fullmatch(r"(.+)-v(\d+)\.h5", path.name)
        if match:
            name, number = match[1], int(match[2])
            newest[name] = max(newest.get(name, (-1, path)), (number, path))
    return {name: path for name, (_, path) in newest.items()}


def shipped_recipes() -> dict[str, Path]:
    """The build recipes that come with the package, by name.

    Example:
        >>> "nb201-mini-fashion16" in shipped_recipes()
        True
    """
    return {path.stem: path for path in _folder().glob("*.toml")}


def recipe_path(name: str) -> Path:
    """The build recipe of that path, else the shipped one of that name.

    Example:
        >>> recipe_path("nb201-mini-fashion16").name
        'nb201-mini-fashion16.toml'
    """
    return _find("recipe", name, ".toml", shipped_recipes())


def load(name: str | Path | Table) -> Table:
    """The table at that path, else the newest shipped one of that name; an open one is itself.

    Example:
        >>> load("nb201-fashion16").space.name
        'nb201'
    """
    if isinstance(name, Table):
        return name
    return Table(_find("table", str(name), ".h5", shipped_tables()))


def table_name(table: Table) -> str:
    """What commands call a table: a shipped one by its name, another by its file's.

    The name in its manifest can be another one: a sample's says that it is one.

    Example:
        >>> table_name(load("mixed-fashion16")), load("mixed-fashion16").name
        ('mixed-fashion16', 'mixed-fashion16-sample')
    """
    for name, path in shipped_tables().items():
        if path.resolve() == table.path.resolve():
            return name
    return table.path.name


def name_of_hash(sha256: str) -> str | None:
    """What commands call the shipped table whose file has this hash; None: none of them has it.

    Example:
        >>> name_of_hash(load("mixed-fashion16").sha256)
        'mixed-fashion16'
    """
    for name, path in shipped_tables().items():
        with suppress(NasbenchError):  # one that is damaged is another's matter
            if Table(path).sha256 == sha256:
                return name
    return None


def _find(kind: str, name: str, suffix: str, shipped: dict[str, Path]) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    if name in shipped:
        return shipped[name]
    if path.is_dir():
        raise NasbenchError(f"{name} is a folder; a {kind} is a file that ends in {suffix}")
    if path.suffix == suffix or len(path.parts) > 1:
        raise NasbenchError(f"there is no {kind} file {name}")
    raise unknown(kind, name, shipped)
