"""Proxies by name: those of this package, those of others, and one's own by a decorator.

Nothing here loads torch; a proxy's function is loaded when it is first scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from nasbench._code import found_at, place_of
from nasbench.errors import BadValue, NasbenchError, shown, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from torch import Tensor, nn

__all__ = ["Better", "Proxy", "get", "hear", "name_of", "names", "place", "proxy"]

GROUP = "nasbench.proxies"
"""Entry points of other packages: a proxy's name, and the decorated function."""

Better = Literal["high", "low"]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number that is known of a network before it is trained.

    Attributes:
        name: as tables and reports say it.
        better: whether a `high` or a `low` value speaks for a network.
        paper: who proposed it and where.
        about: BatchNorm's mode, the dtype and what of the batch is used.
        random: whether the start or the batch matters; where not, all draws are one.
        function: `(network, images, labels) -> float`, called network by network; or, of this
            package's own, where to find `(probe) -> [networks]`, as `module:function`.
        cells: why it is of networks of cells alone; empty where any network has it.

    Example:
        >>> synflow = get("synflow")
        >>> synflow.name, synflow.better, synflow.random
        ('synflow', 'high', True)
    """

    name: str
    better: Better
    paper: str
    about: str
    random: bool = True
    function: Callable[[nn.Module, Tensor, Tensor], float] | str = ""
    cells: str = ""

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        if not isinstance(self.function, str):
            return self.function
        module, function = self.function.split(":")
        loaded: Callable[..., Any] = getattr(import_module(module), function)
        return loaded


def _own() -> dict[str, Proxy]:
    train = "BatchNorm by the batch's statistics; float32"
    abdelfattah = "as in Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    suite_zero = "as in Krishnakumar et al., NAS-Bench-Suite-Zero, NeurIPS 2022"
    te_nas = (
        "Chen, Gong & Wang, Neural Architecture Search on ImageNet in Four GPU Hours, ICLR 2021"
    )
    az_nas = (
        "Lee & Ham, AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search, CVPR 2024"
    )
    mellor = "Mellor et al., Neural Architecture Search without Training"

    def own(
        name: str,
        better: Better,
        home: str,
        paper: str,
        about: str,
        random: bool = True,
        cells: str = "",
    ) -> Proxy:
        return Proxy(name, better, paper, about, random, f"nasbench.proxy.{home}:{name}", cells)

    blocks = "its blocks are the stem, the cells and what stands between the stages"

    proxies = (
        own("grad_norm", "high", "gradients", abdelfattah, f"{train}; the loss of the batch"),
        own(
            "snip",
            "high",
            "gradients",
            f"Lee, Ajanthan & Torr, SNIP, ICLR 2019; {abdelfattah}",
            f"{train}; the loss of the batch",
        ),
        own(
            "grasp",
            "high",
            "gradients",
            f"Wang, Zhang & Grosse, Picking Winning Tickets before Training by Preserving "
            f"Gradient Flow, ICLR 2020; {abdelfattah}",
            f"{train}; the loss of the batch; signed",
        ),
        own(
            "fisher",
            "high",
            "gradients",
            f"Theis et al., Faster Gaze Prediction with Dense Networks and Fisher Pruning, 2018; "
            f"Turner et al., BlockSwap, ICLR 2020; {abdelfattah}",
            f"{train}; the loss of the batch",
        ),
        own(
            "plain",
            "low",
            "gradients",
            f"Mozer & Smolensky, Skeletonization, NeurIPS 1988; {suite_zero}",
            f"{train}; the loss of the batch; signed",
        ),
        own("l2_norm", "high", "gradients", suite_zero, "the start alone, without images"),
        own(
            "zico",
            "high",
            "gradients",
            "Li et al., ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients, "
            "ICLR 2023",
            f"{train}; the losses of the batch's two halves",
        ),
        own(
            "synflow",
            "high",
            "flow",
            f"Tanaka et al., Pruning Neural Networks without Any Data by Iteratively Conserving "
            f"Synaptic Flow, NeurIPS 2020; {abdelfattah}",
            "BatchNorm left out; float64; one image of ones; the natural logarithm of the sum",
        ),
        own(
            "zen",
            "high",
            "flow",
            "Lin et al., Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition, "
            "ICCV 2021",
            f"{train}; normal weights and as many normal images as the batch has",
            cells="it is of convolutions that BatchNorm follows, up to one pooling at the end",
        ),
        own("nwot", "high", "kernels", f"{mellor}, ICML 2021", f"{train}; the batch's images"),
        own(
            "jacob_cov",
            "high",
            "kernels",
            f"{mellor}, first version, arXiv:2006.04647v1, 2020",
            f"{train}; the batch's images",
        ),
        own(
            "epe_nas",
            "high",
            "kernels",
            "Lopes, Alirezazadeh & Alexandre, EPE-NAS: Efficient Performance Estimation Without "
            "Training for Neural Architecture Search, ICANN 2021",
            f"{train}; the batch's images and labels",
        ),
        own("ntk_condition", "low", "kernels", te_nas, f"{train}; the batch's first 32 images"),
        own(
            "linear_regions",
            "high",
            "thin",
            te_nas,
            f"{train}; 1,000 patches of 3 x 3 pixels of the batch, in networks of one channel "
            f"and one cell a stage",
            cells="it builds the cells anew in a network of one channel",
        ),
        *(
            own(name, "high", "az_nas", az_nas, f"{train}; the batch's images", cells=blocks)
            for name in ("az_expressivity", "az_progressivity", "az_trainability")
        ),
        own("params", "high", "size", "", "trainable numbers", random=False),
        own(
            "flops",
            "high",
            "size",
            "",
            "multiply-adds of convolutions and classifier for one image",
            random=False,
        ),
    )
    return {each.name: each for each in proxies}


OWN: Mapping[str, Proxy] = _own()
_decorated: dict[str, Proxy] = {}


def proxy(
    *, better: Better, name: str = "", paper: str = "", about: str = "", random: bool = True
) -> Callable[[Callable[[nn.Module, Tensor, Tensor], float]], Proxy]:
    """Make a proxy of a plain function `(network, images, labels) -> float`.

        @proxy(better="high", about="BatchNorm by its running statistics")
        def confidence(network, images, labels):
            return network.eval()(images).softmax(1).amax(1).mean().item()

    The function is called with a copy of each network at its start, in training mode, with
    standardised images `[batch, channels, height, width]` and labels int64 `[batch]`. It has
    the name from here on in this process; name the decorated function in the entry point group
    `nasbench.proxies` to have it in all.

    Args:
        better: whether `high` or `low` values speak for a network.
        name: the proxy's; by default the function's.
        paper: who proposed it.
        about: what a reader should know: BatchNorm's mode, the dtype.
        random: False where neither start nor batch matters.

    Example:
        >>> @proxy(better="low", about="how many modules there are", random=False)
        ... def modules(network, images, labels):
        ...     return float(len(list(network.modules())))
        >>> modules.name, modules.better
        ('modules', 'low')
    """
    if better not in ("high", "low"):
        raise NasbenchError(f"better is 'high' or 'low', got {better!r}")

    def decorated(function: Callable[[nn.Module, Tensor, Tensor], float]) -> Proxy:
        made = Proxy(name or function.__name__, better, paper, about, random, function)
        if made.name in OWN:
            raise NasbenchError(f"{made.name} is a proxy of nasbench: give yours another name")
        _decorated[made.name] = made
        return made

    return decorated


def name_of(given: str | Proxy | Callable[[nn.Module, Tensor, Tensor], float]) -> str:
    """The name of a proxy: its own, or from here on that of a plain function.

    High values of a plain function speak for a network; `proxy` says otherwise.

    Raises:
        BadValue: for what is none.
    """
    if isinstance(given, Proxy):
        if given.name not in OWN:
            _decorated[given.name] = given
        return given.name
    if isinstance(given, str):
        return given
    if not callable(given):
        raise BadValue(
            f"a proxy is a name or a function of (network, images, labels), got {shown(given)}"
        )
    own_name = getattr(given, "__name__", type(given).__name__)
    return proxy(better="high", name=re.sub(r"\W+", "", own_name))(given).name


def place(name: str) -> str | None:
    """Where other processes find a proxy that was given here; None of one that they know.

    Empty where they cannot: a notebook, a script or standard input defines it.
    """
    given = _decorated.get(name)
    if given is None or name in _registered():
        return None
    return place_of(given.function, given)


def hear(name: str, place: str) -> None:
    """Have a proxy that another process was given, from its place."""
    found = found_at(place)
    if name not in _decorated:  # else its decorator has done it
        proxy(better="high", name=name)(found)


@cache
def _registered() -> Mapping[str, EntryPoint]:
    """Entry points by name, looked for once and no sooner than needed: it takes milliseconds."""
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found.keys() - OWN.keys())}


def names() -> tuple[str, ...]:
    """The names that `get` knows: this package's, other packages', those decorated here.

    Example:
        >>> {"flops", "synflow", "nwot"} <= set(names())
        True
    """
    return tuple(dict.fromkeys((*OWN, *_registered(), *_decorated)))


def get(name: str) -> Proxy:
    """The proxy of that name.

    Example:
        >>> get("zen").better
        'high'
    """
    if name in OWN:
        return OWN[name]
    if name in _decorated:
        return _decorated[name]
    if name not in _registered():
        raise unknown("proxy", name, names())
    try:
        loaded = _registered()[name].load()
    except Exception as error:  # a third party's module can fail in any way
        raise NasbenchError(f"proxy {name} cannot be loaded: {error}") from error
    if not isinstance(loaded, Proxy) or loaded.name != name:
        raise NasbenchError(
            f"entry point {name} of {GROUP} must name a proxy of that name, got {loaded!r}"
        )
    return loaded
