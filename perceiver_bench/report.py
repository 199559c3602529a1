# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=report`: tables and pictures from records."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.results import averages, curves, groups, markdown, record, reported, tables
from perceiver_bench.results import latex as latex_tables
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.html import page


def report(
    results_dir: pathlib.Path,
    check: bool,
    html: pathlib.Path | None = None,
    latex: pathlib.Path | None = None,
) -> int:
    """Writes TABLES.md, tables.csv and curves/ in `results_dir`, from its records.

    And, where they are named, a page with everything (`html`), and the tables as `latex`.

    A README.md beside `results_dir` that holds `<!-- begin TASK -->` and `<!-- end TASK -->`
    gets the task's table between them; likewise the table of averages of that name.

    With `check` nothing is written: it prints which file is out of date. Pictures are only
    checked for being there, since their bytes depend on the version of matplotlib.

    Returns:
        The exit code: 1 if `check` found a file out of date, else 0.

    Raises:
        UserError: if a record is broken, or a file cannot be read or written.
    """
    if not results_dir.is_dir():
        raise UserError(f"--results_dir={results_dir}: no such folder; name the one with records/")
    records = record.read_all(results_dir)
    pictures = _pictures(records)
    addresses = {task: f"curves/{task.replace('/', '_')}.png" for task in sorted(pictures)}
    matrices = _matrices(records)
    texts = {
        results_dir / "TABLES.md": tables.tables(records, paper_rows, addresses, matrices),
        results_dir / "tables.csv": tables.tables_csv(records, paper_rows),
    }
    readme = results_dir.resolve().parent / "README.md"
    old = _read(readme)
    new = old and _with_tables(old, records, matrices)
    if new and new != old:
        texts[readme] = new
    if check:
        if html or latex:
            raise UserError("--check: writes nothing; leave --html and --latex out")
        stale = [path for path, text in texts.items() if _read(path) != text]
        stale += [
            results_dir / address
            for address in addresses.values()
            if not (results_dir / address).exists()
        ]
        for path in stale:
            print(f"{path}: out of date; run --mode=report --results_dir={results_dir}")
        return 1 if stale else 0
    for path, text in texts.items():
        write_atomically(path, text.encode())
    for task, group in pictures.items():
        curves.plot_learning_curves(group, results_dir / addresses[task], paper_rows(task))
    cells = _cells(records)
    if html:
        speed_dir = results_dir.resolve().parent / "benchmarks" / "results"
        page.write_html(
            records, paper_rows, html, results_dir=results_dir, speed_dir=speed_dir, averages=cells
        )
    if latex:
        write_atomically(latex, latex_tables.tables(records, paper_rows, cells).encode())
    return 0


def paper_rows(task_name: str) -> tuple[reported.ReportedRow, ...]:
    """Returns the published rows that a task is compared with, under its names of metrics.

    Those of the task of that name; for a record of a task that is not installed here, the
    rows of the benchmark of the same name. In a task of many, `success_rate` of a benchmark
    `family/name` is `name_success_rate`, if the task has such a metric.

    Raises:
        UserError: if the task names a benchmark that reported.csv does not have.
    """
    if task_name not in registry.names():
        return reported.rows(task_name)
    found, task = [], registry.get(task_name)
    for benchmark in task.paper_rows:
        if not (rows := reported.rows(benchmark)):
            raise UserError(
                f"task {task_name}: paper_rows names {benchmark!r}, which reported.csv does not"
                " have; correct the name or add the rows"
            )
        for row in rows:
            name = f"{benchmark.split('/')[-1]}_{row.metric}"
            found.append(dataclasses.replace(row, metric=name) if name in task.metrics else row)
    return tuple(found)


def _pictures(records: list[record.Record]) -> dict[str, groups.Group]:
    """Returns what is drawn of each task: its newest group, if that has a learning curve."""
    pictures = {}
    for task in sorted({found.task for found in records}):
        group = groups.groups(found for found in records if found.task == task)[0]
        if curves.drawn(group):
            pictures[task] = group
    return pictures


def _matrices(records: list[record.Record]) -> dict[str, str]:
    """Returns the tables of averages that records are there for, by their name."""
    return _averages(records, averages.matrix)


def _cells(records: list[record.Record]) -> dict[str, Cells]:
    """Returns the cells of the tables of averages that records are there for."""
    return _averages(records, averages.cells)


def _averages(records: list[record.Record], make: Callable[..., Any]) -> dict[str, Any]:
    found = {}
    for name in dict.fromkeys(average.benchmark for average in registry.averages()):
        members = [average for average in registry.averages() if average.benchmark == name]
        if made := make(members, records, reported.rows(name), paper_rows):
            found[name] = made
    return found


def _with_tables(text: str, records: list[record.Record], matrices: dict[str, str]) -> str:
    """Returns a README with the tables that it has markers for."""
    for name in (*matrices, *sorted({found.task for found in records})):
        if f"<!-- begin {name} -->" in text:
            table = matrices.get(name) or tables.task_table(name, records, paper_rows(name))
            text = markdown.replace_between(text, name, table)
    return text


def _read(path: pathlib.Path) -> str | None:
    """Returns the text of a file with its own line ends, or None if there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it") from error
