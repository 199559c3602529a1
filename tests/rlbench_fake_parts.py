# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of a fake RLBench: errors, settings, tasks, action modes, over a point robot.

Recorded from stepjam/RLBench (TaskEnvironment of commit daf980e, Scene of 446ad18, the action
modes of 085ce86), from copies of MohitShridhar/RLBench's branch `peract` (chenyt31/RLBench,
mlzxy/RLBench and YinpeiDai/RLBench), and from stepjam/PyRep. What the real classes refuse these
refuse, with the same errors.
"""

import enum

import numpy as np

CAMERAS = ("left_shoulder", "right_shoulder", "overhead", "front", "wrist")
NEAR, FAR = 0.01, 3.2
START = np.array([0.28, 0.0, 1.47, 0.0, 1.0, 0.0, 0.0])
WORKSPACE = np.array([[-0.27, -0.65, 0.752], [0.77, 0.65, 1.752]])
OUT_OF_REACH = np.array([0.75, 0.6, 1.7])
"""Inside the workspace, and the arm is too short."""
BEHIND_WALL = np.array([0.5, -0.5, 1.0])
"""Reached in a straight line that ignores the wall; there is no way around."""


class PyRepError(Exception):
    pass


class ConfigurationPathError(Exception):
    pass


class IKError(Exception):
    pass


class InvalidActionError(Exception):
    pass


class TaskEnvironmentError(Exception):
    pass


class BoundaryError(Exception):
    pass


class RenderMode(enum.Enum):
    OPENGL = 0
    OPENGL3 = 7


class Settings:
    """Takes what `names` lists, all by name, and keeps it; `defaults` are true."""

    names = defaults = ()

    def __init__(self, **given):
        unknown = set(given) - set(self.names)
        if unknown:
            raise TypeError(f"got an unexpected keyword argument {unknown}")
        vars(self).update({name: name in self.defaults for name in self.names} | given)


class CameraConfig(Settings):
    defaults = ("rgb", "depth", "point_cloud", "mask", "masks_as_one_channel")
    names = (*defaults, "rgb_noise", "depth_noise", "image_size", "render_mode", "depth_in_meters")

    def __init__(self, **given):
        super().__init__(**{"image_size": (128, 128), "render_mode": RenderMode.OPENGL3} | given)


class ObservationConfig(Settings):
    defaults = ("joint_velocities", "joint_positions", "joint_forces", "gripper_open")
    defaults = (*defaults, "gripper_pose")
    names = (
        *defaults,
        *(f"{name}_camera" for name in ("left_shoulder", "right_shoulder", "overhead")),
        *("wrist_camera", "front_camera", "joint_velocities_noise", "joint_positions_noise"),
        *("joint_forces_noise", "gripper_matrix", "gripper_joint_positions"),
        *("gripper_touch_forces", "wrist_camera_matrix", "record_gripper_closing"),
        "task_low_dim_state",
    )


class Task:
    """A point to reach. `success` comes from conditions, and `reward` may be anything."""

    def __init__(self, pyrep, robot):
        self.pyrep, self.robot = pyrep, robot

    def variation_count(self):
        return 3

    def init_episode(self, index):
        self.target = np.random.uniform([0.1, -0.2, 0.9], [0.3, 0.2, 1.1])  # noqa: NPY002
        color = ("red", "green", "blue")[index]
        return [f"reach the {color} target", f"touch the {color} ball"]

    def success(self):
        met = np.linalg.norm(self.robot.tip[:3] - self.target) < 0.02
        return np.bool_(met), np.bool_(met)

    def reward(self):
        return None


class ReachTarget(Task):
    def reward(self):
        return -np.linalg.norm(self.robot.tip[:3] - self.target)


class BeatTheBuzz(Task):
    """Has a condition of failure: the left side of the table may not be touched."""

    def variation_count(self):
        return 1

    def success(self):
        if self.robot.tip[1] > 0.3:
            return False, True
        return super().success()


class WithoutModel(Task):
    pass


TASKS = {
    "beat_the_buzz": BeatTheBuzz,
    "reach_target": ReachTarget,
    "without_model": WithoutModel,
}


def _require(action, shape):
    if np.shape(action) != shape:
        raise InvalidActionError(f"shape {shape} expected, {np.shape(action)} given")


class EndEffectorPoseViaPlanning:
    """Stock: collisions are checked or not by the constructor's argument."""

    def __init__(self, absolute_mode=True, frame="world", collision_checking=False):
        assert absolute_mode
        assert frame == "world"
        self._collision_checking = collision_checking

    def action(self, scene, action):
        self._go(scene, action, not self._collision_checking)

    def _go(self, scene, action, ignore_collisions):
        _require(action, (7,))
        if not np.isclose(np.linalg.norm(action[3:]), 1.0):
            raise InvalidActionError("no unit quaternion")
        if not np.all((action[:3] > WORKSPACE[0]) & (action[:3] < WORKSPACE[1])):
            raise InvalidActionError("outside of the workspace")
        try:
            scene.plan(action, ignore_collisions)
        except ConfigurationPathError as error:
            raise InvalidActionError("no path") from error
        scene.robot.tip = np.array(action)

    def action_shape(self, scene):
        del scene
        return (7,)

    def set_control_mode(self, robot):
        robot.is_controlled = True


class PeractPlanning(EndEffectorPoseViaPlanning):
    """PerAct's: collisions are checked or not action by action; then any way is tried."""

    def action(self, scene, action, ignore_collisions=True):
        try:
            self._go(scene, action, ignore_collisions)
        except InvalidActionError:
            if ignore_collisions:
                raise
            self._go(scene, action, True)


class Discrete:
    def __init__(self, attach_grasped_objects=True, detach_before_open=True):
        assert attach_grasped_objects
        assert detach_before_open

    def action(self, scene, action):
        _require(action, (1,))
        scene.robot.is_open = bool(action[0] > 0.5)

    def action_shape(self, scene):
        del scene
        return (1,)


class MoveArmThenGripper:
    def __init__(self, arm_action_mode, gripper_action_mode):
        self.arm_action_mode = arm_action_mode
        self.gripper_action_mode = gripper_action_mode

    def action(self, scene, action):
        self.arm_action_mode.action(scene, np.array(action[:7]))
        self.gripper_action_mode.action(scene, np.array(action[7:]))


class PeractMoveArmThenGripper(MoveArmThenGripper):
    def action(self, scene, action):
        assert len(action) == 9
        # Of a list this is always true.
        ignore_collisions = bool(action[8:9])
        self.arm_action_mode.action(scene, np.array(action[:7]), ignore_collisions)
        self.gripper_action_mode.action(scene, np.array(action[7:8]))


class Demo:
    def __init__(self, observations, random_seed=None, num_reset_attempts=None):
        self._observations = observations
        self.random_seed = random_seed
        self.num_reset_attempts = num_reset_attempts

    def restore_state(self):
        np.random.set_state(self.random_seed)  # noqa: NPY002


class PeractDemo(Demo):
    def __init__(self, observations, random_seed=None):
        super().__init__(observations, random_seed)
