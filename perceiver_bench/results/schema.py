# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a record must look like, as plain JSON."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

VERSION = 2
"""Of the list of fields that records are written with; `migration` reads the older ones."""

# Lower-case words, so that a task's name is a safe relative path on every file system.
_TASK = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)+")
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_METRIC_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


def _text(value: Any) -> bool:
    # One line that every terminal and table can show.
    return isinstance(value, str) and bool(value) and value.isprintable()


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _integer(value) and value >= 0


def _number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        return False


def _duration(value: Any) -> bool:
    return _number(value) and value >= 0


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _interval(value: Any) -> bool:
    return _list_of(_number)(value) and len(value) == 2 and value[0] <= value[1]


def _curve_point(value: Any) -> bool:
    return (
        isinstance(value, dict) and _count(value.get("step")) and all(map(_number, value.values()))
    )


_Fields = Mapping[str, tuple[Callable[[Any], bool], str]]

_RECORD: _Fields = {
    "schema_version": (
        lambda value: _integer(value) and value == VERSION,
        f"a version this program knows, up to {VERSION}",
    ),
    "run_id": (_like(_RUN_ID), "a UTC time and eight hexadecimal digits"),
    "task": (_like(_TASK), "family/name in lower case"),
    "task_version": (_count, "a whole number"),
    "split": (_text, "a line of text"),
    "protocol": (_text, "a line of text"),
    "metrics": (lambda value: _mapping(value) and bool(value), "at least one metric by name"),
    "partial": (lambda value: isinstance(value, bool), "true or false"),
    "partial_reason": (_optional(_text), "a line of text or null"),
    "preset": (_optional(_text), "a line of text or null"),
    "overrides": (_list_of(_text), "a list of path=value"),
    "config": (_mapping, "a mapping"),
    "config_fingerprint": (_like(_DIGEST), "a SHA-256"),
    "dataset": (lambda value: _mapping(value) and bool(value), "a mapping that is not empty"),
    "dataset_fingerprint": (_like(_DIGEST), "a SHA-256"),
    "coverage": (_optional(_mapping), "a mapping or null"),
    "checkpoint": (_mapping, "a mapping"),
    "init": (_optional(_text), "a line of text or null"),
    "seed": (_optional(_integer), "a whole number or null"),
    "num_params": (_optional(_count), "a whole number or null"),
    "git": (_optional(_mapping), "a mapping or null"),
    "versions": (_mapping, "a mapping"),
    "device": (_mapping, "a mapping"),
    "precision": (_mapping, "a mapping"),
    "wall_seconds": (_duration, "a finite number of seconds"),
    "date_utc": (_like(_DATE), "a UTC time such as 2026-01-31T12:00:00Z"),
    "learning_curve": (
        _optional(_list_of(_curve_point)),
        "null or a list of {step, metric: finite number}",
    ),
    "command": (_optional(_list_of(_text)), "a list of flags or null"),
    "examples": (_optional(_mapping), "a mapping or null"),
}

_MAY_LACK = {"interval"}  # few metrics have one

_METRIC: _Fields = {
    "value": (_number, "a finite number"),
    "standard_error": (_optional(_duration), "a finite number, not negative, or null"),
    "n": (lambda value: _count(value) and value > 0, "a number of examples above 0"),
    "unit": (_text, "a line of text"),
    "direction": (lambda value: value in ("higher", "lower"), "higher or lower"),
    "interval": (_interval, "two finite numbers, the lower one first"),
}

_CHECKPOINT: _Fields = {
    "path": (_text, "a line of text"),
    "step": (_optional(_count), "a whole number or null"),
    "digest": (_text, "a line of text"),
    "format": (_text, "a line of text"),
}

_BASELINE: _Fields = {"baseline": (_text, "a line of text")}

_GIT: _Fields = {
    "commit": (_text, "a line of text"),
    "dirty": (lambda value: isinstance(value, bool), "true or false"),
}

_DEVICE: _Fields = {
    "platform": (_text, "a line of text"),
    "kind": (_text, "a line of text"),
    "count": (_count, "a whole number"),
    "processor": (_optional(_text), "a line of text or null"),
    "cores": (_optional(_count), "a whole number or null"),
}

_PRECISION: _Fields = {
    "dtype": (_text, "a line of text"),
    "jax_default_matmul_precision": (_optional(_text), "a line of text or null"),
}

_COVERAGE: _Fields = {
    "num_measured": (_count, "a whole number"),
    "num_examples": (_count, "a whole number"),
}

_EXAMPLES: _Fields = {
    "file": (_text, "a line of text"),
    "sha256": (_like(_DIGEST), "a SHA-256"),
    "num_examples": (lambda value: _count(value) and value > 0, "a number of examples above 0"),
}


def fault(record: Any) -> str | None:
    """Returns what is wrong with a record as plain JSON, in one line, or None."""
    if not isinstance(record, dict):
        return "a record is a mapping of fields"
    if found := _fault(record, _RECORD, ""):
        return found
    for name, value in record["metrics"].items():
        if not _METRIC_NAME.fullmatch(name):
            return f"field metrics: {name!r:.60} is no metric's name"
        if found := _fault(value, _METRIC, f"metrics.{name}."):
            return found
    checkpoint = record["checkpoint"]
    kind = _BASELINE if "baseline" in checkpoint else _CHECKPOINT
    if found := _fault(checkpoint, kind, "checkpoint."):
        return found
    if record["git"] is not None and (found := _fault(record["git"], _GIT, "git.")):
        return found
    coverage = record["coverage"]
    if coverage is not None and (found := _fault(coverage, _COVERAGE, "coverage.")):
        return found
    if (examples := record["examples"]) is not None:
        if found := _fault(examples, _EXAMPLES, "examples."):
            return found
        # Any other name could lead anywhere.
        if examples["file"] != (due := f"{record['run_id']}.npz"):
            return f"field examples.file must be {due}, is {examples['file']!r:.60}"
    for name, value in record["versions"].items():
        if not _text(value):
            return f"field versions: {name!r:.60} must be a line of text, is {value!r:.60}"
    if record["partial"] != (record["partial_reason"] is not None):
        return "field partial_reason must be given if and only if partial is true"
    if "baseline" not in checkpoint and record["preset"] is None:
        return "field preset must be text unless the checkpoint is a baseline"
    return _fault(record["device"], _DEVICE, "device.") or _fault(
        record["precision"], _PRECISION, "precision."
    )


def _fault(value: Any, fields: _Fields, prefix: str) -> str | None:
    """Returns what keeps `value` from having exactly these fields, or None."""
    if not isinstance(value, dict):
        return f"field {prefix.rstrip('.')} must be a mapping, is {value!r:.60}"
    for name in fields:
        if name not in value and name not in _MAY_LACK:
            return f"field {prefix}{name} is missing"
    for name, item in value.items():
        if name not in fields:
            return f"field {prefix}{name!r:.60} is unknown"
        holds, meaning = fields[name]
        if not holds(item):
            return f"field {prefix}{name} must be {meaning}, is {item!r:.60}"
    return None
