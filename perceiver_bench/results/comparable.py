# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Which published rows compare with a group of records, and why the others do not."""

from collections.abc import Mapping, Sequence

from perceiver_bench.results.groups import Group
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

# The words of `ReportedRow.model` for the tokenizer of a text configuration.
_TOKENIZERS = {"bytes": "(UTF-8 bytes)", "sentencepiece": "(SentencePiece)"}


def apart(
    group: Group, reported_rows: Sequence[ReportedRow], *, made_up: bool = False
) -> dict[str, list[ReportedRow]]:
    """Returns the published rows by the reason why they do not compare with the records.

    Those that compare are under the empty reason, which is always there and the first.
    Where published rows name their protocol, those of the records' are the only ones.

    Args:
        group: the records.
        reported_rows: of their task.
        made_up: whether the data is, so that nothing compares.
    """
    names_protocols = any(row.protocol for row in reported_rows)
    found: dict[str, list[ReportedRow]] = {"": []}
    for row in reported_rows:
        is_other = names_protocols and row.protocol != group.protocol
        if made_up:
            reason = (
                "the data of these runs is made up; the published rows are of the real benchmark"
            )
        elif group.incomplete:
            reason = f"these runs saw a part of the official data, {group.incomplete}"
        elif is_other:
            name = row.protocol or "not named"
            reason = (
                f"another protocol, {name}; these runs are of {group.protocol}, which means other"
                " data, another simulator or other rules"
            )
        elif any(_is_of_another_scale(row, run) for run in group.runs):
            reason = f"another unit or direction of {row.metric}"
        else:
            reason = ""
        found.setdefault(reason, []).append(row)
    return found


def reference_row(
    record: Record, metric: str, compared: Sequence[ReportedRow]
) -> ReportedRow | None:
    """Returns the published row that a run is compared with, if there is one.

    It is the first row of this metric whose model has the run's tokenizer; for runs without
    a tokenizer the first row of this metric.

    Args:
        record: the run.
        metric: one of its.
        compared: the published rows that compare with its group.
    """
    data = record.config.get("data")
    tokenizer = data.get("tokenizer") if isinstance(data, Mapping) else None
    words = _TOKENIZERS.get(tokenizer, "") if isinstance(tokenizer, str) else ""
    for row in compared:
        if row.metric == metric and words in row.model:
            return row
    return None


def _is_of_another_scale(row: ReportedRow, run: Record) -> bool:
    ours = run.metrics.get(row.metric)
    return ours is not None and (ours.unit, ours.direction) != (row.unit, row.direction)
