# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attention_test import reference
from flax import nnx
from random_networks import fast_jit

from perceiver_bench.config import AttentionConfig
from perceiver_bench.model import plan, presets
from perceiver_bench.model.layers import MLP, CrossAttention, LinearMap
from perceiver_bench.model.segments import Segment

MODEL = presets.preset("language_tiny")


def _cross(query_channels, key_channels, config, *, use_query_residual=True, model=MODEL):
    """Builds a block whose parameters are drawn, all of them.

    What starts at zero or one would hide a forgotten factor.
    """

    def build():
        return CrossAttention(
            *(query_channels, key_channels, config, model),
            use_query_residual=use_query_residual,
            dropout=0.0,
            rngs=nnx.Rngs(0),
        )

    rng = np.random.default_rng(0)
    structure, shapes = nnx.split(nnx.eval_shape(build))

    def draw(leaf):
        width = math.sqrt(leaf.shape[0]) if leaf.ndim == 2 else 1
        return rng.standard_normal(leaf.shape, np.float32) / np.float32(width)

    return nnx.merge(structure, jax.tree.map(draw, shapes))


def _gelu(array):
    inner = np.sqrt(2 / np.pi) * (array + 0.044715 * array**3)
    return 0.5 * array * (1 + np.tanh(inner))


def _norm(array, layer):
    deviation = np.sqrt(array.var(-1, keepdims=True) + 1e-5)
    return (array - array.mean(-1, keepdims=True)) / deviation * layer.scale[...] + layer.bias[...]


def _linear(array, layer):
    return array @ np.asarray(layer.kernel[...], np.float64) + layer.bias[...]


@pytest.mark.parametrize("use_query_residual", [False, True])
def test_cross_attention_equals_a_hand_written_block(use_query_residual):
    config = AttentionConfig(num_heads=2, qk_channels=8, v_channels=6, widening_factor=3)
    block = _cross(10, 12, config, use_query_residual=use_query_residual)
    rng = np.random.default_rng(0)
    queries, keys = rng.standard_normal((2, 5, 10)), rng.standard_normal((2, 7, 12))
    mask = np.array([[1] * 7, [1] * 3 + [0] * 4])

    normed_queries, normed_keys = _norm(queries, block.query_norm), _norm(keys, block.key_norm)
    heads = [
        _linear(array, layer).reshape(2, -1, 2, size)
        for array, layer, size in (
            (normed_queries, block.attention.query, 4),
            (normed_keys, block.attention.key, 4),
            (normed_keys, block.attention.value, 3),
        )
    ]
    attended = _linear(reference(*heads, mask), block.attention.output)
    due = queries + attended if use_query_residual else attended
    hidden = _gelu(_linear(_norm(due, block.mlp_norm), block.mlp.hidden))
    due = due + _linear(hidden, block.mlp.output)
    run = fast_jit(lambda block, queries, keys: block(queries, keys, key_mask=mask))
    found = run(block, *((Segment(array.astype(np.float32)),) for array in (queries, keys)))
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def test_exact_gelu_is_the_error_function():
    config = dataclasses.replace(MODEL, activation="gelu")
    mlp = MLP(4, 2, config, rngs=nnx.Rngs(0))
    inputs = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32) * 3
    hidden = _linear(inputs, mlp.hidden)
    phi = 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    np.testing.assert_allclose(mlp(inputs), _linear(hidden * phi, mlp.output), rtol=0, atol=1e-6)


def test_channels_that_do_not_divide_into_heads_are_refused():
    with pytest.raises(ValueError, match="v_channels=7 does not divide into 2 heads"):
        _cross(4, 4, AttentionConfig(num_heads=2, qk_channels=4, v_channels=7))


def test_default_channels_are_those_of_the_keys():
    block = _cross(10, 12, AttentionConfig())
    assert block.attention.query.kernel.shape == (10, 12)
    assert block.attention.value.kernel.shape == (12, 12)
    assert block.attention.output.kernel.shape == (12, 10)


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)


