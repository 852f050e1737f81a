"""Published spaces of chains of inverted residual blocks, and one that a CPU can train.

Stages and blocks count from 1, as the tables of their papers do: `s2.b1.kernel` is the kernel of
the first block of the second stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = ["NAMED"]

Choice = int | float | str


def _stages(first: int, depths: Sequence[int]) -> dict[str, Choice]:
    """MobileNetV2's own choices for stages of these depths."""
    stages: dict[str, Choice] = {}
    for stage, depth in enumerate(depths, first):
        stages |= {f"s{stage}.depth": depth, f"s{stage}.kernel": 3, f"s{stage}.expand": 6}
    return stages


def _proxyless(*stages: str) -> dict[str, Choice]:
    """The choices that stages written as in `53 33` make: kernel and expansion of each block."""
    choices: dict[str, Choice] = {}
    for stage, blocks in enumerate(stages, 2):
        written = blocks.split()
        if stage < 7:
            choices[f"s{stage}.depth"] = len(written)
        for block, digits in enumerate(written, 1):
            choices[f"s{stage}.b{block}.kernel"] = int(digits[0])
            choices[f"s{stage}.b{block}.expand"] = int(digits[1])
    return choices


def _mnasnet(*stages: str) -> dict[str, Choice]:
    """The choices that stages written as in `mbconv3 5 0.25 40 3` make."""
    choices: dict[str, Choice] = {}
    for stage, written in enumerate(stages, 1):
        operation, kernel, squeeze, channels, layers = written.split()
        choices[f"s{stage}.operation"] = operation
        choices[f"s{stage}.kernel"] = int(kernel)
        choices[f"s{stage}.squeeze"] = float(squeeze)
        choices[f"s{stage}.channels"] = int(channels)
        choices[f"s{stage}.layers"] = int(layers)
        if int(layers) > 1:
            choices[f"s{stage}.skip"] = "identity"
    return choices


NAMED: Mapping[str, Mapping[str, Mapping[str, Choice]]] = MappingProxyType(
    {
        "mobilenetv2": {"mobilenetv2": {"width": 1.0, **_stages(2, (2, 3, 4, 3, 3, 1))}},
        "mbv2-mini": {"mobilenetv2": {"width": 16, **_stages(1, (1, 2, 3))}},
        "proxyless": {
            "proxyless-mobile": _proxyless(
                "53 33", "73 33 53 53", "76 53 53 53", "56 53 53 53", "76 76 73 73", "76"
            ),
        },
        "mnasnet": {
            "mnasnet-a1": _mnasnet(
                "sepconv 3 0 16 1",
                "mbconv6 3 0 24 2",
                "mbconv3 5 0.25 40 3",
                "mbconv6 3 0 80 4",
                "mbconv6 3 0.25 112 2",
                "mbconv6 5 0.25 160 3",
                "mbconv6 3 0 320 1",
            ),
            "mnasnet-b1": _mnasnet(
                "sepconv 3 0 16 1",
                "mbconv3 3 0 24 3",
                "mbconv3 5 0 40 3",
                "mbconv6 5 0 80 3",
                "mbconv6 3 0 96 2",
                "mbconv6 5 0 192 4",
                "mbconv6 3 0 320 1",
            ),
        },
        "efficientnet": {f"efficientnet-b{scale}": {"scale": f"b{scale}"} for scale in range(8)},
    }
)
"""Published networks: by space and by name, the choices that make them."""
