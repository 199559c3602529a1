# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where the episodes of a data set lie.

| layout | folder of an episode | variation | instructions |
|---|---|---|---|
| RLBench | TASK/variationN/episodes/episodeM/ | N | TASK/variationN/ |
| PerAct | TASK/all_variations/episodes/episodeM/ | variation_number.pkl in it | in it |

Instructions are in variation_descriptions.pkl; in either layout a file in the episode goes
before one of the variation.
"""

import dataclasses
import pathlib
import re

from perceiver_bench import api

LAYOUT = (
    "TASK/all_variations/episodes/episode0/ with low_dim_obs.pkl and front_rgb/0.png, or"
    " TASK/variation0/episodes/episode0/"
)
"""What a data folder should hold, for messages."""

_ALL = "all_variations"
_VARIATION = re.compile(r"variation(\d{1,9})")
_EPISODE = re.compile(r"episode(\d{1,9})")


@dataclasses.dataclass(frozen=True)
class EpisodeFolder:
    """An episode on the disk.

    Attributes:
        path: its folder.
        task: the name of the task.
        number: of the episode, within its folder of episodes.
        variation: the number in the name of the folder, None in PerAct's layout.
    """

    path: pathlib.Path
    task: str
    number: int
    variation: int | None


def find_tasks(data_dir: pathlib.Path) -> tuple[str, ...]:
    """Returns the names of the tasks that a folder has episodes of, in alphabetical order.

    Raises:
        UserError: if there is none.
    """
    tasks = [path.name for path in _subfolders(data_dir) if _variations(path)]
    if not tasks:
        raise api.UserError(f"--data_dir={data_dir}: no episodes; it should hold {LAYOUT}")
    return tuple(sorted(tasks))


def find_episodes(data_dir: pathlib.Path, task: str) -> tuple[EpisodeFolder, ...]:
    """Returns the episodes of a task, in the order of variations and numbers.

    Raises:
        UserError: if there is none, or the task has both layouts.
    """
    folder = data_dir / task
    variations = _variations(folder) if folder.is_dir() else {}
    if None in variations and len(variations) > 1:
        raise api.UserError(
            f"{folder}: has both {_ALL} and single variations, and the same episodes may be in"
            " both; move one away"
        )
    episodes = [
        EpisodeFolder(path, task, int(match[1]), variation)
        for variation, episodes in sorted(variations.items(), key=lambda item: item[0] or 0)
        for path in _subfolders(episodes)
        if (match := _EPISODE.fullmatch(path.name))
    ]
    if not episodes:
        raise api.UserError(
            f"--data_dir={data_dir}: no episodes of {task}; it should hold {LAYOUT}"
        )
    return tuple(sorted(episodes, key=lambda episode: (episode.variation or 0, episode.number)))


def descriptions_files(episode: EpisodeFolder) -> tuple[pathlib.Path, pathlib.Path]:
    """Returns the files that may hold the instructions; the first that exists counts."""
    name = "variation_descriptions.pkl"
    return episode.path / name, episode.path.parents[1] / name


def _variations(task: pathlib.Path) -> dict[int | None, pathlib.Path]:
    """Returns the folders of episodes by variation; that of all variations has None."""
    found: dict[int | None, pathlib.Path] = {}
    for path in _subfolders(task):
        match = _VARIATION.fullmatch(path.name)
        if (match or path.name == _ALL) and (path / "episodes").is_dir():
            found[int(match[1]) if match else None] = path / "episodes"
    return found


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise api.UserError(f"{folder}: cannot be read: {error.strerror or error}") from error
