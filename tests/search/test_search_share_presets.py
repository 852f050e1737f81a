"""Published protocols: what they set, of strategies that take it."""

from __future__ import annotations

import inspect

import pytest

from nasbench.errors import NasbenchError
from nasbench.search.share_presets import PRESETS, preset_of
from nasbench.search.strategy import strategy_class


def test_presets_set_parameters_that_strategies_have() -> None:
    for name, preset in PRESETS.items():
        assert set(preset.epochs) == set(preset.parameters)
        for strategy in preset.epochs:
            known = inspect.signature(strategy_class(strategy)).parameters
            assert set(preset_of(name, strategy).parameters) <= set(known)
    # What made ENAS 54 and 94: whose statistics its scores go by.
    norms = [preset_of(name, "enas").norm for name in ("nas-bench-201", "nats-bench")]
    assert norms == ["running", "batch"]
    assert preset_of("nas-bench-201", "darts").norm == "batch"


@pytest.mark.parametrize(
    ("name", "strategy", "said"),
    [("nats", "rsps", "preset 'nats'.*nats-bench"), ("nats-bench", "ofa", "and not of ofa")],
)
def test_what_is_no_preset_is_said(name: str, strategy: str, said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        preset_of(name, strategy)