def make_segments(channels: int, kind: str):
    """Returns segments of 30 positions in all: of a grid, without one, and several."""
    grid = Segment(normal(2, 24, 3), *_tables(4, 6, channels - 3))
    rows = Segment(normal(2, 6, channels - 5), normal(6, 5))
    plain = Segment(normal(1, 6, channels))
    nothing = Segment(np.zeros((1, 24, 0), np.float32), *_tables(4, 6, channels))
    return {
        "grid": (Segment(normal(2, 30, 3), *_tables(5, 6, channels - 3)),),
        "plain": (Segment(normal(2, 30, channels)),),
        "several": (grid, rows),
        "shared": (nothing, plain),
        "mapped": (
            grid._replace(features=normal(2, 24, 2), kernel=normal(2, 3)),
            rows._replace(features=normal(2, 6, 1), kernel=normal(1, channels - 5)),
        ),
    }[kind]


def _tables(outer: int, inner: int, channels: int):
    is_inner = np.arange(channels) % 3 == 0
    tables = normal(outer, channels), normal(inner, channels)
    return np.where(is_inner, 0, tables[0]), np.where(is_inner, tables[1], 0)


CROSS = AttentionConfig(qk_channels=8, v_channels=6, widening_factor=2)


# Whole, blocks of several rows of a grid, of one row, and of less than a row.
CASES = [
    ("grid", 2**20),
    ("grid", 60),
    ("several", 60),
    ("shared", 10),
    ("plain", 10),
    ("mapped", 60),
]


def assert_paths_agree(run, parameters, arrays, paths):
    """Compares values and gradients of each path with those of the plain one."""

    def loss(parameters, arrays):
        outputs = run(parameters, arrays)
        return sum(jnp.sin(output).sum() for output in outputs), outputs

    results = {}
    for path in ("plain", *paths):
        with plan.forced(path), plan.recorded() as choices:
            gradient = fast_jit(
                lambda *both: jax.grad(loss, argnums=(0, 1), has_aux=True, allow_int=True)(*both)
            )
            results[path] = gradient(parameters, arrays)
        assert {choice.path for choice in choices} == {path}
    due = results.pop("plain")
    for path, found in results.items():
        for ours, theirs in zip(*map(jax.tree.leaves, (found[1], due[1])), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5, err_msg=path)
        leaves = list(zip(*map(jax.tree.leaves_with_path, (found[0], due[0])), strict=True))
        leaves = [pair for pair in leaves if pair[0][1].size]
        # The gradient of a key's bias is zero but for rounding, hence the floor.
        scales = [np.sqrt(np.square(theirs).mean()) for _, (_, theirs) in leaves]
        scales = np.maximum(scales, 1e-2 * max(scales))
        for scale, ((name, ours), (_, theirs)) in zip(scales, leaves, strict=True):
            message = f"{path} {jax.tree_util.keystr(name)}"
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale, err_msg=message)


@pytest.mark.parametrize(("kind", "max_scores"), CASES)
def test_encoding_folded_gives_the_latents_of_the_plain_path(kind, max_scores, monkeypatch):
    monkeypatch.setattr(plan, "CPU_SCORES", max_scores)
    structure, parameters = nnx.split(_cross(10, 12, CROSS))
    # Latents are the same for all examples, unless those are all there is of a batch.
    size = 2 if kind == "shared" else 1
    arrays = ((Segment(normal(size, 4, 10)),), make_segments(12, kind))

    def run(parameters, arrays):
        return (nnx.merge(structure, parameters)(*arrays),)

    assert_paths_agree(run, parameters, arrays, ["pool"])


