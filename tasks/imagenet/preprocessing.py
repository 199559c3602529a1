# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From RGB pixels to the images that a network sees, by one of two protocols.

Resizing alone moves top-1 accuracy by up to a point, so the protocol belongs to a number.

`original`: as the original training code evaluates. The central square, 224/256 of the
shorter side, is resized to the target by TensorFlow's bicubic without antialiasing.

`pillow`: what timm and torchvision call `Resize(256, bicubic)` and `CenterCrop(224)`. The
whole image is resized by Pillow's antialiased bicubic filter, then the centre is taken.
"""

import math
from typing import Literal

import numpy as np

from . import resizing

Protocol = Literal["original", "pillow"]

MEAN = np.array([0.485 * 255, 0.456 * 255, 0.406 * 255], np.float32)
DEVIATION = np.array([0.229 * 255, 0.224 * 255, 0.225 * 255], np.float32)


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Returns images of values 0 to 255, [..., W, 3], less the mean over the deviation: float32.

    Mean and deviation are those of ImageNet's training images, colour by colour.
    """
    width = pixels.shape[-2]
    # Row by row: NumPy is slow where the last axis is as short as that of colours.
    rows = pixels.reshape(*pixels.shape[:-2], -1).astype(np.float32)
    rows -= np.tile(MEAN, width)
    rows /= np.tile(DEVIATION, width)
    return rows.reshape(pixels.shape)


def central_crop(pixels: np.ndarray, share: float) -> np.ndarray:
    """Returns the central square of an image [H, W, 3]: `share` of the shorter side, cut off.

    Where it cannot lie in the middle it lies one pixel closer to the bottom and the right.
    """
    height, width = pixels.shape[:2]
    side = max(int(np.float32(share) * np.float32(min(height, width))), 1)
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    return pixels[top : top + side, left : left + side]


def resize(pixels: np.ndarray, size: tuple[int, int], protocol: Protocol) -> np.ndarray:
    """Returns uint8 pixels [H, W, 3] at another size: float32 [h, w, 3], not normalised.

    `pillow` gives whole numbers of 0 to 255; `original` overshoots both at edges.
    """
    if protocol == "pillow":
        return resizing.resize_antialiased(pixels, size).astype(np.float32)
    return resizing.resize_bicubic(pixels, size)


def prepare_evaluation(
    pixels: np.ndarray, size: tuple[int, int], protocol: Protocol, central_share: float
) -> np.ndarray:
    """Returns what a network sees of uint8 pixels [H, W, 3]: float32 [h, w, 3], normalised.

    `original` stretches the central square, `central_share` of the shorter side, to `size`.

    `pillow` resizes the image such that it covers `size` / `central_share`, rounded down:
    the side that is short for it fits exactly, the other keeps the aspect ratio, rounded
    down. Of that it takes the centre.
    """
    if protocol == "pillow":
        return normalise(_resize_and_crop(pixels, size, central_share))
    return normalise(resize(central_crop(pixels, central_share), size, protocol))


def _resize_and_crop(pixels: np.ndarray, size: tuple[int, int], share: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    covered_height, covered_width = (math.floor(side / share) for side in size)
    if height * covered_width <= width * covered_height:
        resized = covered_height, int(covered_height * width / height)
    else:
        resized = int(covered_width * height / width), covered_width
    found = resizing.resize_antialiased(pixels, resized)
    # Halves are rounded to even, as torchvision does.
    top, left = (round((long - short) / 2) for long, short in zip(resized, size, strict=True))
    return found[top : top + size[0], left : left + size[1]]
