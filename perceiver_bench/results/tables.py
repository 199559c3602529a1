# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables from records: our numbers, the baselines' and the published ones.

One line a metric of each run; runs that differ in their seed alone have one line together.
Partial runs are named below the table. Records that do not compare stand in separate tables,
and so do published rows, with the reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from perceiver_bench.results import markdown
from perceiver_bench.results.group_tables import group_tables
from perceiver_bench.results.groups import Group, differing, groups
from perceiver_bench.results.lines import lines, to_csv
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

    The difference is ours minus the published number of `comparable.reference_row`. What is
    published and does not compare, as nothing does with `made_up` data, stands apart.
    """
    found = groups(record for record in records if record.task == task_name)
    parts = [_group_table(task_name, group, reported_rows, made_up) for group in found]
    if not parts:
        return "No record yet.\n"
    if len(parts) > 1:
        parts.insert(
            0,
            f"These {len(found)} tables do not compare with each other: their records differ in"
            f" {' and '.join(differing(found))}.\n",
        )
    return "\n".join(parts)


def _group_table(
    task_name: str, group: Group, reported_rows: Sequence[ReportedRow], made_up: bool
) -> str:
    """Returns the Markdown tables of a group under what its records share."""
    compared, by_reason = group_tables(task_name, group, reported_rows, made_up=made_up)
    parts = [f"{markdown.escape(group.key[0].upper() + group.key[1:])}.\n"]
    if compared.rows:
        parts.append(markdown.table(compared.header, compared.rows))
    parts += [f"{markdown.escape(note)}.\n" for note in compared.notes]
    for reason, cells in by_reason.items():
        parts.append(f"Published, not comparable: {markdown.escape(reason)}.\n")
        parts.append(markdown.table(cells.header, cells.rows))
    return "\n".join(parts)


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
        " better.\n",
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
            if group.runs:
                found += lines(name, group, paper_rows(name), every_seed=True)
    return to_csv(found)
