# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What PerAct's layers of the gripper see of a grid: where each channel is high, and how high.

Grids are pooled plane after plane, so that no array of the size of a grid is made for it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Of the released network; so low that the softmax picks out the highest few voxels.
TEMPERATURE = 0.01


class PlaneSums(NamedTuple):
    """What is kept of planes of K channels.

    `maximum` [P, K]; `moments` [P, 3, K], sums over each plane of the softmax's numerators,
    which are 1 where the maximum is: times the row's position, times the column's, and
    the numerators alone.
    """

    maximum: jax.Array
    moments: jax.Array


def _positions(count: int) -> np.ndarray:
    return np.linspace(-1, 1, count, dtype=np.float32)


def pool_planes(planes: jax.Array) -> PlaneSums:
    """Returns the sums of planes [P, R, S, K], of R rows and S columns."""
    _, rows, columns, _ = planes.shape
    grid = np.meshgrid(_positions(rows), _positions(columns), indexing="ij")
    factors = np.stack([*grid, np.ones((rows, columns), np.float32)]).reshape(3, -1)
    maximum = planes.max(axis=(1, 2))
    top = jax.lax.stop_gradient(maximum)[:, None, None]
    numerators = jnp.exp((planes - top) / TEMPERATURE)
    numerators = numerators.reshape(planes.shape[0], rows * columns, -1)
    return PlaneSums(maximum, jnp.matmul(factors, numerators, precision="highest"))


def pool(sums: PlaneSums) -> jax.Array:
    """Returns [4 K]: three expected positions from -1 to 1 for each channel, then the maxima.

    The positions are those of rows, planes and columns, in this order: the original code's
    grid has the first two axes exchanged.
    """
    top = jax.lax.stop_gradient(sums.maximum)
    shares = jnp.exp((top - top.max(axis=0)) / TEMPERATURE)
    moments = sums.moments * shares[:, None]
    planes = _positions(len(top))[:, None] * moments[:, 2]
    expected = jnp.stack([moments[:, 0], planes, moments[:, 1]], axis=-1).sum(axis=0)
    expected /= moments[:, 2].sum(axis=0)[:, None]
    return jnp.concatenate([expected.reshape(-1), sums.maximum.max(axis=0)])
