# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Softmax attention that never holds a large score matrix.

Letters as in `perceiver.py`. Queries and keys may have another head size than the values
(32 and 160 in the language model), one head may be 261 to 704 wide, and either side may
have 182,528 positions. A row is one head of one example.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from perceiver_bench.model import plan
from perceiver_bench.model.plan import Blocks

# What masked scores are set to, as in the original code. Not -inf: a row that is masked
# throughout must not become NaN on its way to being zeroed.
MASKED_SCORE = -1e30


class _Operands(NamedTuple):
    """Rows of one attention: [R, O, K], [R, M, K], [R, M, V] and a mask [R, M] or None."""

    query: jax.Array
    key: jax.Array
    value: jax.Array
    mask: jax.Array | None


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
        query: [B, O, H, K]. Where all examples have the same queries B may be 1 here, and
            so it may be for keys and values.
        key: [B, M, H, K].
        value: [B, M, H, V]; V may differ from K.
        key_mask: [B, M], true where a key counts.
        query_mask: [B, O], true where a query counts.
        dropout: Probability of dropping an attention weight, when there is a key for it.
        dropout_key: PRNG key for dropout; None for none.
        blocks: How to cut the work; by default `plan.plan_blocks` decides.

    Returns:
        [B, O, H * V] in the type of `value`. Queries that are masked, or for which every
        key is masked, get zeros and not the mean of the values.
    """
    batch = max(query.shape[0], key.shape[0])
    num_keys, heads = key.shape[1:3]
    num_queries = query.shape[1]
    query = query * jnp.asarray(1 / math.sqrt(query.shape[-1]), query.dtype)
    query, key, value = (
        jnp.broadcast_to(array, (batch, *array.shape[1:])) for array in (query, key, value)
    )
    masked = key_mask is not None or query_mask is not None
    takes = plan.cudnn_takes(value.dtype, query.shape[-1], value.shape[-1])
    if takes and not masked and dropout_key is None and blocks is None and plan.has_cudnn():
        return attend_fused(query, key, value, "cudnn")
    mask = None
    if key_mask is not None:
        mask = jnp.repeat(key_mask.astype(bool), heads, axis=0)
    blocks = blocks or plan.plan_blocks(batch * heads, num_queries, num_keys)
    operands = _Operands(_rows_first(query), _rows_first(key), _rows_first(value), mask)
    rate = dropout if dropout_key is not None else 0.0
    output = _attend_in_groups(operands, rate, dropout_key, blocks)
    output = jnp.swapaxes(output.reshape(batch, heads, num_queries, -1), 1, 2)
    counts = None
    if key_mask is not None:
        counts = jnp.any(key_mask, axis=1)[:, None]
    if query_mask is not None:
        counts = query_mask.astype(bool) if counts is None else counts & query_mask.astype(bool)
    if counts is not None:
        output = jnp.where(counts[:, :, None, None], output, 0)
    return output.reshape(batch, num_queries, -1)


def attend_fused(
    query: jax.Array, key: jax.Array, value: jax.Array, implementation: Literal["cudnn", "xla"]
) -> jax.Array:
    """Computes attention of scaled queries by JAX's own function: [B, O, H * V]."""
    output = jax.nn.dot_product_attention(
        query, key, value, scale=1.0, implementation=implementation
    )
    return output.reshape(*output.shape[:2], -1)


def _rows_first(array: jax.Array) -> jax.Array:
    """[B, T, H, K] -> [B * H, T, K]: products of matrices that lie in one piece."""
    return jnp.swapaxes(array, 1, 2).reshape(-1, array.shape[1], array.shape[3])


def _fold(key: jax.Array | None, index: jax.Array) -> jax.Array | None:
    return None if key is None else jax.random.fold_in(key, index)


