# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The embedded simulator: RLBench's vocabulary of tasks in MuJoCo, on any machine.

It is no copy of RLBench: the gripper has no arm, the objects are simple shapes, and success
rates of the two cannot be compared.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from perceiver_bench import api

from ..cameras import CAMERAS
from . import placements, planner, rendering
from .blocks import PickAndLift, StackBlocks
from .close_jar import CloseJar
from .drawers import OpenDrawer, PutItemInDrawer
from .gripper import Gripper, Tick
from .interface import CameraView, Cause, Observation, StepResult
from .push_buttons import PushButton, PushButtons
from .reach_target import ReachTarget
from .slide_block import SlideBlock
from .task import START, Keyframe, Task
from .world import World

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        ReachTarget,
        PushButton,
        PushButtons,
        SlideBlock,
        PickAndLift,
        StackBlocks,
        OpenDrawer,
        PutItemInDrawer,
        CloseJar,
    )
}
"""The tasks by name."""

MAX_KEYFRAMES = 25
_SETTLING = 0.3


def _ignore(_: Tick) -> None:
    pass


class EmbeddedSimulator:
    """A `Simulator` on MuJoCo. The same seed gives the same bits on the same machine.

    Attributes:
        on_tick: called every 10 ms of simulated time while an action is carried out.
    """

    def __init__(
        self,
        image_size: int = 128,
        *,
        camera_names: Sequence[str] = CAMERAS,
        backend: str | None = None,
        max_keyframes: int = MAX_KEYFRAMES,
    ):
        """Makes a simulator; scenes are built when they are first used.

        Args:
            image_size: height and width of the cameras' pictures.
            camera_names: the cameras that observations have.
            backend: one of `rendering.BACKENDS`, or None for the best that works here.
            max_keyframes: actions after which an episode is over.

        Raises:
            UserError: for a camera or a back end that does not exist.
        """
        unknown = set(camera_names) - set(CAMERAS)
        if unknown:
            raise api.UserError(
                f"cameras: {sorted(unknown)} unknown; RLBench has {', '.join(CAMERAS)}"
            )
        self.on_tick: Callable[[Tick], None] = _ignore
        self.backend = rendering.choose(backend)
        self._image_size = image_size
        self._camera_names = tuple(camera_names)
        self._max_keyframes = max_keyframes
        self._worlds: dict[str, World] = {}
        self._renderers: dict[tuple[str, int, bool], rendering.Renderer] = {}
        self._task: Task | None = None

    @property
    def tasks(self) -> Mapping[str, int]:
        """The number of variations of each task, by name."""
        return {name: task.num_variations for name, task in TASKS.items()}

    @property
    def success(self) -> bool:
        """Whether the task is done now."""
        return self._episode().is_done()

    def instructions(self, task: str, variation: int) -> Sequence[str]:
        """Returns the phrasings of a variation's instruction, the main one first."""
        return _task_class(task, variation).instructions(variation)

    def reset(self, task: str, variation: int, seed: int) -> tuple[Observation, str]:
        """Sets an episode up; returns what is seen and the main phrasing of the instruction.

        Raises:
            UserError: for a task or a variation that does not exist, or a negative seed.
        """
        task_class = _task_class(task, variation)
        if seed < 0:
            raise api.UserError(f"seed: {seed} is negative")
        if task not in self._worlds:
            self._worlds[task] = World(task_class.scene())
        self._world = self._worlds[task]
        self._world.clear()
        self._gripper = Gripper(self._world, self._tick)
        self._task = None
        self._gripper.place(START)
        generator = np.random.default_rng([seed, variation, zlib.crc32(task.encode())])
        placed = task_class(self._world, variation, generator)
        self._world.refresh()
        self._gripper.wait(_SETTLING)
        self._task = placed
        self._timestep = 0
        self._is_over = False
        self._was_mistaken = False
        self._ignored_collisions = False
        return self.observe(), self.instructions(task, variation)[0]

    def step(self, pose: np.ndarray, gripper: bool, collision: bool) -> StepResult:
        """Moves to a pose, then opens (`gripper` true) or closes the fingers.

        A pose that the planner refuses ends the episode. So does a mistake that nothing
        mends, and the last of `max_keyframes` actions.

        Args:
            pose: [7], position and quaternion of the tip.
            gripper: whether the fingers are open afterwards.
            collision: whether to ignore collisions on the way and move straight.

        Raises:
            UserError: if the pose is no pose, or the episode is over.
        """
        task = self._episode()
        if self._is_over:
            raise api.UserError("the episode is over; call reset before the next step")
        pose = planner.checked(pose)
        self._timestep += 1
        self._ignored_collisions = bool(collision)
        if not planner.is_reachable(pose):
            return self._result(False, "planner")
        self._gripper.move(
            planner.path(self._world.pose(), pose, task.lift_height, bool(collision))
        )
        if gripper and not self._gripper.is_open():
            self._gripper.open()
        elif not gripper:
            self._gripper.grip()
        success = task.is_done()
        self._was_mistaken |= task.is_mistaken()
        if success:
            return self._result(True, None)
        if self._was_mistaken and task.is_mistake_final:
            return self._result(False, "wrong object")
        if self._timestep >= self._max_keyframes:
            return self._result(False, "wrong object" if self._was_mistaken else "time")
        return StepResult(self.observe(), False, False, None)

    def observe(self) -> Observation:
        """Returns what is known now."""
        self._world.locate()
        task, pose = self._episode(), self._world.pose()
        opening = self._gripper.finger_positions()
        turn = Rotation.from_quat(pose[3:]).as_rotvec()
        return Observation(
            cameras={name: self.view(name) for name in self._camera_names},
            gripper_pose=pose,
            gripper_open=float(self._gripper.is_open()),
            gripper_joint_positions=opening,
            joint_positions=np.array([*pose[:3], *turn, opening.sum()]),
            joint_velocities=self._gripper.velocities(),
            task_low_dim_state=task.positions(),
            ignore_collisions=self._ignored_collisions,
            timestep=self._timestep,
        )

    def view(self, name: str) -> CameraView:
        """Returns what a camera sees now."""
        placement, size = placements.PLACED[name], self._image_size
        self._world.locate()
        rgb, depth = self._renderer(size, shadows=False).render(name)
        placed = self._world.data.camera(name)
        camera = placements.camera(placement, size, placed.xpos, placed.xmat.reshape(3, 3))
        depth = np.clip(depth, camera.near, camera.far).astype(np.float32)
        return CameraView(rgb, depth, camera)

    def picture(self, size: int, name: str = placements.AUDIENCE) -> np.ndarray:
        """Returns what a camera sees, for people: with shadows, uint8 [size, size, 3]."""
        self._world.locate()
        rgb, _ = self._renderer(size, shadows=True).render(name)
        return rgb

    @property
    def joint_values(self) -> np.ndarray:
        """The positions of all joints of the scene [n], which `show` takes."""
        return self._world.data.qpos.copy()

    def show(self, joint_values: np.ndarray) -> None:
        """Puts all joints where they were at a moment of this episode, for its pictures."""
        self._world.data.qpos[:] = joint_values

    def expert(self) -> Iterator[Keyframe]:
        """Yields the actions that solve the episode, each from the state before it."""
        return self._episode().expert()

    def close(self) -> None:
        """Frees the renderers and scenes; the simulator cannot be used afterwards."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
        self._worlds.clear()
        self._task = None

    def _episode(self) -> Task:
        if self._task is None:
            raise api.UserError("no episode is set up; call reset first")
        return self._task

    def _renderer(self, size: int, *, shadows: bool) -> rendering.Renderer:
        key = (self._episode().name, size, shadows)
        if key not in self._renderers:
            self._renderers[key] = rendering.make(self.backend, self._world, size, shadows=shadows)
        return self._renderers[key]

    def _result(self, success: bool, cause: Cause | None) -> StepResult:
        self._is_over = True
        return StepResult(self.observe(), success, True, cause)

    def _tick(self, tick: Tick) -> None:
        if self._task is not None:
            self._task.watch()
            self.on_tick(tick)


def _task_class(task: str, variation: int) -> type[Task]:
    if task not in TASKS:
        raise api.UserError(f"task {task!r} unknown; the simulator has {', '.join(TASKS)}")
    count = TASKS[task].num_variations
    if not 0 <= variation < count:
        raise api.UserError(f"variation {variation} of {task}: there are 0 to {count - 1}")
    return TASKS[task]
