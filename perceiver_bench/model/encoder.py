# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From inputs of any number to latents; letters are those of `perceiver.py`."""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import EncoderConfig, ModelConfig
from perceiver_bench.model.layers import CrossAttention
from perceiver_bench.model.linear import truncated_normal
from perceiver_bench.model.segments import Segment, Segments
from perceiver_bench.model.stack import build_stack, run_layers, unstack


class Encoder(nnx.Module):
    """Learned latents [N, D] attend to the inputs, then to each other, layer after layer."""

    def __init__(self, config: EncoderConfig, channels: int, model: ModelConfig, *, rngs):
        self.config = config
        self.remat = model.remat
        self.latents = truncated_normal(rngs, (config.num_latents, config.latent_channels))
        self.cross_attention = CrossAttention(
            config.latent_channels,
            channels,
            config.cross_attention,
            model,
            use_query_residual=True,
            dropout=model.dropout,
            rngs=rngs,
        )
        own_blocks = 1 if config.share_blocks else config.num_blocks
        self.self_attention = build_stack(
            own_blocks * config.num_layers,
            config.latent_channels,
            config.self_attention,
            model,
            rngs=rngs,
        )

    def unstack(self) -> None:
        """Turns the stack of layers into a list of layers, for forward passes only."""
        self.self_attention = unstack(self.self_attention)

    def _attend_to_inputs(self, latents, inputs: Segments, mask, key):
        def attend(latents, inputs):
            queries = (Segment(latents),)
            return self.cross_attention(queries, inputs, key_mask=mask, dropout_key=key)

        return jax.checkpoint(attend)(latents, inputs) if self.remat else attend(latents, inputs)

    def __call__(self, inputs: Segments, mask=None, *, key=None):
        """Encodes inputs [B, M, C], of which `mask` [B, M] counts, to latents [B, N, D]."""
        # One set of latents until the examples differ: their queries are formed once.
        latents = self.latents[...][None]
        config = self.config
        num_runs = config.num_blocks if config.share_blocks else 1

        def block_keys(index):
            if key is None:
                return None, None
            return jax.random.split(jax.random.fold_in(key, index))

        if not config.repeat_cross_attention:
            latents = self._attend_to_inputs(latents, inputs, mask, block_keys(num_runs)[0])

        def block(latents, index):
            cross_key, layers_key = block_keys(index)
            if config.repeat_cross_attention:
                latents = self._attend_to_inputs(latents, inputs, mask, cross_key)
            layers = self.self_attention
            return run_layers(layers, latents, key=layers_key, remat=self.remat), None

        if num_runs == 1:
            return block(latents, 0)[0]
        size = max(segment.features.shape[0] for segment in inputs)
        latents = jnp.broadcast_to(latents, (size, *latents.shape[1:]))
        return jax.lax.scan(block, latents, jnp.arange(num_runs))[0]
