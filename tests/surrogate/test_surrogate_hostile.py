"""Files of strangers whose hashes are right: what they say is checked before XGBoost sees it."""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import resource
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

import nasbench as nb
from nasbench.errors import DamagedFile, NasbenchError
from nasbench.surrogate import Surrogate
from nasbench.surrogate.document import hash_of
from nasbench.surrogate.features import Features
from nasbench.surrogate.trees import pack_model, unpack_model

Document = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> xgboost.XGBRegressor:
    """Three small trees on the decisions of `nb201-mini`."""
    space = nb.space("nb201-mini")
    x = space.one_hot(np.arange(space.size))
    y = np.random.default_rng(0).normal(size=len(x)) + x[:, 0]
    settings = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1, "tree_method": "hist"}
    return xgboost.XGBRegressor(**settings).fit(x, y)


@pytest.fixture(scope="module")
def document(model: xgboost.XGBRegressor) -> Document:
    """A surrogate that is sound, with one model and a column of a table among its features."""
    space = nb.space("nb201-mini")
    spread = {"knots": [10.0, 90.0], "spreads": [0.5, 0.25]}
    said = {
        "settings": {"max_depth": 2},
        "kendall_out_of_fold": 0.5,
        "members": [pack_model(model)],
        "calibration": {"spread": spread, "quantiles": np.linspace(-2, 2, 199).tolist()},
        "seed_noise": spread,
    }
    return {
        "format": "nasbench-surrogate",
        "version": 2,
        "space": dict(space.describe()),
        "table": {"name": "made-up", "sha256": "0" * 64},
        "recipe": "5ep",
        "epochs": 5,
        "seed": 0,
        "features": Features(
            space, ("one_hot",), np.empty(0, np.int64), np.empty((0, 0), np.float32)
        ).describe(),
        "trained_on": [1, 5, 7],
        "versions": {"nasbench": "0.1.0", "xgboost": "3.2.0"},
        "metrics": {"valid_accuracy": said},
    }


def _load(document: Document, folder: Path) -> Surrogate:
    path = folder / "s.json"
    path.write_text(json.dumps({**document, "sha256": hash_of(document)}))
    return Surrogate.load(path)


def _parsed(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def _packed(model: Any) -> str:
    text = model if isinstance(model, str) else json.dumps(model)
    return base64.b64encode(zlib.compress(text.encode())).decode()


def test_what_is_sound_predicts_as_the_model_did(
    model: xgboost.XGBRegressor, document: Document, tmp_path: Path
) -> None:
    loaded = _load(document, tmp_path)
    every = np.arange(loaded.space.size)
    found = loaded._members("valid_accuracy", every)
    np.testing.assert_array_equal(found[0], model.predict(loaded.features.of(every)))


@pytest.mark.parametrize("missing", [0, 1])
def test_models_of_older_releases_and_missing_values_predict_the_same(
    model: xgboost.XGBRegressor, missing: int
) -> None:
    """Before XGBoost 3.1 a base score was a bare number, and nothing was said of categories."""
    parsed = _parsed(pack_model(model))
    about = parsed["learner"]["learner_model_param"]
    about["base_score"] = about["base_score"].strip("[]")
    del parsed["learner"]["gradient_booster"]["model"]["cats"]
    parsed["version"] = [2, 1, 0]
    x = np.random.default_rng(1).choice([0.0, 1.0, np.nan][: 2 + missing], size=(200, 15))
    found = unpack_model(_packed(parsed), 15).inplace_predict(x.astype(np.float32))
    np.testing.assert_array_equal(found, model.predict(x))


# What a file can say, each with a right hash.


def _tree(key: str, place: int, value: Any) -> Callable[[Any], Any]:
    def change(model: Any) -> None:
        model["learner"]["gradient_booster"]["model"]["trees"][1][key][place] = value

    return change


def _about(key: str, value: Any) -> Callable[[Any], Any]:
    return lambda model: model["learner"]["learner_model_param"].update({key: value})


def _booster(model: Any) -> Any:
    return model["learner"]["gradient_booster"]


def _linear(model: Any) -> None:
    weights = {"boosted_rounds": 1, "weights": [0.0] * 16}
    model["learner"]["gradient_booster"] = {"name": "gblinear", "model": weights}


def _cycle(model: Any) -> None:
    tree = _booster(model)["model"]["trees"][0]
    tree["left_children"][1], tree["right_children"][1] = 0, 0


def _shared_child(model: Any) -> None:
    tree = _booster(model)["model"]["trees"][0]
    tree["left_children"][0] = tree["right_children"][0]


def _unequal(model: Any) -> None:
    _booster(model)["model"]["trees"][2]["split_conditions"].append(0.0)


def _no_trees(model: Any) -> None:
    _booster(model)["model"]["trees"] = []


def _deep_tree(model: Any) -> None:
    """A chain: every second node is a leaf."""
    n = 2 * 9 + 1
    tree = _booster(model)["model"]["trees"][0]
    inner = [node % 2 == 0 and node < n - 1 for node in range(n)]
    tree["left_children"] = [node + 1 if is_inner else -1 for node, is_inner in enumerate(inner)]
    tree["right_children"] = [node + 2 if is_inner else -1 for node, is_inner in enumerate(inner)]
    for key in ("split_indices", "split_type", "default_left"):
        tree[key] = [0] * n
    tree["split_conditions"] = [0.0] * n


def _many_trees(model: Any) -> None:
    _booster(model)["model"]["trees"] *= 334


MODELS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "left_oob": (_tree("left_children", 0, 10**6), "branch that leads to no node below"),
    "left_neg": (_tree("left_children", 0, -5), "branch that leads to no node below"),
    "left_huge": (_tree("left_children", 0, 10**30), "lacks what trees need"),
    "cycle": (_cycle, "branch that leads to no node below"),
    "shared": (_shared_child, "not reached once"),
    "one_branch": (_tree("right_children", 0, -1), "split with one branch"),
    "split_idx_oob": (_tree("split_indices", 0, 15), "feature that is not there"),
    "split_idx_neg": (_tree("split_indices", 0, -1), "feature that is not there"),
    "categorical": (_tree("split_type", 0, 1), "split of another kind"),
    "default_left": (_tree("default_left", 0, 7), "split of another kind"),
    "text": (_tree("split_conditions", 0, "1"), "split_conditions"),
    "infinite": (_tree("split_conditions", 0, float("inf")), "is not JSON"),
    "nan": (_tree("split_conditions", 0, float("nan")), "is not JSON"),
    "large": (_tree("split_conditions", 0, 3e38), "too large"),
    "unequal": (_unequal, "split_conditions"),
    "no_trees": (_no_trees, "number of trees"),
    "many_trees": (_many_trees, "number of trees"),
    "deep_tree": (_deep_tree, "more than 8 levels"),
    "gblinear": (_linear, "no gbtree"),
    "dart": (lambda model: _booster(model).update(name="dart"), "no gbtree"),
    "num_class": (_about("num_class", "100000000"), "no number from 15 features"),
    "num_target": (_about("num_target", "100000000"), "no number from 15 features"),
    "num_feature": (_about("num_feature", "16"), "no number from 15 features"),
    "num_feature_int": (_about("num_feature", 15), "no number from 15 features"),
    "base_score": (_about("base_score", "[1,2]"), "base score"),
    "base_score_nan": (_about("base_score", "nan"), "base score"),
    "objective": (
        lambda model: model["learner"]["objective"].update(name="multi:softprob"),
        "objective is not",
    ),
    "categories": (
        lambda model: _booster(model)["model"]["trees"][0].update(categories=[1]),
        "categories",
    ),
    "version": (lambda model: model.update(version=[3, 2]), "version"),
    "no_learner": (lambda model: model.pop("learner"), "lacks what trees need"),
}


