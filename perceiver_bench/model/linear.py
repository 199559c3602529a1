# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters, linear maps, layer norm and the MLP: what works on each position by itself."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig

EPSILON = 1e-5


class LinearMap(NamedTuple):
    """The arrays of a linear map: kernel [E, F] and bias [F]."""

    kernel: jax.Array
    bias: jax.Array

    @classmethod
    def of(cls, layer: nnx.Linear) -> "LinearMap":
        """Returns the arrays of a layer; where it has no bias, zeros."""
        kernel = layer.kernel[...]
        bias = jnp.zeros(kernel.shape[-1]) if layer.bias is None else layer.bias[...]
        return cls(kernel, bias)


Readout = Sequence[LinearMap]
"""The linear maps of each output that a head begins with, one after the other."""


def truncated_normal(rngs: nnx.Rngs, shape: tuple[int, ...], deviation: float = 0.02) -> nnx.Param:
    """Makes a parameter drawn from a normal distribution cut at two deviations."""
    return nnx.Param(jax.random.truncated_normal(rngs.params(), -2, 2, shape) * deviation)


def linear(
    inputs: int, outputs: int, model: ModelConfig, rngs: nnx.Rngs, *, use_bias: bool = True
) -> nnx.Linear:
    """Builds a linear map: float32 parameters and sums, products in the model's type."""
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=use_bias,
        dtype=jnp.dtype(model.dtype),
        preferred_element_type=jnp.float32,
        rngs=rngs,
    )


def layer_norm(channels: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Builds a layer norm, computed in float32 as the original does (epsilon 1e-5)."""
    return nnx.LayerNorm(
        channels, epsilon=EPSILON, use_fast_variance=False, dtype=jnp.float32, rngs=rngs
    )


class MLP(nnx.Module):
    """Two linear maps with GELU between, or a gated one: [..., C] -> [..., C]."""

    def __init__(
        self,
        channels: int,
        widening_factor: int,
        model: ModelConfig,
        *,
        is_gated: bool = False,
        rngs: nnx.Rngs,
    ):
        self.approximate = model.activation == "gelu_tanh"
        self.is_gated = is_gated
        width = widening_factor * channels
        self.hidden = linear(channels, 2 * width if is_gated else width, model, rngs)
        self.output = linear(width, channels, model, rngs)

    def activate(self, inputs: jax.Array) -> jax.Array:
        """Returns the hidden activations [..., widening factor * C]."""
        hidden = self.hidden(inputs)
        if self.is_gated:
            hidden, gates = jnp.split(hidden, 2, axis=-1)
            return hidden * jax.nn.gelu(gates, approximate=self.approximate)
        return jax.nn.gelu(hidden, approximate=self.approximate)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return self.output(self.activate(inputs))
