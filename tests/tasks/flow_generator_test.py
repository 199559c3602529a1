# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The generator of training pairs: its flow is exact, its pairs depend on their number alone."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.ndimage
from flow_made_pairs import PLAIN, distance_to, is_within, smooth_texture
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow.generator import (
    generate,
    motion,
    outlines,
    render,
)

from perceiver_bench.config.flow_generator import GeneratorConfig

# All motion at the most that the configuration allows.
EXTREME = GeneratorConfig(
    translation=(0.5, 0.5),
    rotation=(0.0, 180.0),
    scaling=(0.5, 0.5),
    shear=(0.5, 0.5),
    perspective=(0.25, 0.25),
    background_motion=(1.0, 1.0),
    deformation_probability=1.0,
    num_waves=(10, 10),
    wave_length=(0.05, 0.3),
    wave_height=(0.2, 0.2),
    hole_probability=1.0,
)
SAME_TONES = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
PLACED_AS_IS = np.eye(3)[:2]


def shift(across, down):
    return motion.Motion(np.array([[1, 0, across], [0, 1, down], [0, 0, 1.0]]))


def layer(rings, moves, seed=0, smear=(0.0, 0.0)):
    return render.Layer(rings, moves, smooth_texture(seed), PLACED_AS_IS, SAME_TONES, smear)


def square(left, top, right, bottom):
    """Returns the ring about the pixels of a square; right and bottom are no more of it."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    # OpenCV also fills the quarter of a pixel that a border runs through.
    middle = np.mean(corners, axis=0)
    return np.array([(c - middle) * 0.97 + middle - 0.5 for c in np.array(corners, float)])


class TestHandWorked:
    """A square of 6 x 4 moves by (3, -2) over a background that moves by (-4, 1)."""

    size = (20, 24)

    @pytest.fixture
    def drawn(self):
        layers = [layer(None, shift(-4, 1)), layer([square(8, 9, 14, 13)], shift(3, -2), seed=1)]
        return render.render(layers, self.size)

    def test_flow_is_the_motion(self, drawn):
        due = np.broadcast_to([-4.0, 1.0], (*self.size, 2)).copy()
        due[9:13, 8:14] = (3, -2)
        np.testing.assert_allclose(drawn.flow, due, atol=1e-4)
        assert drawn.flow.dtype == np.float32

    def test_objects_are_where_they_were_put(self, drawn):
        due = np.zeros(self.size, bool)
        due[9:13, 8:14] = True
        np.testing.assert_array_equal(drawn.is_object, due)

    def test_occluded_is_what_leaves_or_is_covered(self, drawn):
        due = np.zeros(self.size, bool)
        due[:, :4] = True  # leaves to the left
        due[19, :] = True  # leaves below
        # The square comes to columns 11 to 16 and rows 7 to 10; the background that goes
        # there is four columns to the right and one row above.
        due[6:10, 15:21] = True
        due[9:13, 8:14] = False  # the square is in front and stays inside
        np.testing.assert_array_equal(drawn.is_occluded, due)

    def test_frames_show_the_texture_where_it_went(self, drawn):
        texture, other = smooth_texture(0), smooth_texture(1)
        np.testing.assert_array_equal(drawn.images[0][:8], texture[:8, :24])
        np.testing.assert_array_equal(drawn.images[0][10:12, 9:13], other[10:12, 9:13])
        np.testing.assert_array_equal(drawn.images[1][12:, :20], texture[11:19, 4:24])
        np.testing.assert_array_equal(drawn.images[1][8:10, 12:16], other[10:12, 9:13])


def point_by_hand(moves, x, y):
    """Moves one point by the formulas, in Python's numbers."""
    for bend in moves.bends:
        a, b = bend.frequency
        wave = bend.height * math.sin(a * x + b * y + bend.phase) / math.hypot(a, b)
        x, y = x - b * wave, y + a * wave
    across, down, depth = (row[0] * x + row[1] * y + row[2] for row in moves.homography)
    return across / depth, down / depth


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_motions_are_undone_by_their_inverse(seed):
    generator = np.random.default_rng(seed)
    moves = motion.draw_motion(EXTREME, (30.0, 20.0), 80.0, 1.0, generator)
    x, y = generator.uniform(0, 64, 50), generator.uniform(0, 48, 50)
    new_x, new_y = moves.forward(x, y)
    by_hand = [point_by_hand(moves, *point) for point in zip(x, y, strict=True)]
    # The sine of the bends has the precision of float32.
    np.testing.assert_allclose(np.stack([new_x, new_y], axis=1), by_hand, atol=1e-4, rtol=1e-5)
    old_x, old_y = moves.inverse(new_x, new_y)
    np.testing.assert_allclose([old_x, old_y], [x, y], atol=1e-3)


def test_ranges_of_motion_are_kept():
    config = GeneratorConfig(
        translation=(0.1, 0.2), rotation=(0.0, 0.0), scaling=(0.0, 0.0), shear=(0.0, 0.0),
        perspective=(0.0, 0.0), deformation_probability=0.0,
    )  # fmt: skip
    lengths = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        moves = motion.draw_motion(config, (3.0, 4.0), 100.0, 0.5, generator)
        lengths.append(math.hypot(*moves.homography[:2, 2]))
        np.testing.assert_allclose(moves.homography[:2, :2], np.eye(2), atol=1e-12)
    assert 5 <= min(lengths) < 5.1
    assert 9.8 < max(lengths) <= 10
    # The square of a uniform number is below a quarter half of the time.
    assert 0.4 < np.mean(np.array(lengths) < 6.25) < 0.6


