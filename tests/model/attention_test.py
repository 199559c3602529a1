# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import functools
import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_networks import fast_jit

from perceiver_bench.model import attention, plan
from perceiver_bench.model.attention import drop
from perceiver_bench.model.plan import Blocks

BATCH, QUERIES, KEYS, HEADS, SIZE, VALUE_SIZE = 2, 7, 11, 3, 4, 5
# Blocks that leave an uneven last one, and blocks of a single row.
PATHS = {
    "at_once": None,
    "by_rows": Blocks(2, QUERIES, KEYS),
    "by_uneven_rows": Blocks(4, QUERIES, KEYS),
    "by_queries": Blocks(BATCH * HEADS, 3, KEYS),
    "by_single_queries": Blocks(1, 1, KEYS),
    "by_keys": Blocks(BATCH * HEADS, QUERIES, 4),
    "by_single_keys": Blocks(3, QUERIES, 1),
}
attend = fast_jit(attention.attend, static_argnames=("blocks", "dropout"))


def reference(query, key, value, key_mask=None, query_mask=None):
    """Softmax attention in float64, row by row."""
    query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
    batch, num_queries, heads, size = query.shape
    output = np.zeros((batch, num_queries, heads, value.shape[-1]))
    for b, o, h in np.ndindex(batch, num_queries, heads):
        counts = np.ones(key.shape[1], bool) if key_mask is None else np.asarray(key_mask[b], bool)
        if not counts.any() or (query_mask is not None and not query_mask[b, o]):
            continue
        scores = key[b, counts, h] @ query[b, o, h] / math.sqrt(size)
        weights = np.exp(scores - scores.max())
        output[b, o, h] = weights / weights.sum() @ value[b, counts, h]
    return output.reshape(batch, num_queries, -1)


def make_arrays(queries=QUERIES, keys=KEYS, heads=HEADS, size=SIZE, value_size=VALUE_SIZE):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return 2 * rng.standard_normal(shape, dtype=np.float32)

    return (
        normal(BATCH, queries, heads, size),
        normal(BATCH, keys, heads, size),
        normal(BATCH, keys, heads, value_size),
    )


def make_masks():
    key_mask = np.random.default_rng(1).random((BATCH, KEYS)) < 0.6
    query_mask = np.random.default_rng(2).random((BATCH, QUERIES)) < 0.6
    assert not key_mask.all()
    assert not query_mask.all()
    return key_mask, query_mask


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_attend_equals_a_float64_reference(path, masked):
    arrays = make_arrays()
    key_mask, query_mask = make_masks() if masked else (None, None)
    output = attend(*arrays, key_mask=key_mask, query_mask=query_mask, blocks=PATHS[path])
    due = reference(*arrays, key_mask, query_mask)
    np.testing.assert_allclose(output, due, rtol=0, atol=5e-6)


@pytest.mark.parametrize("path", PATHS)
def test_fully_masked_rows_are_zero_and_their_gradients_finite(path):
    arrays = make_arrays()
    key_mask = np.ones((BATCH, KEYS), np.int32)
    key_mask[1] = 0

    def total(*arrays):
        return attention.attend(*arrays, key_mask=key_mask, blocks=PATHS[path]).sum()

    output = attend(*arrays, key_mask=key_mask, blocks=PATHS[path])
    assert not np.asarray(output[1]).any()
    assert np.asarray(output[0]).any()
    for gradient in fast_jit(jax.grad(total, argnums=(0, 1, 2)))(*arrays):
        assert np.isfinite(gradient).all()
        assert not np.asarray(gradient[1]).any()


def test_a_block_of_keys_that_is_masked_throughout_changes_nothing():
    arrays = make_arrays()
    key_mask = np.ones((BATCH, KEYS), bool)
    key_mask[:, :4] = False  # the first block of four keys, before any maximum is known
    output = attend(*arrays, key_mask=key_mask, blocks=Blocks(1, QUERIES, 4))
    np.testing.assert_allclose(output, reference(*arrays, key_mask), rtol=0, atol=5e-6)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "at_once"])
