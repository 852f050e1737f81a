"""A user's own Python: a file, run under a name of its own, or what a session defines."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn, cast

from nasbench._code import digest, place_of
from nasbench._files import read_text
from nasbench.errors import BadValue, NasbenchError, Unsupported

__all__ = [
    "FAILURES",
    "HERE",
    "PythonFile",
    "UserFunction",
    "function_of",
    "given",
    "is_here",
    "load",
    "member",
    "read",
    "where",
]

HERE = "__main__"
"""The module of what the running program defines, which no other process can import."""

MOST = 1 << 20
"""Characters of a file."""
FAILURES = (Exception, SystemExit, GeneratorExit)
"""What anybody's code may end with; Ctrl-C alone is the user's."""


class PythonFile(NamedTuple):
    """A user's file as it was read.

    Attributes:
        path: where it lies, for processes that read it again; no table says it.
        sha256: of its text, hex digits.
        text: what it says.
        module: the name under which it is imported, of an installed package; empty for a file
            that is run by itself.
        build: the name of the function that builds a space's networks.
    """

    path: Path
    sha256: str
    text: str
    module: str = ""
    build: str = "build"

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.path.name


def read(path: Path) -> PythonFile:
    """A file's text and hash; nothing of it runs.

    Raises:
        NasbenchError: where it is no text, or longer than a megabyte.
    """
    text = read_text(path, "Python file", most=MOST)
    return PythonFile(path.absolute(), hashlib.sha256(text.encode()).hexdigest(), text)


def load(file: PythonFile) -> ModuleType:
    """The module that a file makes; what it says is run, once in a process.

    It has a private name, and its folder is not searched: a file called `torch.py` hides nothing,
    and imports what is installed, not what lies beside it.

    Raises:
        NasbenchError: where running it fails, with the line.
    """
    return _given.get(file) or _run(file)


@cache
def _run(file: PythonFile) -> ModuleType:
    if is_here(file):
        raise Unsupported("what a session defines, no other process can import")
    if file.module:
        return _imported(file)
    module = ModuleType(f"_nasbench_user_{file.sha256[:16]}")
    module.__file__ = str(file.path)
    # Where dataclasses and pickles look for what the module defines.
    sys.modules[module.__name__] = module
    _keep_going(str(file.path))
    try:
        exec(compile(file.text, str(file.path), "exec"), module.__dict__)
    except FAILURES as error:  # a user's file can fail in any way
        del sys.modules[module.__name__]
        raise BadValue(f"{file.name} cannot be run: {where(error, file)}") from error
    return module


def _imported(file: PythonFile) -> ModuleType:
    _keep_going(str(file.path))
    try:
        found = import_module(file.module)
    except FAILURES as error:  # anybody's module can fail in any way
        raise NasbenchError(f"module {file.module} cannot be loaded: {error}") from error
    if read(Path(str(found.__file__))).sha256 != file.sha256:
        raise NasbenchError(
            f"module {file.module} says something else here than where this began: install the "
            f"same version of its package"
        )
    return found


_exit = os._exit
_files: dict[str, int] = {}
"""Users' files that ran, and the process in which: a child that they fork may end as it likes."""


def _keep_going(path: str) -> None:
    """From now on what a file says cannot end this process without a word."""
    _files[path] = os.getpid()
    os._exit = _refuse_exit


def _refuse_exit(status: int) -> NoReturn:
    """`os._exit`, which neither says why nor closes what is open, but of users' files."""
    caller = sys._getframe(1)
    path = caller.f_code.co_filename
    if _files.get(path) == os.getpid():
        raise Unsupported(
            f"{Path(path).name} calls os._exit({status}) in line {caller.f_lineno}, which would "
            f"end everything without a word: raise an error instead"
        )
    _exit(status)


_given: dict[PythonFile, ModuleType] = {}


def is_here(file: PythonFile) -> bool:
    """Whether it is no file, but what the running program defines."""
    return file.module == HERE


def member(module: ModuleType, name: str) -> Any:
    """What a module has under a name, which may be a class's: `name` or `Class.name`; else None."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def given(function: Callable[..., Any]) -> UserFunction:
    """A function that a program hands over, in place of one that a recipe names.

    Where any process can import it, it is that of its module. Else it is this process's alone:
    what tells it from others is a hash of its code, and its text is what can be found of it.
    """
    module, _, name = place_of(function).partition(":")
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is not None:
        return UserFunction(read(Path(path))._replace(module=module), name)
    name = getattr(function, "__name__", type(function).__name__)
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # typed into a prompt, or no plain function
        text = ""
    file = PythonFile(Path(HERE), digest(function), text, HERE, name)
    _given[file] = session = ModuleType(HERE)
    setattr(session, name, function)
    return UserFunction(file, name)


class UserFunction(NamedTuple):
    """A function in a user's file.

    Attributes:
        file: where it stands.
        name: its name there.
    """

    file: PythonFile
    name: str

    def load(self) -> Callable[..., Any]:
        """The function; its file is run.

        Raises:
            NasbenchError: where that fails, or there is no such function.
        """
        found = member(load(self.file), self.name)
        if not callable(found):
            raise BadValue(f"{self.file.name} has no function {self.name}")
        return cast("Callable[..., Any]", found)

    def describe(self) -> dict[str, str]:
        """For manifests, plain JSON values: what the file says, to be read; nothing runs it."""
        return {
            "file": self.file.name,
            "function": self.name,
            "sha256": self.file.sha256,
            "text": self.file.text,
        }


def function_of(what: str, text: object, folder: Path) -> UserFunction:
    """The function that a recipe names, `FILE.py:NAME` or `package.module:NAME`; nothing is run.

    Args:
        what: it is called in an error.
        text: as the recipe has it.
        folder: that files' paths are relative to.

    Raises:
        NasbenchError: where there is no such file or module.
    """
    place, colon, name = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not place or not name.isidentifier():
        raise BadValue(f'{what} names a function, as in "my_space.py:train", got {text!r:.99}')
    if place.endswith(".py"):
        return UserFunction(read(folder / place), name)
    try:
        found = find_spec(place)
    except (ImportError, ValueError) as error:
        raise BadValue(f"{what}: module {place} cannot be found: {error}") from error
    if found is None or found.origin is None:
        raise BadValue(f"{what}: there is no module {place}; a file's name ends in .py")
    return UserFunction(read(Path(found.origin))._replace(module=place), name)


def where(error: BaseException, file: PythonFile | None = None) -> str:
    """An error in somebody's code as one sentence: its kind, what it says, and the line.

    Args:
        error: as it was raised.
        file: whose last line that was running is named; without, the last of all.
    """
    says = str(error).splitlines()
    if isinstance(error, NasbenchError) and says:
        text = says[0]
    else:
        text = f"{type(error).__name__}: {says[0]}" if says else type(error).__name__
    if isinstance(error, SyntaxError):
        return text if "line" in text or not error.lineno else f"{text} (line {error.lineno})"
    place = None
    trace = error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_code.co_filename
        if file is None or found == str(file.path):
            place = f"line {trace.tb_lineno} of {Path(found).name}"
        trace = trace.tb_next
    return f"{text} ({place})" if place else text
