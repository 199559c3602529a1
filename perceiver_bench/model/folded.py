# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One-head cross-attention that forms no keys, values or queries of the many positions.

Layer norm takes each input x [C] to s (x - mean), s = 1 / deviation, then times a gain, plus
a bias; gain and bias go into the other side. A folded vector u [C] has no use for what is
the same in all channels, so with u centred a score is s (u . x), and pooled inputs, sums of
weight * s * x, are centred at the end: the mean is never formed. Where the position channels
of x are `outer[i] + inner[j]`, u . x is a product over the features alone, plus one number
for row i and one for column j; and pooled inputs come from the features, from the weights of
each row and from the weights of each column.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from perceiver_bench.model import plan
from perceiver_bench.model.attention import MASKED_SCORE, cut_axis, narrow, softmax_sums
from perceiver_bench.model.segments import Segment, Segments, inverse_deviation


def product(left: jax.Array, right: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns `left @ right`, multiplied in `dtype` and added up in float32."""
    return jnp.matmul(left.astype(dtype), right.astype(dtype), preferred_element_type=jnp.float32)


def scored_channels(segments: Segments, num_others: int) -> int:
    """Returns how many channels a score against `num_others` positions costs, at most C.

    The mean over all positions, rounded up. A block of a grid costs its features and one
    channel for each of its rows.
    """
    total = sum(s.num_positions * _scored_channels(s, num_others) for s in segments)
    return -(-total // sum(segment.num_positions for segment in segments))


def _scored_channels(segment: Segment, num_others: int) -> int:
    if segment.inner is None or segment.outer is None:
        positions = 0 if segment.outer is None else segment.outer.shape[-1]
        return min(segment.channels, segment.features.shape[-1] + positions)
    rows = plan.rows_of_grid(segment.outer.shape[0], segment.inner.shape[0], num_others)
    return min(segment.channels, segment.features.shape[-1] + rows)


def _is_grid(segment: Segment, num_others: int) -> bool:
    """Whether a block of the segment costs less with its tables than as a plain array."""
    rows_cost_less = _scored_channels(segment, num_others) < segment.channels
    return segment.inner is not None and rows_cost_less


def _unmap_folded(folded: jax.Array, kernel: jax.Array | None) -> jax.Array:
    """Takes folded vectors [..., C] to the channels that are stored, before the kernel."""
    if kernel is None:
        return folded
    features, positions = jnp.split(folded, [kernel.shape[1]], axis=-1)
    return jnp.concatenate([features @ kernel.T, positions], axis=-1)


def _map_pooled(pooled: jax.Array, kernel: jax.Array | None) -> jax.Array:
    """Takes sums over stored channels to all channels [..., C]."""
    if kernel is None:
        return pooled
    features, positions = jnp.split(pooled, [kernel.shape[0]], axis=-1)
    return jnp.concatenate([features @ kernel, positions], axis=-1)


class _Blocks(NamedTuple):
    """The places of one example, block after block; m = R * T places a block in a grid.

    `features` [blocks, m, F]; `scale` (s) [blocks, m]; `outer` [blocks, R, P], with R and P
    0 outside grids; `offset` [blocks, m]: 0, or far below all scores in padding.
    """

    features: jax.Array
    scale: jax.Array
    outer: jax.Array
    offset: jax.Array


def _cut(segment: Segment, epsilon: float, num_others: int) -> tuple[_Blocks, jax.Array | None]:
    """Cuts a segment into blocks, with a batch axis first, and returns its inner table."""
    scale = inverse_deviation(segment, epsilon)
    size, num_positions, _ = segment.features.shape
    if _is_grid(segment, num_others):
        assert segment.outer is not None
        assert segment.inner is not None
        features, inner = segment.features, segment.inner
        rows = plan.rows_of_grid(segment.outer.shape[0], inner.shape[0], num_others)
        num_blocks = segment.outer.shape[0] // rows
        outer = segment.outer.reshape(num_blocks, rows, -1)
        length = num_positions // num_blocks
    else:
        # Before the kernel, if there is one.
        features, inner = segment._replace(kernel=None).dense(), None
        length = min(num_positions, max(1, plan.max_scores() // num_others))
        num_blocks = -(-num_positions // length)
        outer = jnp.zeros((num_blocks, 0, 0))
    offset = jnp.where(jnp.arange(num_blocks * length) < num_positions, 0, MASKED_SCORE)
    features, scale = (
        jnp.moveaxis(cut_axis(array, 1, length), 0, 1) for array in (features, scale)
    )
    outer, offset = (
        jnp.broadcast_to(array, (size, *array.shape))
        for array in (outer, offset.reshape(num_blocks, length))
    )
    return _Blocks(features, scale, outer, offset), inner


def _cut_all(folded: jax.Array, segments: Segments, epsilon: float):
    """Returns the blocks and the inner table of each segment."""
    batch = max(array.shape[0] for array in (folded, *(one.features for one in segments)))
    num_others = folded.shape[1] * plan.examples_at_once(batch)
    cut = [_cut(segment, epsilon, num_others) for segment in segments]
    return [pair[0] for pair in cut], [pair[1] for pair in cut]


def _columns(block: _Blocks, last: jax.Array, dtype: jnp.dtype) -> tuple[jax.Array, jax.Array]:
    """Returns what a block is multiplied with: s * features [m, F] and side columns [m, R + 1].

    The side columns are s in the column of each place's row, and `last` [m]. In scores they
    stay float32: row scores are whole sums, which bfloat16 would round as one number.
    """
    num_rows, length = block.outer.shape[0], block.scale.shape[0]
    row = jnp.repeat(jnp.eye(num_rows), length // max(1, num_rows), axis=0)
    row = row.reshape(length, num_rows) * block.scale[:, None]
    side = jnp.concatenate([row, last[:, None]], axis=-1)
    return (block.features * block.scale[:, None]).astype(dtype), side


def _others(folded: jax.Array, block: _Blocks, last: jax.Array, dtype: jnp.dtype):
    """Returns the other side of `_columns`: features [N, F] and side columns [N, R + 1]."""
    num_features = block.features.shape[-1]
    rows = jnp.zeros((folded.shape[0], 0))
    if block.outer.size:
        rows = folded[:, num_features:] @ block.outer.T
    side = jnp.concatenate([rows, last[:, None]], axis=-1)
    return folded[:, :num_features].astype(dtype), side


def _scores(left: tuple[jax.Array, jax.Array], right: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Multiplies features and side columns of both sides; in float32 as one product."""
    if left[0].dtype == jnp.float32:
        left_columns, right_columns = (jnp.concatenate(pair, axis=-1) for pair in (left, right))
        return left_columns @ right_columns.T
    return product(left[0], right[0].T, left[0].dtype) + left[1] @ right[1].T


def _column_scores(folded: jax.Array, inner: jax.Array | None, num_rows: int) -> jax.Array | None:
    """Returns [N, R * T]: folded vectors times the inner table, again for each row."""
    if inner is None:
        return None
    return jnp.tile(folded[:, -inner.shape[-1] :] @ inner.T, (1, num_rows))


def _for_each_example(function: Callable, *arrays):
    """Applies a function to each example, together or in turn as `plan` says."""
    size = max(leaf.shape[0] for leaf in jax.tree.leaves(arrays))
    if size == 1:
        outputs = function(*jax.tree.map(lambda leaf: leaf[0], arrays))
        return jax.tree.map(lambda leaf: leaf[None], outputs)
    arrays = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size, *leaf.shape[1:])), arrays)
    if plan.examples_at_once(size) == 1:
        return jax.lax.map(lambda one: function(*one), arrays)
    return jax.vmap(function)(*arrays)


