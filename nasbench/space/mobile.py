"""Published spaces of chains of inverted residual blocks, and one that a CPU can train.

Stages and blocks count from 1, as the tables of their papers do: `s2.b1.kernel` is the kernel of
the first block of the second stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from nasbench.space.drawing import DrawnBlock, DrawnStage
from nasbench.space.published import PublishedSpace
from nasbench.space.rules import Value

__all__ = ["NAMED", "efficientnet", "mbv2_mini", "mnasnet", "mobilenetv2", "proxyless"]

_DEPTHS = (1, 2, 3, 4)
_EXPANSIONS = (3, 6)


def _stages(first: int, depths: Sequence[int]) -> dict[str, Value]:
    """MobileNetV2's own choices for stages of these depths."""
    stages: dict[str, Value] = {}
    for stage, depth in enumerate(depths, first):
        stages |= {f"s{stage}.depth": depth, f"s{stage}.kernel": 3, f"s{stage}.expand": 6}
    return stages


_STEM = DrawnStage("input", (DrawnBlock("conv 3×3"),))
_HEAD = DrawnStage("answer", (DrawnBlock("conv 1×1\nmean\nlinear"),))


def _residual(name: str) -> DrawnBlock:
    """An inverted residual, whose kernel and expansion are decisions that begin so."""
    return DrawnBlock(
        f"{{{name}.kernel}}×{{{name}.kernel}}\nexpand {{{name}.expand}}", f"{name}.kernel"
    )


def _drawn(stages: Sequence[int]) -> tuple[DrawnStage, ...]:
    """Stages whose blocks are all alike, as many as their depth."""
    middle = (
        DrawnStage(f"stage {stage}", (_residual(f"s{stage}"),), f"s{stage}.depth")
        for stage in stages
    )
    return (_STEM._replace(title="width {width}"), *middle, _HEAD)


def _proxyless(*stages: str) -> dict[str, Value]:
    """The choices that stages written as in `53 33` make: kernel and expansion of each block."""
    choices: dict[str, Value] = {}
    for stage, blocks in enumerate(stages, 2):
        written = blocks.split()
        if stage < 7:
            choices[f"s{stage}.depth"] = len(written)
        for block, digits in enumerate(written, 1):
            choices[f"s{stage}.b{block}.kernel"] = int(digits[0])
            choices[f"s{stage}.b{block}.expand"] = int(digits[1])
    return choices


def _mnasnet(*stages: str) -> dict[str, Value]:
    """The choices that stages written as in `mbconv3 5 0.25 40 3` make."""
    choices: dict[str, Value] = {}
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


NAMED: Mapping[str, Mapping[str, Mapping[str, Value]]] = MappingProxyType(
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


def mobilenetv2() -> PublishedSpace:
    """Networks round MobileNetV2: a width, and depth, kernel and expansion of six stages.

    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018. The
    widths are those of its release; `NAMED` has the network itself. The first stage, one block
    that does not expand, stays as it is.
    """
    decisions: dict[str, Sequence[Value]] = {"width": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)}
    for stage in range(2, 8):
        decisions[f"s{stage}.depth"] = _DEPTHS
        decisions[f"s{stage}.kernel"] = (3, 5, 7)
        decisions[f"s{stage}.expand"] = _EXPANSIONS
    first = DrawnStage("stage 1", (DrawnBlock("3×3\nexpand 1"),))
    stem, *others = _drawn(range(2, 8))
    return PublishedSpace(
        "mobilenetv2", decisions, NAMED["mobilenetv2"], stages=(stem, first, *others)
    )


def proxyless() -> PublishedSpace:
    """The space of ProxylessNAS for mobile devices: 5.4e16 networks.

    Cai, Zhu & Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and
    Hardware", ICLR 2019. Each block has a kernel and an expansion; five stages have 1 to 4
    blocks, which the paper says by blocks that may be left out. A block past its stage's depth
    decides nothing.
    """
    decisions: dict[str, Sequence[Value]] = {}
    only_if: dict[str, dict[str, Sequence[Value]]] = {}
    for stage in range(2, 8):
        blocks = len(_DEPTHS) if stage < 7 else 1
        if blocks > 1:
            decisions[f"s{stage}.depth"] = _DEPTHS
        for block in range(1, blocks + 1):
            for decision, choices in (("kernel", (3, 5, 7)), ("expand", _EXPANSIONS)):
                name = f"s{stage}.b{block}.{decision}"
                decisions[name] = choices
                if block > 1:
                    only_if[name] = {f"s{stage}.depth": _DEPTHS[block - 1 :]}
    first = DrawnStage("stage 1", (DrawnBlock("3×3\nexpand 1"),))
    middle = (
        DrawnStage(
            f"stage {stage}",
            tuple(_residual(f"s{stage}.b{block}") for block in range(1, 5 if stage < 7 else 2)),
        )
        for stage in range(2, 8)
    )
    drawn = (_STEM, first, *middle, _HEAD)
    return PublishedSpace("proxyless", decisions, NAMED["proxyless"], only_if=only_if, stages=drawn)


