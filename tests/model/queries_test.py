# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding some outputs is decoding all and picking, in numbers and in gradients."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.config import LearnedQuery
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping

BY_POSITION = presets.preset("language_tiny")
LEARNED = dataclasses.replace(BY_POSITION, query=LearnedQuery(num_queries=9, channels=32))
POSITIONS = np.array([[4, 0, 4, 8], [1, 7, 2, 0]], np.int32)


def logits_and_gradients(config, batch, weight):
    structure, state = nnx.split(mapping.to_model(random_weights(config)))

    def loss(state):
        logits = nnx.merge(structure, state)(batch)["logits"]
        return (logits * weight).sum(), logits

    found, logits = fast_jit(jax.grad(loss, has_aux=True))(state)
    leaves = mapping.flatten(nnx.to_pure_dict(found))
    return np.asarray(logits), {path: np.asarray(leaf) for path, leaf in leaves.items()}


@pytest.mark.parametrize("config", [BY_POSITION, LEARNED], ids=["position", "learned"])
def test_some_outputs_are_those_of_all(config):
    batch = random_batch(config)
    some = {**batch, "output_positions": POSITIONS}
    weight = np.random.default_rng(0).standard_normal((2, 4, 262), dtype=np.float32)
    num_outputs = 9 if config is LEARNED else config.input.max_length
    spread = np.zeros((2, num_outputs, 262), np.float32)
    np.add.at(spread, (np.arange(2)[:, None], POSITIONS), weight)
    found, gradients = logits_and_gradients(config, some, weight)
    whole, due = logits_and_gradients(config, batch, spread)
    assert whole.shape == spread.shape
    picked = np.take_along_axis(whole, POSITIONS[..., None], axis=1)
    np.testing.assert_allclose(found, picked, rtol=0, atol=1e-5)
    for path, leaf in due.items():
        # The gradient of a key's bias is zero but for rounding.
        scale = np.sqrt(np.square(due[path.replace("key.bias", "key.kernel")]).mean())
        np.testing.assert_allclose(gradients[path], leaf, rtol=0, atol=2e-4 * scale, err_msg=path)
    asked = np.zeros(num_outputs if config is LEARNED else len(due["query.queries"]), bool)
    asked[POSITIONS] = True
    np.testing.assert_array_equal(gradients["query.queries"].any(axis=-1), asked)


def test_a_named_output_of_the_second_half_is_asked_though_the_text_is_shorter():
    """Named outputs are not masked: which of them count is for the loss to say."""
    batch = random_batch(BY_POSITION)
    assert not batch["input_mask"][1, 40]
    named = {**batch, "output_positions": np.array([[40], [40]], np.int32)}
    structure, state = nnx.split(mapping.to_model(random_weights(BY_POSITION)))
    run = fast_jit(lambda batch: nnx.merge(structure, state)(batch)["logits"])
    found, whole = run(named), run(batch)
    np.testing.assert_allclose(found[0, 0], whole[0, 40], rtol=0, atol=1e-5)
    assert np.abs(found[1, 0] - whole[1, 40]).max() > 1e-2
