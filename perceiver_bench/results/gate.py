# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The regression gate: are the metrics of the newest runs what a baseline file expects?

Of the records that an expectation means (`Expectation.run`), those that differ in preset,
overrides or start, or in whether their seed is known, are runs of different settings. Of each
setting the newest whole record counts, so that an older good one never hides a newer one that
is not comparable. If exactly one of these is comparable, it is judged.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

from perceiver_bench.errors import UserError, nearest
from perceiver_bench.results import baselines, record
from perceiver_bench.results.baselines import Expectation, exact, in_words
from perceiver_bench.results.groups import groups
from perceiver_bench.results.record import Record

Verdict = Literal["pass", "out of tolerance", "not comparable"]
EXIT_CODES: dict[Verdict, int] = {"pass": 0, "out of tolerance": 1, "not comparable": 2}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of one expectation.

    Attributes:
        expectation: it.
        verdict: of it.
        reason: one sentence on the verdict; empty for a pass that needs none.
        record: what was judged; None where nothing comparable was there.
        value: the metric of the record.
        width: the tolerance in the metric's unit.
        difference: value minus expected, in tolerances.
    """

    expectation: Expectation
    verdict: Verdict
    reason: str
    record: Record | None = None
    value: float | None = None
    width: float | None = None
    difference: float | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of every expectation of a baseline file, in its order."""

    baseline_file: pathlib.Path
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 if all pass, 1 if any is out of tolerance, else 2 if any is not comparable.

        A number that is known to be wrong says more than one that is not known.
        """
        codes = {EXIT_CODES[finding.verdict] for finding in self.findings}
        return next(code for code in (1, 2, 0) if code in codes)


def check(
    baseline_file: pathlib.Path, results_dir: pathlib.Path, tasks: Sequence[str] = ()
) -> Report:
    """Judges the expectations of a baseline file by the records of `results_dir`.

    Args:
        baseline_file: the file.
        results_dir: the folder of the records.
        tasks: whose expectations; all if there are none.

    Raises:
        UserError: if the file, the folder or a record will not do, or nothing is expected of
            a task.
    """
    expectations = baselines.read(baseline_file)
    known = {expectation.task for expectation in expectations}
    for task in tasks:
        if task not in known:
            raise UserError(
                f"--task={task}: {baseline_file} expects nothing of it.{nearest(task, known)}"
            )
    if not results_dir.is_dir():
        raise UserError(f"--results_dir={results_dir}: no such folder; name the one with records/")
    records = record.read_all(results_dir)
    chosen = [one for one in expectations if not tasks or one.task in tasks]
    return Report(baseline_file, tuple(judge(one, records) for one in chosen))


def judge(expectation: Expectation, records: Sequence[Record]) -> Finding:
    """Judges one expectation by records, given from the oldest to the newest."""
    meant = [found for found in records if not _other_run(expectation, found)]
    newest = {_setting(found): found for found in meant if not found.partial}
    faults = {found.run_id: _faults(expectation, found) for found in newest.values()}
    comparable = [found for found in newest.values() if not faults[found.run_id]]
    if len(comparable) == 1:
        return _measured(expectation, comparable[0])
    if comparable:
        settings = "; ".join(_setting_words(found) for found in comparable)
        reason = f"runs of several settings are comparable ({settings}): name one in field run"
    elif newest:
        latest = max(newest.values(), key=lambda found: (found.date_utc, found.run_id))
        reason = f"record {latest.run_id}: {' and '.join(faults[latest.run_id])}"
    elif meant:
        reason = f"there are partial records only ({meant[-1].partial_reason})"
    else:
        reason = _no_record(expectation, records)
    return Finding(expectation=expectation, verdict="not comparable", reason=reason)


def _measured(expectation: Expectation, found: Record) -> Finding:
    """Judges one expectation by the number of a record that is comparable."""
    metric = found.metrics[expectation.metric]
    width = expectation.tolerance.width(expectation.expected, metric.standard_error)
    assert width is not None  # `_faults` says so otherwise
    difference = exact(metric.value) - exact(expectation.expected)
    reason = "" if expectation.dataset_fingerprint else "the baseline does not name the data"
    distance = _distance(difference, width)
    verdict: Verdict = "pass"
    if abs(difference) > width:
        verdict = "out of tolerance"
        side = "above" if difference > 0 else "below"
        is_better = (difference > 0) == (expectation.direction == "higher")
        reason = (
            f"{metric.value:.6g} is {abs(distance):.2f} tolerances {side} the expected"
            f" {expectation.expected:.6g} ± {_rounded(width):.3g}, which is"
            f" {'better, and to be explained too' if is_better else 'worse'}"
        )
    return Finding(
        expectation=expectation,
        verdict=verdict,
        reason=reason,
        record=found,
        value=metric.value,
        width=_rounded(width),
        difference=distance,
    )


def _distance(difference: Fraction, width: Fraction) -> float:
    """Returns a difference in tolerances; a standard error of 0 leaves nothing but equality."""
    if width:
        return _rounded(difference / width)
    return math.copysign(math.inf, difference) if difference else 0.0


def _rounded(number: Fraction) -> float:
    """Returns the nearest float, beyond the largest one infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _fields_of_run(found: Record) -> dict[str, Any]:
    """Returns the fields of a record that `Expectation.run` may name."""
    return {
        "preset": found.preset,
        "overrides": found.overrides,
        "init": found.init,
        "seed": found.seed,
        "checkpoint": found.checkpoint.get("digest"),
        "baseline": found.baseline,
    }


