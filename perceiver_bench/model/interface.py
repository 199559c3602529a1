# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What adapters, queries and heads hand to each other."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

from perceiver_bench.model.linear import LinearMap
from perceiver_bench.model.segments import Segments, join

Batch = Mapping[str, jax.Array]
"""What a network reads, arrays by name."""

Prediction = dict[str, jax.Array]
"""What a network gives, arrays by name."""

Values = tuple[jax.Array, ...]
"""What a head is called with: [B, O, F] for each segment of the queries."""


class Scene(NamedTuple):
    """Voxels [B, V, V, V, 10], and the linear map that takes each to its features."""

    voxels: jax.Array
    features: LinearMap


class Adapted(NamedTuple):
    """What an adapter makes of a batch.

    `segments`: the inputs [B, M, C], one segment after the other along M; `mask` [B, M] or
    None where all inputs count; `grid`: the index dimensions that the first segment's places
    flatten; `embeddings` [V, C] of a text adapter, for tied outputs; `scene` of a voxel
    adapter, for what is decoded voxel by voxel.
    """

    segments: Segments
    mask: jax.Array | None = None
    grid: tuple[int, ...] = ()
    embeddings: jax.Array | None = None
    scene: Scene | None = None

    @property
    def inputs(self) -> jax.Array:
        """[B, M, C]: the plain array of all inputs."""
        return join(self.segments)
