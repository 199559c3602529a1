# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench and PyRep without a simulator, installed where the real ones would be.

See `rlbench_fake_parts` for what it was recorded from.
"""

import importlib.machinery
import sys
import types

import numpy as np
import rlbench_fake_parts as parts
from perceiver_bench.tasks.rlbench.simulator import coppeliasim_install as install
from rlbench_fake_parts import CAMERAS, FAR, NEAR, START, TASKS

KINDS = ("peract", "stock")
DISPLAY = ":99"


class Scene:
    """The robot, the task and the cameras."""

    def __init__(self, fake, obs_config):
        self.robot = types.SimpleNamespace(tip=START.copy(), is_open=True, is_controlled=False)
        self.task = None
        self._fake = fake
        self._config = obs_config

    def plan(self, action, ignore_collisions):
        self._fake.paths.append(bool(ignore_collisions))
        if self._fake.fault is not None:
            raise self._fake.fault
        near = {"out": parts.OUT_OF_REACH, "wall": parts.BEHIND_WALL}
        near = {name for name, place in near.items() if np.allclose(action[:3], place)}
        if "out" in near or ("wall" in near and not ignore_collisions):
            raise parts.ConfigurationPathError("Could not create path.")

    def camera(self, name):
        return getattr(self._config, f"{name}_camera")

    def get_observation(self):
        config, fields = self._config, {}
        misc = {"variation_index": 0}
        for number, name in enumerate(CAMERAS):
            camera = self.camera(name)
            width, height = camera.image_size
            rgb = np.full((height, width, 3), 20 * number, np.uint8)
            depth = np.full((height, width), 0.25, np.float32)
            fields[f"{name}_rgb"] = rgb if camera.rgb else None
            fields[f"{name}_depth"] = depth if camera.depth else None
            if camera.rgb or camera.depth or camera.point_cloud:
                extrinsics = np.eye(4)
                extrinsics[:3, :3] = np.diag([1.0, -1.0, -1.0])
                extrinsics[:3, 3] = [0.1 * number, 0.0, 1.5]
                intrinsics = np.diag([-1.4 * width, -1.4 * height, 1.0])
                intrinsics[:2, 2] = width / 2, height / 2
                misc |= {
                    f"{name}_camera_extrinsics": extrinsics,
                    f"{name}_camera_intrinsics": intrinsics,
                    f"{name}_camera_near": NEAR,
                    f"{name}_camera_far": FAR,
                }
        way = 0.0401 if self.robot.is_open else -0.0002
        values = {
            "joint_velocities": np.zeros(7),
            "joint_positions": np.linspace(0, 1, 7),
            "joint_forces": np.zeros(7),
            "gripper_open": float(self.robot.is_open),
            "gripper_pose": np.array(self.robot.tip),
            "gripper_joint_positions": np.array([way, way]),
            "task_low_dim_state": np.array(self.task.target),
        }
        asked = {name: value if getattr(config, name) else None for name, value in values.items()}
        return types.SimpleNamespace(**fields, **asked, misc=misc)


class TaskEnvironment:
    """Stock."""

    def __init__(self, fake, scene, task, action_mode):
        self._fake, self._scene, self._task = fake, scene, task
        self._action_mode = action_mode
        self._variation_number = 0
        self._reset_called = False
        scene.task = task

    def get_name(self):
        return next(name for name, kind in TASKS.items() if isinstance(self._task, kind))

    def set_variation(self, v):
        if v >= self.variation_count():
            raise parts.TaskEnvironmentError(f"only {self.variation_count()} variations")
        self._variation_number = v

    def variation_count(self):
        return self._task.variation_count()

    def reset(self, demo=None):
        attempts = getattr(demo, "num_reset_attempts", None) or 1
        return self._begin(attempts)

    def _begin(self, attempts):
        if self._fake.placing is not None:
            raise parts.TaskEnvironmentError("Could not place the task") from self._fake.placing
        self._scene.robot.tip, self._scene.robot.is_open = START.copy(), True
        # The planner refuses scenes now and then, and others are drawn.
        for _ in range(attempts + self._fake.refused_scenes):
            descriptions = self._task.init_episode(self._variation_number)
        self._reset_called = True
        return descriptions, self._scene.get_observation()

    def step(self, action):
        if not self._reset_called:
            raise RuntimeError("Call 'reset' before calling 'step' on a task.")
        self._action_mode.action(self._scene, action)
        success, terminate = self._task.success()
        reward = self._task.reward()
        return (
            self._scene.get_observation(),
            float(success) if reward is None else reward,
            terminate,
        )

    def reset_to_demo(self, demo):
        demo.restore_state()
        self.set_variation(demo._observations[0].misc["variation_index"])
        return self.reset(demo)


class PeractTaskEnvironment(TaskEnvironment):
    def reset(self):
        return self._begin(1)

    def reset_to_demo(self, demo):
        demo.restore_state()
        return self.reset()


class Fake:
    """An installation of PerAct's branch of RLBench, or of stepjam's own.

    Attributes:
        kind: "peract" or "stock".
        paths: of every path that was asked for, whether it ignores collisions.
        events: what was started and ended.
        fault: raised by the planner.
        placing: raised when a scene is made.
        refused_scenes: how many the planner refuses at every reset.
    """

    def __init__(self, kind):
        peract = kind == "peract"
        self.kind = kind
        self.paths, self.events = [], []
        self.fault = self.placing = None
        self.refused_scenes = 0
        self._task_environment = PeractTaskEnvironment if peract else TaskEnvironment
        arm = parts.PeractPlanning if peract else parts.EndEffectorPoseViaPlanning
        mode = parts.PeractMoveArmThenGripper if peract else parts.MoveArmThenGripper
        self.contents = {
            "pyrep": {},
            "pyrep.errors": {
                "PyRepError": parts.PyRepError,
                "ConfigurationPathError": parts.ConfigurationPathError,
                "IKError": parts.IKError,
            },
            "pyrep.const": {"RenderMode": parts.RenderMode},
            "rlbench": {},
            "rlbench.backend": {},
            "rlbench.backend.exceptions": {
                "InvalidActionError": parts.InvalidActionError,
                "TaskEnvironmentError": parts.TaskEnvironmentError,
                "BoundaryError": parts.BoundaryError,
            },
            "rlbench.action_modes": {},
            "rlbench.action_modes.action_mode": {"MoveArmThenGripper": mode},
            "rlbench.action_modes.arm_action_modes": {"EndEffectorPoseViaPlanning": arm},
            "rlbench.action_modes.gripper_action_modes": {"Discrete": parts.Discrete},
            "rlbench.demo": {"Demo": parts.PeractDemo if peract else parts.Demo},
            "rlbench.environment": {"Environment": self._environment_class()},
            "rlbench.observation_config": {
                "CameraConfig": parts.CameraConfig,
                "ObservationConfig": parts.ObservationConfig,
            },
            "rlbench.tasks": {},
            **{f"rlbench.tasks.{name}": {kind.__name__: kind} for name, kind in TASKS.items()},
        }

    def _environment_class(self):
        fake = self

        class Environment(parts.Settings):
            names = ("action_mode", "dataset_root", "obs_config", "headless", "static_positions")
            names = (*names, "robot_setup", "randomize_every", "frequency")
            names = (*names, "visual_randomization_config", "dynamics_randomization_config")
            names = (*names, "attach_grasped_objects")

            def __init__(self, **given):
                super().__init__(**given)
                self._scene = None

            def launch(self):
                assert self.headless
                fake.events.append("launch")
                self._scene = Scene(fake, self.obs_config)
                self.action_mode.arm_action_mode.set_control_mode(self._scene.robot)

            def shutdown(self):
                if self._scene is not None:
                    fake.events.append("shutdown")
                self._scene = None

            def get_task(self, task_class):
                if self._scene is None:
                    self.launch()
                if task_class is parts.WithoutModel:
                    raise FileNotFoundError("no valid task .ttm file: without_model.ttm")
                task = task_class(fake, self._scene.robot)
                environment = fake._task_environment(fake, self._scene, task, self.action_mode)
                fake.events.append(environment.get_name())
                return environment

        return Environment

    def install(self, patch, folder):
        """Makes the modules importable, with what surrounds them, and returns itself."""
        for name, content in self.contents.items():
            module = types.ModuleType(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            module.__path__ = []
            vars(module).update(content)
            patch.setitem(sys.modules, name, module)
        (folder / "tasks").mkdir()
        for name in TASKS:
            (folder / "tasks" / f"{name}.py").touch()
        sys.modules["rlbench.tasks"].__path__ = [str(folder / "tasks")]
        (folder / "libcoppeliaSim.so").touch()
        patch.setenv("COPPELIASIM_ROOT", str(folder))
        patch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", str(folder))
        patch.delenv("QT_QPA_PLATFORM", raising=False)
        patch.setenv("DISPLAY", DISPLAY)
        patch.setattr(sys, "platform", "linux")
        patch.setattr(install, "_answers", lambda display: display == DISPLAY)
        return self
