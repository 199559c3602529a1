# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the tasks of robots share: preparation, loss, trials in a simulator, metrics."""

import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perceiver_bench import api

from . import augmentation, language, losses, policy
from .simulator import Simulator

MakeSimulator = Callable[[api.VoxelData, pathlib.Path | None], Simulator]
"""`(data config, folder of stored episodes) -> simulator`."""

_ARRAYS = ("points", "colours", "proprio", "translation", "rotation_grip", "collision")


def task(
    name: str, *, names: Sequence[str], make_simulator: MakeSimulator, **parts: Any
) -> api.Task:
    """Returns a task over RLBench's tasks `names`, tried in the simulator that is made.

    It is made when the first trial needs it, once for each configuration.
    """
    shared: dict[str, Any] = {
        "prepare_assets": lambda _, __: {},
        "preprocess": functools.partial(preprocess, tuple(names)),
        "loss": losses.loss,
        "metrics": api.success_metrics(names),
        "fresh_parts": (),
        "evaluation_group": 1,
        "in_parts": functools.partial(try_out, tuple(names), functools.cache(make_simulator)),
    }
    return api.Task(name=name, version=1, **(shared | parts))


def preprocess(
    names: Sequence[str], config: api.VoxelData, assets: Mapping[str, bytes]
) -> api.Prepare:
    """Returns `example -> arrays`: of a transition, or of an episode to be tried.

    Of a transition what the network reads and `losses.loss` compares with; of an episode
    int32 `task`, its place in `names`, `variation`, `seed` and `run`, and of a stored one
    `folder`, the bytes of its path: arrays are all that a trial gets.
    """
    del assets
    embed = language.embedding(config)

    def prepare(example: api.Example, generator: np.random.Generator | None) -> api.Arrays:
        if "points" not in example:
            arrays = {name: example[name] for name in ("variation", "seed", "run")}
            arrays["task"] = names.index(example["task"])
            trial: dict[str, np.ndarray] = {
                name: np.array(number, np.int32) for name, number in arrays.items()
            }
            if "folder" in example:
                trial["folder"] = np.frombuffer(os.fsencode(example["folder"]), np.uint8)
            return trial
        if generator is not None:
            example = augmentation.augmented(
                example,
                generator,
                bounds=config.bounds,
                size=config.size,
                max_shift=config.max_shift,
                max_yaw=config.max_yaw,
            )
        return {
            **{name: example[name] for name in _ARRAYS},
            "bounds": np.array(config.bounds, np.float32),
            **embed(example["instruction"]),
        }

    return prepare


def try_out(
    names: Sequence[str],
    make_simulator: MakeSimulator,
    config: api.RunConfig,
    network: policy.Network,
    arrays: api.Arrays,
) -> Mapping[str, np.ndarray]:
    """Returns how an episode went in which a network acts; see `policy.carry_out`."""
    data = config.data
    assert isinstance(data, api.VoxelData)
    example = {**arrays, "task": names[int(arrays["task"])]}
    folder = arrays.get("folder")
    stored = None if folder is None else pathlib.Path(os.fsdecode(folder.tobytes()))
    return policy.carry_out(
        make_simulator(data, stored), example, data.max_keyframes, policy.obey(data, network)
    )
