# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A stack of self-attention layers: every parameter has a leading axis of layers.

Running the layers is a scan, so compile time does not grow with depth.
"""

import jax
from flax import nnx

from perceiver_bench.config import AttentionConfig, ModelConfig
from perceiver_bench.model.layers import SelfAttention


def build_stack(
    num_layers: int,
    channels: int,
    config: AttentionConfig,
    model: ModelConfig,
    *,
    rngs: nnx.Rngs,
) -> SelfAttention:
    """Builds `num_layers` layers of one form as one module of stacked parameters."""

    @nnx.split_rngs(splits=num_layers)
    @nnx.vmap(in_axes=(0,), out_axes=0)
    def build(rngs):
        return SelfAttention(channels, config, model, rngs=rngs)

    return build(rngs)


def unstack(stack: SelfAttention | nnx.List) -> nnx.List:
    """Returns the layers of a stack as a list, for forward passes only.

    A scan copies each layer's weights out of the stack before it multiplies with them,
    some 7 % of the language network's time on a CPU; a list is compiled layer by layer.
    """
    assert isinstance(stack, SelfAttention), "the layers are a list already"
    structure, stacked = nnx.split(stack)
    num_layers = jax.tree.leaves(stacked)[0].shape[0]
    return nnx.List(
        nnx.merge(structure, jax.tree.map(lambda leaf, i=i: leaf[i], stacked))
        for i in range(num_layers)
    )


def run_layers(
    layers: SelfAttention | nnx.List,
    inputs: jax.Array,
    *,
    mask: jax.Array | None = None,
    key: jax.Array | None = None,
    remat: bool = False,
) -> jax.Array:
    """Runs the layers of a stack or of a list once, [B, N, D] -> [B, N, D].

    Args:
        layers: What `build_stack` or `unstack` gives.
        inputs: [B, N, D].
        mask: [B, N], true where an input may be attended to; None for everywhere.
        key: PRNG key for dropout, in training; needs the stack.
        remat: Whether the backward pass forms each layer's activations again.
    """
    if isinstance(layers, nnx.List):
        assert key is None, "training needs the stack of layers"
        for module in layers:
            inputs = module(inputs, key_mask=mask)
        return inputs
    structure, stacked = nnx.split(layers)
    num_layers = jax.tree.leaves(stacked)[0].shape[0]

    def layer(inputs, step):
        parameters, layer_key = step
        module = nnx.merge(structure, parameters)
        return module(inputs, key_mask=mask, dropout_key=layer_key), None

    keys = None if key is None else jax.random.split(key, num_layers)
    layer = jax.checkpoint(layer) if remat else layer
    return jax.lax.scan(layer, inputs, (stacked, keys))[0]
