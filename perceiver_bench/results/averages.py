# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Averages over tasks: one row a model, one column a task, the averages at the end."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence

from perceiver_bench.results import seeds
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.groups import Group, groups
from perceiver_bench.results.lines import published_label, row_label
from perceiver_bench.results.markdown import escape, table
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow
from perceiver_bench.results.seeds import Setting
from perceiver_bench.results.tables import PaperRows
from perceiver_bench.task import Average

_BEST, _MEAN = "best", "mean ± deviation over"
_Columns = Mapping[str, Sequence[str]]  # metrics by task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """What one model scores by one metric of one task.

    `deviation` is over seeds where `value` is their mean. `official_num_examples` are those
    of the benchmark's own file, None where that is not known.
    """

    value: float
    deviation: float | None = None
    num_seeds: int = 1
    num_examples: int | None = None
    official_num_examples: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the data has as many examples as the benchmark's own file."""
        return self.official_num_examples in (None, self.num_examples)


Scores = Mapping[tuple[str, str], Score]
"""The scores of one model by task and metric."""


def mean(average: Average, scores: Scores) -> float | None:
    """Returns an average over its tasks, or None if a score is missing or does not count."""
    means = _means(average, scores)
    return statistics.fmean(means) if len(means) == len(average.terms) else None


def _means(average: Average, scores: Scores) -> list[float]:
    """Returns the means of the terms that are complete."""
    counted = {name: score.value for name, score in scores.items() if score.counts}
    return [
        statistics.fmean(counted[name] for name in term)
        for term in average.terms
        if all(name in counted for name in term)
    ]


def matrix(
    averages: Sequence[Average],
    records: Sequence[Record],
    published: Sequence[ReportedRow],
    paper_rows: PaperRows,
) -> str:
    """Returns the Markdown table of one benchmark's averages; empty if no record is of them.

    The arguments are those of `cells`.
    """
    found = cells(averages, records, published, paper_rows)
    if found is None:
        return ""
    notes = (f"- {escape(note)}." for note in found.notes)
    return "\n".join([table(found.header, found.rows), *notes, ""])


def cells(
    averages: Sequence[Average],
    records: Sequence[Record],
    published: Sequence[ReportedRow],
    paper_rows: PaperRows,
) -> Cells | None:
    """Returns the table of one benchmark's averages; None if no record is of them.

    Args:
        averages: the conventions; the columns are their tasks, in their order.
        records: of any tasks.
        published: the benchmark's published averages.
        paper_rows: gives the published rows of a task.
    """
    columns: dict[str, list[str]] = {}
    for task, metric in (pair for average in averages for term in average.terms for pair in term):
        if metric not in columns.setdefault(task, []):
            columns[task].append(metric)
    joint = dict.fromkeys(average.joint for average in averages if average.joint)
    ours = _our_scores([*columns, *joint], columns, list(records))
    if not ours:
        return None
    rows = []
    for (label, kind), scores in ours.items():
        ends = (_average_cell(average, scores) for average in averages)
        rows.append([label, _kind(kind, scores), *_task_cells(columns, scores), *ends])
    for row in published:
        if scores := published_scores(row, columns, paper_rows):
            # As printed: the mean of rounded numbers may differ in the last digit.
            ends = (row.printed if mean(one, scores) is not None else "" for one in averages)
            rows.append([published_label(row), "", *_task_cells(columns, scores), *ends])
    header = [
        *("model", "score"),
        *(f"{task.split('/')[-1]} ({' / '.join(names)})" for task, names in columns.items()),
        *(average.protocol for average in averages),
    ]
    notes = [
        *(f"{average.protocol}: {average.summary}" for average in averages),
        f"{_BEST}: the run of each task with the best main metric over training settings and"
        " seeds, chosen on the data that it is measured on",
        f"{_MEAN} seeds: the setting of each task with the best mean over two or more seeds, chosen"
        " alike; the deviation is that of the sample",
        *_not_official(ours.values()),
    ]
    return Cells(header, rows, notes)


def _kind(kind: str, scores: Scores) -> str:
    """Returns the kind of a row's scores in words, with the number of seeds of means."""
    if kind != _MEAN:
        return kind
    counts = sorted({score.num_seeds for score in scores.values()})
    numbers = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{_MEAN} {numbers} seeds"


