# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random crops against what TensorFlow 2.21's sample_distorted_bounding_box drew 40,000 times.

It was called as the original training code calls it: one box, the whole image, of which 0.1 is
to be seen; aspect ratios of 3/4 to 4/3, areas of 0.08 to 1, ten attempts.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import crops
from scipy import stats

AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
NUM_DRAWS = 10_000

# Image height and width; what is measured; values; the share of TensorFlow's draws up to each.
QUANTILES = [
    (375, 500, "height", (160, 208, 256, 303, 352), (0.1035, 0.3023, 0.5024, 0.7016, 0.9039)),
    (375, 500, "width", (161, 209, 257, 307, 383), (0.1034, 0.3012, 0.503, 0.7018, 0.9001)),
    (375, 500, "area", (25894, 43650, 66112, 93225, 129206), (0.1, 0.2999, 0.4998, 0.7, 0.9)),
    (375, 500, "aspect", (0.8083, 0.9244, 1.0402, 1.1569, 1.275), (0.1, 0.2999, 0.5, 0.7, 0.9)),
    (375, 500, "top", (4, 20, 44, 80, 140), (0.1027, 0.3011, 0.5004, 0.7046, 0.9013)),
    (375, 500, "left", (18, 58, 103, 158, 238), (0.1016, 0.3024, 0.5001, 0.7016, 0.9002)),
    (300, 50, "height", (37, 40, 43, 48, 55), (0.1407, 0.3322, 0.5034, 0.7308, 0.9109)),
    (300, 50, "width", (39, 43, 45, 47, 49), (0.1105, 0.348, 0.5296, 0.7178, 0.9087)),
    (300, 50, "top", (25, 75, 126, 177, 229), (0.1037, 0.3031, 0.5026, 0.7018, 0.9028)),
    (300, 50, "left", (0, 1, 3, 6), (0.3619, 0.5331, 0.7556, 0.9184)),
]

# How often TensorFlow drew each height and width of an image of 7 rows and 5 columns, and where.
SMALL_SIZES = {
    (2, 2): 8798, (2, 3): 2795, (3, 2): 1100, (3, 3): 5745, (3, 4): 3329, (4, 3): 1605,
    (4, 4): 4452, (4, 5): 4268, (5, 4): 1976, (5, 5): 3373, (6, 5): 2145, (7, 5): 414,
}  # fmt: skip
SMALL_OFFSETS = {
    (0, 0): 10911, (0, 1): 1986, (0, 2): 658, (1, 0): 8378, (1, 1): 1935, (1, 2): 672,
    (2, 0): 5607, (2, 1): 1927, (2, 2): 720, (3, 0): 2487, (3, 1): 1708, (3, 2): 641,
    (4, 0): 838, (4, 1): 900, (4, 2): 632,
}  # fmt: skip


@pytest.fixture(scope="module")
def draws():
    """Returns a function from an image size to height, width, top and left [draws, 4]."""
    known = {}

    def draw(height, width):
        if (height, width) not in known:
            rows, columns = np.mgrid[:height, :width]
            image = np.stack([rows, columns, rows], axis=-1)
            generator = np.random.default_rng(7)
            drawn = [crops.random_crop(image, AREA, ASPECT, generator) for _ in range(NUM_DRAWS)]
            known[height, width] = np.array([(*one.shape[:2], *one[0, 0, :2]) for one in drawn])
        return known[height, width]

    return draw


@pytest.mark.parametrize(("height", "width", "measure", "values", "shares"), QUANTILES)
def test_crops_are_distributed_as_tensorflows(draws, height, width, measure, values, shares):
    found = draws(height, width)
    measures = {
        "height": found[:, 0],
        "width": found[:, 1],
        "area": found[:, 0] * found[:, 1],
        "aspect": found[:, 1] / found[:, 0],
        "top": found[:, 2],
        "left": found[:, 3],
    }
    got = [(measures[measure] <= value).mean() for value in values]
    # Four standard errors of 10,000 draws against 40,000, where they are the greatest.
    np.testing.assert_allclose(got, shares, atol=4 * 0.5 * np.sqrt(1 / NUM_DRAWS + 1 / 40_000))


def test_sizes_and_offsets_of_a_small_image_are_as_frequent_as_tensorflows(monkeypatch, draws):
    # The whole image stays as it is here, to be counted as TensorFlow gave it.
    monkeypatch.setattr(crops.preprocessing, "central_crop", lambda pixels, _: pixels)
    found = draws(7, 5)
    for columns, frequencies in [(slice(0, 2), SMALL_SIZES), (slice(2, 4), SMALL_OFFSETS)]:
        kinds, counts = np.unique(found[:, columns], axis=0, return_counts=True)
        assert {tuple(kind) for kind in kinds.tolist()} == set(frequencies)
        due = [frequencies[tuple(kind)] for kind in kinds.tolist()]
        assert stats.chi2_contingency([counts, due]).pvalue > 1e-3


def test_a_crop_is_a_view_of_the_image(draws):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    crop = crops.random_crop(image, AREA, ASPECT, np.random.default_rng(1))
    assert np.shares_memory(crop, image)
    top, left = draws(40, 60)[0, 2:]
    again = crops.random_crop(image, AREA, ASPECT, np.random.default_rng(7))
    np.testing.assert_array_equal(again, image[top:, left:][: again.shape[0], : again.shape[1]])


def test_without_a_possible_crop_it_is_the_central_one():
    # 12 of 200 columns at most 4/3 * 12 wide: less than a tenth, which TensorFlow never takes.
    image = np.random.default_rng(0).integers(0, 256, (12, 200, 3), np.uint8)
    crop = crops.random_crop(image, AREA, ASPECT, np.random.default_rng(1))
    np.testing.assert_array_equal(crop, image[1:11, 95:105])


def test_a_crop_of_the_whole_image_is_the_central_one():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    crop = crops.random_crop(image, (1.0, 1.0), (1.0, 1.0), np.random.default_rng(1))
    np.testing.assert_array_equal(crop, image[4:60, 4:60])


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_crop_of_any_image_keeps_the_limits_or_is_the_central_one(height, width, seed):
    image = np.zeros((height, width, 3), np.uint8)
    crop = crops.random_crop(image, AREA, ASPECT, np.random.default_rng(seed))
    rows, columns, _ = crop.shape
    if rows == columns == max(1, int(min(height, width) * 7 / 8)):
        return
    assert np.float32(rows * columns) / np.float32(height * width) >= np.float32(0.1)
    assert rows * ASPECT[0] - 0.51 <= columns <= rows * ASPECT[1] + 0.51
    assert rows <= height
    assert columns <= width


def test_crops_and_flips_follow_the_generator():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)

    def changed(seed):
        generator = np.random.default_rng(seed)
        return crops.flip(crops.random_crop(image, AREA, ASPECT, generator), generator)

    np.testing.assert_array_equal(changed(3), changed(3))
    assert len({changed(seed).tobytes() for seed in range(20)}) == 20


def test_half_of_the_images_are_flipped():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    generator = np.random.default_rng(5)
    flipped = np.array([crops.flip(image, generator)[0, 0, 0] for _ in range(2000)])
    assert set(flipped.tolist()) == {0, 3}
    assert stats.binomtest(int((flipped == 3).sum()), 2000).pvalue > 1e-3
    other = next(one for one in (crops.flip(image, generator) for _ in range(99)) if one[0, 0, 0])
    np.testing.assert_array_equal(other, image[:, [1, 0]])
