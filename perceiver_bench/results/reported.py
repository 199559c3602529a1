# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Published numbers: the rows of results/reported.csv."""

import csv
import dataclasses
import functools
import io
import math
import pathlib
from typing import Literal

import perceiver_bench
from perceiver_bench.errors import UserError

UNITS = ("%", "x100", "px", "dB", "1", "1/s")
"""`x100` is a correlation times one hundred, as GLUE prints it; `1` is a plain number."""

_OPTIONAL = ("protocol", "table", "page_or_section", "note")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportedRow:
    """One published number.

    Attributes:
        benchmark: `family/name`, the word that a task's `paper_rows` holds.
        split: as the source names it.
        protocol: the id of the protocol that a run must have to compare with it, or with another
            row of its task that names one; empty where any of the task's will do.
        metric: the name of the task's metric.
        model: whose number it is.
        value: the number, in `unit`.
        printed: the number with the source's own digits.
        unit: one of `UNITS`.
        direction: whether higher or lower is better.
        source: the publication, `arXiv:...` or an address.
        table: the table of the source; empty where the number stands in its text.
        page_or_section: where to look in the source; may be empty if `table` is not.
        note: what to know before comparing with it.
    """

    benchmark: str
    split: str
    protocol: str
    metric: str
    model: str
    value: float
    printed: str
    unit: str
    direction: Literal["higher", "lower"]
    source: str
    table: str
    page_or_section: str
    note: str


_COLUMNS = [field.name for field in dataclasses.fields(ReportedRow) if field.name != "printed"]


def rows(benchmark: str) -> tuple[ReportedRow, ...]:
    """Returns the published rows of one benchmark; the first is its reference."""
    return tuple(row for row in _published() if row.benchmark == benchmark)


@functools.cache
def _published() -> tuple[ReportedRow, ...]:
    """Reads the file that comes with this package."""
    package = pathlib.Path(perceiver_bench.__file__).parent
    # A wheel holds the file inside the package, a checkout beside it.
    installed = package / "published" / "reported.csv"
    return read(installed if installed.exists() else package.parent / "results" / "reported.csv")


def read(path: pathlib.Path) -> tuple[ReportedRow, ...]:
    """Reads a file of published rows, in its order.

    Raises:
        UserError: if the file cannot be read or a line is malformed, naming the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[ReportedRow] = []
    scales: dict[tuple[str, str], tuple[str, str]] = {}
    try:
        header = next(reader, [])
        if header != _COLUMNS:
            raise ValueError(f"the columns must be {','.join(_COLUMNS)}")
        for fields in reader:
            row = _parse(fields)
            scale = scales.setdefault((row.benchmark, row.metric), (row.unit, row.direction))
            if scale != (row.unit, row.direction):
                raise ValueError(
                    f"{row.benchmark} {row.metric} has unit and direction {scale} before and"
                    f" {row.unit, row.direction} here; give it one of each"
                )
            found.append(row)
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}, line {max(reader.line_num, 1)}: {error}") from error
    return tuple(found)


def _parse(fields: list[str]) -> ReportedRow:
    """Returns the row of one line; raises ValueError saying what is wrong."""
    if len(fields) != len(_COLUMNS):
        raise ValueError(f"has {len(fields)} columns, must have {len(_COLUMNS)}")
    named = dict(zip(_COLUMNS, fields, strict=True))
    for name, text in named.items():
        if not text and name not in _OPTIONAL:
            raise ValueError(f"column {name} is empty; fill it")
    if not named["table"] and not named["page_or_section"]:
        raise ValueError("columns table and page_or_section are both empty; fill one")
    if named["unit"] not in UNITS:
        raise ValueError(f"column unit is {named['unit']!r}, must be one of {', '.join(UNITS)}")
    direction = named["direction"]
    if direction != "higher" and direction != "lower":
        raise ValueError(f"column direction is {direction!r}, must be higher or lower")
    printed = named["value"]
    try:
        value = float(printed)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"column value is {printed!r}, must be a number")
    return ReportedRow(**{**named, "value": value, "printed": printed, "direction": direction})
