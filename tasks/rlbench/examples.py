# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From an episode to what PerAct's network learns from."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from absl import logging

from perceiver_bench import api

from .actions import BOUNDS, action_of
from .cameras import PERACT_CAMERAS
from .episodes import Episode
from .keyframes import Transition, find_keyframes, published_transitions

EPISODE_LENGTH = 25
"""The most keyframes that an agent may take, by which its time is counted."""

_MAX_FINGER_POSITION = 0.04


def keyframes_of(episode: Episode) -> list[int]:
    """Returns the steps of an episode that are keyframes, in order."""
    return find_keyframes(
        [observation.gripper_open for observation in episode.observations],
        [observation.joint_velocities for observation in episode.observations],
    )


class Gripper(Protocol):
    """What both a recorded observation and a simulator's tell of the gripper."""

    @property
    def gripper_open(self) -> float: ...
    @property
    def gripper_joint_positions(self) -> np.ndarray: ...


def proprioception(observation: Gripper, time: int, episode_length: int) -> np.ndarray:
    """Returns what the robot knows of itself, float32 [4].

    Whether the gripper is open, the positions of its two fingers in metres, clipped to 0 and
    0.04, and the time, from 1 at the beginning to -1 at the last of `episode_length` keyframes.
    """
    fingers = np.clip(observation.gripper_joint_positions, 0, _MAX_FINGER_POSITION)
    remaining = (1 - time / (episode_length - 1)) * 2 - 1
    return np.array([observation.gripper_open, *fingers, remaining], np.float32)


def cloud_of(images: Sequence[np.ndarray], points: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what all cameras see as one cloud, of `n` pixels in all.

    `points` float32 [n, 3] in metres, and `colours` float32 [n, 3] from -1 to 1.

    Args:
        images: uint8 [H, W, 3] of each camera.
        points: float32 [H, W, 3] of each camera, metres.
    """
    colours = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.float32)
    return {
        "points": np.concatenate([cloud.reshape(-1, 3) for cloud in points]),
        "colours": colours / np.float32(255) * 2 - 1,
    }


def example_of(
    episode: Episode,
    transition: Transition,
    *,
    bounds: Sequence[float] | np.ndarray = BOUNDS,
    size: int = 100,
    cameras: Sequence[str] = PERACT_CAMERAS,
    episode_length: int = EPISODE_LENGTH,
) -> api.Example:
    """Returns one training example.

    With `n` pixels in all: `points` float32 [n, 3] in metres; `colours` float32 [n, 3] from -1
    to 1; `proprio` float32 [4]; `instruction`; `translation` int32 [3], a voxel;
    `rotation_grip` int32 [4], three bins of 5 degrees and whether the gripper is open;
    `collision` int32 [], 1 where the motion disregards collisions; `gripper_pose` float64 [7],
    which the action stands for; and `task`, `variation`, `episode`, `step`, `keyframe`.

    As in the original, `collision` is that of the step before the keyframe, since at the
    keyframe the next motion has begun.

    Args:
        episode: the demonstration.
        transition: of which step to which keyframe.
        bounds: [6], metres.
        size: the number of voxels along each axis.
        cameras: in the order of their pixels.
        episode_length: at which time ends.

    Raises:
        UserError: naming the file, for a keyframe out of bounds, an empty instruction, and
            pictures that are missing or damaged.
    """
    target = episode.observations[transition.keyframe]
    ignores_collisions = episode.observations[max(0, transition.keyframe - 1)].ignore_collisions
    if ignores_collisions is None:
        _tell_collisions(episode.task)
    try:
        action = action_of(target.gripper_pose, target.gripper_open, bounds, size)
    except api.UserError as error:
        raise api.UserError(f"{episode.path}, step {transition.keyframe}: {error}") from error
    images = episode.images(transition.step, cameras)
    points = episode.points(transition.step, cameras)
    observation = episode.observations[transition.step]
    return {
        **cloud_of(list(images.values()), list(points.values())),
        "proprio": proprioception(observation, transition.time, episode_length),
        "instruction": episode.instruction(),
        **action,
        "collision": np.array(bool(ignores_collisions), np.int32),
        "gripper_pose": target.gripper_pose,
        "task": episode.task,
        "variation": episode.variation,
        "episode": episode.number,
        "step": transition.step,
        "keyframe": transition.keyframe,
    }


def examples_of(
    episode: Episode,
    every: int = 10,
    *,
    transitions: Callable[[Sequence[int], int, int], Sequence[Transition]] = published_transitions,
    bounds: Sequence[float] | np.ndarray = BOUNDS,
    size: int = 100,
    cameras: Sequence[str] = PERACT_CAMERAS,
    episode_length: int = EPISODE_LENGTH,
) -> Iterator[api.Example]:
    """Yields the training examples of an episode; see `example_of`, which also says what is raised.

    Args:
        episode: the demonstration.
        every: how many steps lie between starting points.
        transitions: `published_transitions`, which repeat late keyframes as PerAct does, or
            `distinct_transitions`.
        bounds: [6], metres.
        size: the number of voxels along each axis.
        cameras: in the order of their pixels.
        episode_length: at which time ends.
    """
    for transition in transitions(keyframes_of(episode), len(episode), every):
        yield example_of(
            episode,
            transition,
            bounds=bounds,
            size=size,
            cameras=cameras,
            episode_length=episode_length,
        )


@functools.cache
def _tell_collisions(task: str) -> None:
    logging.warning(
        "%s: its episodes do not say which motions disregard collisions, as those of RLBench"
        " itself do not; none is taken to",
        task,
    )
