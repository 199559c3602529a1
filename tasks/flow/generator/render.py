# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Draws layers into two frames, with the flow between them and what is occluded."""

import dataclasses
import math
from typing import NamedTuple

import cv2
import numpy as np

from .motion import Motion
from .outlines import Box, bounding_box, coverage, densified

# Outlines bend with the motion; edges this short, in pixels, bend with them.
_SPACING = 4.0
# The number of what is beyond the frame, larger than that of any layer.
_BEYOND = 255


@dataclasses.dataclass(frozen=True)
class Layer:
    """A textured shape and its motion.

    Attributes:
        rings: outlines [n, 2] (x, y) in pixels of the first frame; None for all of the plane.
        motion: from the first to the second frame.
        texture: uint8 [height, width, 3], mirrored beyond its borders.
        placement: [2, 3], from pixels of the first frame to pixels of the texture.
        tones: uint8 [1, 256, 3], the channels' new values.
        smear: (x, y) in pixels, how far it moves while a frame is taken.
    """

    rings: list[np.ndarray] | None
    motion: Motion
    texture: np.ndarray
    placement: np.ndarray
    tones: np.ndarray
    smear: tuple[float, float]


class Rendered(NamedTuple):
    """`images` uint8 [2, H, W, 3]; `flow` float32 [H, W, 2]; `is_occluded`, `is_object` [H, W]."""

    images: np.ndarray
    flow: np.ndarray
    is_occluded: np.ndarray
    is_object: np.ndarray


def render(layers: list[Layer], size: tuple[int, int]) -> Rendered:
    """Draws the layers, the farthest first, into frames of `size` (height, width).

    A pixel is of the nearest layer that covers half of it or more, and its flow is the motion
    of its middle. It is occluded if its middle moves out of the frame, or if the pixel of the
    second frame where it arrives is of a nearer layer.
    """
    height, width = size
    images = np.zeros((2, height, width, 3), np.uint8)
    numbers = np.zeros((2, height, width), np.uint8)
    # In float64: the flow is the difference of numbers much larger than itself.
    new = np.empty((2, height, width))
    columns, rows = np.arange(width, dtype=np.float64)[None], np.arange(height)[:, None]
    for number, layer in enumerate(layers):
        left, top, right, bottom = _draw_first(layer, number, images[0], numbers[0])
        if left < right and top < bottom:
            moved = layer.motion.forward(columns[:, left:right], rows[top:bottom])
            is_here = numbers[0, top:bottom, left:right] == number
            for place, coordinate in zip(new, moved, strict=True):
                np.copyto(place[top:bottom, left:right], coordinate, where=is_here)
        _draw_second(layer, number, images[1], numbers[1])
    flow = np.empty((height, width, 2), np.float32)
    np.subtract(new[0], columns, out=flow[..., 0], casting="same_kind")
    np.subtract(new[1], rows, out=flow[..., 1], casting="same_kind")
    across, down = new.astype(np.float32)
    met = cv2.remap(numbers[1], across, down, cv2.INTER_NEAREST, borderValue=_BEYOND)
    return Rendered(images, flow, met > numbers[0], numbers[0] > 0)


def _draw_first(layer: Layer, number: int, image: np.ndarray, numbers: np.ndarray) -> Box:
    """Draws a layer into the first frame, where its texture lies by `placement`.

    Returns:
        The box that it lies in, which may be empty.
    """
    box = _box(layer, layer.rings, numbers.shape)
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        return box
    placement = layer.placement.copy()
    placement[:, 2] += placement[:, :2] @ (left, top)
    patch = cv2.warpAffine(
        layer.texture,
        placement,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    _compose(layer, number, layer.rings, patch, box, image, numbers)
    return box


def _draw_second(layer: Layer, number: int, image: np.ndarray, numbers: np.ndarray) -> None:
    """Draws a layer into the second frame, where each pixel shows what has moved there."""
    rings = layer.rings
    if rings is not None:
        dense = [densified(ring, _SPACING) for ring in rings]
        rings = [np.stack(layer.motion.forward(*ring.T), axis=1) for ring in dense]
    box = _box(layer, rings, numbers.shape)
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        return
    columns = np.arange(left, right, dtype=np.float32)[None, :]
    rows = np.arange(top, bottom, dtype=np.float32)[:, None]
    x, y = layer.motion.inverse(columns, rows)
    (a, b, c), (d, e, f) = layer.placement.tolist()
    patch = cv2.remap(
        layer.texture,
        a * x + (b * y + c),
        d * x + (e * y + f),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    _compose(layer, number, rings, patch, box, image, numbers)


def _box(layer: Layer, rings: list[np.ndarray] | None, size: tuple[int, int]) -> Box:
    if rings is None:
        return 0, 0, size[1], size[0]
    return bounding_box(rings, math.ceil(math.hypot(*layer.smear) / 2), size)


def _compose(
    layer: Layer,
    number: int,
    rings: list[np.ndarray] | None,
    patch: np.ndarray,
    box: Box,
    image: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Lays the patch of a layer over what a frame and its layers' numbers show in the box."""
    left, top, right, bottom = box
    patch = cv2.LUT(patch, layer.tones)
    kernel = _line(layer.smear)
    if kernel is not None:
        patch = cv2.filter2D(patch, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    below = image[top:bottom, left:right]
    if rings is None:
        below[...] = patch
        numbers[...] = number
        return
    shares = coverage(rings, box)
    numbers[top:bottom, left:right][shares >= 0.5] = number
    if kernel is not None:
        shares = cv2.filter2D(shares, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    below[...] = cv2.blendLinear(patch, below, shares, 1 - shares)


def _line(smear: tuple[float, float]) -> np.ndarray | None:
    """Returns the kernel that averages along a line about its middle, None if it is a point."""
    reach = math.ceil(max(map(abs, smear)) / 2)
    if reach == 0:
        return None
    side = 2 * reach + 1
    steps = np.linspace(-0.5, 0.5, 4 * reach + 1)
    x, y = steps * smear[0] + reach, steps * smear[1] + reach
    kernel = np.zeros((side + 1, side + 1), np.float32)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    for right in (0, 1):
        for down in (0, 1):
            share = np.abs(1 - right - (x - column)) * np.abs(1 - down - (y - row))
            np.add.at(kernel, (row + down, column + right), share)
    return kernel[:side, :side] / len(steps)
