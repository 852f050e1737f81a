"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nasbench.stats import pareto_front

# Few values, so that ties are common; NaN and infinities among them.
NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, -1.5, np.nan, np.inf])


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=14))
def test_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    cost = [c for c, _ in points]
    value = [v for _, v in points]
    front = pareto_front(cost, value).tolist()
    known = [i for i in range(len(points)) if np.isfinite(points[i]).all()]

    def beaten(i: int) -> bool:
        return any(
            cost[j] <= cost[i]
            and value[j] >= value[i]
            and (cost[j] < cost[i] or value[j] > value[i] or j < i)  # of equals the first stays
            for j in known
        )

    expected = sorted((i for i in known if not beaten(i)), key=lambda i: cost[i])
    assert front == expected
