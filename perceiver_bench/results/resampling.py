# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The paired bootstrap over examples, and the exact test where examples are right or wrong."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import scipy.stats
from absl import logging

from perceiver_bench.results.units import Units

_CONFIDENCE = 0.95
_NUM_RESAMPLES = 10_000
_NUM_CALLED = 2_000
# How many units are drawn at once, which bounds the memory.
_NUM_DRAWN = 2**19
# Differences this small beside the values are rounding.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Spread:
    """How sure a difference is: the ends of its 95 % interval, and a two-sided p-value."""

    interval: tuple[float, float]
    p_value: float


def differences(first: Units, second: Units) -> np.ndarray:
    """Returns the second run's metric less the first's over resamples [r], always the same ones.

    Both have the same units, which are drawn for both at once. There are 10,000 resamples, or
    2,000 where each calls the metric's function.
    """
    num_resamples = _NUM_CALLED if first.is_called else _NUM_RESAMPLES
    with _without_warnings():
        found = [
            second.metric(drawn) - first.metric(drawn)
            for drawn in _draws(first.strata, num_resamples)
        ]
    return np.concatenate(found)


def _draws(strata: np.ndarray, num_resamples: int) -> Iterator[np.ndarray]:
    """Yields drawn units [r, n], with as many of each stratum as it has."""
    generator = np.random.default_rng(0)
    members = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    at_once = max(1, _NUM_DRAWN // len(strata))
    for start in range(0, num_resamples, at_once):
        rows = min(at_once, num_resamples - start)
        drawn = [one[generator.integers(len(one), size=(rows, len(one)))] for one in members]
        yield np.concatenate(drawn, axis=1)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Silences what metrics say of odd data: a resample may well hold a single class."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def spread(difference: float, resampled: np.ndarray, strata: np.ndarray) -> Spread | None:
    """Returns the interval and the p-value of a difference from its resamples [r].

    The interval is the percentile interval: it needs no formula for a metric's error, and
    exchanging the runs exchanges its ends. Units that are drawn from themselves vary by a
    factor (n - s) / n too little, for n units in s strata. So its levels lie further out: at
    those of a normal distribution for Student's t of n - s degrees of freedom times the
    root of n / (n - s) (the expanded percentile interval: Hesterberg, The American
    Statistician 69, 2015, 371-386). For many units they are 2.5 and 97.5 %.

    The p-value begins as the share of resamples that lie at least as far from `difference` as
    that lies from 0, `difference` itself counted as one more; the same two corrections,
    the other way round, make it Student's.

    Returns:
        None where the units do not tell: if all differ alike, or one is its stratum's only one.
    """
    _, sizes = np.unique(strata, return_counts=True)
    varies = np.ptp(resampled) > _ROUNDING * np.max(np.abs(resampled))
    if difference == 0 and not varies:
        return Spread((0.0, 0.0), 1.0)
    if sizes.min() == 1 or not varies:
        return None
    freedom = len(strata) - len(sizes)
    widened = math.sqrt(len(strata) / freedom)
    level = scipy.stats.norm.cdf(widened * scipy.stats.t.ppf((1 - _CONFIDENCE) / 2, freedom))
    low, high = np.quantile(resampled, [level, 1 - level])
    far = np.abs(resampled - difference) >= abs(difference) * (1 - _ROUNDING)
    share = (1 + np.count_nonzero(far)) / (1 + len(resampled))
    p_value = 2 * scipy.stats.t.sf(scipy.stats.norm.isf(share / 2) / widened, freedom)
    return Spread((float(low), float(high)), float(p_value))


def mcnemar(first: Units, second: Units) -> float | None:
    """Returns the exact two-sided p-value of McNemar's test, for outcomes of 0 and 1.

    Of the examples that only one run has right, each is as likely to be either's if there is
    no difference (Psychometrika 12, 1947, 153-157). None for other values, and where examples
    do not count alike.
    """
    values = np.stack([first.values, second.values])
    if not (first.count_alike and second.count_alike and np.isin(values, (0, 1)).all()):
        return None
    gained, lost = np.sum(values[1] > values[0]), np.sum(values[1] < values[0])
    changed = int(gained + lost)
    return float(scipy.stats.binomtest(int(gained), changed).pvalue) if changed else 1.0
