# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs and output queries whose channels are told apart: what is given, and where it is.

Inputs [B, M, C] of an image are pixels [B, M, F] beside position channels [M, P]. Fourier
features of a grid are a sum of one table for each axis, so the 182,528 positions of optical
flow are 368 + 496 rows. Attention uses that (`folded.py`); `dense` gives the plain array.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from perceiver_bench.model.position import fourier_features


class Segment(NamedTuple):
    """A stretch of inputs or queries [B, M, C], C = F + P; M = S * T runs over a grid.

    `features` [B, M, F], where B is 1 if all examples have the same; `outer` [S, P] and
    `inner` [T, P]: the position channels of place (s, t) are `outer[s] + inner[t]`. Without
    `inner` T is 1, without `outer` P is 0. With a `kernel` [G, F] the features are
    [B, M, G] and still to be multiplied with it.
    """

    features: jax.Array
    outer: jax.Array | None = None
    inner: jax.Array | None = None
    kernel: jax.Array | None = None

    @property
    def num_positions(self) -> int:
        """M."""
        return self.features.shape[1]

    @property
    def channels(self) -> int:
        """C = F + P."""
        features = self.features if self.kernel is None else self.kernel
        return features.shape[-1] + (0 if self.outer is None else self.outer.shape[-1])

    def mapped(self) -> jax.Array:
        """Returns the features [B, M, F], multiplied with the kernel."""
        return self.features if self.kernel is None else self.features @ self.kernel

    def dense(self) -> jax.Array:
        """Returns [B, M, C]: the features, then the position channels."""
        features = self.mapped()
        if self.outer is None:
            return features
        positions = self.outer
        if self.inner is not None:
            positions = (self.outer[:, None] + self.inner).reshape(-1, self.outer.shape[-1])
        positions = jnp.broadcast_to(positions, (features.shape[0], *positions.shape))
        return jnp.concatenate([features, positions], axis=-1)

    def pad(self, padding: jax.Array) -> "Segment":
        """Appends the same channels, `padding` [1, Q], to every position."""

        def append(array, channels):
            channels = jnp.broadcast_to(channels, (*array.shape[:-1], channels.shape[-1]))
            return jnp.concatenate([array, channels], axis=-1)

        if self.outer is None:
            return Segment(append(self.mapped(), padding))
        inner = None if self.inner is None else append(self.inner, jnp.zeros_like(padding))
        return self._replace(outer=append(self.outer, padding), inner=inner)


Segments = tuple[Segment, ...]


def join(segments: Segments) -> jax.Array:
    """Returns [B, M, C] of all segments, one after the other along M."""
    arrays = [segment.dense() for segment in segments]
    size = max(array.shape[0] for array in arrays)
    arrays = [jnp.broadcast_to(array, (size, *array.shape[1:])) for array in arrays]
    return jnp.concatenate(arrays, axis=1)


def fourier_segment(
    features: jax.Array,
    axes: Sequence[jax.Array],
    num_bands: int,
    max_resolution: tuple[int, ...],
    kernel: jax.Array | None = None,
) -> Segment:
    """Puts the Fourier features of a grid beside `features` [B, M, F], or [B, M, G] @ `kernel`.

    `axes` are the positions along each axis of the grid. The last one becomes the segment's
    inner axis, all others together the outer one; a grid of one axis is all outer.
    """
    num_axes = len(axes)
    outer_axes = axes[: max(1, num_axes - 1)]
    outer = jnp.stack(jnp.meshgrid(*outer_axes, indexing="ij"), axis=-1)
    outer = outer.reshape(-1, len(outer_axes))
    if num_axes == 1:
        table = fourier_features(outer, num_bands, max_resolution)
        return Segment(features, table, kernel=kernel)
    outer = jnp.pad(outer, ((0, 0), (0, 1)))
    inner = jnp.pad(axes[-1][:, None], ((0, 0), (num_axes - 1, 0)))
    # The order of the channels: positions, sines and cosines, each axis after axis.
    channel = jnp.arange(num_axes * (2 * num_bands + 1)) - num_axes
    axis = jnp.where(channel < 0, channel + num_axes, channel // num_bands % num_axes)
    is_inner = axis == num_axes - 1
    outer = jnp.where(is_inner, 0, fourier_features(outer, num_bands, max_resolution))
    inner = jnp.where(is_inner, fourier_features(inner, num_bands, max_resolution), 0)
    return Segment(features, outer, inner, kernel)


def inverse_deviation(segment: Segment, epsilon: float) -> jax.Array:
    """Returns 1 / sqrt(variance + epsilon) [B, M] of the channels.

    As a layer norm computes it, in float32, without forming the position channels of every
    place: sums over the channels of the tables' rows and of their products suffice. The
    tables' rows are centred first, so that no large numbers cancel.
    """
    features = segment.mapped().astype(jnp.float32)
    if segment.outer is None:
        return jax.lax.rsqrt(features.var(axis=-1) + epsilon)
    outer = segment.outer
    inner = jnp.zeros_like(outer[:1]) if segment.inner is None else segment.inner
    outer_mean, inner_mean = (table.mean(axis=-1, keepdims=True) for table in (outer, inner))
    outer, inner = outer - outer_mean, inner - inner_mean
    squares = jnp.square(outer).sum(-1)[:, None] + jnp.square(inner).sum(-1)
    squares = (squares + 2 * outer @ inner.T).reshape(-1)
    position_mean = (outer_mean + inner_mean[:, 0]).reshape(-1)
    num_channels = outer.shape[-1]
    mean = (features.sum(-1) + num_channels * position_mean) / segment.channels
    deviations = jnp.square(features - mean[..., None]).sum(-1)
    deviations += squares + num_channels * jnp.square(position_mean - mean)
    return jax.lax.rsqrt(deviations / segment.channels + epsilon)
