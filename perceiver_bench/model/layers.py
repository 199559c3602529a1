# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The layers of Perceiver IO: attention with its maps, and its blocks with an MLP."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from perceiver_bench.config import AttentionConfig, ModelConfig
from perceiver_bench.model import folded, plan
from perceiver_bench.model.attention import attend, drop
from perceiver_bench.model.folded import product
from perceiver_bench.model.linear import EPSILON, MLP, LinearMap, Readout, layer_norm, linear
from perceiver_bench.model.segments import Segments, join


class Attention(nnx.Module):
    """The four maps of an attention: [B, O, query channels], [B, M, key channels] -> outputs."""

    def __init__(
        self,
        query_channels: int,
        key_channels: int,
        output_channels: int,
        config: AttentionConfig,
        model: ModelConfig,
        *,
        rngs: nnx.Rngs,
    ):
        qk_channels = config.qk_channels or key_channels
        v_channels = config.v_channels or qk_channels
        for name, channels in (("qk_channels", qk_channels), ("v_channels", v_channels)):
            if channels % config.num_heads:
                raise ValueError(f"{name}={channels} does not divide into {config.num_heads} heads")
        self.num_heads = config.num_heads
        self.dropout = model.attention_dropout
        self.dtype = jnp.dtype(model.dtype)
        use_bias = config.use_bias
        self.query = linear(query_channels, qk_channels, model, rngs, use_bias=use_bias)
        self.key = linear(key_channels, qk_channels, model, rngs, use_bias=use_bias)
        self.value = linear(key_channels, v_channels, model, rngs, use_bias=use_bias)
        self.output = linear(v_channels, output_channels, model, rngs)

    def __call__(self, queries, keys, *, key_mask=None, query_mask=None, dropout_key=None):
        def heads(array):
            array = array.astype(self.dtype)
            return array.reshape(*array.shape[:2], self.num_heads, -1)

        attended = attend(
            heads(self.query(queries)),
            heads(self.key(keys)),
            heads(self.value(keys)),
            key_mask=key_mask,
            query_mask=query_mask,
            dropout=self.dropout,
            dropout_key=dropout_key,
        )
        return self.output(attended)

    def fold_keys(self, queries: jax.Array, key_norm: nnx.LayerNorm) -> jax.Array:
        """Folds key map and norm into queries [B, O, E]: vectors [B, O, C] for `folded.pool`.

        The key map's and the norm's bias add the same to every score of a query, which
        the softmax does not see.
        """
        vectors = self.query(queries) / math.sqrt(self.key.out_features)
        vectors = product(vectors, LinearMap.of(self.key).kernel.T, self.dtype)
        return vectors * _gain_and_bias(key_norm)[0]

    def fold_values(self, pooled: jax.Array, key_norm: nnx.LayerNorm) -> jax.Array:
        """Applies norm, value and output map to pooled inputs [B, O, C]: [B, O, outputs]."""
        gain, bias = _gain_and_bias(key_norm)
        return self.output(self.value(pooled * gain + bias))

    def fold_queries(self, keys: jax.Array, query_norm: nnx.LayerNorm):
        """Folds query map, norm and output map into keys and values, for `folded.read`.

        Returns vectors [B, M, E], offsets of the scores [B, M] and values [B, M, outputs]
        that lack the output map's bias.
        """
        gain, bias = _gain_and_bias(query_norm)
        query, output = LinearMap.of(self.query), LinearMap.of(self.output)
        vectors = self.key(keys) / math.sqrt(self.key.out_features)
        offset = vectors @ query.bias
        vectors = product(vectors, query.kernel.T, self.dtype)
        offset += vectors @ bias
        return vectors * gain, offset, product(self.value(keys), output.kernel, self.dtype)


def _gain_and_bias(norm: nnx.LayerNorm) -> tuple[jax.Array, jax.Array]:
    assert norm.scale is not None
    assert norm.bias is not None
    return norm.scale[...], norm.bias[...]


