# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_weights

from perceiver_bench.model import presets
from perceiver_bench.model.position import (
    fourier_channels,
    fourier_features,
    grid_positions,
    point_positions,
    resize_positions,
)
from perceiver_bench.model.weights import mapping


def reference_features(positions, num_bands, max_resolution):
    """The definition in float64: positions, sines, cosines, axis by axis."""
    positions = np.asarray(positions, np.float64)
    sines, cosines = [], []
    for axis, resolution in enumerate(max_resolution):
        for band in range(num_bands):
            step = 0 if num_bands == 1 else band / (num_bands - 1)
            frequency = 1 + step * (resolution / 2 - 1)
            sines.append(np.sin(np.pi * frequency * positions[:, axis]))
            cosines.append(np.cos(np.pi * frequency * positions[:, axis]))
    return np.stack([*positions.T, *sines, *cosines], axis=1)


def test_features_of_one_axis_worked_by_hand():
    # Resolution 8, three bands: frequencies 1, 2.5 and 4.
    found = fourier_features(jnp.array([[0.5], [-1.0]]), 3, (8,))
    half = np.sqrt(0.5)
    due = [
        [0.5, 1.0, -half, 0.0, 0.0, -half, 1.0],
        [-1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0],
    ]
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-6)


def test_features_put_sines_of_all_axes_before_cosines():
    found = fourier_features(jnp.array([[0.5, 0.0]]), 1, (8, 4))
    # One band has frequency 1: x, y, sin x, sin y, cos x, cos y.
    np.testing.assert_allclose(found, [[0.5, 0.0, 1.0, 0.0, 0.0, 1.0]], rtol=0, atol=1e-6)


@hypothesis.settings(deadline=None, max_examples=20)
@hypothesis.given(
    max_resolution=st.lists(st.integers(2, 300), min_size=1, max_size=3),
    num_bands=st.integers(1, 64),
    seed=st.integers(0, 99),
)
def test_features_equal_their_definition(max_resolution, num_bands, seed):
    shape = (6, len(max_resolution))
    positions = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    found = jax.jit(fourier_features, static_argnums=(1, 2))(
        positions, num_bands, tuple(max_resolution)
    )
    assert found.shape == (6, fourier_channels(num_bands, len(max_resolution)))
    # The phase is a product of three float32 numbers, up to pi * resolution / 2.
    bound = 4 * np.finfo(np.float32).eps * np.pi * max(max_resolution) / 2
    due = reference_features(positions, num_bands, max_resolution)
    np.testing.assert_allclose(found, due, rtol=0, atol=bound)


def test_features_refuse_another_number_of_axes():
    with pytest.raises(ValueError, match="not the 2 axes"):
        fourier_features(jnp.zeros((3, 2)), 4, (8,))


def test_grid_has_both_ends_and_the_last_axis_runs_fastest():
    found = grid_positions((2, 3))
    due = [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]]
    np.testing.assert_array_equal(found, due)
    assert grid_positions((4, 5, 6)).shape == (120, 3)


def test_points_do_not_reach_the_end():
    # The last index of a size n lies at 1 - 2 / n.
    found = point_positions(jnp.array([0, 7, 23]), (4, 6))
    np.testing.assert_allclose(found, [[-1, -1], [-0.5, -1 + 2 / 6], [0.5, 1 - 2 / 6]], rtol=1e-6)


def test_points_name_the_elements_of_the_flat_grid():
    grid = (2, 3, 4)
    found = point_positions(jnp.arange(24), grid).reshape(*grid, 3)
    for index in np.ndindex(grid):
        due = [-1 + 2 * i / size for i, size in zip(index, grid, strict=True)]
        np.testing.assert_allclose(found[index], due, rtol=1e-6)


def test_resizing_to_the_same_grid_changes_nothing():
    table = jnp.arange(24.0).reshape(12, 2)
    assert resize_positions(table, (3, 4), (3, 4)) is table


