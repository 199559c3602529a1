# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Effects on the two frames, uint8 [2, H, W, 3], that leave the flow as it is."""

import math

import cv2
import numpy as np
import scipy.special

from perceiver_bench import api

from .motion import either_way

_GREY = np.full((3, 3), 1 / 3)
# The middles of 256 equally likely parts of the normal distribution, at deviation 1.
_NORMAL = scipy.special.ndtri((np.arange(256) + 0.5) / 256)
_NORMAL /= _NORMAL.std()


def apply_effects(
    images: np.ndarray, config: api.GeneratorConfig, generator: np.random.Generator
) -> np.ndarray:
    """Returns the frames with fog, other colours and noise, each with its probability."""
    if generator.random() < config.fog_probability:
        images = _fog(images, config, generator)
    if generator.random() < config.colour_probability:
        images = _recoloured(images, config, generator)
    if generator.random() < config.noise_probability:
        deviation = generator.uniform(*config.noise)
        images = np.stack([_noisy(image, deviation, generator) for image in images])
    return images


def _noisy(image: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    """Returns a frame with normal noise of its own in every channel of every pixel.

    A byte chooses one of the 256 values; that is five times as fast as NumPy's normal numbers.
    """
    chosen = np.frombuffer(generator.bytes(image.size), np.uint8).reshape(image.shape)
    noise = cv2.LUT(chosen, (deviation * _NORMAL).astype(np.float32))
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def _fog(
    images: np.ndarray, config: api.GeneratorConfig, generator: np.random.Generator
) -> np.ndarray:
    """Returns the frames with banks of light grey, a little other ones in each."""
    height, width = images.shape[1:3]
    density = generator.uniform(*config.fog_density)
    colour = np.empty((height, width, 3), np.uint8)
    colour[...] = generator.uniform(150, 240) + generator.uniform(-10, 10, 3)
    banks = generator.random((4, 6), np.float32)
    foggy = []
    for image in images:
        field = cv2.resize(banks, (width, height), interpolation=cv2.INTER_CUBIC)
        share = density * np.clip(field, 0, 1)
        foggy.append(cv2.blendLinear(colour, image, share, 1 - share))
        banks = banks + np.float32(0.1) * generator.standard_normal(banks.shape, np.float32)
    return np.stack(foggy)


def _recoloured(
    images: np.ndarray, config: api.GeneratorConfig, generator: np.random.Generator
) -> np.ndarray:
    """Returns the frames with other brightness, contrast, gamma, saturation and hue."""
    ranges = (config.brightness, config.contrast, config.gamma, config.saturation, config.hue)
    first = np.array([either_way(one, generator) for one in ranges])
    change = np.array([either_way(one, generator) for one in ranges])
    second = first + generator.uniform(*config.colour_difference) * change
    return np.stack([_in_colours(images[0], *first), _in_colours(images[1], *second)])


def _in_colours(
    image: np.ndarray,
    brightness: float,
    contrast: float,
    gamma: float,
    saturation: float,
    hue: float,
) -> np.ndarray:
    """Returns a frame with the given changes, all 0 for none."""
    curve = 255 * (np.arange(256) / 255) ** math.exp(gamma)
    image = cv2.LUT(image, np.rint(curve).astype(np.uint8))
    # Hue turns about the axis of greys, saturation is the distance from it.
    turned = _turn_about_grey(math.radians(hue))
    matrix = (1 + contrast) * ((1 + saturation) * (turned - _GREY) + _GREY)
    # Contrast leaves middle grey as it is.
    offset = np.full((3, 1), brightness - 127.5 * contrast)
    return cv2.transform(image, np.concatenate([matrix, offset], axis=1))


def _turn_about_grey(angle: float) -> np.ndarray:
    """Returns the rotation [3, 3] of colours about the axis of greys (Rodrigues' formula)."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
