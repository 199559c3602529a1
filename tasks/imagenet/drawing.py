# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Draws small pictures of ten kinds, which differ in shape, texture or number of colours.

Places, sizes and colours are random. The mean colour of a picture is drawn before all else, so
that it tells nothing of the kind. Figures are lighter than their ground in three quarters of
the pictures: were it half of them, no sum over pixels would tell kinds apart, and a network that
has to learn where its inputs are would have nothing to begin with.
"""

import numpy as np

KINDS = (
    *("disc", "ring", "triangle", "cross", "dots", "horizontal stripes", "vertical stripes"),
    *("checkerboard", "patchwork", "halves"),
)
"""What is drawn, in the order of the labels."""

_MAX_ROTATION = np.radians(6)
_LIGHT_SHARE = 0.75
_NOISE = 5.0


def draw(kind: str, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a picture, uint8 [height, width, 3], of one of `KINDS`.

    What tells the kind lies within the central square of 7/8 of the shorter side.
    """
    side = min(height, width)
    mean_colour = rng.uniform(100, 156, 3)
    contrast = rng.uniform(80, 130)
    centre = rng.uniform(-0.04, 0.04, 2)
    # In shorter sides, from a point near the middle, slightly turned.
    y, x = np.meshgrid(
        (np.arange(height) + 0.5 - height / 2) / side - centre[0],
        (np.arange(width) + 0.5 - width / 2) / side - centre[1],
        indexing="ij",
    )
    angle = rng.uniform(-_MAX_ROTATION, _MAX_ROTATION)
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    picture = np.zeros((height, width, 3))
    for distance in _distances(kind, x, y, rng):
        # A pixel on an edge takes a share of both colours.
        share = np.clip(0.5 - distance * side, 0, 1)
        colour = rng.uniform(-1, 1, 3)
        if (colour.sum() > 0) != (rng.random() < _LIGHT_SHARE):
            colour = -colour
        picture += share[..., None] * colour / np.abs(colour).max()
    picture *= contrast / np.ptp(picture, axis=(0, 1)).max()
    picture += mean_colour - picture.mean((0, 1))
    picture += rng.normal(0, _NOISE, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _distances(
    kind: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Returns the layers of a picture: a colour is added to what lies in each.

    A layer is the signed distance to its edge, in shorter sides and negative inside, at all
    points (x, y).
    """
    match kind:
        case "disc":
            return [np.hypot(x, y) - rng.uniform(0.2, 0.3)]
        case "ring":
            radius, half_width = rng.uniform(0.2, 0.27), rng.uniform(0.04, 0.06)
            return [np.abs(np.hypot(x, y) - radius) - half_width]
        case "triangle":
            inner_radius = rng.uniform(0.15, 0.19)
            y = y - inner_radius / 2  # so that it reaches as far up as down
            sides = [np.sin(turn) * x + np.cos(turn) * y for turn in np.radians([0, 120, 240])]
            return [np.max(sides, axis=0) - inner_radius]
        case "cross":
            length, half_width = rng.uniform(0.25, 0.32), rng.uniform(0.05, 0.08)
            x, y = np.abs(x), np.abs(y)
            upright = np.maximum(x - half_width, y - length)
            return [np.minimum(upright, np.maximum(x - length, y - half_width))]
        case "halves":
            return [y]
    # The others fill the picture.
    match kind:
        case "dots":
            period = rng.uniform(0.3, 0.34)
            return [np.hypot(_from_middle(x, period), _from_middle(y, period)) - 0.3 * period]
        case "horizontal stripes":
            return [_stripes(y, rng.uniform(0.3, 0.36))]
        case "vertical stripes":
            return [_stripes(x, rng.uniform(0.3, 0.36))]
        case "checkerboard":
            period = rng.uniform(0.46, 0.54)
            rows, columns = _stripes(y, period), _stripes(x, period)
            # Inside of one of them alone.
            return [np.maximum(np.minimum(rows, columns), -np.maximum(rows, columns))]
        case "patchwork":
            side = rng.uniform(0.2, 0.24)
            row, column = np.floor(y / side).astype(int), np.floor(x / side).astype(int)
            # Squares in one of four colours: in both layers, in one of them, or in none.
            return [rng.choice((-1.0, 1.0), (32, 32))[row, column] for _ in range(2)]
    raise ValueError(kind)


def _stripes(position: np.ndarray, period: float) -> np.ndarray:
    return np.abs(_from_middle(position, period)) - period / 4


def _from_middle(position: np.ndarray, period: float) -> np.ndarray:
    """Returns the signed distance to the nearest multiple of `period`."""
    return (position + period / 2) % period - period / 2
