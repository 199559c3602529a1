# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The convolution before some networks: a quarter of the size, normalised and pooled."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig

REDUCTION = 4


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last, with the original's moving averages.

    The averages are zero-debiased: `hidden` decays by 0.9 a step and `average` is
    `hidden / (1 - 0.9 ** counter)`. Evaluation uses the averages.
    """

    def __init__(self, channels: int):
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean_average = nnx.BatchStat(jnp.zeros(channels))
        self.mean_hidden = nnx.BatchStat(jnp.zeros(channels))
        self.mean_counter = nnx.BatchStat(jnp.zeros((), jnp.int32))
        self.variance_average = nnx.BatchStat(jnp.zeros(channels))
        self.variance_hidden = nnx.BatchStat(jnp.zeros(channels))
        self.variance_counter = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def _update(self, name: str, value: jax.Array) -> None:
        hidden = getattr(self, f"{name}_hidden")
        counter = getattr(self, f"{name}_counter")
        counter[...] = counter[...] + 1
        hidden[...] = hidden[...] * 0.9 + value * 0.1
        debiased = hidden[...] / (1 - 0.9 ** counter[...].astype(jnp.float32))
        getattr(self, f"{name}_average")[...] = debiased

    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        if train:
            axes = tuple(range(inputs.ndim - 1))
            mean = inputs.mean(axes)
            variance = jnp.square(inputs).mean(axes) - jnp.square(mean)
            self._update("mean", jax.lax.stop_gradient(mean))
            self._update("variance", jax.lax.stop_gradient(variance))
        else:
            mean, variance = self.mean_average[...], self.variance_average[...]
        return (inputs - mean) * (self.scale[...] * jax.lax.rsqrt(variance + 1e-5)) + self.bias[...]


class ConvolutionStem(nnx.Module):
    """7x7 convolution, batch norm, ReLU, 3x3 max pooling: [B, H, W, 3] -> [B, H/4, W/4, C]."""

    def __init__(self, inputs: int, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.convolution = nnx.Conv(
            *(inputs, channels, (7, 7)),
            strides=2,
            use_bias=False,
            dtype=jnp.dtype(model.dtype),
            rngs=rngs,
        )
        self.norm = BatchNorm(channels)

    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        features = self.convolution(images).astype(jnp.float32)
        features = jax.nn.relu(self.norm(features, train=train))
        return nnx.max_pool(features, (3, 3), strides=(2, 2), padding="SAME")
