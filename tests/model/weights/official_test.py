# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import pickle

import numpy as np
import pytest
from mapping_test import assert_same
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.config import LearnedQuery, TanhLogits
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping, official


@pytest.mark.parametrize("family", presets.OFFICIAL)
def test_names_and_shapes_are_those_of_the_released_files(family, shared):
    released = json.loads((shared / f"reference/{family}.params.json").read_text())
    config = presets.preset(family)
    leaves = {
        path: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)
        for path, leaf in mapping.expected_shapes(config).items()
    }
    params, state = mapping.split_state(leaves)
    ours = official.to_modules(mapping.Weights(config=config, params=params, state=state))
    for found, name in zip(ours, ("params", "state"), strict=True):
        shapes = {
            module: {key: list(array.shape) for key, array in arrays.items()}
            for module, arrays in found.items()
        }
        assert shapes == released[name]


@pytest.mark.parametrize("family", RELEASED_SMALL)
def test_file_and_back_bit_for_bit(family, tmp_path):
    config = RELEASED_SMALL[family]
    weights = random_weights(config)
    path = tmp_path / "model.pystate"
    official.save(path, weights)
    assert_same(official.load(path, config), weights)
    # A pickle of ours is one that NumPy alone reads, in the container of the release.
    tree = pickle.loads(path.read_bytes())
    assert (set(tree) == {"params", "state"}) == family.startswith("imagenet")


def test_family_of_each_released_network():
    for name in presets.OFFICIAL:
        assert official.family(presets.preset(name)) == name
        assert official.family(RELEASED_SMALL[name]) == name


LANGUAGE = presets.preset("language")


@pytest.mark.parametrize(
    "config",
    [
        presets.preset("perceiver_fourier"),
        presets.preset("flow_light"),
        presets.preset("imagenet_fourier_large"),
        dataclasses.replace(
            LANGUAGE,
            head=TanhLogits(num_outputs=2),
            query=LearnedQuery(num_queries=1, channels=8),
        ),
        dataclasses.replace(
            LANGUAGE, encoder=dataclasses.replace(LANGUAGE.encoder, share_blocks=False)
        ),
    ],
    ids=["perceiver", "flow_light", "config B", "GLUE", "unshared"],
)
def test_other_networks_have_no_official_format(config):
    with pytest.raises(UserError, match="choose --format=orbax"):
        official.family(config)


def test_the_wrong_model_is_named_with_what_it_lacks(tmp_path):
    path = tmp_path / "flow.pystate"
    official.save(path, random_weights(RELEASED_SMALL["flow"]))
    with pytest.raises(UserError, match=r"flow\.pystate holds another model: it lacks"):
        official.load(path, RELEASED_SMALL["language"])
    smaller = dataclasses.replace(
        RELEASED_SMALL["flow"],
        encoder=dataclasses.replace(RELEASED_SMALL["flow"].encoder, num_latents=5),
    )
    with pytest.raises(UserError, match=r"pos_embs \[6, 32\] instead of \[5, 32\]"):
        official.load(path, smaller)
