# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Attention for all shapes of Perceiver IO, and the blocks built on it.

Letters as in `perceiver.py`. Queries and keys may have another head size than the values
(32 and 160 in the language model), one head may be 261 to 704 wide, and either side may
have 182,528 positions.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import AttentionConfig, ModelConfig

# Elements of a score matrix that may exist at once: 128 MiB of float32.
MAX_SCORES = 2**25
# What masked scores are set to, as in the original code. Not -inf: a row that is masked
# throughout must not become NaN on its way to being zeroed.
MASKED_SCORE = -1e30


class Blocks(NamedTuple):
    """How an attention is cut: queries and keys that meet at once."""

    num_queries: int
    num_keys: int


def plan_blocks(batch: int, heads: int, num_queries: int, num_keys: int) -> Blocks:
    """Chooses blocks so that at most `MAX_SCORES` scores exist at once.

    The longer side is cut: queries are independent of each other; keys need a running
    maximum and sum.
    """
    rows = batch * heads
    if rows * num_queries * num_keys <= MAX_SCORES:
        return Blocks(num_queries, num_keys)
    if num_queries >= num_keys:
        return Blocks(max(1, MAX_SCORES // (rows * num_keys)), num_keys)
    return Blocks(num_queries, max(1, MAX_SCORES // (rows * num_queries)))


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    key_mask: jax.Array | None = None,
    query_mask: jax.Array | None = None,
    dropout: float = 0.0,
    dropout_key: jax.Array | None = None,
    blocks: Blocks | None = None,
) -> jax.Array:
    """Computes softmax attention without holding a large score matrix.

    Args:
        query: [B, O, H, K].
        key: [B, M, H, K].
        value: [B, M, H, V]; V may differ from K.
        key_mask: [B, M], true where a key counts.
        query_mask: [B, O], true where a query counts.
        dropout: Probability of dropping an attention weight, when there is a key for it.
        dropout_key: PRNG key for dropout; None for none.
        blocks: How to cut the work; by default `plan_blocks` decides.

    Returns:
        [B, O, H * V] in the type of `value`. Queries that are masked, or for which every
        key is masked, get zeros and not the mean of the values.
    """
    batch, num_queries, heads, _ = query.shape
    num_keys = key.shape[1]
    blocks = blocks or plan_blocks(batch, heads, num_queries, num_keys)
    query = query * jnp.asarray(1 / math.sqrt(query.shape[-1]), query.dtype)
    rate = dropout if dropout_key is not None else 0.0
    if blocks.num_queries < num_queries:
        output = _attend_by_queries(
            query, key, value, key_mask, rate, dropout_key, blocks.num_queries
        )
    elif blocks.num_keys < num_keys:
        output = _attend_by_keys(query, key, value, key_mask, rate, dropout_key, blocks.num_keys)
    else:
        output = _attend_at_once(query, key, value, key_mask, rate, dropout_key)
    counts = None
    if key_mask is not None:
        counts = jnp.any(key_mask, axis=1)[:, None]
    if query_mask is not None:
        counts = query_mask.astype(bool) if counts is None else counts & query_mask.astype(bool)
    if counts is not None:
        output = jnp.where(counts[:, :, None, None], output, 0)
    return output.reshape(batch, num_queries, -1)


def _scores(query: jax.Array, key: jax.Array, key_mask: jax.Array | None) -> jax.Array:
    """Returns [B, H, O, M] in float32, masked keys far below all others."""
    scores = jnp.einsum("bohk,bmhk->bhom", query, key, preferred_element_type=jnp.float32)
    if key_mask is None:
        return scores
    return jnp.where(key_mask.astype(bool)[:, None, None, :], scores, MASKED_SCORE)


def _attend_at_once(query, key, value, key_mask, rate, dropout_key):
    weights = jax.nn.softmax(_scores(query, key, key_mask))
    weights = drop(weights, rate, dropout_key).astype(value.dtype)
    return jnp.einsum("bhom,bmhv->bohv", weights, value)


def _split(array: jax.Array, size: int) -> jax.Array:
    """Cuts axis 1 of [B, T, ...] into blocks: [blocks, B, size, ...], zeros at the end."""
    count = -(-array.shape[1] // size)
    padding = [(0, 0)] * array.ndim
    padding[1] = (0, count * size - array.shape[1])
    blocks = jnp.pad(array, padding).reshape(array.shape[0], count, size, *array.shape[2:])
    return jnp.moveaxis(blocks, 1, 0)


def _attend_by_queries(query, key, value, key_mask, rate, dropout_key, size):
    """Block after block of queries; the backward pass forms the scores again."""

    @jax.checkpoint
    def block(index, some_queries):
        some_key = None if dropout_key is None else jax.random.fold_in(dropout_key, index)
        return _attend_at_once(some_queries, key, value, key_mask, rate, some_key)

    queries = _split(query, size)
    outputs = jax.lax.map(lambda pair: block(*pair), (jnp.arange(queries.shape[0]), queries))
    outputs = jnp.moveaxis(outputs, 0, 1)
    return outputs.reshape(query.shape[0], -1, *outputs.shape[3:])[:, : query.shape[1]]


def _attend_by_keys(query, key, value, key_mask, rate, dropout_key, size):
    """Block after block of keys with a running maximum and sum of the softmax."""
    batch, num_queries, heads, _ = query.shape
    if key_mask is None:
        key_mask = jnp.ones(key.shape[:2], bool)

    @jax.checkpoint
    def block(carry, step):
        maximum, total, output = carry
        index, some_keys, some_values, some_mask = step
        scores = _scores(query, some_keys, some_mask)
        new_maximum = jnp.maximum(maximum, scores.max(axis=-1))
        shrink = jnp.exp(maximum - new_maximum)
        weights = jnp.exp(scores - new_maximum[..., None])
        total = total * shrink + weights.sum(axis=-1)
        some_key = None if dropout_key is None else jax.random.fold_in(dropout_key, index)
        kept = drop(weights, rate, some_key).astype(value.dtype)
        update = jnp.einsum(
            "bhom,bmhv->bhov", kept, some_values, preferred_element_type=jnp.float32
        )
        return (new_maximum, total, output * shrink[..., None] + update), None

    keys = _split(key, size)
    start = (
        jnp.full((batch, heads, num_queries), MASKED_SCORE, jnp.float32),
        jnp.zeros((batch, heads, num_queries), jnp.float32),
        jnp.zeros((batch, heads, num_queries, value.shape[-1]), jnp.float32),
    )
    steps = (jnp.arange(keys.shape[0]), keys, _split(value, size), _split(key_mask, size))
    (_, total, output), _ = jax.lax.scan(block, start, steps)
    return jnp.swapaxes(output / total[..., None], 1, 2).astype(value.dtype)


def drop(array: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Zeroes elements with probability `rate` and scales the others; None drops nothing."""
    if key is None or rate == 0.0:
        return array
    # Behind a barrier, or the compiler draws the mask again in every loop that reads it:
    # without it dropout took as long as all of the rest of a training step on a CPU.
    keep = jax.lax.optimization_barrier(jax.random.bernoulli(key, 1 - rate, array.shape))
    return jnp.where(keep, array / (1 - rate), 0).astype(array.dtype)


def linear(inputs: int, outputs: int, model: ModelConfig, rngs: nnx.Rngs) -> nnx.Linear:
    """Builds a linear map: float32 parameters, products in the model's type."""
    return nnx.Linear(inputs, outputs, dtype=jnp.dtype(model.dtype), rngs=rngs)


def layer_norm(channels: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Builds a layer norm, computed in float32 as the original does (epsilon 1e-5)."""
    return nnx.LayerNorm(
        channels, epsilon=1e-5, use_fast_variance=False, dtype=jnp.float32, rngs=rngs
    )


class Attention(nnx.Module):
    """Multi-head attention: [B, O, query channels], [B, M, key channels] -> [B, O, outputs]."""

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
        self.query = linear(query_channels, qk_channels, model, rngs)
        self.key = linear(key_channels, qk_channels, model, rngs)
        self.value = linear(key_channels, v_channels, model, rngs)
        self.output = linear(v_channels, output_channels, model, rngs)

    def __call__(self, queries, keys, *, key_mask=None, query_mask=None, dropout_key=None):
        def heads(array):
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


class MLP(nnx.Module):
    """Two linear maps with GELU between: [..., C] -> [..., C]."""

    def __init__(self, channels: int, widening_factor: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.approximate = model.activation == "gelu_tanh"
        self.hidden = linear(channels, widening_factor * channels, model, rngs)
        self.output = linear(widening_factor * channels, channels, model, rngs)

    def __call__(self, inputs):
        return self.output(jax.nn.gelu(self.hidden(inputs), approximate=self.approximate))


def _split_key(key: jax.Array | None, num: int):
    return (None,) * num if key is None else jax.random.split(key, num)


class CrossAttention(nnx.Module):
    """Pre-norm cross-attention and MLP: [B, O, E], [B, M, C] -> [B, O, E]."""

    def __init__(
        self,
        query_channels: int,
        key_channels: int,
        config: AttentionConfig,
        model: ModelConfig,
        *,
        use_query_residual: bool,
        dropout: float,
        rngs: nnx.Rngs,
    ):
        self.use_query_residual = use_query_residual
        self.dropout = dropout
        self.query_norm = layer_norm(query_channels, rngs)
        self.key_norm = layer_norm(key_channels, rngs)
        self.attention = Attention(
            query_channels, key_channels, query_channels, config, model, rngs=rngs
        )
        self.mlp_norm = layer_norm(query_channels, rngs)
        self.mlp = MLP(query_channels, config.widening_factor, model, rngs=rngs)

    def __call__(self, queries, keys, *, key_mask=None, query_mask=None, dropout_key=None):
        weights_key, attention_key, mlp_key = _split_key(dropout_key, 3)
        attended = self.attention(
            self.query_norm(queries),
            self.key_norm(keys),
            key_mask=key_mask,
            query_mask=query_mask,
            dropout_key=weights_key,
        )
        attended = drop(attended, self.dropout, attention_key)
        # Where queries are positions and outputs are pixels or tokens, adding the query to
        # the output means nothing; the official decoders mostly leave it out.
        outputs = queries + attended if self.use_query_residual else attended
        return outputs + drop(self.mlp(self.mlp_norm(outputs)), self.dropout, mlp_key)


class SelfAttention(nnx.Module):
    """Pre-norm self-attention and MLP on the latents: [B, N, D] -> [B, N, D]."""

    def __init__(
        self, channels: int, config: AttentionConfig, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.dropout = model.dropout
        self.norm = layer_norm(channels, rngs)
        self.attention = Attention(channels, channels, channels, config, model, rngs=rngs)
        self.mlp_norm = layer_norm(channels, rngs)
        self.mlp = MLP(channels, config.widening_factor, model, rngs=rngs)

    def __call__(self, latents, *, dropout_key=None):
        weights_key, attention_key, mlp_key = _split_key(dropout_key, 3)
        normed = self.norm(latents)
        attended = self.attention(normed, normed, dropout_key=weights_key)
        latents = latents + drop(attended, self.dropout, attention_key)
        return latents + drop(self.mlp(self.mlp_norm(latents)), self.dropout, mlp_key)
