# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's text transformer with random weights, without compiling its initialisation."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from perceiver_bench.model.clip_text import ClipText


def random_network(config):
    structure, state = nnx.split(nnx.eval_shape(lambda: ClipText(config, rngs=nnx.Rngs(0))))
    generator = np.random.default_rng(0)
    state = jax.tree.map(
        lambda leaf: jnp.asarray(generator.normal(0, 0.3, leaf.shape), leaf.dtype), state
    )
    return nnx.merge(structure, state)