def _attend_in_groups(operands: _Operands, rate, dropout_key, blocks: Blocks) -> jax.Array:
    """Group after group of rows; the backward pass forms the scores again."""
    rows = operands.query.shape[0]
    if blocks.num_rows >= rows:
        return _attend_rows(operands, rate, dropout_key, blocks)
    groups = jax.tree.map(lambda array: cut_axis(array, 0, blocks.num_rows), operands)

    @jax.checkpoint
    def group(index, some):
        return _attend_rows(some, rate, _fold(dropout_key, index), blocks)

    indices = jnp.arange(groups.query.shape[0])
    output = jax.lax.map(lambda pair: group(*pair), (indices, groups))
    return output.reshape(-1, *output.shape[2:])[:rows]


def _attend_rows(operands: _Operands, rate, dropout_key, blocks: Blocks) -> jax.Array:
    """Returns [R, O, V] for some rows."""
    if blocks.num_queries < operands.query.shape[1]:
        return _attend_by_queries(operands, rate, dropout_key, blocks.num_queries)
    if blocks.num_keys < operands.key.shape[1]:
        return _attend_by_keys(operands, rate, dropout_key, blocks.num_keys)
    return _attend_at_once(operands, rate, dropout_key)


def _scores(query: jax.Array, key: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Returns [R, O, M] in float32, masked keys far below all others."""
    scores = jnp.einsum("rok,rmk->rom", query, key, preferred_element_type=jnp.float32)
    return scores if mask is None else jnp.where(mask[:, None], scores, MASKED_SCORE)


def narrow(weights: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Rounds weights to the type of the values that they are multiplied with.

    Behind a barrier, so that they are stored in that type and nothing else: without it the
    product and the total read float32, and bfloat16 gains little on a CPU.
    """
    if weights.dtype == dtype:
        return weights
    return jax.lax.optimization_barrier(weights.astype(dtype))


def _weighted_sum(weights: jax.Array, value: jax.Array) -> jax.Array:
    return jnp.einsum("rom,rmv->rov", weights, value, preferred_element_type=jnp.float32)


def _attend_at_once(operands: _Operands, rate, dropout_key) -> jax.Array:
    scores = _scores(operands.query, operands.key, operands.mask)
    maximum = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    weights = narrow(jnp.exp(scores - maximum), operands.value.dtype)
    total = weights.astype(jnp.float32).sum(axis=-1, keepdims=True)
    output = _weighted_sum(drop(weights, rate, dropout_key), operands.value)
    # Dividing the sums, which are fewer than the weights.
    return (output / total).astype(operands.value.dtype)


def cut_axis(array: jax.Array, axis: int, size: int) -> jax.Array:
    """Cuts an axis into blocks, zeros at the end: [blocks, ..., size, ...]."""
    count = -(-array.shape[axis] // size)
    padding = [(0, 0)] * array.ndim
    padding[axis] = (0, count * size - array.shape[axis])
    array = jnp.pad(array, padding)
    shape = (*array.shape[:axis], count, size, *array.shape[axis + 1 :])
    return jnp.moveaxis(array.reshape(shape), axis, 0)


def _attend_by_queries(operands: _Operands, rate, dropout_key, size: int) -> jax.Array:
    """Block after block of queries; the backward pass forms the scores again."""

    @jax.checkpoint
    def block(index, some_queries):
        some = operands._replace(query=some_queries)
        return _attend_at_once(some, rate, _fold(dropout_key, index))

    queries = cut_axis(operands.query, 1, size)
    outputs = jax.lax.map(lambda pair: block(*pair), (jnp.arange(queries.shape[0]), queries))
    outputs = jnp.moveaxis(outputs, 0, 1)
    rows, _, _, channels = outputs.shape
    return outputs.reshape(rows, -1, channels)[:, : operands.query.shape[1]]


def _attend_by_keys(operands: _Operands, rate, dropout_key, size: int) -> jax.Array:
    """Block after block of keys."""
    mask = operands.mask
    if mask is None:
        mask = jnp.ones(operands.key.shape[:2], bool)
    keys, values = (cut_axis(array, 1, size) for array in (operands.key, operands.value))
    steps = (jnp.arange(keys.shape[0]), keys, values, cut_axis(mask, 1, size))

    def scores(fixed, step):
        return _scores(fixed[0], step[1], step[3])

    def sums(fixed, step, weights):
        weights = narrow(weights, step[2].dtype)
        kept = drop(weights, rate, _fold(fixed[1], step[0]))
        return _weighted_sum(kept, step[2]), weights.astype(jnp.float32).sum(axis=-1)

    output, _ = softmax_sums(scores, sums, (operands.query, dropout_key), steps)
    return output.astype(operands.value.dtype)


def softmax_sums(
    scores: Callable[[Any, Any], jax.Array],
    sums: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]],
    fixed: Any,
    blocks: Any,
) -> tuple[Any, jax.Array]:
    """Sums over all keys with softmax weights, block after block of keys.

    One pass with a running maximum. The backward pass keeps the inputs, the result and the
    logarithm of the total only, and forms the scores of each block again.

    Args:
        scores: `(fixed, block)` -> [..., O, m] float32, the scores of the block's m keys.
        sums: `(fixed, block, weights)` -> a tree of [..., O, V], linear in the weights
            [..., O, m], and the weights' own sum [..., O].
        fixed: Arrays that every block needs.
        blocks: Arrays whose first axis is that of the blocks.

    Returns:
        The tree of sums divided by the total of the weights, and the logarithm of that
        total [..., O].
    """
    result: Any = _softmax_sums(scores, sums, fixed, blocks)
    return result


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _softmax_sums(scores, sums, fixed, blocks):
    first = jax.tree.map(lambda array: array[0], blocks)
    shape = jax.eval_shape(scores, fixed, first)
    zeros = jax.eval_shape(sums, fixed, first, shape)
    start = (
        jnp.full(shape.shape[:-1], MASKED_SCORE, jnp.float32),
        jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), zeros),
    )

    def step(carry, block):
        maximum, total = carry
        some = scores(fixed, block)
        new_maximum = jnp.maximum(maximum, some.max(axis=-1))
        shrink = jnp.exp(maximum - new_maximum)
        update = sums(fixed, block, jnp.exp(some - new_maximum[..., None]))
        total = jax.tree.map(lambda old, new: old * _like(shrink, old) + new, total, update)
        return (new_maximum, total), None

    (maximum, (values, total)), _ = jax.lax.scan(step, start, blocks)
    return jax.tree.map(lambda leaf: leaf / total[..., None], values), maximum + jnp.log(total)


