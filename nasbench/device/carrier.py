"""How a job gets to the machine that measures it: over ssh, or in a folder that is carried."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from nasbench._files import write_text
from nasbench._names import printable
from nasbench.device import probe
from nasbench.errors import BadValue, NasbenchError, Unsupported

__all__ = ["Carrier", "CommandCarrier", "FolderCarrier", "check_host", "ssh_carrier"]

FOLDER = ".cache/nasbench"
"""Below the home directory of the device."""
MOST_ANSWER = 8 * probe.MOST_ANSWER
SECONDS = 60
"""That an answer may take, beside a second for each half megabyte that is sent."""

# Also Python 2 reads this far. What follows on stdin is the probe, then the command's data.
_BOOT = (
    "import sys;"
    "v='%d.%d'%sys.version_info[:2];"
    "sys.version_info<(3,8) and sys.exit('the probe needs Python 3.8 there, and this is '+v);"
    "b=sys.stdin.buffer;SOURCE=b.read(int(b.readline())).decode();"
    "exec(compile(SOURCE,'nb_probe.py','exec'))"
)
_HOST = re.compile(r"[A-Za-z0-9_][\w.@:%\[\]-]*", re.ASCII)


class Carrier(Protocol):
    """The way to a probe and back."""

    by_hand: bool
    """Whether somebody must carry a folder: answers to what was sent come another day."""

    def ask(self, command: str, data: bytes = b"") -> dict[str, Any]:
        """What the probe answers to one of its commands.

        Raises:
            NasbenchError: where it cannot be reached or says that it cannot be done.
        """


def _judged(said: dict[str, Any], where: str) -> dict[str, Any]:
    if "error" in said:
        raise NasbenchError(f"{where}: {_shown(said['error'])}")
    return said


def _shown(text: object) -> str:
    """What a stranger said, on one line."""
    return printable(str(text).strip())[:300]


class CommandCarrier:
    """A probe that a command reaches: its answers are on stdout.

    Args:
        command: that runs words on the device, before them.
        where: what the device is called in errors.
        python: of the device.
        folder: of the probe there, below the home directory.
        shell: the words become one, as a shell on the other side takes them apart.
    """

    by_hand = False

    def __init__(
        self,
        command: Sequence[str],
        where: str,
        *,
        python: str = "python3",
        folder: str = FOLDER,
        shell: bool = True,
    ) -> None:
        self._command = list(command)
        self._where = where
        self._python = python
        self._folder = folder
        self._shell = shell
        self._probe = Path(probe.__file__).read_bytes()

    def ask(self, command: str, data: bytes = b"") -> dict[str, Any]:
        words = [self._python, "-c", _BOOT, command, self._folder]
        whole = [*self._command, *([shlex.join(words)] if self._shell else words)]
        given = b"%d\n%s%s" % (len(self._probe), self._probe, data)
        status, out, err = _run(whole, given, SECONDS + len(data) / 2**19)
        _, found, said = out.rpartition(f"\n{probe.MARK}".encode())
        if status or not found:
            raise NasbenchError(f"{self._where}: {self._why(status, err)}")
        try:
            answer = json.loads(said.decode("ascii"))
            if not isinstance(answer, dict):
                raise ValueError
        except (ValueError, RecursionError) as error:
            raise NasbenchError(
                f"{self._where}: what it answers is no answer of a probe"
            ) from error
        return _judged(answer, self._where)

    def _why(self, status: int | None, err: bytes) -> str:
        last = next(
            (
                line
                for line in reversed(err.decode("utf-8", "replace").splitlines())
                if line.strip()
            ),
            "",
        )
        if status is None:
            return "it does not answer in time, or says too much"
        if status == 127:
            return f"there is no {self._python}; install Python 3.8 or later there"
        if status == 255:
            return f"ssh does not get there: {_shown(last)}"
        return _shown(last) or f"the probe ended with status {status}"


def _run(command: Sequence[str], given: bytes, seconds: float) -> tuple[int | None, bytes, bytes]:
    """Status, stdout and stderr; the status is None where it takes or says too much."""
    with TemporaryFile() as stdin, TemporaryFile() as out, TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        end = time.monotonic() + seconds
        try:
            process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err)
        except OSError as error:
            raise NasbenchError(f"cannot run {command[0]}: {error.strerror}") from error
        status = None
        try:
            while status is None and time.monotonic() < end:
                if max(out.seek(0, 2), err.seek(0, 2)) > MOST_ANSWER:
                    break
                try:
                    status = process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if status is None:
                process.kill()
                process.wait()
        if max(out.seek(0, 2), err.seek(0, 2)) > MOST_ANSWER:  # it may have ended meanwhile
            status = None
        out.seek(0)
        err.seek(0)
        return status, out.read(MOST_ANSWER), err.read(1 << 16)


def check_host(host: str) -> str:
    """A host as ssh takes it, `pi@192.168.1.7` or a name of ssh's configuration.

    Example:
        >>> check_host("pi@raspberrypi.local")
        'pi@raspberrypi.local'
    """
    if not _HOST.fullmatch(host):
        raise BadValue(
            f"a host is USER@NAME or a name of ssh's configuration, got {printable(host)[:99]!r}"
        )
    return host


def ssh_carrier(
    host: str, *, python: str = "python3", folder: str = FOLDER, options: Sequence[str] = ()
) -> CommandCarrier:
    """The probe on a host that the system's ssh reaches without asking anything.

    A host whose key is not known is refused, and so is what needs a password.

    Args:
        host: as ssh takes it.
        python: on the host.
        folder: of the probe there, below the home directory.
        options: more of them for ssh, as `["-F", "FILE"]`.
    """
    check_host(host)
    ssh = shutil.which("ssh")
    if ssh is None:
        raise Unsupported("a device elsewhere is reached by ssh, which is not installed here")
    settings = (
        *("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=15"),
        *("ServerAliveInterval=10", "ServerAliveCountMax=3", "ForwardAgent=no", "ForwardX11=no"),
        *("ClearAllForwardings=yes", "PermitLocalCommand=no", "RequestTTY=no"),
    )
    given = [word for setting in settings for word in ("-o", setting)]
    return CommandCarrier([ssh, *options, *given, "--", host], host, python=python, folder=folder)


class FolderCarrier:
    """A folder that somebody carries to the device and back.

    Args:
        folder: with the probe, files and jobs.
    """

    by_hand = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        own = Path(probe.__file__).read_text(encoding="utf-8")
        write_text(folder / "nb_probe.py", own)

    def ask(self, command: str, data: bytes = b"") -> dict[str, Any]:
        return _judged(probe.answer(command, str(self.folder.resolve()), data), str(self.folder))
