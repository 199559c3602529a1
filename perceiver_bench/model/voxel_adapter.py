# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The input adapter of PerAct: patches of voxels, what the robot knows of itself, and words."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig, VoxelInput
from perceiver_bench.model.folded import product
from perceiver_bench.model.instruction import InstructionPerceiver
from perceiver_bench.model.interface import Adapted, Batch, Scene
from perceiver_bench.model.linear import LinearMap, linear
from perceiver_bench.model.segments import Segment
from perceiver_bench.model.voxel_convolution import (
    Convolution,
    convolve_patches,
    each_example,
    leaky_relu,
)
from perceiver_bench.model.voxels import VOXEL_CHANNELS, voxelise


def voxel_features(voxels: jax.Array, features: LinearMap, dtype: jnp.dtype) -> jax.Array:
    """Returns the features [..., C] of voxels [..., 10]."""
    return leaky_relu(product(voxels, features.kernel, dtype) + features.bias)


class VoxelAdapter(nnx.Module):
    """`points`, `colours` [B, n, 3], `bounds`, `proprio` [B, P], `language` [B, T, W] -> inputs.

    `bounds` [6] or [B, 6] and points are in metres, see `voxelise`. The first segment is the
    patches [B, G^3, 2 C], the second the words [B, T, 2 C]. A network with its own encoder of
    instructions takes in place of `language` the ids `instruction` [B, L], of which
    `instruction_mask` [B, L] counts.
    """

    def __init__(self, config: VoxelInput, model: ModelConfig, *, rngs: nnx.Rngs):
        channels = config.channels
        self.config = config
        self.dtype = jnp.dtype(model.dtype)
        self.features = linear(VOXEL_CHANNELS, channels, model, rngs)
        self.patches = Convolution(channels, channels, config.patch, rngs=rngs)
        self.proprioception = linear(config.proprioception, channels, model, rngs)
        if config.instruction_encoder is not None:
            self.instruction = InstructionPerceiver(
                config.instruction_encoder, config, model, rngs=rngs
            )
        self.language = linear(config.token_channels, 2 * channels, model, rngs)
        # As the released code counts them: the words come first.
        places = (config.grid,) * 3
        if config.positions_for_language:
            places = (config.num_tokens + config.grid**3,)
        self.positions = nnx.Param(jax.random.normal(rngs.params(), (*places, 2 * channels)))
        self.channels = 2 * channels

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Adapted:
        config = self.config
        voxels = voxelise(batch["points"], batch["colours"], batch["bounds"], config.size)
        scene = Scene(voxels, LinearMap.of(self.features))
        kernel = self.patches.kernel[...]

        def patches_of(voxels):
            return convolve_patches(
                voxels,
                kernel,
                lambda planes: voxel_features(planes, scene.features, self.dtype),
                self.dtype,
            )

        patches = leaky_relu(each_example(patches_of, voxels) + self.patches.bias[...])
        own = leaky_relu(self.proprioception(batch["proprio"]))[:, None, None, None]
        own = jnp.broadcast_to(own, patches.shape)
        patches = jnp.concatenate([patches, own], axis=-1)
        if config.instruction_encoder is None:
            words = batch["language"]
        else:
            words = self.instruction(batch["instruction"], batch["instruction_mask"], key=key)
        words = self.language(words)
        positions = self.positions[...]
        if config.positions_for_language:
            words += positions[: config.num_tokens]
            positions = positions[config.num_tokens :].reshape(*patches.shape[1:])
        patches = (patches + positions).reshape(patches.shape[0], -1, self.channels)
        return Adapted((Segment(patches), Segment(words)), grid=(config.grid,) * 3, scene=scene)