def pool(folded: jax.Array, segments: Segments, *, epsilon: float, dtype: jnp.dtype) -> jax.Array:
    """Pools inputs, normalised without gain and bias, by softmax attention.

    Args:
        folded: Queries times the key map, with the norm's gain and the scale of attention:
            [B, N, C], or [1, N, C] where all examples have the same.
        segments: The inputs [B, M, C].
        epsilon: The layer norm's.
        dtype: What features are multiplied in.

    Returns:
        [B, N, C], float32.
    """
    folded = _centre(folded)
    blocks, tables = _cut_all(folded, segments, epsilon)

    def one(folded, blocks):
        parts = []
        for segment, some, inner in zip(segments, blocks, tables, strict=True):
            vectors = _unmap_folded(folded, segment.kernel)
            sums, log_total = _pool_segment(vectors, some, inner, dtype)
            parts.append((_map_pooled(sums, segment.kernel), log_total))
        pooled = jnp.stack([part[0] for part in parts])
        shares = jax.nn.softmax(jnp.stack([part[1] for part in parts]), axis=0)
        return (pooled * shares[..., None]).sum(axis=0)

    return _centre(_for_each_example(one, folded, blocks))


def _centre(vectors: jax.Array) -> jax.Array:
    """Takes the mean over the channels away."""
    return vectors - vectors.mean(axis=-1, keepdims=True)


