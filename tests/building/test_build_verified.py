"""What a runtime makes of a file: counted by hand, class by class and number by number."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.building.tested import verified, worth_of
from nasbench.task import Split

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


def logits(answers: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[answers]


def test_changed_answers_and_lost_points_are_of_pairs() -> None:
    test = Split(np.zeros((10, 1, 2, 2), np.uint8), LABELS)
    wanted = [0, 1, 2, 0, 1, 2, 0, 1, 0, 1]  # 8 of 10
    first, second = wanted.copy(), wanted.copy()
    first[0], first[9] = 1, 2  # one more wrong, and one wrong otherwise
    second[8] = 2  # one more right
    answers = {"onnxruntime": logits(first), "openvino": logits(second)}
    one, two = verified("accuracy", answers, logits(wanted), test)
    assert (one.changed, two.changed) == (2, 1)
    assert (one.lost, two.lost) == pytest.approx((10, -10))
    assert two.unlike == {"onnxruntime": 3}
    assert one.lost_low < 0 < 10 < one.lost_high
    worse = 100 * ((np.array(first) != LABELS) - 1.0 * (np.array(wanted) != LABELS))
    assert one.lost_high - one.lost == pytest.approx(1.96 * worse.std(ddof=1) / 10**0.5)
    assert (one.test.value, two.test.value) == (70, 90)
    assert str(two).startswith("90 % [")
    assert "1 answer not float32's (10 %" in str(two)


def test_of_numbers_the_error_counts() -> None:
    targets = np.linspace(0, 9, 10)
    test = Split(np.zeros((10, 4), np.float32), targets)
    wanted = (targets + 0.5)[:, None].astype(np.float32)
    given = wanted.copy()
    given[3] += 0.25
    (found,) = verified("mae", {"onnxruntime": given}, wanted, test)
    assert found.changed == 1
    assert found.lost == pytest.approx(0.025)
    assert found.test == worth_of("mae", given, test)


@pytest.mark.parametrize("metric", ["mae", "accuracy"])
def test_one_example_bounds_nothing(metric: str) -> None:
    test = Split(np.zeros((1, 4), np.float32), np.array([1]))
    answers = logits([1]) if metric == "accuracy" else np.array([[1.5]], np.float32)
    (found,) = verified(metric, {"onnxruntime": answers}, answers, test)
    assert found.describe()["lost"] == {"value": 0.0, "low": None, "high": None}
    if metric == "mae":
        assert found.test.describe() == {"mae": 0.5, "low": None, "high": None, "n": 1}
