# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The form of CLIP's text transformer; its numbers are compared where its weights are read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clip_random import random_network
from flax import nnx
from random_networks import fast_jit

from perceiver_bench.model.clip_text import ClipText, ClipTextConfig

SMALL = ClipTextConfig(
    vocab_size=30, num_positions=9, channels=16, num_heads=2, num_layers=2, projection_channels=5
)
IDS = np.array([[28, 3, 7, 29, 0, 0, 0, 0, 0], [28, 4, 4, 5, 6, 7, 8, 9, 29]])


@pytest.fixture(scope="module")
def run():
    structure, state = nnx.split(random_network(SMALL))
    compiled = fast_jit(lambda state, ids: nnx.merge(structure, state)(ids))
    return lambda ids: compiled(state, ids)


def test_the_default_is_the_tower_beside_rn50():
    network = nnx.eval_shape(lambda: ClipText(ClipTextConfig(), rngs=nnx.Rngs(0)))
    ids = jax.ShapeDtypeStruct((2, 77), jnp.int32)
    found = nnx.eval_shape(lambda network, ids: network(ids), network, ids)
    assert found.tokens.shape == (2, 77, 512)
    assert found.sentence.shape == (2, 1024)
    leaves = jax.tree.leaves(nnx.split(network)[1])
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    # The transformers library counts 63,165,952 for ViT-B/32's tower without its projection,
    # which is of the same size.
    assert sum(leaf.size for leaf in leaves) == 63_165_952 + 512 * 1024


def test_a_token_sees_those_before_it_only(run):
    changed = IDS.copy()
    changed[1, 4] = 20
    before, after = run(IDS).tokens, run(changed).tokens
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1, :4], after[1, :4])
    assert (np.abs(before[1, 4:] - after[1, 4:]).max(axis=-1) > 1e-3).all()


def test_what_follows_the_end_does_not_change_the_sentence(run):
    changed = IDS.copy()
    changed[0, 4:] = [29, 3, 29, 5, 6]
    before, after = run(IDS), run(changed)
    np.testing.assert_array_equal(before.sentence, after.sentence)
    assert np.abs(before.tokens[0, 4:] - after.tokens[0, 4:]).max() > 1e-3


def test_the_sentence_is_the_projected_token_at_the_end(run):
    network = random_network(SMALL)
    found = run(IDS)
    ends = np.stack([found.tokens[0, 3], found.tokens[1, 8]])
    expected = ends @ np.asarray(network.projection.kernel[...])
    np.testing.assert_allclose(found.sentence, expected, rtol=1e-5, atol=1e-6)
