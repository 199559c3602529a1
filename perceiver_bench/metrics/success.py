# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Success of closed-loop episodes: the mean over tasks, each task, and failures by cause.

The rows are computed on the host.

    prediction: `success` [B], 1 or 0, and `cause` [B]: 0 of a success, of a failure 1 where the
        planner refused a pose, 2 for a wrong object, 3 where the time ran out.
    batch: `task` [B], the place in the tasks that `success_metrics` was given; `variation` and
        `seed` [B]. The three are an episode, which may come several times, run anew each time.
"""

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.task import Arrays, Metric

_CAUSES = {"planner": 1, "wrong_object": 2, "time": 3}
_EPISODE = ("task", "variation", "seed")
# Of a normal distribution 95 % lies within this many standard deviations.
_DEVIATIONS = statistics.NormalDist().inv_cdf(0.975)


def success_metrics(tasks: Sequence[str]) -> dict[str, Metric]:
    """Returns the metrics of episodes of some tasks, by name, in percent.

    Args:
        tasks: names in the order that `task` of a batch counts them.

    Returns:
        `success_rate`, the mean over the tasks that have episodes; `TASK_success_rate` of each
        task; `planner_failures`, `wrong_object_failures` and `time_failures`, means over the
        tasks too, so that they and `success_rate` add up to 100.
    """

    def share(cause: int, task: int | None = None) -> Metric:
        return Metric(
            rows=functools.partial(_rows, len(tasks), cause, task),
            pooling=MeanOverTasks(),
            unit="%",
            direction="lower" if cause else "higher",
            optimum=0.0 if cause else 100.0,
            optional=task is not None,
        )

    return {
        "success_rate": share(0),
        **{f"{name}_success_rate": share(0, task) for task, name in enumerate(tasks)},
        **{f"{name}_failures": share(cause) for name, cause in _CAUSES.items()},
    }


def _rows(
    num_tasks: int,
    cause: int,
    task: int | None,
    prediction: Mapping[str, Any],
    batch: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Returns whether episodes ended with `cause`, `sum` and `weight` [B], and which they are.

    The weight is 0 for other tasks than `task`, if one is given.

    Raises:
        ValueError: for an outcome or a task that there is not.
    """
    success, found = np.asarray(prediction["success"]), np.asarray(prediction["cause"])
    episode = {name: np.asarray(batch[name]) for name in _EPISODE}
    if not np.isin(success, (0, 1)).all():
        raise ValueError(f"success is 0 or 1, got {success}")
    if not np.isin(found, (0, *_CAUSES.values())).all() or ((found == 0) != (success == 1)).any():
        raise ValueError(f"causes {found} do not go with success {success}")
    if not np.isin(episode["task"], range(num_tasks)).all():
        raise ValueError(f"tasks {episode['task']} of {num_tasks}")
    counted = np.ones(success.shape) if task is None else episode["task"] == task
    return {
        "sum": np.where(found == cause, counted, 0).astype(np.float64),
        "weight": counted.astype(np.float64),
        **episode,
    }


class MeanOverTasks:
    """The mean over tasks of a share of their episodes, in percent.

    Each task counts once, however many episodes it has, and each of its episodes once, however
    often it was run: an episode's share is the mean over its runs. Tasks without episodes are
    left out.
    """

    def __init__(self) -> None:
        self.name = "MeanOverTasks"

    def value(self, rows: Arrays) -> float:
        """Returns the mean; raises UserError if there are no episodes."""
        return 100 * statistics.fmean(np.mean(task) for task in _shares(rows))

    def standard_error(self, rows: Arrays) -> float:
        """Returns the error of the mean of independent tasks; NaN if one has a single episode.

        It is 0 where all episodes of each task end alike; `interval` is not.
        """
        tasks = _shares(rows)
        if min(task.size for task in tasks) == 1:
            return math.nan
        squares = [np.var(task, ddof=1) / task.size for task in tasks]
        return 100 * math.sqrt(math.fsum(squares)) / len(tasks)

    def interval(self, rows: Arrays) -> tuple[float, float]:
        """Returns the ends of a 95 % interval, in percent, within [0, 100].

        It is Wilson's for the mean over as many episodes as would give it the same variance: of
        one task, or of equal shares of equally many, all of them; more where the shares
        differ, since the tasks are fixed. That is how shares of surveys are treated (Korn and
        Graubard, Survey Methodology 24, 1998, 193-201), here with each task's share drawn
        towards a half as Wilson's middle is, so that shares of 0 and 1 have a variance too.

        The number of episodes is that of different ones: runs of one episode depend on each
        other. A mean over runs varies no more than a single run, so that with repeats the
        interval may be too wide but is not too narrow.
        """
        tasks = _shares(rows)
        sizes = np.array([task.size for task in tasks])
        shares = np.array([np.mean(task) for task in tasks])
        drawn = (shares * sizes + _DEVIATIONS**2 / 2) / (sizes + _DEVIATIONS**2)
        variance = np.sum(drawn * (1 - drawn) / sizes) / sizes.size**2
        middle = np.mean(drawn)
        low, high = wilson(statistics.fmean(shares), float(middle * (1 - middle) / variance))
        return 100 * low, 100 * high


def wilson(share: float, size: float) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a share of `size` (JASA 22, 1927, 209-212).

    Args:
        share: in [0, 1]; it need not be a count over `size`.
        size: above 0.
    """
    return _lower_end(share, size), 1 - _lower_end(1 - share, size)


def _lower_end(share: float, size: float) -> float:
    # The product of both ends over the upper one: a difference would not be 0 for a share of 0.
    square = _DEVIATIONS**2
    spread = _DEVIATIONS * math.sqrt(square + 4 * size * share * (1 - share))
    return 2 * size * share**2 / (2 * size * share + square + spread)


class Episodes(NamedTuple):
    """The episodes of some rows, in the order of task, variation and seed.

    Attributes:
        first: the place of each one's first run in the rows [n].
        task: [n].
        share: the mean over its runs [n].
    """

    first: np.ndarray
    task: np.ndarray
    share: np.ndarray


def episodes(rows: Arrays) -> Episodes:
    """Returns the episodes of the rows with weight; raises UserError if there are none."""
    counted = np.flatnonzero(np.asarray(rows["weight"]) > 0)
    if not counted.size:
        raise UserError("no examples")
    runs = np.stack([np.asarray(rows[name])[counted] for name in _EPISODE], axis=-1)
    found, first, place = np.unique(runs, axis=0, return_index=True, return_inverse=True)
    place = place.ravel()
    shares = np.bincount(place, np.asarray(rows["sum"])[counted]) / np.bincount(place)
    return Episodes(counted[first], found[:, 0], shares)


def _shares(rows: Arrays) -> list[np.ndarray]:
    """Returns the share of each episode, an array for each task that has episodes."""
    found = episodes(rows)
    return [found.share[found.task == task] for task in np.unique(found.task)]