@pytest.mark.parametrize(("change", "why"), MODELS.values(), ids=MODELS)
def test_models_that_are_no_trees_are_refused(
    document: Document, tmp_path: Path, change: Callable[[Any], Any], why: str
) -> None:
    hostile = copy.deepcopy(document)
    members = hostile["metrics"]["valid_accuracy"]["members"]
    model = _parsed(members[0])
    change(model)
    members[0] = _packed(model)
    with pytest.raises(DamagedFile, match=f"is not a surrogate of this project: .*{why}") as told:
        _load(hostile, tmp_path)
    assert "\n" not in str(told.value)


TEXTS = {
    "deep_model": (_packed('{"learner":' * 200_000 + "0" + "}" * 200_000), "not JSON"),
    "bomb": (base64.b64encode(zlib.compress(b" " * (1 << 25))).decode(), "too large"),
    "cut": (base64.b64encode(zlib.compress(b"{}" * 50)[:-4]).decode(), "cut short"),
    "no_zlib": (base64.b64encode(b"model").decode(), "cannot be unpacked"),
    "no_base64": ("mödel", "cannot be unpacked"),
    "list": (_packed([]), "lacks what trees need"),
}


@pytest.mark.parametrize(("text", "why"), TEXTS.values(), ids=TEXTS)
def test_models_that_are_no_documents_are_refused(
    document: Document, tmp_path: Path, text: str, why: str
) -> None:
    hostile = copy.deepcopy(document)
    hostile["metrics"]["valid_accuracy"]["members"] = [text]
    with pytest.raises(DamagedFile, match=f"is not a surrogate of this project: .*{why}"):
        _load(hostile, tmp_path)


_KNOWN = {"names": ["proxies"], "columns": 1, "known": [3], "values": "AACAPw=="}
_INFINITE = {**_KNOWN, "values": base64.b64encode(np.float32(np.inf).tobytes()).decode()}
_METRIC = ("metrics", "valid_accuracy")

