# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What PerAct's network is trained on: the four heads' cross-entropies, weighted alike."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from .actions import NUM_BINS


def loss(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float
) -> jax.Array:
    """Returns the sum [B] of the cross-entropies of voxel, three angles, gripper, collision.

    Args:
        prediction: `translation` [B, V, V, V], `rotation_grip` [B, 218], `collision` [B, 2].
        batch: `translation` [B, 3], `rotation_grip` [B, 4], `collision` [B]; integers.
        label_smoothing: in [0, 1].
    """
    translation = prediction["translation"]
    size = translation.shape[-1]
    x, y, z = jnp.moveaxis(jnp.asarray(batch["translation"]), -1, 0)
    logits = jnp.split(prediction["rotation_grip"], NUM_BINS * np.arange(1, 4), axis=-1)
    labels = jnp.moveaxis(jnp.asarray(batch["rotation_grip"]), -1, 0)
    heads = [
        (translation.reshape(len(translation), -1), (x * size + y) * size + z),
        *zip(logits, labels, strict=True),
        (prediction["collision"], batch["collision"]),
    ]
    return sum(
        (
            api.cross_entropy({"logits": logits}, {"label": label}, label_smoothing)
            for logits, label in heads
        ),
        jnp.zeros(()),
    )
