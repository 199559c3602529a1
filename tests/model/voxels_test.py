# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Voxels against a loop over the points, and against the original code's grid."""

import importlib.util

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import peract_reference
import pytest

from perceiver_bench.model.voxels import cells_of, voxelise

compiled = jax.jit(voxelise, static_argnums=3)
BOUNDS = np.array([-0.3, -0.5, 0.6, 0.7, 0.5, 1.6], np.float32)


def scene(seed, size=2, num_points=300, reach=1.3):
    """Points in and around the bounds, some of them many to a voxel, and their colours."""
    rng = np.random.default_rng(seed)
    spread = rng.random((size, num_points, 3), dtype=np.float32) * reach - (reach - 1) / 2
    points = BOUNDS[:3] + (BOUNDS[3:] - BOUNDS[:3]) * spread
    points[:, ::3] = points[:, :1]
    colours = rng.random((size, num_points, 3), dtype=np.float32) * 2 - 1
    return points.astype(np.float32), colours


def check(points, colours, bounds, size):
    found = np.asarray(compiled(points, colours, bounds, size))
    for index, one in enumerate(np.broadcast_to(bounds, (len(points), 6))):
        due = peract_reference.voxel_grid(points[index], colours[index], one, size)
        np.testing.assert_array_equal(found[index][..., 9], due[..., 9])
        np.testing.assert_allclose(found[index], due, rtol=0, atol=1e-5)
    return found


@pytest.mark.parametrize("size", [1, 7, 20])
@pytest.mark.parametrize("each", [False, True])
def test_voxels_are_means_of_what_is_in_them(size, each):
    points, colours = scene(size)
    bounds = np.stack([BOUNDS, BOUNDS + 0.1]) if each else BOUNDS
    found = check(points, colours, bounds, size)
    assert 0 < found[..., 9].sum() < found.shape[0] * 300


def test_channels_are_points_colours_index_and_occupancy():
    points = np.array([[[0.1, 0.6, 0.9], [0.3, 0.8, 0.7]]], np.float32)
    colours = np.array([[[1, 0, -1], [0.5, 0, 1]]], np.float32)
    voxels = np.asarray(compiled(points, colours, np.array([0, 0, 0, 1, 1, 1], np.float32), 2))
    assert voxels.shape == (1, 2, 2, 2, 10)
    due = [0.2, 0.7, 0.8, 0.75, 0, 0, 0, 0.5, 0.5, 1]
    np.testing.assert_allclose(voxels[0, 0, 1, 1], due, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(voxels[0, 1, 0, 1], [0] * 6 + [0.5, 0, 0.5, 0])
    assert voxels[..., 9].sum() == 1


def test_the_lower_border_is_inside_and_the_upper_one_is_not():
    bounds = np.array([0, 0, 0, 4, 4, 4], np.float32)
    points = np.array([[[0, 0, 0], [1, 1, 1], [4, 1, 1], [2, -0.001, 2], [3.999, 0, 0]]], "f")
    cells, inside = cells_of(points, bounds[None], 4)
    assert inside.tolist() == [[True, True, False, False, True]]
    np.testing.assert_array_equal(cells[0, [0, 1, 4]], [[0, 0, 0], [1, 1, 1], [3, 0, 0]])


def test_points_that_are_not_finite_count_nowhere():
    points, colours = scene(0)
    due = np.asarray(compiled(points[:, 3:], colours[:, 3:], BOUNDS, 8))
    for value in (np.nan, np.inf, -np.inf, 3e38):
        points[:, 0, 0], points[:, 1, 1], points[:, 2] = value, value, value
        colours[:, :3] = np.nan
        np.testing.assert_array_equal(compiled(points, colours, BOUNDS, 8), due)


def test_bounds_without_points_give_an_empty_grid():
    points, colours = scene(0)
    voxels = np.asarray(compiled(points, colours, BOUNDS + 10, 6))
    assert not voxels[..., :6].any()
    assert not voxels[..., 9].any()
    np.testing.assert_allclose(voxels[0, :, 0, 0, 6], np.arange(6) / 6, atol=1e-7)
    assert not np.isnan(compiled(points, colours, np.repeat(BOUNDS[:3], 2), 6)).any()


@hypothesis.given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1, 3, 10]))
@hypothesis.settings(max_examples=20, deadline=None)
def test_any_scene_equals_the_loop(seed, size):
    points, colours = scene(seed, 1, 30, reach=2.0)
    # Where rounding decides: on the borders of voxels.
    steps = np.random.default_rng(seed).integers(-1, size + 2, (30, 3))
    on_borders = BOUNDS[:3] + (BOUNDS[3:] - BOUNDS[:3]) / np.float32(size) * steps
    points = np.concatenate([points, on_borders.astype(np.float32)[None]], axis=1)
    check(points, np.concatenate([colours, colours], axis=1), BOUNDS, size)


def test_grid_equals_that_of_the_original_code(shared):
    path = shared / "reference/make_checkpoint.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    batch = script.inputs("peract", 0)
    voxels = np.asarray(compiled(batch["points"], batch["colours"], batch["bounds"], 100))[0]
    with np.load(shared / "reference/golden/peract.npz") as golden:
        occupied = np.argwhere(voxels[..., 9])
        assert len(occupied) == golden["n_occupied"]
        np.testing.assert_array_equal(occupied[::7], golden["occupied"])
        found = voxels[tuple(golden["occupied"].T)]
        np.testing.assert_allclose(found, golden["voxels"], rtol=0, atol=1e-6)
