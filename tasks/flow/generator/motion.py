# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Motions of a plane that are exact in both directions.

The flow needs the way from the first frame to the second, the picture of the second frame the
way back. Both are formulas here: a homography has an inverse, and a bend moves every point
along lines on which its own shift does not change, so it is undone by the opposite shift.
Several bends in different directions, one after the other, make a smooth non-rigid motion that
can be undone whatever its size. Nothing is solved for, and nothing interpolated.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from perceiver_bench import api

# No point of a picture is less far in front of the camera; what is behind it is never seen,
# and only has to stay finite.
_MIN_DEPTH = 1e-3


class Bend(NamedTuple):
    """A wave: points shift along its crests by `height * sin(frequency . point + phase)`.

    `frequency` (x, y) in radians a pixel; `height` in pixels along (-y, x) of the frequency.
    """

    frequency: tuple[float, float]
    phase: float
    height: float

    def shift(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns how far the points shift; the same for a point and its image."""
        across, down = self.frequency
        norm = math.hypot(across, down)
        # The sine of float32 is ten times as fast, and its error is 1e-7 of the height.
        angle = across * x + (down * y + self.phase)
        wave = np.sin(angle.astype(np.float32, copy=False))
        return wave * (-down / norm * self.height), wave * (across / norm * self.height)


@dataclasses.dataclass(frozen=True)
class Motion:
    """Where the points of the first frame are in the second: bends, then a homography [3, 3].

    Coordinates are pixels, x to the right and y down, 0 at the middle of the first pixel, in
    arrays that broadcast, of an axis or more. The results have the precision of the arguments.
    """

    homography: np.ndarray
    bends: tuple[Bend, ...] = ()

    def forward(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the points of the second frame for those of the first."""
        for bend in self.bends:
            across, down = bend.shift(x, y)
            x, y = x + across, y + down
        return _project(self.homography, x, y)

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the points of the first frame for those of the second."""
        x, y = _project(np.linalg.inv(self.homography), x, y)
        for bend in reversed(self.bends):
            across, down = bend.shift(x, y)
            x, y = x - across, y - down
        return x, y


def _project(homography: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Python's numbers leave the precision of the arrays as it is.
    (a, b, c), (d, e, f), (g, h, i) = homography.tolist()
    # In place, for most of the time goes into new memory.
    depth = g * x + (h * y + i)
    np.maximum(depth, _MIN_DEPTH, out=depth)
    new_x, new_y = a * x + (b * y + c), d * x + (e * y + f)
    new_x /= depth
    new_y /= depth
    return new_x, new_y


def either_way(span: tuple[float, float], generator: np.random.Generator) -> float:
    """Returns a number of the range with a random sign."""
    return generator.uniform(*span) * (1 if generator.random() < 0.5 else -1)


def draw_motion(
    config: api.GeneratorConfig,
    middle: tuple[float, float],
    diagonal: float,
    strength: float,
    generator: np.random.Generator,
) -> Motion:
    """Draws a motion about `middle` (x, y) in pixels, with all its ranges times `strength`."""

    def draw(span: tuple[float, float]) -> float:
        return strength * either_way(span, generator)

    low, high = config.translation
    distance = low + (high - low) * generator.random() ** config.translation_power
    across, down = _direction(generator) * (strength * distance * diagonal)
    angle = math.radians(draw(config.rotation))
    size = 1 + draw(config.scaling)
    shear = draw(config.shear)
    slant = _direction(generator) * (draw(config.perspective) / diagonal)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    affine = np.eye(3)
    affine[:2, :2] = size * turn @ np.array([[1, shear], [0, 1]])
    tilted = np.eye(3)
    tilted[2, :2] = slant
    x, y = middle
    homography = _shifted(x + across, y + down) @ affine @ tilted @ _shifted(-x, -y)
    bends = []
    if generator.random() < config.deformation_probability:
        for _ in range(generator.integers(*config.num_waves, endpoint=True)):
            length = generator.uniform(*config.wave_length) * diagonal
            waves = _direction(generator) * (2 * math.pi / length)
            height = draw(config.wave_height) * length
            phase = generator.uniform(0, 2 * math.pi)
            bends.append(Bend((float(waves[0]), float(waves[1])), phase, height))
    return Motion(homography, tuple(bends))


def _direction(generator: np.random.Generator) -> np.ndarray:
    angle = generator.uniform(0, 2 * math.pi)
    return np.array([math.cos(angle), math.sin(angle)])


def _shifted(across: float, down: float) -> np.ndarray:
    return np.array([[1, 0, across], [0, 1, down], [0, 0, 1]], np.float64)
