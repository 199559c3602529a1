# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from perceiver_bench.config import FlowInput, FourierPosition, MultimodalInput
from perceiver_bench.model import presets
from perceiver_bench.model.adapters import (
    FlowAdapter,
    ImageAdapter,
    MultimodalAdapter,
    TextAdapter,
    neighbourhoods,
    space_to_depth,
)
from perceiver_bench.model.convolution import BatchNorm, ConvolutionStem
from perceiver_bench.model.position import fourier_features, grid_positions

LANGUAGE = presets.preset("language_tiny")
MULTIMODAL = presets.preset("multimodal_tiny")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def test_text_is_embeddings_plus_positions():
    adapter = TextAdapter(LANGUAGE.input, LANGUAGE, rngs=nnx.Rngs(0))
    tokens = np.array([[5, 0, 5], [1, 2, 3]])
    mask = np.array([[1, 1, 0], [1, 1, 1]])
    adapted = adapter({"inputs": tokens, "input_mask": mask})
    table, positions = adapter.embeddings[...], adapter.positions[...]
    np.testing.assert_array_equal(adapted.inputs[0, 2], table[5] + positions[2])
    np.testing.assert_array_equal(adapted.inputs[1, 0], table[1] + positions[0])
    np.testing.assert_array_equal(adapted.mask, mask)
    assert adapter({"inputs": tokens}).mask is None


