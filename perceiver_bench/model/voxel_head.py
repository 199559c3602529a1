# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The head of PerAct: from patches back to voxels, and to what the gripper is to do."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig, VoxelActions, VoxelInput
from perceiver_bench.model import plan
from perceiver_bench.model.folded import product
from perceiver_bench.model.interface import Adapted, Prediction, Scene, Values
from perceiver_bench.model.linear import LinearMap, Readout, linear
from perceiver_bench.model.voxel_adapter import voxel_features
from perceiver_bench.model.voxel_convolution import (
    Convolution,
    convolve,
    convolve_pair,
    convolve_plainly,
    convolve_upsampled,
    each_example,
    leaky_relu,
    wide_kernel,
)
from perceiver_bench.model.voxel_pooling import PlaneSums, pool, pool_planes


class VoxelHead(nnx.Module):
    """Upsamples what patches have read, beside the voxels' own features, and decides.

    `voxels` [B, V, V, V, 10] are those that the network saw; `translation` [B, V, V, V] is a
    logit for each voxel, `rotation_grip` [B, 3 R + 2] one for each turn around three axes and
    for a closed and an open gripper, `collision` [B, 2] for avoiding and for allowing them.
    """

    def __init__(
        self, config: VoxelActions, inputs: VoxelInput, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        channels = inputs.channels
        self.channels = channels
        self.dtype = jnp.dtype(model.dtype)
        self.remat = model.remat
        self.coarse = Convolution(2 * channels, channels, inputs.patch, rngs=rngs)
        self.fine = Convolution(channels, channels, inputs.patch, rngs=rngs)
        self.joint = Convolution(2 * channels, channels, 3, rngs=rngs)
        self.translation = Convolution(
            channels, 1, 3, initializer=jax.nn.initializers.glorot_uniform(), rngs=rngs
        )
        self.wide = linear(16 * channels, config.hidden_channels, model, rngs)
        self.narrow = linear(config.hidden_channels, channels, model, rngs)
        self.output = linear(channels, 3 * config.num_rotations + 4, model, rngs)

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        return ((),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        scene = adapted.scene
        assert scene is not None
        patches = values[0].reshape(-1, *adapted.grid, 2 * self.channels)

        def decide(patches, voxels):
            return self._decide(patches, Scene(voxels, scene.features))

        decide = jax.checkpoint(decide) if self.remat else decide
        translation, pooled = each_example(decide, patches, scene.voxels)
        hidden = leaky_relu(self.narrow(leaky_relu(self.wide(pooled))))
        logits = self.output(hidden)
        return {
            "voxels": scene.voxels,
            "translation": translation,
            "rotation_grip": logits[:, :-2],
            "collision": logits[:, -2:],
        }

    def _decide(self, patches: jax.Array, scene: Scene) -> tuple[jax.Array, jax.Array]:
        """Returns logits [V, V, V] and what is pooled [16 C], of one example."""
        dtype = self.dtype
        coarse = convolve(patches, self.coarse.kernel[...], dtype) + self.coarse.bias[...]
        upsampled = convolve_upsampled(
            leaky_relu(coarse),
            self.fine.kernel[...],
            lambda planes: leaky_relu(planes + self.fine.bias[...]),
            dtype,
        )
        join = self._join_by_pairs if plan.rewrites_convolutions() else self._join_at_once
        logits, sums = join(upsampled, scene)
        own, joint = (PlaneSums(*parts) for parts in zip(*map(_halves, sums), strict=True))
        pooled = [pool(own), pool(pool_planes(patches)), pool(joint)]
        return logits + self.translation.bias[...], jnp.concatenate(pooled)

    def _beside(self, voxels: jax.Array, upsampled: jax.Array, features: LinearMap) -> jax.Array:
        """Returns [..., 2 C]: the voxels' own features, then the upsampled ones."""
        own = voxel_features(voxels, features, self.dtype)
        return jnp.concatenate([own, upsampled], axis=-1)

    def _join_at_once(self, upsampled: jax.Array, scene: Scene):
        inputs = self._beside(scene.voxels, upsampled, scene.features)
        found = convolve_plainly(inputs, self.joint.kernel[...], self.dtype)
        found = leaky_relu(found + self.joint.bias[...])
        logits = convolve_plainly(found, self.translation.kernel[...], self.dtype)[..., 0]
        pooled = jnp.concatenate([inputs[..., : self.channels], found], axis=-1)
        return logits, pool_planes(pooled)

    def _join_by_pairs(self, upsampled: jax.Array, scene: Scene):
        """As `_join_at_once`, two planes after two, each when the plane after it is there."""
        size = upsampled.shape[0]
        num_pairs = -(-size // 2)
        kernel = wide_kernel(self.joint.kernel[...])

        def in_pairs(array):
            # One pair more, of the last plane: its neighbours are computed when it comes.
            padding = [(0, 2 * num_pairs + 2 - size)] + [(0, 0)] * 3
            return jnp.pad(array, padding, mode="edge").reshape(-1, 2, *array.shape[1:])

        @jax.checkpoint
        def step(planes, pair):
            voxels, upsampled = pair
            following = self._beside(voxels, upsampled, scene.features)
            four = jnp.concatenate([planes, following[:1]])
            found = convolve_pair(four, kernel, self.dtype)
            found = leaky_relu(found + self.joint.bias[...])
            own = planes[1:, ..., : self.channels]
            sums = pool_planes(jnp.concatenate([own, found], axis=-1))
            return jnp.concatenate([planes[2:], following]), (self._tap(found), sums)

        first = self._beside(scene.voxels[:1], upsampled[:1], scene.features)
        start = jnp.concatenate([first] * 3)
        pairs = (in_pairs(scene.voxels), in_pairs(upsampled))
        _, (taps, sums) = jax.lax.scan(step, start, pairs)
        taps = taps[1:].swapaxes(1, 2).reshape(2 * num_pairs, 3, size, size)[:size]
        sums = PlaneSums(*(one[1:].reshape(-1, *one.shape[2:])[:size] for one in sums))
        padded = jnp.pad(taps, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
        return sum((padded[z : z + size, z] for z in range(3)), jnp.zeros(())), sums

    def _tap(self, found: jax.Array) -> jax.Array:
        """Returns what planes [2, V, V, C] add to the logits of planes around: [3, 2, V, V].

        To those of the plane after each, of itself, and of the plane before it.
        """
        size = found.shape[1]
        kernel = self.translation.kernel[...].reshape(27, -1)
        taps = product(kernel, found.reshape(-1, self.channels).T, self.dtype)
        taps = taps.reshape(3, 3, 3, 2, size, size)
        taps = jnp.pad(taps, [(0, 0)] * 4 + [(1, 1)] * 2, mode="edge")
        shifted = (taps[:, y, x, :, y : y + size, x : x + size] for y in range(3) for x in range(3))
        return sum(shifted, jnp.zeros(()))


def _halves(array: jax.Array) -> list[jax.Array]:
    return jnp.split(array, 2, axis=-1)