def test_resizing_interpolates_between_cell_centres():
    # A row of values 0, 10 to twice the size: centres at -1/4, 1/4, 3/4, 5/4 of a cell,
    # held at the ends.
    table = jnp.array([[0.0], [10.0]])
    found = resize_positions(table, (1, 2), (1, 4))
    np.testing.assert_allclose(found[:, 0], [0.0, 2.5, 7.5, 10.0], atol=1e-6)


@pytest.mark.parametrize("new_grid", [(8, 12), (6, 7), (2, 3)])
def test_resizing_keeps_a_linear_table_linear(new_grid):
    grid = (4, 6)

    def centres(shape):
        axes = [(np.arange(size) + 0.5) / size for size in shape]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)

    slope = np.array([3.0, -5.0])
    table = (centres(grid) @ slope).reshape(-1, 1).astype(np.float32)
    found = np.asarray(resize_positions(jnp.asarray(table), grid, new_grid)).reshape(new_grid)
    # Outside the outermost centres the table ends, so the value is held there.
    low = 0.5 / np.array(grid)
    due = np.clip(centres(new_grid), low, 1 - low) @ slope
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def interpolated_by_torch(table, grid, new_grid):
    """The table [H * W, C] at another grid, by torch; the test is skipped without torch."""
    torch = pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
    image = torch.from_numpy(np.array(table)).reshape(1, *grid, -1).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        image, size=new_grid, mode="bilinear", align_corners=False, antialias=False
    )
    return resized.permute(0, 2, 3, 1).reshape(new_grid[0] * new_grid[1], -1).numpy()


@pytest.mark.parametrize(
    ("grid", "new_grid"),
    [
        ((8, 8), (16, 16)),
        ((8, 8), (5, 5)),
        ((6, 10), (7, 23)),
        ((7, 23), (6, 10)),
        ((9, 4), (3, 9)),
    ],
)
def test_resizing_is_that_of_torch(grid, new_grid):
    table = np.random.default_rng(0).standard_normal((grid[0] * grid[1], 3), dtype=np.float32)
    found = resize_positions(jnp.asarray(table), grid, new_grid)
    due = interpolated_by_torch(table, grid, new_grid)
    np.testing.assert_allclose(found, due, rtol=0, atol=2e-6)


def of_size(config, size):
    """The network of the same positions that is configured for images of another size."""
    return dataclasses.replace(config, input=dataclasses.replace(config.input, size=size))


def logits(weights, images):
    structure, state = nnx.split(mapping.to_model(weights))
    run = fast_jit(lambda state, images: nnx.merge(structure, state)({"images": images}))
    return np.asarray(run(state, images)["logits"])


def images_of(size):
    return np.random.default_rng(0).standard_normal((2, *size, 3), dtype=np.float32)


@pytest.mark.parametrize("size", [(24, 40), (48, 48)])
def test_a_network_of_learned_positions_at_another_size(size):
    weights = random_weights(presets.preset("imagenet_learned_tiny"))
    config = weights.config
    table = weights.params["adapter"]["positions"]
    resized = interpolated_by_torch(table, config.input.size, size)
    params = {**weights.params, "adapter": {**weights.params["adapter"], "positions": resized}}
    at_size = dataclasses.replace(weights, config=of_size(config, size), params=params)
    found, due = logits(weights, images_of(size)), logits(at_size, images_of(size))
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-4 * due.std())
    # Positions matter to this network, so a table of other values gives other logits.
    adapter = {**params["adapter"], "positions": resized[::-1]}
    other = dataclasses.replace(at_size, params={**params, "adapter": adapter})
    assert np.abs(logits(other, images_of(size)) - due).max() > 0.01 * due.std()


@pytest.mark.parametrize("name", ["imagenet_fourier_tiny", "imagenet_conv_tiny"])
@pytest.mark.parametrize("size", [(24, 40), (48, 48)])
def test_networks_of_fourier_positions_take_any_size(name, size):
    weights = random_weights(presets.preset(name))
    found = logits(weights, images_of(size))
    assert np.isfinite(found).all()
    assert np.ptp(found) > 0
    at_size = dataclasses.replace(weights, config=of_size(weights.config, size))
    np.testing.assert_array_equal(found, logits(at_size, images_of(size)))
