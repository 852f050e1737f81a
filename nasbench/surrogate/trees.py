"""The trees of a model: parsed and checked here, and written anew for XGBoost.

XGBoost trusts the file that it loads: a child that is no node of its tree, a split on a feature
that there is not, or brackets without end crash the process or worse. So no text of a file
reaches it. Of a model's JSON the numbers that a prediction needs are read, checked, and put into
a document of our own, in UBJSON, XGBoost's default format (https://ubjson.org).
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import parse_json
from nasbench.surrogate.ubjson import big_endian, head, text_of, ubjson, whole

if TYPE_CHECKING:
    import xgboost

__all__ = ["LARGEST", "MOST_DEPTH", "MOST_NODES", "MOST_TREES", "pack_model", "unpack_model"]

LARGEST_TEXT = 1 << 24
"""Bytes of a model's JSON; one of ours has 0.3 MB, a packed one may claim any size."""
MOST_TREES = 1_000
MOST_NODES = 1 << 17
"""Nodes of all trees of a model."""
MOST_DEPTH = 8
"""Levels below a root: predicting takes a step for each, of each tree and each architecture."""
LARGEST = 1e30
"""Of a threshold or a leaf: the sum over the most trees is still a finite float32."""

OBJECTIVE = "reg:squarederror"

_ROOT = 2**31 - 1  # what XGBoost writes for the parent of a root
_SCORE = re.compile(r"\[?(-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?)\]?")
_CATEGORIES = {
    "categories": np.zeros(0, np.int32),
    "categories_nodes": np.zeros(0, np.int32),
    "categories_segments": np.zeros(0, np.int64),
    "categories_sizes": np.zeros(0, np.int64),
}
"""Of which our trees have none."""


def pack_model(model: Any, unit: float = 1.0) -> str:
    """A fitted XGBRegressor as text: its JSON, made ten times as short.

    Args:
        model: fitted.
        unit: what it predicts times this is what the packed one predicts; a power of two.
    """
    text = bytes(model.get_booster().save_raw("json"))
    return base64.b64encode(zlib.compress(text if unit == 1 else _scaled(text, unit))).decode()


def _scaled(text: bytes, unit: float) -> bytes:
    """A model whose leaves and base score are that many times as large."""
    document = json.loads(text)
    learner = document["learner"]
    for tree in learner["gradient_booster"]["model"]["trees"]:
        leaves = [child == -1 for child in tree["left_children"]]
        values = zip(tree["split_conditions"], leaves, strict=True)
        tree["split_conditions"] = [v * unit if leaf else v for v, leaf in values]
    about = learner["learner_model_param"]
    score = about["base_score"]
    scaled = repr(float(score.strip("[]")) * unit)
    about["base_score"] = f"[{scaled}]" if score.startswith("[") else scaled
    return json.dumps(document).encode()


def unpack_model(text: str, width: int) -> xgboost.Booster:
    """The model of `pack_model`, from whomever it comes.

    Args:
        text: of the model.
        width: the features that it sees.

    Raises:
        ValueError: saying what is wrong, where it is no ensemble of regression trees of that
            many features.
    """
    import xgboost

    booster = xgboost.Booster({"nthread": 1, "verbosity": 0})
    try:
        booster.load_model(bytearray(_rewritten(_parsed(text), width)))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("a model lacks what trees need") from error
    except xgboost.core.XGBoostError as error:
        raise ValueError(
            "a model is of a release of XGBoost that the installed one cannot read"
        ) from error
    return booster


def _parsed(text: str) -> Any:
    unpacker = zlib.decompressobj()
    try:
        model = unpacker.decompress(base64.b64decode(text, validate=True), LARGEST_TEXT)
    except (zlib.error, ValueError) as error:
        raise ValueError("a model cannot be unpacked") from error
    if not unpacker.eof:
        raise ValueError("a model is cut short or too large")
    try:
        return parse_json(model)
    except ValueError as error:
        raise ValueError("a model is not JSON") from error


