# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One table a group of records: a row a setting, a baseline or a published model."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.html import numbers
from perceiver_bench.results.lines import place
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

# A phone shows the first few; paper has room for one more.
_FIRST_COLUMNS, _MORE_COLUMNS = 4, 5


@dataclasses.dataclass(frozen=True)
class Column:
    """A metric, as the head of a column."""

    metric: str
    unit: str
    direction: str


@dataclasses.dataclass(frozen=True)
class Cell:
    """One number with its spread, some lines of text.

    `difference` is ours minus the published one, where they compare.
    """

    value: str
    spread: tuple[str, ...] = ()
    difference: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """What one model scores by metric, and the records or the published rows that say so."""

    name: str
    detail: str
    cells: Mapping[str, Cell]
    runs: tuple[Record, ...] = ()
    published: tuple[ReportedRow, ...] = ()
    is_reference: bool = False

    @property
    def num_examples(self) -> str:
        """The number of examples that the main metric of the runs is over."""
        return _differing(f"{run.metrics[run.main_metric].n:,}" for run in self.runs)

    @property
    def steps(self) -> str:
        """The training steps of the evaluated weights."""
        found = (run.checkpoint.get("step") for run in self.runs)
        return _differing("" if step is None else f"{step:,}" for step in found)

    @property
    def commits(self) -> str:
        """The commits that the runs were made with."""
        return _differing(commit(run)[:10] for run in self.runs)

    @property
    def is_dirty(self) -> bool:
        """Whether a run was made with changes that were not committed."""
        return any(run.git and run.git["dirty"] for run in self.runs)

    @property
    def dates(self) -> str:
        """The days of the runs."""
        return _differing(run.date_utc[:10] for run in self.runs)


@dataclasses.dataclass(frozen=True)
class Apart:
    """Published rows that do not compare with a group of records, and why."""

    reason: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of a group of records; `blocks` are its columns in portions, the main first."""

    blocks: tuple[tuple[Column, ...], ...]
    settings: tuple[Row, ...]
    baselines: tuple[Row, ...]
    published: tuple[Row, ...]
    apart: tuple[Apart, ...]

    @property
    def num_more(self) -> int:
        """How many metrics stand in other portions than the first."""
        return sum(map(len, self.blocks[1:]))


def commit(run: Record) -> str:
    """Returns the whole name of the commit of a run; empty if it is not known."""
    return run.git["commit"] if run.git else ""


def table(group: Group, by_reason: Mapping[str, Sequence[ReportedRow]]) -> Table:
    """Returns the table of one group.

    Args:
        group: the records.
        by_reason: their task's published rows, as `comparable.apart` sorts them.
    """
    compared = by_reason[""]
    references = {
        found
        for run in group.runs
        if run.baseline is None
        for metric in run.metrics
        if (found := comparable.reference_row(run, metric, compared))
    }
    columns = _columns(group.runs, compared)
    blocks = [columns[:_FIRST_COLUMNS]]
    blocks += [
        columns[start : start + _MORE_COLUMNS]
        for start in range(_FIRST_COLUMNS, len(columns), _MORE_COLUMNS)
    ]
    return Table(
        blocks=tuple(blocks),
        settings=tuple(_setting(one, compared) for one in group.settings),
        baselines=tuple(map(_baseline, group.baselines)),
        published=_published(compared, references),
        apart=tuple(
            Apart(reason, _columns((), rows), _published(rows, set()))
            for reason, rows in by_reason.items()
            if reason
        ),
    )


def partial_row(run: Record) -> Row:
    """Returns the row of a run over a part of its split."""
    name = run.baseline or seeds.preset_label(run)
    return Row(name, run.partial_reason or "", _cells(run), (run,))


def columns_of(runs: Iterable[Record]) -> tuple[Column, ...]:
    """Returns the metrics of runs, in their order."""
    return _columns(runs, ())


def _columns(runs: Iterable[Record], published: Iterable[ReportedRow]) -> tuple[Column, ...]:
    """Returns every metric once, those of runs first; of the scale that comes first."""
    found: dict[str, Column] = {}
    for run in runs:
        for name, one in run.metrics.items():
            found.setdefault(name, Column(name, one.unit, one.direction))
    for row in published:
        found.setdefault(row.metric, Column(row.metric, row.unit, row.direction))
    return tuple(found.values())


def _setting(setting: seeds.Setting, compared: Sequence[ReportedRow]) -> Row:
    cells = {}
    for metric in setting.metrics:
        unit = setting.first.metrics[metric].unit
        row = comparable.reference_row(setting.first, metric, compared)
        mean = setting.summary(metric).mean
        difference = numbers.signed(mean - row.value, unit) if row else ""
        cells[metric] = Cell(*numbers.of_setting(setting, metric), difference)
    return Row(seeds.preset_label(setting.first), "", cells, setting.runs)


def _baseline(run: Record) -> Row:
    return Row(run.baseline or "", "", _cells(run), (run,))


def _cells(run: Record) -> dict[str, Cell]:
    return {
        name: Cell(numbers.fixed(one.value, one.unit), numbers.spread(one))
        for name, one in run.metrics.items()
    }


def _published(rows: Iterable[ReportedRow], references: set[ReportedRow]) -> tuple[Row, ...]:
    """Returns a row a published model and place, with all of its metrics."""
    found: dict[tuple[str, str, int], list[ReportedRow]] = {}
    for row in rows:
        model, where, number = row.model, place(row), 0
        # One place may have two numbers of one metric; both are shown.
        while any(row.metric == other.metric for other in found.get((model, where, number), ())):
            number += 1
        found.setdefault((model, where, number), []).append(row)
    return tuple(
        Row(
            model,
            where,
            {row.metric: Cell(row.printed) for row in members},
            published=tuple(members),
            is_reference=any(row in references for row in members),
        )
        for (model, where, _), members in found.items()
    )


def _differing(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, texts)))
