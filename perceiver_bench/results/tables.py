# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables from records: our numbers, the baselines' and the published ones.

One line a run and metric. Of the whole runs with one preset, overrides and seed the latest
is shown; partial runs are named below the table. Records that differ in protocol, task
version, split or data do not compare, so each such group has a table of its own.
"""

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from perceiver_bench.errors import UserError
from perceiver_bench.results.record import MetricValue, Record
from perceiver_bench.results.reported import ReportedRow

_ARROWS = {"higher": "↑", "lower": "↓"}
_HEADER = (
    *("row", "metric", "ours ± standard error", "n", "paper", "difference"),
    *("preset", "checkpoint step", "commit", "date"),
)
_CSV_HEADER = (
    *("task", "task_version", "protocol", "split", "dataset_fingerprint", "kind", "row"),
    *("metric", "unit", "direction", "value", "standard_error", "n", "paper", "difference"),
    *("preset", "overrides", "seed", "checkpoint_step", "commit", "dirty", "date", "run_id"),
)
# The words of `ReportedRow.model` for the tokenizer of a text configuration.
_TOKENIZERS = {"bytes": "(UTF-8 bytes)", "sentencepiece": "(SentencePiece)"}


@dataclasses.dataclass(frozen=True)
class Group:
    """The records of one task that compare with each other.

    Attributes:
        protocol, task_version, split, dataset_fingerprint: what they share.
        runs: our whole runs, the latest of each preset, overrides and seed.
        baselines: the latest whole run of each baseline.
        partial: the runs over a part of the split, which enter no table.
    """

    protocol: str
    task_version: int
    split: str
    dataset_fingerprint: str
    runs: tuple[Record, ...]
    baselines: tuple[Record, ...]
    partial: tuple[Record, ...]

    @property
    def key(self) -> str:
        """What the records share, in words."""
        return (
            f"protocol {self.protocol}, task version {self.task_version}, split {self.split},"
            f" data {self.dataset_fingerprint[:12]}"
        )


def groups(records: Iterable[Record]) -> list[Group]:
    """Returns one task's records by what makes them comparable, the newest group first."""
    found: dict[tuple[str, int, str, str], list[Record]] = {}
    for record in sorted(records, key=_age):
        key = (record.protocol, record.task_version, record.split, record.dataset_fingerprint)
        found.setdefault(key, []).append(record)
    newest_first = sorted(found.items(), key=lambda item: _age(item[1][-1]), reverse=True)
    return [_group(key, members) for key, members in newest_first]


def _group(key: tuple[str, int, str, str], members: list[Record]) -> Group:
    """Sorts the records of one group, given from the oldest to the newest."""
    runs: dict[tuple[Any, ...], Record] = {}
    baselines: dict[str, Record] = {}
    for record in members:
        if record.partial:
            continue
        if record.baseline is not None:
            baselines[record.baseline] = record
        else:
            seed = -1 if record.seed is None else record.seed
            runs[record.preset, record.overrides, seed] = record
    return Group(
        *key,
        runs=tuple(runs[name] for name in sorted(runs)),
        baselines=tuple(baselines[name] for name in sorted(baselines)),
        partial=tuple(record for record in members if record.partial),
    )


def _age(record: Record) -> tuple[str, str]:
    return record.date_utc, record.run_id


def reference_row(
    record: Record, metric: str, reported_rows: Sequence[ReportedRow]
) -> ReportedRow | None:
    """Returns the published row that a run is compared with, if one is comparable.

    It is the first row of this metric, with the unit and direction of ours, whose model
    has the run's tokenizer; for runs without a tokenizer the first row of this metric.
    """
    ours = record.metrics[metric]
    data = record.config.get("data")
    tokenizer = data.get("tokenizer") if isinstance(data, Mapping) else None
    words = _TOKENIZERS.get(tokenizer, "") if isinstance(tokenizer, str) else ""
    for row in reported_rows:
        same_scale = (row.unit, row.direction) == (ours.unit, ours.direction)
        if row.metric == metric and same_scale and words in row.model:
            return row
    return None


def label(record: Record) -> str:
    """Returns the name of a run's row."""
    if record.baseline is not None:
        return f"baseline {record.baseline}"
    return "ours" if record.seed is None else f"ours, seed {record.seed}"


def preset_label(record: Record) -> str:
    """Returns a run's preset with its overrides; empty for a baseline."""
    return "; ".join([record.preset or "", *record.overrides])


def _digits(unit: str) -> int:
    """Returns how many decimals a number of this unit is shown with."""
    return 2 if unit in ("%", "x100", "dB") else 3


def _lines(
    task_name: str, group: Group, rows: Sequence[ReportedRow], *, made_up: bool = False
) -> list[dict[str, str]]:
    """Returns the lines of a group's table, as text by column of the CSV."""
    shared = {
        "task": task_name,
        "task_version": str(group.task_version),
        "protocol": group.protocol,
        "split": group.split,
        "dataset_fingerprint": group.dataset_fingerprint,
    }
    lines = [
        {**shared, **_run_line(record, name, value, () if made_up else rows)}
        for record in (*group.runs, *group.baselines)
        for name, value in record.metrics.items()
    ]
    return lines + [{**shared, **_paper_line(row)} for row in rows]


