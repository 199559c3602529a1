# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""PerAct's benchmark: 18 tasks of RLBench itself, which needs CoppeliaSim."""

import functools
import pathlib

from perceiver_bench import api

from . import common, embedded, layouts, predictions, presets, sources
from .simulator import Simulator

# How many episodes of each task the published test has.
_OFFICIAL_EPISODES = 25
_FOLDERS = {"train": "train", "validation": "val", "test": "test"}


def make_simulator(config: api.VoxelData, folder: pathlib.Path | None) -> Simulator:
    """Returns RLBench, with the stored episodes of a folder."""
    # Here, for what it needs is not there on most machines.
    from .simulator.coppeliasim import CoppeliaSimulator

    return CoppeliaSimulator(
        config.image_size,
        camera_names=config.cameras,
        max_keyframes=config.max_keyframes,
        episodes=folder,
    )


def source(config: api.VoxelData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns the demonstrations of a split to learn from, or its episodes to be tried in.

    Raises:
        UserError: for tasks that are none of the 18, and episodes that will not do.
    """
    unknown = set(config.tasks) - set(presets.PERACT_TASKS)
    if unknown or not config.tasks:
        raise api.UserError(
            f"--set=data.tasks: {', '.join(sorted(unknown)) or 'none'} unknown; PerAct has"
            f" {', '.join(presets.PERACT_TASKS)}"
        )
    folder = data_dir / _FOLDERS[split]
    if split == "train":
        return sources.demonstrations(config, folder)
    return sources.Trials(
        config,
        sources.in_turn({task: _stored(config, folder, task) for task in config.tasks}),
        {
            "simulator": "CoppeliaSim",
            "official_num_examples": (
                _OFFICIAL_EPISODES * len(presets.PERACT_TASKS) * config.num_runs
            ),
        },
        folder,
    )


def _stored(config: api.VoxelData, folder: pathlib.Path, task: str) -> list[sources.Trial]:
    """Returns the first episodes of a task; raises UserError if there are fewer."""
    from .simulator.stored_episodes import list_stored

    found = [sources.Trial(task, *numbers) for numbers in list_stored(folder, task)]
    if len(found) < config.num_episodes:
        raise api.UserError(
            f"--set=data.num_episodes={config.num_episodes}: {folder / task} has {len(found)}"
        )
    return found[: config.num_episodes]


def write_demo(folder: pathlib.Path, seed: int) -> None:
    """Writes episodes of the embedded simulator in the layout of PerAct's data set."""
    config = presets.PERACT18["tiny"].data
    assert isinstance(config, api.VoxelData)
    for place, split in enumerate(_FOLDERS.values()):
        embedded.write(config, folder / split, 1000 * seed + 100 * place)


def _task(name: str, split: str, summary: str, **parts) -> api.Task:
    return common.task(
        name,
        names=presets.PERACT_TASKS,
        make_simulator=make_simulator,
        summary=summary,
        protocol=f"rlbench18-{split}/{{protocol}}",
        layout=f"train/, val/ and test/, each with {layouts.LAYOUT}",
        source=source,
        presets=presets.PERACT18,
        demo_presets=(),
        baselines={},
        write_demo=write_demo,
        predict=functools.partial(predictions.write_files, source, split, None),
        paper_rows=("rlbench/average", *(f"rlbench/{task}" for task in presets.PERACT_TASKS)),
        **parts,
    )


@api.register("rlbench/peract18")
def peract18() -> api.Task:
    """Returns the task that is trained."""
    return _task(
        "rlbench/peract18",
        "validation",
        "PerAct on 18 tasks of RLBench in CoppeliaSim; success in the validation episodes",
        splits=("train", "validation"),
    )


@api.register("rlbench/peract18_test")
def peract18_test() -> api.Task:
    """Returns the task that tries a trained agent in the test episodes."""
    return _task(
        "rlbench/peract18_test",
        "test",
        "the same agent in the test episodes, as the published tables have it",
        splits=("test", "test"),
        trained_as="rlbench/peract18",
    )
