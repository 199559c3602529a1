# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes of a demonstration, and the training examples that they make, as PerAct has them.

A keyframe is where the gripper opens or closes, where the robot stands still, and the end.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

_STILL = 0.1
_STEPS_APART = 5


def find_keyframes(
    gripper_open: Sequence[float], joint_velocities: Sequence[np.ndarray]
) -> list[int]:
    """Returns the steps that are keyframes, in order.

    The robot stands still where no joint is faster than 0.1, the gripper neither changes next
    nor has in two steps, and the last such step is at least 5 before. As in the original, the
    step before the first is the last one. Of two keyframes at the very end the first is
    dropped.

    Args:
        gripper_open: [steps].
        joint_velocities: [steps][joints], radians a second.
    """
    last = len(gripper_open) - 1
    keyframes, earliest = [], 0
    for step, (is_open, velocities) in enumerate(zip(gripper_open, joint_velocities, strict=True)):
        is_still = (
            earliest <= step < last - 1
            and bool(np.all(np.abs(velocities) <= _STILL))
            and is_open == gripper_open[step + 1] == gripper_open[step - 1]
            and gripper_open[step - 1] == gripper_open[step - 2]
        )
        if is_still:
            earliest = step + _STEPS_APART
        if step > 0 and (is_still or step == last or is_open != gripper_open[step - 1]):
            keyframes.append(step)
    if len(keyframes) > 1 and keyframes[-2] == last - 1:
        del keyframes[-2]
    return keyframes


@dataclasses.dataclass(frozen=True, order=True)
class Transition:
    """What the agent is to learn from a demonstration, once.

    Attributes:
        step: whose observation it sees.
        keyframe: the step whose gripper pose it is to reach next.
        time: how many keyframes it has reached before, as it is told.
    """

    step: int
    keyframe: int
    time: int


def published_transitions(keyframes: Sequence[int], num_steps: int, every: int) -> list[Transition]:
    """Returns PerAct's transitions, in its order and as often as it has them.

    Every n-th step is a starting point. From each the agent goes to the next keyframe, and on
    to all that follow, counting time from its start. So the way from one keyframe to the
    next is there once for each starting point before: late keyframes weigh more, and the
    same observation comes with several times.

    Args:
        keyframes: steps, in order.
        num_steps: of the demonstration.
        every: how many steps lie between starting points; 10 in PerAct.
    """
    transitions = []
    for start in range(0, num_steps - 1, every):
        steps = [start, *(keyframe for keyframe in keyframes if keyframe > start)]
        transitions += [
            Transition(step, keyframe, time)
            for time, (step, keyframe) in enumerate(itertools.pairwise(steps))
        ]
    return transitions


def distinct_transitions(keyframes: Sequence[int], num_steps: int, every: int) -> list[Transition]:
    """Returns the transitions from every starting point and every keyframe, each once.

    Time counts the keyframes since the demonstration began, as it does when the agent acts.
    Arguments are those of `published_transitions`.
    """
    starts = sorted({*range(0, num_steps - 1, every), *keyframes})
    return [
        Transition(start, following[0], len(keyframes) - len(following))
        for start in starts
        if (following := [keyframe for keyframe in keyframes if keyframe > start])
    ]
