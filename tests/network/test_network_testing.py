"""What `check_family` finds: what cannot be trained, and decisions that change no network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import FunctionFamily, making, testing
from nasbench.network.testing import Asked, check_family
from nasbench.space import ChoiceSpace
from nasbench.task import Signal

DEPTHS = {"depth": [1, 2, 3], "width2": [3, 5], "drop": [0.0, 0.5]}
RULE = {"width2": {"depth": [2, 3]}}


def layers(choices, inputs, outputs, *, width=4):
    body, before = [nn.Flatten()], 8
    for place in range(choices["depth"]):
        after = choices["width2"] if place == 1 else width
        body += [nn.Linear(before, after), nn.ReLU()]
        before = after
    return nn.Sequential(*body, nn.Dropout(choices["drop"]), nn.Linear(before, outputs))


ASKED = Asked(Signal("features", (8,), "float32", (0,) * 8), 3)


def found(monkeypatch, build, decisions=DEPTHS, only_if=None, asked=ASKED):
    space = ChoiceSpace("mine", decisions, only_if=only_if)
    family = FunctionFamily("mine", build)
    for module in (making, testing):
        monkeypatch.setattr(module, "family_of", lambda space: family)
    return check_family(space, asked)


def test_a_sound_family_has_no_findings(monkeypatch):
    check = found(monkeypatch, layers, only_if=RULE)
    assert check.findings == ()
    assert check.networks == 10
    assert check.parameters == (
        8 * 4 + 4 + 4 * 3 + 3,
        8 * 4 + 4 + 4 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3,
    )


def test_a_forgotten_only_if_is_named_with_the_rule(monkeypatch):
    [finding] = found(monkeypatch, layers).findings
    rule = '{"width2": {"depth": [2, 3]}}'
    assert finding == f"width2 changes no network where depth is 1: only_if = {rule} says so"


def test_a_decision_that_build_does_not_read_is_named(monkeypatch):
    space = {"depth": [1, 2], "norm": ["batch", "layer"]}
    build = lambda choices, inputs, outputs: nn.Linear(8 * 1, outputs, choices["depth"] == 1)  # noqa: E731
    [finding] = found(monkeypatch, build, space).findings
    assert finding.startswith("norm changes no network: build does not read it")


def test_two_choices_that_are_one_network_are_named(monkeypatch):
    space = {"kernel": [3, 4, 5]}
    build = lambda choices, inputs, outputs: nn.Sequential(  # noqa: E731
        nn.Linear(8, choices["kernel"] // 2), nn.Linear(choices["kernel"] // 2, outputs)
    )
    [finding] = found(monkeypatch, build, space).findings
    assert finding == "choices 4 and 5 of kernel give the same network"


def test_dropout_makes_another_network(monkeypatch):
    """Its modules are told apart by what they say, and a dropout by hand by what it does."""

    class ByHand(nn.Module):
        def __init__(self, chance):
            super().__init__()
            self.chance = chance

        def forward(self, x):
            return nn.functional.dropout(x, self.chance, self.training)

    build = lambda c, inputs, outputs: nn.Sequential(ByHand(c["drop"]), nn.Linear(8, outputs))  # noqa: E731
    assert found(monkeypatch, build, {"drop": [0.0, 0.5]}).findings == ()


def test_what_no_gradient_reaches_is_named(monkeypatch):
    class Idle(nn.Linear):
        def __init__(self, outputs):
            super().__init__(8, outputs)
            self.extra = nn.Linear(2, 2)

    [finding] = found(monkeypatch, lambda c, i, outputs: Idle(outputs), {"a": [1]}).findings
    assert finding.startswith("extra.weight and extra.bias of 1 takes no part")


def test_a_start_that_is_drawn_elsewhere_is_named(monkeypatch):
    def build(choices, inputs, outputs):
        net = nn.Linear(8, outputs)
        net.weight.data.normal_(generator=torch.Generator().manual_seed(build.calls))
        build.calls += 1
        return net

    build.calls = 0
    [finding] = found(monkeypatch, build, {"a": [1]}).findings
    assert "another generator than PyTorch's" in finding


def test_weights_that_are_no_numbers_are_not_taken_for_another_start(monkeypatch):
    def build(choices, inputs, outputs):
        net = nn.Linear(8, outputs)
        nn.init.constant_(net.weight, float("nan"))
        return net

    [finding] = found(monkeypatch, build, {"a": [1]}).findings
    assert finding.endswith("gives numbers that are not finite")


class To(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, x):
        return x.to(self.dtype)


class Squeezed(nn.Module):
    """Is not made for one example."""

    def __init__(self, *, fails=False):
        super().__init__()
        self.fails = fails

    def forward(self, x):
        if self.fails and len(x) == 1:
            raise RuntimeError("one")
        return x.squeeze()


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (
            lambda c, i, outputs: nn.Linear(8, outputs + 1),
            r"gives \[4, 4\] for 4 examples, not \[4",
        ),
        (
            lambda c, i, outputs: nn.Linear(9, outputs),
            r"fails on 4 examples of \[8\]: RuntimeError",
        ),
        (
            lambda c, i, outputs: nn.Sequential(nn.Linear(8, outputs), To(torch.bfloat16)),
            r"gives bfloat16, and is trained, timed and exported in float32",
        ),
        (
            lambda c, i, outputs: nn.Sequential(nn.Linear(8, outputs), Squeezed()),
            r"gives \[3\] for 1 example, not \[1, 3\]",
        ),
        (
            lambda c, i, outputs: nn.Sequential(nn.Linear(8, outputs), Squeezed(fails=True)),
            r"fails on 1 example of \[8\] in evaluation mode: RuntimeError: one",
        ),
        (lambda c, i, outputs: nn.Softmax(1), r"gives \[4, 8\]"),
        (lambda c, i, outputs: c["depht"], "depht"),
    ],
)
def test_what_cannot_be_run_is_an_error(monkeypatch, build, why):
    with pytest.raises(NasbenchError, match=why):
        found(monkeypatch, build)


def test_a_build_that_seeds_the_generator_is_named(monkeypatch):
    def build(choices, inputs, outputs):
        torch.manual_seed(choices["a"])
        return nn.Linear(8, outputs)

    findings = found(monkeypatch, build, {"a": [1, 2]}).findings
    assert "start alike with seeds 0 and 1" in findings[0]


class Named(nn.Sequential):
    """Gives what others put into a tuple by name."""

    def forward(self, x):
        answer = super().forward(x)
        return {"logits": answer, "more": answer[:, :1]}


def test_of_a_network_that_answers_by_name_the_first_counts(monkeypatch):
    def build(choices, inputs, outputs):
        return Named(nn.Flatten(), nn.Linear(8, choices["a"]), nn.Linear(choices["a"], outputs))

    assert found(monkeypatch, build, {"a": [1, 2]}).findings == ()


def test_without_a_task_the_first_signal_that_fits_is_tried(monkeypatch):
    check = found(monkeypatch, layers, only_if=RULE, asked=None)
    assert check.inputs.startswith("8 features")
    with pytest.raises(Unsupported, match=r"returned a int, .* name what its networks are for"):
        found(monkeypatch, lambda c, i, o: 3, {"a": [1]}, asked=None)
