# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Moves the hand along straight lines, opens and closes the fingers, holds and lets loose.

A closed gripper holds what both of its fingers touch: a weld ties the body to the hand until
the fingers open, or until it is pulled out of its place because it cannot follow.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from .engine import mujoco
from .scene import FINGER_RANGE
from .world import World

_PERIOD = 0.01
_STEPS = 5  # of the simulation in a period
_SPEED = 0.3
_TURNING_SPEED = 2.5
_SHORTEST = 0.12
# The aim stays this near to the hand, so that what blocks it is pushed with bounded force.
_LEAD = 0.02
_LEAD_ANGLE = 0.2
# A hand that pulls with all its force gets so far, a hand that carries does not.
_SLIP = 0.0025
_OPEN = 0.9 * FINGER_RANGE
_STILL = 0.01
_GRIPPING = 0.3
_SETTLING = 0.5


class Tick(NamedTuple):
    """A moment of an action, every 10 ms of simulated time.

    Attributes:
        progress: the share of the way's time that is over; 1 once the hand has arrived.
        duration: the time of the way in seconds.
    """

    progress: float
    duration: float


class Gripper:
    """The controller of a world's gripper.

    Attributes:
        on_tick: called after every period.
    """

    def __init__(self, world: World, on_tick: Callable[[Tick], None]):
        self._world = world
        self._on_tick = on_tick
        self._duration = 0.0

    def place(self, pose: np.ndarray) -> None:
        """Puts the hand at a pose [7] at once, with open fingers."""
        data = self._world.data
        x, y, z, qx, qy, qz, qw = pose
        data.joint("hand").qpos[:] = [x, y, z, qw, qx, qy, qz]
        self._aim(pose[:3], pose[3:])
        for side in ("left", "right"):
            data.joint(f"{side}_finger").qpos[:] = FINGER_RANGE
            data.actuator(f"{side}_finger").ctrl[:] = FINGER_RANGE

    def is_open(self) -> bool:
        """Says whether both fingers are as good as fully open."""
        return bool(np.all(self.finger_positions() > _OPEN))

    def finger_positions(self) -> np.ndarray:
        """Returns each finger's way from the middle in metres, [2]."""
        return np.array([self._world.joint("left_finger"), self._world.joint("right_finger")])

    def velocities(self) -> np.ndarray:
        """Returns how fast the tip moves (m/s) and turns (rad/s) and the fingers open, [7]."""
        data = self._world.data
        opening = data.joint("left_finger").qvel[0] + data.joint("right_finger").qvel[0]
        return np.concatenate([data.joint("hand").qvel, [opening]])

    def move(self, corners: np.ndarray) -> None:
        """Moves along straight lines through poses [corners, 7], then waits for rest."""
        poses = np.concatenate([self._world.pose()[None], corners])
        steps = np.linalg.norm(np.diff(poses[:, :3], axis=0), axis=1)
        rotations = Rotation.from_quat(poses[:, 3:])
        turns = (rotations[:-1].inv() * rotations[1:]).magnitude()
        times = np.maximum(steps / _SPEED, turns / _TURNING_SPEED)
        ends = np.concatenate([[0.0], np.cumsum(np.maximum(times, 1e-3))])
        self._duration = max(float(ends[-1]), _SHORTEST)
        ends *= self._duration / ends[-1]
        ends[-1] = self._duration
        periods = int(np.ceil(self._duration / _PERIOD))
        progress = np.arange(1, periods + 1) / periods
        # Slow at the beginning and the end, 1.5 times the mean speed in the middle.
        moments = (3 * progress**2 - 2 * progress**3) * self._duration
        positions = [np.interp(moments, ends, poses[:, axis]) for axis in range(3)]
        quaternions = Slerp(ends, rotations)(moments).as_quat()
        for share, *position, quaternion in zip(progress, *positions, quaternions, strict=True):
            self._aim(np.array(position), quaternion)
            self._advance(share)
        self._rest(poses[-1])

    def open(self) -> None:
        """Lets loose and opens the fingers."""
        self._world.untie()
        self._command(FINGER_RANGE)

    def grip(self) -> None:
        """Closes the fingers and holds what both of them touch."""
        self._command(0.0)
        if self._world.held() is None:
            touched = self._world.touched_by("left_finger")
            touched &= self._world.touched_by("right_finger")
            for name in self._world.graspable:
                if name in touched:
                    self._world.tie(name)
                    break

    def wait(self, seconds: float) -> None:
        """Stands still for some simulated time."""
        for _ in range(round(seconds / _PERIOD)):
            self._advance(1.0)

    def _command(self, opening: float) -> None:
        for side in ("left", "right"):
            self._world.data.actuator(f"{side}_finger").ctrl[:] = opening
        self.wait(_GRIPPING)

    def _rest(self, pose: np.ndarray) -> None:
        """Waits until the hand stands still, at the pose or where something blocks it."""
        for _ in range(round(_SETTLING / _PERIOD)):
            self._aim(pose[:3], pose[3:])
            self._advance(1.0)
            if np.abs(self.velocities()).max() < _STILL:
                break

    def _aim(self, position: np.ndarray, quaternion: np.ndarray) -> None:
        """Sets what the hand is pulled to, near it and towards the wanted pose."""
        x, y, z, w = quaternion
        hand = self._world.data.joint("hand").qpos
        way = position - hand[:3]
        way *= min(1.0, _LEAD / max(float(np.linalg.norm(way)), 1e-9))
        turn = np.empty(3)
        mujoco.mju_subQuat(turn, np.array([w, x, y, z]), hand[3:])
        turn *= min(1.0, _LEAD_ANGLE / max(float(np.linalg.norm(turn)), 1e-9))
        aim = hand[3:].copy()
        mujoco.mju_quatIntegrate(aim, turn, 1.0)
        self._world.data.mocap_pos[0] = hand[:3] + way
        self._world.data.mocap_quat[0] = aim

    def _advance(self, progress: float) -> None:
        self._world.advance(_STEPS)
        held = self._world.held()
        if held is not None and self._world.slip(held) > _SLIP:
            self._world.untie()
        self._on_tick(Tick(progress, self._duration))
