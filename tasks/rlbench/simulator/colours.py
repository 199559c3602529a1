# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The colours that instructions name, and those of the scene."""

Colour = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (0.88, 0.10, 0.10),
    "green": (0.10, 0.62, 0.16),
    "blue": (0.12, 0.24, 0.90),
    "yellow": (0.98, 0.86, 0.10),
    "magenta": (0.86, 0.12, 0.72),
    "cyan": (0.10, 0.80, 0.86),
}
"""Six of RLBench's twenty, far apart in hue. Variations count in this order."""

NAMES = tuple(COLOURS)

WOOD: tuple[Colour, ...] = (
    (0.80, 0.64, 0.43),
    (0.77, 0.61, 0.40),
    (0.82, 0.66, 0.45),
    (0.78, 0.62, 0.42),
    (0.81, 0.65, 0.44),
)
FLOOR: Colour = (0.70, 0.71, 0.72)
WALL: Colour = (0.55, 0.66, 0.70)
WHITE: Colour = (0.93, 0.93, 0.92)
GREY: Colour = (0.58, 0.59, 0.61)
DARK: Colour = (0.16, 0.17, 0.19)
