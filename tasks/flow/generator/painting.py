# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Paints textures that have something to see at every scale, where there are no photographs."""

import math

import cv2
import numpy as np

SIDE = 448


def paint(generator: np.random.Generator) -> np.ndarray:
    """Paints a texture uint8 [SIDE, SIDE, 3].

    Two of marble, stripes, leaves, cells, bricks and strokes, one where a noise is high and
    the other where it is low, both under shade of every scale.
    """
    kinds = (_marble, _stripes, _leaves, _cells, _bricks, _strokes)
    one, other = generator.choice(len(kinds), 2, replace=False)
    image = kinds[one](generator)
    is_other = _noise(generator, 2.0) > generator.uniform(0.4, 1.2)
    image[is_other] = kinds[other](generator)[is_other]
    image = cv2.GaussianBlur(image, (3, 3), 0.7)  # edges of the width a lens would give them
    strength = generator.uniform(0.1, 0.6)
    shade = np.exp(strength * _noise(generator, generator.uniform(0.8, 1.6)))
    grain = generator.uniform(1, 8) * generator.standard_normal((SIDE, SIDE), np.float32)
    shaded = image * shade[..., None] + grain[..., None]
    return np.clip(np.rint(shaded), 0, 255).astype(np.uint8)


def _noise(generator: np.random.Generator, exponent: float) -> np.ndarray:
    """Returns noise float32 [SIDE, SIDE] of mean 0 and deviation 1, of octaves.

    An octave has half the scale of the one before and 2^-`exponent` times its amplitude.
    """
    total = np.zeros((SIDE, SIDE), np.float32)
    cells, amplitude = 4, 1.0
    while cells <= SIDE:
        values = np.float32(amplitude) * generator.standard_normal((cells, cells), np.float32)
        total += cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        cells, amplitude = 2 * cells, amplitude * 2**-exponent
    return (total - total.mean()) / total.std()


def _colours(generator: np.random.Generator, count: int) -> np.ndarray:
    """Draws colours uint8 [count, 3] that go together, more different in light than in tint."""
    tint = generator.uniform(-60, 60, 3)
    light = generator.uniform(10, 245, (count, 1))
    own = generator.normal(0, generator.uniform(5, 60), (count, 3))
    return np.clip(light + tint + own, 0, 255).astype(np.uint8)


def _coloured(field: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns the colours of a scale for the values of a field, [-2, 2] being all of it."""
    few = _colours(generator, int(generator.integers(3, 9)))
    scale = cv2.resize(few[None], (256, 1), interpolation=cv2.INTER_LINEAR)
    levels = np.clip((field + 2) * 63.75, 0, 255).astype(np.uint8)
    return scale[0][levels]


def _plane(generator: np.random.Generator, least: float, most: float) -> np.ndarray:
    """Returns waves' phase over a plane, for a length of `least` to `most` pixels."""
    length = math.exp(generator.uniform(math.log(least), math.log(most)))
    angle = generator.uniform(0, 2 * math.pi)
    steps = np.arange(SIDE, dtype=np.float32) * np.float32(2 * math.pi / length)
    return steps * np.float32(math.cos(angle)) + steps[:, None] * np.float32(math.sin(angle))


def _marble(generator: np.random.Generator) -> np.ndarray:
    field = _noise(generator, generator.uniform(0.5, 1.8))
    if generator.random() < 0.5:
        field = 2 * np.sin(generator.uniform(2, 8) * field)
    return _coloured(field, generator)


def _stripes(generator: np.random.Generator) -> np.ndarray:
    bent = generator.uniform(0, 3) * _noise(generator, 1.6)
    waves = np.sin(_plane(generator, 6, 90) + bent)
    if generator.random() < 0.5:  # a check of stripes in two directions
        waves = waves * np.sin(_plane(generator, 6, 90) + bent)
    if generator.random() < 0.5:  # sharp borders
        waves = np.clip(4 * waves, -1, 1)
    return _coloured(1.7 * waves + 0.2 * _noise(generator, 0.8), generator)


def _leaves(generator: np.random.Generator) -> np.ndarray:
    """Returns ellipses and polygons upon one another, the many small ones on top."""
    image = _coloured(_noise(generator, 1.2), generator)
    colours = _colours(generator, 40)
    num_corners = int(generator.integers(3, 8))
    is_round = generator.random(400) < generator.random()
    sizes = np.sort(4 / generator.uniform(0.04, 1, 400))[::-1]
    for size, rounded in zip(sizes, is_round, strict=True):
        colour = colours[generator.integers(40)].tolist()
        middle = generator.uniform(0, SIDE, 2)
        if rounded:
            axes = (size, size * generator.uniform(0.3, 1))
            shape = (middle.tolist(), axes, generator.uniform(0, 180))
            cv2.ellipse(image, shape, colour, cv2.FILLED, cv2.LINE_AA)
        else:
            angles = np.sort(generator.uniform(0, 2 * math.pi, num_corners))
            corners = middle + size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            cv2.fillPoly(image, [(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    return image


def _cells(generator: np.random.Generator) -> np.ndarray:
    """Returns the cells that are nearest to one of some points, darker towards their borders."""
    count = int(math.exp(generator.uniform(math.log(30), math.log(2000))))
    is_free = np.ones((SIDE, SIDE), np.uint8)
    is_free.reshape(-1)[generator.choice(SIDE * SIDE, count, replace=False)] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        is_free, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    image = _colours(generator, count + 1)[labels.astype(np.int64)]
    dark = generator.uniform(0, 0.7) * np.minimum(distance * (math.sqrt(count) / SIDE), 1)
    return (image * (1 - dark[..., None])).astype(np.uint8)


def _bricks(generator: np.random.Generator) -> np.ndarray:
    """Returns a wall of coloured bricks, seen from aslant."""
    rows, columns = generator.integers(6, 50, 2)
    wall = _colours(generator, rows * columns).reshape(rows, columns, 3)
    wall = cv2.resize(wall, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    mortar = _colours(generator, 1)[0]
    thickness = int(generator.integers(0, 4))
    for line in range(thickness):
        wall[np.linspace(line, SIDE - 1, rows, endpoint=False).astype(int)] = mortar
        wall[:, np.linspace(line, SIDE - 1, columns, endpoint=False).astype(int)] = mortar
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    moved = corners + generator.uniform(-0.2, 0.2, (4, 2)).astype(np.float32) * SIDE
    aslant = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(wall, aslant, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)


def _strokes(generator: np.random.Generator) -> np.ndarray:
    """Returns lines of every thickness, as of branches, grass or writing."""
    image = _coloured(_noise(generator, 1.5), generator)
    colours = _colours(generator, 20)
    for _ in range(150):
        steps = generator.normal(0, generator.uniform(5, 40), (6, 2)) + generator.normal(0, 15, 2)
        points = generator.uniform(0, SIDE, 2) + np.cumsum(steps, axis=0)
        thickness = int(1 + generator.exponential(2))
        colour = colours[generator.integers(20)].tolist()
        cv2.polylines(
            image, [(points * 16).astype(np.int32)], False, colour, thickness, cv2.LINE_AA, 4
        )
    return image