def _our_scores(
    tasks: Sequence[str], columns: _Columns, records: Sequence[Record]
) -> Mapping[tuple[str, str], Scores]:
    """Returns the scores of our models and the baselines, by label and kind of score."""
    best: dict[str, dict[tuple[str, str], Score]] = {}
    means: dict[str, dict[tuple[str, str], Score]] = {}
    baselines: dict[str, dict[tuple[str, str], Score]] = {}
    for task in tasks:
        of_task = [record for record in records if record.task == task]
        for label, settings in _by_model(of_task, columns):
            single = [Setting((run,)) for setting in settings for run in setting.runs]
            several = [setting for setting in settings if len(setting.runs) > 1]
            rows = best if single[0].first.baseline is None else baselines
            rows.setdefault(label, {}).update(_scores(seeds.best(single), columns))
            if several:
                means.setdefault(label, {}).update(_scores(seeds.best(several), columns))
    found = {}
    for label in sorted(best):
        found[label, _BEST] = best[label]
        if label in means:
            found[label, _MEAN] = means[label]
    return found | {(label, ""): baselines[label] for label in sorted(baselines)}


def _by_model(
    records: Sequence[Record], columns: _Columns
) -> Iterable[tuple[str, Sequence[Setting]]]:
    """Yields the settings of each model of one task, then those of each baseline.

    Of the newest protocol, version and split alone; on the official data where there are any
    on it.
    """
    found = groups(records)
    comparable = [group for group in found if _version(group) == _version(found[0])]
    models = seeds.by_model(setting for group in comparable for setting in group.settings)
    for label, settings in models.items():
        counted = [one for one in settings if _counts(one, columns)]
        yield label, counted or settings
    baselines: dict[str, list[Setting]] = {}
    for run in (run for group in comparable for run in group.baselines):
        baselines.setdefault(row_label(run), []).append(Setting((run,)))
    for label, settings in baselines.items():
        # The newest of the official data, if there is one.
        yield label, ([one for one in settings if _counts(one, columns)] or settings)[:1]


def _version(group: Group) -> tuple[str, int, str]:
    return group.protocol, group.task_version, group.split


def _counts(setting: Setting, columns: _Columns) -> bool:
    return all(score.counts for score in _scores(setting, columns).values())


def _scores(setting: Setting, columns: _Columns) -> Scores:
    """Returns what runs score on their own task, or on all if they are of one model for all."""
    found = {}
    for task, metrics in columns.items():
        name, dataset, prefix = task.split("/")[-1], setting.first.dataset, ""
        if setting.first.task != task:
            dataset, prefix = dataset.get(name, {}), f"{name}_"
        for metric in metrics:
            if f"{prefix}{metric}" in setting.metrics:
                summary = setting.summary(f"{prefix}{metric}")
                found[task, metric] = Score(
                    value=summary.mean,
                    deviation=summary.deviation,
                    num_seeds=summary.num_seeds,
                    num_examples=dataset.get("num_examples"),
                    official_num_examples=dataset.get("official_num_examples"),
                )
    return found


def _not_official(rows: Iterable[Scores]) -> list[str]:
    """Returns a note on what is measured on other data than the official, if anything is."""
    found = {
        f"{task} with {score.num_examples} examples, of which the official file has"
        f" {score.official_num_examples}"
        for scores in rows
        for (task, _), score in scores.items()
        if not score.counts
    }
    return [f"In brackets, and in no average: {'; '.join(sorted(found))}"] if found else []


def published_scores(row: ReportedRow, columns: _Columns, paper_rows: PaperRows) -> Scores:
    """Returns what the model of a published average scored on the tasks, in the same table."""
    return {
        (task, one.metric): Score(value=one.value)
        for task, metrics in columns.items()
        for one in paper_rows(task)
        if one.metric in metrics
        and (one.model, one.source, one.table, one.split)
        == (row.model, row.source, row.table, row.split)
    }


def _task_cells(columns: _Columns, scores: Scores) -> list[str]:
    """Returns a cell for each task: its metrics' scores, in brackets if they do not count."""
    cells = []
    for task, metrics in columns.items():
        found = [scores[task, metric] for metric in metrics if (task, metric) in scores]
        text = " / ".join(
            f"{score.value:.2f}"
            + (f" ± {score.deviation:.2f}" if score.deviation is not None else "")
            for score in found
        )
        cells.append(text if all(score.counts for score in found) else f"({text})")
    return cells


def _average_cell(average: Average, scores: Scores) -> str:
    """Returns the average, or how many of its terms there are."""
    value = mean(average, scores)
    if value is None:
        return f"{len(_means(average, scores))} of {len(average.terms)}"
    return f"{value:.2f}"
