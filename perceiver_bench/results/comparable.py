# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Which published rows compare with a group of records, and why the others do not."""

from collections.abc import Sequence

from perceiver_bench.results.groups import Group
from perceiver_bench.results.lines import named_protocols
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow


def apart(
    group: Group, reported_rows: Sequence[ReportedRow], *, made_up: bool
) -> dict[str, list[ReportedRow]]:
    """Returns the published rows by the reason why they do not compare with the records.

    Those that compare are under the empty reason.

    Args:
        group: the records.
        reported_rows: of their task.
        made_up: whether the data is, so that nothing compares.
    """
    found: dict[str, list[ReportedRow]] = {"": []}
    for row in reported_rows:
        found.setdefault(_reason(group, row, reported_rows, made_up), []).append(row)
    return found


def runs(group: Group) -> list[Record]:
    """Returns the whole runs of a group, the baselines last."""
    return [run for setting in group.settings for run in setting.runs] + [*group.baselines]


def _reason(
    group: Group, row: ReportedRow, reported_rows: Sequence[ReportedRow], made_up: bool
) -> str:
    if made_up:
        return "the data of these runs is made up; the published rows are of the real benchmark"
    if group.incomplete:
        return f"these runs saw a part of the official data, {group.incomplete}"
    if named_protocols(reported_rows) and row.protocol != group.protocol:
        return (
            f"another protocol, {row.protocol or 'not named'}; these runs are of {group.protocol}"
        )
    for run in runs(group):
        ours = run.metrics.get(row.metric)
        if ours and (ours.unit, ours.direction) != (row.unit, row.direction):
            return f"another unit or direction of {row.metric}"
    return ""
