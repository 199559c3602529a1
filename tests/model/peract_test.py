# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""PerAct's network against a plain one in PyTorch, and against the original's outputs."""

import dataclasses
import functools
import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.model import plan, presets
from perceiver_bench.model import voxel_convolution as convolution
from perceiver_bench.model.inference import Forward
from perceiver_bench.model.voxel_pooling import pool, pool_planes
from perceiver_bench.model.weights import mapping, peract

if sys.version_info >= (3, 12):
    pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
import peract_reference
import torch

PARTS = ("translation", "rotation_grip", "collision")
TINY = presets.preset("peract_tiny")
SIZES = {
    "10 voxels, patches of 5": {},
    "positions for the words": {"positions_for_language": True},
    "an odd number of voxels": {"size": 15},
    "9 voxels, patches of 3": {"size": 9, "patch": 3},
    "patches of one voxel": {"size": 4, "patch": 1},
}
FLOAT32 = jnp.dtype("float32")


def resized(changes):
    return dataclasses.replace(TINY, input=dataclasses.replace(TINY.input, **changes))


@functools.cache
def compiled(config):
    structure = mapping.empty_model(config)[0]
    return fast_jit(lambda state, batch, key: nnx.merge(structure, state)(batch, key=key))


def run(weights, batch, key=None):
    state = nnx.split(mapping.to_model(weights))[1]
    return jax.device_get(compiled(weights.config)(state, batch, key))


@pytest.mark.parametrize("changes", SIZES.values(), ids=SIZES)
def test_network_is_that_of_the_release(changes):
    config = resized(changes)
    weights, batch = random_weights(config), random_batch(config)
    found = run(weights, batch)
    state = peract.to_state_dict(weights)
    arrays = {name.removeprefix("_qnet.module."): array for name, array in state.items()}
    for index in range(2):
        points, colours, bounds, proprio, language = (
            batch[name][index] for name in ("points", "colours", "bounds", "proprio", "language")
        )
        voxels = peract_reference.voxel_grid(points, colours, bounds, config.input.size)
        np.testing.assert_allclose(found["voxels"][index], voxels, rtol=0, atol=1e-6)
        due = peract_reference.forward(arrays, voxels, proprio, language, heads=2)
        for part in PARTS:
            error = np.abs(found[part][index] - due[part]).max() / due[part].std()
            assert error < 1e-4, f"{part}: {error:.1e} of the deviation"


def loss_and_gradients(config, params, batch):
    structure = mapping.empty_model(config)[0]

    def loss(params):
        outputs = nnx.merge(structure, params)(batch)
        return sum(jnp.sin(outputs[part]).sum() for part in PARTS)

    value, gradients = fast_jit(jax.value_and_grad(loss))(params)
    return value, mapping.flatten(gradients)


def test_rewriting_changes_neither_outputs_nor_gradients():
    config = resized({"size": 15})
    params, batch = random_weights(config).params, random_batch(config)
    with plan.forced("plain"):
        due, gradients = loss_and_gradients(config, params, batch)
    config = dataclasses.replace(config, remat=True)
    found, own_gradients = loss_and_gradients(config, params, batch)
    assert abs(found / due - 1) < 1e-5
    for name, gradient in gradients.items():
        error = np.abs(own_gradients[name] - gradient).max() / np.abs(gradient).max()
        assert error < 1e-3, f"{name}: {error:.1e}"


