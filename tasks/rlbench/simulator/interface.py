# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What every simulator gives and takes: keyframe actions in, RGB-D observations out.

Positions are in metres in RLBench's world frame (x away from the robot, y to its left, z up,
the table top at 0.75); quaternions are (x, y, z, w). A pose is that of the gripper's tip, the
point between the fingertips: its z axis points where the fingers point, and they open along
its y axis.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np

from ..cameras import Camera

Cause = Literal["planner", "wrong object", "time"]
"""Why an episode failed: a pose that the planner refused, another object than the one that
the instruction names, or no success within the allowed number of keyframes."""


@dataclasses.dataclass(frozen=True)
class CameraView:
    """What a camera sees.

    Attributes:
        rgb: uint8 [H, W, 3].
        depth: float32 [H, W], metres along the optical axis; `camera.far` where nothing is
            nearer.
        camera: its numbers as RLBench stores them.
    """

    rgb: np.ndarray
    depth: np.ndarray
    camera: Camera

    @property
    def point_cloud(self) -> np.ndarray:
        """Where in the world each pixel lies, float32 [H, W, 3], metres."""
        return self.camera.points(self.depth)


@dataclasses.dataclass(frozen=True)
class Observation:
    """What is known at one moment.

    Attributes:
        cameras: a view by the name of the camera.
        gripper_pose: [7], position and quaternion of the tip.
        gripper_open: 1.0 if the fingers are open, else 0.0.
        gripper_joint_positions: [2], each finger's way from the middle, 0 to 0.04 m.
        joint_positions: [7]; of a gripper without an arm, the tip's position, its rotation
            vector and the opening in metres.
        joint_velocities: [7], the rates of `joint_positions`, near zero when it stands still.
        task_low_dim_state: [n], positions of the task's objects, for people who debug.
        ignore_collisions: whether the motion that led here went straight through.
        timestep: keyframe actions since `reset`.
    """

    cameras: Mapping[str, CameraView]
    gripper_pose: np.ndarray
    gripper_open: float
    gripper_joint_positions: np.ndarray
    joint_positions: np.ndarray
    joint_velocities: np.ndarray
    task_low_dim_state: np.ndarray
    ignore_collisions: bool
    timestep: int


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What an action led to.

    Attributes:
        observation: after the action.
        success: whether the task is done.
        terminated: whether the episode is over.
        cause: why it failed, if it is over without success.
    """

    observation: Observation
    success: bool
    terminated: bool
    cause: Cause | None


class Simulator(Protocol):
    """A table with objects and a gripper that carries out keyframe actions."""

    @property
    def tasks(self) -> Mapping[str, int]:
        """The number of variations of each task, by name."""
        ...

    @property
    def success(self) -> bool:
        """Whether the task is done now."""
        ...

    def instructions(self, task: str, variation: int) -> Sequence[str]:
        """Returns the phrasings of a variation's instruction, the main one first."""
        ...

    def reset(self, task: str, variation: int, seed: int) -> tuple[Observation, str]:
        """Sets an episode up; returns what is seen and the main phrasing of the instruction."""
        ...

    def step(self, pose: np.ndarray, gripper: bool, collision: bool) -> StepResult:
        """Moves to a pose, then opens (`gripper` true) or closes the fingers.

        Args:
            pose: [7], position and quaternion of the tip.
            gripper: whether the fingers are open afterwards.
            collision: whether to ignore collisions on the way and move straight.
        """
        ...

    def close(self) -> None:
        """Frees what the simulator holds; it cannot be used afterwards."""
        ...
