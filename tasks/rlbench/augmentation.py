# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Turns and shifts a scene together with the action in it (PerAct, section 3.2).

The scene turns about the vertical axis through the position that the gripper is to reach, in
steps of 5 degrees, and is then shifted.

The original code turns the points about the axis of the world, and the gripper about its own.
The two agree where the gripper points straight down or up; elsewhere points and action come
apart. Here both turn about the axis of the world.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from perceiver_bench import api

from .actions import DEGREES, action_of, checked_bounds

MAX_SHIFT = 0.125
"""Of the extent of the bounds along each axis, to either side; 12.5 cm in PerAct."""

MAX_YAW = 45
"""Degrees, to either side."""


@dataclasses.dataclass(frozen=True)
class Motion:
    """A turn about a vertical axis, then a shift.

    Attributes:
        centre: [3], a position on the axis, metres.
        yaw: degrees, counterclockwise as seen from above.
        shift: [3], metres.
    """

    centre: np.ndarray
    yaw: float
    shift: np.ndarray

    @property
    def _turn(self) -> Rotation:
        return Rotation.from_euler("z", self.yaw, degrees=True)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Returns where points [..., 3] come to lie, of the same type, metres."""
        # In their own precision: a scene has tens of thousands of points.
        matrix = self._turn.as_matrix()
        offset = self.centre + self.shift - matrix @ self.centre
        return points @ matrix.T.astype(points.dtype) + offset.astype(points.dtype)

    def pose(self, pose: np.ndarray) -> np.ndarray:
        """Returns where a pose [7] comes to lie."""
        quaternion = (self._turn * Rotation.from_quat(pose[3:])).as_quat()
        return np.concatenate([self.points(pose[:3]), quaternion])

    def inverse(self) -> "Motion":
        """Returns the motion that undoes this one."""
        return Motion(self.centre + self.shift, -self.yaw, -self.shift)


def draw_motion(
    position: np.ndarray,
    bounds: Sequence[float] | np.ndarray,
    generator: np.random.Generator,
    *,
    max_shift: float = MAX_SHIFT,
    max_yaw: float = MAX_YAW,
) -> Motion:
    """Returns a random motion about a position that leaves it within bounds.

    The shift is uniform among those that do so: what the original reaches by drawing again,
    but for shifts beyond the upper bounds, which it cuts off there.

    Args:
        position: [3], within bounds, metres.
        bounds: [6], metres.
        generator: of random numbers.
        max_shift: to either side, of the extent of the bounds along each axis.
        max_yaw: to either side, degrees; the yaw is a multiple of 5.
    """
    low, high = checked_bounds(bounds)
    reach = max_shift * (high - low)
    shift = generator.uniform(
        np.maximum(-reach, low - position), np.minimum(reach, high - position)
    )
    # Rounding must not lead out of bounds.
    shift = np.clip(position + shift, low, high) - position
    num_steps = int(max_yaw // DEGREES)
    yaw = DEGREES * int(generator.integers(-num_steps, num_steps, endpoint=True))
    return Motion(position, yaw, shift)


def augmented(
    example: api.Example,
    generator: np.random.Generator,
    *,
    bounds: Sequence[float] | np.ndarray,
    size: int,
    max_shift: float = MAX_SHIFT,
    max_yaw: float = MAX_YAW,
) -> api.Example:
    """Returns an example of `examples_of` whose points and action have moved together.

    The other arguments are those of `draw_motion`, and of `action_of` for the new action.
    """
    pose = example["gripper_pose"]
    motion = draw_motion(pose[:3], bounds, generator, max_shift=max_shift, max_yaw=max_yaw)
    return moved(example, motion, bounds=bounds, size=size)


def moved(
    example: api.Example, motion: Motion, *, bounds: Sequence[float] | np.ndarray, size: int
) -> api.Example:
    """Returns an example after a motion.

    Raises:
        UserError: if the action is out of bounds after it.
    """
    pose = motion.pose(example["gripper_pose"])
    return {
        **example,
        "points": motion.points(example["points"]),
        "gripper_pose": pose,
        **action_of(pose, bool(example["rotation_grip"][3]), bounds, size),
    }
