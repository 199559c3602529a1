# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The page: everything in a results folder, in one file that loads nothing.

Texts of records, names and files are foreign: every one is escaped, characters that are not
seen (such as those that turn the direction of writing) are written out, and the page's own
policy allows a browser no script, no address but data, and no style but this one.
"""

import base64
import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import markupsafe

from perceiver_bench.files import write_atomically
from perceiver_bench.results import comparable, groups
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.html import (
    curve_drawings,
    overview,
    pictures,
    provenance,
    speed,
    task_tables,
)
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow
from perceiver_bench.results.tables import PaperRows
from perceiver_bench.results.visible import visible

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


@dataclasses.dataclass(frozen=True)
class _Group:
    """One table of a task with all that belongs to it."""

    group: groups.Group
    table: task_tables.Table
    drawing: curve_drawings.Drawing | None
    partial: tuple[task_tables.Row, ...]
    partial_columns: tuple[task_tables.Column, ...]
    origins: tuple[provenance.Origin, ...]


@dataclasses.dataclass(frozen=True)
class _Section:
    """One task."""

    task: str
    groups: tuple[_Group, ...]
    differing: tuple[str, ...]


def write_html(
    records: Sequence[Record],
    paper_rows: PaperRows,
    out: pathlib.Path,
    *,
    results_dir: pathlib.Path,
    speed_dir: pathlib.Path | None = None,
    averages: Mapping[str, Cells] | None = None,
    made_up: bool = False,
) -> None:
    """Writes the report of one results folder to the file `out`.

    The same records and files give the same bytes.

    Args:
        records: of the folder.
        paper_rows: gives the published rows of a task.
        out: the file.
        results_dir: the folder, for what it holds in `pictures/<task>/`.
        speed_dir: the folder of the files of `--mode=benchmark`.
        averages: tables of averages by their name.
        made_up: whether the data is, so that nothing is compared with published rows.

    Raises:
        UserError: if a file cannot be read or written, or is not what it should be.
    """
    text = html(
        records,
        paper_rows,
        galleries=pictures.galleries(results_dir),
        documents=speed.read(speed_dir) if speed_dir else (),
        averages=averages or {},
        made_up=made_up,
    )
    write_atomically(out, text.encode())


def html(
    records: Sequence[Record],
    paper_rows: PaperRows,
    *,
    galleries: Mapping[str, pictures.Gallery],
    documents: Sequence[speed.Document],
    averages: Mapping[str, Cells],
    made_up: bool,
) -> str:
    """Returns the text of the page; the arguments are those of `write_html`, read."""
    compared, left_out, sections = [], [], []
    for task in sorted({record.task for record in records} | galleries.keys()):
        found = groups.groups(record for record in records if record.task == task)
        rows = paper_rows(task)
        of_task, why = overview.comparisons(task, found, rows, made_up=made_up)
        compared += of_task
        left_out += [(task, why)] if why else []
        sections.append(_section(task, found, rows, made_up))
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    style_digest = hashlib.sha256(style.encode()).digest()
    return (
        _environment()
        .get_template("page.html")
        .render(
            style=markupsafe.Markup(style),  # a file of this package
            style_digest=base64.b64encode(style_digest).decode(),
            records=records,
            num_tasks=len({record.task for record in records}),
            dates=sorted({record.date_utc[:10] for record in records}),
            devices=sorted({record.device["kind"] for record in records}),
            compared=compared,
            left_out=left_out,
            averages=averages,
            sections=sections,
            galleries=galleries,
            documents=documents,
        )
    )


def _section(
    task: str, found: Sequence[groups.Group], rows: Sequence[ReportedRow], made_up: bool
) -> _Section:
    members = []
    for group in found:
        by_reason = comparable.apart(group, rows, made_up=made_up)
        members.append(
            _Group(
                group=group,
                table=task_tables.table(group, by_reason),
                drawing=curve_drawings.drawing(group, by_reason[""]),
                partial=tuple(map(task_tables.partial_row, group.partial)),
                partial_columns=task_tables.columns_of(group.partial),
                origins=tuple(map(provenance.origin, [*group.runs, *group.partial])),
            )
        )
    return _Section(task, tuple(members), tuple(groups.differing(found)))


@functools.cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters["anchor"] = provenance.anchor
    found.filters["address"] = provenance.address
    return found


def _visible(value: Any) -> Any:
    """Writes out what is not seen in a text that is put on the page."""
    is_foreign = isinstance(value, str) and not isinstance(value, markupsafe.Markup)
    return visible(value) if is_foreign else value
