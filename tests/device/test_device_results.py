"""What a stranger's machine sends is held against what a probe writes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.device import probe
from nasbench.device.probe import Energy, line_of
from nasbench.device.results import Failed, Timed, read_results
from nasbench.errors import NasbenchError

JOB = "1" * 64
A, B = "a" * 64, "b" * 64
ABOUT = {
    "hardware_model": "Raspberry Pi 4 Model B Rev 1.4",
    "machine": "aarch64",
    "governor": ["ondemand"],
    "most_mhz": [1800],
    "runtime_version": "1.20.1",
    "python": "3.11.2",
    "numpy": "1.26.4",
    "energy_source": "INA3221, VDD_IN",
}
HEAD = {"probe": probe.VERSION, "job": JOB, "about": ABOUT}
TIMING = [[1.0, 1.5, 9.0], [1.0, 1.1, 1.2], [2.0, 1.9], 0.75, 24]
ROW = {
    "file": A,
    "answer": [0.5, None, -1e30],
    "drift": -0.01,
    "mhz": None,
    "fault": "",
    "reference": TIMING,
    "timing": TIMING,
}


def read(*entries: dict[str, Any]) -> Any:
    return read_results(b"".join(map(line_of, entries)), JOB, {A, B})


def test_sound_results_are_read() -> None:
    found = read(HEAD, ROW, {"file": B, "error": "no kernel"})
    assert found.board == ABOUT
    one = found.found[A]
    assert isinstance(one, Timed)
    assert one.timing.cpu == (1.0, 1.1, 1.2)
    assert one.timing.undisturbed == 0.75
    assert math.isnan(one.turn.frequency_mhz)
    assert math.isnan(one.answer[1])
    assert one.energy is None
    assert found.found[B] == Failed("no kernel")
    counted = read(HEAD, {**ROW, "energy": [50.0, -0.5, 5.0]}).found[A]
    assert counted.energy == Energy(50.0, -0.5, 5.0)


def test_what_is_torn_or_damaged_is_passed_over() -> None:
    data = line_of(HEAD) + b"0000 x\n" + line_of(ROW)
    assert read_results(data[:-3], JOB, {A}).found == {}
    assert read_results(data, JOB, {A}).found.keys() == {A}


def test_who_owns_the_board_is_not_taken() -> None:
    found = read({**HEAD, "about": {**ABOUT, "user": "jane", "hostname": "janes-pi"}})
    assert found.board == ABOUT


Change = Callable[[dict[str, Any]], Any]
FORGED: dict[str, Change] = {
    "a file that was not asked for": lambda row: row.update(file="c" * 64),
    "a file that is no text": lambda row: row.update(file=["a"]),
    "no timing": lambda row: row.pop("timing"),
    "a time below 0": lambda row: row["timing"][0].__setitem__(0, -1.0),
    "a time of years": lambda row: row["timing"][0].__setitem__(2, 1e300),
    "quantiles in no order": lambda row: row["timing"].__setitem__(1, [3.0, 2.0, 1.0]),
    "two quantiles": lambda row: row["timing"].__setitem__(1, [1.0, 2.0]),
    "a time that is a text": lambda row: row["timing"][1].__setitem__(0, "1"),
    "a time that is true": lambda row: row["timing"][1].__setitem__(0, True),
    "no cold time": lambda row: row["timing"].__setitem__(2, None),
    "a share above 1": lambda row: row["timing"].__setitem__(3, 1.5),
    "no runs": lambda row: row["timing"].__setitem__(4, 0),
    "runs that are no integer": lambda row: row["timing"].__setitem__(4, 1.5),
    "a drift of less than nothing": lambda row: row.update(drift=-2.0),
    "a frequency that is a text": lambda row: row.update(mhz="1800"),
    "another fault": lambda row: row.update(fault="<script>"),
    "no answer": lambda row: row.update(answer=[]),
    "an endless answer": lambda row: row.update(answer=[0.0] * 65),
    "an answer that is a text": lambda row: row.update(answer="yes"),
    "an energy below 0": lambda row: row.update(energy=[-1.0, 0.0, 1.0]),
    "two energies": lambda row: row.update(energy=[1.0, 1.0]),
    "an energy that is a text": lambda row: row.update(energy="lots"),
    "an error that is no text": lambda row: row.update(error=5),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_no_probe_writes_is_refused(what: str) -> None:
    row = copy.deepcopy(ROW)
    FORGED[what](row)
    with pytest.raises(NasbenchError, match="damaged in entry 2"):
        read(HEAD, row)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ({**HEAD, "probe": 2}, "of a probe of version 2, and version 1 is read"),
        ({**HEAD, "job": "2" * 64}, "damaged in entry 1"),
        ({**HEAD, "about": {**ABOUT, "machine": "a\nb"}}, "damaged in entry 1"),
        ({**HEAD, "about": {**ABOUT, "machine": "a" * 200}}, "damaged in entry 1"),
        ({**HEAD, "about": {**ABOUT, "most_mhz": [1.5]}}, "damaged in entry 1"),
        ({**HEAD, "about": {**ABOUT, "governor": [["x"]]}}, "damaged in entry 1"),
        ({**HEAD, "about": None}, "damaged in entry 1"),
    ],
)
def test_heads_that_no_probe_writes_are_refused(head: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NasbenchError, match=sentence):
        read(head)


def test_a_network_twice_is_refused() -> None:
    with pytest.raises(NasbenchError, match="damaged in entry 3"):
        read(HEAD, ROW, ROW)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60)
@given(key=st.sampled_from(sorted(ROW)), value=JSON)
def test_anything_else_is_one_sentence_or_sound(key: str, value: Any) -> None:
    with suppress(NasbenchError):
        read(HEAD, {**ROW, key: value})
