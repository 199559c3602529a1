# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
r"""The tables as LaTeX, to be read by `\input` in a document of one's own."""

import re
from collections.abc import Mapping, Sequence

from perceiver_bench.results.cells import Cells
from perceiver_bench.results.group_tables import group_tables
from perceiver_bench.results.groups import Group, groups
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow
from perceiver_bench.results.tables import PaperRows
from perceiver_bench.results.visible import visible

_HEAD = r"""% Written by `perceiver-bench --mode=report`. Needs, in the preamble:
% \usepackage{array,booktabs,longtable}
"""
_WRITTEN = {
    "\\": r"\textbackslash{}",
    **{one: f"\\{one}" for one in "{}$&#%"},
    "_": r"\_\allowbreak{}",
    "/": r"/\allowbreak{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    # After the end of a row these two would be read as its options.
    "[": "{[}",
    "*": "{*}",
    "\n": " ",
    "\t": " ",
    "\N{MINUS SIGN}": "$-$",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
_LINES = r">{\raggedright\arraybackslash}p{0.16\linewidth}"
_LONG = 24
# The sign of a number, not the hyphen of a word or a date.
_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*( ± [\d.]+)?")


def tables(
    records: Sequence[Record],
    paper_rows: PaperRows,
    averages: Mapping[str, Cells],
    *,
    made_up: bool = False,
) -> str:
    """Returns a table of each group of records of each task, those of averages first.

    Published rows that do not compare stand in tables of their own, which say why.

    Args:
        records: of any tasks.
        paper_rows: gives the published rows of a task.
        averages: tables of averages by their name.
        made_up: whether the data is, so that nothing is compared with published rows.
    """
    parts = [_HEAD, *(table(cells, name) for name, cells in averages.items())]
    for task in sorted({record.task for record in records}):
        rows = paper_rows(task)
        for group in groups(record for record in records if record.task == task):
            parts += _group(task, group, rows, made_up)
    return "\n".join(parts)


def table(cells: Cells, caption: str) -> str:
    """Returns one table that may go on over pages, its notes under it; of no rows the notes."""
    notes = [f"\\par\\noindent {{\\footnotesize {escape(note)}.}}" for note in cells.notes]
    if not cells.rows:
        return "\n".join([f"\\par\\noindent {escape(caption)}.", *notes, ""])
    alignments = "".join(map(_alignment, zip(*cells.rows, strict=True)))
    head = _row(cells.header)
    body = [
        f"\\begin{{longtable}}{{@{{}}{alignments}@{{}}}}",
        f"\\caption{{{escape(caption)}}}\\\\",
        f"\\toprule\n{head}\n\\midrule\n\\endfirsthead",
        f"\\toprule\n{head}\n\\midrule\n\\endhead",
        "\\bottomrule\n\\endfoot",
        *map(_row, cells.rows),
        "\\end{longtable}",
    ]
    return "\n".join([*body, *notes, ""])


def escape(text: str) -> str:
    """Returns `text` so that LaTeX sets it as it is, whatever is in it."""
    signed = _MINUS.sub("\N{MINUS SIGN}", visible(text))
    written = "".join(_WRITTEN.get(one, one) for one in signed)
    # Two hyphens would be set as a dash.
    return re.sub("-(?=-)", "-{}", written)


def _group(
    task: str, group: Group, reported_rows: Sequence[ReportedRow], made_up: bool
) -> list[str]:
    """Returns the table of a group of records, and one for each reason not to compare."""
    compared, by_reason = group_tables(task, group, reported_rows, made_up=made_up)
    return [
        table(compared, f"{task}: {group.key}"),
        *(
            table(cells, f"{task}, published, not comparable with {group.key}: {reason}")
            for reason, cells in by_reason.items()
        ),
    ]


def _alignment(column: Sequence[str]) -> str:
    """Returns how a column is set: numbers to the right, long texts in several lines."""
    if all(_NUMBER.fullmatch(text) for text in column if text):
        return "r"
    return _LINES if max(map(len, column)) > _LONG else "l"


def _row(texts: Sequence[str]) -> str:
    return " & ".join(map(escape, texts)) + r" \\"
