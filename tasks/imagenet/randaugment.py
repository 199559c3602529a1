# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RandAugment: a few random operations of one magnitude (Cubuk et al., arXiv:1909.13719).

The table below is that of the original training code, which always applies what it draws.
Its magnitude 5, the published one, leaves colour, contrast, brightness and sharpness as they
are: their factor there is 1. At magnitude 10 solarize changes nothing, as in Pillow; there
the original code's threshold of 256 does not fit into a byte, and everything is inverted.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from perceiver_bench import api

from . import operations

_MAX_MAGNITUDE = 10


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of the table.

    Attributes:
        apply: takes the image and what `argument` gives.
        argument: the argument of a magnitude as a share of the greatest, 0 to 1; None for an
            operation without one.
        is_signed: whether the argument is negated in half of the cases.
        is_random: whether `apply` also takes a generator.
    """

    apply: Callable[..., np.ndarray]
    argument: Callable[[float], float] | None = None
    is_signed: bool = False
    is_random: bool = False


def _enhancement(share: float) -> float:
    return share * 1.8 + 0.1


def _shear(share: float) -> float:
    return share * 0.3


def _distance(share: float) -> float:
    return share * 100.0


OPERATIONS = {
    "AutoContrast": Operation(operations.autocontrast),
    "Equalize": Operation(operations.equalize),
    "Invert": Operation(operations.invert),
    "Rotate": Operation(operations.rotate, lambda share: share * 30.0, is_signed=True),
    "Posterize": Operation(operations.posterize, lambda share: int(share * 4)),
    "Solarize": Operation(operations.solarize, lambda share: int(share * 256)),
    "Color": Operation(operations.color, _enhancement),
    "Contrast": Operation(operations.contrast, _enhancement),
    "Brightness": Operation(operations.brightness, _enhancement),
    "Sharpness": Operation(operations.sharpness, _enhancement),
    "ShearX": Operation(operations.shear_x, _shear, is_signed=True),
    "ShearY": Operation(operations.shear_y, _shear, is_signed=True),
    "TranslateX": Operation(operations.translate_x, _distance, is_signed=True),
    "TranslateY": Operation(operations.translate_y, _distance, is_signed=True),
    "Cutout": Operation(operations.cutout, lambda share: int(share * 40), is_random=True),
    "SolarizeAdd": Operation(operations.solarize_add, lambda share: int(share * 110)),
}
"""The operations by name. Arguments are in degrees, bits, grey values, factors and pixels."""


def distort(
    pixels: np.ndarray, num_layers: int, magnitude: float, generator: np.random.Generator
) -> np.ndarray:
    """Returns an image uint8 [H, W, 3] changed by `num_layers` random operations in turn.

    Each is any of the table with the same probability, the same one twice too.

    Raises:
        UserError: for a magnitude that is not from 0 to 10.
    """
    if not 0 <= magnitude <= _MAX_MAGNITUDE:
        raise api.UserError(
            f"data.augmentation.randaugment_magnitude is {magnitude}; "
            f"give one from 0 to {_MAX_MAGNITUDE}"
        )
    table = tuple(OPERATIONS.values())
    pixels = np.ascontiguousarray(pixels)
    for index in generator.integers(len(table), size=num_layers):
        pixels = _apply(table[index], pixels, magnitude / _MAX_MAGNITUDE, generator)
    return pixels


def _apply(
    operation: Operation, pixels: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    arguments: list = []
    if operation.argument is not None:
        argument = operation.argument(share)
        is_negated = operation.is_signed and generator.random() < 0.5
        arguments.append(-argument if is_negated else argument)
    if operation.is_random:
        arguments.append(generator)
    return operation.apply(pixels, *arguments)
