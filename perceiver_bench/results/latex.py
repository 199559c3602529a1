# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
r"""The tables as LaTeX, to be read by `\input` in a document of one's own."""

import re
from collections.abc import Mapping, Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.groups import Group, groups
from perceiver_bench.results.lines import lines, published_label
from perceiver_bench.results.markdown import heading
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow
from perceiver_bench.results.tables import PaperRows
from perceiver_bench.results.visible import visible

_HEAD = r"""% Written by `perceiver-bench --mode=report`. Needs, in the preamble:
% \usepackage{array,booktabs,longtable}
"""
_HEADER = (
    *("model", "metric", "ours", "n", "paper", "difference"),
    *("preset", "step", "commit", "date"),
)
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
_LINES = r">{\raggedright\arraybackslash}p{0.2\linewidth}"
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
    """Returns one table that may go on over pages, its notes under it."""
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
        *(f"\\par\\noindent {{\\footnotesize {escape(note)}.}}" for note in cells.notes),
    ]
    return "\n".join([*body, ""])


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
    by_reason = comparable.apart(group, reported_rows, made_up=made_up)
    compared = by_reason.pop("")
    parts = []
    if group.settings or group.baselines:
        shown = lines(task, group, compared, every_seed=False, made_up=made_up)
        parts.append(
            table(Cells(_HEADER, [_cells(line) for line in shown]), f"{task}: {group.key}")
        )
    for reason, rows in by_reason.items():
        cells = [
            (published_label(row), heading(row.metric, row.unit, row.direction), row.printed)
            for row in rows
        ]
        caption = f"{task}, published, not comparable with {group.key}: {reason}"
        parts.append(table(Cells(("model", "metric", "paper"), cells), caption))
    if group.partial:
        cells = [
            (seeds.preset_label(run) or f"baseline {run.baseline}", run.partial_reason or "")
            for run in group.partial
        ]
        parts.append(table(Cells(("partial run", "why"), cells), f"{task}: {group.key}, partial"))
    return parts


def _cells(line: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the cells of one line, in the order of the header."""
    ours = line.get("value", "")
    if "interval_low" in line:
        ours += f" [{line['interval_low']}, {line['interval_high']}]"
    elif spread := line.get("deviation") or line.get("standard_error"):
        ours += f" ± {spread}"
    start = seeds.start_label(line.get("init"))
    changes = " with changes" if line.get("dirty") in ("true", "several") else ""
    return (
        line["row"],
        heading(line["metric"], line["unit"], line["direction"]),
        ours,
        line.get("n", ""),
        line.get("paper", ""),
        line.get("difference", ""),
        "; ".join(filter(None, [line.get("preset"), line.get("overrides"), start])),
        line.get("checkpoint_step", ""),
        line.get("commit", "") + changes,
        line.get("date", ""),
    )


def _alignment(column: Sequence[str]) -> str:
    """Returns how a column is set: numbers to the right, long texts in several lines."""
    if all(_NUMBER.fullmatch(text) for text in column if text):
        return "r"
    return _LINES if max(map(len, column)) > _LONG else "l"


def _row(texts: Sequence[str]) -> str:
    return " & ".join(map(escape, texts)) + r" \\"