def _pool_segment(folded, blocks: _Blocks, inner, dtype) -> tuple[jax.Array, jax.Array]:
    """Returns pooled [N, C] and the logarithm of the weights' total [N] for one example."""
    num_rows = blocks.outer.shape[1]

    def scores(fixed, block):
        folded, column_scores = fixed
        others = _others(folded, block, jnp.ones(folded.shape[0]), dtype)
        found = _scores(others, _columns(block, block.offset, dtype))
        return found if column_scores is None else found + column_scores * block.scale

    def sums(fixed, block, weights):
        del fixed
        weights = narrow(weights, dtype)
        columns = jnp.concatenate(_columns(block, jnp.ones_like(block.scale), dtype), axis=-1)
        features, side = jnp.split(
            product(weights, columns, dtype), [block.features.shape[-1]], axis=-1
        )
        found = {"features": features}
        if inner is not None:
            found["outer"] = side[:, :num_rows] @ block.outer
            found["columns"] = weights * block.scale
        return found, side[:, -1]

    fixed = (folded, _column_scores(folded, inner, num_rows))
    found, log_total = softmax_sums(scores, sums, fixed, blocks)
    pooled = found["features"]
    if inner is not None:
        columns = found["columns"].reshape(folded.shape[0], num_rows, -1).sum(axis=1)
        pooled = jnp.concatenate([pooled, found["outer"] + columns @ inner], axis=-1)
    return pooled, log_total


def read(
    segments: Segments,
    folded: jax.Array,
    offset: jax.Array,
    values: jax.Array,
    *,
    epsilon: float,
    dtype: jnp.dtype,
    finish: Callable[[int, jax.Array, jax.Array], jax.Array],
) -> tuple[jax.Array, ...]:
    """Reads values by softmax attention from many queries, block after block.

    Args:
        segments: The queries [B, O, E]; they are normalised, gain and bias being folded.
        folded: Keys times the query map, with the norm's gain and the scale of attention,
            [B, N, E].
        offset: What the query map's and the norm's bias add to the scores, [B, N].
        values: [B, N, V].
        epsilon: The layer norm's.
        dtype: What features and values are multiplied in.
        finish: `(index of the segment, queries [m, E], values read [m, V])` -> outputs
            [m, F] of a block. It runs on each block, so that large arrays never exist.

    Returns:
        [B, O, F] of each segment.
    """
    folded = _centre(folded)
    blocks, tables = _cut_all(folded, segments, epsilon)

    def one(folded, offset, values, blocks):
        outputs = []
        for index, (some, inner) in enumerate(zip(blocks, tables, strict=True)):
            segment = segments[index]

            def step(queries, found, index=index, kernel=segment.kernel):
                return finish(index, _map_pooled(queries, kernel), found)

            vectors = _unmap_folded(folded, segment.kernel)
            found = _read_segment(vectors, offset, values, some, inner, dtype, step)
            outputs.append(found[: segment.num_positions])
        return tuple(outputs)

    return _for_each_example(one, folded, offset, values, blocks)


def _read_segment(folded, offset, values, blocks: _Blocks, inner, dtype, finish) -> jax.Array:
    """Returns the outputs [blocks * m, F] of one example."""
    column_scores = _column_scores(folded, inner, blocks.outer.shape[1])
    column_scores = None if column_scores is None else column_scores.T

    @jax.checkpoint
    def step(block):
        columns = _columns(block, jnp.ones_like(block.scale), dtype)
        scores = _scores(columns, _others(folded, block, offset, dtype))
        if column_scores is not None:
            scores += column_scores * block.scale[:, None]
        maximum = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
        weights = narrow(jnp.exp(scores - maximum), dtype)
        total = weights.astype(jnp.float32).sum(axis=-1, keepdims=True)
        found = product(weights, values, dtype) / total
        return finish(_queries(block, inner), found)

    outputs = jax.lax.map(step, blocks)
    return outputs.reshape(-1, outputs.shape[-1])


def _queries(block: _Blocks, inner: jax.Array | None) -> jax.Array:
    """Returns the queries of a block, [m, E] or before the kernel."""
    if inner is None:
        return block.features
    positions = (block.outer[:, None] + inner).reshape(block.scale.shape[0], -1)
    return jnp.concatenate([block.features, positions], axis=-1)
