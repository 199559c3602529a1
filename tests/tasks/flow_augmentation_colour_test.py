# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Colours against Pillow's, the eraser, and the ranges of the augmentation's configuration."""

import dataclasses

import numpy as np
import pytest
from perceiver_bench.tasks.flow import augmentation_colour
from PIL import Image, ImageEnhance

from perceiver_bench.config.flow_augmentation import AugmentationConfig

FULL = AugmentationConfig()


def picture(height, width):
    """Returns colours [H, W, 3] of smooth waves."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 7 + y / 11), np.sin(x / 13 - y / 9 + 1), np.cos(x / 10) * np.cos(y / 8)]
    return np.rint(127.5 + 110 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("enhance", "position"),
    [(ImageEnhance.Brightness, 0), (ImageEnhance.Contrast, 1), (ImageEnhance.Color, 2)],
)
@pytest.mark.parametrize("factor", [0.6, 1, 1.35])
def test_colours_are_those_of_pillow(enhance, position, factor):
    image = picture(40, 50)
    factors = [1.0, 1.0, 1.0]
    factors[position] = factor
    got = augmentation_colour.recoloured(image[None], *factors, 0)[0]
    due = np.asarray(enhance(Image.fromarray(image)).enhance(factor))
    np.testing.assert_allclose(got.astype(int), due, atol=2)


def test_contrast_is_about_the_mean_of_the_brightened_frames():
    image = picture(40, 50) // 2
    got = augmentation_colour.recoloured(np.stack([image, image // 2]), 1.4, 0.7, 1, 0)
    both = ImageEnhance.Brightness(Image.fromarray(np.vstack([image, image // 2]))).enhance(1.4)
    due = np.asarray(ImageEnhance.Contrast(both).enhance(0.7))
    np.testing.assert_allclose(got.reshape(due.shape).astype(int), due, atol=2)


def test_hue_turns_colours_and_keeps_luma_and_greys():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)[None]
    np.testing.assert_allclose(
        augmentation_colour.recoloured(greys, 1, 1, 1, 0.3).astype(int), greys, atol=1
    )
    image = (picture(40, 50) // 4 + 96)[None]
    turned = augmentation_colour.recoloured(image, 1, 1, 1, 0.15)
    lumas = [np.asarray(Image.fromarray(one[0]).convert("L"), int) for one in (image, turned)]
    np.testing.assert_allclose(*lumas, atol=2)
    assert abs(turned.astype(int) - image).mean() > 5
    back = augmentation_colour.recoloured(turned, 1, 1, 1, -0.15)
    np.testing.assert_allclose(back.astype(int), image, atol=2)


def test_frames_share_their_colours_or_have_their_own():
    images = np.repeat(picture(20, 30)[None], 2, axis=0)
    for probability, is_same in ((0.0, True), (1.0, False)):
        config = dataclasses.replace(FULL, asymmetric_colour_probability=probability)
        first, second = augmentation_colour.jitter(images, config, np.random.default_rng(0))
        assert np.array_equal(first, second) == is_same
        assert not np.array_equal(first, images[0])


def test_the_eraser_fills_one_or_two_rectangles_with_the_mean():
    image = picture(120, 130)
    mean = np.rint(image.reshape(-1, 3).mean(axis=0))
    config = dataclasses.replace(FULL, eraser_probability=1.0)
    generator = np.random.default_rng(0)
    for _ in range(20):
        got = image.copy()
        augmentation_colour.erase(got, config, generator)
        changed = (got != image).any(axis=-1)
        assert 0 < changed.sum() <= 2 * 99 * 99
        np.testing.assert_array_equal(np.unique(got[changed], axis=0), [mean])


def test_half_the_strength_is_half_of_every_range_and_probability():
    half = FULL.scaled(0.5)
    assert half.eraser_count == FULL.eraser_count
    for field in dataclasses.fields(FULL):
        if field.name != "eraser_count":
            due = np.multiply(0.5, getattr(FULL, field.name))
            np.testing.assert_array_equal(getattr(half, field.name), due)
    assert FULL.scaled(1) == FULL


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eraser_probability": 1.1}, "eraser_probability=1.1: 0 to 1"),
        ({"brightness": -0.1}, "brightness=-0.1: 0 to 1"),
        ({"hue": -0.1}, "hue=-0.1: at least 0"),
        ({"relative_translation": -1.0}, "relative_translation=-1.0: at least 0"),
        ({"eraser_size": (9.0, 3.0)}, "eraser_size=9.0,3.0: two values"),
        ({"log2_scale": (1.0, 0.0)}, "log2_scale=1.0,0.0: the lower bound"),
        ({"log2_scale": (-0.9, 0.0)}, "less than half the size"),
    ],
)
def test_a_configuration_out_of_range_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FULL, **values)
