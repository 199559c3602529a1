# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of speed and memory, from the files that `--mode=benchmark` writes."""

import dataclasses
import hashlib
import json
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from perceiver_bench.errors import UserError

_MAX_BYTES = 8 * 2**20
# Title, and what the two contestants are called.
_JOBS = {
    "forward": ("One forward pass", "ours", "transformers"),
    "train": ("One training step", "ours", "transformers"),
    "bfloat16": ("One forward pass in bfloat16 and in float32", "bfloat16", "float32"),
    "growth": ("One forward pass on frames of growing area", "ours", "reference"),
}
_MISSING = "not measured"


@dataclasses.dataclass(frozen=True)
class Document:
    """One file: the table, what it was measured on and with, and every single round."""

    title: str
    file: str
    digest: str
    date: str
    machine: str
    versions: Mapping[str, str]
    commit: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rounds: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def read(folder: pathlib.Path) -> tuple[Document, ...]:
    """Returns the documents of a folder, by the names of their files; none if it is absent.

    Raises:
        UserError: naming the first file that is not one.
    """
    return tuple(_read(path) for path in sorted(folder.glob("speed_*.json")))


def _read(path: pathlib.Path) -> Document:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON number")

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        content = path.read_bytes()
        value = json.loads(content, parse_constant=refuse)
        return _document(value, path.name, hashlib.sha256(content).hexdigest())
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise UserError(
            f"{path}: not a result of --mode=benchmark ({error!r:.200}); delete or restore it"
        ) from error


def _document(value: Any, file: str, digest: str) -> Document:
    """Returns what a file holds; raises what a missing field or a wrong type raises."""
    title, ours, reference = _JOBS.get(value["job"], (f"Job {value['job']}", "ours", "reference"))
    columns: list[tuple[str, str, Callable[[float], str]]] = [
        ("pixels", "pixels", lambda number: f"{number:,.0f}"),
        ("seconds", f"{ours}, s", _seconds),
        ("baseline_seconds", f"{reference}, s", _seconds),
        ("ratio", f"{reference} / {ours}", lambda number: f"{number:.2f}"),
        ("plain_seconds", "ours plain, s", _seconds),
        ("peak_bytes", f"{ours}, MB", _megabytes),
        ("baseline_peak_bytes", f"{reference}, MB", _megabytes),
        ("plain_peak_bytes", "ours plain, MB", _megabytes),
    ]
    rows = [{**row} for row in value["rows"]]
    used = [column for column in columns if any(row.get(column[0]) is not None for row in rows)]
    git = value["git"]
    machine = value["hardware"]
    return Document(
        title=title,
        file=file,
        digest=digest,
        date=str(value["date"]),
        machine=f"{machine['cpu']}, {int(machine['cores'])} cores",
        versions={name: str(version) for name, version in value["versions"].items() if version},
        commit=_commit(git),
        header=("Model", *(heading for _, heading, _ in used)),
        rows=tuple(
            (str(row["model"]), *(_cell(row.get(name), form) for name, _, form in used))
            for row in rows
        ),
        rounds=tuple(
            (f"{_label(row)}, {name}", ", ".join(_cell(one, _seconds) for one in times))
            for row in rows
            for name, times in row["rounds"].items()
            if times
        ),
        notes=tuple(
            f"{_label(row)}, {name}: {reason}"
            for row in rows
            for name, reason in row["not_measured"].items()
        ),
    )


def _label(row: Mapping[str, Any]) -> str:
    pixels = row.get("pixels")
    return f"{row['model']}" + ("" if pixels is None else f" {_number(pixels):,.0f} pixels")


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "unknown"
    return f"{git['commit']}" + (", with changes" if git["dirty"] else "")


def _cell(value: Any, form: Callable[[float], str]) -> str:
    return _MISSING if value is None else form(_number(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is no number")
    return float(value)


def _seconds(value: float) -> str:
    """Three digits, or all of those before the point."""
    return f"{value:,.0f}" if value >= 1e3 else f"{value:#.3g}".rstrip(".")


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f}"
