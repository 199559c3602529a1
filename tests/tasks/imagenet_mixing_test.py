# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MixUp and CutMix on small batches by hand, and the shares they draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import mixing
from scipy import stats

from perceiver_bench.config.images import ImageAugmentation

BOTH = ImageAugmentation()
MIXUP = ImageAugmentation(cutmix=False)
CUTMIX = ImageAugmentation(mixup_alpha=0.0)


def prepared(num_examples, augmentation, size=(4, 6), seed=0):
    """Returns a batch whose images are of random values, with labels 0, 1, 2, ..."""
    generator = np.random.default_rng(seed)
    examples = [
        {
            "images": generator.normal(size=(*size, 3)).astype(np.float32),
            "label": np.array(label, np.int32),
            "weight": np.array(1, np.float32),
            **mixing.draw(size, augmentation, generator),
        }
        for label in range(num_examples)
    ]
    return {name: np.stack([one[name] for one in examples]) for name in examples[0]}


def mixed(batch, augmentation):
    """Returns the mixture, from a copy of the batch, for its images are written over."""
    return mixing.mix({name: array.copy() for name, array in batch.items()}, augmentation)


def test_mixup_adds_images_by_their_own_ratios():
    images = np.float32([10, 20, 30, 40])[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)
    batch = {
        "images": images,
        "label": np.int32([5, 6, 7, 8]),
        "weight": np.float32([1, 1, 1, 0]),
        "mixup_ratio": np.float32([0.25, 0.5, 0.9, 0.9]),
    }
    got = mixing.mix(batch, MIXUP)
    assert set(got) == {"images", "label", "mixed_label", "label_share", "weight"}
    np.testing.assert_array_equal(got["images"][0], np.full((2, 2, 3), 0.25 * 10 + 0.75 * 30))
    np.testing.assert_array_equal(got["images"][1], np.full((2, 2, 3), 0.5 * 20 + 0.5 * 40))
    np.testing.assert_array_equal(got["label"], [5, 6])
    np.testing.assert_array_equal(got["mixed_label"], [7, 8])
    np.testing.assert_array_equal(got["label_share"], np.float32([0.25, 0.5]))
    np.testing.assert_array_equal(got["weight"], [1, 0])
    assert [got[name].dtype for name in ("label", "mixed_label")] == [np.int32] * 2
    assert [got[name].dtype for name in ("images", "label_share", "weight")] == [np.float32] * 3


def test_cutmix_puts_a_box_of_the_first_on_the_second():
    images = np.float32([10, 20])[:, None, None, None] * np.ones((1, 3, 4, 3), np.float32)
    batch = {
        "images": images,
        "label": np.int32([5, 6]),
        "weight": np.float32([1, 1]),
        "cutmix_box": np.int32([[1, 0, 3, 2], [0, 0, 3, 4]]),
    }
    got = mixing.mix(batch, CUTMIX)
    due = [[20, 20, 20, 20], [10, 10, 20, 20], [10, 10, 20, 20]]
    np.testing.assert_array_equal(got["images"], np.float32(due)[None, ..., None].repeat(3, -1))
    np.testing.assert_array_equal(got["label_share"], np.float32([4 / 12]))
    assert (got["label"].item(), got["mixed_label"].item()) == (5, 6)


