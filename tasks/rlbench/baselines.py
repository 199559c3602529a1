# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a number of the embedded simulator is to be read against: the expert, and one blind."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from perceiver_bench import api

from . import policy, sources
from .actions import action_of, pose_of
from .episodes import Episode
from .examples import keyframes_of
from .simulator import EmbeddedSimulator
from .simulator.demonstrations import demonstrate

Keyframes = Sequence[policy.Action]
MakeSimulator = Callable[[api.VoxelData], EmbeddedSimulator]


def expert(
    make_simulator: MakeSimulator, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> Mapping[str, np.ndarray]:
    """Predicts what the scripted expert does, rounded to voxels and bins.

    The most that a network can reach which chooses among them.
    """
    del train, prepare
    assert isinstance(held_out, sources.Trials)
    config = held_out.config
    simulator = make_simulator(config)

    def keyframes(example: api.Example) -> Keyframes:
        demonstration = demonstrate(
            simulator, example["task"], int(example["variation"]), int(example["seed"])
        )
        observations = demonstration.observations
        return [
            _rounded(
                observations[step].gripper_pose,
                bool(observations[step].gripper_open > 0.5),
                bool(observations[step].ignore_collisions),
                config,
            )
            for step in demonstration.keyframes
        ]

    return _carried_out(simulator, held_out, keyframes)


def blind(
    make_simulator: MakeSimulator, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> Mapping[str, np.ndarray]:
    """Predicts the keyframes of a demonstration of the same variation, whatever is to be seen.

    Of another variation where there is none of the same.
    """
    del prepare
    assert isinstance(held_out, sources.Trials)
    episodes = list(_episodes(train))

    def keyframes(example: api.Example) -> Keyframes:
        of_task = [one for one in episodes if one.task == example["task"]]
        alike = [one for one in of_task if one.variation == example["variation"]] or of_task
        chosen = alike[int(example["seed"]) % len(alike)]
        steps = [chosen.observations[step] for step in keyframes_of(chosen)]
        return [
            _rounded(
                step.gripper_pose, step.gripper_open, bool(step.ignore_collisions), held_out.config
            )
            for step in steps
        ]

    return _carried_out(make_simulator(held_out.config), held_out, keyframes)


def _episodes(train: api.Source) -> Iterator[Episode]:
    assert isinstance(train, api.Mixture)
    for source in train.sources.values():
        assert isinstance(source, sources.Demonstrations)
        yield from source.episodes


def _rounded(
    pose: np.ndarray, is_open: bool, ignore_collisions: bool, config: api.VoxelData
) -> policy.Action:
    action = action_of(pose, is_open, config.bounds, config.size)
    rounded = pose_of(action["translation"], action["rotation_grip"], config.bounds, config.size)
    return policy.Action(rounded, is_open, ignore_collisions)


def _carried_out(
    simulator: EmbeddedSimulator,
    held_out: api.Source,
    keyframes_of_example: Callable[[api.Example], Keyframes],
) -> Mapping[str, np.ndarray]:
    """Returns how every episode of `held_out` went with the keyframes found for it."""
    found = []
    for index in range(len(held_out)):
        example = held_out[index]
        keyframes = keyframes_of_example(example)
        config = held_out.config  # pyright: ignore[reportAttributeAccessIssue]
        found.append(
            policy.carry_out(
                simulator, example, config.max_keyframes, functools.partial(_next, keyframes)
            )
        )
    simulator.close()
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def _next(keyframes: Keyframes, observation: object, instruction: str, time: int):
    del observation, instruction
    return keyframes[time] if time < len(keyframes) else None
