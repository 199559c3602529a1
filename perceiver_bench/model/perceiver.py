# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Perceiver IO: encode any inputs into latents, process, decode any outputs.

Letters in shapes, here and in every other file: `B` batch, `M` inputs, `N` latents, `O`
outputs, `C` input channels, `D` latent channels, `E` query channels, `H` heads, `K` head
size of queries and keys (`V` where the values' differs), `A` axes of a grid.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import EncoderConfig, ModelConfig
from perceiver_bench.model.adapters import Adapted, Batch, build_adapter, truncated_normal
from perceiver_bench.model.attention import CrossAttention, SelfAttention
from perceiver_bench.model.heads import Prediction, build_head
from perceiver_bench.model.queries import MultimodalQueries, Queries, build_queries


class Encoder(nnx.Module):
    """Learned latents [N, D] attend to the inputs, then to each other, layer after layer.

    The layers are stacked: every parameter of `self_attention` has a leading axis of
    layers. Running them is a scan, so compile time does not grow with depth.
    """

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

        @nnx.split_rngs(splits=own_blocks * config.num_layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def build_layers(rngs):
            return SelfAttention(config.latent_channels, config.self_attention, model, rngs=rngs)

        self.self_attention = build_layers(rngs)

    def _attend_to_inputs(self, latents, inputs, mask, key):
        def attend(latents, inputs):
            return self.cross_attention(latents, inputs, key_mask=mask, dropout_key=key)

        return jax.checkpoint(attend)(latents, inputs) if self.remat else attend(latents, inputs)

    def _process(self, latents, key):
        """Runs the stacked layers once, [B, N, D] -> [B, N, D]."""
        structure, stacked = nnx.split(self.self_attention)
        num_layers = jax.tree.leaves(stacked)[0].shape[0]

        def layer(latents, step):
            parameters, layer_key = step
            return nnx.merge(structure, parameters)(latents, dropout_key=layer_key), None

        keys = None if key is None else jax.random.split(key, num_layers)
        layer = jax.checkpoint(layer) if self.remat else layer
        return jax.lax.scan(layer, latents, (stacked, keys))[0]

    def __call__(self, inputs, mask=None, *, key=None):
        """Encodes inputs [B, M, C], of which `mask` [B, M] counts, to latents [B, N, D]."""
        latents = self.latents[...]
        latents = jnp.broadcast_to(latents, (inputs.shape[0], *latents.shape))
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
            return self._process(latents, layers_key), None

        if num_runs == 1:
            return block(latents, 0)[0]
        return jax.lax.scan(block, latents, jnp.arange(num_runs))[0]


class PerceiverIO(nnx.Module):
    """The whole network, from a batch of arrays to a prediction, both by name.

    A PRNG `key` in a call means training: dropout is drawn from it, batch norm uses and
    updates the statistics of the batch, the class input of the multimodal model is masked
    at random. Without a key the network is a deterministic function of its parameters.
    """

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.adapter = build_adapter(config.input, config, rngs=rngs)
        channels = self.adapter.channels
        self.encoder = Encoder(config.encoder, channels, config, rngs=rngs)
        output_channels = config.encoder.latent_channels
        if config.decoder is not None:
            self.query = build_queries(config, channels, rngs=rngs)
            output_channels = self.query.channels
            # The official decoders never drop; only their attention weights may be.
            self.decoder = CrossAttention(
                output_channels,
                config.encoder.latent_channels,
                config.decoder.cross_attention,
                config,
                use_query_residual=config.decoder.use_query_residual,
                dropout=0.0,
                rngs=rngs,
            )
        self.head = build_head(config, output_channels, rngs=rngs)

    def encode(self, batch: Batch, *, key: jax.Array | None = None):
        """Returns the adapted inputs and the latents [B, N, D]."""
        adapter_key, encoder_key = (None, None) if key is None else jax.random.split(key)
        adapted = self.adapter(batch, key=adapter_key)
        return adapted, self.encoder(adapted.inputs, adapted.mask, key=encoder_key)

    def decode(self, latents: jax.Array, queries: Queries, *, key: jax.Array | None = None):
        """Returns [B, O, E]: what the queries [B, O, E] read from the latents."""
        return self.decoder(queries.queries, latents, query_mask=queries.mask, dropout_key=key)

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Prediction:
        """Predicts from a batch; the arrays it reads and gives are the adapter's and head's."""
        encoder_key, decoder_key = (None, None) if key is None else jax.random.split(key)
        adapted, latents = self.encode(batch, key=encoder_key)
        if self.config.decoder is None:
            return self.head(latents, adapted, None)
        if isinstance(self.query, MultimodalQueries) and "image_points" not in batch:
            return self._decode_all_points(latents, adapted, self.query)
        queries = self.query(batch, adapted)
        return self.head(self.decode(latents, queries, key=decoder_key), adapted, queries)

    def _decode_all_points(
        self, latents: jax.Array, adapted: Adapted, query: MultimodalQueries
    ) -> Prediction:
        """Decodes every audio patch and pixel, block after block from the same latents."""
        num_audio, num_image = query.num_points()
        num_blocks = min(128, num_audio)
        audio, image = (_blocks_of_points(num, num_blocks) for num in (num_audio, num_image))

        def block(points):
            queries = query({"audio_points": points[0], "image_points": points[1]}, adapted)
            return self.head(self.decode(latents, queries), adapted, queries)

        parts = jax.lax.map(block, (audio, image))
        join = {name: jnp.moveaxis(part, 0, 1) for name, part in parts.items()}
        batch = latents.shape[0]
        samples = num_audio * query.inputs.audio_patch
        return {
            "audio": join["audio"].reshape(batch, -1)[:, :samples],
            "image": join["image"].reshape(batch, -1, 3)[:, :num_image],
            "label": join["label"][:, 0],
        }


def _blocks_of_points(num: int, num_blocks: int) -> jax.Array:
    """Returns the indices 0 .. num - 1 in equal blocks; the last index fills the last one."""
    size = -(-num // num_blocks)
    return jnp.minimum(jnp.arange(size * num_blocks), num - 1).reshape(num_blocks, size)


def num_params(config: ModelConfig) -> int:
    """Counts the parameters of a network without making them."""
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
