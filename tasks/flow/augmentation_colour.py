# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Colour jitter and eraser: what changes the frames of a flow pair and not its flow.

The four changes of colour are one linear map: in the space of luma and two chroma axes,
saturation scales the chroma and hue turns it, brightness and contrast scale all of it.
Without rounding in between they commute, so no order of them is drawn as RAFT does.
"""

import cv2
import numpy as np

from perceiver_bench import api

# Luma as in Rec. 601, chroma as in NTSC's YIQ.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def jitter(
    images: np.ndarray, config: api.AugmentationConfig, generator: np.random.Generator
) -> np.ndarray:
    """Returns uint8 images [2, H, W, 3] in other colours, as a rule the same for both."""
    is_asymmetric = generator.random() < config.asymmetric_colour_probability
    groups = images[:, None] if is_asymmetric else images[None]
    changed = [recoloured(group, *_draw(config, generator)) for group in groups]
    return np.concatenate(changed)


def _draw(
    config: api.AugmentationConfig, generator: np.random.Generator
) -> tuple[float, float, float, float]:
    ranges = (config.brightness, config.contrast, config.saturation, config.hue)
    brightness, contrast, saturation, hue = generator.uniform(-1, 1, 4) * ranges
    return 1 + brightness, 1 + contrast, 1 + saturation, hue


def recoloured(
    images: np.ndarray, brightness: float, contrast: float, saturation: float, hue: float
) -> np.ndarray:
    """Returns uint8 images [N, H, W, 3] with factors of three kinds and a turn of hue.

    Contrast is about the mean luma of all the images; `hue` 1 is a whole turn.
    """
    angle = 2 * np.pi * hue
    chroma = saturation * _rotation(angle)
    in_yiq = np.block([[np.ones((1, 1)), np.zeros((1, 2))], [np.zeros((2, 1)), chroma]])
    matrix = brightness * contrast * (_FROM_YIQ @ in_yiq @ _TO_YIQ)
    rows = images.reshape(-1, *images.shape[2:])
    luma = brightness * (_TO_YIQ[0] @ cv2.mean(rows)[:3])
    offset = np.full((3, 1), (1 - contrast) * luma)
    return cv2.transform(rows, np.hstack([matrix, offset])).reshape(images.shape)


def _rotation(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def erase(
    frame: np.ndarray, config: api.AugmentationConfig, generator: np.random.Generator
) -> None:
    """Fills rectangles of a frame [H, W, 3] with its mean colour, in place, or does nothing."""
    if generator.random() >= config.eraser_probability:
        return
    colour = np.rint(cv2.mean(frame)[:3])
    for _ in range(generator.integers(*config.eraser_count, endpoint=True)):
        y, x = generator.integers(frame.shape[:2])
        height, width = np.rint(generator.uniform(*config.eraser_size, 2)).astype(int)
        frame[y : y + height, x : x + width] = colour
