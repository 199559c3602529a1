# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Experts at work: what they do is recorded densely, and its keyframes have to be enough."""

import dataclasses
import math
from collections.abc import Sequence

from ..keyframes import find_keyframes
from .embedded import EmbeddedSimulator
from .gripper import Tick
from .interface import Observation

# Frames on the way to a keyframe, by its duration. Fewer than 5 would hide the keyframe from
# discovery, which wants so many after the one before.
_FEWEST, _MOST = 5, 9
_SECONDS_A_FRAME = 0.2


class DemonstrationError(Exception):
    """An expert did not solve its task, which is a fault of the simulator."""


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """An episode that an expert solved.

    Attributes:
        task: its name.
        variation: which one.
        seed: which episode of the variation.
        instructions: the phrasings of the instruction, the main one first.
        observations: dense in time; the first is the start.
        ends: the numbers of the observations at which the expert's actions ended.
    """

    task: str
    variation: int
    seed: int
    instructions: Sequence[str]
    observations: Sequence[Observation]
    ends: Sequence[int]

    @property
    def keyframes(self) -> list[int]:
        """The numbers of the keyframes as PerAct's rule finds them."""
        return find_keyframes(
            [observation.gripper_open for observation in self.observations],
            [observation.joint_velocities for observation in self.observations],
        )


class _Recorder:
    """Takes observations on the way, at even shares of each action's time."""

    def __init__(self, simulator: EmbeddedSimulator, first: Observation):
        self.observations = [first]
        self._simulator = simulator
        self._taken = 0

    def begin(self) -> None:
        self._taken = 0

    def on_tick(self, tick: Tick) -> None:
        count = min(max(math.ceil(tick.duration / _SECONDS_A_FRAME), _FEWEST), _MOST)
        if self._taken < count and tick.progress >= (self._taken + 1) / (count + 1):
            self._taken += 1
            self.observations.append(self._simulator.observe())


def demonstrate(
    simulator: EmbeddedSimulator, task: str, variation: int, seed: int
) -> Demonstration:
    """Returns what the expert does in an episode.

    Raises:
        UserError: for a task or a variation that does not exist.
        DemonstrationError: if the expert does not succeed.
    """
    first, _ = simulator.reset(task, variation, seed)
    recorder = _Recorder(simulator, first)
    before = simulator.on_tick
    simulator.on_tick = recorder.on_tick
    ends = []
    result = None
    try:
        for pose, is_open, ignore_collisions in simulator.expert():
            recorder.begin()
            result = simulator.step(pose, is_open, ignore_collisions)
            recorder.observations.append(result.observation)
            ends.append(len(recorder.observations) - 1)
            if result.terminated:
                break
    finally:
        simulator.on_tick = before
    if result is None or not result.success:
        cause = result.cause if result is not None else "no action"
        raise DemonstrationError(
            f"the expert fails at {task}, variation {variation}, seed {seed}: {cause}"
        )
    return Demonstration(
        task, variation, seed, simulator.instructions(task, variation), recorder.observations, ends
    )


def replays_to_success(simulator: EmbeddedSimulator, demonstration: Demonstration) -> bool:
    """Says whether the discovered keyframes of a demonstration, as actions, solve its episode."""
    simulator.reset(demonstration.task, demonstration.variation, demonstration.seed)
    for number in demonstration.keyframes:
        keyframe = demonstration.observations[number]
        result = simulator.step(
            keyframe.gripper_pose, keyframe.gripper_open > 0.5, keyframe.ignore_collisions
        )
        if result.terminated:
            return result.success
    return False
