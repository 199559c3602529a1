# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""An episode of RLBench: what was recorded at every step, its pictures read when asked for."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from perceiver_bench import api

from . import demonstration_pickles, layouts, png_files
from .cameras import CAMERAS, Camera
from .depth import depth_in_metres
from .layouts import EpisodeFolder

_DEMONSTRATION = "low_dim_obs.pkl"
_MAX_METRES = 1000


@dataclasses.dataclass(frozen=True)
class Observation:
    """What was recorded at one step, but for pictures.

    Attributes:
        gripper_pose: [7], position in metres and quaternion (x, y, z, w).
        gripper_open: whether the fingers are open.
        gripper_joint_positions: [2], each finger's way from the middle, metres.
        joint_velocities: [joints], radians a second.
        joint_positions: [joints], radians; None where they were not recorded.
        ignore_collisions: whether the motion at this step disregards collisions; None in
            episodes of RLBench itself, which does not record it.
        misc: everything else by name, the cameras among it.
    """

    gripper_pose: np.ndarray
    gripper_open: bool
    gripper_joint_positions: np.ndarray
    joint_velocities: np.ndarray
    joint_positions: np.ndarray | None
    ignore_collisions: bool | None
    misc: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Episode:
    """A demonstration; nothing of its pictures is in memory.

    Attributes:
        path: its folder.
        task: the name of the task.
        variation: the number of the task's variation.
        number: of the episode, within its folder of episodes.
        descriptions: phrasings of the instruction, the main one first; may be empty.
        observations: one for every step.
    """

    path: pathlib.Path
    task: str
    variation: int
    number: int
    descriptions: tuple[str, ...]
    observations: tuple[Observation, ...]

    def __len__(self) -> int:
        return len(self.observations)

    def instruction(self) -> str:
        """Returns the main phrasing.

        Raises:
            UserError: if there is none, or it is empty.
        """
        if not self.descriptions or not self.descriptions[0].strip():
            raise api.UserError(
                f"{self.path}: its instruction is empty; write a list of texts to"
                " variation_descriptions.pkl in it"
            )
        return self.descriptions[0]

    def camera(self, step: int, name: str) -> Camera:
        """Returns a camera at a step.

        Raises:
            UserError: naming the parameter, if it is missing or no valid one.
        """
        misc, place = self.observations[step].misc, f"{self.path / _DEMONSTRATION}, step {step}"
        prefix = f"{name}_camera"
        camera = Camera(
            intrinsics=_array(misc, f"{prefix}_intrinsics", (3, 3), place),
            extrinsics=_array(misc, f"{prefix}_extrinsics", (4, 4), place),
            near=float(_array(misc, f"{prefix}_near", (), place)),
            far=float(_array(misc, f"{prefix}_far", (), place)),
        )
        if not 0 <= camera.near < camera.far <= _MAX_METRES:
            raise api.UserError(
                f"{place}: {prefix}_near={camera.near:g} and {prefix}_far={camera.far:g}, and"
                f" 0 <= near < far <= {_MAX_METRES} is due"
            )
        if np.any(np.abs(np.diag(camera.intrinsics)) < 1) or np.any(camera.intrinsics[2, :2]):
            raise api.UserError(f"{place}: {prefix}_intrinsics is no matrix of a camera")
        rotation, position = camera.extrinsics[:3, :3], camera.extrinsics[:3, 3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.any(
            np.abs(position) > _MAX_METRES
        ):
            raise api.UserError(f"{place}: {prefix}_extrinsics is no rotation with a position")
        return camera

    def picture_file(self, kind: str, camera: str, step: int) -> pathlib.Path:
        """Returns where a picture is; `kind` is `rgb` or `depth`."""
        return self.path / f"{camera}_{kind}" / f"{step}.png"

    def images(self, step: int, cameras: Sequence[str] = CAMERAS) -> dict[str, np.ndarray]:
        """Returns what each camera sees at a step, uint8 [H, W, 3].

        Raises:
            UserError: naming the file that is missing or damaged.
        """
        return {
            name: png_files.read_picture(self.picture_file("rgb", name, step)) for name in cameras
        }

    def depths(self, step: int, cameras: Sequence[str] = CAMERAS) -> dict[str, np.ndarray]:
        """Returns how far each pixel is along the optical axis, float64 [H, W], metres.

        Raises:
            UserError: naming the file or parameter that is missing or damaged.
        """
        depths = {}
        for name in cameras:
            camera = self.camera(step, name)
            colours = png_files.read_picture(self.picture_file("depth", name, step))
            depths[name] = depth_in_metres(colours, camera.near, camera.far)
        return depths

    def points(self, step: int, cameras: Sequence[str] = CAMERAS) -> dict[str, np.ndarray]:
        """Returns where in the world each pixel lies, float32 [H, W, 3], metres.

        Raises:
            UserError: naming the file or parameter that is missing or damaged.
        """
        depths = self.depths(step, cameras)
        return {name: self.camera(step, name).points(depth) for name, depth in depths.items()}


def open_episodes(data_dir: pathlib.Path, task: str) -> Iterator[Episode]:
    """Yields the episodes of a task; raises UserError as `find_episodes` and `open_episode`."""
    for folder in layouts.find_episodes(data_dir, task):
        yield open_episode(folder)


def open_episode(folder: EpisodeFolder) -> Episode:
    """Returns an episode, of which no picture has been read.

    Raises:
        UserError: naming file, step and field, for a pickle that is missing, damaged or holds
            a foreign class, and for fields that are missing or have no valid values.
    """
    path = folder.path / _DEMONSTRATION
    fields = demonstration_pickles.read_observations(path)
    variation = folder.variation
    if variation is None:
        number_file = folder.path / "variation_number.pkl"
        variation = demonstration_pickles.read_variation_number(number_file)
    descriptions = ()
    for file in layouts.descriptions_files(folder):
        if file.exists():
            descriptions = demonstration_pickles.read_descriptions(file)
            break
    return Episode(
        path=folder.path,
        task=folder.task,
        variation=variation,
        number=folder.number,
        descriptions=descriptions,
        observations=tuple(
            _observation(one, f"{path}, step {step}") for step, one in enumerate(fields)
        ),
    )


def _observation(fields: Mapping[str, Any], place: str) -> Observation:
    pose = _array(fields, "gripper_pose", (7,), place)
    if np.linalg.norm(pose[3:]) < 1e-6:
        raise api.UserError(f"{place}: the quaternion in gripper_pose is 0; record it again")
    is_absent = fields.get("ignore_collisions") is None
    misc = fields.get("misc")
    return Observation(
        gripper_pose=pose,
        gripper_open=_truth(fields, "gripper_open", place),
        gripper_joint_positions=_array(fields, "gripper_joint_positions", (2,), place),
        joint_velocities=_array(fields, "joint_velocities", None, place),
        joint_positions=(
            None
            if fields.get("joint_positions") is None
            else _array(fields, "joint_positions", None, place)
        ),
        ignore_collisions=None if is_absent else _truth(fields, "ignore_collisions", place),
        misc=misc if isinstance(misc, dict) else {},
    )


def _array(
    fields: Mapping[str, Any], name: str, shape: tuple[int, ...] | None, place: str
) -> np.ndarray:
    """Returns a finite float64 array of a shape; without one, of one axis."""
    value = fields.get(name)
    if value is None:
        raise api.UserError(f"{place}: {name} is missing; record it again with it")
    if not isinstance(value, np.ndarray | int | float):
        raise api.UserError(f"{place}: {name} is a {type(value).__name__}, not numbers")
    array = np.asarray(value, np.float64)
    if shape is None:
        shape = (max(array.size, 1),)
    if array.shape != shape:
        raise api.UserError(f"{place}: {name} has the shape {array.shape}, and {shape} is due")
    if not np.isfinite(array).all():
        raise api.UserError(f"{place}: {name} holds what is no finite number; record it again")
    return array


def _truth(fields: Mapping[str, Any], name: str, place: str) -> bool:
    """Returns whether a field is 1; RLBench stores 0 or 1 as a real number."""
    value = float(_array(fields, name, (), place))
    if value not in (0, 1):
        raise api.UserError(f"{place}: {name}={value:g}, and 0 or 1 is due")
    return bool(value)