def warped(image, flow):
    """Returns the values of `image` where the flow leads, by SciPy."""
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float64)
    places = [rows + flow[..., 1], columns + flow[..., 0]]
    channels = np.moveaxis(image.astype(np.float64), -1, 0)
    found = [
        scipy.ndimage.map_coordinates(one, places, order=1, mode="nearest") for one in channels
    ]
    return np.stack(found, axis=-1)


def inner(example):
    """Returns the pixels that are seen twice and not beside a border of objects or frames.

    Borders are blended, and so are the pixels that interpolation takes from beside them.
    """
    jumps = np.hypot(*np.moveaxis(np.stack(np.gradient(example["flow"], axis=(0, 1))), 0, 0))
    is_border = scipy.ndimage.binary_dilation(jumps.max(axis=-1) > 0.7, iterations=2)
    is_hidden = scipy.ndimage.binary_dilation(example["occlusion"] == 1, iterations=2)
    return ~is_border & ~is_hidden


@pytest.mark.parametrize("seed", range(6))
def test_the_flow_leads_to_the_same_colours(seed):
    textures = [smooth_texture(number) for number in range(8)]
    config = dataclasses.replace(PLAIN, wave_length=(0.3, 0.8), texture_zoom=(1.0, 2.0))
    example = generate(config, textures, (96, 128), np.random.default_rng(seed))
    first, second = example["images"]
    kept = inner(example)
    assert kept.mean() > 0.4

    def error(flow):
        return np.abs(warped(second, flow) - first)[kept]

    found = error(example["flow"])
    assert found.mean() < 0.7  # of 255; rounding to bytes alone makes 0.4
    assert np.percentile(found, 99) < 3
    # Half of a pixel next to it is seen.
    for aside in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        assert error(example["flow"] + np.array(aside)).mean() > 1.5 * found.mean()


@pytest.mark.parametrize("seed", range(3))
def test_occlusion_equals_that_of_single_points(seed):
    size, diagonal = (30, 40), 50.0
    generator = np.random.default_rng(seed)
    config = dataclasses.replace(PLAIN, radius=(0.15, 0.3), hole_probability=1.0)
    moves = [motion.draw_motion(config, (20.0, 15.0), diagonal, 0.5, generator)]
    layers = [layer(None, moves[0])]
    for number in range(3):
        middle = (generator.uniform(8, 32), generator.uniform(8, 22))
        rings = outlines.draw_outline(config, middle, diagonal, generator)
        moves.append(motion.draw_motion(config, middle, diagonal, 1.0, generator))
        layers.append(layer(rings, moves[-1], seed=number))
    drawn = render.render(layers, size)
    moved = [
        [np.stack(one.motion.forward(*outlines.densified(ring, 0.5).T), 1) for ring in one.rings]
        for one in layers[1:]
    ]
    rows, columns = np.mgrid[: size[0], : size[1]]
    # About half a pixel to each side of a border may be of either layer.
    is_near = np.array([distance_to(one.rings, columns, rows) < 0.6 for one in layers[1:]])
    is_inside = np.array([is_within(one.rings, columns, rows) for one in layers[1:]])
    is_near_later = np.array([distance_to(rings, columns, rows) < 0.6 for rings in moved])
    is_inside_later = np.array([is_within(rings, columns, rows) for rings in moved])
    num_compared = num_occluded = 0
    for row, column in np.ndindex(size):
        if is_near[:, row, column].any():
            continue
        owner = max([0, *(np.flatnonzero(is_inside[:, row, column]) + 1)])
        x, y = point_by_hand(moves[owner], column, row)
        np.testing.assert_allclose(drawn.flow[row, column], [x - column, y - row], atol=1e-4)
        if min(abs(x % 1 - 0.5), abs(y % 1 - 0.5)) < 1e-3:
            continue  # between two pixels
        x, y = round(x), round(y)
        is_gone = not (0 <= x < size[1] and 0 <= y < size[0])
        if not is_gone:
            if is_near_later[owner:, y, x].any():
                continue
            is_gone = is_inside_later[owner:, y, x].any()
        assert drawn.is_occluded[row, column] == is_gone, (row, column)
        num_compared += 1
        num_occluded += is_gone
    assert num_compared > 500
    assert num_occluded > 20


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    config=st.sampled_from([GeneratorConfig(), EXTREME, GeneratorConfig(num_objects=(0, 0))]),
)
def test_pairs_have_the_agreed_form(seed, height, width, config):
    textures = [smooth_texture(0, side=20)]
    example = generate(config, textures, (height, width), np.random.default_rng(seed))
    forms = {
        "images": (np.uint8, (2, height, width, 3)),
        "flow": (np.float32, (height, width, 2)),
        "flow_known": (bool, (height, width)),
        "occlusion": (np.int8, (height, width)),
        "foreground": (np.int8, (height, width)),
    }
    assert {n: (a.dtype, a.shape) for n, a in example.items() if n != "name"} == forms
    assert np.isfinite(example["flow"]).all()
    assert example["flow_known"].all()
    assert set(np.unique(example["occlusion"])) <= {0, 1}
    assert set(np.unique(example["foreground"])) <= {0, 1}
