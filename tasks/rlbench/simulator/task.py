# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a task of the embedded simulator is, and helpers that all tasks share."""

import abc
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from .scene import Scene
from .world import World

START = np.array([0.2785, 0.0, 1.4719, 0.0, 1.0, 0.0, 0.0])
"""The pose of the gripper at the beginning, [7]: where RLBench's is, pointing straight down."""

_DOWN = Rotation.from_quat([0.0, 1.0, 0.0, 0.0])
_ATTEMPTS = 10_000


class Keyframe(NamedTuple):
    """An action of an expert: a pose [7], then open or closed fingers.

    `ignore_collisions` is for ways that touch what they go to.
    """

    pose: np.ndarray
    is_open: bool
    ignore_collisions: bool


class Task(abc.ABC):
    """An episode of a task: objects placed for a variation, and what is to become of them.

    Attributes:
        name: RLBench's name.
        num_variations: how many there are.
        lift_height: the height of the tip, in metres, where nothing is in the way.
        is_mistake_final: whether nothing can mend touching the wrong object.
    """

    name: ClassVar[str]
    num_variations: ClassVar[int]
    lift_height: ClassVar[float] = 0.95
    is_mistake_final: ClassVar[bool] = False

    def __init__(self, world: World, variation: int, generator: np.random.Generator):
        self._world = world
        self._variation = variation
        self._arrange(generator)

    @staticmethod
    @abc.abstractmethod
    def scene() -> Scene:
        """Returns what the task adds to the table, for all variations."""

    @staticmethod
    @abc.abstractmethod
    def instructions(variation: int) -> Sequence[str]:
        """Returns the phrasings of the instruction, the main one first."""

    @abc.abstractmethod
    def _arrange(self, generator: np.random.Generator) -> None:
        """Places and paints the objects."""

    def watch(self) -> None:  # noqa: B027
        """Takes note of what happens; called every 10 ms of simulated time."""

    @abc.abstractmethod
    def is_done(self) -> bool:
        """Says whether the state of the world is what the instruction asks for."""

    @abc.abstractmethod
    def is_mistaken(self) -> bool:
        """Says whether another object than the one meant was touched, moved or chosen."""

    @abc.abstractmethod
    def positions(self) -> np.ndarray:
        """Returns the positions of the objects, [n], those that the instruction means first."""

    @abc.abstractmethod
    def expert(self) -> Iterator[Keyframe]:
        """Yields the actions that solve the task, each from the state before it."""


def raised(position: np.ndarray, height: float) -> np.ndarray:
    """Returns the position [3] that is `height` metres above another."""
    return position + np.array([0.0, 0.0, height])


def above(position: np.ndarray, height: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """Returns the pose [7] over a position [3] with fingers down, which open along turned y.

    The yaw, in radians, is taken to within a right angle: the gripper has two equal sides.
    """
    yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
    rotation = Rotation.from_euler("z", yaw) * _DOWN
    return np.concatenate([raised(position, height), rotation.as_quat()])


def scattered(
    generator: np.random.Generator,
    count: int,
    low: Sequence[float],
    high: Sequence[float],
    distance: float,
) -> np.ndarray:
    """Returns positions [count, 2] in a rectangle, at least `distance` metres from each other.

    Raises:
        RuntimeError: if the rectangle has no room.
    """
    for _ in range(_ATTEMPTS):
        positions = generator.uniform(low, high, (count, 2))
        gaps = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        if gaps[np.triu_indices(count, 1)].min(initial=np.inf) >= distance:
            return positions
    raise RuntimeError(f"no room for {count} objects that are {distance} m apart")
