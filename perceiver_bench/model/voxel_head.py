# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The head of PerAct: from patches back to voxels, and to what the gripper is to do."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig, VoxelActions, VoxelInput
from perceiver_bench.model.interface import Adapted, Prediction, Scene, Values
from perceiver_bench.model.linear import Readout, linear
from perceiver_bench.model.voxel_convolution import (
    Convolution,
    convolve,
    convolve_upsampled,
    each_example,
    leaky_relu,
)
from perceiver_bench.model.voxel_joining import Joint, join
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
        joint = Joint(
            scene.features,
            self.joint.kernel[...],
            self.joint.bias[...],
            self.translation.kernel[...],
        )
        logits, sums = join(scene.voxels, upsampled, joint, dtype)
        own, joined = (PlaneSums(*parts) for parts in zip(*map(_halves, sums), strict=True))
        pooled = [pool(own), pool(pool_planes(patches)), pool(joined)]
        return logits + self.translation.bias[...], jnp.concatenate(pooled)


def _halves(array: jax.Array) -> list[jax.Array]:
    return jnp.split(array, 2, axis=-1)
