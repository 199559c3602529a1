# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where a number is from: all that its record says, in the words of a list."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from perceiver_bench.results import command, seeds
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(v\d+)?)")


@dataclasses.dataclass(frozen=True)
class Origin:
    """What made one record.

    Attributes:
        anchor: the id of the place on the page, unique on it.
        title: whose numbers these are.
        facts: term and text, in the order to be read.
        metrics: name, value, standard error, interval and n, with every digit.
        config: the whole configuration; empty for a baseline.
    """

    anchor: str
    title: str
    facts: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str, str, str, str], ...]
    config: str


def anchor(run: Record) -> str:
    """Returns the id of the place that tells where a run's numbers are from."""
    return f"run/{run.task}/{run.run_id}"


def origin(run: Record) -> Origin:
    """Returns what made a record."""
    name = f"baseline {run.baseline}" if run.baseline else seeds.preset_label(run)
    seed = "" if run.seed is None else f", seed {run.seed}"
    facts = {
        "record": f"records/{run.task}/{run.run_id}.json",
        "written": run.date_utc,
        "protocol": f"{run.protocol}, task version {run.task_version}, split {run.split}",
        "partial": run.partial_reason,
        "coverage": _coverage(run),
        "command": command.as_text(run.command) if run.command else "",
        "commit": _commit(run.git),
        "overrides": " ".join(run.overrides) or "none",
        "started from": run.init or ("" if run.baseline else "random weights"),
        "seed": "" if run.seed is None else str(run.seed),
        "parameters": "" if run.num_params is None else f"{run.num_params:,}",
        "checkpoint": _named(run.checkpoint),
        "data": _named(run.dataset),
        "data fingerprint": run.dataset_fingerprint,
        "configuration fingerprint": "" if run.baseline else run.config_fingerprint,
        "rows of examples": _named(run.examples or {}),
        "versions": _named(run.versions),
        "device": _named(_known(run.device)),
        "precision": _named(run.precision),
        "evaluation took": f"{run.wall_seconds:,.1f} s",
    }
    return Origin(
        anchor=anchor(run),
        title=f"{name}{seed}, {run.date_utc[:10]}",
        facts=tuple((term, text) for term, text in facts.items() if text),
        metrics=tuple(
            (
                name,
                f"{one.value!r} {'' if one.unit == '1' else one.unit}".rstrip(),
                "" if one.standard_error is None else repr(one.standard_error),
                "" if one.interval is None else f"{one.interval[0]!r} to {one.interval[1]!r}",
                f"{one.n:,}",
            )
            for name, one in run.metrics.items()
        ),
        config=json.dumps(run.config, indent=1) if run.config else "",
    )


def address(row: ReportedRow) -> str:
    """Returns the address of a published row's source, if it is a paper of arXiv."""
    found = _ARXIV.fullmatch(row.source)
    return f"https://arxiv.org/abs/{found[1]}" if found else ""


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "unknown: an installed package, or no repository"
    return git["commit"] + (", with changes that are not in it" if git["dirty"] else ", unchanged")


def _coverage(run: Record) -> str:
    """Returns how many examples were measured of how many, and how many the official set has."""
    if run.coverage is None:
        return ""
    text = "{num_measured:,} of {num_examples:,} examples".format_map(run.coverage)
    official = run.dataset.get("official_num_examples")
    return f"{text}, officially {official:,}" if isinstance(official, int) else text


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _named(values: Mapping[str, Any]) -> str:
    """Returns names and values in one text; what is nested as JSON."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values.items()
    )
