# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions plane by plane, and the head's costliest part, against XLA's plain ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perceiver_bench.model import plan
from perceiver_bench.model.linear import LinearMap
from perceiver_bench.model.voxel_convolution import convolve_plainly, convolve_planes
from perceiver_bench.model.voxel_joining import Joint, join

FLOAT32 = jnp.dtype(jnp.float32)


def normal(rng, *shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def assert_alike(found, due, tolerance=1e-5):
    """Of the largest value: sums of a hundred float32 products in another order."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(due), strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("length", "size"), [(3, 3), (6, 3), (7, 5), (5, 1)])
def test_planes_give_outputs_and_gradients_of_the_whole(length, size):
    rng = np.random.default_rng(length)
    voxels, kernel = normal(rng, length, length, length, 4), normal(rng, size, size, size, 4, 3)
    weights = normal(rng, length, length, length, 3)

    def loss(convolve):
        def weighed(voxels, kernel):
            return (convolve(voxels, kernel, FLOAT32) * weights).sum()

        return jax.jit(jax.grad(weighed, argnums=(0, 1)))(voxels, kernel)

    assert_alike(
        convolve_planes(voxels, kernel, FLOAT32), convolve_plainly(voxels, kernel, FLOAT32)
    )
    assert_alike(loss(convolve_planes), loss(convolve_plainly))


@pytest.mark.parametrize("length", [4, 5])
def test_joining_gives_outputs_and_gradients_of_the_plain_form(length):
    """Odd and even: planes are computed in pairs."""
    rng = np.random.default_rng(length)
    channels = 3
    joint = Joint(
        LinearMap(normal(rng, 10, channels), normal(rng, channels)),
        normal(rng, 3, 3, 3, 2 * channels, channels) / 10,
        normal(rng, channels),
        normal(rng, 3, 3, 3, channels, 1) / 10,
    )
    given = (normal(rng, *[length] * 3, 10), normal(rng, *[length] * 3, channels), joint)
    weights = normal(rng, *[length] * 3)

    def measured():
        def loss(voxels, upsampled, joint):
            logits, sums = join(voxels, upsampled, joint, FLOAT32)
            return (logits * weights).sum() + sum((one**2).sum() for one in sums)

        return join(*given, FLOAT32), jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*given)

    rewritten = measured()
    with plan.forced("plain"):
        plain = measured()
    # The softmax of pooling has a temperature of 0.01, by which it divides rounding errors.
    assert_alike(rewritten, plain, tolerance=1e-4)