def test_with_both_the_first_half_is_by_mixup_in_quarters():
    batch = prepared(8, BOTH)
    got = mixed(batch, BOTH)
    np.testing.assert_array_equal(got["label"], [0, 1, 4, 5])
    np.testing.assert_array_equal(got["mixed_label"], [2, 3, 6, 7])
    np.testing.assert_array_equal(got["label_share"][:2], batch["mixup_ratio"][:2])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize(
    ("augmentation", "mixup_share"),
    [(BOTH, 0.5), (MIXUP, 1), (CUTMIX, 0)],
    ids=["both", "mixup", "cutmix"],
)
def test_every_pixel_is_as_the_formula_says_and_shares_are_those_of_pixels(
    size, augmentation, mixup_share
):
    batch = prepared(2 * size, augmentation, seed=size)
    got = mixed(batch, augmentation)
    labels = np.concatenate([got["label"], got["mixed_label"]])
    assert sorted(labels) == list(range(2 * size))  # every example teaches once
    for index in range(size):
        one, other = got["label"][index], got["mixed_label"][index]
        if index < int(mixup_share * size):
            mask = np.full((4, 6, 1), batch["mixup_ratio"][one])
        else:
            top, left, bottom, right = batch["cutmix_box"][one]
            mask = np.zeros((4, 6, 1), np.float32)
            mask[top:bottom, left:right] = 1
        due = mask * batch["images"][one] + (1 - mask) * batch["images"][other]
        np.testing.assert_array_equal(got["images"][index], due)
        np.testing.assert_allclose(got["label_share"][index], mask.mean(), rtol=1e-6)


def test_the_result_lies_in_the_memory_of_the_batch():
    batch = prepared(8, BOTH)
    assert np.shares_memory(mixing.mix(batch, BOTH)["images"], batch["images"])


def test_a_bad_image_teaches_nothing_in_either_place():
    batch = prepared(8, BOTH)
    batch["weight"][[0, 7]] = 0
    np.testing.assert_array_equal(mixed(batch, BOTH)["weight"], [0, 1, 1, 0])


def test_an_odd_number_of_examples_is_refused():
    with pytest.raises(ValueError, match="3 examples cannot be mixed two by two"):
        mixing.mix(prepared(3, MIXUP), MIXUP)


def test_mixup_ratios_are_of_the_beta_distribution():
    generator = np.random.default_rng(2)
    ratios = [mixing.draw((8, 8), MIXUP, generator)["mixup_ratio"].item() for _ in range(5000)]
    assert stats.kstest(ratios, stats.beta(0.2, 0.2).cdf).pvalue > 1e-3


def test_boxes_are_of_a_uniform_share_about_a_uniform_middle_cut_off_at_the_edge():
    size = np.array([200, 120])
    generator = np.random.default_rng(3)
    boxes = [mixing.draw((200, 120), CUTMIX, generator)["cutmix_box"] for _ in range(5000)]
    starts, ends = np.split(np.array(boxes), 2, axis=1)
    # Drawn another way, in fractions of the image.
    halves = np.sqrt(generator.random((5000, 1))) / 2
    middles = generator.random((5000, 2))
    due_starts, due_ends = np.maximum(middles - halves, 0), np.minimum(middles + halves, 1)
    for got, due in [
        (np.prod(ends - starts, axis=1) / np.prod(size), np.prod(due_ends - due_starts, axis=1)),
        (starts[:, 0] / size[0], due_starts[:, 0]),
        (starts[:, 1] / size[1], due_starts[:, 1]),
        (ends[:, 0] / size[0], due_ends[:, 0]),
        (ends[:, 1] / size[1], due_ends[:, 1]),
    ]:
        # Less than a pixel of rounding, and the greatest distance of two samples of 5,000.
        np.testing.assert_allclose(
            np.quantile(got, [0.1, 0.3, 0.5, 0.7, 0.9]),
            np.quantile(due, [0.1, 0.3, 0.5, 0.7, 0.9]),
            atol=0.03,
        )


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_box_lies_in_the_image(height, width, seed):
    drawn = mixing.draw((height, width), BOTH, np.random.default_rng(seed))
    top, left, bottom, right = drawn["cutmix_box"]
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    assert drawn["cutmix_box"].dtype == np.int32
    assert drawn["mixup_ratio"].dtype == np.float32
    assert 0 <= drawn["mixup_ratio"] <= 1


def test_only_what_is_asked_for_is_drawn():
    generator = np.random.default_rng(0)
    assert set(mixing.draw((4, 4), MIXUP, generator)) == {"mixup_ratio"}
    assert set(mixing.draw((4, 4), CUTMIX, generator)) == {"cutmix_box"}
