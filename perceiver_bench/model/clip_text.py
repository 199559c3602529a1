# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's text transformer (Radford et al. 2021), which gives PerAct its language tokens.

It is run and not trained here. Everything is float32; PerAct's code ran it in half precision
and widened the result.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.model.linear import layer_norm


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipTextConfig:
    """The sizes of a text tower; by default those beside the image tower RN50.

    `projection_channels` are those of the sentence embedding; None leaves it unprojected.
    """

    vocab_size: int = 49408
    num_positions: int = 77
    channels: int = 512
    num_heads: int = 8
    num_layers: int = 12
    projection_channels: int | None = 1024


class TextEmbeddings(NamedTuple):
    """What CLIP makes of texts: `tokens` [B, T, C] and `sentence` [B, P], float32."""

    tokens: jax.Array
    sentence: jax.Array


class _Layer(nnx.Module):
    """Pre-norm causal self-attention and MLP: [B, T, C] -> [B, T, C]."""

    def __init__(self, channels: int, num_heads: int, *, rngs: nnx.Rngs):
        self.num_heads = num_heads
        self.norm = layer_norm(channels, rngs)
        self.query = nnx.Linear(channels, channels, rngs=rngs)
        self.key = nnx.Linear(channels, channels, rngs=rngs)
        self.value = nnx.Linear(channels, channels, rngs=rngs)
        self.output = nnx.Linear(channels, channels, rngs=rngs)
        self.mlp_norm = layer_norm(channels, rngs)
        self.mlp_hidden = nnx.Linear(channels, 4 * channels, rngs=rngs)
        self.mlp_output = nnx.Linear(4 * channels, channels, rngs=rngs)

    def __call__(self, inputs):
        normed = self.norm(inputs)
        query, key, value = (
            linear(normed).reshape(*inputs.shape[:2], self.num_heads, -1)
            for linear in (self.query, self.key, self.value)
        )
        attended = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        inputs = inputs + self.output(attended.reshape(inputs.shape))
        hidden = self.mlp_hidden(self.mlp_norm(inputs))
        # "QuickGELU", the form of GELU that CLIP was trained with.
        return inputs + self.mlp_output(hidden * jax.nn.sigmoid(1.702 * hidden))


class ClipText(nnx.Module):
    """CLIP's text transformer: ids [B, T] -> embeddings of the tokens and of the sentence.

    `tokens` are those after the last layer norm, padding included. `sentence` is the one at
    the end-of-text token, the highest id of the vocabulary, times the projection.
    """

    def __init__(self, config: ClipTextConfig, *, rngs: nnx.Rngs):
        self.config = config
        channels = config.channels
        self.embedding = nnx.Embed(config.vocab_size, channels, rngs=rngs)
        positions = jax.random.normal(rngs.params(), (config.num_positions, channels))
        self.positions = nnx.Param(0.01 * positions)

        @nnx.split_rngs(splits=config.num_layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def build(rngs):
            return _Layer(channels, config.num_heads, rngs=rngs)

        self.layers = build(rngs)
        self.norm = layer_norm(channels, rngs)
        width = config.projection_channels
        self.projection = (
            None if width is None else nnx.Linear(channels, width, use_bias=False, rngs=rngs)
        )

    def __call__(self, ids: jax.Array) -> TextEmbeddings:
        """Returns the embeddings of `ids` int [B, T], T at most `num_positions`."""
        structure, stacked = nnx.split(self.layers)
        inputs = self.embedding(ids) + self.positions[: ids.shape[1]]
        inputs, _ = jax.lax.scan(
            lambda inputs, parameters: (nnx.merge(structure, parameters)(inputs), None),
            inputs,
            stacked,
        )
        tokens = self.norm(inputs)
        sentence = tokens[jnp.arange(len(ids)), ids.argmax(axis=-1)]
        return TextEmbeddings(
            tokens, sentence if self.projection is None else self.projection(sentence)
        )
