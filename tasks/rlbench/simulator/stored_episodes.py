# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where the test episodes on the disk begin: what RLBench drew their objects' places from.

PerAct's agents are tried in the scenes of stored demonstrations. Such a file holds the state of
NumPy's generator before the scene was made, and RLBench makes the same scene of it again. It
is read without RLBench, which would run whatever a pickle says.
"""

import dataclasses
import io
import pathlib
import types
from typing import Any, cast

import numpy as np
from absl import logging

from perceiver_bench import api

from .. import demonstration_pickles, layouts

_CLASSES = ("rlbench.demo.Demo", "rlbench.backend.observation.Observation")
_WORDS = 624
# RLBench gives a scene up after as many.
_MAX_ATTEMPTS = 40
# Metres, radians or parts of a quaternion; what has come to rest differs by far less.
_SAME = 0.02


@dataclasses.dataclass(frozen=True)
class Beginning:
    """How a stored episode began.

    Attributes:
        path: of the demonstration.
        variation: of its task.
        random_state: of NumPy's global generator, as `np.random.set_state` takes it.
        num_reset_attempts: how many scenes were made until one would do; None where the file
            does not tell.
        task_low_dim_state: [n], where the task's objects were; None where it does not tell.
    """

    path: pathlib.Path
    variation: int
    random_state: tuple[Any, ...]
    num_reset_attempts: int | None
    task_low_dim_state: np.ndarray | None

    def demonstration(self, module: types.ModuleType) -> Any:
        """Returns a `Demo` of RLBench's module, with all that `reset_to_demo` asks of it."""
        first = types.SimpleNamespace(misc={"variation_index": self.variation})
        demo = module.Demo([first], random_seed=self.random_state)
        if self.num_reset_attempts is not None:
            demo.num_reset_attempts = self.num_reset_attempts
        return demo

    def compare(self, state: np.ndarray) -> None:
        """Warns if the scene made again, [n], is another: RLBench does not always succeed."""
        stored = self.task_low_dim_state
        if stored is None:
            return
        if stored.shape != state.shape:
            logging.warning(
                "%s: its scene has %d numbers, and that made again %d; another RLBench recorded it",
                *(self.path, stored.size, state.size),
            )
            return
        differences = np.abs(stored - state)
        if differences.max(initial=0) > _SAME:
            logging.warning(
                "%s: the scene made again differs from it in %d of %d numbers, by up to %.2f",
                *(self.path, np.sum(differences > _SAME), state.size, differences.max()),
            )


def list_stored(episodes: pathlib.Path, task: str) -> tuple[tuple[int, int], ...]:
    """Returns the variation and the number of each stored episode of a task, in order.

    Raises:
        UserError: if there is none, or a file that names the variation is missing or damaged.
    """
    return tuple(
        (_variation(folder), folder.number) for folder in layouts.find_episodes(episodes, task)
    )


def read_beginning(episodes: pathlib.Path, task: str, variation: int, number: int) -> Beginning:
    """Returns how the stored episode of this number began.

    Raises:
        UserError: if there is none, it is of another variation, or its demonstration is
            damaged, has no random state, or holds a foreign class.
    """
    folders = [one for one in layouts.find_episodes(episodes, task) if one.number == number]
    if not folders:
        raise api.UserError(f"{episodes / task}: no episode{number}")
    variations = [_variation(one) for one in folders]
    if variation not in variations:
        raise api.UserError(
            f"{folders[0].path}: of variation {variations[0]}, and {variation} was asked for"
        )
    path = folders[variations.index(variation)].path / "low_dim_obs.pkl"
    state = demonstration_pickles.read_observations(path)[0].get("task_low_dim_state")
    demo = api.read_pickle(io.BytesIO(path.read_bytes()), path, lists=True, records=_CLASSES)
    return Beginning(
        path=path,
        variation=variation,
        random_state=_checked_state(demo.fields.get("random_seed"), path),
        num_reset_attempts=_checked_attempts(demo.fields.get("num_reset_attempts"), path),
        task_low_dim_state=_numbers(state),
    )


def _variation(folder: layouts.EpisodeFolder) -> int:
    if folder.variation is not None:
        return folder.variation
    return demonstration_pickles.read_variation_number(folder.path / "variation_number.pkl")


def _checked_state(state: Any, path: pathlib.Path) -> tuple[Any, ...]:
    match state:
        # NumPy itself does not check the position, and would read past the words.
        case ("MT19937", np.ndarray() as words, int(position), int(), float()) if (
            words.shape == (_WORDS,) and words.dtype == np.uint32 and 0 <= position <= _WORDS
        ):
            return cast(tuple, state)
    raise api.UserError(
        f"{path}: random_seed is no state of NumPy's generator, of which the scene could be"
        " made again; record the episode with RLBench's dataset_generator.py"
    )


def _numbers(state: Any) -> np.ndarray | None:
    """Returns an array as float64 [n]; old versions of RLBench stored a dict."""
    if isinstance(state, np.ndarray) and state.dtype.kind in "fiu":
        return state.astype(np.float64).ravel()
    return None


def _checked_attempts(attempts: Any, path: pathlib.Path) -> int | None:
    if attempts is not None and not (type(attempts) is int and 1 <= attempts <= _MAX_ATTEMPTS):
        raise api.UserError(
            f"{path}: num_reset_attempts={attempts!r}, and 1 to {_MAX_ATTEMPTS} is due"
        )
    return attempts
