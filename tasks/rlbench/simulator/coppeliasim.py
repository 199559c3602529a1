# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench itself, in CoppeliaSim 4.1 through PyRep, as PerAct's agents are tried in it.

Written against MohitShridhar/RLBench, branch `peract`, and stepjam/RLBench 1.2 (its
TaskEnvironment of commit daf980e), which are told apart by the arguments of their action mode.
Neither is imported before a simulator is made.

The planner samples: equal seeds give equal scenes, and not equal episodes.
"""

import contextlib
import dataclasses
import importlib
import inspect
import pathlib
import pkgutil
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from perceiver_bench import api

from ..cameras import CAMERAS, Camera
from . import coppeliasim_install, planner, stored_episodes
from .interface import CameraView, Cause, Observation, StepResult

_SEEDS = 2**32
_FINGER_RANGE = 0.04


class CoppeliaSimulator:
    """A `Simulator` on RLBench. A process can have one at a time, in one thread."""

    _is_running: ClassVar[bool] = False

    def __init__(
        self,
        image_size: int = 128,
        *,
        camera_names: Sequence[str] = CAMERAS,
        max_keyframes: int = 25,
        episodes: pathlib.Path | None = None,
    ):
        """Makes a simulator; CoppeliaSim starts when it is first needed.

        Args:
            image_size: height and width of the cameras' pictures.
            camera_names: the cameras that observations have.
            max_keyframes: actions after which an episode is over.
            episodes: a folder of stored demonstrations, in either layout. With it the seed of
                an episode is the number of a demonstration, which begins in its scene.

        Raises:
            UserError: naming what is not installed and how to install it; for a camera that
                does not exist; and if another such simulator is open.
        """
        unknown = set(camera_names) - set(CAMERAS)
        if unknown:
            raise api.UserError(
                f"cameras: {sorted(unknown)} unknown; RLBench has {', '.join(CAMERAS)}"
            )
        if image_size < 1:
            raise api.UserError(f"picture size {image_size}: it has to be at least 1")
        if CoppeliaSimulator._is_running:
            raise api.UserError("CoppeliaSim runs once in a process; close the other simulator")
        self._rlbench = coppeliasim_install.load()
        self._camera_names = tuple(camera_names)
        self._max_keyframes = max_keyframes
        self._episodes = episodes
        self._motion = _Motion(self._rlbench)
        self._environment = self._rlbench.environment.Environment(
            action_mode=self._motion.mode,
            obs_config=_observation_config(self._rlbench, image_size, self._camera_names),
            headless=True,
        )
        self._tasks = _Variations(self._rlbench.tasks)
        self._descriptions: dict[tuple[str, int], Sequence[str]] = {}
        self._task: Any = None
        self._is_set_up = False
        CoppeliaSimulator._is_running = True

    @property
    def tasks(self) -> Mapping[str, int]:
        """The number of variations of each task, by name."""
        return self._tasks

    @property
    def success(self) -> bool:
        """Whether the task is done now."""
        # Not the reward: tasks such as reach_target give a distance for one.
        return bool(self._episode()._task.success()[0])

    def instructions(self, task: str, variation: int) -> Sequence[str]:
        """Returns the phrasings of a variation's instruction, the main one first.

        RLBench tells them with an episode: unless this simulator has had one of the variation,
        it sets one up, and the current one is over.
        """
        if (task, variation) not in self._descriptions:
            environment = self._load(task, variation)
            with self._faults(task, variation):
                np.random.seed(0)  # noqa: NPY002 - RLBench draws from the global generator
                self._descriptions[task, variation] = tuple(environment.reset()[0])
        return self._descriptions[task, variation]

    def reset(self, task: str, variation: int, seed: int) -> tuple[Observation, str]:
        """Sets an episode up; returns what is seen and the main phrasing of the instruction.

        Args:
            task: its name.
            variation: its number, from 0.
            seed: of the scene; or with `episodes` the number of the demonstration.

        Raises:
            UserError: for a task, a variation or a seed that does not exist; for a
                demonstration that is missing or damaged; and if CoppeliaSim fails.
        """
        if not 0 <= seed < _SEEDS:
            raise api.UserError(f"seed: {seed} is negative or larger than {_SEEDS - 1}")
        beginning = None
        if self._episodes is not None:
            beginning = stored_episodes.read_beginning(self._episodes, task, variation, seed)
        environment = self._load(task, variation)
        with self._faults(task, variation):
            if beginning is None:
                np.random.seed(seed)  # noqa: NPY002 - RLBench draws from the global generator
                descriptions, found = environment.reset()
            else:
                demo = beginning.demonstration(self._rlbench.demo)
                descriptions, found = environment.reset_to_demo(demo)
        self._descriptions[task, variation] = tuple(descriptions)
        self._is_set_up, self._is_over, self._timestep = True, False, 0
        self._observation = self._seen(found, ignored_collisions=False)
        if beginning is not None:
            beginning.compare(self._observation.task_low_dim_state)
        return self._observation, descriptions[0]

    def step(self, pose: np.ndarray, gripper: bool, collision: bool) -> StepResult:
        """Moves to a pose, then opens (`gripper` true) or closes the fingers.

        A pose that the planner refuses ends the episode where it stands, as in PerAct's
        evaluation. RLBench does not know of wrong objects, but for tasks that it gives up.

        Args:
            pose: [7], position and quaternion of the tip.
            gripper: whether the fingers are open afterwards.
            collision: whether to ignore collisions on the way. Without it a way around is
                looked for first, and then any way.

        Raises:
            UserError: if the pose is no pose, the episode is over, or CoppeliaSim fails.
        """
        environment = self._episode()
        if self._is_over:
            raise api.UserError("the episode is over; call reset before the next step")
        pose = planner.checked(pose)
        self._timestep += 1
        with self._faults(environment.get_name(), None):
            try:
                found, _, is_over = self._motion.step(environment, pose, gripper, collision)
            except self._motion.refusals:
                still = {"ignore_collisions": bool(collision), "timestep": self._timestep}
                self._observation = dataclasses.replace(self._observation, **still)
                return self._result(success=False, terminated=True, cause="planner")
            self._observation = self._seen(found, ignored_collisions=bool(collision))
            success = self.success
        if success:
            return self._result(success=True, terminated=True, cause=None)
        if is_over:
            return self._result(success=False, terminated=True, cause="wrong object")
        is_last = self._timestep >= self._max_keyframes
        return self._result(success=False, terminated=is_last, cause="time" if is_last else None)

    def close(self) -> None:
        """Ends CoppeliaSim; the simulator cannot be used afterwards."""
        if self._environment is not None:
            self._environment.shutdown()
            self._environment = self._task = None
            self._is_set_up = False
            CoppeliaSimulator._is_running = False

    def _episode(self) -> Any:
        if not self._is_set_up:
            raise api.UserError("no episode is set up; call reset first")
        return self._task

    def _load(self, task: str, variation: int) -> Any:
        """Returns RLBench's environment of a task, set to a variation, without an episode."""
        if self._environment is None:
            raise api.UserError("the simulator is closed; make another")
        if task not in self.tasks:
            raise api.UserError(
                f"task {task!r} unknown; RLBench as it is installed has {', '.join(self.tasks)}"
            )
        self._is_set_up = False
        with self._faults(task, variation):
            if self._task is None or self._task.get_name() != task:
                self._task = None
                self._task = self._environment.get_task(_task_class(task))
            count = int(self._task.variation_count())
            if not 0 <= variation < count:
                raise api.UserError(f"variation {variation} of {task}: there are 0 to {count - 1}")
            self._task.set_variation(variation)
        return self._task

    def _seen(self, found: Any, *, ignored_collisions: bool) -> Observation:
        """Returns an observation of RLBench as ours."""
        fingers = np.asarray(found.gripper_joint_positions, np.float64)
        return Observation(
            cameras={name: _view(found, name) for name in self._camera_names},
            gripper_pose=np.asarray(found.gripper_pose, np.float64),
            gripper_open=float(found.gripper_open),
            # They overshoot; PerAct clips them too.
            gripper_joint_positions=np.clip(fingers, 0, _FINGER_RANGE),
            joint_positions=np.asarray(found.joint_positions, np.float64),
            joint_velocities=np.asarray(found.joint_velocities, np.float64),
            task_low_dim_state=np.asarray(found.task_low_dim_state, np.float64).ravel(),
            ignore_collisions=ignored_collisions,
            timestep=self._timestep,
        )

    def _result(self, *, success: bool, terminated: bool, cause: Cause | None) -> StepResult:
        self._is_over = terminated
        return StepResult(self._observation, success, terminated, cause)

    @contextlib.contextmanager
    def _faults(self, task: str, variation: int | None) -> Iterator[None]:
        """Tells the errors of the simulator as the user's; its state is unknown after them."""
        kinds = (
            # Of a task's model: RLBench was installed without it.
            FileNotFoundError,
            RuntimeError,
            self._rlbench.errors.PyRepError,
            self._rlbench.exceptions.TaskEnvironmentError,
        )
        try:
            yield
        except kinds as error:
            self._is_set_up = False
            place = task if variation is None else f"variation {variation} of {task}"
            raise api.UserError(
                f"{place}: RLBench failed: {error}; where it fails always, CoppeliaSim is not of"
                " version 4.1 or lacks its plugins"
            ) from error