_MNASNET = (
    ((8, 16, 24), (1, 2)),
    ((16, 24, 32), (1, 2, 3)),
    ((24, 32, 40), (2, 3, 4)),
    ((48, 64, 80), (3, 4, 5)),
    ((72, 96, 112, 120), (2, 3, 4)),
    ((120, 160, 192, 200), (2, 3, 4)),
    ((240, 320, 400), (1, 2)),
)
"""Of each stage: channels and layers."""


def mnasnet() -> PublishedSpace:
    """The space of MnasNet: seven stages, each with layers of one kind.

    Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019. A
    stage has an operation (inverted residuals that expand 3 or 6 times, separable or plain
    convolutions), a kernel, squeeze-and-excitation or none, what goes round layers whose output
    has the shape of their input, channels and layers.

    The paper takes channels of 0.75, 1 and 1.25 times those of MobileNetV2, and one layer less
    or more. Here they are multiples of 8; stages 5 and 6 also have the 112 and 192 of the
    published MnasNet-A1 and B1, which are no such multiples. `NAMED` has both networks. The
    skip of a stage of one layer decides nothing: that layer changes the channels.
    """
    decisions: dict[str, Sequence[Value]] = {}
    only_if: dict[str, dict[str, Sequence[Value]]] = {}
    for stage, (channels, layers) in enumerate(_MNASNET, 1):
        decisions[f"s{stage}.operation"] = ("conv", "sepconv", "mbconv3", "mbconv6")
        decisions[f"s{stage}.kernel"] = (3, 5)
        decisions[f"s{stage}.squeeze"] = (0.0, 0.25)
        decisions[f"s{stage}.channels"] = channels
        decisions[f"s{stage}.layers"] = layers
        decisions[f"s{stage}.skip"] = ("identity", "pool", "none")
        if layers[0] == 1:
            only_if[f"s{stage}.skip"] = {f"s{stage}.layers": layers[1:]}
    middle = (
        DrawnStage(
            f"stage {stage}\n{{s{stage}.channels}} wide\nskip {{s{stage}.skip}}",
            (
                DrawnBlock(
                    f"{{s{stage}.operation}}\n{{s{stage}.kernel}}×{{s{stage}.kernel}}\n"
                    f"squeeze {{s{stage}.squeeze}}",
                    f"s{stage}.operation",
                ),
            ),
            f"s{stage}.layers",
        )
        for stage in range(1, len(_MNASNET) + 1)
    )
    drawn = (_STEM, *middle, _HEAD)
    return PublishedSpace("mnasnet", decisions, NAMED["mnasnet"], only_if=only_if, stages=drawn)


def efficientnet() -> PublishedSpace:
    """EfficientNet-B0 to B7: depth and width scaled together, a space of one decision.

    Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
    2019. The image's side is scaled, too, from 224 to 600; it is the task that has images.
    """
    return PublishedSpace(
        "efficientnet",
        {"scale": [f"b{scale}" for scale in range(8)]},
        NAMED["efficientnet"],
    )


def mbv2_mini() -> PublishedSpace:
    """The first three stages of MobileNetV2 for small images: 3,456 networks.

    The stages have 1, 1.5 and 2 times `width` channels, which at 16 are MobileNetV2's own 16, 24
    and 32. `NAMED` has its point: those channels, 1, 2 and 3 blocks, kernels of 3, expansion 6.
    """
    decisions: dict[str, Sequence[Value]] = {"width": (8, 16)}
    for stage in range(1, 4):
        decisions[f"s{stage}.depth"] = (1, 2, 3)
        decisions[f"s{stage}.kernel"] = (3, 5)
        decisions[f"s{stage}.expand"] = _EXPANSIONS
    return PublishedSpace("mbv2-mini", decisions, NAMED["mbv2-mini"], stages=_drawn(range(1, 4)))
