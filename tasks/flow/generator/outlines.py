# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Outlines of objects: closed rings of points, the outer one first, then the holes."""

import math

import cv2
import numpy as np

from perceiver_bench import api

Box = tuple[int, int, int, int]
"""A part of a picture: left, top, and right and bottom, which are no more of it."""

# Samples of a pixel in each direction from which its covered share is counted.
_SAMPLES = 4
# Bits after the point of the corners that OpenCV fills between.
_FRACTION_BITS = 6
_ROUNDS = 3


def draw_outline(
    config: api.GeneratorConfig,
    middle: tuple[float, float],
    diagonal: float,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Draws the rings [n, 2] (x, y) of an object about `middle`, in pixels."""
    is_smooth = generator.random() < config.smooth_probability
    rings = [_ring(config, is_smooth, generator)]
    if generator.random() < config.hole_probability:
        for _ in range(generator.integers(*config.num_holes, endpoint=True)):
            angle, distance = generator.uniform(0, 2 * math.pi), generator.uniform(0, 0.6)
            place = distance * np.array([math.cos(angle), math.sin(angle)])
            size = generator.uniform(*config.hole_radius)
            rings.append(place + size * _ring(config, is_smooth, generator))
    radius = generator.uniform(*config.radius) * diagonal
    aspect = generator.uniform(*config.aspect)
    angle = generator.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = radius * turn @ np.diag([1.0, aspect])
    return [ring @ stretch.T + np.array(middle) for ring in rings]


def _ring(
    config: api.GeneratorConfig, is_smooth: bool, generator: np.random.Generator
) -> np.ndarray:
    """Returns a ring [n, 2] within the circle of radius 1."""
    count = generator.integers(*config.num_corners, endpoint=True)
    # One corner in each sector, so that the ring never meets itself.
    angles = (np.arange(count) + generator.uniform(0.2, 0.8, count)) * (2 * math.pi / count)
    radii = 1 - generator.uniform(*config.indentation) * generator.random(count)
    ring = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    raggedness = generator.uniform(*config.raggedness)
    for _ in range(_ROUNDS):
        following = _turned(ring)
        if is_smooth:  # cut the corners
            first, second = 0.75 * ring + 0.25 * following, 0.25 * ring + 0.75 * following
        else:  # move the middles of the edges
            edge = following - ring
            aside = raggedness * generator.uniform(-1, 1, (len(ring), 1)) * edge[:, ::-1] * (-1, 1)
            first, second = ring, ring + edge / 2 + aside
        ring = np.concatenate([first, second], axis=1).reshape(-1, 2)
    return ring / max(np.hypot(*ring.T).max(), 1)


def _turned(ring: np.ndarray) -> np.ndarray:
    """Returns the ring from its second point on; many times faster than `np.roll`."""
    return np.concatenate([ring[1:], ring[:1]])


def densified(ring: np.ndarray, spacing: float) -> np.ndarray:
    """Returns the ring with more points on its edges, at most `spacing` pixels apart."""
    edges = _turned(ring) - ring
    counts = np.maximum(np.ceil(np.hypot(*edges.T) / spacing), 1).astype(np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    shares = (np.arange(len(starts)) - starts) / np.repeat(counts, counts)
    return np.repeat(ring, counts, axis=0) + shares[:, None] * np.repeat(edges, counts, axis=0)


def bounding_box(rings: list[np.ndarray], margin: int, size: tuple[int, int]) -> Box:
    """Returns the part of a picture of `size` (height, width) that the rings may touch."""
    points = np.concatenate(rings)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    height, width = size
    return (
        max(math.floor(left) - margin, 0),
        max(math.floor(top) - margin, 0),
        min(math.ceil(right) + margin + 1, width),
        min(math.ceil(bottom) + margin + 1, height),
    )


def coverage(rings: list[np.ndarray], box: Box) -> np.ndarray:
    """Returns the share of each pixel of a box that is inside, float32 [height, width].

    Inside is what lies within an odd number of rings.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    fine = np.zeros((height * _SAMPLES, width * _SAMPLES), np.uint8)
    # A pixel reaches half a pixel to each side of its middle.
    corner = np.array([left, top]) - 0.5
    scale = 2**_FRACTION_BITS
    points = [
        np.rint(((ring - corner) * _SAMPLES - 0.5) * scale).astype(np.int32) for ring in rings
    ]
    cv2.fillPoly(fine, points, 255, shift=_FRACTION_BITS)
    shares = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return shares.astype(np.float32) * np.float32(1 / 255)