def _like(array: jax.Array, other: jax.Array) -> jax.Array:
    """Gives [..., O] a last axis where `other` has one."""
    return array[..., None] if other.ndim > array.ndim else array


def _softmax_sums_forward(scores, sums, fixed, blocks):
    result = _softmax_sums(scores, sums, fixed, blocks)
    return result, (fixed, blocks, result)


def _softmax_sums_backward(scores, sums, residuals, cotangents):
    fixed, blocks, (values, log_total) = residuals
    values_cotangent, log_total_cotangent = cotangents

    def totals(fixed, blocks):
        @jax.checkpoint
        def one(block):
            weights = jnp.exp(scores(fixed, block) - log_total[..., None])
            return sums(fixed, block, weights)

        start = jax.tree.map(jnp.zeros_like, (values, log_total))
        add = functools.partial(jax.tree.map, jnp.add)
        return jax.lax.scan(lambda carry, block: (add(carry, one(block)), None), start, blocks)[0]

    # The weights add up to 1, so the quotient's derivative by their total is -values.
    products = jax.tree.map(lambda a, b: (a * b).sum(-1), values, values_cotangent)
    total_cotangent = log_total_cotangent - sum(jax.tree.leaves(products))
    _, pull = jax.vjp(totals, fixed, blocks)
    return pull((values_cotangent, total_cotangent))


_softmax_sums.defvjp(_softmax_sums_forward, _softmax_sums_backward)


def drop(array: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Zeroes elements with probability `rate` and scales the others; None drops nothing."""
    if key is None or rate == 0.0:
        return array
    # Behind a barrier, or the compiler draws the mask again in every loop that reads it:
    # without it dropout took as long as all of the rest of a training step on a CPU.
    keep = jax.lax.optimization_barrier(jax.random.bernoulli(key, 1 - rate, array.shape))
    return jnp.where(keep, array / (1 - rate), 0).astype(array.dtype)