ENTRIES: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "no_metrics": (("metrics",), {}, "metrics"),
    "no_members": ((*_METRIC, "members"), [], "models of valid_accuracy"),
    "member_int": ((*_METRIC, "members"), [1], "models"),
    "many_members": ((*_METRIC, "members"), ["x"] * 33, "more than 32"),
    "known_oob": (("features",), {**_KNOWN, "known": [125]}, "rows of features"),
    "known_twice": (
        ("features",),
        {**_KNOWN, "known": [3, 3], "values": ""},
        "order of rows",
    ),
    "known_huge": (("features",), {**_KNOWN, "known": [2**70]}, "rows of features"),
    "columns": (("features",), {**_KNOWN, "columns": 10**9}, "number of values"),
    "infinite_feature": (("features",), _INFINITE, "values of features"),
    "no_base64": (("features",), {**_KNOWN, "values": "§"}, "values of features"),
    "names_int": (("features", "names"), [1], "names of features"),
    "names_unknown": (("features", "names"), ["one-hot"], "features"),
    "names_dup": (("features", "names"), ["one_hot", "one_hot"], "names of features"),
    "names_none": (("features", "names"), [], "names of features"),
    "wider": (("features", "names"), ["one_hot", "graph"], "no number from"),
    "epochs_str": (("epochs",), "5", "epochs"),
    "epochs_huge": (("epochs",), 10**9, "epochs"),
    "epochs_bool": (("epochs",), True, "epochs"),
    "seed": (("seed",), -1, "seed"),
    "table_name": (("table", "name"), 7, "table"),
    "table_name_lines": (("table", "name"), "a\nb", "table"),
    "table_hash": (("table", "sha256"), None, "hash of its table"),
    "recipe": (("recipe",), ["5ep"], "recipe"),
    "trained_on": (("trained_on",), ["a"], "rows it was fitted on"),
    "trained_on_none": (("trained_on",), [], "rows it was fitted on"),
    "trained_on_oob": (("trained_on",), [1, 125], "rows it was fitted on"),
    "trained_on_order": (("trained_on",), [5, 1], "order of rows"),
    "versions": (("versions",), {"xgboost": "3\n2"}, "versions"),
    "settings": ((*_METRIC, "settings"), {"a": []}, "settings"),
    "kendall": ((*_METRIC, "kendall_out_of_fold"), "1", "tau"),
    "knots": ((*_METRIC, "seed_noise", "knots"), [90.0, 10.0], "knots"),
    "spreads": ((*_METRIC, "seed_noise", "spreads"), [1.0, -1.0], "spreads"),
    "spreads_huge": ((*_METRIC, "seed_noise", "spreads"), [1.0, 1e300], "spreads"),
    "spread": ((*_METRIC, "calibration", "spread"), 3, "entry is missing"),
    "quantiles": ((*_METRIC, "calibration", "quantiles"), [0.0], "quantiles"),
    "test": (("metrics", "test_accuracy"), {}, "test metrics"),
}


@pytest.mark.parametrize(("place", "value", "why"), ENTRIES.values(), ids=ENTRIES)
def test_entries_that_are_not_sound_are_refused(
    document: Document, tmp_path: Path, place: tuple[str, ...], value: Any, why: str
) -> None:
    hostile = copy.deepcopy(document)
    inner = hostile
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(DamagedFile, match=f"is not a surrogate of this project: .*{why}"):
        _load(hostile, tmp_path)


# Any change of structure.

_VALUES = (None, True, -1, 0, 2**31, 2**63, 10**25, 1e308, -0.5, "", "x" * 500, "\n", [], {}, [[]])


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a document has a value; of long lists some."""
    if isinstance(value, dict):
        entries = list(value.items())
    else:
        entries = list(enumerate(value))[:6] if isinstance(value, list) else []
    return [(*place, key) for key, _ in entries] + [
        found for key, entry in entries for found in _places(entry, (*place, key))
    ]


def _mutate(document: Any, rng: random.Random) -> None:
    """Change one value, take it away, or put another's in its place."""
    places = _places(document)
    place, other = rng.choice(places), rng.choice(places)

    def at(path: tuple[Any, ...]) -> Any:
        found = document
        for key in path:
            found = found[key]
        return found

    inner, taken = at(place[:-1]), copy.deepcopy(at(other))
    match rng.randrange(3):
        case 0:
            del inner[place[-1]]
        case 1:
            inner[place[-1]] = taken
        case _:
            inner[place[-1]] = rng.choice(_VALUES)


def _try(document: Document, folder: Path) -> bool:
    """Whether it is taken; then it predicts numbers of every architecture."""
    try:
        surrogate = _load(document, folder)
        found = surrogate.predict_all(1)
    except NasbenchError as error:
        if "\n" in str(error):
            raise RuntimeError("more than one line") from error
        return False
    for metric, values in found.items():
        assert np.isfinite(values).all()
        low, high = surrogate.interval(metric, [0])
        assert (low <= high).all()
    return True


@pytest.mark.process
def test_no_change_of_structure_crashes(document: Document, tmp_path: Path) -> None:
    """In a child, since what these tests are against takes the whole process along."""
    child = os.fork()
    if not child:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            rng = random.Random(15)
            taken = 0
            for number in range(200):
                hostile = copy.deepcopy(document)
                if number % 2:
                    _mutate(hostile, rng)
                else:
                    said = hostile["metrics"]["valid_accuracy"]
                    model = _parsed(said["members"][0])
                    _mutate(model, rng)
                    said["members"] = [_packed(model)]
                taken += _try(hostile, tmp_path)
            status = 0 if taken < 150 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
