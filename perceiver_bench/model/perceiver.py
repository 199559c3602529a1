# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Perceiver IO: encode any inputs into latents, process, decode any outputs.

Letters in shapes, here and in every other file: `B` batch, `M` inputs, `N` latents, `O`
outputs, `C` input channels, `D` latent channels, `E` query channels, `H` heads, `K` head
size of queries and keys (`V` where the values' differs), `A` axes of a grid.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import ModelConfig, TiedVocabulary, TransformerConfig
from perceiver_bench.model.adapters import build_adapter
from perceiver_bench.model.encoder import Encoder
from perceiver_bench.model.folded import product
from perceiver_bench.model.heads import build_head
from perceiver_bench.model.interface import Adapted, Batch, Prediction
from perceiver_bench.model.layers import CrossAttention
from perceiver_bench.model.linear import Readout
from perceiver_bench.model.queries import Queries, build_queries
from perceiver_bench.model.segments import Segment
from perceiver_bench.model.transformer import Transformer


class PerceiverIO(nnx.Module):
    """The whole network, from a batch of arrays to a prediction, both by name.

    A configuration with a `TransformerConfig` makes the transformer that Perceiver IO is
    compared with, of the same adapters, layers and heads.

    A PRNG `key` in a call means training: dropout is drawn from it, batch norm uses and
    updates the statistics of the batch, the class input of the multimodal model is masked
    at random. Without a key the network is a deterministic function of its parameters.
    """

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.adapter = build_adapter(config.input, config, rngs=rngs)
        channels = self.adapter.channels
        if isinstance(config.encoder, TransformerConfig):
            self.encoder = Transformer(config.encoder, channels, config, rngs=rngs)
            latent_channels = channels
        else:
            self.encoder = Encoder(config.encoder, channels, config, rngs=rngs)
            latent_channels = config.encoder.latent_channels
        output_channels = latent_channels
        if config.decoder is not None:
            self.query = build_queries(config, channels, rngs=rngs)
            output_channels = self.query.channels
            # The official decoders never drop; only their attention weights may be.
            dropout = config.attention_dropout if config.decoder.use_dropout else 0.0
            self.decoder = CrossAttention(
                output_channels,
                latent_channels,
                config.decoder.cross_attention,
                dataclasses.replace(config, attention_dropout=dropout),
                use_query_residual=config.decoder.use_query_residual,
                dropout=0.0,
                use_mlp=config.decoder.use_mlp,
                rngs=rngs,
            )
        self.head = build_head(config, output_channels, rngs=rngs)

    def encode(self, batch: Batch, *, key: jax.Array | None = None):
        """Returns the adapted inputs and the latents [B, N, D]; of a transformer N is M."""
        adapter_key, encoder_key = (None, None) if key is None else jax.random.split(key)
        adapted = self.adapter(batch, key=adapter_key)
        return adapted, self.encoder(adapted.segments, adapted.mask, key=encoder_key)

    def decode(
        self,
        latents: jax.Array,
        queries: Queries,
        readouts: Sequence[Readout],
        *,
        key: jax.Array | None = None,
    ) -> tuple[jax.Array, ...]:
        """Returns what the queries read from the latents, [B, O, F] for each segment."""
        return self.decoder.decode(
            queries.segments,
            (Segment(latents),),
            readouts,
            query_mask=queries.mask,
            dropout_key=key,
        )

    def _read(self, outputs: jax.Array, batch: Batch, adapted: Adapted) -> jax.Array:
        """Applies the head's linear maps to outputs [B, M, C] of a transformer: [B, P, F].

        To those at the batch's `output_positions` [B, P]; without these to all for the
        vocabulary, to the first one for heads that read a single output.
        """
        positions = batch.get("output_positions")
        if positions is not None:
            outputs = jnp.take_along_axis(outputs, positions[..., None], axis=1)
        elif not isinstance(self.config.head, TiedVocabulary):
            outputs = outputs[:, :1]
        (readout,) = self.head.readouts(adapted)
        for kernel, bias in readout:
            outputs = product(outputs, kernel, jnp.dtype(self.config.dtype)) + bias
        return outputs

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Prediction:
        """Predicts from a batch; the arrays it reads and gives are the adapter's and head's."""
        encoder_key, decoder_key = (None, None) if key is None else jax.random.split(key)
        adapted, latents = self.encode(batch, key=encoder_key)
        if isinstance(self.encoder, Transformer):
            return self.head((self._read(latents, batch, adapted),), adapted)
        if self.config.decoder is None:
            return self.head((latents,), adapted)
        queries = self.query(batch, adapted)
        values = self.decode(latents, queries, self.head.readouts(adapted), key=decoder_key)
        return self.head(values, adapted)


def num_params(config: ModelConfig) -> int:
    """Counts the parameters of a network without making them."""
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
