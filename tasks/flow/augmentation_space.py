# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One affine map for each frame of a flow pair, and the flow that follows from both.

Maps are float64 [2, 3] and take (x, y, 1) of a source frame to (x, y) of the output; the
middle of the first pixel is (0, 0). Where the first frame goes by A and the second by B, the
flow at the output's x is B(p + flow(p)) - x with p the point that A takes to x. Each frame is
resampled once.

Frames are interpolated linearly without a filter before: `api.AugmentationConfig` shrinks to no
less than half the size, so every pixel still takes part.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from perceiver_bench import api

# Pixels of the source. A mean of neighbours that is farther from the nearest pixel's flow lies
# across a motion boundary and is the motion of neither side.
_MAX_MIXED_FLOW = 1.0


def draw_maps(
    config: api.AugmentationConfig,
    source_size: tuple[int, int],
    size: tuple[int, int],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns random maps of the first and the second frame to an output of `size`.

    As in RAFT no axis shrinks below the output's length. The output's place is random among
    those that lie in the first frame, and in the middle along an axis that has none.
    """
    picture, window = np.array(source_size)[::-1], np.array(size)[::-1]
    linear = _draw_linear(config, np.minimum(1, window / picture), generator)
    # Half of what the output takes of each axis of the picture.
    reach = np.abs(np.linalg.inv(linear)) @ (window / 2)
    spare = np.maximum(picture / 2 - reach, 0)
    seen = (picture - 1) / 2 + generator.uniform(-spare, spare)
    middle = (window - 1) / 2
    # Whole pixels, so that without scale and rotation the frames stay sharp.
    shift = np.rint(middle - linear @ seen)

    relative, moved = np.eye(2), np.zeros(2)
    if generator.random() < config.relative_motion_probability:
        relative = _rotation(config.relative_rotation, generator)
        moved = generator.uniform(-1, 1, 2) * config.relative_translation
    second_shift = relative @ (shift - middle) + middle + moved
    return np.column_stack([linear, shift]), np.column_stack([relative @ linear, second_shift])


def _draw_linear(
    config: api.AugmentationConfig, min_scale: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Returns flips, scale and stretch of at least `min_scale` (x, y), then rotation, [2, 2]."""
    scale = np.ones(2)
    if generator.random() < config.spatial_probability:
        scale *= 2 ** generator.uniform(*config.log2_scale)
        if generator.random() < config.stretch_probability:
            scale *= 2 ** generator.uniform(-config.log2_stretch, config.log2_stretch, 2)
    flips = config.horizontal_flip_probability, config.vertical_flip_probability
    sign = np.where(generator.random(2) < flips, -1, 1)
    return _rotation(config.rotation, generator) * (sign * np.maximum(scale, min_scale))


def _rotation(max_degrees: float, generator: np.random.Generator) -> np.ndarray:
    angle = np.radians(generator.uniform(-max_degrees, max_degrees))
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def warp(
    example: Mapping[str, Any], first: np.ndarray, second: np.ndarray, size: tuple[int, int]
) -> dict[str, Any]:
    """Returns a raw example of `size` (height, width) whose frames went by two maps.

    Frames are continued by their edges. Of flow, occlusion and foreground nothing is known
    outside of the first frame.

    The same holds for dense and for sparse truth: a pixel is known if the nearest pixel of
    the source is, and its flow is the linear mean of those of its four neighbours that are
    known, with their weights; at a motion boundary it is the nearest pixel's. What stands in
    pixels that are not known is never read.
    """
    inverses = _inverse(first), _inverse(second)
    images = [
        _sample(frame, inverse, size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        for frame, inverse in zip(example["images"], inverses, strict=True)
    ]
    seen, cut_inverse = _seen(inverses[0], example["flow_known"].shape, size)

    def nearest(plane: np.ndarray) -> np.ndarray:
        return _sample(plane, cut_inverse, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)

    def linear(plane: np.ndarray) -> np.ndarray:
        return _sample(plane, cut_inverse, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)

    def labels(name: str) -> np.ndarray:
        # One more than the value: outside is 0, which stands for -1, not known.
        return nearest((example[name][seen] + 1).astype(np.uint8)).astype(np.int8) - 1

    was_known = example["flow_known"][seen]
    known = nearest(was_known.astype(np.uint8)).astype(bool)
    # The nearest of four neighbours alone weighs a quarter; less means that it is not known.
    weight = np.maximum(linear(was_known.astype(np.float32)), np.float32(0.2))
    flow = example["flow"][seen]
    planes = [np.where(was_known, plane, np.float32(0)) for plane in cv2.split(flow)]
    smooth = [linear(plane) / weight for plane in planes]
    sharp = [nearest(plane) for plane in planes]
    is_mixed = np.zeros(size, bool)
    for mean, one in zip(smooth, sharp, strict=True):
        is_mixed |= abs(mean - one) > _MAX_MIXED_FLOW
    u, v = (np.where(is_mixed, one, mean) for mean, one in zip(smooth, sharp, strict=True))
    followed = _followed(u, v, inverses[0], second)
    return {
        "images": np.stack(images),
        "flow": cv2.merge([np.where(known, plane, np.float32(0)) for plane in followed]),
        "flow_known": known,
        "occlusion": labels("occlusion"),
        "foreground": labels("foreground"),
        "name": example["name"],
    }


def _followed(
    u: np.ndarray, v: np.ndarray, inverse: np.ndarray, second: np.ndarray
) -> list[np.ndarray]:
    """Returns both planes of B(p + flow) - x, as B's linear part of flow plus B(p) - x."""
    height, width = u.shape
    x = np.arange(width)
    y = np.arange(height)[:, None]
    # B after the inverse of A, from which the place itself is taken away.
    linear = second[:, :2] @ inverse[:, :2] - np.eye(2)
    shift = second[:, :2] @ inverse[:, 2] + second[:, 2]
    planes = []
    for axis in range(2):
        along_x = (linear[axis, 0] * x).astype(np.float32)
        along_y = (linear[axis, 1] * y + shift[axis]).astype(np.float32)
        to_u, to_v = second[axis, :2].astype(np.float32)
        planes.append(to_u * u + to_v * v + (along_x + along_y))
    return planes


def _seen(
    inverse: np.ndarray, source_size: tuple[int, int], size: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Returns the part of the source that an output reads, and the inverse map to that part."""
    height, width = size
    corners = inverse @ [[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]]
    picture = np.array(source_size)[::-1]
    # Two pixels more, for the neighbours and for rounding; at least one of the picture.
    low = np.clip(np.floor(corners.min(axis=1)).astype(int) - 2, 0, picture - 1)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 2, low + 1, picture)
    part = slice(low[1], high[1]), slice(low[0], high[0])
    return part, np.column_stack([inverse[:, :2], inverse[:, 2] - low])


def _inverse(map_: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(map_[:, :2])
    return np.column_stack([linear, -linear @ map_[:, 2]])


def _sample(
    plane: np.ndarray, inverse: np.ndarray, size: tuple[int, int], method: int, border: int
) -> np.ndarray:
    """Returns what the plane holds at the points that the output's pixels come from."""
    # One plane of floats at a time: with two channels OpenCV rounds points to 1/32 pixel.
    return cv2.warpAffine(
        plane, inverse, size[::-1], flags=method | cv2.WARP_INVERSE_MAP, borderMode=border
    )
