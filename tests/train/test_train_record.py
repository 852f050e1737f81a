"""A record survives its JSON, every float32 of it."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nasbench.train import CURVES, Record

FLOATS = st.floats(width=32, allow_infinity=False)


@given(
    architecture=st.integers(0, 15_624),
    seed=st.integers(0, 2**40),
    curves=st.integers(1, 5).flatmap(
        lambda epochs: st.fixed_dictionaries(
            {name: arrays(np.float32, epochs, elements=FLOATS) for name in CURVES}
        )
    ),
    test_accuracy=FLOATS,
    evaluation_seconds=st.floats(0, 1e6),
    diverged=st.integers(0, 5),
)
def test_json_gives_the_record_back(
    architecture: int,
    seed: int,
    curves: dict[str, np.ndarray],
    test_accuracy: float,
    evaluation_seconds: float,
    diverged: int,
) -> None:
    record = Record(
        architecture, seed, curves, {"test_accuracy": test_accuracy}, evaluation_seconds, diverged
    )
    text = json.dumps(record.to_json(), allow_nan=False)
    again = Record.from_json(json.loads(text))
    assert (again.architecture, again.seed, again.diverged) == (architecture, seed, diverged)
    assert list(again.curves) == list(curves)
    for name, curve in curves.items():
        assert again.curves[name].dtype == np.float32
        # NaN carries no payload worth keeping; every other bit must be the same.
        kept, back = (np.where(np.isnan(c), np.float32(0), c) for c in (curve, again.curves[name]))
        assert kept.tobytes() == back.tobytes()
        assert (np.isnan(curve) == np.isnan(again.curves[name])).all()
    assert np.float32(again.test_accuracy) == np.float32(test_accuracy) or (
        math.isnan(again.test_accuracy) and math.isnan(test_accuracy)
    )
    # Half of a millionth, and what a float of that size cannot tell.
    apart = abs(again.evaluation_seconds - evaluation_seconds)
    assert apart <= 5e-7 + math.ulp(evaluation_seconds)
    # What was read back is written as it was read.
    assert json.dumps(again.to_json()) == text


def test_numbers_are_written_short() -> None:
    curve = np.asarray([0.1, 100 / 3, np.nan], dtype=np.float32)
    record = Record(1, 2, {"valid_accuracy": curve}, {"test_accuracy": 97.2}, 0.5)
    assert json.dumps(record.to_json()["curves"]) == '{"valid_accuracy": [0.1, 33.333332, null]}'
    assert record.to_json()["test_accuracy"] == 97.2
