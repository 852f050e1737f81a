"""What the name of a metric says: whether more of it is better, or less."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

__all__ = [
    "COSTS_ALONE",
    "ERRORS",
    "LESS",
    "MORE",
    "Direction",
    "direction",
    "is_error",
    "is_test",
    "metric_name",
    "of_measuring",
    "primary",
    "primary_of",
]

Direction = Literal["max", "min"]

COSTS_ALONE = "costs"
"""What stands for the recipe where nothing was trained, or none is meant."""

ERRORS = """
loss error err wer cer mae mse rmse msle rmsle mape smape nll nlpd logloss xent crossentropy entropy
perplexity ppl bpc bpb bpd ece brier fid kid hinge deviance deviation distance divergence regret
drop gap fpr fnr violations misses mistakes failures overfitting
"""
"""Words of a name that say how wrong a network is."""
LESS = f"""
{ERRORS}
cost costs price latency delay duration time runtime
ns us ms sec secs second seconds minutes hours days energy mj uj nj joule joules wh kwh
power watt watts mw memory bytes kb mb gb kib mib gib parameters params weights flops macs madds
carbon co2
"""
"""Words of a name of which less is better."""
MORE = """
accuracy acc top iou miou dice jaccard map ap mrr ndcg auc auroc auprc roc f1 f2 fscore gmean
precision recall tpr tnr sensitivity specificity r2 ev kappa mcc correlation spearman kendall
pearson tau
likelihood elbo return returns reward rewards score success wins hits gain gains fps ips qps
throughput speed speedup bandwidth psnr ssim snr bleu rouge meteor cider chrf efficiency hypervolume
"""
"""Words of a name of which more is better."""

_ERRORS, _LESS, _MORE = (frozenset(words.split()) for words in (ERRORS, LESS, MORE))
# Compounds that are written together: `testerror`, `gflops`.
_ENDINGS = ("loss", "error", "accuracy", "latency", "flops", "macs", "params", "seconds")
_ENERGY = {"energy", "mj", "uj", "nj", "joule", "joules", "wh", "kwh"}
_TIMES = {"s", "sec", "second", "ms", "us", "ns", "minute", "min", "hour", "h", "day"}


def direction(metric: str) -> Direction | None:
    """Which end of a metric is the better one, by the words of its name.

    The last word that is known decides, so `top5_error` is an error; `neg` turns it round; a
    number of things per second is a speed. What precedes a `/` (the device) says nothing.

    Args:
        metric: as tables call it, `valid_accuracy`, `raspi4/latency_ms`.

    Returns:
        `max` where more is better, `min` where less is, None where the name does not say.

    Example:
        >>> direction("valid_miou"), direction("perplexity"), direction("raspi4/energy_mj")
        ('max', 'min', 'min')
        >>> direction("images_per_second"), direction("neg_mean_squared_error")
        ('max', 'max')
        >>> direction("sparsity") is None
        True
    """
    words = _words(metric.rpartition("/")[2])
    if "per" in words:
        split = words.index("per")
        counted, unit = words[:split], words[split + 1 :]
        if _TIMES.intersection(unit[:1]):
            return "min" if _ENERGY.intersection(counted) else "max"
        words = counted
    for word in reversed(words):
        found = _of_word(word)
        if found:
            negated = any(sign in words for sign in ("neg", "negative", "minus"))
            return ("min" if found == "max" else "max") if negated else found
    return None


def is_error(name: str) -> bool:
    """Whether a name says that its numbers are of how wrong a network is: less of it is better.

    What a network costs is no error: more parameters can speak for a network.

    Example:
        >>> is_error("fairnas10_loss_s0"), is_error("flops"), is_error("neg_loss")
        (True, False, False)
    """
    known = [word for word in _words(name.rpartition("/")[2]) if _of_word(word)]
    if direction(name) != "min" or not known:
        return False
    return known[-1].rstrip("0123456789") in _ERRORS or known[-1].endswith(("loss", "error"))


_OF_MEASURING = ("_n", "_spread_ms", "_undisturbed", "_drift", "_reference_ms", "frequency_mhz")


def of_measuring(metric: str) -> bool:
    """Whether a device's metric says how a cost was measured, and not what it is.

    Example:
        >>> of_measuring("latency_spread_ms"), of_measuring("latency_cold_ms")
        (True, False)
    """
    return metric.endswith(_OF_MEASURING)


def metric_name(dataset: str) -> str:
    """What a data set is called outside the file: in commands, frames and sheets.

    Args:
        dataset: its name in the file.

    Example:
        >>> metric_name("device/raspi4/latency_ms"), metric_name("recipe/12ep/valid_accuracy")
        ('raspi4/latency_ms', '12ep/valid_accuracy')
        >>> metric_name("network/flops"), metric_name("proxy/zen")
        ('flops', 'proxy/zen')
    """
    room, _, rest = dataset.partition("/")
    return rest if room in ("recipe", "device", "network") else dataset


def is_test(metric: str) -> bool:
    """Whether a metric's name speaks of the test split: any of its words is `test`."""
    return "test" in re.split(r"[^a-z0-9]+", metric.lower())


