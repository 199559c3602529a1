# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From points with colours to a grid of voxels, as PerAct has it.

`V` is the number of voxels along each axis, `n` that of points of all cameras.
"""

import jax
import jax.numpy as jnp
import numpy as np

VOXEL_CHANNELS = 10
# As in the original code: a voxel of bounds without extent has a size all the same.
_MIN_SIZE = 1e-12


def cells_of(
    points: jax.typing.ArrayLike, bounds: jax.typing.ArrayLike, size: int
) -> tuple[jax.Array, jax.Array]:
    """Returns each point's voxel along each axis [B, n, 3], and whether it is inside [B, n].

    `bounds` [1, 6] or [B, 6]; a point that is not inside has voxel 0.

    Rounded as in the original code, which has one more voxel on either side of the bounds,
    clips all points into that larger grid, and crops it.
    """
    points, bounds = jnp.asarray(points), jnp.asarray(bounds)
    low, high = bounds[:, None, :3], bounds[:, None, 3:]
    # Behind a barrier: a division by a constant would become a product with its inverse,
    # and points on the boundary of two voxels would change sides.
    count = jax.lax.optimization_barrier(jnp.float32(size + _MIN_SIZE))
    width = (high - low) / count
    cells = jnp.floor((points - (low - width)) / (width + _MIN_SIZE)) - 1
    # False for NaN.
    inside = ((cells >= 0) & (cells < size)).all(axis=-1)
    return jnp.where(inside[..., None], cells, 0).astype(jnp.int32), inside


def voxelise(points: jax.Array, colours: jax.Array, bounds: jax.Array, size: int) -> jax.Array:
    """Returns voxels [B, V, V, V, 10] of points within bounds.

    The channels are the mean of the voxel's points (3, metres), the mean of their colours
    (3), the voxel's index along each axis over V (3), and 1 where there is a point. Without
    one, means and the last channel are 0. Points out of bounds count nowhere, nor do those
    that are not finite; bounds that hold no point give an empty grid.

    Args:
        points: [B, n, 3], metres.
        colours: [B, n, 3].
        bounds: [6] or [B, 6]: lowest x, y, z, then highest, metres.
        size: V.
    """
    batch, num_points, _ = points.shape
    bounds = jnp.broadcast_to(bounds, (batch, 6))
    cells, inside = cells_of(points, bounds, size)
    example = jnp.arange(batch)[:, None]
    flat = ((example * size + cells[..., 0]) * size + cells[..., 1]) * size + cells[..., 2]
    flat, inside, cells = flat.reshape(-1), inside.reshape(-1), cells.reshape(-1, 3)
    num_voxels, num_points = batch * size**3, batch * num_points
    # Points are fewer than voxels: they are summed up at one point of each voxel.
    target = jnp.where(inside, flat, num_voxels)
    chosen = jnp.zeros(num_voxels, jnp.int32).at[target].set(jnp.arange(num_points), mode="drop")
    chosen = jnp.where(inside, chosen[flat], num_points)
    values = jnp.concatenate([points, colours, jnp.ones_like(points[..., :1])], axis=-1)
    values = values.reshape(num_points, -1)
    sums = jnp.zeros_like(values).at[chosen].add(values, mode="drop")
    means = (sums[:, :-1] / jnp.maximum(sums[:, -1:], 1)).at[chosen].get(mode="clip")
    fractions = np.arange(size, dtype=np.float32) / np.float32(size)
    found = jnp.concatenate([means, jnp.asarray(fractions)[cells], jnp.ones_like(values[:, :1])], 1)
    voxels = _empty_grid(fractions, batch).reshape(num_voxels, VOXEL_CHANNELS)
    voxels = voxels.at[target].set(found, mode="drop")
    return voxels.reshape(batch, size, size, size, VOXEL_CHANNELS)


def _empty_grid(fractions: np.ndarray, batch: int) -> jax.Array:
    """Returns voxels [B, V, V, V, 10] without points; `fractions` [V] are indices over V."""
    shape = (batch, *3 * fractions.shape)
    axes = np.meshgrid(fractions, fractions, fractions, indexing="ij", sparse=True)
    index = [jnp.broadcast_to(axis, shape)[..., None] for axis in axes]
    return jnp.concatenate([jnp.zeros((*shape, 6)), *index, jnp.zeros((*shape, 1))], axis=-1)
