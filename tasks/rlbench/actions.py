# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From gripper poses to PerAct's discrete actions, and back.

A position becomes the index of a voxel. A rotation becomes three angles, about the fixed
axes x, y and z in this order, in 72 bins of 5 degrees that begin at -180.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from perceiver_bench import api

BOUNDS = (-0.3, -0.5, 0.6, 0.7, 0.5, 1.6)
"""PerAct's workspace: the lowest x, y, z, then the highest, metres."""

DEGREES = 5
NUM_BINS = 360 // DEGREES
# As in the original code, so that positions on the boundary of two voxels fall alike.
_TINY = 1e-12
_GIMBAL_LOCK = 1e-7


def checked_bounds(bounds: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and the highest position, each [3].

    Raises:
        UserError: if they are no six finite numbers, the lower below the higher.
    """
    array = np.asarray(bounds, np.float64)
    if array.shape != (6,) or not np.isfinite(array).all() or np.any(array[:3] >= array[3:]):
        raise api.UserError(
            f"bounds={np.asarray(bounds).tolist()}: six numbers are due, the lowest x, y, z and"
            " then the highest"
        )
    return array[:3], array[3:]


def voxel_of(position: np.ndarray, bounds: Sequence[float] | np.ndarray, size: int) -> np.ndarray:
    """Returns the index of the voxel that a position is in, int32 [3].

    Args:
        position: [3], metres.
        bounds: [6].
        size: the number of voxels along each axis.

    Raises:
        UserError: if the position is out of bounds.
    """
    low, high = checked_bounds(bounds)
    if not np.all((position >= low) & (position <= high)):
        raise api.UserError(
            f"the gripper's position {np.round(position, 4).tolist()} is out of"
            f" bounds={[*low.tolist(), *high.tolist()]}"
        )
    width = (high - low) / (size + _TINY)
    index = np.floor((position - low) / (width + _TINY))
    return np.minimum(index, size - 1).astype(np.int32)


def position_of(voxel: np.ndarray, bounds: Sequence[float] | np.ndarray, size: int) -> np.ndarray:
    """Returns the middle of a voxel, [3], metres; the arguments are those of `voxel_of`."""
    low, high = checked_bounds(bounds)
    return low + (high - low) / size * (np.asarray(voxel) + 0.5)


def bins_of(quaternion: np.ndarray) -> np.ndarray:
    """Returns the bins of a rotation's three angles, int32 [3].

    In gimbal lock, where the first and the third axis fall together, the third angle is 0.

    Args:
        quaternion: [4] as (x, y, z, w), of any length but 0.
    """
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    # SciPy's formula. It warns of gimbal lock, where nothing is wrong.
    half_sum, half_difference = np.arctan2(x + z, w - y), np.arctan2(z - x, w + y)
    second = 2 * np.arctan2(np.hypot(w + y, z - x), np.hypot(w - y, x + z))
    if second < _GIMBAL_LOCK:
        first, third = 2 * half_sum, 0.0
    elif second > np.pi - _GIMBAL_LOCK:
        first, third = -2 * half_difference, 0.0
    else:
        first, third = half_sum - half_difference, half_sum + half_difference
    degrees = np.degrees([first, second - np.pi / 2, third])
    degrees = (degrees + 180) % 360
    return (np.rint(degrees / DEGREES) % NUM_BINS).astype(np.int32)


def quaternion_of(bins: np.ndarray) -> np.ndarray:
    """Returns the rotation of the middles of three bins, [4] as (x, y, z, w), w not negative."""
    quaternion = Rotation.from_euler(
        "xyz", np.asarray(bins) * DEGREES - 180, degrees=True
    ).as_quat()
    return quaternion if quaternion[3] >= 0 else -quaternion


def action_of(
    pose: np.ndarray, gripper_open: bool, bounds: Sequence[float] | np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Returns the action that reaches a pose.

    `translation` int32 [3] is the voxel, and `rotation_grip` int32 [4] are the three bins and
    1 for an open gripper.

    Args:
        pose: [7], position in metres and quaternion (x, y, z, w).
        gripper_open: whether the gripper is open there.
        bounds: [6].
        size: the number of voxels along each axis.

    Raises:
        UserError: if the position is out of bounds.
    """
    bins = bins_of(pose[3:])
    return {
        "translation": voxel_of(pose[:3], bounds, size),
        "rotation_grip": np.array([*bins, gripper_open], np.int32),
    }


def pose_of(
    translation: np.ndarray,
    rotation_grip: np.ndarray,
    bounds: Sequence[float] | np.ndarray,
    size: int,
) -> np.ndarray:
    """Returns the pose [7] that an action stands for: the middles of its voxel and its bins."""
    position = position_of(translation, bounds, size)
    return np.concatenate([position, quaternion_of(rotation_grip[:3])])
