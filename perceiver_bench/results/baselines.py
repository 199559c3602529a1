# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Baseline files: what metrics are expected to be, how closely, and why."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import yaml

from perceiver_bench.errors import UserError, nearest
from perceiver_bench.files import write_atomically
from perceiver_bench.results import plain_yaml

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the expected one, in either direction.

    Attributes:
        kind: `absolute`, in the metric's unit; `relative`, a share of the expected value; or
            `standard_errors`, those that the record found gives with its number.
        amount: how many of these; above 0.
    """

    kind: Literal["absolute", "relative", "standard_errors"]
    amount: float

    def width(self, expected: float, standard_error: float | None) -> Fraction | None:
        """Returns the tolerance in the metric's unit; None where it takes a missing error.

        It is exact for the decimals as they are written, so that what is written as the
        boundary is the boundary.
        """
        if self.kind == "absolute":
            return exact(self.amount)
        if self.kind == "relative":
            return exact(self.amount) * abs(exact(expected))
        if standard_error is None or not math.isfinite(standard_error):
            return None
        return exact(self.amount) * exact(standard_error)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expectation:
    """One metric that a run is expected to reach.

    Attributes:
        task: `family/name`.
        task_version: the version of the task that the number is of.
        run: which of the task's runs, by fields of its record: preset, overrides, init, seed,
            checkpoint (its digest), or baseline alone. Fields that are not named may be any.
        split: the evaluated split.
        protocol: the id of the evaluation protocol.
        dataset_fingerprint: of the evaluated data, as a record has it; None where it is not
            known.
        num_examples: how many the metric is over; None for any.
        metric: its name.
        unit: of the metric.
        direction: whether higher or lower is better.
        expected: the number, in `unit`.
        tolerance: how far from it.
        why: where number and tolerance come from.
    """

    task: str
    task_version: int
    run: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    split: str
    protocol: str
    dataset_fingerprint: str | None = None
    num_examples: int | None = None
    metric: str
    unit: str
    direction: Literal["higher", "lower"]
    expected: float
    tolerance: Tolerance
    why: str

    @property
    def identity(self) -> tuple[object, ...]:
        """What no two expectations of a file may share."""
        run = tuple(sorted((name, repr(value)) for name, value in self.run.items()))
        return self.task, run, self.split, self.protocol, self.metric

    @property
    def run_words(self) -> str:
        """The named fields of the run in words; empty if there are none."""
        return ", ".join(f"{name} {in_words(value)}" for name, value in self.run.items())


def exact(number: float) -> Fraction:
    """Returns the decimal number that `number` is written as; 0.1 is a tenth."""
    return Fraction(str(number))


def in_words(value: Any) -> str:
    """Returns a field of a record in words."""
    if isinstance(value, list | tuple):
        return " ".join(value) or "none"
    return "none" if value is None else str(value)


def _text(value: Any) -> str:
    # One line that every terminal and table can show.
    if isinstance(value, str) and value and value.isprintable():
        return value
    raise ValueError("a line of text")


def _paragraph(value: Any) -> str:
    joined = " ".join(value.split()) if isinstance(value, str) else ""
    if joined and joined.isprintable():
        return joined
    raise ValueError("a text that says where number and tolerance come from")


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(text, str) and text for text in value):
        return tuple(map(_text, value))
    raise ValueError("a list of path=value; [] for none")


def _count(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    raise ValueError("a whole number")


def _number(value: Any) -> float:
    pattern = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?"
    is_short = isinstance(value, str) and len(value) < 100
    if is_short and re.fullmatch(pattern, value) and math.isfinite(number := float(value)):
        return number
    raise ValueError("a finite number such as 81.5")


def _positive(value: Any) -> float:
    if (number := _number(value)) > 0:
        return number
    raise ValueError("a number above 0")


def _share(value: Any) -> float:
    # A person who means per cent would otherwise let everything pass.
    if 0 < (number := _number(value)) < 1:
        return number
    raise ValueError("a share above 0 and below 1, such as 0.02 for 2 %")


def _digest(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return value
    raise ValueError("the 64 digits of a record's dataset_fingerprint; leave it out if unknown")


def _direction(value: Any) -> str:
    if value in ("higher", "lower"):
        return value
    raise ValueError("higher or lower")


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        try:
            return None if value is None else convert(value)
        except ValueError as error:
            raise ValueError(f"{error}, or null for none") from error

    return converted


_Fields = Mapping[str, Callable[[Any], Any]]

_RUN: _Fields = {
    "preset": _text,
    "overrides": _texts,
    "init": _optional(_text),
    "seed": _optional(_count),
    "checkpoint": _text,
    "baseline": _text,
}

_TOLERANCE: _Fields = {"absolute": _positive, "relative": _share, "standard_errors": _positive}

_ENTRY: _Fields = {
    "task": _text,
    "task_version": _count,
    "run": lambda value: _run(value),
    "split": _text,
    "protocol": _text,
    "dataset_fingerprint": _digest,
    "num_examples": _count,
    "metric": _text,
    "unit": _text,
    "direction": _direction,
    "expected": _number,
    "tolerance": lambda value: _tolerance(value),
    "why": _paragraph,
}

_FILE = ("schema_version", "expectations")
_MAY_LACK = {"run", "dataset_fingerprint", "num_examples"}


class _Fault(Exception):
    """What is wrong with a field of an entry, with its mend."""


def read(path: pathlib.Path) -> tuple[Expectation, ...]:
    """Reads a baseline file, in its order.

    Raises:
        UserError: naming the file, the entry, the field and the mend.
    """
    value = plain_yaml.read(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: must be a mapping of {' and '.join(_FILE)}")
    for name in (*_FILE, *value):
        if name not in value:
            raise UserError(f"{path}: field {name} is missing; add it")
        if name not in _FILE:
            raise UserError(f"{path}: field {name!r:.60} is unknown.{nearest(name[:60], _FILE)}")
    if value["schema_version"] != str(SCHEMA_VERSION):
        raise UserError(
            f"{path}: field schema_version must be {SCHEMA_VERSION}, the version this program"
            f" knows, is {value['schema_version']!r:.60}"
        )
    entries = value["expectations"]
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: field expectations must be a list with at least one entry")
    found: dict[tuple[object, ...], int] = {}
    expectations = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("task") if isinstance(entry, dict) else None
        where = f"{path}: entry {number}" + (f" ({name!r:.60})" if isinstance(name, str) else "")
        try:
            expectation = _expectation(entry)
        except _Fault as fault:
            raise UserError(f"{where}: {fault}") from fault
        if (first := found.setdefault(expectation.identity, number)) != number:
            raise UserError(
                f"{where}: expects the same metric of the same run as entry {first}; delete one"
            )
        expectations.append(expectation)
    return tuple(expectations)


def write(expectations: Iterable[Expectation], path: pathlib.Path) -> None:
    """Writes a baseline file, which must not exist yet.

    Raises:
        UserError: if it exists, cannot be written, or would be too large to be read.
    """
    value = {
        "schema_version": SCHEMA_VERSION,
        "expectations": [_entry(expectation) for expectation in expectations],
    }
    text = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    if len(content := text.encode()) > plain_yaml.MAX_BYTES:
        raise UserError(
            f"--baseline={path}: would be larger than {plain_yaml.MAX_BYTES:,} bytes; name fewer"
            " tasks with --task"
        )
    if path.exists():
        raise UserError(f"--baseline={path}: exists already; delete it or name another file")
    write_atomically(path, content, overwrite=False)


def _entry(expectation: Expectation) -> dict[str, Any]:
    """Returns an expectation as YAML has it."""
    fields = {
        field.name: getattr(expectation, field.name) for field in dataclasses.fields(expectation)
    }
    tolerance = {expectation.tolerance.kind: expectation.tolerance.amount}
    run = {
        name: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in expectation.run.items()
    }
    fields |= {"run": run, "tolerance": tolerance}
    return {name: value for name, value in fields.items() if value not in (None, {})}


def _expectation(entry: Any) -> Expectation:
    """Returns one entry of a file; raises _Fault."""
    fields = _converted(entry, _ENTRY, "")
    for name in _ENTRY:
        if name not in fields and name not in _MAY_LACK:
            raise _Fault(f"field {name} is missing; add it")
    if fields["tolerance"].kind == "relative" and fields["expected"] == 0:
        raise _Fault("field tolerance.relative is a share of 0, which is 0; give absolute")
    return Expectation(**fields)


def _run(value: Any) -> dict[str, Any]:
    run = _converted(value, _RUN, "run.")
    if "baseline" in run and len(run) > 1:
        raise _Fault("field run.baseline stands alone: a baseline has no preset or seed")
    return run


def _tolerance(value: Any) -> Tolerance:
    found = _converted(value, _TOLERANCE, "tolerance.")
    if len(found) != 1:
        raise _Fault(
            f"field tolerance must have exactly one of {', '.join(_TOLERANCE)}, has {len(found)}"
        )
    ((kind, amount),) = found.items()
    return Tolerance(kind, amount)  # pyright: ignore[reportArgumentType]


def _converted(value: Any, fields: _Fields, prefix: str) -> dict[str, Any]:
    """Returns the fields of a mapping, each converted; raises _Fault for one that will not do."""
    if not isinstance(value, dict):
        name = f"field {prefix.rstrip('.')}" if prefix else "the entry"
        raise _Fault(f"{name} must be a mapping of {', '.join(fields)}, is {value!r:.60}")
    found = {}
    for name, item in value.items():
        if name not in fields:
            raise _Fault(f"field {prefix}{name!r:.60} is unknown.{nearest(name[:60], fields)}")
        try:
            found[name] = fields[name](item)
        except ValueError as error:
            shown = "empty" if item is None else f"{item!r:.60}"
            raise _Fault(f"field {prefix}{name} must be {error}, is {shown}") from error
    return found
