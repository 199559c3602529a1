# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What an agent learns from, and what it is tried in."""

import dataclasses
import functools
import hashlib
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tqdm

from perceiver_bench import api

from . import checks, layouts
from .episodes import Episode, open_episode
from .examples import example_of, keyframes_of
from .keyframes import Transition, distinct_transitions, published_transitions


@dataclasses.dataclass(frozen=True)
class Demonstrations:
    """The transitions of some episodes of one task; a `Source` of examples of `example_of`."""

    config: api.VoxelData
    episodes: Sequence[Episode]

    @functools.cached_property
    def _transitions(self) -> Sequence[tuple[Episode, Transition]]:
        find = published_transitions if self.config.repeat_keyframes else distinct_transitions
        return [
            (episode, transition)
            for episode in self.episodes
            for transition in find(keyframes_of(episode), len(episode), self.config.every)
        ]

    def __len__(self) -> int:
        return len(self._transitions)

    def __getitem__(self, index: int) -> api.Example:
        episode, transition = self._transitions[index]
        return example_of(
            episode,
            transition,
            bounds=self.config.bounds,
            size=self.config.size,
            cameras=self.config.cameras,
            episode_length=self.config.max_keyframes,
        )

    @functools.cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """How many episodes and transitions, and a digest of what the robot did in them."""
        digest = hashlib.sha256()
        for episode in self.episodes:
            digest.update((episode.path / "low_dim_obs.pkl").read_bytes())
        return {
            "num_episodes": len(self.episodes),
            "num_examples": len(self),
            "file": str(self.episodes[0].path.parents[2].name),
            "sha256": digest.hexdigest(),
        }


def demonstrations(config: api.VoxelData, folder: pathlib.Path) -> api.Source:
    """Returns the transitions of `config.num_demonstrations` of each task, each task alike often.

    Every episode is looked through first, pictures and all.

    Raises:
        UserError: for tasks with fewer episodes, and for episodes that are missing or broken,
            as `checks.check`.
    """
    sources = {}
    for task in config.tasks:
        found = layouts.find_episodes(folder, task)
        if len(found) < config.num_demonstrations:
            raise api.UserError(
                f"--set=data.num_demonstrations={config.num_demonstrations}:"
                f" {folder / task} has {len(found)} episodes"
            )
        episodes = [
            open_episode(one)
            for one in tqdm.tqdm(
                found[: config.num_demonstrations], desc=task, unit="episode", disable=None
            )
        ]
        checks.check_all(episodes, config.bounds, every=config.every, cameras=config.cameras)
        sources[task] = Demonstrations(config, episodes)
    return api.Mixture(sources, dict.fromkeys(sources, 1.0))


class Trial(NamedTuple):
    """An episode that an agent is tried in: the simulator's seed, or the number of a stored one."""

    task: str
    variation: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Trials:
    """Episodes that an agent is tried in; a `Source`.

    An example has `task`, `variation`, `seed` and `run`, of which there are
    `config.num_runs` of each episode; and `folder`, if they are stored.

    Attributes:
        config: the data configuration.
        trials: the episodes, in order.
        facts: what identifies them, for the fingerprint.
        folder: where stored episodes are.
    """

    config: api.VoxelData
    trials: Sequence[Trial]
    facts: Mapping[str, Any]
    folder: pathlib.Path | None = None

    def __len__(self) -> int:
        return self.config.num_runs * len(self.trials)

    def __getitem__(self, index: int) -> api.Example:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, run = divmod(index, self.config.num_runs)
        stored = {"folder": self.folder} if self.folder else {}
        return {**self.trials[number]._asdict(), "run": run, **stored}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The tasks, how many episodes, a digest of them, and what else identifies them."""
        digest = hashlib.sha256(repr([tuple(trial) for trial in self.trials]).encode())
        return {
            **self.facts,
            "tasks": sorted({trial.task for trial in self.trials}),
            "num_examples": len(self),
            "num_runs": self.config.num_runs,
            "sha256": digest.hexdigest(),
        }


def in_turn(tasks: Mapping[str, Sequence[Trial]]) -> list[Trial]:
    """Returns the trials of all tasks, one of each after the other, so that any part has all."""
    return [trial for trials in itertools.zip_longest(*tasks.values()) for trial in trials if trial]
