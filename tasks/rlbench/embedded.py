# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The agent in the embedded simulator, which needs no other data than it makes itself."""

import functools
import importlib.metadata
import pathlib
from collections.abc import Mapping
from typing import Any

from perceiver_bench import api

from . import baselines, common, layouts, predictions, presets, sources
from .simulator import TASKS, EmbeddedSimulator
from .simulator.writing import write_demonstrations

NAMES = tuple(TASKS)
FIRST_SEEDS = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""No split has a seed of another."""


def make_simulator(config: api.VoxelData, folder: pathlib.Path | None = None) -> EmbeddedSimulator:
    """Returns the simulator with the cameras of a configuration; there is no folder of it."""
    del folder
    return EmbeddedSimulator(
        config.image_size, camera_names=config.cameras, max_keyframes=config.max_keyframes
    )


def source(config: api.VoxelData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns the demonstrations in `data_dir`, or the trials of another split.

    Raises:
        UserError: for tasks that the simulator has not, and demonstrations that will not do.
    """
    unknown = set(config.tasks) - set(NAMES)
    if unknown or not config.tasks:
        raise api.UserError(
            f"--set=data.tasks: {', '.join(sorted(unknown)) or 'none'} unknown; the simulator has"
            f" {', '.join(NAMES)}"
        )
    if split == "train":
        if data_dir == api.NO_DATA:
            raise api.UserError(
                "--data_dir: training needs demonstrations; make them with"
                " --mode=prepare --task=rlbench/embedded --outputs=FOLDER"
            )
        return sources.demonstrations(config, data_dir / "train")
    trials = {
        task: [
            sources.Trial(task, number % TASKS[task].num_variations, FIRST_SEEDS[split] + number)
            for number in range(config.num_episodes)
        ]
        for task in config.tasks
    }
    return sources.Trials(
        config,
        sources.in_turn(trials),
        {"simulator": "embedded", "mujoco": importlib.metadata.version("mujoco")},
    )


def prepare_data(config: api.VoxelData, data_dir: pathlib.Path, outputs: pathlib.Path) -> None:
    """Writes demonstrations of the scripted experts to `outputs`, in PerAct's layout."""
    del data_dir
    write(config, outputs / "train", FIRST_SEEDS["train"])


def write(config: api.VoxelData, folder: pathlib.Path, first_seed: int) -> None:
    """Writes as many demonstrations of each task as training takes, from a seed on."""
    simulator = EmbeddedSimulator(config.image_size)
    for name in config.tasks:
        write_demonstrations(
            folder, simulator, name, config.num_demonstrations, first_seed=first_seed
        )
    simulator.close()


def write_demo(folder: pathlib.Path, seed: int) -> None:
    """Writes the demonstrations of the preset `tiny`, of episodes that depend on the seed."""
    config = presets.EMBEDDED["tiny"].data
    assert isinstance(config, api.VoxelData)
    write(config, folder / "train", config.num_demonstrations * seed)


_EXPERT = functools.partial(baselines.expert, make_simulator)


def _task(
    name: str, split: str, summary: str, known: Mapping[str, api.Baseline], **parts: Any
) -> api.Task:
    return common.task(
        name,
        names=NAMES,
        make_simulator=make_simulator,
        summary=summary,
        protocol=f"embedded-{split}/success-of-{{num_episodes}}-episodes",
        layout=f"train/{layouts.LAYOUT}",
        source=source,
        needs_data=False,
        presets=presets.EMBEDDED,
        baselines=known,
        write_demo=write_demo,
        paper_rows=(
            "rlbench/average",
            *(f"rlbench/{task}" for task in presets.PERACT_TASKS if task in NAMES),
        ),
        predict=functools.partial(predictions.write_files, source, split, make_simulator),
        **parts,
    )


@api.register("rlbench/embedded")
def embedded() -> api.Task:
    """Returns the task that is trained."""
    return _task(
        "rlbench/embedded",
        "validation",
        "a robot's policy in the embedded simulator; success in unseen episodes",
        {"expert": _EXPERT, "blind": functools.partial(baselines.blind, make_simulator)},
        splits=("train", "validation"),
        demo_presets=(),
        prepare_data=prepare_data,
    )


@api.register("rlbench/embedded_test")
def embedded_test() -> api.Task:
    """Returns the task that tries a trained agent in episodes that chose no checkpoint."""
    return _task(
        "rlbench/embedded_test",
        "test",
        "the same agent in the episodes of the test split",
        {"expert": _EXPERT},
        splits=("test", "test"),
        demo_presets=(),
        trained_as="rlbench/embedded",
    )
