# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The operations on images that RandAugment draws from, as the original training code has them.

All take and return colours uint8 [H, W, 3]. Most do what Pillow's ImageOps and ImageEnhance
do under the same names. Where they do not, the published results come from the difference,
so it is kept:

| operation | here | in Pillow |
|---|---|---|
| autocontrast | computed in float32: now and then 1 apart | computed in float64 |
| posterize to 0 bits | leaves one bit | leaves none |
| color | grey of 0.2989, 0.587, 0.114 (sum 0.9999), cut off | of 0.299, 0.587, 0.114, rounded |
| contrast | about the number of pixels / 256, at most 255 | about the mean grey |
| sharpness | fractions of the smoothed image are cut off | rounded |
| shears | about the middles of the first row or column | about their outer edges |
| all geometry | uncovered pixels are mid-grey | black |

Geometry takes the pixel nearest to a coordinate in float32, of two the one farther from zero.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

FILL = 128
"""The grey of pixels that an operation uncovers or cuts out."""

_GREY_SHARES = np.array([0.2989, 0.587, 0.114], np.float32)
_LEVELS = np.arange(256)
_ROWS_AT_ONCE = 64  # keeps the coordinates of a large photograph small, and in the cache


def autocontrast(pixels: np.ndarray) -> np.ndarray:
    """Returns each channel stretched from its darkest value at 0 to its brightest at 255.

    That may fall just short of 255 and be cut off to 254; an even channel stays as it is.
    """
    extremes = np.array(Image.fromarray(pixels).getextrema()).tolist()
    return _look_up(pixels, np.concatenate([_stretched(*pair) for pair in extremes]))


def equalize(pixels: np.ndarray) -> np.ndarray:
    """Returns each channel with its values spread evenly, the same as Pillow's equalize."""
    return np.array(ImageOps.equalize(Image.fromarray(pixels)))


def invert(pixels: np.ndarray) -> np.ndarray:
    """Returns 255 minus the values."""
    return ~pixels


