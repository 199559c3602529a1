# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random crops and flips: the first steps of the augmentation.

A crop is drawn as TensorFlow's sample_distorted_bounding_box draws it for the whole image as
the one object, of which at least a tenth is seen, which is how the original training code
calls it. That has its own rules, which the usual random-resized crop has not: the aspect
ratio is uniform (not its logarithm), then the height is uniform (not the area), and the last
row and column are only reached by a crop as high or as wide as the image.
"""

import numpy as np

from . import preprocessing

_NUM_ATTEMPTS = 10
_LEAST_SHARE = np.float32(0.1)
_CENTRAL_SHARE = 224 / 256


def random_crop(
    pixels: np.ndarray,
    area: tuple[float, float],
    aspect: tuple[float, float],
    generator: np.random.Generator,
) -> np.ndarray:
    """Returns a random part [h, w, 3] of an image [H, W, 3], a view of it.

    Its share of the image is in the range `area`, but at least a tenth; its aspect ratio,
    width over height, is in the range `aspect`, up to rounding. Where ten attempts find none,
    and where it is the whole image, it is the central 224/256 of the shorter side.
    """
    height, width, _ = pixels.shape
    size = None
    for _ in range(_NUM_ATTEMPTS):
        size = _draw_size(height, width, area, aspect, generator)
        if size is not None:
            break
    if size is None or size == (height, width):
        return preprocessing.central_crop(pixels, _CENTRAL_SHARE)
    top, left = _draw_offset(height, size[0], generator), _draw_offset(width, size[1], generator)
    return pixels[top : top + size[0], left : left + size[1]]


def flip(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns an image [H, W, 3] with left and right exchanged in half of the cases, a view."""
    return pixels[:, ::-1] if generator.random() < 0.5 else pixels


def _draw_size(
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[int, int] | None:
    """Returns the height and width of a crop, or None where they break a limit.

    All is computed in float32, and rounded halves to the even number, as TensorFlow does:
    one pixel more or less decides whether a small image has a crop at all.
    """
    low, high = (np.float32(end) for end in aspect)
    ratio = generator.random(dtype=np.float32) * (high - low) + low
    least, most = (np.float32(share) * np.float32(width) * np.float32(height) for share in area)
    lowest = _rounded(np.sqrt(least / ratio))
    highest = _rounded(np.sqrt(most / ratio))
    if _rounded(ratio * np.float32(highest)) > width:
        highest = int((width + 0.5 - 1e-7) / float(ratio))
        highest -= _rounded(ratio * np.float32(highest)) > width
    highest = min(highest, height)
    rows = int(generator.integers(min(lowest, highest), highest, endpoint=True))
    columns = _rounded(ratio * np.float32(rows))
    # Rounding may have made it a row too small or too large.
    if rows * columns < least:
        rows += 1
        columns = _rounded(ratio * np.float32(rows))
    if rows * columns > most:
        rows -= 1
        columns = _rounded(ratio * np.float32(rows))
    is_sound = 0 < rows <= height and 0 < columns <= width and least <= rows * columns <= most
    covered = np.float32(rows * columns) / np.float32(height * width)
    return (rows, columns) if is_sound and covered >= _LEAST_SHARE else None


def _draw_offset(length: int, part: int, generator: np.random.Generator) -> int:
    """Returns where a part of an axis begins."""
    return int(generator.integers(length - part)) if part < length else 0


def _rounded(value: np.floating) -> int:
    return int(np.rint(value))
