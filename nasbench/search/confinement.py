"""What a process that runs a stranger's strategy may do: limits that it cannot lift again.

On Linux the kernel's Landlock takes files, other processes and TCP out of its reach, also for
root. Resource limits hold on every system that has them.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import os
import signal
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Place",
    "confine",
    "end_with_parent",
    "landlock",
    "limit_memory",
    "limit_rest",
    "readable",
]

SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/dev/null", "/dev/zero", "/dev/urandom"),
    *("/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo"),
    "/sys/devices/system/cpu",
)
"""What programs read of a system; no user's files."""

_MODULES = frozenset(importlib.machinery.all_suffixes())

# From linux/landlock.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 4, 8
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right to files that the version knows, the version being the key or more."""
_NET_RIGHTS, _SCOPES = 0b11, 0b11
"""TCP from version 4; abstract sockets and signals to others from version 6."""


class Place(NamedTuple):
    """A path that may be read; or whose names alone may be, and those of all below it."""

    path: str
    contents: bool


def readable(hidden: Iterable[Path]) -> list[Place]:
    """What a strategy must read: the system's, Python's and the installed packages' files.

    Of a folder on Python's path that is not Python's own (a checkout, the folder of a script)
    only what can be imported is among them: modules, and folders that hold some.

    Args:
        hidden: files and folders that are left out, wherever they are.
    """
    kept_back = {path.resolve() for path in hidden}
    own = {Path(place).resolve() for place in (*SYSTEM, sys.prefix, sys.base_prefix)}
    found: list[Place] = []
    for root in sorted(place for place in own if place.exists()):
        found += _granted(root, kept_back)
    for root in sorted({Path(path).resolve() for path in sys.path if Path(path).exists()}):
        if any(root.is_relative_to(place) for place in own) or not root.is_dir():
            found += _granted(root, kept_back)
            continue
        found.append(Place(str(root), contents=False))
        for child in sorted(root.iterdir()):
            if _importable(child):
                found += _granted(child, kept_back)
    return found


def _importable(path: Path) -> bool:
    """Whether it is a module, a folder of modules, or what pip wrote of a package."""
    if path.suffix in (".dist-info", ".egg-info") or path.name == "__pycache__":
        return True
    if path.is_dir():
        return any(child.suffix in _MODULES for child in path.iterdir())
    return path.suffix in _MODULES


def _granted(path: Path, hidden: set[Path]) -> list[Place]:
    """The path, or the parts of it that do not hold what is hidden."""
    if path in hidden:
        return []
    if not any(other.is_relative_to(path) for other in hidden):
        return [Place(str(path), contents=True)]
    children = [place for child in sorted(path.iterdir()) for place in _granted(child, hidden)]
    return [Place(str(path), contents=False), *children]


def landlock() -> int:
    """The version of Landlock that the kernel has; 0 without."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)), 0)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def confine(places: Sequence[Place]) -> bool:
    """Leave this process, and those that it starts, only these places, for reading.

    Returns:
        Whether the kernel does it: False where it has no Landlock.
    """
    version = landlock()
    if not version:
        return False
    libc = _libc()
    files = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    fields = [files, _NET_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0]
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = struct.pack("=QQQ", *fields)[:size]
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for place in places:
        _allow(libc, ruleset, place)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, which Landlock asks for
    if libc.syscall(_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, place: Place) -> None:
    try:
        opened = os.open(place.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # gone since it was listed
        return
    rights = (_EXECUTE | _READ_FILE) * place.contents
    if Path(place.path).is_dir():
        rights |= _READ_DIR
    rule = struct.pack("=Qi", rights, opened)
    if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
        raise OSError(ctypes.get_errno(), "landlock_add_rule", place.path)
    os.close(opened)


def limit_memory(mebibytes: int, used: int = 0) -> None:
    """Let this process map so much beside the `used` bytes of address space that it has."""
    most = used + mebibytes * 2**20
    for kind in ("RLIMIT_DATA", *(("RLIMIT_AS",) if used else ())):
        _lower(kind, most)


def limit_rest(cpu_seconds: int) -> None:
    """No files written, no core dumped, and so many seconds of CPU."""
    for kind, most in (("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_CPU", cpu_seconds)):
        _lower(kind, most)


def _lower(name: str, most: int) -> None:
    import resource  # which Windows lacks, where this module is imported all the same

    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (least, least))


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies; Linux alone does."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