class _Motion:
    """Carries actions out, in the way of the RLBench that is installed.

    Attributes:
        mode: RLBench's action mode.
        refusals: what RLBench raises where it does not move the arm.
    """

    def __init__(self, rlbench: types.SimpleNamespace):
        make = rlbench.arm_action_modes.EndEffectorPoseViaPlanning
        # PerAct's branch has it as the ninth number of an action. The other takes eight, and
        # would refuse each action of nine as one that cannot be planned.
        self._takes_collision = "ignore_collisions" in inspect.signature(make.action).parameters
        self._straight, self._careful = make(), make(collision_checking=True)
        self.mode = rlbench.action_mode.MoveArmThenGripper(
            self._straight, rlbench.gripper_action_modes.Discrete()
        )
        self.refusals = (
            rlbench.errors.IKError,
            rlbench.errors.ConfigurationPathError,
            rlbench.exceptions.InvalidActionError,
        )

    def step(
        self, environment: Any, pose: np.ndarray, gripper: bool, collision: bool
    ) -> tuple[Any, float, bool]:
        """Returns what RLBench's own `step` does: an observation, a reward, and the end."""
        action = np.array([*pose, gripper, collision], np.float64)
        if self._takes_collision:
            return environment.step(action)
        if not collision:
            self.mode.arm_action_mode = self._careful
            with contextlib.suppress(*self.refusals):
                return environment.step(action[:-1])
        self.mode.arm_action_mode = self._straight
        return environment.step(action[:-1])


