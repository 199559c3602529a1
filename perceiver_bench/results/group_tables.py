# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of a group of records as cells, for Markdown and LaTeX alike."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.groups import Group
from perceiver_bench.results.lines import lines, row_label
from perceiver_bench.results.markdown import heading
from perceiver_bench.results.reported import ReportedRow

_HEADER = (
    *("row", "metric", "ours", "n", "paper", "difference"),
    *("preset", "step", "commit", "date"),
)
_APART_HEADER = ("row", "metric", "paper")


def group_tables(
    task_name: str, group: Group, reported_rows: Sequence[ReportedRow], *, made_up: bool = False
) -> tuple[Cells, dict[str, Cells]]:
    """Returns the table of what compares, and those of published rows that do not, by reason.

    The notes of the first say what its numbers are and what it leaves out. Where all runs are
    partial it has no rows, and no other table follows.

    Args:
        task_name: whose records these are.
        group: the records.
        reported_rows: the task's published rows.
        made_up: whether the data is, so that nothing compares.
    """
    if not group.runs:
        return Cells(_HEADER, (), _partial(group)), {}
    shown = lines(task_name, group, reported_rows, every_seed=False, made_up=made_up)
    by_reason = {
        reason: list(members)
        for reason, members in itertools.groupby(
            shown, key=lambda line: line.get("not_comparable", "")
        )
    }
    compared = by_reason.pop("")
    notes = [
        "The data is made up" if made_up else "",
        _spreads(compared),
        _references(group, reported_rows, made_up),
        *_partial(group),
    ]
    return Cells(_HEADER, [_cells(line) for line in compared], [*filter(None, notes)]), {
        reason: Cells(
            _APART_HEADER, [(line["row"], _metric(line), line["paper"]) for line in members]
        )
        for reason, members in by_reason.items()
    }


def _cells(line: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the cells of one line, in the order of the header."""
    return (
        line["row"],
        _metric(line),
        _ours(line),
        line.get("n", ""),
        line.get("paper", ""),
        line.get("difference", ""),
        "; ".join(
            filter(
                None,
                [line.get("preset"), line.get("overrides"), seeds.start_label(line.get("init"))],
            )
        ),
        line.get("checkpoint_step", ""),
        line.get("commit", "") + (" (dirty)" if line.get("dirty") in ("true", "several") else ""),
        line.get("date", ""),
    )


def _metric(line: Mapping[str, str]) -> str:
    return heading(line["metric"], line["unit"], line["direction"])


def _ours(line: Mapping[str, str]) -> str:
    """Returns a number with its spread."""
    text = line.get("value", "")
    if "interval_low" in line:
        text += f" [{line['interval_low']}, {line['interval_high']}]"
    elif "standard_error" in line:
        text += f" ± {line['standard_error']}"
    if "deviation" in line:
        text += f", deviation {line['deviation']}, best {line['best']} of {line['num_seeds']} seeds"
    return text


def _spreads(shown: Iterable[Mapping[str, str]]) -> str:
    """Returns what stands beside our numbers, in words; empty if nothing does."""
    words = set()
    for line in shown:
        if "deviation" in line:
            words.add("of several seeds the mean, its 95 % t-interval and the sample deviation")
        elif "interval_low" in line:
            words.add("[ends of the 95 % interval over the examples]")
        elif "standard_error" in line:
            words.add("± one standard error over the examples")
    return f"Ours: {'; '.join(sorted(words))}" if words else ""


def _references(group: Group, reported_rows: Sequence[ReportedRow], made_up: bool) -> str:
    """Names the published models that the runs of a group are compared with, if there are any."""
    compared = comparable.apart(group, reported_rows, made_up=made_up)[""]
    found = [
        comparable.reference_row(setting.first, metric, compared)
        for setting in group.settings
        for metric in setting.first.metrics
    ]
    models = dict.fromkeys(row.model for row in found if row is not None)
    if not models:
        return ""
    return f"Paper and difference (ours minus paper) are those of {' and '.join(models)}"


def _partial(group: Group) -> list[str]:
    """Returns a note on the partial runs, if there are any."""
    left_out = [
        f"{seeds.preset_label(record) or row_label(record)}, {record.date_utc[:10]}:"
        f" {record.partial_reason}"
        for record in group.partial
    ]
    return [f"Partial, so not in the table: {'; '.join(left_out)}"] if left_out else []
