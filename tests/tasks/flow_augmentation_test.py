# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Augmented flow pairs: the flow still is where the second frame shows the first one's points."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow import augmentation_space
from perceiver_bench.tasks.flow.augmentation import augment, crop

from perceiver_bench.config.flow_augmentation import AugmentationConfig

FULL = AugmentationConfig()
# Nothing but the window of the crop.
NOTHING = FULL.scaled(0)
SPACE_ONLY = dataclasses.replace(
    FULL, brightness=0, contrast=0, saturation=0, hue=0, eraser_probability=0
)
LARGE_SHIFT = (7.3, -4.6)
# Flow that is affine in (x, y, 1).
AFFINE = np.array([[0.03, -0.02, 3.4], [0.01, 0.04, -2.2]])


def grid(height, width):
    """Returns the points (x, y) of all pixels [H, W, 2]."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)


def moved(map_, points):
    return points @ map_[:, :2].T + map_[:, 2]


def square(map_):
    return np.vstack([map_, [0, 0, 1]])


def texture(points):
    """Returns colours [H, W, 3] of smooth waves at any points."""
    x, y = points[..., 0], points[..., 1]
    waves = [np.sin(x / 7 + y / 11), np.sin(x / 13 - y / 9 + 1), np.cos(x / 10) * np.cos(y / 8)]
    return np.rint(127.5 + 110 * np.stack(waves, axis=-1)).astype(np.uint8)


def affine_pair(height, width):
    """Returns a raw example whose second frame shows the first one's points by `AFFINE` on."""
    points = grid(height, width)
    there = np.eye(3) + np.vstack([AFFINE, np.zeros(3)])
    second = texture(moved(np.linalg.inv(there)[:2], points))
    generator = np.random.default_rng(1)
    return {
        "images": np.stack([texture(points), second]),
        "flow": moved(AFFINE, points).astype(np.float32),
        "flow_known": np.ones((height, width), bool),
        "occlusion": generator.integers(-1, 2, (height, width)).astype(np.int8),
        "foreground": generator.integers(-1, 2, (height, width)).astype(np.int8),
        "name": "pair",
    }


def random_pair(height, width, seed, share_known=0.7):
    generator = np.random.default_rng(seed)
    known = generator.random((height, width)) < share_known
    flow = generator.normal(0, 20, (height, width, 2)) * known[..., None]
    return {
        **affine_pair(height, width),
        "images": generator.integers(0, 256, (2, height, width, 3)).astype(np.uint8),
        "flow": flow.astype(np.float32),
        "flow_known": known,
    }


def assert_same(got, due):
    assert got.keys() == due.keys()
    for name, value in due.items():
        if name == "name":
            assert got[name] == value
        else:
            assert got[name].dtype == value.dtype
            np.testing.assert_array_equal(got[name], value)


def maps(seed, source_size, size, config=SPACE_ONLY):
    return augmentation_space.draw_maps(config, source_size, size, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_an_affine_flow_stays_the_analytic_one(seed):
    size, source_size = (90, 120), (110, 150)
    first, second = maps(seed, source_size, size)
    got = augmentation_space.warp(affine_pair(*source_size), first, second, size)
    points = grid(*size)
    back = np.linalg.inv(square(first))
    whole = square(second) @ (np.eye(3) + np.vstack([AFFINE, np.zeros(3)])) @ back
    due = moved(whole[:2], points) - points
    source = moved(back[:2], points)
    interior = ((source >= 0) & (source <= np.array(source_size)[::-1] - 1)).all(axis=-1)
    assert interior.mean() > 0.8
    assert got["flow_known"][interior].all()
    np.testing.assert_allclose(got["flow"][interior], due[interior], atol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_the_second_frame_shows_at_the_flow_what_the_first_shows(seed):
    size, source_size = (100, 130), (128, 160)
    got = augment(affine_pair(*source_size), SPACE_ONLY, size, 1, np.random.default_rng(seed))
    ends = (grid(*size) + got["flow"]).astype(np.float32)
    brought = cv2.remap(got["images"][1], ends, None, cv2.INTER_LINEAR)
    # The end has to lie in the output and in what the second frame's picture covers of it.
    _, second = maps(seed, source_size, size)
    in_source = moved(np.linalg.inv(square(second))[:2], ends)
    is_seen = got["flow_known"].copy()
    for points, limit in ((ends, size), (in_source, source_size)):
        is_seen &= ((points >= 1) & (points <= np.array(limit)[::-1] - 2)).all(axis=-1)
    assert is_seen.mean() > 0.5
    error = abs(brought.astype(float) - got["images"][0])[is_seen]
    assert error.mean() < 1.5
    assert error.max() < 12
    still = abs(got["images"][1].astype(float) - got["images"][0])[is_seen]
    assert still.mean() > 10 * error.mean()


@pytest.mark.parametrize("size", [(40, 50), (1, 1)])
def test_strength_0_at_the_same_size_is_the_identity(size):
    example = random_pair(*size, seed=3)
    assert_same(augment(example, FULL, size, 0, np.random.default_rng(0)), example)
    assert_same(crop(example, size, None), example)


def test_maps_of_no_augmentation_warp_to_the_identity():
    example = random_pair(30, 44, seed=3)
    first, second = maps(0, (30, 44), (30, 44), NOTHING)
    assert_same(augmentation_space.warp(example, first, second, (30, 44)), example)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("horizontal_flip_probability", 1, (-1, 1)), ("vertical_flip_probability", 0, (1, -1))],
)
def test_flips_flip(name, axis, sign):
    example = random_pair(30, 45, seed=4)
    config = dataclasses.replace(NOTHING, **{name: 1.0})
    got = augment(example, config, (30, 45), 1, np.random.default_rng(0))
    due = {key: np.flip(example[key], axis) for key in ("flow_known", "occlusion", "foreground")}
    due["images"] = np.flip(example["images"], axis + 1)
    due["flow"] = np.flip(example["flow"], axis) * np.float32(sign)
    assert_same(got, {**example, **due})


