# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib

import numpy as np
import pytest
from random_networks import random_weights

from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.train import weights

CONFIG = presets.preset("imagenet_learned_tiny")
FORMATS = {"official": "w.pystate", "huggingface": "hf", "orbax": "folder"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for kind, name in FORMATS.items():
        weights.save(folder / name, random_weights(CONFIG), kind)
    return folder


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_and_comes_back(kind, saved):
    path = saved / FORMATS[kind]
    assert weights.detect_format(path) == kind
    loaded, origin = weights.load(path, CONFIG)
    assert origin["format"] == kind
    assert origin["path"] == str(path)
    assert origin["step"] is None
    assert weights.digest(loaded) == weights.digest(random_weights(CONFIG))


def test_a_digest_is_of_values_and_names():
    network = random_weights(CONFIG)
    digest = weights.digest(network)
    leaves = flatten(network.params)
    name = next(iter(leaves))
    changed = np.array(leaves[name])
    changed.flat[0] = np.nextafter(changed.flat[0], np.float32(9))
    other = dataclasses.replace(network, params={**network.params, "x": changed})
    assert weights.digest(other) != digest
    assert weights.digest(random_weights(CONFIG)) == digest


def test_of_several_checkpoints_the_newest_is_meant(tmp_path):
    for step in ("9", "10", "11.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / step).mkdir(parents=True)
    assert weights.checkpoint_folder(tmp_path) == tmp_path / "checkpoints" / "10"
    assert weights.checkpoint_folder(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "10"
    assert weights.checkpoint_folder(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("a.pystate", None, "official"),
        ("a.pickle", None, "official"),
        ("a", None, "orbax"),
        ("a", "huggingface", "huggingface"),
        ("a.pt", "orbax", "orbax"),
    ],
)
def test_the_name_or_the_flag_tells_the_format(name, given, kind):
    assert weights.target_format(pathlib.Path(name), given) == kind


@pytest.mark.parametrize("parts", [("query", "head"), ("encoder.cross_attention", "head"), ()])
def test_taking_over_leaves_the_fresh_parts_and_names_what_is_missing(parts):
    fresh = random_weights(CONFIG).params
    fresh = {name: _zeros(part) for name, part in fresh.items()}
    pretrained = random_weights(CONFIG)
    taken = weights.take_over(fresh, pretrained, parts)
    assert all(any(path.startswith(f"{part}.") for path in taken) for part in parts)
    for path, leaf in taken.items():
        is_fresh = any(path.startswith(f"{part}.") for part in parts)
        assert np.array_equal(leaf, flatten(pretrained.params)[path]) is not is_fresh
    without = {name: part for name, part in pretrained.params.items() if name != "decoder"}
    with pytest.raises(UserError, match=r"--init holds another model: decoder\..* is absent"):
        weights.take_over(fresh, dataclasses.replace(pretrained, params=without), parts)


def _zeros(tree):
    if isinstance(tree, dict):
        return {name: _zeros(part) for name, part in tree.items()}
    return np.zeros_like(tree)