def posterize(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Returns the first `bits` bits of each value, at least one; Pillow's if `bits` is 1 to 8."""
    return pixels & np.uint8(256 - (1 << min(8 - bits, 7)))


def solarize(pixels: np.ndarray, threshold: int) -> np.ndarray:
    """Returns the values with those from `threshold` on inverted, as Pillow's solarize."""
    return _look_up(pixels, np.tile(np.where(threshold > _LEVELS, _LEVELS, 255 - _LEVELS), 3))


def solarize_add(pixels: np.ndarray, addition: int) -> np.ndarray:
    """Returns the values with `addition` added to those below 128, at most 255."""
    added = np.clip(_LEVELS + addition, 0, 255)
    return _look_up(pixels, np.tile(np.where(_LEVELS < 128, added, _LEVELS), 3))


def color(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Returns colours between grey (0) and as they are (1), or beyond."""
    return _blended(_grey, pixels, factor)


def contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Returns values between one grey (0) and as they are (1), or beyond.

    The grey would be the mean; the original code takes the sum of a histogram over 256
    instead, which is the number of pixels / 256: 255 from 65,280 pixels on.
    """
    return _blended(_grey_of_the_size, pixels, factor)


def brightness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Returns values between black (0) and as they are (1), or beyond."""
    return _blended(np.zeros_like, pixels, factor)


def sharpness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Returns values between smoothed (0) and as they are (1), or beyond, the edge as it is."""
    return _blended(_smoothed, pixels, factor)


def rotate(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Returns the image turned counterclockwise about its middle."""
    radians = float(np.float32(degrees) * np.float32(math.pi / 180))
    cosine, sine = np.float32(math.cos(radians)), np.float32(math.sin(radians))
    last_row, last_column = (np.float32(length - 1) for length in pixels.shape[:2])
    across = (last_column - (cosine * last_column - sine * last_row)) / np.float32(2)
    down = (last_row - (sine * last_column + cosine * last_row)) / np.float32(2)
    return _moved(pixels, (cosine, -sine, across), (sine, cosine, down))


def shear_x(pixels: np.ndarray, level: float) -> np.ndarray:
    """Returns the image with each row moved left by `level` times its number, from the top."""
    return _moved(pixels, (1, level, 0), (0, 1, 0))


def shear_y(pixels: np.ndarray, level: float) -> np.ndarray:
    """Returns the image with each column moved up by `level` times its number, from the left."""
    return _moved(pixels, (1, 0, 0), (level, 1, 0))


def translate_x(pixels: np.ndarray, distance: float) -> np.ndarray:
    """Returns the image moved left by `distance` pixels."""
    return _moved(pixels, (1, 0, distance), (0, 1, 0))


def translate_y(pixels: np.ndarray, distance: float) -> np.ndarray:
    """Returns the image moved up by `distance` pixels."""
    return _moved(pixels, (1, 0, 0), (0, 1, distance))


def cutout(pixels: np.ndarray, half_size: int, generator: np.random.Generator) -> np.ndarray:
    """Returns the image with a grey square of twice `half_size` about a random pixel."""
    row, column = generator.integers(pixels.shape[:2])
    rows = slice(max(0, row - half_size), row + half_size)
    columns = slice(max(0, column - half_size), column + half_size)
    cut = pixels.copy()
    cut[rows, columns] = FILL
    return cut


def _look_up(pixels: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Returns what the tables [3 * 256] of the three channels say of each value."""
    return np.array(Image.fromarray(pixels).point(tables.tolist()))


def _stretched(darkest: int, brightest: int) -> np.ndarray:
    """Returns the table [256] that makes `darkest` 0 and `brightest` 255."""
    if darkest == brightest:
        return _LEVELS
    scale = np.float32(255) / np.float32(brightest - darkest)
    offset = np.float32(-darkest) * scale
    return np.clip(_LEVELS.astype(np.float32) * scale + offset, 0, 255).astype(np.uint8)


def _blended(
    degenerate: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, factor: float
) -> np.ndarray:
    """Returns the line through the degenerate image (0) and the image (1) at `factor`."""
    if factor == 1:  # which it is at magnitude 5, the published one
        return pixels
    start = degenerate(pixels).astype(np.float32)
    line = start + np.float32(factor) * (pixels - start)
    return np.clip(line, 0, 255).astype(np.uint8)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Returns the grey [H, W, 1] of colours."""
    shares = (_LEVELS.astype(np.float32) * np.float32(1 / 255))[:, None] * _GREY_SHARES
    red, green, blue = (shares[pixels[..., channel], channel] for channel in range(3))
    return ((red + green + blue) * np.float32(255.5)).astype(np.uint8)[..., None]


def _grey_of_the_size(pixels: np.ndarray) -> np.ndarray:
    """Returns the number of pixels / 256, at most 255, in the place of the mean grey."""
    height, width, _ = pixels.shape
    return np.array(min(height * width // 256, 255))


def _smoothed(pixels: np.ndarray) -> np.ndarray:
    """Returns the mean of each pixel (5 of 13) and its eight neighbours; the edge stays."""
    height, width, _ = pixels.shape
    if height < 3 or width < 3:
        return pixels
    total = np.zeros((height - 2, width - 2, 3), np.float32)
    for row in range(3):
        for column in range(3):
            share = np.float32(5 if row == column == 1 else 1) / np.float32(13)
            total += share * pixels[row : row + height - 2, column : column + width - 2]
    smoothed = pixels.copy()
    smoothed[1:-1, 1:-1] = np.clip(total, 0, 255).astype(np.uint8)
    return smoothed


def _moved(pixels: np.ndarray, x_map: tuple, y_map: tuple) -> np.ndarray:
    """Returns the pixel nearest to where the maps send each, grey where that is outside.

    A map (a, b, c) sends the pixel in column x and row y to a * x + b * y + c.
    """
    height, width, _ = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(-1, 3)
    moved = np.empty_like(pixels, order="C")
    for first in range(0, height, _ROWS_AT_ONCE):
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, height))
        x, x_inside = _nearest(x_map, rows, width, width)
        y, y_inside = _nearest(y_map, rows, width, height)
        found = flat.take(y * width + x, axis=0, mode="clip")
        found[~(x_inside & y_inside)] = FILL
        moved[rows[0] : rows[-1] + 1] = found
    return moved


def _nearest(
    coordinate_map: tuple, rows: np.ndarray, width: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nearest positions on an axis of `length`, and which of them are on it."""
    a, b, c = np.array(coordinate_map, np.float32)
    columns = np.arange(width, dtype=np.float32)
    mapped = (a * columns + (b * rows.astype(np.float32))[:, None]) + c
    is_inside = (mapped > -0.5) & (mapped < length - 0.5)
    # In float64, for a float32 just below a half would be a whole more after adding a half.
    return (mapped.astype(np.float64) + 0.5).astype(np.int64), is_inside
