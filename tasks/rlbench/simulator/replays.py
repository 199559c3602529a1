# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Carries actions out again, and gives pictures of the moments on the way."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .embedded import EmbeddedSimulator
from .gripper import Tick
from .interface import Cause

EVERY = 8
"""How many of the 100 moments of a simulated second lie between two that are kept."""


class Moment(NamedTuple):
    """What a picture needs to know: the positions of all joints [n].

    `keyframe` is the number of the action under way, from 1 on; 0 is the start.
    """

    positions: np.ndarray
    keyframe: int


@dataclasses.dataclass(frozen=True)
class Replay:
    """An episode whose actions were carried out.

    Attributes:
        success: whether it ended with the task done.
        cause: why it failed; None too if it did not come to an end.
        moments: those on the way, the start first.
        keyframes: the start, and the end of each action.
    """

    success: bool
    cause: Cause | None
    moments: Sequence[Moment]
    keyframes: Sequence[Moment]

    @property
    def num_keyframes(self) -> int:
        """How many actions were carried out."""
        return len(self.keyframes) - 1

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return outcome(self.success, self.cause)


def outcome(success: bool, cause: Cause | None) -> str:
    """Returns how an episode ended, in words."""
    if success:
        return "success"
    return f"failure: {cause}" if cause else "failure"


def replay(
    simulator: EmbeddedSimulator, task: str, variation: int, seed: int, actions: np.ndarray
) -> Replay:
    """Carries out actions from the start of an episode, until it is over.

    No picture is made meanwhile, which would change the last bits of what follows.

    Args:
        simulator: whose `on_tick` is put back afterwards.
        task: its name.
        variation: which one.
        seed: which episode of the variation.
        actions: [n, 9]: the pose [7], 1 for open fingers, 1 to ignore collisions.

    Raises:
        UserError: for an episode that does not exist, or a pose that is none.
    """
    simulator.reset(task, variation, seed)
    moments = [_moment(simulator, 0)]
    keyframes = moments.copy()
    count = 0

    def on_tick(_: Tick) -> None:
        nonlocal count
        count += 1
        if count % EVERY == 0:
            moments.append(_moment(simulator, len(keyframes)))

    before = simulator.on_tick
    simulator.on_tick = on_tick
    result = None
    try:
        for action in actions:
            result = simulator.step(action[:7], action[7] > 0.5, action[8] > 0.5)
            keyframes.append(_moment(simulator, len(keyframes)))
            if result.terminated:
                break
    finally:
        simulator.on_tick = before
    if result is None:
        return Replay(False, None, moments, keyframes)
    return Replay(result.success, result.cause, moments, keyframes)


def pictures(
    simulator: EmbeddedSimulator, moments: Iterable[Moment], size: int
) -> Iterator[np.ndarray]:
    """Yields a picture of each moment, uint8 [size, size, 3], smoothed from one of twice the size.

    Where rays are cast, which takes four times as long in four times as many pixels, it is not
    smoothed. The episode has to be the simulator's last.
    """
    for moment in moments:
        simulator.show(moment.positions)
        if simulator.backend == "rays":
            yield simulator.picture(size)
        else:
            yield np.asarray(Image.fromarray(simulator.picture(2 * size)).reduce(2))


def _moment(simulator: EmbeddedSimulator, keyframe: int) -> Moment:
    return Moment(simulator.joint_values, keyframe)
