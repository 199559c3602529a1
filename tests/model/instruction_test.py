# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The Perceiver that reads instructions as bytes, alone and within the agent's network."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from perceiver_bench.config import InstructionEncoder
from perceiver_bench.model.examples import random_batch
from perceiver_bench.model.instruction import InstructionPerceiver
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.model.presets import preset
from perceiver_bench.model.weights import peract

ENCODER = InstructionEncoder(max_length=12, channels=16, num_heads=2, num_layers=1)
TINY = preset("peract_tiny")
CONFIG = dataclasses.replace(
    TINY, input=dataclasses.replace(TINY.input, instruction_encoder=ENCODER)
)


@pytest.fixture(scope="module")
def encoder():
    return InstructionPerceiver(ENCODER, CONFIG.input, CONFIG, rngs=nnx.Rngs(0))


def tokens(length, seed=0):
    return np.random.default_rng(seed).integers(6, 262, (2, length), dtype=np.int32)


def test_words_have_the_shape_of_clips(encoder):
    words = encoder(tokens(9), np.ones((2, 9), np.int32))
    assert words.shape == (2, CONFIG.input.num_tokens, CONFIG.input.token_channels)
    assert np.isfinite(words).all()
    assert np.abs(words[0] - words[1]).max() > 1e-6


def test_what_does_not_count_has_no_influence(encoder):
    ids, mask = tokens(12), np.ones((2, 12), np.int32)
    mask[:, 7:] = 0
    other = np.where(mask == 1, ids, tokens(12, seed=1))
    np.testing.assert_array_equal(encoder(ids, mask), encoder(other, mask))
    shorter = encoder(ids[:, :7], mask[:, :7])
    np.testing.assert_allclose(encoder(ids, mask), shorter, rtol=1e-5, atol=1e-6)


def test_an_empty_instruction_says_nothing(encoder):
    nothing = np.zeros((2, 12), np.int32)
    words = encoder(tokens(12), nothing)
    assert np.isfinite(words).all()
    np.testing.assert_array_equal(words, encoder(tokens(12, seed=1), nothing))


def test_more_bytes_than_positions_are_refused(encoder):
    with pytest.raises(ValueError, match="13 tokens; at most 12"):
        encoder(tokens(13), np.ones((2, 13), np.int32))


def test_the_agent_listens_and_learns_to():
    """Another instruction gives other actions, and every parameter of the encoder a gradient."""
    network = PerceiverIO(CONFIG, rngs=nnx.Rngs(0))
    structure, params, rest = nnx.split(network, nnx.Param, ...)
    batch = random_batch(CONFIG, 1)

    @jax.jit
    def forward(params, batch):
        return nnx.merge(structure, params, rest)(batch)["rotation_grip"]

    other = {**batch, "instruction": (batch["instruction"] + 1) % 262}
    assert np.abs(forward(params, batch) - forward(params, other)).max() > 0
    gradients = jax.jit(jax.grad(lambda params: (forward(params, batch) ** 2).sum()))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients["adapter"]["instruction"]):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(leaf).all(), name
        assert np.asarray(leaf).any() or "key" in name, name


def test_peracts_own_format_has_no_such_encoder():
    assert peract.is_peract(TINY)
    assert not peract.is_peract(CONFIG)