@pytest.mark.parametrize(("kind", "max_scores"), CASES)
def test_decoding_folded_gives_the_outputs_of_the_plain_path(kind, max_scores, monkeypatch):
    monkeypatch.setattr(plan, "CPU_SCORES", max_scores)
    block = _cross(12, 10, CROSS, use_query_residual=kind == "grid")
    structure, parameters = nnx.split(block)
    queries = make_segments(12, kind)
    maps = [LinearMap(normal(12, 5), normal(5)), LinearMap(normal(5, 2), normal(2))]
    readouts = [maps[:1], maps][: len(queries)]

    def run(parameters, arrays):
        queries, keys, readouts = arrays
        return nnx.merge(structure, parameters).decode(queries, keys, readouts)

    arrays = (queries, (Segment(normal(2, 4, 10)),), readouts)
    assert_paths_agree(run, parameters, arrays, ["read"])


def test_examples_together_give_what_they_give_in_turn(monkeypatch):
    """On a CPU they run one after another, on other devices together."""
    monkeypatch.setattr(plan, "CPU_SCORES", 120)
    block = _cross(10, 12, CROSS)
    structure, parameters = nnx.split(block)
    queries, keys = (Segment(normal(1, 4, 10)),), make_segments(12, "several")

    def run(parameters):
        return nnx.merge(structure, parameters)(queries, keys)

    due = fast_jit(functools.partial(run))(parameters)
    monkeypatch.setattr(plan, "examples_at_once", lambda batch: batch)
    found = fast_jit(functools.partial(run))(parameters)
    np.testing.assert_allclose(found, due, rtol=0, atol=2e-5)


def test_any_path_serves_encoding_and_decoding():
    """Which side is long decides what is cheap, not what is possible."""
    block = _cross(12, 12, CROSS)
    queries, keys = make_segments(12, "several"), make_segments(12, "grid")
    readouts = [[LinearMap(normal(12, 2), normal(2))]] * 2
    structure, parameters = nnx.split(block)

    def run(parameters):
        block = nnx.merge(structure, parameters)
        return [block(queries, keys), *block.decode(queries, keys, readouts)]

    results = {}
    for path in plan.PATHS:
        with plan.forced(path):
            # A function of its own: what is compiled keeps the path it was traced with.
            results[path] = fast_jit(functools.partial(run))(parameters)
    for path in ("pool", "read"):
        for found, due in zip(results[path], results["plain"], strict=True):
            np.testing.assert_allclose(found, due, rtol=0, atol=2e-5, err_msg=path)


@pytest.mark.parametrize("path", ["pool", "read"])
def test_folding_keeps_float32_sums_in_bfloat16(path):
    config = dataclasses.replace(MODEL, dtype="bfloat16")
    queries, keys = (Segment(normal(2, 4, 10)),), make_segments(12, "grid")
    if path == "read":
        queries, keys = make_segments(10, "grid"), (Segment(normal(2, 4, 12)),)

    def run(model):
        structure, parameters = nnx.split(_cross(10, 12, CROSS, model=model))
        with plan.forced(path):
            return fast_jit(lambda some: nnx.merge(structure, some)(queries, keys))(parameters)

    due, found = run(MODEL), run(config)
    error = np.sqrt(np.square(found - due).mean()) / due.std()
    assert found.dtype == jnp.float32
    assert 1e-5 < error < 2e-2


def test_dropping_weights_and_masks_leave_the_folded_paths():
    block = _cross(10, 12, CROSS)
    queries, keys = (Segment(normal(1, 4, 10)),), make_segments(12, "grid")
    block.attention.dropout = 0.5

    def path(**options):
        with plan.recorded() as choices:
            jax.eval_shape(lambda: block(queries, keys, **options))
        return [choice.path for choice in choices]

    assert path() == ["pool"]
    assert path(dropout_key=jax.random.key(0)) == ["plain"]
    block.attention.dropout = 0.0
    assert path(key_mask=np.ones((2, 30), bool)) == ["plain"]
    assert path(query_mask=np.ones((2, 4), bool)) == ["plain"]
