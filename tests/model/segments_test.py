# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import jax.numpy as jnp
import numpy as np
import pytest

from perceiver_bench.model.position import (
    axis_positions,
    fourier_features,
    grid_positions,
    point_axes,
    point_positions,
)
from perceiver_bench.model.segments import Segment, fourier_segment, inverse_deviation, join

GRIDS = [(5,), (4, 6), (2, 3, 4)]
BANDS = 7


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("axes", "positions"),
    [
        (axis_positions, grid_positions),
        (point_axes, lambda grid: point_positions(jnp.arange(np.prod(grid)), grid)),
    ],
    ids=["grid", "points"],
)
def test_tables_add_up_to_the_features_of_every_place(grid, axes, positions):
    features = normal(2, int(np.prod(grid)), 3)
    # Not compiled, for a compiler may round the two in different ways.
    segment = fourier_segment(features, axes(grid), BANDS, grid)
    due = fourier_features(positions(grid), BANDS, grid)
    np.testing.assert_array_equal(segment.dense()[..., :3], features)
    np.testing.assert_array_equal(segment.dense()[1, :, 3:], due)
    assert segment.channels == segment.dense().shape[-1]
    if len(grid) > 1:
        assert segment.inner.shape[0] == grid[-1]


@pytest.mark.parametrize("grid", GRIDS)
def test_padding_appends_the_same_channels_everywhere(grid):
    features = normal(2, int(np.prod(grid)), 3)
    plain = fourier_segment(features, axis_positions(grid), BANDS, grid)
    padded = plain.pad(np.array([[7.0, 8.0]], np.float32))
    assert padded.channels == plain.channels + 2
    np.testing.assert_array_equal(padded.dense()[..., :-2], plain.dense())
    np.testing.assert_array_equal(padded.dense()[1, 2, -2:], [7, 8])
    without_positions = Segment(features).pad(np.array([[7.0, 8.0]], np.float32))
    np.testing.assert_array_equal(without_positions.features[1, 2], [*features[1, 2], 7, 8])


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("grid", [*GRIDS, ()])
def test_deviation_is_that_of_a_layer_norm_in_float64(grid, scale):
    features = scale * normal(2, int(np.prod(grid)) if grid else 9, 3) + scale
    segment = Segment(features)
    if grid:
        segment = fourier_segment(features, axis_positions(grid), BANDS, grid)
        segment = segment.pad(normal(1, 4))
    dense = np.asarray(segment.dense(), np.float64)
    found = inverse_deviation(segment, 1e-5)
    np.testing.assert_allclose(found, 1 / np.sqrt(dense.var(-1) + 1e-5), rtol=1e-5)


def test_joining_repeats_what_all_examples_share():
    found = join((Segment(normal(2, 3, 4)), Segment(normal(1, 5, 4))))
    assert found.shape == (2, 8, 4)
    np.testing.assert_array_equal(found[0, 3:], found[1, 3:])