class _Variations(Mapping[str, int]):
    """The number of variations by the name of the task; each is found when it is asked for."""

    def __init__(self, package: types.ModuleType):
        self._names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, task: object) -> bool:
        return task in self._names

    def __getitem__(self, task: str) -> int:
        if task not in self._names:
            raise KeyError(task)
        # It is a constant of the class: the scene, which may hold an episode, is not asked.
        return int(_task_class(task)(None, None).variation_count())


def _task_class(task: str) -> Any:
    module = importlib.import_module(f"rlbench.tasks.{task}")
    return getattr(module, "".join(word[:1].upper() + word[1:] for word in task.split("_")))


def _observation_config(
    rlbench: types.SimpleNamespace, image_size: int, camera_names: Sequence[str]
) -> Any:
    """Returns what is to be observed, rendered as PerAct's demonstrations are."""
    make = rlbench.observation_config.CameraConfig
    cameras = {}
    for name in CAMERAS:
        is_used = name in camera_names
        cameras[f"{name}_camera"] = make(
            rgb=is_used,
            depth=is_used,
            point_cloud=False,
            mask=False,
            image_size=(image_size, image_size),
            render_mode=rlbench.const.RenderMode.OPENGL,
        )
    return rlbench.observation_config.ObservationConfig(
        **cameras,
        joint_forces=False,
        gripper_joint_positions=True,
        task_low_dim_state=True,
    )


def _view(found: Any, name: str) -> CameraView:
    misc, prefix = found.misc, f"{name}_camera"
    camera = Camera(
        intrinsics=np.asarray(misc[f"{prefix}_intrinsics"], np.float64),
        extrinsics=np.asarray(misc[f"{prefix}_extrinsics"], np.float64),
        near=float(misc[f"{prefix}_near"]),
        far=float(misc[f"{prefix}_far"]),
    )
    share = np.asarray(getattr(found, f"{name}_depth"), np.float64)
    depth = camera.near + share * (camera.far - camera.near)
    rgb = np.asarray(getattr(found, f"{name}_rgb"), np.uint8)
    return CameraView(rgb, depth.astype(np.float32), camera)
