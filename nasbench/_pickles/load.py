"""Pickles and torch files of strangers: what measured data consists of, and nothing else.

`load_pickle` reads any of them whole, `drain_pickle` those that are larger than memory. Both run
the project's own machine over an allow-list (`machine`, `names`), for torch
files, too: `torch.load(weights_only=True)` would do for those, but it needs torch, holds the
whole file in memory, and runs tensors' constructors on a stranger's sizes. Results are numbers;
tensors, which only files with trained weights have, are passed over unread.

What may be in memory at once is bounded whatever a file says of itself: `MOST_BYTES` of
decompressed pickle and `MOST_OBJECTS` objects; compressed files are decompressed as they are read.
So is how long it takes: none may become `MOST_TIMES` its size (the releases become 4 times
theirs), the first `FREE` bytes apart.
"""

from __future__ import annotations

import bz2
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasbench._files import open_file
from nasbench._pickles.machine import MOST_BYTES, MOST_OBJECTS, Machine, Reader
from nasbench._pickles.names import NAMES, WEIGHTS, Names, RefusedError, Weights
from nasbench._pickles.stream import Drain, count_gets
from nasbench.errors import NasbenchError

__all__ = ["MOST_BYTES", "MOST_OBJECTS", "WEIGHTS", "Weights", "drain_pickle", "load_pickle"]

MOST_TIMES = 100
FREE = 64 << 20
"""How many bytes a file may become however small it is."""

_BZ2 = b"BZh"
_ZIP = b"PK\x03\x04"
_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""torch.save wrote three pickles before the object's until version 1.6: this is the first."""

_DAMAGE = (
    *(LookupError, TypeError, ValueError, OverflowError, RuntimeError, EOFError),
    *(struct.error, zipfile.BadZipFile),
)


def load_pickle(path: Path, *, allow: Names = {}) -> Any:  # noqa: B006 (never written)
    """The object in a pickle of protocol 0 to 5, plain or in bz2, or in a torch file.

    Dicts of every class become `dict`, numpy's numbers become Python's, arrays are of numbers or
    text, and what Python 2 wrote as a string is read as Latin-1, as numpy advises for it. Told by
    the content, never by the file's name.

    Args:
        path: of the file.
        allow: names beside `NAMES`, each with what stands for calling it.

    Raises:
        NasbenchError: where the file is damaged, larger than `MOST_BYTES`, or names anything
            that is not allowed, none of which is run.
    """
    with _refusing(path), _opened(path) as reader:
        return Machine(reader, {**NAMES, **allow}).run()


def drain_pickle(
    path: Path,
    under: str,
    take: Callable[[Any, Any], None],
    progress: Callable[[int], None],
    *,
    allow: Names = {},  # noqa: B006 (never written)
) -> dict[Any, Any]:
    """Read a dict whose entry `under` is a dict too large for memory; the rest is returned.

    The file is read twice, since what its memo must keep is known at its end only.

    Args:
        path: of the file; see `load_pickle`.
        under: the key of the large dict.
        take: called with key and value of each of its pairs, once it is complete.
        progress: called with how many bytes of the file the first reading has passed.
        allow: see `load_pickle`.

    Raises:
        NasbenchError: see `load_pickle`; the bounds hold for one pair.
    """
    with _refusing(path), _opened(path, progress) as reader:
        uses = count_gets(reader)
    with _refusing(path), _opened(path) as reader:
        outer = Drain(reader, {**NAMES, **allow}, uses, under, take).run()
        if not isinstance(outer, dict):
            raise RefusedError(f"has a {type(outer).__name__} where a dict belongs")
        left = outer.pop(under, None)
    # A dict of one pair is not recognised as the outer one before its end: it is small, then.
    for key, value in (left or {}).items():
        take(key, value)
    return outer


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """What goes wrong inside, as one sentence about the file."""
    try:
        yield
    except RefusedError as error:
        raise NasbenchError(f"{path} {error}: it is refused, and nothing in it was run") from error
    except NasbenchError:
        raise
    except _DAMAGE as error:
        raise NasbenchError(f"{path} is damaged, or no pickle: get it anew") from error
    except OSError as error:
        raise NasbenchError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def _opened(path: Path, progress: Callable[[int], None] = lambda passed: None) -> Iterator[Reader]:
    """A file's pickle from its beginning, decompressed as it is read."""
    with open_file(path, "pickle") as file:
        most = MOST_TIMES * os.fstat(file.fileno()).st_size + FREE

        def watched(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
            passed = 0

            def read_on(n: int) -> bytes:
                nonlocal passed
                content = read(n)
                passed += len(content)
                if passed > most:
                    raise RefusedError(f"decompresses to more than {MOST_TIMES} times its size")
                progress(file.tell())
                return content

            return read_on

        head = file.read(len(_TORCH))
        file.seek(0)
        if head.startswith(_BZ2):
            with bz2.BZ2File(file) as stream:
                yield Reader(watched(stream.read))
        elif head.startswith(_ZIP):
            with zipfile.ZipFile(file) as archive, archive.open(_pickle_in(archive)) as member:
                yield Reader(watched(member.read))
        else:
            reader = Reader(watched(file.read))
            if head == _TORCH:
                reader.take(0, len(_TORCH))
                for _ in ("version", "system"):
                    Machine(reader, NAMES).run()
            yield reader


def _pickle_in(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one pickle of a torch file, whose parts are stored as they are."""
    found = [info for info in archive.infolist() if info.filename.split("/")[1:] == ["data.pkl"]]
    if len(found) != 1 or found[0].compress_type != zipfile.ZIP_STORED:
        raise RefusedError("is a zip archive, but not of torch.save")
    return found[0]
