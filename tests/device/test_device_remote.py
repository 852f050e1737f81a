"""Devices elsewhere: the way there and back, over a command, a folder and a real sshd."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_networks import image, network, randomized
from torch import Tensor, linalg, nn
from typer.testing import CliRunner

from nasbench.building import read_spec
from nasbench.building.costs import measure_costs
from nasbench.cli import app
from nasbench.device import DeviceSpec, carrier, make_device, probe
from nasbench.device.carrier import CommandCarrier, FolderCarrier, check_host, ssh_carrier
from nasbench.device.remote import RemoteDevice
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.table import recipe_path

SHAPE = (1, 8, 8)
SPEC = DeviceSpec(
    "onnxruntime", host="pi@board", label="board", repeats=3, warm_up=1, seconds=0.001
)


def networks(mini: CellSpace, n: int = 2) -> list[nn.Module]:
    return [randomized(network(mini.live_graph(7 + i)), seed=i) for i in range(n)]


def here(folder: Path, command: Sequence[str] = (), python: str = sys.executable) -> CommandCarrier:
    """This machine as though it were another."""
    return CommandCarrier(command, "board", python=python, folder=str(folder), shell=False)


@pytest.mark.process
def test_networks_are_measured_elsewhere_as_here(tmp_path: Path, mini: CellSpace) -> None:
    device = RemoteDevice(SPEC, here(tmp_path / "a folder"))
    first = device.measure(networks(mini), image(SHAPE))
    again = device.measure(networks(mini), image(SHAPE))  # all is there: nothing is measured again
    assert again == pytest.approx(first, nan_ok=True) or repr(again) == repr(first)
    for m in first:
        assert m.latency_ms == m.latency_cpu_ms > 0
        assert m.latency_reference_ms > 0
        assert m.kind["energy_mj"] == "estimated"
        assert "energy_mj" not in m.reasons
    told = device.describe()
    local = make_device(DeviceSpec("onnxruntime")).describe()
    assert told["hardware_model"] == local["hardware_model"]
    assert told["runtime_version"] == local["runtime_version"]
    assert told["name"] == "board-onnxruntime-b1"
    assert "pi@board" not in json.dumps(told)


def by_hand(folder: Path) -> None:
    probe.by_hand(str(folder))


def test_a_folder_carries_the_same_job(tmp_path: Path, mini: CellSpace) -> None:
    folder = tmp_path / "carry"
    device = RemoteDevice(SPEC, FolderCarrier(folder))
    job = device.send(networks(mini), image(SHAPE))
    assert not device.done(job)
    with pytest.raises(NasbenchError, match="0 of 2 networks are measured on the device"):
        device.measure(networks(mini), image(SHAPE))
    carried = shutil.copytree(folder, tmp_path / "there")
    by_hand(carried)
    shutil.copytree(carried, folder, dirs_exist_ok=True)
    assert device.done(job)
    assert [m.latency_ms > 0 for m in device.measure(networks(mini), image(SHAPE))] == [True, True]
    assert device.describe()["python"]


def test_other_answers_and_failures_are_missing(
    tmp_path: Path, mini: CellSpace, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "carry"
    device = RemoteDevice(SPEC, FolderCarrier(folder))
    job = device.send(networks(mini, 3), image(SHAPE))
    by_hand(folder)
    path = folder / "jobs" / job.name / "results.jsonl"
    entries = probe.entries_of(path.read_bytes())
    for entry in entries:
        if entry.get("file") == job.files[0]:
            entry["answer"][3] += 1.0
        if entry.get("file") == job.files[1]:
            entry.clear()
            entry.update(file=job.files[1], error="no kernel\x1b[2J in /home/pi")
    path.write_bytes(b"".join(map(probe.line_of, entries)))
    other, failed, sound = device.measure(networks(mini, 3), image(SHAPE))
    assert math.isnan(other.latency_ms)
    assert "not what it answers here" in other.reasons["latency_ms"]
    assert failed.reasons["latency_ms"] == "onnxruntime could not run it there"
    assert "no kernel [2J in /home/pi" in caplog.text
    assert sound.latency_ms > 0


def test_what_no_file_can_be_made_of_is_missing(tmp_path: Path, mini: CellSpace) -> None:
    class Odd(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(linalg.eigvals(x[:, 0]).real)

    device = RemoteDevice(SPEC, FolderCarrier(tmp_path))
    given = [Odd(8, 10), *networks(mini, 1)]
    device.send(given, image(SHAPE))
    by_hand(tmp_path)
    odd, sound = device.measure(given, image(SHAPE))
    assert odd.reasons["latency_ms"] == "it cannot be written as ONNX"
    assert sound.latency_ms > 0
    with pytest.raises(NasbenchError, match="no network can be sent to board-"):
        device.send(given[:1], image(SHAPE))


def test_int8_files_are_the_same_each_time(tmp_path: Path, mini: CellSpace) -> None:
    images = np.random.default_rng(0).standard_normal((32, *SHAPE), dtype=np.float32)
    spec = DeviceSpec(
        "onnxruntime", label="board", precision="int8", repeats=3, warm_up=1, seconds=0.001
    )
    device = RemoteDevice(spec, FolderCarrier(tmp_path), images)
    job = device.send(networks(mini, 1), image(SHAPE))
    by_hand(tmp_path)
    assert device.send(networks(mini, 1), image(SHAPE)) == job
    (m,) = device.measure(networks(mini, 1), image(SHAPE))
    assert m.latency_ms > 0


SAYS = "import sys;sys.stdin.buffer.read();"


@pytest.mark.process
@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (f"{SAYS}sys.exit('Permission denied (publickey).')", "Permission denied (publickey)."),
        (f"{SAYS}print('Welcome!')", "the probe ended with status 0"),
        (f"{SAYS}print('\\nnasbench-probe [1]')", "no answer of a probe"),
        (f"{SAYS}print('\\nnasbench-probe ' + '['*9**5)", "no answer of a probe"),
        (f"{SAYS}print('x' * 10**6)", "says too much"),
        (f"{SAYS}sys.stderr.write('a\\x1b[2J' + 'b' * 999);sys.exit(3)", "a [2Jbbb"),
    ],
)
def test_whatever_comes_back_is_one_sentence(
    program: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "MOST_ANSWER", 10**5)
    asked = here(tmp_path, [sys.executable, "-c", program])
    with pytest.raises(NasbenchError) as refused:
        asked.ask("missing", b"[]")
    assert sentence in str(refused.value)
    assert str(refused.value).startswith("board: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_cannot_be_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NasbenchError, match="cannot run no-such-program"):
        here(tmp_path, ["no-such-program"]).ask("missing", b"[]")


def test_an_answer_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "SECONDS", 0.05)
    with pytest.raises(NasbenchError, match="does not answer in time"):
        here(tmp_path, [sys.executable, "-c", "import time; time.sleep(60)"]).ask("missing", b"[]")


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "", "a;b", "ö", "a\n", "$(id)"])
def test_hosts_that_are_options_or_commands_are_refused(host: str) -> None:
    with pytest.raises(NasbenchError, match="a host is USER@NAME"):
        check_host(host)
    if host:
        with pytest.raises(NasbenchError, match="a host is USER@NAME"):
            DeviceSpec("onnxruntime", host=host, label="pi")


def test_the_host_stands_in_no_description() -> None:
    spec = DeviceSpec.from_dict(
        {"runtime": "onnxruntime", "host": "jane@secret.example", "label": "raspi4"}
    )
    assert spec.name == "raspi4-onnxruntime-b1"
    assert "secret" not in json.dumps(spec.describe())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"host": "pi@a"}, "needs a label"),
        ({"host": "pi@a", "label": "a b"}, "label is up to 40 letters"),
        ({"host": "pi@a", "label": "pi", "runtime": "torch"}, "use runtime onnxruntime or"),
        ({"host": 5, "label": "pi"}, "host is a text, got 5"),
    ],
)
def test_devices_elsewhere_are_well_said(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(NasbenchError, match=sentence):
        DeviceSpec.from_dict({"runtime": "onnxruntime", **values})


# A real sshd, on a port of the loopback address.

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass
class Server:
    options: list[str]
    hosts: Path


def _config(folder: Path, **said: object) -> Path:
    path = folder / "config"
    path.write_text("".join(f"{key} {value}\n" for key, value in said.items()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("openssh-server is not installed")
    there, own = (tmp_path_factory.mktemp(name) for name in ("there", "own"))
    for folder in (there, own):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
        subprocess.run(key, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (there / "allowed").write_bytes((own / "key.pub").read_bytes())
    config = _config(
        there,
        ListenAddress=f"127.0.0.1:{port}",
        HostKey=there / "key",
        AuthorizedKeysFile=there / "allowed",
        PidFile="none",
        StrictModes="no",
        UsePAM="no",
        PasswordAuthentication="no",
    )
    hosts = own / "known_hosts"
    key = (there / "key.pub").read_text(encoding="utf-8").split()
    hosts.write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n", encoding="utf-8")
    options = ["-F", str(own / "config")]
    _config(
        own,
        HostName="127.0.0.1",
        Port=port,
        IdentityFile=own / "key",
        IdentitiesOnly="yes",
        UserKnownHostsFile=hosts,
        GlobalKnownHostsFile="none",
    )
    with (there / "log").open("wb") as log:
        daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as tried:
                if daemon.poll() is not None or not tried.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        if daemon.poll() is not None:
            pytest.skip(f"sshd does not start: {(there / 'log').read_text().strip()}")
        yield Server(options, hosts)
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.mark.process
def test_a_job_over_ssh(server: Server, tmp_path: Path, mini: CellSpace) -> None:
    folder = str(tmp_path / "a folder; with 'quotes'")
    way = ssh_carrier("board", python=sys.executable, folder=folder, options=server.options)
    device = RemoteDevice(SPEC, way)
    one, two = device.measure(networks(mini), image(SHAPE))
    assert one.latency_ms > 0
    assert two.latency_ms > 0
    sent = set(os.listdir(f"{folder}/files"))
    more = device.send(networks(mini, 3), image(SHAPE))  # only the third is sent
    assert len(set(os.listdir(f"{folder}/files")) - sent) == 1
    (job,) = {more.name} & set(os.listdir(f"{folder}/jobs"))
    assert (Path(folder) / "jobs" / job / "job.json").stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert Path(folder).stat().st_mode & 0o777 == 0o700


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.process
def test_a_host_whose_key_is_another_is_refused(server: Server, tmp_path: Path) -> None:
    known = server.hosts.read_text(encoding="utf-8")
    way = ssh_carrier("board", python=sys.executable, folder=str(tmp_path), options=server.options)
    try:
        server.hosts.write_text("", encoding="utf-8")
        with pytest.raises(NasbenchError, match="board: ssh does not get there: Host key verif"):
            way.ask("missing", b"[]")
    finally:
        server.hosts.write_text(known, encoding="utf-8")
    assert not list(tmp_path.iterdir())


@pytest.mark.process
def test_a_host_without_python_is_one_sentence(server: Server, tmp_path: Path) -> None:
    way = ssh_carrier("board", python="python2.5", folder=str(tmp_path), options=server.options)
    with pytest.raises(NasbenchError, match=r"board: there is no python2\.5; install Python 3"):
        way.ask("missing", b"[]")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--label", "board"], "--label is of a device elsewhere"),
        (["--folder", "F", "--python", "python3.8"], "--python is of the host of --ssh"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(NasbenchError, match=sentence):
        CliRunner().invoke(
            app,
            ["device", "measure", "nb201-mini-fashion16", "--out", "o.h5", *words],
            catch_exceptions=False,
        )


def test_a_host_that_is_not_reached_leaves_nothing(tmp_path: Path) -> None:
    class Away:
        spec = DeviceSpec(runtime="onnxruntime", host="pi", label="board")

        def describe(self) -> dict[str, Any]:
            raise NasbenchError("board: ssh does not get there")

    spec = read_spec(recipe_path("nb201-mini-fashion16"))
    with pytest.raises(NasbenchError, match="does not get there"):
        measure_costs(spec, tmp_path / "o.h5", [Away()], np.arange(3))  # type: ignore[list-item]
    assert not list(tmp_path.iterdir())
