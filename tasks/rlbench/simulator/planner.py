# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Which poses the gripper can take, and the straight lines that lead to them."""

import numpy as np
from scipy.spatial.transform import Rotation

from perceiver_bench import api

from . import scene

WORKSPACE = np.array([[-0.3, -0.5, 0.6], [0.7, 0.5, 1.6]])
"""The lowest and the highest position, PerAct's bounds."""

# Fingertips may press on the table by this much; deeper is not reachable.
_PRESSING = 0.02
# The fingers may point up to 20 degrees above the horizontal: an arm comes from above.
_HIGHEST_APPROACH = 0.35
# So near, a straight line is as safe as a way through the lift height.
_NEARBY = 0.05


def checked(pose: np.ndarray) -> np.ndarray:
    """Returns a pose [7] in float64 with a quaternion of unit length.

    Raises:
        UserError: if it has another shape, holds what is no number, or the quaternion is 0.
    """
    pose = np.asarray(pose, np.float64)
    if pose.shape != (7,) or not np.isfinite(pose).all():
        raise api.UserError(f"a gripper pose has to be 7 finite numbers, got {pose.tolist()}")
    length = np.linalg.norm(pose[3:])
    if length < 1e-6:
        raise api.UserError("the quaternion (x, y, z, w) of a gripper pose may not be 0")
    return np.concatenate([pose[:3], pose[3:] / length])


def is_reachable(pose: np.ndarray) -> bool:
    """Says whether the gripper can take a pose [7]: inside the workspace and from above."""
    low, high = WORKSPACE
    inside = bool(np.all(pose[:3] >= low) and np.all(pose[:3] <= high))
    approach = Rotation.from_quat(pose[3:]).as_matrix()[2, 2]
    is_above = pose[2] >= scene.TABLE_HEIGHT - _PRESSING
    return inside and is_above and bool(approach <= _HIGHEST_APPROACH)


def path(start: np.ndarray, end: np.ndarray, lift_height: float, straight: bool) -> np.ndarray:
    """Returns the corners of the way between two poses, [corners, 7], without the start.

    Unless it is to be `straight` or is short, the way goes up to the lift height, across,
    where the gripper turns, and down.
    """
    across = np.linalg.norm(end[:2] - start[:2])
    if straight or across < _NEARBY:
        return end[None]
    above_start, above_end = start.copy(), end.copy()
    above_start[2] = max(start[2], min(lift_height, WORKSPACE[1, 2]))
    above_end[2] = max(end[2], min(lift_height, WORKSPACE[1, 2]))
    corners = np.stack([above_start, above_end, end])
    steps = np.linalg.norm(np.diff(corners[:, :3], axis=0, prepend=start[None, :3]), axis=1)
    turns = np.array([False, True, False])
    return corners[(steps > 1e-3) | turns]