def _need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _rewritten(model: Any, width: int) -> bytes:
    """What XGBoost reads: the checked numbers of a parsed model, in a document of our own."""
    learner = model["learner"]
    version = model["version"]
    sound = isinstance(version, list) and len(version) == 3
    _need(sound and all(type(v) is int and 0 <= v < 1000 for v in version), "a model's version")
    booster, about = learner["gradient_booster"], learner["learner_model_param"]
    _need(booster["name"] == "gbtree", "a model is no gbtree")
    _need(learner["objective"]["name"] == OBJECTIVE, f"a model's objective is not {OBJECTIVE}")
    found = (about["num_class"], about.get("num_target", "1"), about["num_feature"])
    _need(found == ("0", "1", str(width)), f"a model predicts no number from {width} features")
    score = _SCORE.fullmatch(about["base_score"])
    _need(score and abs(float(score[1])) <= LARGEST, "a model's base score")
    trees = _Trees.checked(booster["model"], width)
    n, none = len(trees.starts) - 1, np.zeros(0, np.int32)
    return ubjson(
        {
            "version": version,
            "learner": {
                "attributes": {},
                "feature_names": [],
                "feature_types": [],
                "gradient_booster": {
                    "name": "gbtree",
                    "model": {
                        "cats": {"enc": [], "feature_segments": none, "sorted_idx": none},
                        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(n)},
                        "iteration_indptr": list(range(n + 1)),
                        "tree_info": [0] * n,
                        "trees": list(trees.written(width)),
                    },
                },
                "learner_model_param": {
                    "base_score": about["base_score"],
                    "boost_from_average": "1",
                    "num_class": "0",
                    "num_feature": str(width),
                    "num_target": "1",
                },
                "objective": {"name": OBJECTIVE, "reg_loss_param": {"scale_pos_weight": "1"}},
            },
        }
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Trees:
    """The nodes of all trees of a model one after the other: `[nodes]` each.

    Attributes:
        starts: the first node of each tree, and the number of all nodes: `[trees + 1]`.
        left: the node, of its tree, that follows a value below the threshold; -1 at a leaf.
        right: the node that follows another.
        parents: of each node.
        features: that are looked at.
        thresholds: of them; at a leaf its value.
        default_left: where a missing value goes.
    """

    starts: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    parents: NDArray[np.int64]
    features: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    default_left: NDArray[np.int64]

    @classmethod
    def checked(cls, model: Mapping[str, Any], width: int) -> _Trees:
        """The trees of a parsed `gbtree`; raises ValueError unless each is a tree."""
        trees = model["trees"]
        _need(isinstance(trees, list) and 0 < len(trees) <= MOST_TREES, "a model's number of trees")
        _need(not any(tree[key] for tree in trees for key in _CATEGORIES), "a model has categories")
        single = all(tree["tree_param"]["size_leaf_vector"] in ("0", "1") for tree in trees)
        _need(single and not any(model["tree_info"]), "a model predicts more than one number")
        counts = np.asarray([len(tree["left_children"]) for tree in trees])
        _need(counts.min() > 0 and counts.sum() <= MOST_NODES, "a model's number of nodes")
        left, right = (_numbers(trees, f"{side}_children", counts) for side in ("left", "right"))
        features = _numbers(trees, "split_indices", counts)
        default_left = _numbers(trees, "default_left", counts)
        thresholds = _numbers(trees, "split_conditions", counts, real=True)
        kinds = _numbers(trees, "split_type", counts)
        _need(
            ((features >= 0) & (features < width)).all(), "a split on a feature that is not there"
        )
        _need(not kinds.any() and np.isin(default_left, (0, 1)).all(), "a split of another kind")
        _need((np.abs(thresholds) <= LARGEST).all(), "a threshold or leaf that is too large")
        starts = np.concatenate([[0], np.cumsum(counts)])
        parents = _parents(starts, left, right)
        return cls(starts, left, right, parents, features, thresholds, default_left)

    def written(self, width: int) -> Iterator[bytes]:
        """Each tree as XGBoost has it; statistics of its training, which predict nothing, are 0."""
        n = int(self.starts[-1])
        nothing, numeric = np.zeros(n, np.float32), np.zeros(n, np.uint8)
        stored: dict[str, NDArray[Any]] = {
            "base_weights": nothing,
            "default_left": self.default_left.astype(np.uint8),
            "left_children": self.left.astype(np.int32),
            "loss_changes": nothing,
            "parents": self.parents.astype(np.int32),
            "right_children": self.right.astype(np.int32),
            "split_conditions": self.thresholds.astype(np.float32),
            "split_indices": self.features.astype(np.int32),
            "split_type": numeric,
            "sum_hessian": nothing,
        }
        # Once for all nodes: a model has hundreds of trees of ten nodes each.
        laid = [
            (text_of(key) + head(array), array.itemsize, big_endian(array))
            for key, array in stored.items()
        ]
        for number, (start, stop) in enumerate(pairwise(self.starts.tolist())):
            size = whole(stop - start)
            arrays = (key + size + data[each * start : each * stop] for key, each, data in laid)
            rest = text_of("id") + ubjson(number) + _tree_param(stop - start, width)
            yield b"".join((b"{", *arrays, rest, b"}"))


@lru_cache(maxsize=1024)
def _tree_param(nodes: int, width: int) -> bytes:
    param = {
        "num_deleted": "0",
        "num_feature": str(width),
        "num_nodes": str(nodes),
        "size_leaf_vector": "1",
    }
    return ubjson({**_CATEGORIES, "tree_param": param})[1:-1]


def _numbers(
    trees: Sequence[Mapping[str, Any]], key: str, counts: NDArray[np.int64], *, real: bool = False
) -> NDArray[Any]:
    """One entry of every node, `[nodes]`: int64, or float64 where `real`."""
    lists = [tree[key] for tree in trees]
    whole = all(isinstance(one, list) for one in lists) and list(map(len, lists)) == counts.tolist()
    values = list(chain.from_iterable(lists)) if whole else []
    _need(whole and set(map(type, values)) <= ({int, float} if real else {int, bool}), f"its {key}")
    return np.asarray(values, dtype=np.float64 if real else np.int64)


def _parents(
    starts: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The parent of each node, of its tree; raises ValueError unless all trees are trees."""
    counts = np.diff(starts)
    first = np.repeat(starts[:-1], counts)
    own = np.arange(len(left)) - first
    inner = left != -1
    _need(np.array_equal(inner, right != -1), "a split with one branch")
    above, below = np.tile(own[inner], 2), np.concatenate([left[inner], right[inner]])
    # Larger than their node: no way through a tree leads back.
    within = (below > above) & (below < np.tile(np.repeat(counts, counts)[inner], 2))
    _need(within.all(), "a branch that leads to no node below")
    places = below + np.tile(first[inner], 2)
    parents = np.full(len(left), _ROOT)
    parents[places] = above
    reached = np.bincount(places, minlength=len(left))
    reached[starts[:-1]] += 1
    _need((reached == 1).all(), "a node that is not reached once from its root")
    level, depth = starts[:-1], 0
    while len(level := level[inner[level]]):
        level = np.concatenate([left[level], right[level]]) + np.tile(first[level], 2)
        depth += 1
        _need(depth <= MOST_DEPTH, f"a tree of more than {MOST_DEPTH} levels")
    return parents
