# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A Perceiver that reads an instruction byte by byte, within the network that obeys it."""

import jax
from flax import nnx

from perceiver_bench.config import (
    AttentionConfig,
    EncoderConfig,
    InstructionEncoder,
    ModelConfig,
    VoxelInput,
)
from perceiver_bench.model.encoder import Encoder
from perceiver_bench.model.linear import truncated_normal
from perceiver_bench.model.segments import Segment


class InstructionPerceiver(nnx.Module):
    """Token ids [B, L], of which `mask` [B, L] counts -> words [B, T, W] of a `VoxelInput`.

    An empty instruction, of which nothing counts, gives the same words whatever its ids are.
    """

    def __init__(
        self, config: InstructionEncoder, inputs: VoxelInput, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.embeddings = truncated_normal(rngs, (config.vocab_size, config.channels))
        self.positions = truncated_normal(rngs, (config.max_length, config.channels))
        encoder = EncoderConfig(
            num_latents=inputs.num_tokens,
            latent_channels=inputs.token_channels,
            cross_attention=AttentionConfig(num_heads=config.num_heads),
            self_attention=AttentionConfig(num_heads=config.num_heads, widening_factor=2),
            num_layers=config.num_layers,
        )
        self.encoder = Encoder(encoder, config.channels, model, rngs=rngs)

    def __call__(
        self, tokens: jax.Array, mask: jax.Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        length, limit = tokens.shape[1], self.positions.shape[0]
        if length > limit:
            raise ValueError(f"{length} tokens; at most {limit} are possible")
        inputs = self.embeddings[...][tokens] + self.positions[...][:length]
        return self.encoder((Segment(inputs),), mask, key=key)