def with_task_tokens(num_task_tokens):
    inputs = dataclasses.replace(LANGUAGE.input, num_task_tokens=num_task_tokens)
    return TextAdapter(inputs, LANGUAGE, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("num_task_tokens", [1, 3])
def test_a_task_token_comes_before_the_text(num_task_tokens):
    adapter = with_task_tokens(num_task_tokens)
    tokens = np.array([[5, 0], [1, 2]])
    mask = np.array([[1, 0], [0, 0]])
    task = np.array([2, 0])
    adapted = adapter({"inputs": tokens, "input_mask": mask, "task": task})
    table, positions = adapter.embeddings[...], adapter.positions[...]
    own = adapter.task_tokens[...]
    assert own.shape == (num_task_tokens, 32)
    chosen = task if num_task_tokens > 1 else np.zeros(2, int)
    np.testing.assert_array_equal(adapted.inputs[:, 0], own[chosen] + positions[0])
    np.testing.assert_array_equal(adapted.inputs[:, 1:], table[tokens] + positions[1:3])
    # The token of an empty text counts too.
    np.testing.assert_array_equal(adapted.mask, [[1, 1, 0], [1, 0, 0]])
    assert adapted.grid == (3,)
    assert adapter({"inputs": tokens, "task": task}).mask is None


def test_a_single_task_token_needs_no_task():
    tokens = np.array([[5, 0]])
    adapter = with_task_tokens(1)
    np.testing.assert_array_equal(
        adapter({"inputs": tokens}).inputs, adapter({"inputs": tokens, "task": [0]}).inputs
    )


def test_text_longer_than_the_positions_is_refused():
    length = LANGUAGE.input.max_length
    tokens = np.zeros((1, length), int)
    assert with_task_tokens(0)({"inputs": tokens}).inputs.shape == (1, length, 32)
    with pytest.raises(ValueError, match=f"{length} tokens; at most {length - 1} are possible"):
        with_task_tokens(1)({"inputs": tokens})
    with pytest.raises(ValueError, match=f"{length + 1} tokens; at most {length} are"):
        with_task_tokens(0)({"inputs": np.zeros((1, length + 1), int)})
    assert with_task_tokens(1)({"inputs": tokens[:, 1:]}).inputs.shape == (1, length, 32)


def test_fewer_task_tokens_than_none_are_refused():
    with pytest.raises(ValueError, match="num_task_tokens=-1: at least 0"):
        with_task_tokens(-1)


def test_neighbourhoods_are_in_row_order_with_zeros_outside():
    frames = np.arange(1, 13, dtype=np.float32).reshape(1, 2, 3, 2)
    found = neighbourhoods(frames)
    assert found.shape == (1, 2, 3, 18)
    # The pixel at row 1, column 2 has nothing below it and nothing to its right.
    due = np.zeros((3, 3, 2))
    due[:2, :2] = frames[0, 0:2, 1:3]
    np.testing.assert_array_equal(found[0, 1, 2], due.reshape(-1))


def test_flow_concatenates_the_neighbourhoods_of_both_frames():
    config = presets.preset("flow_tiny")
    adapter = FlowAdapter(config.input, config, rngs=nnx.Rngs(0))
    images = normal(1, 2, 5, 4, 3)
    adapted = adapter({"images": images})
    pair = np.concatenate([neighbourhoods(images[:, 0]), neighbourhoods(images[:, 1])], axis=-1)
    np.testing.assert_allclose(
        adapted.inputs[..., :64], adapter.linear(pair.reshape(1, 20, 54)), atol=1e-6
    )
    assert adapted.grid == (5, 4)
    assert adapted.inputs.shape == (1, 20, adapter.channels)


def test_space_to_depth_gathers_each_patch():
    video = normal(2, 4, 6, 8, 3)
    found = space_to_depth(video, (2, 3, 4))
    assert found.shape == (2, 2, 2, 2, 2 * 3 * 4 * 3)
    for t, h, w in np.ndindex(2, 2, 2):
        patch = video[:, 2 * t : 2 * t + 2, 3 * h : 3 * h + 3, 4 * w : 4 * w + 4]
        np.testing.assert_array_equal(found[:, t, h, w], patch.reshape(2, -1))


def test_batch_norm_normalises_a_batch_and_debiases_its_averages():
    norm = BatchNorm(1)
    norm.scale[...] = jnp.array([2.0])
    norm.bias[...] = jnp.array([1.0])
    # Mean 2, variance 1 (over two values, not one less).
    output = norm(jnp.array([[1.0], [3.0]]), train=True)
    np.testing.assert_allclose(output, [[-1.0], [3.0]], atol=1e-4)
    # After one step the hidden average is a tenth of the value, and debiasing undoes that.
    np.testing.assert_allclose(norm.mean_hidden[...], [0.2], rtol=1e-5)
    np.testing.assert_allclose(norm.mean_average[...], [2.0], rtol=1e-5)
    np.testing.assert_allclose(norm.variance_average[...], [1.0], rtol=1e-5)
    assert norm.mean_counter[...] == 1
    # Second batch: mean 5, variance 4. Hidden 0.9 * 0.2 + 0.1 * 5 = 0.68, over 1 - 0.81.
    norm(jnp.array([[3.0], [7.0]]), train=True)
    np.testing.assert_allclose(norm.mean_average[...], [0.68 / 0.19], rtol=1e-5)
    np.testing.assert_allclose(norm.variance_average[...], [(0.09 + 0.4) / 0.19], rtol=1e-5)


def test_batch_norm_evaluates_with_its_averages_and_leaves_them():
    norm = BatchNorm(1)
    norm.mean_average[...] = jnp.array([3.0])
    norm.variance_average[...] = jnp.array([4.0])
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(norm)))
    output = norm(jnp.array([[5.0], [3.0]]), train=False)
    np.testing.assert_allclose(output, [[1.0], [0.0]], atol=1e-5)
    after = nnx.to_pure_dict(nnx.state(norm))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_stem_is_convolution_norm_and_pooling_worked_by_hand():
    config = presets.preset("imagenet_conv_tiny")
    stem = ConvolutionStem(3, 4, config, rngs=nnx.Rngs(0))
    stem.norm.variance_average[...] = jnp.ones(4)
    images = normal(1, 8, 12, 3)
    found = np.asarray(stem(jnp.asarray(images), train=False))
    # SAME padding of an even size with stride 2: two before and three after, and for the
    # pooling none before and one after.
    kernel = np.asarray(stem.convolution.kernel[...], np.float64)
    padded = np.pad(images, ((0, 0), (2, 3), (2, 3), (0, 0)))
    features = np.zeros((4, 6, 4))
    for y, x in np.ndindex(4, 6):
        window = padded[0, 2 * y : 2 * y + 7, 2 * x : 2 * x + 7]
        features[y, x] = np.einsum("hwi,hwio->o", window, kernel) / np.sqrt(1 + 1e-5)
    features = np.maximum(features, 0)
    assert found.shape == (1, 2, 3, 4)
    for y, x in np.ndindex(2, 3):
        due = features[2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max((0, 1))
        np.testing.assert_allclose(found[0, y, x], due, atol=1e-5)


@pytest.mark.parametrize("name", ["imagenet_fourier_tiny", "imagenet_conv_tiny"])
def test_fourier_images_of_any_size(name):
    config = presets.preset(name)
    adapter = ImageAdapter(config.input, config, rngs=nnx.Rngs(0))
    images = normal(1, 20, 12, 3)
    adapted = adapter({"images": images})
    grid = (20, 12) if config.input.preparation == "pixels" else (5, 3)
    assert adapted.grid == grid
    assert adapted.inputs.shape == (1, grid[0] * grid[1], adapter.channels)
    positions = fourier_features(grid_positions(grid), 64, config.input.position.max_resolution)
    np.testing.assert_array_equal(adapted.inputs[0, :, -positions.shape[1] :], positions)


def test_learned_positions_follow_the_image_size():
    config = presets.preset("imagenet_learned_tiny")
    adapter = ImageAdapter(config.input, config, rngs=nnx.Rngs(0))
    # Positions that are constant stay so at any size: what is seen is their projection.
    adapter.positions[...] = jnp.ones_like(adapter.positions[...])
    due = adapter.projection(jnp.ones((1, 256)))[0]
    for size in ((32, 32), (16, 24), (40, 8)):
        adapted = adapter({"images": normal(1, *size, 3)})
        assert adapted.inputs.shape == (1, size[0] * size[1], 512)
        np.testing.assert_allclose(
            adapted.inputs[0, :, 256:], np.broadcast_to(due, (size[0] * size[1], 256)), atol=1e-5
        )


@pytest.fixture(scope="module")
def multimodal():
    adapter = MultimodalAdapter(MULTIMODAL.input, MULTIMODAL, rngs=nnx.Rngs(0))
    batch = {
        "images": np.abs(normal(40, 2, 16, 16, 3)),
        "audio": normal(40, 256, 1, seed=1),
        "label": np.arange(40) % 10,
    }
    return adapter, batch


def test_multimodal_order_and_padding(multimodal):
    adapter, batch = multimodal
    inputs = np.asarray(adapter(batch).inputs)
    audio, image = inputs[:, :16], inputs[:, 16:-1]
    assert image.shape[1] == 2 * 4 * 4
    np.testing.assert_array_equal(audio[..., :16], batch["audio"].reshape(40, 16, 16))
    patch = batch["images"][:, 1, 4:8, 8:12].reshape(40, -1)
    np.testing.assert_array_equal(image[:, 16 + 4 + 2, :48], patch)
    for part, name in ((audio, "audio"), (image, "image")):
        padding = np.asarray(getattr(adapter, f"{name}_padding")[...])
        found = part[..., -padding.shape[1] :]
        np.testing.assert_array_equal(found, np.broadcast_to(padding, found.shape))


def test_multimodal_label_is_masked_in_evaluation_and_at_random_in_training(multimodal):
    adapter, batch = multimodal
    token = np.asarray(adapter.label_mask_token[...])[0]
    np.testing.assert_array_equal(adapter(batch).inputs[:, -1], np.tile(token, (40, 1)))
    label = np.asarray(adapter(batch, key=jax.random.key(0)).inputs[:, -1])
    masked = (label == token).all(axis=1)
    assert 8 < masked.sum() < 32  # of 40, each with probability one half
    seen = label[~masked]
    np.testing.assert_array_equal(seen[:, :10], np.eye(10)[batch["label"][~masked]])


def test_label_mask_probability_is_that_of_the_configuration(multimodal):
    _, batch = multimodal
    config: MultimodalInput = dataclasses.replace(MULTIMODAL.input, label_mask_probability=0.0)
    adapter = MultimodalAdapter(config, MULTIMODAL, rngs=nnx.Rngs(0))
    label = np.asarray(adapter(batch, key=jax.random.key(0)).inputs[:, -1, :10])
    np.testing.assert_array_equal(label, np.eye(10)[batch["label"]])


def test_light_flow_reads_both_frames_at_a_quarter_of_the_size():
    config = presets.preset("flow_light_tiny")
    inputs: FlowInput = config.input
    assert inputs.position == FourierPosition(num_bands=64, max_resolution=(4, 6))
    adapter = FlowAdapter(inputs, config, rngs=nnx.Rngs(0))
    images = normal(1, 2, 16, 24, 3)
    adapted = adapter({"images": images}, key=jax.random.key(0))
    assert adapted.grid == (4, 6)
    images[:, 1] *= 2
    changed = adapter({"images": images}, key=jax.random.key(0))
    assert not np.allclose(changed.inputs[..., :64], adapted.inputs[..., :64])
