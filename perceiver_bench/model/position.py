# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Positions and their Fourier features (paper, appendix E)."""

import math

import jax
import jax.numpy as jnp


def axis_positions(grid: tuple[int, ...]) -> list[jax.Array]:
    """Returns the positions along each axis of a grid, both ends included, in [-1, 1].

    They are formed behind an optimization barrier. Without it the compiler would evaluate
    the features of, say, 182,528 positions while compiling and store them in the program.
    """
    axes = [jnp.linspace(-1.0, 1.0, num=size, dtype=jnp.float32) for size in grid]
    return list(jax.lax.optimization_barrier(axes))


def grid_positions(grid: tuple[int, ...]) -> jax.Array:
    """Returns the positions of a grid, both ends included: [prod(grid), A] in [-1, 1]."""
    axes = axis_positions(grid)
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(grid))


def point_axes(grid: tuple[int, ...]) -> list[jax.Array]:
    """Returns what `point_positions` gives along each axis of a grid, all points taken."""
    indices = jax.lax.optimization_barrier([jnp.arange(size) for size in grid])
    return [-1 + 2 * index / size for index, size in zip(indices, grid, strict=True)]


def point_positions(points: jax.Array, grid: tuple[int, ...]) -> jax.Array:
    """Returns the positions of the flat indices `points` [P] of a grid: [P, A].

    Single points lie at `-1 + 2 * index / size`, so unlike `grid_positions` the last
    index does not reach 1. The released multimodal weights were trained with this form.
    """
    index = jnp.stack(jnp.unravel_index(points, grid), axis=1)
    return -1 + 2 * index / jnp.array(grid)[None, :]


def fourier_features(
    positions: jax.Array, num_bands: int, max_resolution: tuple[int, ...]
) -> jax.Array:
    """Encodes positions as sines and cosines of linearly spaced frequencies.

    Frequencies run from 1 to half of `max_resolution` (Nyquist) on each axis. Products
    are taken in the order position x frequency x pi, in float32: at frequency 15,360 (the
    audio of the multimodal model) another order moves features by 5e-3, and the released
    weights know this one.

    Args:
        positions: [P, A] in [-1, 1].
        num_bands: Frequencies on each axis.
        max_resolution: Samples on each of the A axes.

    Returns:
        [P, A * (2 * num_bands + 1)]: the positions, the sines of axis 0, of axis 1, ...,
        then the cosines in the same order.

    Raises:
        ValueError: If `max_resolution` does not have A entries.
    """
    if len(max_resolution) != positions.shape[-1]:
        raise ValueError(
            f"max_resolution {max_resolution} has not the {positions.shape[-1]} axes of the"
            " positions"
        )
    bands = jnp.stack([jnp.linspace(1.0, size / 2, num=num_bands) for size in max_resolution])
    phases = (positions[:, :, None] * bands[None]).reshape(positions.shape[0], -1)
    return jnp.concatenate([positions, jnp.sin(jnp.pi * phases), jnp.cos(jnp.pi * phases)], axis=-1)


def fourier_channels(num_bands: int, num_axes: int) -> int:
    """Returns the channel count of `fourier_features`."""
    return num_axes * (2 * num_bands + 1)


def resize_positions(
    positions: jax.Array, grid: tuple[int, int], new_grid: tuple[int, int]
) -> jax.Array:
    """Returns learned positions [H * W, C] for an image of another size, interpolated.

    Bilinear between the centres of the cells, so a table that is linear in the
    coordinates stays linear inside the image.
    """
    if grid == new_grid:
        return positions
    channels = positions.shape[-1]
    resized = jax.image.resize(
        positions.reshape(*grid, channels), (*new_grid, channels), "bilinear", antialias=False
    )
    return resized.reshape(math.prod(new_grid), channels)
