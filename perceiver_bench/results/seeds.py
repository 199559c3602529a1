# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that differ in nothing but their seed, and what they say together."""

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Iterable, Sequence

import scipy.special

from perceiver_bench.results.record import Record

_TRAINING = "train."  # overrides that make another setting of one model, not another model


_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Summary:
    """One metric over seeds.

    Attributes:
        mean: over the seeds.
        deviation: of the sample; None for a single seed, like the interval.
        interval: the ends of the 95 % interval of the mean by Student's t, as if the seeds'
            values were drawn from one normal distribution. It may go beyond what the metric
            can be: two seeds say little.
        best: the highest value, or the lowest where that is better.
        num_seeds: how many there are.
    """

    mean: float
    deviation: float | None
    interval: tuple[float, float] | None
    best: float
    num_seeds: int


@dataclasses.dataclass(frozen=True)
class Setting:
    """Runs of one configuration from one start, in the order of their seeds.

    Evaluated weights whose seed is not known are a setting of their own.
    """

    runs: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """The run that stands for what all have in common."""
        return self.runs[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that every run has, the main one first."""
        return tuple(
            name for name in self.first.metrics if all(name in run.metrics for run in self.runs)
        )

    def summary(self, metric: str) -> Summary:
        """Returns mean, spread and best of a metric over the seeds."""
        values = [run.metrics[metric].value for run in self.runs]
        mean, count = statistics.fmean(values), len(values)
        deviation = statistics.stdev(values) if count > 1 else None
        higher = self.first.metrics[metric].direction == "higher"
        return Summary(
            mean=mean,
            deviation=deviation,
            interval=None if deviation is None else _t_interval(mean, deviation, count),
            best=max(values) if higher else min(values),
            num_seeds=count,
        )


def _t_interval(mean: float, deviation: float, count: int) -> tuple[float, float]:
    quantile = float(scipy.special.stdtrit(count - 1, (1 + _CONFIDENCE) / 2))
    half = quantile * deviation / math.sqrt(count)
    return mean - half, mean + half


def settings(runs: Iterable[Record]) -> tuple[Setting, ...]:
    """Sorts runs that compare with each other by preset, overrides, start and configuration.

    A preset may have changed between two runs of one name; their mean would be of nothing,
    so the configuration has to be the same too.
    """
    found: dict[tuple, list[Record]] = {}
    for run in sorted(runs, key=lambda run: -1 if run.seed is None else run.seed):
        key = (
            *(run.preset or "", run.overrides, run.init or ""),
            *(run.config_fingerprint, run.seed is None),
        )
        found.setdefault(key, []).append(run)
    return tuple(Setting(tuple(found[key])) for key in sorted(found))


def latest(runs: Iterable[Record]) -> tuple[Record, ...]:
    """Returns the last of each preset, overrides, start and seed, of runs from old to new."""
    found = {(run.preset, run.overrides, run.init, run.seed): run for run in runs}
    return tuple(found.values())


def best(settings: Sequence[Setting]) -> Setting:
    """Returns the setting with the best mean of the main metric, the first of equal ones."""
    metric = settings[0].first.main_metric
    sign = 1 if settings[0].first.metrics[metric].direction == "higher" else -1
    return max(settings, key=lambda setting: sign * setting.summary(metric).mean)


def by_model(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """Returns the settings of each model; other training makes no other model."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        found.setdefault(model_label(setting.first), []).append(setting)
    return found


def seeds_label(runs: Sequence[Record]) -> str:
    """Returns whose runs these are: `ours`, with the seed or the number of seeds."""
    if len(runs) > 1:
        return f"ours, {len(runs)} seeds"
    return "ours" if runs[0].seed is None else f"ours, seed {runs[0].seed}"


def start_label(init: str | None) -> str:
    """Returns `from` and the last two parts of the weights' path; empty for a fresh start."""
    return f"from {'/'.join(pathlib.PurePath(init).parts[-2:])}" if init else ""


def preset_label(run: Record) -> str:
    """Returns preset, overrides and start of a run; empty for a baseline."""
    return "; ".join(filter(None, [run.preset, *run.overrides, start_label(run.init)]))


def model_label(run: Record) -> str:
    """Returns preset, start and overrides of a run without those of its training."""
    overrides = [text for text in run.overrides if not text.startswith(_TRAINING)]
    return "; ".join(filter(None, [run.preset, *overrides, start_label(run.init)]))
