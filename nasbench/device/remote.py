"""A device elsewhere: networks as files, sent to a probe that measures them there."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench._names import printable
from nasbench.device import probe
from nasbench.device.base import METRICS, DeviceSpec, Measurement, Reading, measurement_of
from nasbench.device.carrier import Carrier
from nasbench.device.energy import ModelMeter, counted_energy, energies
from nasbench.device.equal import TOLERANCES, Untimed, difference, untimed
from nasbench.device.inference import Images, evaluating, examples
from nasbench.device.latency import describe_latency, latencies_of
from nasbench.device.measure import CHUNK
from nasbench.device.meter import MeterLog
from nasbench.device.onnx_graph import to_onnx
from nasbench.device.onnx_runtime import import_runtime
from nasbench.device.probe import Energy
from nasbench.device.quantise import quantised
from nasbench.device.reference import reference_network
from nasbench.device.results import MOST_RESULTS, Failed, Results, Timed, board_of, read_results
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.network.inputs import answer_to
from nasbench.task import Signal

__all__ = ["RemoteDevice"]

_SENT = 1 << 25
"""Bytes of files that are sent at a time."""
_POLLS = (0.2, 2.0)
"""Seconds between two looks at how far a job is: the first, and the longest."""
_INT8_APART = 0.1
"""Share of the largest answer: two runtimes round alike, and not always to the last step."""
METER = "a meter's log, aligned by a pattern of busy and idle seconds"
_NO_MEMORY = "the runtime there does not tell what it holds at the peak"


class _Job(NamedTuple):
    """Its name, the file of each network or why there is none, and what the files hold."""

    name: str
    files: list[str | Untimed]
    contents: Mapping[str, bytes]

    @property
    def asked(self) -> set[str]:
        """The files that are measured, by name."""
        return {file for file in self.files if isinstance(file, str)}


class RemoteDevice:
    """A device elsewhere; see `nasbench.device.Device`.

    Args:
        spec: what and how; it names the host, which nothing that is written does.
        carrier: the way there.
        calibration: see `make_device`.
        metered: a meter beside the device logs its power; `log` is what it logged, once it has.
        log: see above.
    """

    def __init__(
        self,
        spec: DeviceSpec,
        carrier: Carrier,
        calibration: Images | None = None,
        *,
        metered: bool = False,
        log: MeterLog | None = None,
    ) -> None:
        if spec.runtime not in probe.LOADERS:
            raise BadValue(
                f"a device elsewhere runs {' or '.join(probe.LOADERS)}, not {spec.runtime}"
            )
        self.spec = spec
        self._carrier = carrier
        self._calibration = calibration
        self._metered = metered
        self._log = log
        self._board: Mapping[str, Any] = {}
        self._model = ModelMeter("nothing counts energy there", spec.precision)

    def describe(self) -> dict[str, Any]:
        if not self._board and not self._carrier.by_hand:
            said = self._carrier.ask("about", self.spec.runtime.encode())
            self._board = _board(said.get("about"))
        return {
            **self.spec.describe(),
            **self._board,
            "mode": "an ONNX file that a probe measured elsewhere",
            "memory": f"not measured: {_NO_MEMORY}",
            "latency": describe_latency(self.spec, CHUNK),
            "energy": {"of": "a batch", **self._energy()},
        }

    def _energy(self) -> dict[str, Any]:
        source = METER if self._metered else self._board.get("energy_source")
        return counted_energy(source) if source else self._model.describe()

    def measure(self, networks: Iterable[nn.Module], inputs: Signal) -> list[Measurement]:
        given = list(networks)
        job = self.send(given, inputs)
        results = self._wait(job)
        self._board = results.board
        metered = self._integrated(results) if self._log else {}
        return [
            self._untimed(name)
            if isinstance(name, Untimed)
            else self._measurement(
                network, inputs, results.found[name], job.contents[name], metered.get(name)
            )
            for network, name in zip(given, job.files, strict=True)
        ]

    def finish(self, job: _Job) -> None:
        """Wait until all of a job is measured."""
        self._wait(job)

    def _integrated(self, results: Results) -> dict[str, Energy]:
        """The energy of each file's network by the meter's log."""
        assert self._log is not None
        rows = {n: of.seen for n, of in results.found.items() if isinstance(of, Timed) and of.seen}
        energies: dict[str, Energy] = {}
        for session in {seen.session for seen in rows.values()}:
            those = {name: seen for name, seen in rows.items() if seen.session == session}
            busy = sorted({interval for seen in those.values() for interval in seen.busy})
            idle = sorted({interval for seen in those.values() for interval in seen.idle})
            began = self._log.align(busy, idle)
            rest = float(np.mean([self._log.mean(interval, began) for interval in idle]))
            for name, seen in those.items():
                energies[name] = self._log.energy(seen.loop, seen.runs, began, rest)
        return energies

    def send(self, networks: Sequence[nn.Module], inputs: Signal) -> _Job:
        """Send the job that measures these networks, and what is not there yet of its files."""
        if len(inputs.shape) != 3:
            raise Unsupported(
                f"networks of {inputs} are not measured elsewhere: the probe makes images and "
                f"spectrograms alone"
            )
        contents: dict[str, bytes] = {}
        files: list[str | Untimed] = []
        for network in networks:
            try:
                content = self._file(network, inputs)
            except Untimed as error:
                files.append(error)
                continue
            name = hashlib.sha256(content).hexdigest()
            files.append(name)
            contents[name] = content
        if not contents:
            raise Unsupported(f"no network can be sent to {self.spec.name}: {files[0]}")
        content = self._file(reference_network(inputs.shape[0]), inputs)
        reference = hashlib.sha256(content).hexdigest()
        spec = self.spec
        said = {
            "probe": probe.VERSION,
            "files": list(contents),
            "reference": reference,
            "shape": list(inputs.shape),
            "batch": spec.batch_size,
            "in_turn": CHUNK,
            "meter": self._metered,
            **{key: getattr(spec, key) for key in ("runtime", "threads", "clock", "warm_up")},
            **{key: getattr(spec, key) for key in ("repeats", "seconds")},
        }
        contents[reference] = content
        asked = json.dumps(said, sort_keys=True).encode()
        missing = self._carrier.ask("missing", json.dumps(list(contents)).encode())["missing"]
        waiting = [name for name in contents if name in missing]
        while waiting:
            named = [waiting.pop()]
            while waiting and sum(len(contents[n]) for n in named) < _SENT:
                named.append(waiting.pop())
            head = json.dumps([[name, len(contents[name])] for name in named]).encode()
            self._carrier.ask("put", b"\n".join([head, b"".join(contents[n] for n in named)]))
        self._carrier.ask("begin", asked)
        return _Job(hashlib.sha256(asked).hexdigest(), files, contents)

    def done(self, job: _Job) -> bool:
        """Whether all of a job's files have results."""
        return not self._state(job, 0)["left"]

    def _file(self, network: nn.Module, inputs: Signal) -> bytes:
        with untimed("it cannot be written as ONNX"):
            model = to_onnx(network, inputs)
        if self.spec.precision == "int8":
            if self._calibration is None:
                raise BadValue("an int8 device needs training images to calibrate with")
            model = quantised(model, self._calibration)
        return bytes(model.SerializeToString(deterministic=True))

    def _state(self, job: _Job, offset: int) -> dict[str, Any]:
        said = self._carrier.ask("state", json.dumps([job.name, offset]).encode())
        kinds = {"running": bool, "left": int, "size": int, "text": str, "log": str}
        if not all(type(said.get(key)) is kind for key, kind in kinds.items()):
            raise NasbenchError("what the probe says of its job cannot be read")
        return said

    def _wait(self, job: _Job) -> Results:
        """The results, once all are there."""
        data = b""
        pause, longest = _POLLS
        most = (len(job.asked) + 1) * MOST_RESULTS
        while True:
            said = self._state(job, len(data))
            data += said["text"].encode("utf-8")
            if len(data) > most:
                raise NasbenchError("the results of the device are longer than a probe writes them")
            if len(data) < said["size"] and said["text"]:
                continue
            measured = len(job.asked) - said["left"]
            if not said["left"]:
                return read_results(data, job.name, job.asked)
            if not said["running"]:
                why = printable(said["log"])[:300] or "the probe does not say why"
                raise NasbenchError(
                    f"{measured:,} of {len(job.asked):,} networks are measured on the device, "
                    f"and its probe has ended: {why}; what is measured is kept there, and the same "
                    f"command goes on"
                )
            time.sleep(pause)
            pause = min(longest, 1.5 * pause)

    def _untimed(self, error: Untimed) -> Measurement:
        logging.getLogger("nasbench").warning(
            "%s: a network is not timed: %s", self.spec.name, printable(error.said)
        )
        return _missing(str(error))

    def _measurement(
        self,
        network: nn.Module,
        inputs: Signal,
        found: Timed | Failed,
        file: bytes,
        metered: Energy | None,
    ) -> Measurement:
        if isinstance(found, Failed):
            logging.getLogger("nasbench").warning(
                "%s could not run a network: %s", self.spec.name, printable(found.why)
            )
            return _missing(f"{self.spec.runtime} could not run it there")
        images = examples(network, inputs, self.spec.batch_size)
        if self.spec.precision == "float32":
            wanted, most = _answer(network, images), TOLERANCES["float32"]
        else:  # noise is beyond what int8 was calibrated on: the file is held against itself
            run = probe.run_onnxruntime(import_runtime(), file, images, threads=1)
            wanted, most = np.asarray(run(), dtype=np.float64).ravel(), _INT8_APART
        wanted = wanted[: len(found.answer)]
        if not difference(wanted, found.answer) <= most * max(1.0, float(np.abs(wanted).max())):
            return _missing("what it answers there is not what it answers here: it is not timed")
        counted = metered or found.energy
        return measurement_of(
            {
                **latencies_of(self.spec, found.turn, found.timing, found.reference),
                **(
                    energies(counted)
                    if counted
                    else self._model.read(lambda: None, network, images)
                ),
                "memory_mib": Reading(math.nan, reason=_NO_MEMORY),
            }
        )


def _board(said: Any) -> dict[str, Any]:
    try:
        return board_of(said)
    except (ValueError, LookupError, TypeError) as error:
        raise NasbenchError("what the probe says of its board cannot be read") from error


def _missing(why: str) -> Measurement:
    return measurement_of(dict.fromkeys(METRICS, Reading(math.nan, reason=why)))


def _answer(network: nn.Module, images: Images) -> NDArray[np.float64]:
    with evaluating(network, images) as x:
        return answer_to(network, x).double().cpu().numpy().ravel()