def test_gradients_of_all_paths_are_those_of_attention_at_once(path):
    arrays = make_arrays()
    key_mask, query_mask = make_masks()
    cotangent = np.random.default_rng(3).standard_normal((BATCH, QUERIES, HEADS * VALUE_SIZE))

    def total(blocks, *arrays):
        output = attention.attend(*arrays, key_mask=key_mask, query_mask=query_mask, blocks=blocks)
        return (output * cotangent).sum()

    gradients = fast_jit(jax.grad(total, argnums=(1, 2, 3)), static_argnums=0)
    due, found = gradients(None, *arrays), gradients(PATHS[path], *arrays)
    for ours, theirs in zip(found, due, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


def test_gradient_equals_differences_of_the_reference():
    query, key, value = make_arrays()
    direction = np.random.default_rng(4).standard_normal(key.shape)
    gradient = fast_jit(jax.grad(lambda key: attention.attend(query, key, value).sum()))(key)
    step = 1e-4
    ends = [reference(query, key + sign * step * direction, value).sum() for sign in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2 / step, rel=1e-4)


@hypothesis.settings(deadline=None, max_examples=12)
@hypothesis.given(
    sizes=st.tuples(*[st.integers(1, 9)] * 2, *[st.integers(1, 4)] * 3),
    blocks=st.tuples(*[st.integers(1, 10)] * 3),
    data=st.data(),
)
def test_any_shapes_masks_and_blocks(sizes, blocks, data):
    queries, keys, heads, size, value_size = sizes
    arrays = make_arrays(queries, keys, heads, size, value_size)
    masks = [
        np.array(data.draw(st.lists(st.booleans(), min_size=2 * n, max_size=2 * n))).reshape(2, n)
        for n in (keys, queries)
    ]
    output = attend(*arrays, key_mask=masks[0], query_mask=masks[1], blocks=Blocks(*blocks))
    np.testing.assert_allclose(output, reference(*arrays, *masks), rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_large_scores_do_not_overflow(path):
    query, key, value = make_arrays()
    output = attend(1e3 * query, key, value, blocks=PATHS[path])
    assert np.isfinite(output).all()
    np.testing.assert_allclose(output, reference(1e3 * query, key, value), rtol=0, atol=1e-2)


@pytest.mark.parametrize("path", PATHS)
def test_bfloat16_stays_close_and_keeps_its_type(path):
    arrays = [jnp.asarray(array, jnp.bfloat16) for array in make_arrays()]
    output = attend(*arrays, blocks=PATHS[path])
    assert output.dtype == jnp.bfloat16
    due = reference(*(array.astype(jnp.float32) for array in arrays))
    # Eight bits of mantissa, twice: of the weights and of the result.
    np.testing.assert_allclose(output.astype(jnp.float32), due, rtol=0, atol=2**-5)


def test_the_fused_function_takes_and_gives_the_same_arrays(monkeypatch):
    """cuDNN itself needs a GPU; JAX's function is the same with another implementation."""
    arrays = [array.astype(jnp.bfloat16) for array in make_arrays(size=8, value_size=8)]
    due = attend(*arrays)
    fused = attention.attend_fused
    calls = []

    def on_any_device(query, key, value, implementation):
        calls.append(implementation)
        return fused(query, key, value, "xla")

    monkeypatch.setattr(attention, "attend_fused", on_any_device)
    monkeypatch.setattr(plan, "has_cudnn", lambda: True)
    found = fast_jit(lambda *arrays: attention.attend(*arrays))(*arrays)
    assert calls == ["cudnn"]
    assert (found.shape, found.dtype) == (due.shape, due.dtype)
    np.testing.assert_allclose(
        found.astype(jnp.float32), due.astype(jnp.float32), rtol=0, atol=2**-5
    )
    key_mask, query_mask = make_masks()
    for others, options in (
        (arrays, {"key_mask": key_mask}),
        (arrays, {"query_mask": query_mask}),
        (arrays, {"dropout": 0.1, "dropout_key": jax.random.key(0)}),
        ([array.astype(np.float32) for array in arrays], {}),
        ([*arrays[:2], arrays[2][..., :4]], {}),
    ):
        jax.eval_shape(functools.partial(attention.attend, **options), *others)
    assert calls == ["cudnn"]


@pytest.mark.parametrize("path", ["at_once", "by_rows", "by_queries", "by_keys"])
def test_dropout_keeps_the_expected_value_and_its_rate(path):
    query, key, _ = make_arrays()
    # Values that show each weight by itself: output column m is the weight of key m.
    value = np.broadcast_to(np.eye(KEYS, dtype=np.float32)[None, :, None], (2, KEYS, HEADS, KEYS))
    due = reference(query, key, value)

    def dropped(dropout_key):
        return attention.attend(
            query, key, value, dropout=0.3, dropout_key=dropout_key, blocks=PATHS[path]
        )

    samples = np.asarray(fast_jit(jax.vmap(dropped))(jax.random.split(jax.random.key(0), 1000)))
    kept = samples != 0
    # 1000 draws of every weight: five standard errors of the rate and of the mean.
    np.testing.assert_allclose(kept.mean(axis=0), 0.7, atol=5 * math.sqrt(0.3 * 0.7 / 1000))
    error = 5 * due * math.sqrt(0.3 / 0.7 / 1000) + 1e-6
    assert (np.abs(samples.mean(axis=0) - due) <= error).all()
    np.testing.assert_allclose(samples[kept], np.broadcast_to(due / 0.7, kept.shape)[kept], 1e-4)
    # Neighbouring blocks must not drop the same positions.
    together = kept.reshape(1000, 2, QUERIES, HEADS, KEYS).reshape(1000, -1).astype(float)
    correlation = np.corrcoef(together[:, :200].T)
    assert np.abs(correlation - np.eye(200)).max() < 0.2


def test_dropout_needs_a_key():
    arrays = make_arrays()
    np.testing.assert_array_equal(attend(*arrays, dropout=0.9), attend(*arrays))
    array = jnp.ones((3, 4))
    np.testing.assert_array_equal(drop(array, 0.9, None), array)
    np.testing.assert_array_equal(drop(array, 0.0, jax.random.key(0)), array)


def test_queries_that_all_examples_share_need_no_batch():
    query, key, value = make_arrays()
    due = attend(np.repeat(query[:1], BATCH, axis=0), key, value)
    np.testing.assert_array_equal(attend(query[:1], key, value), due)


def test_a_large_score_matrix_never_exists_whole():
    """Optical flow has 182,528 x 2048 scores, 1.4 GiB: not forward, not backward."""

    def total(query, key, value):
        return jnp.square(attention.attend(query, key, value)).sum()

    pixels = jax.ShapeDtypeStruct((1, 182_528, 1, 16), jnp.float32)
    latents = jax.ShapeDtypeStruct((1, 2048, 1, 16), jnp.float32)
    for function in (total, jax.grad(total, argnums=(0, 1, 2))):
        for query, key in ((pixels, latents), (latents, pixels)):
            compiled = jax.jit(function).lower(query, key, key).compile()
            # Some copies of the larger operand (12 MB) and of a block (4 MB).
            assert compiled.memory_analysis().temp_size_in_bytes < 150e6
