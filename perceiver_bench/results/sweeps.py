# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The table of one sweep: every setting with its score over seeds, the best marked."""

from collections.abc import Sequence

from perceiver_bench.results import markdown, seeds
from perceiver_bench.results.record import Record
from perceiver_bench.task import Task

Setting = tuple[tuple[str, str], ...]
"""The values of the swept fields, as texts by the fields' short names."""


def table(task: Task, runs: Sequence[tuple[Setting, Record | None]]) -> str:
    """Returns the main metric of every setting as Markdown.

    Args:
        task: what was evaluated.
        runs: setting and record of every run, equally many of each setting; None for a run
            whose numbers did not stay finite.
    """
    ended: dict[Setting, list[Record]] = {setting: [] for setting, _ in runs}
    for setting, record in runs:
        if record is not None:
            ended[setting].append(record)
    num_seeds = len(runs) // len(ended)
    found = {
        setting: seeds.Setting(tuple(records)) for setting, records in ended.items() if records
    }
    # A setting that some seeds do not survive is not the best, whatever the others score.
    whole = [one for one in found.values() if len(one.runs) == num_seeds]
    best = seeds.best(whole) if whole and len(ended) > 1 else None
    rows = [
        [
            *(text for _, text in setting),
            *_scores(task, found.get(setting), has_interval=num_seeds > 1),
            f"{len(records)} of {num_seeds}",
            "best" if best is not None and found.get(setting) is best else "",
        ]
        for setting, records in ended.items()
    ]
    metric = task.metrics[task.main_metric]
    heading = markdown.heading(task.main_metric, metric.unit, metric.direction)
    interval = ["95 % t-interval"] if num_seeds > 1 else []
    header = [*(name for name, _ in runs[0][0]), heading, *interval, "best seed", "seeds", ""]
    some = next(iter(found.values())).first
    notes = ["± is the sample standard deviation over seeds.\n"] if num_seeds > 1 else []
    if any(len(records) < num_seeds for records in ended.values()):
        notes.append("Seeds that are missing ended in numbers that are not finite.\n")
    if best:
        notes.append(
            f"The best setting is chosen on the {task.splits[1]} set, on which it is measured too:"
            " the paper's protocol, which flatters.\n"
        )
    title = f"{task.name}, {seeds.model_label(some)}, {some.split} set\n"
    return "\n".join([title, markdown.table(header, rows), *notes])


def _scores(task: Task, setting: seeds.Setting | None, *, has_interval: bool) -> list[str]:
    """Returns mean with deviation, interval if there is such a column, and best of a setting."""
    mean = interval = best = ""
    if setting is not None:
        summary = setting.summary(task.main_metric)
        decimals = markdown.digits(task.metrics[task.main_metric].unit)
        mean, best = (f"{number:.{decimals}f}" for number in (summary.mean, summary.best))
        if summary.deviation is not None:
            mean += f" ± {summary.deviation:.{decimals}f}"
        if summary.interval is not None:
            interval = " to ".join(f"{end:.{decimals}f}" for end in summary.interval)
    return [mean, *([interval] if has_interval else []), best]