@pytest.mark.parametrize("size", [(29, 43), (30, 40), (31, 47)])
def test_a_flipped_window_is_made_of_whole_pixels(size):
    example = random_pair(30, 45, seed=4)
    config = dataclasses.replace(
        NOTHING, horizontal_flip_probability=1.0, vertical_flip_probability=1.0
    )
    images = np.flip(example["images"], (1, 2))
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="edge")
    windows = {
        padded[:, y : y + size[0], x : x + size[1]].tobytes() for y in range(8) for x in range(12)
    }
    found = set()
    for seed in range(20):
        got = augment(example, config, size, 1, np.random.default_rng(seed))
        assert got["images"].tobytes() in windows
        assert got["flow_known"].sum() > 0.6 * example["flow_known"].sum()
        found.add(got["images"].tobytes())
    # As many as there are places, if all of them come up.
    assert len(found) == max(31 - size[0], 1) * max(46 - size[1], 1)


@pytest.mark.parametrize("strength", [0, 0.4, 1])
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -3e38])
@pytest.mark.parametrize("share_known", [0.7, 0.05])
def test_what_stands_in_unknown_pixels_changes_nothing(strength, garbage, share_known):
    example = random_pair(50, 60, 5, share_known)
    spoiled = example["flow"].copy()
    spoiled[~example["flow_known"]] = garbage
    for size in ((40, 44), (64, 64)):
        due, got = (
            augment(one, FULL, size, strength, np.random.default_rng(6))
            for one in (example, {**example, "flow": spoiled})
        )
        assert_same(got, due)
        assert due["flow_known"].any()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    strength=st.sampled_from([0, 0.01, 0.5, 1]),
    seed=st.integers(0, 10**6),
)
def test_any_size_gives_a_raw_example_of_the_size(height, width, size, strength, seed):
    example = random_pair(height, width, seed)
    got = augment(example, FULL, size, strength, np.random.default_rng(seed))
    assert got.keys() == example.keys()
    assert got["images"].shape == (2, *size, 3)
    assert got["flow"].shape == (*size, 2)
    for name in example.keys() - {"name"}:
        assert got[name].dtype == example[name].dtype
    for name in ("flow_known", "occlusion", "foreground"):
        assert got[name].shape == size
    assert np.isfinite(got["flow"]).all()
    assert not got["flow"][~got["flow_known"]].any()
    for name in ("occlusion", "foreground"):
        assert set(np.unique(got[name])) <= {-1, 0, 1}
    same = augment(example, FULL, size, strength, np.random.default_rng(seed))
    assert_same(same, got)


@pytest.mark.parametrize("seed", range(4))
def test_known_pixels_are_those_whose_nearest_pixel_is_known(seed):
    size, source_size = (80, 96), (64, 80)
    example = random_pair(*source_size, seed, share_known=0.3)
    first, second = maps(seed, source_size, size)
    got = augmentation_space.warp(example, first, second, size)
    source = moved(np.linalg.inv(square(first))[:2], grid(*size))
    # Of pixels between two, either may be the nearest.
    is_clear = (abs(source - np.floor(source) - 0.5) > 1e-3).all(axis=-1)
    x, y = np.rint(source).astype(int)[is_clear].T
    inside = (x >= 0) & (x < source_size[1]) & (y >= 0) & (y < source_size[0])
    x, y = x.clip(0, source_size[1] - 1), y.clip(0, source_size[0] - 1)
    known = got["flow_known"][is_clear]
    np.testing.assert_array_equal(known, inside & example["flow_known"][y, x])
    for name in ("occlusion", "foreground"):
        due = np.where(inside, example[name][y, x], -1)
        np.testing.assert_array_equal(got[name][is_clear], due)