def with_torch(voxels, kernel, stride=1):
    """The convolution [V, V, V, O] in float64, borders repeated."""
    voxels = torch.from_numpy(voxels.astype(np.float64)).permute(3, 0, 1, 2)[None]
    kernel = torch.from_numpy(kernel.astype(np.float64)).permute(4, 3, 0, 1, 2)
    half = (kernel.shape[-1] // 2,) * 6
    padded = torch.nn.functional.pad(voxels, half, mode="replicate")
    found = torch.nn.functional.conv3d(padded, kernel, stride=stride)
    return found[0].permute(1, 2, 3, 0).numpy()


def upsampled(patches, factor):
    patches = torch.from_numpy(patches.astype(np.float64)).permute(3, 0, 1, 2)[None]
    voxels = torch.nn.functional.interpolate(
        patches, scale_factor=factor, mode="trilinear", align_corners=False
    )
    return voxels[0].permute(1, 2, 3, 0).numpy()


def assert_close(found, due):
    assert found.shape == due.shape
    assert np.abs(found - due).max() < 2e-6 * due.std()


@pytest.mark.parametrize(("grid", "patch"), [(1, 5), (2, 5), (3, 3), (4, 1), (2, 7)])
def test_convolutions_are_those_of_torch(grid, patch):
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((patch, patch, patch, 6, 4), dtype=np.float32)
    patches = rng.standard_normal((grid, grid, grid, 6), dtype=np.float32)
    voxels = rng.standard_normal((*(grid * patch,) * 3, 6), dtype=np.float32)

    def same(array):
        return array

    @functools.partial(fast_jit, static_argnums=0)
    def run(function, *arrays):
        return function(*arrays)

    found = run(lambda *a: convolution.convolve(*a, FLOAT32), patches, kernel)
    assert_close(found, with_torch(patches, kernel))
    found = run(lambda *a: convolution.convolve_plainly(*a, FLOAT32), patches, kernel)
    assert_close(found, with_torch(patches, kernel))
    found = run(lambda *a: convolution.convolve_upsampled(*a, same, FLOAT32), patches, kernel)
    assert_close(found, with_torch(upsampled(patches, patch), kernel))
    found = run(lambda *a: convolution.convolve_patches(*a, same, FLOAT32), voxels, kernel)
    assert_close(found, with_torch(voxels, kernel, stride=patch))


@pytest.mark.parametrize("size", [2, 5, 8])
def test_pairs_of_planes_are_convolved_as_torch_does(size):
    rng = np.random.default_rng(size)
    kernel = rng.standard_normal((3, 3, 3, 6, 4), dtype=np.float32)
    voxels = rng.standard_normal((2, size, size, 6), dtype=np.float32)
    planes = jnp.asarray(voxels[[0, 0, 1, 1]])
    wide = convolution.wide_kernel(jnp.asarray(kernel))
    assert_close(convolution.convolve_pair(planes, wide, FLOAT32), with_torch(voxels, kernel))


def test_pooling_is_the_expected_position_and_the_maximum():
    voxels = np.random.default_rng(0).standard_normal((4, 4, 4, 6), dtype=np.float32) / 20
    voxels[..., 5] *= 1e4  # one voxel has it all
    found = np.asarray(pool(pool_planes(jnp.asarray(voxels))))
    channels_first = torch.from_numpy(voxels.astype(np.float64)).permute(3, 0, 1, 2)[None]
    due = torch.cat(peract_reference._pool(channels_first)).numpy()
    np.testing.assert_allclose(found, due, rtol=0, atol=2e-5)
    best = np.unravel_index(voxels[..., 5].argmax(), (4, 4, 4))
    positions = np.linspace(-1, 1, 4)[list(best)]
    np.testing.assert_allclose(found[[16, 15, 17]], positions, atol=1e-6)


def test_dropout_is_of_training_and_not_of_the_decoder():
    weights, batch = random_weights(TINY), random_batch(TINY)
    model = mapping.to_model(weights)
    assert model.encoder.cross_attention.attention.dropout == 0.1
    assert model.encoder.self_attention.attention.dropout == 0.1
    assert model.decoder.attention.dropout == 0
    once, again = (run(weights, batch, jax.random.key(0)) for _ in range(2))
    other = run(weights, batch, jax.random.key(1))
    np.testing.assert_array_equal(once["translation"], again["translation"])
    assert np.abs(once["translation"] - other["translation"]).max() > 1e-4


def test_examples_of_a_batch_do_not_see_each_other():
    weights, batch = random_weights(TINY), random_batch(TINY, 3)
    whole = run(weights, batch)
    for index in range(3):
        single = {name: array[index : index + 1] for name, array in batch.items()}
        alone = run(weights, single)
        for part in PARTS:
            np.testing.assert_allclose(alone[part][0], whole[part][index], rtol=0, atol=2e-4)


def test_order_of_the_words_matters_only_with_positions():
    for positions_for_language in (False, True):
        config = resized({"positions_for_language": positions_for_language})
        weights, batch = random_weights(config), random_batch(config)
        due = run(weights, batch)["translation"]
        found = run(weights, {**batch, "language": batch["language"][:, ::-1]})
        error = np.abs(found["translation"] - due).max() / np.std(due)
        assert (error > 1e-2) == positions_for_language, error


def test_bfloat16_is_close():
    weights, batch = random_weights(TINY), random_batch(TINY)
    due = run(weights, batch)["translation"]
    half = dataclasses.replace(weights, config=dataclasses.replace(TINY, dtype="bfloat16"))
    error = np.abs(run(half, batch)["translation"] - due).max() / np.std(due)
    assert 0 < error < 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": 4, "size": 12}, "patch=4: must be odd"),
        ({"patch": 5, "size": 12}, "size=12 does not divide into patches of 5"),
        ({"patch": -1}, "patch=-1: must be odd"),
        ({"size": 0}, "size=0 does not divide"),
    ],
)
def test_patches_have_a_middle_and_fill_the_grid(changes, message):
    with pytest.raises(ValueError, match=message):
        resized(changes)


@pytest.mark.slow
def test_network_equals_the_original_code(shared):
    """Full size: 100^3 voxels and 2048 latents, by the weights of a state dict."""
    path = shared / "reference/make_checkpoint.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    config, batch = presets.preset("peract"), script.inputs("peract", 0)
    forward = Forward(config, batch)
    forward.load(peract.from_state_dict(script.params("peract", 0)[0], config, where="state"))
    outputs = jax.device_get(forward(batch))
    translation = outputs["translation"][0]
    with np.load(shared / "reference/golden/peract.npz") as golden:
        best = np.unravel_index(translation.argmax(), translation.shape)
        np.testing.assert_array_equal(best, golden["trans_argmax"])
        logits = np.concatenate([outputs["rotation_grip"], outputs["collision"]], axis=1)
        golden_logits = np.concatenate([golden["rot_grip"], golden["collision"]], axis=1)
        for found, due in (
            (translation[::4, ::4, ::4], golden["trans"]),
            # One linear map, whose last two outputs have little deviation of their own. Here
            # the error is that of the original code, which adds up a million numerators of a
            # softmax in float32: its expected positions are off by up to 9e-4, ours by 2e-6.
            (logits, golden_logits),
        ):
            error = (found.astype(np.float64) - due) / due.std()
            assert np.abs(error).max() < 2e-3
            assert np.sqrt(np.square(error).mean()) < 2e-4
