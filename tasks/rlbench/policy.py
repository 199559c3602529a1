# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A network at work in a simulator: it looks, says a keyframe, and looks again."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import numpy as np

from perceiver_bench import api

from . import language
from .actions import NUM_BINS, pose_of
from .examples import cloud_of, proprioception
from .simulator import Cause, Observation, Simulator

CAUSES = get_args(Cause)
"""The causes of failure in the order of their numbers, which begin at 1."""

Network = Callable[[api.Arrays], api.Arrays]


class Action(NamedTuple):
    """A keyframe to go to: a pose [7], open fingers or closed ones, a straight way or not."""

    pose: np.ndarray
    is_open: bool
    ignore_collisions: bool


Decide = Callable[[Observation, str, int], Action | None]
"""`(observation, instruction, keyframes so far) -> action`, or None to give up."""


def carry_out(
    simulator: Simulator, example: api.Example, max_keyframes: int, decide: Decide
) -> dict[str, np.ndarray]:
    """Returns how an episode went.

    `success` float32 [], 1 or 0; `cause` int32 [], 0 or the number of the cause of failure;
    `num_keyframes` int32 []; `actions` float64 [max_keyframes, 9]: pose, open, ignoring
    collisions, zeros after the last.
    """
    observation, instruction = simulator.reset(
        example["task"], int(example["variation"]), int(example["seed"])
    )
    actions = np.zeros((max_keyframes, 9))
    success, cause, time = False, "time", 0
    while time < max_keyframes:
        action = decide(observation, instruction, time)
        if action is None:
            break
        actions[time] = [*action.pose, action.is_open, action.ignore_collisions]
        time += 1
        result = simulator.step(*action)
        observation = result.observation
        if result.terminated:
            success, cause = result.success, result.cause
            break
    return {
        "success": np.array(success, np.float32),
        "cause": np.array(0 if success else 1 + CAUSES.index(cause or "time"), np.int32),
        "num_keyframes": np.array(time, np.int32),
        "actions": actions,
    }


def scene(observation: Observation, config: api.VoxelData, time: int) -> dict[str, np.ndarray]:
    """Returns what the network sees of an observation: points, colours, bounds, proprioception."""
    views = [observation.cameras[name] for name in config.cameras]
    return {
        **cloud_of([view.rgb for view in views], [view.point_cloud for view in views]),
        "bounds": np.array(config.bounds, np.float32),
        "proprio": proprioception(observation, time, config.max_keyframes),
    }


def chosen_action(prediction: Mapping[str, Any], config: api.VoxelData) -> Action:
    """Returns the action with the largest logits, of one example.

    Raises:
        UserError: if the network has another number of voxels than the configuration, or
            gives what is no number.
    """
    logits = np.asarray(prediction["translation"])
    if logits.shape != (config.size,) * 3:
        raise api.UserError(
            f"--set=data.size={config.size}: the network has {logits.shape[0]} voxels a side"
        )
    rotation_grip = np.asarray(prediction["rotation_grip"])
    collision = np.asarray(prediction["collision"])
    if not all(np.isfinite(one).all() for one in (logits, rotation_grip, collision)):
        raise api.UserError("--checkpoint: the network gives what is no number")
    voxel = np.array(np.unravel_index(np.argmax(logits), logits.shape))
    bins = rotation_grip[:-2].reshape(3, NUM_BINS).argmax(axis=1)
    is_open = bool(rotation_grip[-2:].argmax())
    return Action(
        pose_of(voxel, np.array([*bins, is_open]), config.bounds, config.size),
        is_open,
        bool(collision.argmax()),
    )


def obey(config: api.VoxelData, network: Network) -> Decide:
    """Returns how a network decides."""
    embed = language.embedding(config)

    def decide(observation: Observation, instruction: str, time: int) -> Action:
        arrays = {**scene(observation, config, time), **embed(instruction)}
        prediction = network({name: array[None] for name, array in arrays.items()})
        return chosen_action({name: array[0] for name, array in prediction.items()}, config)

    return decide