def _mlp(channels: int, config: AttentionConfig, model: ModelConfig, rngs: nnx.Rngs) -> MLP:
    factor, is_gated = config.widening_factor, config.is_mlp_gated
    return MLP(channels, factor, model, is_gated=is_gated, rngs=rngs)


def _split_key(key: jax.Array | None, num: int):
    return (None,) * num if key is None else jax.random.split(key, num)


class CrossAttention(nnx.Module):
    """Pre-norm cross-attention and MLP: [B, O, E], [B, M, C] -> [B, O, E].

    Without `use_mlp` it ends in the attention's output map.
    """

    def __init__(
        self,
        query_channels: int,
        key_channels: int,
        config: AttentionConfig,
        model: ModelConfig,
        *,
        use_query_residual: bool,
        dropout: float,
        use_mlp: bool = True,
        rngs: nnx.Rngs,
    ):
        self.use_query_residual = use_query_residual
        self.dropout = dropout
        self.query_norm = layer_norm(query_channels, rngs)
        self.key_norm = layer_norm(key_channels, rngs)
        self.attention = Attention(
            query_channels, key_channels, query_channels, config, model, rngs=rngs
        )
        if use_mlp:
            self.mlp_norm = layer_norm(query_channels, rngs)
        self.mlp = _mlp(query_channels, config, model, rngs) if use_mlp else None

    def __call__(
        self,
        queries: Segments,
        keys: Segments,
        *,
        key_mask: jax.Array | None = None,
        query_mask: jax.Array | None = None,
        dropout_key: jax.Array | None = None,
    ) -> jax.Array:
        """Returns [B, O, E] of all queries; the path is the one of fewest operations."""
        weights_key, attention_key, mlp_key = _split_key(dropout_key, 3)
        path = self._path(queries, keys, key_mask, query_mask, weights_key)
        if path == "read":
            outputs = jnp.concatenate(self._read(queries, keys, lambda _, outputs: outputs), axis=1)
        else:
            attended = self._attend(path, queries, keys, key_mask, query_mask, weights_key)
            attended = drop(attended, self.dropout, attention_key)
            outputs = self._add_queries(join(queries), attended)
        if self.mlp is None:
            return outputs
        return outputs + drop(self.mlp(self.mlp_norm(outputs)), self.dropout, mlp_key)

    def decode(
        self,
        queries: Segments,
        keys: Segments,
        readouts: Sequence[Readout],
        *,
        query_mask: jax.Array | None = None,
        dropout_key: jax.Array | None = None,
    ) -> tuple[jax.Array, ...]:
        """Returns [B, O, F] for each segment of queries, mapped by its readout.

        Only attention weights are dropped, as in the official decoders. With many queries
        the outputs [B, O, E] never exist whole.
        """
        path = self._path(queries, keys, None, query_mask, dropout_key)
        sizes = [segment.num_positions for segment in queries]
        finish = [
            self._readout(readout, size * keys[0].features.shape[0])
            for readout, size in zip(readouts, sizes, strict=True)
        ]
        if path == "read":
            return self._read(queries, keys, lambda index, outputs: finish[index](outputs))
        attended = self._attend(path, queries, keys, None, query_mask, dropout_key)
        outputs = self._add_queries(join(queries), attended)
        parts = jnp.split(outputs, np.cumsum(sizes)[:-1], axis=1)
        return tuple(one(part) for one, part in zip(finish, parts, strict=True))

    def _path(self, queries, keys, key_mask, query_mask, dropout_key) -> plan.Path:
        attention = self.attention
        num_queries, num_keys = (sum(one.num_positions for one in side) for side in (queries, keys))
        batch = max(segment.features.shape[0] for segment in (*queries, *keys))
        at_once = plan.examples_at_once(batch)
        cross = plan.Cross(
            batch=batch,
            num_queries=num_queries,
            num_keys=num_keys,
            heads=attention.num_heads,
            query_channels=attention.query.in_features,
            key_channels=attention.key.in_features,
            qk_channels=attention.key.out_features,
            v_channels=attention.value.out_features,
            scored_queries=folded.scored_channels(queries, at_once * num_keys),
            scored_keys=folded.scored_channels(keys, at_once * num_queries),
        )
        drops = dropout_key is not None and attention.dropout > 0
        return plan.choose(cross, can_fold=key_mask is None and query_mask is None and not drops)

    def _attend(self, path, queries, keys, key_mask, query_mask, dropout_key) -> jax.Array:
        """Returns what all queries read from the keys [B, O, E]."""
        normed = self.query_norm(join(queries))
        if path == "pool":
            vectors = self.attention.fold_keys(normed, self.key_norm)
            pooled = folded.pool(vectors, keys, epsilon=EPSILON, dtype=self.attention.dtype)
            return self.attention.fold_values(pooled, self.key_norm)
        return self.attention(
            normed,
            self.key_norm(join(keys)),
            key_mask=key_mask,
            query_mask=query_mask,
            dropout_key=dropout_key,
        )

    def _read(self, queries, keys, finish) -> tuple[jax.Array, ...]:
        """Returns `finish(index, outputs)` of the outputs of each segment of queries."""
        vectors, offset, values = self.attention.fold_queries(
            self.key_norm(join(keys)), self.query_norm
        )
        bias = LinearMap.of(self.attention.output).bias

        def block(index, queries, found):
            return finish(index, self._add_queries(queries, found + bias))

        return folded.read(
            *(queries, vectors, offset, values),
            epsilon=EPSILON,
            dtype=self.attention.dtype,
            finish=block,
        )

    def _add_queries(self, queries: jax.Array, attended: jax.Array) -> jax.Array:
        # Where queries are positions and outputs are pixels or tokens, adding the query to
        # the output means nothing; the official decoders mostly leave it out.
        return queries + attended if self.use_query_residual else attended

    def _readout(self, readout: Readout, num_rows: int) -> Callable[[jax.Array], jax.Array]:
        """Returns the function from outputs to their MLP and readout, [..., E] -> [..., F].

        The MLP's second map and the readout's are linear with nothing between: where that
        takes fewer operations they become one kernel for the MLP's hidden activations and
        one for the outputs themselves.
        """
        dtype, mlp = self.attention.dtype, self.mlp

        def in_turn(outputs):
            if mlp is not None:
                outputs = outputs + mlp(self.mlp_norm(outputs))
            for one in readout:
                outputs = product(outputs, one.kernel, dtype) + one.bias
            return outputs

        if mlp is None:
            return in_turn
        second = LinearMap.of(mlp.output)
        sizes = [one.kernel.shape[0] for one in (second, *readout)] + [readout[-1].bias.size]
        if not plan.fold_linear(num_rows, sizes):
            return in_turn
        kernel, bias = readout[-1]
        for one in reversed(readout[:-1]):
            bias = one.bias @ kernel + bias
            kernel = one.kernel @ kernel
        hidden_kernel, bias = second.kernel @ kernel, second.bias @ kernel + bias

        def at_once(outputs):
            hidden = mlp.activate(self.mlp_norm(outputs))
            return product(outputs, kernel, dtype) + product(hidden, hidden_kernel, dtype) + bias

        return at_once


class SelfAttention(nnx.Module):
    """Pre-norm self-attention and MLP: [B, N, D] -> [B, N, D]."""

    def __init__(
        self, channels: int, config: AttentionConfig, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.dropout = model.dropout
        self.norm = layer_norm(channels, rngs)
        self.attention = Attention(channels, channels, channels, config, model, rngs=rngs)
        self.mlp_norm = layer_norm(channels, rngs)
        self.mlp = _mlp(channels, config, model, rngs)

    def __call__(self, latents, *, key_mask=None, dropout_key=None):
        weights_key, attention_key, mlp_key = _split_key(dropout_key, 3)
        normed = self.norm(latents)
        attended = self.attention(normed, normed, key_mask=key_mask, dropout_key=weights_key)
        latents = latents + drop(attended, self.dropout, attention_key)
        return latents + drop(self.mlp(self.mlp_norm(latents)), self.dropout, mlp_key)
