"""Proxies of networks that are not cells: what they are computed by hand, and what is refused."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.errors import Unsupported
from nasbench.network import started
from nasbench.proxy import get, score
from nasbench.proxy.probe import Probe
from nasbench.proxy.registry import OWN
from nasbench.proxy.scoring import check_proxies, examine, names_for
from nasbench.task import Signal, Target

ANY = [name for name, proxy in OWN.items() if not proxy.cells]
DIGITS = nb.task("digits")
RECIPE = nb.Recipe(epochs=1)


@pytest.mark.parametrize("name", sorted(OWN.keys() - set(ANY)))
def test_what_needs_cells_is_refused_by_name_with_the_reason(name: str) -> None:
    with pytest.raises(Unsupported, match=f"{name} is of networks of cells alone, since it"):
        score(nb.space("mixed"), [0], DIGITS, RECIPE, ["snip", name], hardware="cpu")


def test_a_task_of_numbers_is_refused() -> None:
    wine = nb.task("wine")
    number = {n: replace(of, targets=of.targets + 0.5) for n, of in wine.splits.items()}
    prices = replace(wine, **number, classes=(), target=Target("number", ("price",)))
    with pytest.raises(Unsupported, match="task wine has a number"):
        score(nb.space("mlp"), [0], prices, RECIPE, ["snip"])


class Bag(nn.Module):
    """The mean of the vectors of all words, weighed."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 3)
        self.answer = nn.Linear(3, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.answer(self.words(x).mean(1))
        return answer


def test_of_words_gradients_are_by_their_vectors() -> None:
    torch.manual_seed(0)
    net, rng = Bag(), np.random.default_rng(1)
    words, labels = torch.from_numpy(rng.integers(0, 9, (6, 5))), torch.arange(6) % 2
    signal = Signal("tokens", (5,), "uint16", vocabulary=9)
    probe = Probe([net], words, labels, np.random.SeedSequence(0), signal=signal)
    total = net.answer.weight.detach().sum(0)
    assert torch.allclose(probe.input_jacobian[0], (total / 5).repeat(6, 5))
    names = ["grad_norm", "fisher", "params", "synflow"]
    found = examine(probe, [get(name) for name in names])
    F.cross_entropy(net(words), labels).backward()
    weights = [net.words.weight, net.answer.weight]
    norms = sum(float(w.grad.norm()) for w in weights if w.grad is not None)
    assert found["grad_norm"][0][0] == pytest.approx(norms, rel=1e-5)
    assert found["params"][0][0] == 9 * 3 + 3 * 2
    assert found["synflow"][1] == {0: "tokens are no numbers: there is no input of ones"}
    vectors = net.words(words).detach().requires_grad_()
    answers = net.answer(vectors.mean(1))
    answers.retain_grad()
    F.cross_entropy(answers, labels).backward()
    assert vectors.grad is not None
    assert answers.grad is not None
    by_hand = (vectors * vectors.grad).sum(1).square().mean(0).sum() / 2
    by_hand += (answers * answers.grad).square().mean(0).sum() / 2
    assert found["fisher"][0][0] == pytest.approx(by_hand.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "about"),
    [("mixed", "digits"), ("darts-mini", "digits"), ("mlp", "wine"), ("transformer", "banking77")],
)
def test_any_network_has_a_number_or_a_reason(name: str, about: str) -> None:
    """Attention, LayerNorm, GELU and dropout are among them."""
    space, task = nb.space(name), nb.task(about)
    some = space.sample(np.random.default_rng(0), 3)
    torch.manual_seed(5)
    kept = torch.get_rng_state()
    found = score(space, some, task, RECIPE, ANY, batch_size=8, hardware="cpu", group=8)
    again = score(space, some[:1], task, RECIPE, ANY, batch_size=8, hardware="cpu")
    assert torch.equal(torch.get_rng_state(), kept)
    explained = {(proxy, place) for proxy, place, _, _ in found.reasons}
    for proxy, values in found.values.items():
        lacking = {(proxy, int(place)) for place in np.flatnonzero(np.isnan(values[:, 0]))}
        assert lacking <= explained
        assert np.array_equal(values[:1], again.values[proxy], equal_nan=True)
    reasons = {(proxy, why) for proxy, _, _, why in found.reasons}
    known = {
        ("nwot", "it has no ReLU layer"),
        ("synflow", "it normalises by other layers than BatchNorm"),
        ("synflow", "tokens are no numbers: there is no input of ones"),
    }
    assert reasons <= known, "whatever needs ReLU or BatchNorm says so, and nothing fails"


def test_values_are_those_computed_by_hand() -> None:
    space = nb.space("mbv2-mini")
    net = started(space, 1234, DIGITS, RECIPE, 3)
    images = torch.from_numpy(DIGITS.train.images[:16].astype(np.float32) / 255)
    labels = torch.from_numpy(DIGITS.train.labels[:16])
    probe = Probe([net], images, labels, np.random.SeedSequence(0))
    names = ["grad_norm", "snip", "l2_norm", "params", "nwot", "fisher"]
    found = {n: float(v[0]) for n, (v, _) in examine(probe, [get(n) for n in names]).items()}

    mine = copy.deepcopy(net).train()
    given: dict[nn.Module, torch.Tensor] = {}
    codes: list[torch.Tensor] = []

    def keep(module: nn.Module, _: object, output: torch.Tensor) -> None:
        output.retain_grad()
        given[module] = output

    for module in mine.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(keep)
        elif isinstance(module, nn.ReLU6):
            module.inplace = False
            module.register_forward_hook(lambda _, __, y: codes.append((y > 0).flatten(1)))
    F.cross_entropy(mine(images), labels).backward()
    learnt = [module.get_parameter("weight") for module in given]
    weights = [weight.detach() for weight in learnt]
    gradients = [weight.grad for weight in learnt if weight.grad is not None]
    assert found["params"] == sum(p.numel() for p in net.parameters())
    assert found["l2_norm"] == pytest.approx(sum(float(w.norm()) for w in weights))
    assert found["grad_norm"] == pytest.approx(sum(float(g.norm()) for g in gradients), rel=1e-4)
    by_hand = sum(float((w * g).abs().sum()) for w, g in zip(weights, gradients, strict=True))
    assert found["snip"] == pytest.approx(by_hand, rel=1e-4)
    fisher = 0.0
    for output in given.values():
        assert output.grad is not None
        product = (output.detach() * output.grad)[:, :, None].flatten(2).sum(2)
        fisher += float(product.square().mean(0).sum() / 2)
    assert found["fisher"] == pytest.approx(fisher, rel=1e-4)
    code = torch.cat(codes, 1).double()
    alike = code @ code.T + (1 - code) @ (1 - code).T
    assert found["nwot"] == pytest.approx(float(torch.linalg.slogdet(alike)[1]), rel=1e-6)


@pytest.mark.parametrize("space", ["nb201-mini", "mixed", "transformer", "mlp"])
def test_what_a_space_has_is_what_is_not_refused_there(space: str) -> None:
    had = names_for(nb.space(space))
    assert check_proxies(nb.space(space), had)
    for name in OWN.keys() - set(had):
        with pytest.raises(Unsupported, match=f"^{name} is of networks of cells alone"):
            check_proxies(nb.space(space), [name])
