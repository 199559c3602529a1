# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Textures, quiet settings and plain geometry for tests of the generator of flow pairs."""

import numpy as np
import scipy.ndimage

from perceiver_bench.config import GeneratorConfig

PLAIN = GeneratorConfig(
    motion_blur_probability=0.0,
    fog_probability=0.0,
    colour_probability=0.0,
    noise_probability=0.0,
)


def smooth_texture(seed, side=160):
    """Returns a texture without detail smaller than some pixels."""
    values = np.random.default_rng(seed).standard_normal((side, side, 3))
    smooth = scipy.ndimage.gaussian_filter(values, (5, 5, 0), mode="wrap")
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def is_within(rings, x, y):
    """Says of points whether they are within an odd number of rings: crossings of a ray."""
    inside = np.zeros(np.shape(x), bool)
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y1 != y2:
                is_right = x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
                inside ^= ((y1 > y) != (y2 > y)) & is_right
    return inside


def distance_to(rings, x, y):
    """Returns the distance of points to the nearest edge."""
    nearest = np.full(np.shape(x), np.inf)
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            across, down = x2 - x1, y2 - y1
            along = ((x - x1) * across + (y - y1) * down) / (across**2 + down**2)
            along = np.clip(along, 0, 1)
            aside = np.hypot(x - x1 - along * across, y - y1 - along * down)
            nearest = np.minimum(nearest, aside)
    return nearest