def primary(metrics: Iterable[str]) -> str | None:
    """The metric of a recipe by which architectures are judged where nobody names one.

    That is `valid_accuracy`, else the first metric of the validation split, a loss only where
    there is no other. Where no name speaks of a split (`return`), it is the first that says which
    end is better. None where nothing was validated.

    Example:
        >>> primary(["train_loss", "valid_loss", "valid_miou"]), primary(["test_accuracy"])
        ('valid_miou', None)
        >>> primary(["steps", "return", "test_return"])
        'return'
    """
    named = list(metrics)
    valid = [name for name in named if name.startswith("valid_")]
    # `valid_test` is both splits together, and seconds are no merit.
    valid = [n for n in valid if not n.startswith("valid_test_") and not n.endswith("_seconds")]
    if "valid_accuracy" in valid:
        return "valid_accuracy"
    if valid:
        return next((n for n in valid if not n.endswith("loss")), valid[0])
    splits = {"train", "valid", "test", "seconds"}
    alone = [n for n in named if not splits & set(_words(n))]
    return next((n for n in alone if direction(n)), next(iter(alone), None))


def primary_of(recipes: Iterable[str], datasets: Collection[str]) -> str | None:
    """What a table's architectures are judged by where its manifest does not say it.

    That is `primary` of the first recipe that has one. Of a table without recipes it is the first
    cost, as `<device>/<metric_unit>`. None where there is neither.

    Args:
        recipes: of the table.
        datasets: their names.

    Example:
        >>> primary_of(["r"], ["recipe/r/valid_accuracy", "device/npu/latency_ms"])
        'valid_accuracy'
        >>> primary_of([], ["device/npu/latency_ms"])
        'npu/latency_ms'
    """
    trained = False
    for recipe in recipes:
        trained = True
        whole = (name.rpartition("/") for name in datasets)
        if found := primary(metric for of, _, metric in whole if of == f"recipe/{recipe}"):
            return found
    costs = (name.removeprefix("device/") for name in datasets if name.startswith("device/"))
    return None if trained else next((cost for cost in costs if not of_measuring(cost)), None)


def _of_word(word: str) -> Direction | None:
    for known in (word, word.rstrip("0123456789"), *filter(word.endswith, _ENDINGS)):
        if known in _LESS:
            return "min"
        if known in _MORE:
            return "max"
    return None


def _words(name: str) -> list[str]:
    """`validLoss`, `valid-loss` and `valid_loss` as `valid`, `loss`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name.replace("mIoU", "miou"))
    return [word for word in re.split(r"[^a-z0-9]+", apart.replace("R^2", "r2").lower()) if word]
