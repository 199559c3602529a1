# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables from records: our numbers, the baselines' and the published ones.

One line a metric of each run; runs that differ in their seed alone have one line together.
Partial runs are named below the table. Records that do not compare stand in separate tables.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from perceiver_bench.results import markdown, seeds
from perceiver_bench.results.groups import Group, groups
from perceiver_bench.results.lines import (
    lines,
    named_protocols,
    reference_row,
    row_label,
    to_csv,
)
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

PaperRows = Callable[[str], Sequence[ReportedRow]]
"""Gives the published rows of a task by its name."""


def task_table(
    task_name: str,
    records: Iterable[Record],
    reported_rows: Sequence[ReportedRow],
    *,
    made_up: bool = False,
) -> str:
    """Returns the Markdown tables of one task; records of other tasks are left out.

    The difference is ours minus the published number of `reference_row`. On `made_up` data and
    by another protocol there is none: the published rows are shown for their scale only.
    """
    found = groups(record for record in records if record.task == task_name)
    parts = [_group_table(task_name, group, reported_rows, made_up) for group in found]
    if not parts:
        return "No record yet.\n"
    if len(parts) > 1:
        differing = [
            name
            for name in ("protocol", "task_version", "split", "dataset_fingerprint")
            if len({getattr(group, name) for group in found}) > 1
        ]
        parts.insert(
            0,
            f"These {len(found)} tables do not compare with each other: their records differ in"
            f" {' and '.join(differing)}.\n",
        )
    return "\n".join(parts)


def _group_table(
    task_name: str, group: Group, reported_rows: Sequence[ReportedRow], made_up: bool
) -> str:
    """Returns one Markdown table with what it rests on above and what it leaves out below."""
    parts = [f"{markdown.escape(group.key[0].upper() + group.key[1:])}.\n"]
    if made_up:
        parts.append(
            "The data is made up: the paper's rows are of the real benchmark and do not compare"
            " with the others.\n"
        )
    elif group.incomplete:
        parts.append(
            f"The data is a part of the official set, {group.incomplete}: the paper's rows are of"
            " the whole and do not compare with the others.\n"
        )
    elif (protocols := named_protocols(reported_rows)) and group.protocol not in protocols:
        parts.append(
            f"The published rows are of other protocols ({markdown.escape(', '.join(protocols))}),"
            " which means other data, another simulator or other rules: they are shown for their"
            " scale and do not compare with the others.\n"
        )
    if group.settings or group.baselines:
        shown = lines(task_name, group, reported_rows, every_seed=False, made_up=made_up)
        parts.append(markdown.table(_header(shown), map(_cells, shown)))
    compares = not made_up and not group.incomplete
    if compares and (against := _references(group, reported_rows)):
        parts.append(f"Paper and difference (ours minus paper) are those of {against}.\n")
    if group.partial:
        left_out = "; ".join(
            f"{seeds.preset_label(record) or row_label(record)}, {record.date_utc[:10]}:"
            f" {record.partial_reason}"
            for record in group.partial
        )
        parts.append(f"Partial, so not in the table: {markdown.escape(left_out)}.\n")
    return "\n".join(parts)


def _references(group: Group, reported_rows: Sequence[ReportedRow]) -> str:
    """Names the published models that the runs of a group are compared with."""
    found = [
        reference_row(setting.first, metric, reported_rows)
        for setting in group.settings
        for metric in setting.first.metrics
    ]
    models = dict.fromkeys(row.model for row in found if row is not None)
    return markdown.escape(" and ".join(models))


def _header(shown: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Returns the names of the columns of a table of these lines."""
    has_interval = any("interval_low" in line for line in shown)
    ours = "ours [95 % interval] or ± standard error" if has_interval else "ours ± standard error"
    return (
        *("row", "metric", ours, "n", "paper", "difference"),
        *("preset", "checkpoint step", "commit", "date"),
    )


def _cells(line: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the cells of one line, in the order of the header."""
    ours = line.get("value", "")
    if "interval_low" in line:
        ours += f" [{line['interval_low']}, {line['interval_high']}]"
    elif "standard_error" in line:
        ours += f" ± {line['standard_error']}"
    if "deviation" in line:
        ours += f" ± {line['deviation']} deviation over seeds, best {line['best']}"
    overrides, start = line.get("overrides"), seeds.start_label(line.get("init"))
    return (
        line["row"],
        markdown.heading(line["metric"], line["unit"], line["direction"]),
        ours,
        line.get("n", ""),
        line.get("paper", ""),
        line.get("difference", ""),
        "; ".join(filter(None, [line.get("preset"), overrides, start])),
        line.get("checkpoint_step", ""),
        line.get("commit", "") + (" (dirty)" if line.get("dirty") in ("true", "several") else ""),
        line.get("date", ""),
    )


def tables(
    records: Sequence[Record],
    paper_rows: PaperRows,
    pictures: Mapping[str, str],
    averages: Mapping[str, str],
) -> str:
    """Returns the whole of TABLES.md.

    `pictures` gives the address of a task's learning curves, `averages` the tables of
    averages by their name.
    """
    parts = [
        "# Results\n",
        "Written by `perceiver-bench --mode=report` from `records/` and `reported.csv`; see"
        " [README.md](README.md) for what compares with what. An arrow shows which way is"
        " better. ± is one standard error over the evaluated examples; where a line sums up"
        " several seeds, it is the sample standard deviation over them.\n",
    ]
    names = sorted({record.task for record in records})
    if not names:
        parts.append("No record yet.\n")
    for name, text in averages.items():
        parts += [f"## {name}\n", text]
    for name in names:
        parts += [f"## {name}\n", task_table(name, records, paper_rows(name))]
        if name in pictures:
            parts.append(f"![Learning curves of {name}]({pictures[name]})\n")
    return "\n".join(parts)


def tables_csv(records: Sequence[Record], paper_rows: PaperRows) -> str:
    """Returns the lines of all tables as CSV, those of every seed too."""
    found: list[dict[str, str]] = []
    for name in sorted({record.task for record in records}):
        for group in groups(record for record in records if record.task == name):
            if group.settings or group.baselines:
                found += lines(name, group, paper_rows(name), every_seed=True)
    return to_csv(found)