def _other_run(expectation: Expectation, found: Record) -> list[str]:
    """Returns what makes a record one of another run than is meant, in words."""
    if found.task != expectation.task:
        return ["another task"]
    # A baseline is meant only where it is named.
    meant = {"baseline": None, **expectation.run}
    fields = _fields_of_run(found)
    return [
        f"{name} is {in_words(fields[name])}, due is {in_words(value)}"
        for name, value in meant.items()
        if fields[name] != value
    ]


def _setting(found: Record) -> tuple[object, ...]:
    """Returns what tells the settings of a task's runs apart."""
    return found.preset, found.overrides, found.init, found.seed is None, found.baseline


def _setting_words(found: Record) -> str:
    """Returns a record's fields of its setting in words."""
    fields = _fields_of_run(found)
    shown = {"preset": fields["preset"], "overrides": fields["overrides"], "init": fields["init"]}
    if found.seed is None:
        shown["seed"] = None
    return ", ".join(f"{name} {in_words(value)}" for name, value in shown.items())


def _faults(expectation: Expectation, found: Record) -> list[str]:
    """Returns what keeps a whole record from being comparable, in words."""
    faults = [
        f"{words} is {getattr(found, name)}, due is {getattr(expectation, name)}"
        for name, words in (
            ("protocol", "protocol"),
            ("split", "split"),
            ("task_version", "task version"),
        )
        if getattr(found, name) != getattr(expectation, name)
    ]
    due = expectation.dataset_fingerprint
    if due and found.dataset_fingerprint != due:
        faults.append(f"data is {found.dataset_fingerprint[:12]}, due is {due[:12]}")
    elif not due and (incomplete := groups([found])[0].incomplete):
        faults.append(f"data is {incomplete} of the official set")
    return faults + _metric_faults(expectation, found)


def _metric_faults(expectation: Expectation, found: Record) -> list[str]:
    """Returns what is wrong with the record's metric, in words."""
    name = expectation.metric
    if name not in found.metrics:
        return [f"has no metric {name}, only {', '.join(found.metrics)}"]
    metric = found.metrics[name]
    faults = [
        f"{field} of {name} is {getattr(metric, field)}, due is {getattr(expectation, field)}"
        for field in ("unit", "direction")
        if getattr(metric, field) != getattr(expectation, field)
    ]
    if expectation.num_examples not in (None, metric.n):
        faults.append(f"{name} is over {metric.n} examples, due are {expectation.num_examples}")
    if not math.isfinite(metric.value):
        faults.append(f"{name} is {metric.value}, which is no finite number")
    elif expectation.tolerance.width(expectation.expected, metric.standard_error) is None:
        faults.append(f"{name} has no standard error: give the tolerance as absolute")
    return faults


def _no_record(expectation: Expectation, records: Sequence[Record]) -> str:
    """Says that no record is meant, and what the nearest one is of."""
    of_task = [found for found in records if found.task == expectation.task]
    if not of_task:
        return "no record of this task"
    others = {found.run_id: _other_run(expectation, found) for found in of_task}
    # The last of those that differ in the least.
    closest = min(reversed(of_task), key=lambda found: len(others[found.run_id]))
    return f"no record of this run; of the nearest, {closest.run_id}, " + " and ".join(
        others[closest.run_id]
    )
