# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Two runs of one task by their examples: the difference, how sure it is, what changed."""

import dataclasses
import math
import pathlib
from typing import Literal

import numpy as np

from perceiver_bench import registry
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.results import example_rows, record, resampling
from perceiver_bench.results.record import Record
from perceiver_bench.results.units import Units, units
from perceiver_bench.task import Arrays, Metric

_NUM_CHANGED = 20
_SAME = ("task", "task_version", "protocol", "split")
# What the data says of an example, and no run does.
_OF_DATA = ("label", "task", "variation", "seed")
# Another version of NumPy or SciPy may round otherwise.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Change:
    """The values of two runs for an example, by its place in the order of the data, from 0."""

    example: int
    first: float
    second: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A metric of two runs over the same examples.

    Attributes:
        runs: their records.
        metric, unit, direction: what is compared.
        values: the metric of each.
        difference: the second value less the first.
        interval: the ends of the difference's 95 % interval; None where the examples do not tell.
        p_value: of no difference, two-sided, by the bootstrap; None likewise.
        exact_p_value: the same by McNemar's exact test, where examples are right or wrong.
        num_resamples: of the bootstrap.
        num_units: how many examples count for the metric, or episodes with all their runs.
        wins, losses: on how many of them the second run is better, and worse; None where
            the rows do not tell.
        are_distances: whether the values of examples are distances from labels.
        weigh_alike: whether every example counts as much in one run as in the other.
        changed: the examples that changed most, at most 20; those that come first in the data
            before others that changed as much.
    """

    runs: tuple[Record, Record]
    metric: str
    unit: str
    direction: Literal["higher", "lower"]
    values: tuple[float, float]
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    exact_p_value: float | None
    num_resamples: int
    num_units: int
    wins: int | None
    losses: int | None
    are_distances: bool
    weigh_alike: bool
    changed: tuple[Change, ...]


def compare(first: pathlib.Path, second: pathlib.Path, metric: str | None = None) -> Comparison:
    """Compares the runs of two records by their files of examples.

    Args:
        first: the path of a record.
        second: that of another; the difference is its value less the first's.
        metric: its name; the main one by default.

    Raises:
        UserError: naming what differs, if the runs do not compare; for a file of examples that
            is missing, damaged or not what the record's value was made from.
    """
    runs = record.read(first), record.read(second)
    _check_comparable(*runs)
    name = metric or runs[0].main_metric
    if name not in runs[0].metrics:
        raise UserError(
            f"--metric={name}: the records have no such metric." + nearest(name, runs[0].metrics)
        )
    kind = registry.get(runs[0].task).metrics.get(name)
    if kind is None:
        raise UserError(f"--metric={name}: {runs[0].task} has it no more; evaluate both runs again")
    (rows_a, a), (rows_b, b) = (
        _read(path, run, name, kind) for path, run in zip((first, second), runs, strict=True)
    )
    _check_same_examples(runs, rows_a, rows_b, a, b)
    values = runs[0].metrics[name].value, runs[1].metrics[name].value
    difference = values[1] - values[0]
    resampled = resampling.differences(a, b)
    spread = resampling.spread(difference, resampled, a.strata)
    change = b.values - a.values
    tells = bool(np.isfinite(change).all())
    largest = np.lexsort((a.places, -np.abs(change)))[:_NUM_CHANGED]
    return Comparison(
        runs=runs,
        metric=name,
        unit=runs[0].metrics[name].unit,
        direction=runs[0].metrics[name].direction,
        values=values,
        difference=difference,
        interval=spread and spread.interval,
        p_value=spread and spread.p_value,
        exact_p_value=resampling.mcnemar(a, b),
        num_resamples=len(resampled),
        num_units=len(a.places),
        wins=int(np.sum(change * a.gains > 0)) if tells else None,
        losses=int(np.sum(change * a.gains < 0)) if tells else None,
        are_distances=bool(np.any(a.gains != (1 if kind.direction == "higher" else -1))),
        weigh_alike=all(np.array_equal(rows_a[row], rows_b[row]) for row in _of(rows_a, "weight")),
        changed=tuple(
            Change(int(a.places[one]), float(a.values[one]), float(b.values[one]))
            for one in largest
            if abs(change[one]) > 0
        ),
    )


def _check_comparable(first: Record, second: Record) -> None:
    """Raises UserError, naming what differs, unless the runs are of one task and its same data."""
    names = f"records {first.run_id} and {second.run_id} do not compare"
    for field in _SAME:
        one, other = getattr(first, field), getattr(second, field)
        if one != other:
            raise UserError(f"{names}: field {field} is {one!r} and {other!r}")
    if first.dataset_fingerprint != second.dataset_fingerprint:
        fields = sorted(
            field
            for field in first.dataset.keys() | second.dataset.keys()
            if first.dataset.get(field) != second.dataset.get(field)
        )
        raise UserError(
            f"{names}: field dataset_fingerprint is {first.dataset_fingerprint[:12]} and"
            f" {second.dataset_fingerprint[:12]}; of the data {', '.join(fields)} differ"
        )
    if first.partial_reason != second.partial_reason:
        reasons = (run.partial_reason or "the whole split" for run in (first, second))
        raise UserError(f"{names}: one is of {' and the other of '.join(reasons)}")
    if odd := sorted(first.metrics.keys() ^ second.metrics.keys()):
        raise UserError(f"{names}: only one of them has {', '.join(odd)}; evaluate both again")
    for run in (first, second):
        if run.examples is None:
            raise UserError(
                f"record {run.run_id} has no file of examples, for it was made before there were"
                " any; evaluate its checkpoint again (--mode=evaluate) and name the new record"
            )
    sizes = [run.examples["num_examples"] for run in (first, second) if run.examples]
    if sizes[0] != sizes[1]:
        raise UserError(f"{names}: they are of {sizes[0]:,} and {sizes[1]:,} examples")


def _read(path: pathlib.Path, run: Record, name: str, metric: Metric) -> tuple[Arrays, Units]:
    """Reads a run's rows of a metric; raises UserError unless they give the record's value."""
    assert run.examples is not None
    file = path.with_name(run.examples["file"])
    rows = example_rows.read(file, name, run.examples["sha256"], run.examples["num_examples"])
    try:
        with np.errstate(all="ignore"):
            value = metric.pooling.value(rows)
            found = units(metric, rows)
    except (KeyError, ValueError, IndexError, TypeError, MemoryError) as error:
        raise UserError(
            f"{file}: the rows of {name} are not what version {registry.get(run.task).version} of"
            f" {run.task} pools ({error!r}); evaluate the run again (--mode=evaluate)"
        ) from error
    due = run.metrics[name].value
    if not math.isclose(value, due, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        raise UserError(
            f"{file}: its rows give {value!r} for {name}, and the record says {due!r}; the"
            " record was changed, or the metric was; evaluate the run again (--mode=evaluate)"
        )
    return rows, found


def _check_same_examples(
    runs: tuple[Record, Record], rows_a: Arrays, rows_b: Arrays, a: Units, b: Units
) -> None:
    """Raises UserError unless what the data alone decides is the same in both runs."""
    names = f"records {runs[0].run_id} and {runs[1].run_id} do not compare"
    if rows_a.keys() != rows_b.keys():
        odd = sorted(rows_a.keys() ^ rows_b.keys())
        raise UserError(f"{names}: only one has the rows {', '.join(odd)}; evaluate both again")
    for row in _of(rows_a, *_OF_DATA):
        if not np.array_equal(rows_a[row], rows_b[row]):
            raise UserError(f"{names}: row {row} differs, so they are not of the same examples")
    if not (np.array_equal(a.places, b.places) and np.array_equal(a.strata, b.strata)):
        raise UserError(f"{names}: an example that counts in one of them does not in the other")


def _of(rows: Arrays, *names: str) -> list[str]:
    """Returns the rows of these names, those of parts of a metric too."""
    return [row for row in rows if row.rpartition("/")[2] in names]
