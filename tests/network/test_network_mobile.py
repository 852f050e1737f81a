"""Mobile networks: published ones to the digit, and equal to other libraries' as functions."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import torch
from seldom import seldom
from shipped import CIFAR, IMAGENET, IMAGES, MELS, check_network, counted
from torch import nn

from nasbench.errors import Unsupported
from nasbench.network import mobile
from nasbench.space.mobile import NAMED
from nasbench.task import Signal

pytestmark = pytest.mark.heavy

BUILD = {name: getattr(mobile, name.replace("-", "_")) for name in NAMED}

PUBLISHED = [
    ("mobilenetv2", "mobilenetv2", 3_504_872, 300_774_272),
    ("proxyless", "proxyless-mobile", 4_080_512, 320_427_584),
    ("mnasnet", "mnasnet-a1", 3_887_038, 311_579_072),
    ("mnasnet", "mnasnet-b1", 4_383_312, 314_415_872),
    ("efficientnet", "efficientnet-b0", 5_288_548, 385_814_752),
    ("efficientnet", "efficientnet-b4", 19_341_616, 1_503_710_432),
    ("efficientnet", "efficientnet-b7", 66_347_960, 5_169_865_152),
]
"""Parameters with 1,000 classes, and multiply-adds at 224 pixels of convolutions and linear
layers. MobileNetV2, Proxyless and MnasNet say 300, 320 and 312 M; EfficientNet-B0 says 390 M."""
SLOW = {"mnasnet-b1", "efficientnet-b4", "efficientnet-b7"}
"""Another of their family stays."""


@pytest.mark.parametrize(
    ("space", "name", "parameters", "multiply_adds"),
    seldom(lambda of: of[1] in SLOW, PUBLISHED),
)
def test_published_networks_have_their_size_to_the_digit(space, name, parameters, multiply_adds):
    build = partial(BUILD[space], NAMED[space][name])
    assert counted(build, IMAGENET, 1000) == (parameters, multiply_adds)


def test_mobilenetv2_with_ten_classes_has_its_size():
    choices = NAMED["mobilenetv2"]["mobilenetv2"]
    parameters, _ = counted(partial(mobile.mobilenetv2, choices), IMAGENET, 10)
    assert parameters == 2_236_682


def test_the_small_spaces_point_of_mobilenetv2_is_its_first_stages():
    whole = mobile.mobilenetv2(NAMED["mobilenetv2"]["mobilenetv2"], CIFAR, 10)
    small = mobile.mbv2_mini(NAMED["mbv2-mini"]["mobilenetv2"], CIFAR, 10)
    assert len(small.blocks) == 6
    # Blocks that repeat: of 24 and of 32 channels, with kernels of 3 that expand 6 times.
    for one, other in zip((2, 4, 5), (2, 4, 5), strict=True):
        shapes = [p.shape for p in whole.blocks[one].parameters()]
        assert [p.shape for p in small.blocks[other].parameters()] == shapes


@pytest.mark.parametrize("inputs", [IMAGES, MELS], ids=["image", "audio"])
@pytest.mark.parametrize(
    ("space", "choices"),
    [
        (
            "mbv2-mini",
            {
                "width": 8,
                **{f"s{n}.depth": n for n in (1, 2, 3)},
                **{f"s{n}.kernel": 5 for n in (1, 2, 3)},
                **{f"s{n}.expand": 3 for n in (1, 2, 3)},
            },
        ),
        ("mnasnet", None),
        ("efficientnet", {"scale": "b0"}),
    ],
)
def test_networks_learn_from_images_and_from_sound(space, choices, inputs):
    if choices is None:
        choices = {**NAMED["mnasnet"]["mnasnet-a1"], "s1.operation": "conv", "s1.squeeze": 0.25}
        choices |= {"s2.skip": "pool", "s3.skip": "none"}
    network = BUILD[space](choices, inputs, 7, stem_stride=1, dropout=0.0)
    check_network(network, inputs, 7)


def test_a_waveform_is_refused_in_one_sentence():
    wave = Signal("audio", (1, 8000), "float32")
    with pytest.raises(Unsupported, match=r"cannot take sound 1 x 8000 \(waveform\)"):
        mobile.efficientnet({"scale": "b0"}, wave, 10)


@pytest.fixture(scope="module")
def torchvision():
    """The library, with the two operators that it misses beside a PyTorch without CUDA."""
    with suppress(ImportError):
        try:
            import torchvision  # noqa: F401
        except RuntimeError:
            for name in ("nms", "qnms"):
                torch.library.define(
                    f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor"
                )
    return pytest.importorskip("torchvision")


def check_equal(ours, theirs):
    """The same weights in the same order give the same answer, bit for bit."""
    state = list(ours.state_dict().values())
    for mine, other in zip(state, theirs.state_dict().values(), strict=True):
        mine.copy_(other)
    for module in (*ours.modules(), *theirs.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize("width", [0.35, 1.0, 1.4])
def test_mobilenetv2_is_torchvisions(torchvision, width):
    choices = {**NAMED["mobilenetv2"]["mobilenetv2"], "width": width}
    theirs = torchvision.models.mobilenet_v2(width_mult=width)
    check_equal(mobile.mobilenetv2(choices, IMAGENET, 1000), theirs)


def test_efficientnet_is_torchvisions(torchvision):
    theirs = torchvision.models.efficientnet_b0()
    check_equal(mobile.efficientnet({"scale": "b0"}, IMAGENET, 1000), theirs)


@pytest.mark.parametrize(
    ("name", "theirs"), [("mnasnet-a1", "semnasnet_100"), ("mnasnet-b1", "mnasnet_100")]
)
@pytest.mark.usefixtures("torchvision")
def test_mnasnet_is_timms(name, theirs):
    timm = pytest.importorskip("timm")
    ours = mobile.mnasnet(NAMED["mnasnet"][name], IMAGENET, 1000)
    check_equal(ours, timm.create_model(theirs))
