# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where RLBench's five cameras stand, and the rays of their pixels.

The numbers are those that RLBench writes into its episodes. Its principal point is half the
size of the picture, so the ray of pixel (0, 0) is the corner and not the middle of a pixel.
What is rendered here is rendered so, and its points are exact.
"""

import dataclasses
import math

import numpy as np

from ..cameras import Camera


@dataclasses.dataclass(frozen=True)
class Placement:
    """How a camera is placed in the scene.

    Attributes:
        field_of_view: degrees, of the whole height.
        far: metres.
        position: in the world, or for the wrist camera in the frame of the gripper's tip.
        left: the camera's x axis in that frame.
        up: the camera's y axis in that frame.
        body: what it is fixed to.
    """

    field_of_view: float
    far: float
    position: tuple[float, float, float]
    left: tuple[float, float, float]
    up: tuple[float, float, float]
    body: str = "world"


NEAR = 0.01
_SIN, _COS = math.sin(math.radians(25)), math.cos(math.radians(25))
_SIDE, _AHEAD = math.sin(math.radians(10)), math.cos(math.radians(10))
_TILT = math.radians(5)

CAMERAS = {
    "left_shoulder": Placement(
        40, 3.2, (-0.175, 0.2, 1.98), (_SIDE, _AHEAD, 0), (_COS * _AHEAD, -_COS * _SIDE, _SIN)
    ),
    "right_shoulder": Placement(
        40, 3.2, (-0.175, -0.2, 1.98), (-_SIDE, _AHEAD, 0), (_COS * _AHEAD, _COS * _SIDE, _SIN)
    ),
    "overhead": Placement(40, 3.3, (-0.175, 0.0, 2.43), (0, 1, 0), (_COS, 0, _SIN)),
    "wrist": Placement(
        60,
        3.5,
        (-0.05, 0.002, -0.092),
        (0, 1, 0),
        (-math.cos(_TILT), 0, math.sin(_TILT)),
        body="hand",
    ),
    "front": Placement(40, 4.5, (1.35, 0.0, 1.58), (0, -1, 0), (-_SIN, 0, _COS)),
}
"""The cameras by name, in RLBench's order."""

_DOWN = 0.44
_LENGTH = math.hypot(0.84, 0.54)
_RIGHT = (0.54 / _LENGTH, 0.84 / _LENGTH)
_FLAT = math.sqrt(1 - _DOWN**2)

AUDIENCE = "audience"
"""The camera of videos, which no observation has: nearer, and from the side."""

PLACED = {
    **CAMERAS,
    AUDIENCE: Placement(
        38,
        5.0,
        (1.12, -0.60, 1.42),
        (-_RIGHT[0], -_RIGHT[1], 0),
        (-_RIGHT[1] * _DOWN, _RIGHT[0] * _DOWN, _FLAT),
    ),
}
"""All cameras of the scene."""


def camera(placement: Placement, size: int, position: np.ndarray, rotation: np.ndarray) -> Camera:
    """Returns a placed camera in RLBench's numbers, for square pictures of `size` pixels.

    Args:
        placement: how it is placed.
        size: height and width of its pictures.
        position: [3], where it is now.
        rotation: [3, 3], whose columns are MuJoCo's axes of the camera: right, up, backwards.
    """
    focal_length = size / 2 / math.tan(math.radians(placement.field_of_view) / 2)
    middle = size / 2
    extrinsics = np.eye(4)
    extrinsics[:3, :3] = rotation * [-1.0, 1.0, -1.0]
    extrinsics[:3, 3] = position
    return Camera(
        intrinsics=np.array(
            [[-focal_length, 0.0, middle], [0.0, -focal_length, middle], [0.0, 0.0, 1.0]]
        ),
        extrinsics=extrinsics,
        near=NEAR,
        far=placement.far,
    )


def rays(placement: Placement, size: int) -> np.ndarray:
    """Returns the rays of all pixels in MuJoCo's frame of the camera, [H, W, 3].

    They are not of unit length: each reaches depth 1.
    """
    scale = 2 * math.tan(math.radians(placement.field_of_view) / 2) / size
    steps = (np.arange(size) - size / 2) * scale
    across, down = np.meshgrid(steps, steps)
    return np.stack([across, -down, np.full_like(across, -1.0)], axis=-1)
