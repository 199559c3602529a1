# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where PerAct's head brings voxels and patches together: its costliest part by far.

What a network computes plane by plane, so that nothing of the size of the grid is kept but what
it gives, is differentiated as it is spelled out, which keeps more and computes less.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp

from perceiver_bench.model import plan
from perceiver_bench.model.folded import product
from perceiver_bench.model.linear import LinearMap
from perceiver_bench.model.voxel_adapter import voxel_features
from perceiver_bench.model.voxel_convolution import (
    convolve_pair,
    convolve_plainly,
    convolve_planes,
    leaky_relu,
    wide_kernel,
)
from perceiver_bench.model.voxel_pooling import PlaneSums, pool_planes


class Joint(NamedTuple):
    """The parameters.

    `features` of the voxels; `kernel` [3, 3, 3, 2 C, C] and `bias` [C] of a convolution;
    `translation` [3, 3, 3, C, 1] of the one to the logits.
    """

    features: LinearMap
    kernel: jax.Array
    bias: jax.Array
    translation: jax.Array


Joined = tuple[jax.Array, PlaneSums]
"""Logits [V, V, V] without their bias, and sums of 2 C channels for pooling: the voxels' own
features, then what the convolution gives."""


Convolve = Callable[[jax.Array, jax.Array, jnp.dtype], jax.Array]


def join(voxels: jax.Array, upsampled: jax.Array, joint: Joint, dtype: jnp.dtype) -> Joined:
    """Convolves the features of voxels [V, V, V, 10] beside `upsampled` [V, V, V, C]."""
    if not plan.rewrites_convolutions():
        return _at_once(voxels, upsampled, joint, dtype)

    @jax.custom_vjp
    def joined(voxels, upsampled, joint):
        return _by_pairs(voxels, upsampled, joint, dtype)

    def forward(voxels, upsampled, joint):
        return jax.vjp(
            lambda voxels, upsampled, joint: _at_once(voxels, upsampled, joint, dtype),
            *(voxels, upsampled, joint),
        )

    def backward(pull, cotangents):
        return pull(cotangents)

    joined.defvjp(forward, backward)
    return joined(voxels, upsampled, joint)


def _beside(voxels: jax.Array, upsampled: jax.Array, joint: Joint, dtype) -> jax.Array:
    """Returns [..., 2 C]: the voxels' own features, then the upsampled ones."""
    own = voxel_features(voxels, joint.features, dtype)
    return jnp.concatenate([own, upsampled], axis=-1)


def _at_once(voxels: jax.Array, upsampled: jax.Array, joint: Joint, dtype) -> Joined:
    rewritten = plan.rewrites_convolutions()
    convolve = cast(Convolve, convolve_planes if rewritten else convolve_plainly)
    inputs = _beside(voxels, upsampled, joint, dtype)
    found = leaky_relu(convolve(inputs, joint.kernel, dtype) + joint.bias)
    logits = convolve(found, joint.translation, dtype)[..., 0]
    own = inputs[..., : found.shape[-1]]
    return logits, pool_planes(jnp.concatenate([own, found], axis=-1))


def _by_pairs(voxels: jax.Array, upsampled: jax.Array, joint: Joint, dtype) -> Joined:
    """Computes two planes after two, each when the plane after it is there."""
    size, channels = upsampled.shape[0], upsampled.shape[-1]
    num_pairs = -(-size // 2)
    kernel = wide_kernel(joint.kernel)

    def in_pairs(array):
        # One pair more, of the last plane: its neighbours are computed when it comes.
        padding = [(0, 2 * num_pairs + 2 - size)] + [(0, 0)] * 3
        return jnp.pad(array, padding, mode="edge").reshape(-1, 2, *array.shape[1:])

    def step(planes, pair):
        following = _beside(pair[0], pair[1], joint, dtype)
        four = jnp.concatenate([planes, following[:1]])
        found = leaky_relu(convolve_pair(four, kernel, dtype) + joint.bias)
        own = planes[1:, ..., :channels]
        sums = pool_planes(jnp.concatenate([own, found], axis=-1))
        taps = _tap(found, joint.translation, dtype)
        return jnp.concatenate([planes[2:], following]), (taps, sums)

    start = jnp.concatenate([_beside(voxels[:1], upsampled[:1], joint, dtype)] * 3)
    _, (taps, sums) = jax.lax.scan(step, start, (in_pairs(voxels), in_pairs(upsampled)))
    taps = taps[1:].swapaxes(1, 2).reshape(2 * num_pairs, 3, size, size)[:size]
    sums = PlaneSums(*(one[1:].reshape(-1, *one.shape[2:])[:size] for one in sums))
    padded = jnp.pad(taps, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    return sum((padded[z : z + size, z] for z in range(3)), jnp.zeros(())), sums


def _tap(found: jax.Array, kernel: jax.Array, dtype) -> jax.Array:
    """Returns what planes [2, V, V, C] add to the logits of planes around: [3, 2, V, V].

    To those of the plane after each, of itself, and of the plane before it.
    """
    size, channels = found.shape[1], found.shape[-1]
    taps = product(kernel.reshape(27, channels), found.reshape(-1, channels).T, dtype)
    taps = taps.reshape(3, 3, 3, 2, size, size)
    taps = jnp.pad(taps, [(0, 0)] * 4 + [(1, 1)] * 2, mode="edge")
    shifted = (taps[:, y, x, :, y : y + size, x : x + size] for y in range(3) for x in range(3))
    return sum(shifted, jnp.zeros(()))