def _run_line(
    record: Record, metric: str, value: MetricValue, rows: Sequence[ReportedRow]
) -> dict[str, str]:
    """Returns what is particular to the line of one metric of a run or a baseline."""
    digits = _digits(value.unit)
    line = {
        "kind": "run" if record.baseline is None else "baseline",
        "row": label(record),
        "metric": metric,
        "unit": value.unit,
        "direction": value.direction,
        "value": f"{value.value:.{digits}f}",
        "n": str(value.n),
        "preset": record.preset or "",
        "overrides": " ".join(record.overrides),
        "date": record.date_utc[:10],
        "run_id": record.run_id,
    }
    if value.standard_error is not None:
        line["standard_error"] = f"{value.standard_error:.{digits}f}"
    if record.seed is not None:
        line["seed"] = str(record.seed)
    if record.checkpoint.get("step") is not None:
        line["checkpoint_step"] = str(record.checkpoint["step"])
    if record.git is not None:
        line["commit"] = record.git["commit"][:10]
        line["dirty"] = "true" if record.git["dirty"] else "false"
    if record.baseline is None and (row := reference_row(record, metric, rows)):
        line["paper"] = row.printed
        line["difference"] = f"{value.value - row.value:+.{digits}f}"
    return line


def _paper_line(row: ReportedRow) -> dict[str, str]:
    """Returns what is particular to the line of a published number."""
    place = row.table or row.page_or_section
    return {
        "kind": "paper",
        "row": f"{row.model} [{row.source}, {place}, {row.split}]",
        "metric": row.metric,
        "unit": row.unit,
        "direction": row.direction,
        "paper": row.printed,
    }


def task_table(
    task_name: str,
    records: Iterable[Record],
    reported_rows: Sequence[ReportedRow],
    *,
    made_up: bool = False,
) -> str:
    """Returns the Markdown tables of one task; records of other tasks are left out.

    The difference is ours minus the published number of `reference_row`. On `made_up` data
    there is none: the published rows are shown for their scale only.
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
    parts = [f"{_escape(group.key[0].upper() + group.key[1:])}.\n"]
    if made_up:
        parts.append(
            "The data is made up: the paper's rows are of the real benchmark and do not compare"
            " with the others.\n"
        )
    if group.runs or group.baselines:
        table = [_HEADER, ("---",) * len(_HEADER)]
        lines = _lines(task_name, group, reported_rows, made_up=made_up)
        table += map(_markdown_cells, lines)
        parts.append("".join(f"| {' | '.join(cells)} |\n" for cells in table))
    if not made_up and (against := _references(group, reported_rows)):
        parts.append(f"Paper and difference (ours minus paper) are those of {against}.\n")
    if group.partial:
        left_out = "; ".join(
            _escape(
                f"{preset_label(record) or label(record)}, {record.date_utc[:10]}:"
                f" {record.partial_reason}"
            )
            for record in group.partial
        )
        parts.append(f"Partial, so not in the table: {left_out}.\n")
    return "\n".join(parts)


def _references(group: Group, reported_rows: Sequence[ReportedRow]) -> str:
    """Names the published models that the runs of a group are compared with."""
    found = [
        reference_row(record, metric, reported_rows)
        for record in group.runs
        for metric in record.metrics
    ]
    return _escape(" and ".join(dict.fromkeys(row.model for row in found if row is not None)))


def _markdown_cells(line: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the cells of one line, in the order of the header."""
    ours = line.get("value", "")
    if "standard_error" in line:
        ours += f" ± {line['standard_error']}"
    unit = "" if line["unit"] == "1" else f" ({line['unit']})"
    cells = (
        line["row"],
        f"{line['metric']}{unit} {_ARROWS[line['direction']]}",
        ours,
        line.get("n", ""),
        line.get("paper", ""),
        line.get("difference", ""),
        "; ".join(filter(None, [line.get("preset"), line.get("overrides")])),
        line.get("checkpoint_step", ""),
        line.get("commit", "") + (" (dirty)" if line.get("dirty") == "true" else ""),
        line.get("date", ""),
    )
    return tuple(_escape(cell) for cell in cells)


def _escape(text: str) -> str:
    """Keeps `text` from being read as Markdown table syntax, a link or HTML."""
    written = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "](": "]\\("}
    for characters, replacement in written.items():
        text = text.replace(characters, replacement)
    return text


PaperRows = Callable[[str], Sequence[ReportedRow]]


def tables(records: Sequence[Record], paper_rows: PaperRows, pictures: Mapping[str, str]) -> str:
    """Returns the whole of TABLES.md.

    `paper_rows` gives the published rows of a task by its name; `pictures` the address of
    a task's learning curves.
    """
    parts = [
        "# Results\n",
        "Written by `perceiver-bench --mode=report` from `records/` and `reported.csv`; see"
        " [README.md](README.md) for what compares with what. An arrow shows which way is"
        " better; ± is one standard error over the evaluated examples, not over seeds.\n",
    ]
    names = sorted({record.task for record in records})
    if not names:
        parts.append("No record yet.\n")
    for name in names:
        parts += [f"## {name}\n", task_table(name, records, paper_rows(name))]
        if name in pictures:
            parts.append(f"![Learning curves of {name}]({pictures[name]})\n")
    return "\n".join(parts)


def tables_csv(records: Sequence[Record], paper_rows: PaperRows) -> str:
    """Returns the lines of all tables as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    for name in sorted({record.task for record in records}):
        for group in groups(record for record in records if record.task == name):
            if group.runs or group.baselines:
                writer.writerows(_lines(name, group, paper_rows(name)))
    return text.getvalue()


def replace_between(text: str, marker: str, table: str) -> str:
    """Returns `text` with `table` between `<!-- begin marker -->` and `<!-- end marker -->`.

    Raises:
        UserError: if one of the two stands there not exactly once, or in the wrong order.
    """
    begin, end = f"<!-- begin {marker} -->", f"<!-- end {marker} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(f"README.md: needs one {begin!r} and one {end!r} after it")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n\n{table.strip()}\n\n{end}{tail}"