def test_sparse_truth_keeps_its_values():
    example = random_pair(64, 80, 0, share_known=0.1)
    example["flow"][example["flow_known"]] = LARGE_SHIFT
    scale = 1.7
    first = np.array([[scale, 0, -9.2], [0, scale, -12.4]])
    got = augmentation_space.warp(example, first, first, (60, 70))
    due = np.float32(scale) * np.float32(LARGE_SHIFT)
    assert 0.05 < got["flow_known"].mean() < 0.15
    np.testing.assert_allclose(got["flow"][got["flow_known"]] - due, 0, atol=1e-5)


def test_a_motion_boundary_stays_sharp():
    example = affine_pair(20, 30)
    example["flow"][:] = 0
    example["flow"][:, 15:] = LARGE_SHIFT
    shift = np.array([[1, 0, 0.3], [0, 1, 0.4]])
    got = augmentation_space.warp(example, shift, shift, (20, 30))
    is_moving = got["flow"][..., 0] > LARGE_SHIFT[0] / 2
    due = np.where(is_moving[..., None], LARGE_SHIFT, 0)
    np.testing.assert_allclose(got["flow"], due, atol=1e-5)
    np.testing.assert_array_equal(is_moving[1], np.arange(30) >= 15)


def test_maps_keep_to_their_ranges():
    angles, scales, relative, flipped = [], [], [], 0
    for seed in range(300):
        first, second = maps(seed, (200, 240), (20, 24))
        linear = first[:, :2]
        flipped += np.linalg.det(linear) < 0
        scales.append(np.log2(np.linalg.norm(linear, axis=0)))
        row = linear[:, 0]
        angle = np.degrees(np.arctan2(row[1], row[0]))
        angles.append((angle + 90) % 180 - 90)
        between = second[:, :2] @ np.linalg.inv(linear)
        relative.append(np.degrees(np.arctan2(between[1, 0], between[0, 0])))
        middle = np.array([11.5, 9.5])
        there = moved(second, moved(np.linalg.inv(square(first))[:2], middle))
        assert (abs(there - middle) <= FULL.relative_translation + 1e-9).all()
    assert 9 < np.max(np.abs(angles)) <= 10
    assert 4.5 < np.max(np.abs(relative)) <= 5
    assert 0.4 < np.mean(np.equal(relative, 0) | (np.abs(relative) < 1e-9)) < 0.6
    assert -0.3 <= np.min(scales) < 0
    assert 0.9 < np.max(scales) <= 1.2
    # One flip of the two: 0.5 * 0.9 + 0.5 * 0.1.
    assert 0.4 < flipped / 300 < 0.6


def test_without_rotation_a_large_picture_fills_the_output():
    config = dataclasses.replace(SPACE_ONLY, rotation=0)
    for seed in range(30):
        example = affine_pair(60, 70)
        got = augment(example, config, (58, 64), 1, np.random.default_rng(seed))
        assert got["flow_known"][1:-1, 1:-1].all()


def test_crop_takes_every_window_and_the_middle():
    example = random_pair(9, 12, seed=7)
    generator = np.random.default_rng(0)
    found = set()
    for _ in range(200):
        got = crop(example, (7, 11), generator)
        corner = got["images"][:, 0, 0].tobytes()
        y, x = next(
            (y, x)
            for y in range(9)
            for x in range(12)
            if example["images"][:, y, x].tobytes() == corner
        )
        np.testing.assert_array_equal(got["flow"], example["flow"][y : y + 7, x : x + 11])
        found.add((y, x))
    assert found == {(y, x) for y in range(3) for x in range(2)}
    middle = crop(example, (7, 10), None)
    np.testing.assert_array_equal(middle["occlusion"], example["occlusion"][1:8, 1:11])


def test_crop_continues_a_small_picture_by_its_edge():
    example = random_pair(4, 20, seed=8, share_known=1)
    got = crop(example, (7, 10), np.random.default_rng(0))
    np.testing.assert_array_equal(got["images"][:, 0], got["images"][:, 1])
    np.testing.assert_array_equal(got["images"][:, 5:], got["images"][:, [4, 4]])
    known = np.repeat([False, True, True, True, True, False, False], 10).reshape(7, 10)
    np.testing.assert_array_equal(got["flow_known"], known)
    for name in ("occlusion", "foreground"):
        np.testing.assert_array_equal(got[name][~known], -1)
    np.testing.assert_array_equal(got["flow"][~known], 0)


def test_crop_shares_no_memory_with_its_example():
    example = random_pair(9, 12, seed=7)
    got = crop(example, (9, 12), None)
    for name in example.keys() - {"name"}:
        assert not np.shares_memory(got[name], example[name])


def test_the_eraser_spares_the_first_frame():
    config = dataclasses.replace(NOTHING, eraser_probability=1.0, eraser_size=(5.0, 9.0))
    example = affine_pair(40, 50)
    got = augment(example, config, (40, 50), 1, np.random.default_rng(0))
    np.testing.assert_array_equal(got["images"][0], example["images"][0])
    assert (got["images"][1] != example["images"][1]).any()


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        augment(affine_pair(4, 4), FULL, (4, 4), strength, np.random.default_rng(0))
