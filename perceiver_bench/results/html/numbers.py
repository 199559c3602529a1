# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""How the page writes numbers."""

from perceiver_bench.results.markdown import digits
from perceiver_bench.results.record import MetricValue
from perceiver_bench.results.seeds import Setting

_MINUS = "\N{MINUS SIGN}"


def fixed(value: float, unit: str) -> str:
    """Returns a number with the decimals of its unit."""
    return f"{value:.{digits(unit)}f}".replace("-", _MINUS)


def signed(value: float, unit: str) -> str:
    """Returns a difference with its sign and the decimals of its unit."""
    return f"{value:+.{digits(unit)}f}".replace("-", _MINUS)


def short(value: float) -> str:
    """Returns a number with as few digits as tell it from its neighbours on an axis."""
    return f"{value:,.6g}".replace("-", _MINUS)


def spread(measured: MetricValue) -> tuple[str, ...]:
    """Returns the interval of one run's metric, or its standard error; nothing without one."""
    if measured.interval is not None:
        return (_interval(measured.interval, measured.unit),)
    if measured.standard_error is not None:
        return (f"± {fixed(measured.standard_error, measured.unit)}",)
    return ()


def of_setting(setting: Setting, metric: str) -> tuple[str, tuple[str, ...]]:
    """Returns value and spread of a metric: of the one run, or of the mean over seeds.

    The second is some lines; over seeds the interval, the deviation, and the best.
    """
    measured = setting.first.metrics[metric]
    summary = setting.summary(metric)
    value = fixed(summary.mean, measured.unit)
    if summary.deviation is None or summary.interval is None:
        return value, spread(measured)
    return value, (
        _interval(summary.interval, measured.unit),
        f"deviation {fixed(summary.deviation, measured.unit)}",
        f"best {fixed(summary.best, measured.unit)} of {summary.num_seeds} seeds",
    )


def _interval(ends: tuple[float, float], unit: str) -> str:
    low, high = (fixed(end, unit) for end in ends)
    return f"[{low}, {high}]"
